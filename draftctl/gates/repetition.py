"""A body that turns in circles: the same word, phrase or sentence again and again, as a model does that has lost its way."""

import re
from collections import Counter

from draftctl.gates.base import NOTHING, Around, Gate, Side
from draftctl.gates.text import fold

_CHAR_RUN = re.compile(r"(\S)\1{7,}")
_SENTENCE_END = re.compile(r"[.!?\n]+\s*")
_WORD_TIMES, _PHRASE_WORDS, _PHRASE_TIMES, _SENTENCE_CHARS, _LETTER_BLOCK_TIMES = 4, 3, 3, 9, 5
_BLOCK = re.compile(r"([^\W\d_]{2,4})\1{%d,}" % _LETTER_BLOCK_TIMES)


def _check(text: str, _side: Side, _around: Around = NOTHING, /) -> str | None:
    plain = fold(text)
    if _CHAR_RUN.search(plain) or _BLOCK.search(plain):
        return "characters"
    words = re.findall(r"\w+", plain)
    if any(len(set(words[n : n + _WORD_TIMES])) == 1 for n in range(len(words) - _WORD_TIMES + 1)):
        return "word"
    phrases = Counter(tuple(words[n : n + _PHRASE_WORDS]) for n in range(len(words) - _PHRASE_WORDS + 1))
    if phrases and max(phrases.values()) >= _PHRASE_TIMES:
        return "phrase"
    sentences = Counter(s for s in _SENTENCE_END.split(plain) if len(s) >= _SENTENCE_CHARS)
    return "sentence" if sentences and max(sentences.values()) > 1 else None


GATE = Gate(
    name="repetition",
    version=1,
    why="A text that turns in circles is no reply.",
    sides=frozenset({"body"}),
    check=_check,
)
