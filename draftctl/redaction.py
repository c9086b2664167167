"""Personal data out of a text: phones, e-mails, handles, links, addresses, papers, and the names that the atoms give. Pure.

Whatever is found is replaced by a word in brackets (`[phone]`), the same on both sides of a pair, so that a text stays readable
and a model learns no one's number. The patterns take too much rather than too little. `residual` looks once more, in another
way, at what is left: a text in which it still finds something is not exported.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

VERSION = 1
"""Of the patterns: texts that an older version redacted are redacted again when they are exported."""

_UNSEEN = re.compile(
    "(?<=[\\w@.+-])[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+(?=[\\w@.+-])"
)  # inside a word or a number
_TURN = r"\n(?:them|us)> "  # a number may run over two messages of a transcript
_GAP = rf"(?:[\s().\-/+*_,|·•~#:–—]|{_TURN}|\b(?:then|dash)\b){{0,4}}"
_DIGIT_WORD = (
    r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|null|eins|zwei|"
    r"drei|vier|fünf|funf|sechs|sieben|acht|neun|deux|trois|quatre|cinq|sept|huit|neuf|due|quattro|cinque|sei|sette|otto|nove|dois|três)"
)
_TLD = r"(?:com|net|org|io|me|co|uk|de|fr|es|it|br|ru|info|biz|app|link|ly|gg|tv|xyz|online|site|club|ca|au|us|eu|ch|at|nl|se|pl|pt|dev|example|test)"
_PLATFORM = r"(?:instagram|insta|ig|snap ?chat|snap|telegram|tg|kik|whats ?app|wechat|twitter|tik ?tok|discord|skype|onlyfans|facebook|fb|signal|viber|line)"
_STREET = r"(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|square|sq|terrace|parkway|pkwy|highway|hwy|circle|crescent|cres|close|alley|quay|mews)"

_AT, _DOT = r"\s?(?:@|[(\[{]at[)\]}])\s?", r"\s?(?:\.|[(\[{]dot[)\]}])\s?"
_EMAIL = re.compile(
    rf"[\w.+-]+{_AT}[\w-]+(?:{_DOT}[\w-]+)+|[\w.+-]+(?: dot [\w.+-]+)* at [\w-]+ dot {_TLD}\b"
    r"|[\w.+-]+\s(?:gmail|hotmail|outlook|yahoo|icloud|protonmail)\b(?:[. ](?:dot )?com\b)?",
    re.IGNORECASE,
)
_LINK = re.compile(
    rf"(?:https?|hxxps?)://\S+|\bwww\.\S+|\b(?:[\w-]+\.)+{_TLD}\b(?:/\S*)?|[\w-]{{3,}} dot {_TLD}\b", re.IGNORECASE
)
_AT_HANDLE = re.compile(r"@\s?[\w.]*\w|\b\w+#\d{4}\b")
_NAMED_HANDLE = re.compile(
    rf"\b({_PLATFORM}\b(?:\s+(?:name|handle|user(?:name)?|account|id))?(?:\s*[:=]\s*|\s+is\s+|\s+me\s+(?:at|on)\s+|\s+))"
    r"((?:[\w-]+[._])+[\w.-]*\w|\w*\d\w*)",
    re.IGNORECASE,
)
_COLON_HANDLE = re.compile(
    rf"\b({_PLATFORM}(?:\s+(?:name|handle|user(?:name)?)(?:\s*[:=(]\s*|\s+is\s+|\s+)|\s*[:=(]\s*|\s+is\s+)|my\s+{_PLATFORM}\s+)([\w.]{{3,}})",
    re.IGNORECASE,
)
_HANDLE_ON = re.compile(rf"\b(?:\w*[\d_]\w*)(\s+(?:on|at)\s+{_PLATFORM}\b)", re.IGNORECASE)
_PHONE = re.compile(rf"(?<![\w])[+(]?\d(?:{_GAP}(?:\d|(?<=\d)x(?=\d))){{6,}}|(?<=[a-zA-Z])\d(?:{_GAP}\d){{6,}}")
_SPELLED = re.compile(rf"\b(?:(?:{_DIGIT_WORD}|\d+)\b[\s,.\-]*){{3,}}", re.IGNORECASE)
_ADDRESS = re.compile(
    rf"\b\d{{1,5}}[a-z]?\s+(?:[nsew]\.?\s+|north\s+|south\s+|east\s+|west\s+)?(?:[\w'.-]+\s+){{1,3}}{_STREET}\b\.?"
    r"|\b(?:rue|calle|via|rua|avenida|plaza|piazza|paseo|viale|corso)\s+(?:[\w'’.-]+\s+){1,4}\d{1,4}\b|\b\w+(?:strasse|straße|gasse|platz|allee)\s+\d+\w?"
    r"|\b(?:apt|apartment|unit|suite|room|flat|door code|gate code|buzzer|entry code)\.?\s*(?:#|no\.?|number|is|:)?\s*\d+\w?"
    r"|\bp\.? ?o\.? box \d+|\b[a-z]\d[a-z][ -]?\d[a-z]\d\b|\b[a-z]{1,2}\d{1,2}[a-z]? \d[a-z]{2}\b",
    re.IGNORECASE,
)
_PAPER = re.compile(r"\b[A-Z]{2}\d{2} ?(?:[A-Z0-9]{4} ?){3,}[A-Z0-9]{0,4}\b|\b\d{3}-\d{2}-\d{4}\b")
_MONTH = r"(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)"
_DATE_OR_TIME = re.compile(
    rf"\b(?:19|20)\d\d-\d{{1,2}}-\d{{1,2}}(?:[T ]\d{{1,2}}:\d\d(?::\d\d)?)?|(?<![\d.])\b\d{{1,2}}[:.h]\d\d\b(?!\.\d)|(?<![\d./])\b\d{{1,2}}[/.]\d{{1,2}}[/.](?:\d{{4}}|\d\d)\b(?![./]\d)"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH}\b|\b{_MONTH}\s+\d{{1,2}}\b|\b(?:19|20)\d\d\b",
    re.IGNORECASE,
)
_DIGITS = 7
_NO_SPACES = 0x2E80  # from here on scripts write no spaces between words
_RESIDUAL = re.compile(
    rf"(?P<phone>\d(?:[^\w\n]{{0,4}}\d){{{_DIGITS - 1},}})|(?P<email>\w\s?@\s?\w|\bat (?:gmail|hotmail|outlook|yahoo|icloud|proton ?mail)\b)"
    r"|(?P<handle>@\w)|(?P<link>https?:/|\bwww\.)"
)


def names_in(atoms: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names that a thread's atoms give: the values of every key with `name` in it."""
    values = (str(value).strip() for key, value in atoms.items() if "name" in key.lower() and isinstance(value, str))
    return tuple(dict.fromkeys(value for value in values if len(value) > 1))


