"""Everything that draftctl raises on purpose, and the exit code that each ends in.

    DraftctlError               1   tried and failed
    ├── UsageError              2   a wrong command, setting or file; nothing was done
    │   └── FileProblems        2   all that is wrong in the files read, each with its place
    ├── StoreError              1   the database cannot be read or written
    ├── LockHeld               75   another run is at work
    └── EngineUnreachable       4   the engine could not be reached; candidates hold

Each says in whole sentences what was tried, on what, why it failed, and (`hint`) what to do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar


def place_of(error: BaseException) -> str:
    """Name an error by its kind and place alone: its text may quote a message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}"


class DraftctlError(Exception):
    """The root: a sentence for a person, an optional hint, and the exit code it ends in."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DraftctlError):
    """A wrong command, setting or file. Nothing was done."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in one file: where (lines and columns count from 1), what, and under which rule.

    `source` is the line itself, for the caret; empty where the file has none to show.
    """

    path: str
    line: int
    column: int
    message: str
    rule: str
    source: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        kind = "warning: " if self.severity == "warning" else ""
        head = f"{self.path}:{self.line}:{self.column}: {kind}{self.message} [{self.rule}]"
        if not self.source:
            return head
        margin = " " * len(str(self.line))
        before = "".join("\t" if char == "\t" else " " * cell_width(char) for char in self.source[: self.column - 1])
        return f"{head}\n {margin} |\n {self.line} | {self.source}\n {margin} | {before}^"


def cell_width(char: str) -> int:
    """Terminal cells of a character, so that a caret stands under the right one."""
    from unicodedata import combining, east_asian_width  # noqa: PLC0415  (an error's path only)

    if combining(char) or char in "\ufe0e\ufe0f\u200d":
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


class FileProblems(UsageError):
    """Everything that is wrong in the files that were read, all at once, in the order of path and place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.path, p.line, p.column)))
        super().__init__("\n".join(map(str, self.problems)))


class StoreError(DraftctlError):
    """The database cannot be opened, read or written."""


class LockHeld(DraftctlError):
    """Another run holds the lock; the message says who."""

    exit_code = 75


class EngineUnreachable(DraftctlError):
    """The engine could not be reached. Candidates hold; no attempt is counted."""

    exit_code = 4
