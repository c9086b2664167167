"""Nothing of the work behind a reply may stand in it: thinking, step text, roles, canon marks, JSON."""

import re

from draftctl.gates.base import NOTHING, Around, Gate, Side, rule, run_rules

_RULES = (
    rule(
        "thinking",
        r"<\s*/?\s*(?:think|thinking|thought|reasoning|reflection|scratchpad|analysis|answer|final|reply|response|draft|message)\b",
        r"\[/?(?:think|inst|system|reasoning)\]",
        r"[◁◀‹«⟨＜]\s*/?\s*think|&lt;\s*/?\s*think|&lt;\|",
        r"<\||\|>|<<sys>>|</s>|<s>|<bos>|<eos>",
        whole_words=False,
    ),
    rule(
        "about-the-task",
        r"the (?:customer|client) (?:wants|is|asks|seems|would|has|says|needs)|i'?ll write (?:a|the) (?:reply|response|message|draft)|note: (?:keep|do not|don'?t|avoid|be)|\(\d+ (?:characters|chars|words)\)|(?:based on|according to) (?:the|my|her|your) (?:notes?|context|thread|instructions|conversation|history|guidelines|rules|prompt)|my (?:instructions|guidelines|system prompt|training|rules) (?:say|are|tell|require|do not)|wait,? i should(?:n'?t| not)",
    ),
    rule(
        "steps",
        r"step (?:\d+|one|two|three|four|i{1,3})\s*[:.)\-—]|(?:first|1st|second|next|last|final) step\s*[:\-]",
        r"(?:let me|let'?s|i need to|i should|i must|i have to|we need to|we should) (?:reason|analy[sz]e|consider (?:the|what|how)|think (?:about what|step|through|carefully about)|pick the (?:move|note)|respond|reply (?:with|in|as)|answer (?:as|in|with)|draft|keep (?:it|this) (?:under|short|within)|avoid (?:mention\w*|any)|check the constraints|stay in)",
        r"(?:thinking(?: process)?|reasoning|analysis|thought process|constraints?|draft|final (?:draft|reply|answer|response)|reply|response|output|intent|tone|archetype|template ?key)\s*:|\A\W*(?:thoughts?|plan|answer|message)\s*:",
        r"(?:assistant|system|user|quinn|prospect|human|bot)\s*:",
        r"(?:the|this) (?:user|prospect|candidate|sender|persona|prompt|instruction|instructions|system prompt|canon|pastebin|template|transcript|conversation history)(?:'?s)?(?! (?:of|interface|manual|guide|for (?:happiness|the garden)))",
        r"(?:sure|certainly|of course|okay|absolutely|here)[,!.]? (?:here(?:'?s| is| are)|is|'?s) (?:a|an|the|my|your|one) (?:\w+\s+)?(?:draft|reply|response|message|version|answer|rewrite|text|possible|suggested)",
        r"in (?:quinn'?s|my persona'?s|the persona'?s) voice|as quinn|as (?:an? )?(?:ai|a\.i\.|language model|assistant)|language model|als (?:ki|sprachmodell|ki ?-?sprachmodell|kunstliche intelligenz)|como (?:un )?(?:modelo de lenguaje|ia|inteligencia artificial)|en tant qu'?(?:ia|intelligence artificielle)|modele de langage|modello linguistico|(?:the|her|quinn'?s|these) (?:rules|guidelines|canon) (?:say|says|require|forbid|state|tell)|i (?:cannot|can'?t|am unable to) (?:fulfil\w*|comply|assist with|help (?:you )?with that(?! (?:day|date|time|week|until|before|today|tonight|right now))|help with that request|generate|create)|as requested|(?:<=|≤|under|within|max(?:imum)?) ?\d+ (?:chars|characters)|word count|character count",
        unless=r"(?:i need to|i should|let me|i must|i have to) (?:think|consider) (?:it over|on it|(?:about|over) (?:it|that|this|your|you|us|which day|the day))|of course,? the message|my answer: ?(?:yes|no)",
    ),
)
_RAW = {
    "canon-mark": re.compile(r"[①-⓿❶-➓㉑-㉟㊱-㊿]|🌹\s*(?:note|①)", re.IGNORECASE),
    "json": re.compile(r"[{\[]\s*[\"'][^\"']{1,60}[\"']\s*[:,\]]|^\s*[{\[].*[}\]]\s*$", re.DOTALL),
    "fence": re.compile(r"```|~~~|^\s*#{1,4} |\*\*[^*]+\*\*|^---+$", re.MULTILINE),
    "quoted-whole": re.compile(r"\A\s*\"[^\"]+\"\s*\Z|\A\s*“[^”]+”\s*\Z"),
}


def _check(text: str, _side: Side, _around: Around = NOTHING, /) -> str | None:
    for name, pattern in _RAW.items():
        if pattern.search(text):
            return name
    return run_rules(_RULES, text)


GATE = Gate(
    name="think_leak",
    version=3,
    why="Nothing of the work behind a reply may stand in it.",
    sides=frozenset({"body"}),
    check=_check,
)
