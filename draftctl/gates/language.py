"""A reply is in the language that the person writes: a model that slips into another one has lost the thread.

Only a confident difference stops: another script, or words that only another language has. Short texts that could be anything pass.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from draftctl.gates.base import NOTHING, Around, Gate, Side
from draftctl.gates.text import fold

# Small words that are frequent in one of these languages and in none of the others (accents folded away).
_WORDS = {
    "English": "the and you your are is this that with have would which what when thank thanks for hello please will can not do me my so see good know like just how from was been it there here today tomorrow",
    "Spanish": "el los las una que por para con gracias hola estoy eres cuando donde como muy pero hoy manana puedo quieres usted tu mi te me es del este esta tambien dia vernos escribirme",
    "German": "der die das und ich du ist nicht ein eine mit fur dir danke hallo wann wie auch bin bist hast habe heute morgen mir dich mich sehr schon vielen freue schreiben tag dein deine welcher passt",
    "French": "le les des une je tu est et pour avec merci bonjour quand vous votre suis pas dans sur aujourd demain jour moi toi tres aussi ecrire quel quelle aimerais ca nous",
    "Italian": "il lo gli che per con grazie ciao sono sei quando dove come molto anche oggi domani giorno mi ti non una della scrivere quale piacerebbe vediamo tuo",
    "Portuguese": "os uma que para com obrigado obrigada ola estou voce quando onde muito mas hoje amanha dia posso nao seu sua em do da meu minha escrever qual gostaria",
    "Dutch": "het een en ik jij je is niet met voor dank bedankt hallo wanneer hoe ook ben bent vandaag morgen mij zeer schrijven dag jouw welke graag",
    "Polish": "i nie jest na ze dziekuje czesc kiedy jak bardzo dzis jutro dzien moge dla ciebie mnie prosze pisac ktory",
}
_OF = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_SHARED = frozenset(word for word, n in Counter(w for words in _OF.values() for w in words).items() if n > 1)
_ENOUGH = 2  # different words of one language; one alone may be a name, a greeting, a loan
_MAX_CHARS = 4000
_LETTERS = re.compile(r"[^\W\d_]+")
_FEW = 2  # letters of another script; one alone may be a sign (CJK) or a disguise that other gates read through
_ALIKE = {"HIRAGANA": "JAPANESE", "KATAKANA": "JAPANESE"}


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    name = unicodedata.name(char, "?").partition(" ")[0]
    return {"FULLWIDTH": "LATIN", "MATHEMATICAL": "LATIN", "MODIFIER": "LATIN", "FEMININE": "LATIN"}.get(
        name, _ALIKE.get(name, name)
    )


def _scripts(texts: Iterable[str]) -> Counter[str]:
    """Count the letters of each script."""
    found: Counter[str] = Counter()
    for text in texts:
        found += _scripts_in(text[:_MAX_CHARS])
    return found


@lru_cache(maxsize=1024)
def _scripts_in(text: str) -> Counter[str]:
    if text.isascii():
        letters = sum(map(str.isalpha, text))
        return Counter({"LATIN": letters} if letters else {})
    return Counter(_script(char) for word in _LETTERS.findall(text) for char in word)


@lru_cache(maxsize=1024)
def _languages(text: str) -> frozenset[str]:
    """Return the languages that a text surely has: enough words that only they have, and not far fewer than another's."""
    words = set(_LETTERS.findall(fold(text[:_MAX_CHARS])))
    own = {language: len((words & known) - _SHARED) for language, known in _OF.items()}
    every = {language: len(words & known) for language, known in _OF.items()}
    most = max(every.values())
    return frozenset(
        language for language, n in own.items() if n >= 1 and every[language] >= _ENOUGH and 2 * every[language] > most
    )


def _check(text: str, _side: Side, around: Around = NOTHING, /) -> str | None:
    theirs = _scripts(around.inbound)
    if not theirs:
        return None
    ours = _scripts([text])
    if any(n >= _FEW and script not in theirs and script.isalpha() for script, n in ours.items()):
        return "other-script"
    if ours and theirs.most_common(1)[0][0] != "LATIN" and ours.most_common(1)[0][0] == "LATIN":
        spoken = _languages(text)
        return "other-script" if spoken and not spoken & _heard(around.inbound) else None
    spoken, heard = _languages(text), _heard(around.inbound)
    return "other-language" if spoken and heard and not spoken & heard else None


def _heard(inbound: tuple[str, ...]) -> frozenset[str]:
    """Return every language that the person has written in: of each message, and of all together."""
    return frozenset().union(_languages(" ".join(inbound)), *(_languages(text) for text in inbound))


GATE = Gate(
    name="language",
    version=1,
    why="A reply is in the language that the person writes.",
    sides=frozenset({"body"}),
    check=_check,
    contextual=True,
)
