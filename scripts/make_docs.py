"""Writes the generated pages: docs/holds.md and docs/lint.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the pages are of this checkout, whatever is installed

from draftctl.holds import holds_page
from draftctl.rule_cases import lint_page

PAGES = {"docs/holds.md": holds_page, "docs/lint.md": lint_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (Path(__file__).resolve().parent.parent / name).write_text(page())
