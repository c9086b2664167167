"""A text as a gate reads it: normalised several ways, so that a rule written plainly meets what people disguise. Pure.

`readings` are tried one by one: as written (case, width, accents and invisible characters folded), look-alike letters as Latin,
spaced-out letters joined, digits and signs that stand for letters, number words as digits, and near misses of words that matter.
"""

import re
import unicodedata
from functools import lru_cache

WINDOW_CHARS = 4_000  # a longer text is read in windows, so that no rule ever meets more
OVERLAP_CHARS = 400
_LONGEST_SIGN = 5  # characters: ⒇ is (20), ½ is 1⁄2

_LOOKALIKES = str.maketrans(
    "аверкмнотсухіѕјһԁԛԝɡοαερτυνκιχηβωɑıⅼℓ𝟎ᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ",
    "abepkmhotcyxisjhdqwgoaeptuvkixnbwailloabcdeghijklmnoprtuvwyz",
)
_LEET = str.maketrans(
    {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "$": "s", "@": "a", "!": "i", "|": "l"}
)
_LEET_L = str.maketrans(
    {"0": "o", "1": "l", "3": "e", "4": "a", "5": "s", "7": "t", "$": "s", "@": "a", "!": "l", "|": "l"}
)
_PUNCTUATION = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-"})  # fmt: skip

_SPACED = re.compile(r"(?<![^\W_])(?:[^\W_][\s.\-_*·•/|]{1,3}){2,}[^\W_](?![^\W_])")
_TOKEN = re.compile(r"[a-z0-9$@!|]+")
_MEASURE = re.compile(r"\d+(?:st|nd|rd|th|am|pm|h|k|s|min|mins|km|kg|m|cm|yo|yrs|yr|f)")
_RUN = re.compile(r"([^\W\d_])\1{2,}")
_WORD = re.compile(r"[^\W\d_]+")
_INNER_STARS = re.compile(r"(?<=[a-z])[*.\-_](?=[a-z])")

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()  # noqa: SIM905
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fourty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_NUMBERS = {word: n for n, word in enumerate(_UNITS)} | _TENS
# Ages and round sums in the languages that an inbox meets; accents are folded away before this is read.
_FOREIGN_NUMBERS = {
    "diez": 10, "doce": 12, "trece": 13, "catorce": 14, "quince": 15, "dieciseis": 16, "diecisiete": 17, "dieciocho": 18,
    "zehn": 10, "zwolf": 12, "dreizehn": 13, "vierzehn": 14, "funfzehn": 15, "sechzehn": 16, "siebzehn": 17, "achtzehn": 18,
    "dix": 10, "onze": 11, "douze": 12, "treize": 13, "quatorze": 14, "quinze": 15, "seize": 16,
    "quindici": 15, "sedici": 16, "diciassette": 17, "quattordici": 14, "tredici": 13, "diciotto": 18,
    "dezasseis": 16, "dezesseis": 16, "dezassete": 17, "dezessete": 17, "dezoito": 18,
    "тринадцать": 13, "четырнадцать": 14, "пятнадцать": 15, "шестнадцать": 16, "семнадцать": 17, "восемнадцать": 18,
    "cien": 100, "doscientos": 200, "trescientos": 300, "hundert": 100, "zweihundert": 200, "dreihundert": 300, "vierhundert": 400, "funfhundert": 500, "cuatrocientos": 400, "quinientos": 500, "quattrocento": 400, "cinquecento": 500, "quatrocentos": 400, "quinhentos": 500, "пятьсот": 500, "четыреста": 400,
    "cento": 100, "duecento": 200, "trecento": 300, "duzentos": 200, "trezentos": 300, "сто": 100, "двести": 200, "триста": 300,
}  # fmt: skip
_LARGEST = 1_000_000
_NUMBER_RUN = re.compile(
    r"\b(?:(?:%s|hundred|thousand|and)\b[\s-]*)+" % "|".join(sorted(_NUMBERS, key=len, reverse=True)), re.IGNORECASE
)
_FOREIGN_RUN = re.compile(r"\b(?:%s)\b" % "|".join(sorted(_FOREIGN_NUMBERS, key=len, reverse=True)))
_LETTER_O = re.compile(r"(?<=\d)o+(?=\d|\b)|\bo(?=\d)")
_LETTER_I = re.compile(r"\b[il](?=\d\b)")
_DIX_SEPT = re.compile(r"\bdix[\s-]+(sept|huit|neuf)\b")

