"""When a text may leave: quiet hours of the day, and how many texts a person gets in a day. Pure: the time arrives as an argument."""

import re
from dataclasses import dataclass
from datetime import datetime, time

_HOURS = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\s*-\s*([01]?[0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """The part of the day in which nothing is sent; it may reach over midnight."""

    start: time
    end: time

    def at(self, now: datetime) -> bool:
        """Say whether a moment, in the workspace's own time zone, is quiet."""
        clock = now.time().replace(tzinfo=None)
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


def parse_quiet_hours(text: str) -> QuietHours:
    """Read `22:00-08:00`. Raises ValueError for anything else."""
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected the hours of a day, as in 22:00-08:00")
    hours = [int(part) for part in match.groups()]
    quiet = QuietHours(start=time(hours[0], hours[1]), end=time(hours[2], hours[3]))
    if quiet.start == quiet.end:
        raise ValueError("these hours begin and end at the same time")
    return quiet
