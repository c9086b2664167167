"""The owner's own patterns, from `pastebin/safety.yaml`: plain words, `*` for the rest of a word, on the inbound, the reply, or both."""

from collections.abc import Iterable

from draftctl.gates.base import Side
from draftctl.phrases import has_phrase

NAME = "owner"


def check_owner(text: str, side: Side, patterns: Iterable[tuple[str, str, str]]) -> str | None:
    """Return the id of the first pattern (id, words, side or `both`) that the text has, or None."""
    return next((id_ for id_, words, on in patterns if on in (side, "both") and has_phrase(text, words)), None)