# One edit away from one of these is read as that word. Long words only: short ones have too many honest neighbours.
KEYWORDS = frozenset(
    [
        "suicide",
        "suicidal",
        "underage",
        "underaged",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "teenager",
        "passport",
        "trafficked",
        "trafficking",
        "unsubscribe",
        "attorney",
        "lawsuit",
        "paypal",
        "cashapp",
        "bitcoin",
        "deposit",
        "payment",
        "donation",
        "dollars",
        "hundred",
        "thousand",
        "massage",
        "threaten",
        "highschool",
        "overdose",
        "whatsapp",
        "telegram",
        "venmo",
        "zelle",
        "prices",
        "robots",
        "robot",
        "chatbot",
        "minderjahrig",
        "lawyer",
        "police",
    ]
)
_HONEST = frozenset(
    [
        "prices",
        "prizes",
        "prides",
        "princes",
        "pricey",
        "priced",
        "message",
        "messages",
        "messaged",
        "passage",
        "massages",
        "massaged",
        "massager",
        "robots",
        "roots",
        "deposits",
        "payments",
        "donations",
        "policy",
        "polices",
        "lawyers",
        "layer",
        "lawyered",
        "attorneys",
        "sixteens",
        "teenagers",
        "passports",
        "thousands",
        "hundreds",
        "suicides",
        "postie",
        "dollar",
        "fifteenth",
        "sixteenth",
        "thirteenth",
        "fourteenth",
        "seventeenth",
        "eighteenth",
        "polite",
        "polices",
        "repot",
        "chatbots",
    ]
)


def _deletions(word: str) -> set[str]:
    return {word[:n] + word[n + 1 :] for n in range(len(word))}


def _neighbourhood() -> dict[str, str]:
    near: dict[str, str] = {}
    for word in sorted(KEYWORDS):
        for form in _deletions(word) | {word}:
            near.setdefault(form, word)
    return near


_NEAR = _neighbourhood()


def _edit_is_one(left: str, right: str) -> bool:
    """Say whether one insertion, deletion, substitution or swap of neighbours turns one word into the other."""
    if abs(len(left) - len(right)) > 1 or left == right:
        return left == right
    start = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    rest_left, rest_right = left[start:], right[start:]
    return (
        rest_left[1:] == rest_right
        or rest_left == rest_right[1:]
        or rest_left[1:] == rest_right[1:]
        or (rest_left[:2] == rest_right[:2][::-1] and rest_left[2:] == rest_right[2:])
    )


@lru_cache(maxsize=8192)
def _corrected(word: str) -> str:
    if len(word) < 4 or word in KEYWORDS or word in _HONEST or not word.isascii():  # noqa: PLR2004
        return word
    for form in (word, *sorted(_deletions(word))):
        keyword = _NEAR.get(form)
        if keyword is not None and word[0] == keyword[0] and _edit_is_one(word, keyword):
            return keyword
    return word


@lru_cache(maxsize=4096)
def _unfolded(char: str) -> str:
    """Return what a sign stands for: the Latin letter of a decorated one (🅂, 🇸), else its plain form (NFKC).

    One that unfolds into a phrase (ﷺ has 18) stays as it is: a few of them would bury what stands beside them.
    """
    name = unicodedata.name(char, "")
    if "LETTER" in name and ("SQUARED" in name or "CIRCLED" in name or "REGIONAL INDICATOR" in name):
        last = name.rsplit(" ", 1)[-1]
        if len(last) == 1:
            return last
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) <= _LONGEST_SIGN else char


