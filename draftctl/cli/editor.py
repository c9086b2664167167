"""The person's own editor, on one text."""

import os
import subprocess
import tempfile
from pathlib import Path

from draftctl.errors import UsageError


def edited_text(text: str) -> str:
    """Return a text after the person's own editor (VISUAL, EDITOR, else vi). Raises UsageError when it cannot be started."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="draftctl-edit-") as folder:
        path = Path(folder) / "reply.txt"
        path.write_text(text + "\n", encoding="utf-8")
        try:
            done = subprocess.run([*editor.split(), str(path)], check=False)
        except OSError as error:
            raise UsageError(f"{editor} cannot be started: {error.strerror}.", hint="Set EDITOR.") from error
        if done.returncode:
            raise UsageError(f"{editor} ended with {done.returncode}, so nothing was changed.")
        return path.read_text(encoding="utf-8", errors="replace").strip()
