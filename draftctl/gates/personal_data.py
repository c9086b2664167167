"""No phone, address, handle or link in a body: nobody's, hers included."""

import re

from draftctl.gates.base import NOTHING, Around, Gate, Side, rule, run_rules
from draftctl.gates.text import digits, readings

_STREET = r"(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|square|sq|terrace|way|parkway|pkwy|highway|hwy|circle|crescent|close|row|alley|quay|mews)"
_TLD = r"(?:com|net|org|io|me|co|uk|de|fr|es|it|br|ru|info|biz|app|link|ly|gg|tv|xyz|online|site|club|ca|au|us|eu|ch|at|nl|se|pl|pt|dev)"
_AT = r"(?:@|\(at\)|\[at\]| at |\bat\b| arroba | chiocciola | ät )"
_DOT = r"(?:\.|\(dot\)|\[dot\]| dot | punto | punkt | point | ponto )"

_RULES = (
    rule(
        "email",
        rf"[\w.+-]+ ?{_AT} ?[\w-]+ ?{_DOT} ?{_TLD}\b",
        r"(?:gmail|hotmail|outlook|yahoo|icloud|proton ?mail|gmx|web\.de|aol)(?:[\W_]+(?:com|dot))?",
        r"e ?-?mail (?:me|address|is)|my e ?-?mail",
    ),
    rule(
        "link",
        r"(?:https?|hxxps?|www)[:./]",
        rf"[a-z0-9-]{{2,}}\.{_TLD}(?:/\S*)?",
        rf"[a-z0-9-]{{2,}} dot {_TLD}",
        r"t\.me|wa\.me|bit\.ly|linktr\.?ee",
    ),
    rule("handle", r"@ ?[a-z_][\w.]{2,}", whole_words=False),
    rule(
        "elsewhere",
        r"(?:whats ?-?app|telegram|signal app|on signal|signal me|snap ?-?chat|my snap|instagram|my insta|on insta|my ig|kik|wechat|viber|line id|skype|discord|(?:on|my|via|add me on|through) facebook|facebook me|messenger|tik ?-?tok|onlyfans)",
        r"(?:insta|ig|snap|tg|kik|line)\s*:\s*\w+|ig [a-z]+_\w+|what'?s app|on twitter|my twitter|(?:my|add me on|find me on|follow me on|message me on|dm me on|hit me up on) (?:snap|insta|ig|twitter|x|tg|wa|fb|kik|discord|number is|cell is|phone number|new number|other number)",
        r"(?:call|text|reach|ring|phone) (?:me|my \w+) (?:on|at) (?:my (?:cell|other|new|number|phone)|this number|[+(]?\d)",
    ),
    rule(
        "address",
        rf"\d{{1,5}}[a-z]?\s+(?:[nsew]\.?\s+|north\s+|south\s+|east\s+|west\s+)?(?:[a-z]+\.?\s+){{1,3}}{_STREET}\b(?!\s+(?:o|of))",
        rf"\d{{1,5}}\s+(?:\d{{1,3}}(?:st|nd|rd|th))\s+{_STREET}\b",
        r"p\.? ?o\.? box \d+|\d{5} (?:berlin|hamburg|munchen|koln|wien|zurich|paris|madrid|roma|milano)|zip \d{5}",
        r"(?:apt|apartment|unit|suite|room|flat|appartement|wohnung|zimmer|piso|apto|habitacion|chambre|stanza|quarto|door code|gate code|buzzer|entry code|кв|квартира|номер комнаты) ?(?:#|no\.?|number|is|:)? ?\d+\w?",
        r"(?:\w+(?:strasse|str|gasse|platz|allee)|\w{3,} (?:strasse|str)|(?:rue|calle|via|rua|avenida|avenue|plaza|piazza|carrer|paseo|boulevard|viale|corso|ul|ulica|ulitsa|улица|ул|дом)\.?) (?:(?!(?:las|los|um|alle|at|as|a|from|bei|zu)\b)(?:[a-z]+|[а-я]+)\s+){0,4}\d{1,4}[a-z]?",
        r"\d{1,4}[,]? (?:rue|avenue|boulevard|place|quai)\s+(?:[a-z]+ ?){1,4}",
        r"(?:my address|i live (?:at|on) (?:\d|the corner)|come to \d|zip ?-?code|post ?-?code|plz \d|my place is (?:at|on)|i'?m (?:at|staying at) (?:the )?(?:\d+|hilton|marriott|hyatt|sheraton|ritz|motel|holiday inn|airbnb|westin|radisson|ibis)|[a-z]{1,2}\d{1,2}[a-z]? ?\d[a-z]{2})",
        unless=r"\d{1,2}(?::\d\d)? ?(?:am|pm|o'?clock|uhr)?(?: \w+){0,2} (?:way|place|close|drive|row|court|square)|\d+ (?:minutes?|mins?|hours?|miles?|blocks?|km|steps) (?:\w+ ){0,3}(?:away|drive|way|place|close)|(?:room|flat) for \d|the whole way|\d+ (?:\w+ ){1,3}(?:way|place|close|row|drive|court)(?! (?:apt|unit|\d))(?= (?:to|for|in|at|with|of|from|off|so|and then|by|on)\b)",
    ),
    rule(
        "document",
        r"(?:ssn|social security|passport (?:no|number)|driver'?s licen[cs]e (?:no|number)|iban|tax id|dni|personalausweis)\b.{0,12}\d",
        r"[a-z]{2}\d{2} ?(?:[a-z0-9]{4} ?){3,}",
        r"\d{3}-\d{2}-\d{4}",
        whole_words=False,
    ),
)

