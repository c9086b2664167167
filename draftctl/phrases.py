"""Plain words as patterns: `*` for the rest of a word, a blank for any gap, and `___` for what is to be taken. Pure.

There are no regular expressions for people to write, so none can take hours over one message.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from draftctl.gates.base import GAP
from draftctl.gates.text import fold, readings, windows

Slot = Literal["name", "word", "words", "day", "time", "number", "flag"]
_WORD = r"[^\W\d_][\w'-]{0,30}"
_DAYS = r"(?:mon|tues?|wednes|thurs?|fri|satur|sun)day|mon|tue|wed|thu|fri|sat|sun|today|tonight|tomorrow|this weekend|next week"
_SLOTS: dict[str, str] = {
    "name": r"[^\W\d_]{1,20}(?:['-][^\W\d_]{1,20})?(?![\w'-])",
    "word": _WORD,
    "words": rf"{_WORD}(?: {_WORD}){{0,3}}",
    "day": rf"(?:this |next )?(?:{_DAYS})",
    "time": r"(?:noon|midnight|\d{1,2}(?:[:.]\d\d)? ?(?:am|pm|o'clock|h)?)",
    "number": r"\d{1,6}",
}
PLACE = "___"
FLAG = "yes"
_NEXT = r"[\s,:;.'\"-]{1,3}"  # between a phrase and what is taken
MAX_CHARS = 2000  # of one message that atoms are looked for in


@lru_cache(maxsize=4096)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Return what meets any of the phrases: one search costs a tenth of one for each."""
    split = [[re.escape(part).replace(r"\*", r"\w*") for part in fold(words).split()] for words in phrases]
    found = "|".join(GAP.join(parts) for parts in split if parts)
    return re.compile(rf"(?<![^\W_])(?:{found})(?![^\W_])" if found else r"(?!)")


def has_phrase(text: str, *phrases: str) -> bool:
    """Say whether any reading of a text has the words of any of the phrases, in their order and as whole words."""
    pattern = _pattern(phrases)
    return any(pattern.search(reading) for window in windows(text) for reading in readings(window))


def first_phrase(texts: Iterable[str], phrases: Sequence[str]) -> str | None:
    """Return the first of the phrases that any of the texts has."""
    found = [text for text in texts if phrases and has_phrase(text, *phrases)]
    return next((phrase for phrase in phrases if any(has_phrase(text, phrase) for text in found)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a phrase took out of a text: the value, and the phrase that found it."""

    value: str
    phrase: str


@lru_cache(maxsize=1024)
def _taking(phrase: str, slot: Slot) -> re.Pattern[str]:
    before, _, after = phrase.partition(PLACE)
    parts = [[re.escape(word).replace(r"\*", r"\w*") for word in fold(side).split()] for side in (before, after)]
    lead = r"[\W_]{1,3}".join(parts[0])
    tail = r"[\W_]{1,3}".join(parts[1])
    text = (rf"{lead}{_NEXT}" if lead else "") + rf"(?P<taken>{_SLOTS[slot]})" + (rf"{_NEXT}{tail}" if tail else "")
    return re.compile(rf"(?<![^\W_]){text}(?![^\W_])", re.IGNORECASE)


def take(text: str, phrase: str, slot: Slot, refused: frozenset[str]) -> Taken | None:
    """Return what stands in a text where the phrase has `___`; a word that is refused is not it (`i'm ___` is not `i'm free`).

    A `flag` has no such place: it is `yes` where the phrase stands, unless one of the refused phrases does.
    """
    if slot == "flag":
        told = has_phrase(text, phrase) and first_phrase([text], sorted(refused)) is None
        return Taken(value=FLAG, phrase=phrase) if told else None
    text = " ".join(text[:MAX_CHARS].replace("’", "'").split())
    for match in _taking(phrase, slot).finditer(text):
        value = match["taken"].strip("'- ")
        if value.casefold() not in refused:
            return Taken(value=value[:1].upper() + value[1:] if slot == "name" else value, phrase=phrase)
    return None
