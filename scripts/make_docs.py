"""Writes the generated pages: docs/holds.md."""

from pathlib import Path

from draftctl.holds import holds_page

PAGES = {"docs/holds.md": holds_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (Path(__file__).resolve().parent.parent / name).write_text(page())