_DATE_OR_TIME = re.compile(
    r"(?:\b\d{1,2}(?:,| and| or| und| y| et| to| bis|-)\s*){1,6}\d{1,2}\.?\s+(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec)\b|\b\d{1,2}[:.h]\d{2}\b|\b(?:19|20)\d{2}-\d{1,2}-\d{1,2}\b|\b\d{1,2}[/.]\d{1,2}[/.](?:\d{2}|\d{4})\b|\b(?:19|20)\d{2}\b|\b\d{1,2}(?:st|nd|rd|th)\b"
)
_DIGIT = re.compile(r"\d")
_DIGIT_RUN = re.compile(r"\d(?:[\s().\-/+*_,|·•~x#:]{0,3}\d){6,}")
_SPELLED_GAP = re.compile(r"(?<=\d)[^\w]{1,4}(?:then|and|dash|space|minus|area code|zero)?[^\w]{0,3}(?=\d)")
_DIGIT_WORDS = {  # a number read out in another language
    word: str(n)
    for words in (
        "cero uno dos tres cuatro cinco seis siete ocho nueve",
        "null eins zwei drei vier funf sechs sieben acht neun",
        "zero un deux trois quatre cinq six sept huit neuf",
        "zero uno due tre quattro cinque sei sette otto nove",
        "zero um dois tres quatro cinco seis sete oito nove",
        "ноль один два три четыре пять шесть семь восемь девять",
    )
    for n, word in enumerate(words.split())
}
_DIGIT_WORD = re.compile(r"\b(?:%s)\b" % "|".join(sorted(_DIGIT_WORDS, key=len, reverse=True)))


_SAME = {"double": 2, "triple": 3}
_SAME_DIGIT = re.compile(r"\b(double|triple) (\d|[a-z]+)")
_OH = re.compile(r"(?<![a-z])oh(?![a-z])|(?<=\d)oh")


def _phone(text: str) -> bool:
    """Say whether seven or more digits follow one another, however they are written or spelled out."""
    for reading in readings(text):
        bare = _OH.sub(" 0 ", _DATE_OR_TIME.sub(" ; ", reading))
        bare = _SAME_DIGIT.sub(lambda m: " ".join([m[2]] * _SAME[m[1]]), bare)
        for form in {bare, digits(bare), _DIGIT_WORD.sub(lambda m: _DIGIT_WORDS[m[0]], bare)}:
            if _DIGIT.search(form) is None:
                continue  # what is spelled out is a digit in another of the forms
            if _DIGIT_RUN.search(_SPELLED_GAP.sub(" ", form)):
                return True
            letters_between = _OH.sub(" 0 ", re.sub(r"(?<=\d)(?=[a-z])|(?<=[a-z])(?=\d)", " ", form))
            if _DIGIT_RUN.search(digits(letters_between)):
                return True
    return False


def _check(text: str, _side: Side, _around: Around = NOTHING, /) -> str | None:
    return "phone" if _phone(text) else run_rules(_RULES, text)


GATE = Gate(
    name="personal_data",
    version=1,
    why="Nobody's phone, address, handle or link leaves in a text.",
    sides=frozenset({"body"}),
    check=_check,
)
