"""Texts as JSON lines at the end of a file. The intent names the file (device, inode) and its size before the write, so that the place tells.

After a crash the whole line is there (sent), nothing is there (it never left), or anything else (unclear).
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from draftctl.errors import StoreError, UsageError
from draftctl.outlets.base import Delivery, Text


class FileOutlet:
    """Appends to one file. Made for the holder of the dispatch lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._there = _keys_in(path)
        self._descriptor: int | None = None

    def holds(self, key: str) -> bool:
        """Say whether the file has this key: an older state of the database may have been restored."""
        return key in self._there

    def intend(self) -> Mapping[str, Any]:
        """Open the file, and return the place of the next line."""
        if self._descriptor is None:
            self._descriptor = self._open()
        place = os.fstat(self._descriptor)
        return {
            "device": place.st_dev,
            "inode": place.st_ino,
            "offset": place.st_size,
            "path": str(self._path),
            "mtime_ns": place.st_mtime_ns,
        }

    def deliver(self, text: Text, intent: Mapping[str, Any]) -> Delivery:
        """Append the line in one write; a disk that takes only a part gets that part taken away again."""
        if self._descriptor is None:
            return Delivery(what="later", why=f"{self._path} is not open")
        line = _line(text)
        why = "the disk is full"
        try:
            whole = os.write(self._descriptor, line) == len(line)
        except OSError as error:
            whole, why = False, error.strerror or str(error)
        if not whole:
            return self._taken_back(intent["offset"], line, why)
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            return Delivery(what="unclear", why=f"{self._path}: {error.strerror}")
        return Delivery(what="sent")

    def _taken_back(self, offset: int, line: bytes, why: str) -> Delivery:
        """Take a part of a line away again, if nobody has written after it meanwhile."""
        descriptor = self._descriptor or 0
        try:
            part = os.pread(descriptor, len(line) + 1, offset)
            if line.startswith(part):
                os.ftruncate(descriptor, offset)
                return Delivery(what="later", why=f"{self._path}: {why}")
        except OSError as error:
            why = error.strerror or why
        return Delivery(what="unclear", why=f"{self._path}: {why}")

    def ask(self, text: Text, intent: Mapping[str, Any]) -> Delivery:
        """Look at the place that the intent names, if it names one."""
        return at_place(text, intent) if "path" in intent else Delivery(what="unclear", why="it went to no file")

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._path.exists() and not self._path.is_file():
            raise UsageError(
                f"{self._path} is no ordinary file, so nothing was sent.", hint="--to file:PATH appends to a file."
            )
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"{self._path} cannot be written: {error.strerror}. Nothing was sent."
            raise StoreError(message, hint="Name another file; its folder must exist.") from error
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # Somebody's half line stands at the end: ours must not become a part of it.
            os.write(descriptor, b"\n")
        return descriptor


def _line(text: Text) -> bytes:
    return (json.dumps(text.value, ensure_ascii=False) + "\n").encode()


def _keys_in(path: Path) -> frozenset[str]:
    """Return the keys of the texts that stand in a file already."""
    keys = set()
    if path.is_file():
        with path.open("rb") as lines:
            for line in lines:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    keys.add(json.loads(line)["key"])
    return frozenset(keys)


def at_place(text: Text, intent: Mapping[str, Any]) -> Delivery:
    """Say what stands where a line was to be written."""
    path, line = Path(intent["path"]), _line(text)
    unclear = Delivery(what="unclear", why=f"{path} does not say")
    if not path.is_file():
        return unclear
    try:
        with path.open("rb") as file:
            place = os.fstat(file.fileno())
            if (place.st_dev, place.st_ino) != (intent["device"], intent["inode"]) or place.st_size < intent["offset"]:
                return unclear
            file.seek(intent["offset"])
            there = file.read(len(line))
    except OSError:
        return unclear
    if there == line:
        return Delivery(what="sent")
    # Nothing is there; if the file was touched since, somebody may have taken it away together with what was written.
    return Delivery(what="not_sent") if not there and place.st_mtime_ns == intent.get("mtime_ns") else unclear