def redact(text: str, names: Sequence[str] = ()) -> str:
    """Return the text without personal data; what is not found stays byte by byte. Doing it twice changes nothing."""
    text = _UNSEEN.sub("", text)
    text = _EMAIL.sub("[email]", text)
    text = _LINK.sub("[link]", text)
    text = _AT_HANDLE.sub("[handle]", text)
    text = _NAMED_HANDLE.sub(r"\1[handle]", text)
    text = _COLON_HANDLE.sub(_keep_plain_words, text)
    text = _HANDLE_ON.sub(r"[handle]\1", text)
    text = _PAPER.sub("[document]", text)
    text = _ADDRESS.sub("[address]", text)
    text = _PHONE.sub(_unless_a_date, text)
    text = _SPELLED.sub(_if_a_number, text)
    for name in names:
        text = _name_pattern(name).sub("[name]", text)
    return text


def residual(text: str) -> str | None:
    """Return which kind of personal data still seems to stand in a redacted text (phone, email, handle, link), or None."""
    plain = _DATE_OR_TIME.sub(";", unicodedata.normalize("NFKC", text))
    found = _RESIDUAL.search(plain)
    return found.lastgroup if found else None


def _keep_plain_words(match: re.Match[str]) -> str:
    """Replace what follows `insta:` or `insta is`, unless it is a word of the sentence."""
    said = match[2].lower()
    return match[0] if said in _SENTENCE_WORDS else f"{match[1]}[handle]"


_SENTENCE_WORDS = frozenset(
    "the best fine better not what how where when who only just private down full easier great good okay sure also more mine yours "  # noqa: SIM905
    "there here for and that this always never still really very too broken deleted".split()
)


def _unless_a_date(match: re.Match[str]) -> str:
    left = _DATE_OR_TIME.sub(" ; ", match[0])
    return match[0] if sum(c.isdigit() for c in left) < _DIGITS else "[phone]"


def _if_a_number(match: re.Match[str]) -> str:
    """Replace digits and words for digits that make a number; digits alone are a phone's business."""
    words = re.findall(_DIGIT_WORD, match[0], re.IGNORECASE)
    tail = re.search(r"[\s,.\-]*$", match[0])
    enough = words and len(words) + sum(c.isdigit() for c in match[0]) >= _DIGITS
    return f"[phone]{tail[0] if tail else ''}" if enough else match[0]


def _name_pattern(name: str) -> re.Pattern[str]:
    """Match a name and each of its parts, in any case, with any apostrophe, with and without its accents."""
    parts = [name, *(part for part in re.split(r"[\s,\-]+", name) if len(part) > 1)]
    written = {form for part in parts for form in _writings(part)}
    shapes = [
        re.sub(r"['’‘ʼ`]", "['’‘ʼ`]", re.escape(form)) for form in sorted(written, key=lambda form: (-len(form), form))
    ]
    bounded = [shape if ord(shape[-1]) > _NO_SPACES else rf"(?<![^\W\d_]){shape}(?![^\W\d_])" for shape in shapes]
    return re.compile("|".join(bounded), re.IGNORECASE)


def _writings(part: str) -> tuple[str, ...]:
    """Return a name composed, decomposed, and without accents; ß as ss too."""
    apart = unicodedata.normalize("NFD", part)
    bare = "".join(c for c in apart if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", part), apart, bare, bare.casefold()