def fold(text: str) -> str:
    """Fold case, width, accents, quotes and white space; drop invisible characters. Letters of other scripts stay."""
    if text.isascii():
        return " ".join(text.casefold().split())
    text = "".join(map(_unfolded, text)).casefold().translate(_PUNCTUATION)
    # Cyrillic keeps its marks: й without its breve is another letter.
    decomposed = "".join(
        c if "\u0400" <= c <= "\u04ff" else unicodedata.normalize("NFD", c) for c in text.replace("ё", "е")
    )
    kept = (c for c in decomposed if unicodedata.category(c) not in ("Mn", "Cf", "Cc", "Me") or c in "\n\t")
    return " ".join(unicodedata.normalize("NFC", "".join(kept)).split())


def _join(match: re.Match[str]) -> str:
    return "".join(char for char in match[0] if char.isalnum())


def _number(match: re.Match[str]) -> str:
    words = re.findall(r"[a-z]+", match[0].lower())
    tail = " " if match[0][-1:].isspace() else ""
    if all(word == "and" for word in words):
        return match[0]
    total, current, out = 0, 0, []
    last = 0
    for word in words:
        if word == "and":
            continue
        if word in ("hundred", "thousand") and current < _LARGEST:
            current = (current or 1) * (100 if word == "hundred" else 1000)
            if word == "thousand":
                total, current = total + current, 0
            last = 100
            continue
        if word in ("hundred", "thousand"):
            continue
        if total + current > _LARGEST:
            out.append(str(total + current))
            total = current = last = 0
        value = _NUMBERS[word]
        # "twenty one" adds; "four one five" is read out digit by digit.
        if last and not (last >= 20 and value < 10) and not (last == 100 and value < 100):  # noqa: PLR2004
            out.append(str(total + current))
            total = current = 0
        current += value
        last = value or 1
    out.append(str(total + current))
    lead = "and " if words[0] == "and" else ""
    trail = " and" if words[-1] == "and" and len(words) > 1 else ""
    return lead + " ".join(out) + trail + tail


def digits(text: str) -> str:
    """Return the text with number words as digits, and the letter o among digits as 0."""
    text = _NUMBER_RUN.sub(_number, text)
    text = _DIX_SEPT.sub(lambda m: {"sept": "17", "huit": "18", "neuf": "19"}[m[1]], text)
    text = _FOREIGN_RUN.sub(lambda m: str(_FOREIGN_NUMBERS[m[0]]), text)
    text = _LETTER_I.sub("1", text)
    return _LETTER_O.sub(lambda m: "0" * len(m[0]), text)


def _unleet(text: str, table: dict[int, str]) -> str:
    """Read the digits and signs of a word that also has letters as letters; a number stays, and so does an ordinal or a time."""

    def read(match: re.Match[str]) -> str:
        token = match[0]
        if token.isalpha() or not any(char.isalpha() for char in token) or _MEASURE.fullmatch(token):
            return token
        return token.translate(table)

    return _TOKEN.sub(read, text)


def windows(text: str) -> list[str]:
    """Cut a text into the windows in which it is read; they overlap, so that nothing hides at a cut."""
    if len(text) <= WINDOW_CHARS:
        return [text]
    return [text[at : at + WINDOW_CHARS] for at in range(0, len(text), WINDOW_CHARS - OVERLAP_CHARS)]


@lru_cache(maxsize=2048)
def readings(text: str) -> tuple[str, ...]:
    """Return the different ways to read a text (one window of it), the plainest first, each once."""
    plain = fold(text)
    folded = plain if plain.isascii() else plain.translate(_LOOKALIKES)
    joined = _RUN.sub(r"\1", _SPACED.sub(_join, folded))
    forms = [plain, folded, joined, _RUN.sub(r"\1\1", folded), _unleet(joined, _LEET), _unleet(joined, _LEET_L)]
    if _INNER_STARS.search(folded):
        forms.append(_INNER_STARS.sub("", folded))
    forms = list(dict.fromkeys(forms))
    corrected = [_WORD.sub(lambda m: _corrected(m[0]), form) for form in forms]
    numbered = [digits(form) for form in dict.fromkeys([*forms, *corrected])]
    return tuple(dict.fromkeys([*forms, *corrected, *numbered]))
