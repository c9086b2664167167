"""What was probably meant by a word that nobody knows, and which characters only look like the right ones. Pure."""

import difflib
import unicodedata
from collections.abc import Sequence

_SHOWN = 20  # names fit a screen
_CUTOFF = 0.6
_ALIKE = str.maketrans("аеіјорсухѕһԁԛԝοανιіΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeijopcyxshdqwoaviiABEZHIKMNOPTYX")  # Cyrillic and Greek


def did_you_mean(word: str, allowed: Sequence[str]) -> str:
    """Return `; did you mean 'x'?` for a near miss (and which character only looks right), else what is allowed, else nothing."""
    seen = "".join(char for char in word if not is_unseen(char)).translate(_ALIKE)
    close = difflib.get_close_matches(seen, allowed, n=1, cutoff=_CUTOFF)
    if not close:
        close = difflib.get_close_matches(seen.casefold(), [w for w in allowed if w.islower()], n=1, cutoff=_CUTOFF)
    if close:
        odd = [char for char in dict.fromkeys(word) if not char.isascii() and char not in close[0]]
        named = f" What stands there has {' and '.join(map(code_point, odd))}" if odd else ""
        return f"; did you mean '{close[0]}'?{named}"
    return f"; there are {', '.join(allowed)}" if allowed and len(allowed) <= _SHOWN else ""


def code_point(char: str) -> str:
    """Return a character as its code point and name: `U+0430 CYRILLIC SMALL LETTER A`."""
    return f"U+{ord(char):04X} {unicodedata.name(char, '(no name)')}"


def is_unseen(char: str) -> bool:
    """Say whether a character shows nothing, or turns the direction of writing: what a reader of the file cannot see."""
    return unicodedata.category(char) == "Cf" and char not in "\u200c\u200d"  # joiners are part of emoji and of scripts


def mixed_scripts(word: str) -> str | None:
    """Return the first character of a word of Latin letters that is a Cyrillic or Greek one which looks Latin, or None."""
    if not any(char.isascii() and char.isalpha() for char in word):
        return None
    return next((char for char in word if not char.isascii() and char.translate(_ALIKE).isascii()), None)
