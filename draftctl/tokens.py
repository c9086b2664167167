"""Tokens: from the environment, else from a 0600 file beside the database, which is what a run from cron has."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from draftctl.errors import UsageError

FILE = "keys.json"
NAMES = ("DIGITALOCEAN_TOKEN", "GPU_INFERENCE_API_KEY", "HF_TOKEN")
_ALSO = {"DIGITALOCEAN_TOKEN": "DIGITALOCEAN_ACCESS_TOKEN"}


def keys_file(database: Path) -> Path:
    """Return where a workspace's tokens are kept."""
    return database.parent / FILE


def secret(database: Path, name: str, environment: Mapping[str, str]) -> tuple[str | None, str]:
    """Return a token and where it came from; None where there is none. Raises UsageError for a file that others may read."""
    for variable in filter(None, (name, _ALSO.get(name))):
        if environment.get(variable, "").strip():
            return environment[variable].strip(), f"environment {variable}"
    path = keys_file(database)
    value = _read(path).get(name)
    return (value, str(path)) if value else (None, f"neither {name} nor {path} has it (`draftctl keys set {name}`)")


def store_secret(database: Path, name: str, value: str | None) -> Path:
    """Keep a token, or (None) forget it. Raises UsageError for one that cannot be a token."""
    if name not in NAMES:
        raise UsageError(f"{name} is none of {', '.join(NAMES)}.")
    if value is not None and (not value or not value.isascii() or not value.isprintable() or " " in value):
        raise UsageError("That is no token: it is one word of plain characters.", hint="Nothing was stored.")
    path = keys_file(database)
    kept = {**_read(path), name: value}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{FILE}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump({key: word for key, word in kept.items() if word}, stream)
    beside.replace(path)
    return path


def _read(path: Path) -> dict[str, str]:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise UsageError(f"{path} can be read by others, so its tokens are not used.", hint=f"chmod 600 {path}")
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UsageError(
            f"{path} is damaged.", hint="`draftctl keys set NAME` for each token, after removing it."
        ) from error
    return {str(name): str(word) for name, word in value.items()} if isinstance(value, dict) else {}
