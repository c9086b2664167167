"""A fresh workspace: the shipped pastebin, vocabulary and sample inbox, settings with an owner of its own, and a first commit."""

import secrets
import shutil
import subprocess
from pathlib import Path

from draftctl.errors import DraftctlError, UsageError
from draftctl.settings import FILE_NAME
from draftctl.workspace import git, name_an_author

PARTS = ("pastebin", "workflows", "engines", "examples", "schema")
_IGNORED = "var/\n"


def starter_folder() -> Path:
    """Return where the shipped files lie: inside an installed package, or the repository itself."""
    here = Path(__file__).resolve().parent
    return here / "starter" if (here / "starter" / FILE_NAME).is_file() else here.parent


def make_workspace(folder: Path, *, persona: str, consented_by: str | None, consented_at: str | None) -> str | None:
    """Lay out a workspace and commit it; return the commit, or None where Git is not installed.

    Raises UsageError when the folder holds anything already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty, so no workspace is made there.", hint="Name a new folder.")
    source = starter_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        shutil.copytree(source / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".gitignore").write_text(_IGNORED)
    settings = _settings(
        (source / FILE_NAME).read_text(), persona=persona, consented_by=consented_by, consented_at=consented_at
    )
    (folder / FILE_NAME).write_text(settings)
    return _commit(folder)


def _settings(text: str, *, persona: str, consented_by: str | None, consented_at: str | None) -> str:
    owner = f"gpu:\n  owner: draftctl-{secrets.token_hex(4)}  # names this workspace's droplets; keep it\n"
    salt = f"export:\n  salt: {secrets.token_hex(16)}  # decides for ever who is training and who is test; keep it, and keep it secret\n"
    text = text.replace("name: Quinn", f"name: {_quoted(persona)}")
    if consented_by and consented_at:
        text = text.replace("consented_by: null       ", f"consented_by: {_quoted(consented_by)}").replace(
            "consented_at: null       ", f"consented_at: {consented_at}"
        )
    return text.rstrip("\n") + "\n" + owner + salt


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _commit(folder: Path) -> str | None:
    try:
        git(folder, "init", "--quiet")
        git(folder, "add", "--all")
        name_an_author(folder)
        git(folder, "commit", "--quiet", "--no-verify", "--message", "A fresh draftctl workspace")
        return git(folder, "rev-parse", "HEAD").decode().strip()
    except FileNotFoundError:
        return None
    except subprocess.CalledProcessError as error:
        raise DraftctlError(
            f"{folder}: git could not make the first commit: {error.stderr.decode(errors='replace').strip()}"
        ) from error
