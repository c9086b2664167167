"""Engine ids: `template`, or `do-gpu-<modelname>_<version_build>` for one exact model build."""

import re
from dataclasses import dataclass
from datetime import date
from functools import total_ordering

from draftctl.errors import UsageError

TEMPLATE = "template"
_BUILD = re.compile(r"do-gpu-(?P<model>[a-z0-9.-]+)_(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})\.(?P<number>[1-9][0-9]{0,8})")
_SHAPE = "`template` or `do-gpu-<model>_<YYYY-MM-DD>.<n>`, as in do-gpu-mistral-nemo-12b_2026-06-29.1"


@total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A `do-gpu` engine id, read: the model's name, the day of the build, and its number on that day (from 1)."""

    model: str
    day: date
    number: int

    def __str__(self) -> str:
        return f"do-gpu-{self.model}_{self.day.isoformat()}.{self.number}"

    def __lt__(self, other: "Build") -> bool:
        """Order builds of one model by day, then number; models by name."""
        return (self.model, self.day, self.number) < (other.model, other.day, other.number)


def parse_build(text: str) -> Build:
    """Read a `do-gpu-*` engine id.

    Raises UsageError, with the shape that is expected, for anything else.
    """
    match = _BUILD.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not an engine id.", hint=f"An engine is {_SHAPE}.")
    try:
        day = date.fromisoformat(match["date"])
    except ValueError:
        raise UsageError(
            f"{text!r} is not an engine id: {match['date']} is no day of the calendar.", hint=f"An engine is {_SHAPE}."
        ) from None
    return Build(model=match["model"], day=day, number=int(match["number"]))


def check_engine_id(text: str) -> str:
    """Return `text` when it is an engine id; raise UsageError when it is not."""
    return text if text == TEMPLATE else str(parse_build(text))
