"""No gap where a word should be: unrendered templates, square-bracket fillers, a program's words for nothing."""

import re

from draftctl.gates.base import NOTHING, Around, Gate, Side

_MARKS = {
    "control-character": re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]"),
    "template": re.compile(r"\{\{|\}\}|\{%|%\}|\{#|\$\{|<%|%>|%\([a-z_]+\)s|%[sd]\b"),
    "braces": re.compile(r"\{\s*[A-Za-z_][\w .-]{0,40}\}"),
    "brackets": re.compile(r"[\[【［]\s*[^\W\d][^\[\]】］]{0,60}[\]】］]"),
    "angles": re.compile(r"<\s*/?\s*[A-Za-z_][\w .:/-]{0,40}>"),
    "numbered": re.compile(
        r"\{\s*\d*\s*\}|@[A-Za-z_]+@|(?<![\w$])\$[A-Za-z_]\w*|\bX{2}:X{2}\b|^\s*(?:Hi|Hello|Hey|Dear) name\b",
        re.IGNORECASE,
    ),
    "filler": re.compile(
        r"(?<!\w)(?:(?-i:TODO)|TBD|FIXME|XXX+|N/A|(?-i:NaN)|null(?! (?:problemo|hypothesis|uhr|grad|problem))|undefined(?=[,.!?]|$)|None|nil|lorem ipsum|your name here|name here|insert (?:name|time|date|day|place)|placeholder|fill in|your (?:message|text|reply) here|dear (?:customer|user|valued \w+)|internal server error|bad gateway|service unavailable|upstream (?:model|error|timeout|request)|(?:request|model|server) timed out|traceback \(most recent)(?!\w)",
        re.IGNORECASE,
    ),
    "blank": re.compile(r"_{3,}|\.{6,}|\?{4,}|…{3,}|\*{3,}\w|(?<=[,\s])@@|#{3,}"),
    "empty-greeting": re.compile(r"(?:^|\s)(?:Hi|Hello|Hey|Dear)\s+[,!.]"),
}
_HONEST = re.compile(
    r"\bnone (?:of|taken|the|at all|too|other|whatsoever|is|are|for|today|left|this)|(?:have|has|is|there'?s|got|second to|been|are) none\b",
    re.IGNORECASE,
)


def _check(text: str, _side: Side, _around: Around = NOTHING, /) -> str | None:
    for name, pattern in _MARKS.items():
        for match in pattern.finditer(text):
            around = text[max(0, match.start() - 12) : match.end() + 14]
            if match[0].casefold() == "none" and _HONEST.search(around):
                continue
            return name
    return None


GATE = Gate(
    name="placeholder", version=2, why="A text with a gap in it is no reply.", sides=frozenset({"body"}), check=_check
)
