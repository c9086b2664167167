"""What a person changed in a text, word by word."""

import difflib
import re

from rich.text import Text

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


def word_diff(before: str, after: str) -> Text:
    """Return the text with what was taken out struck through and what was put in underlined."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    text = Text()
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            text.append("".join(old[a:b]))
            continue
        if a < b:
            text.append("".join(old[a:b]), style="strike red")
        if c < d:
            text.append("".join(new[c:d]), style="underline green")
    return text
