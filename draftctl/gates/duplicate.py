"""Not the same text twice in a thread: whoever gets it again knows that nobody reads what they write."""

import re

from draftctl.gates.base import NOTHING, Around, Gate, Side
from draftctl.gates.text import fold

DRAFTED = "drafted-beside"  # for an older message, which is void once this one is decided on
_NO_WORD = re.compile(r"[\W_]+")


def _words(text: str) -> str:
    """Return a text's words alone: case, width, accents, punctuation and signs make no other text of it."""
    plain = fold(text)
    return _NO_WORD.sub(" ", plain).strip() or plain  # signs alone are a text too


def _check(text: str, _side: Side, around: Around = NOTHING, /) -> str | None:
    if not (around.sent or around.drafted):
        return None
    words = _words(text)
    if any(words == _words(body) for body in around.sent):
        return "sent-before"
    return DRAFTED if any(words == _words(body) for body in around.drafted) else None


GATE = Gate(
    name="duplicate",
    version=1,
    why="The same text is not sent twice in a thread.",
    sides=frozenset({"body"}),
    check=_check,
    contextual=True,
)
