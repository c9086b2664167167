"""The owner's own patterns, from `pastebin/safety.yaml`: plain words, `*` for the rest of a word, on the inbound, the reply, or both."""

import re
from collections.abc import Iterable
from functools import lru_cache

from draftctl.gates.base import GAP, Side
from draftctl.gates.text import fold, readings, windows

NAME = "owner"


@lru_cache(maxsize=1024)
def _pattern(words: str) -> re.Pattern[str]:
    parts = [re.escape(part).replace(r"\*", r"\w*") for part in fold(words).split()]
    return re.compile(rf"(?<![^\W_]){GAP.join(parts)}(?![^\W_])" if parts else r"(?!)")


def check_owner(text: str, side: Side, patterns: Iterable[tuple[str, str, str]]) -> str | None:
    """Return the id of the first pattern (id, words, side or `both`) that the text has, or None."""
    for pattern_id, words, on in patterns:
        if on in (side, "both") and any(
            _pattern(words).search(reading) for window in windows(text) for reading in readings(window)
        ):
            return pattern_id
    return None
