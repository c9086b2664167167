"""Writes the generated pages: docs/holds.md and docs/lint.md."""

from pathlib import Path

from draftctl.holds import holds_page
from draftctl.rule_cases import lint_page

PAGES = {"docs/holds.md": holds_page, "docs/lint.md": lint_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (Path(__file__).resolve().parent.parent / name).write_text(page())
