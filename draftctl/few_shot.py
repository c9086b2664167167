"""Which corrections a prompt shows as examples: the words to look for, the weight of each hit, and the choice. Pure.

The index gives relevance (BM25); here it is weighed with how old a correction is, how much the person had to change, and
whether the state is the same, and hits that say the same are passed over. One example per person, within a budget of characters.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from draftctl.control_tokens import one_line

MAX_WORDS = 14
HALF_LIFE_DAYS = 30.0
_LONGEST_WORD = 40
_WORD = re.compile(r"\w+")
# Words that say nothing about what is asked; SQLite's BM25 weighs them next to nothing, and looking them up costs most of the time.
_COMMON = frozenset(
    "a about all am an and any are as at be been but by can could did do does for from get go good had has have he her here hey hi him his "  # noqa: SIM905
    "how i if im in is it its just know like ll let me my no not now of ok on one or our out re she so some that the them then there they "
    "this to too up us ve was we were what when where which who will with would yes you your".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One correction that the index found: what was written, what was right, and what it is weighed by.

    `relevance` is BM25, larger is better; `age_days` since the verdict; `edit_share` 0 to 1; `persons` everybody who it may be from.
    """

    correction_id: int
    thread_id: str
    persons: frozenset[str]
    inbound: str
    reply: str
    relevance: float
    age_days: float
    edit_share: float
    same_state: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One example as it stands in a prompt, and whose thread it must not be shown in."""

    correction_id: int
    text: str
    thread_id: str
    persons: frozenset[str] = field(default_factory=frozenset)


def words_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the words to look for, as the index writes them: those that most of the texts share first, common ones left out."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(set(_tokens(text)) - _COMMON)
    ranked = sorted(counts, key=lambda word: (-counts[word], -len(word), word))
    return tuple(ranked[:MAX_WORDS])


def _tokens(text: str) -> list[str]:
    """Split a text as FTS5's unicode61 does, near enough: folded case, no diacritics, letters and digits."""
    folded = unicodedata.normalize("NFD", text[:20_000].casefold())
    bare = "".join(c for c in folded if not unicodedata.combining(c) and not "\ud800" <= c <= "\udfff" and c != "\0")
    return [word for word in _WORD.findall(bare) if len(word) <= _LONGEST_WORD and word.strip("_")]


def match_query(scope: Sequence[str], words: Sequence[str]) -> str:
    """Return an FTS5 query: every word of the scope, and any of the others. Each is quoted, so nothing in a message is an operator."""
    parts = [f"scope : {_quoted(token)}" for token in scope]
    if words:
        parts.append("{inbound body} : (" + " OR ".join(map(_quoted, words)) + ")")
    return " AND ".join(parts)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def choose(hits: Sequence[Hit], *, most: int, max_chars: int) -> tuple[Hit, ...]:
    """Return the best hits, one per person and at most `max_chars` of replies in all, the best one last (nearest to the answer)."""
    top = max((hit.relevance for hit in hits), default=0.0) or 1.0
    weights = {hit.correction_id: _weight(hit, top) for hit in hits}
    words = {hit.correction_id: frozenset(_tokens(hit.reply)) for hit in hits}
    left = sorted(hits, key=lambda hit: (-weights[hit.correction_id], -hit.correction_id))
    chosen: list[Hit] = []
    room, persons = max_chars, set[str]()
    while left and len(chosen) < most:
        best = max(left, key=lambda hit: weights[hit.correction_id] - _likeness(words, hit, chosen))
        left.remove(best)
        if len(best.reply) <= room and not best.persons & persons:
            chosen.append(best)
            room -= len(best.reply)
            persons |= best.persons
    return tuple(reversed(chosen))


def _weight(hit: Hit, top: float) -> float:
    recency = math.exp2(-max(hit.age_days, 0.0) / HALF_LIFE_DAYS)
    return hit.relevance / top + 0.5 * recency + 0.5 * hit.edit_share + 0.25 * hit.same_state


def _likeness(words: dict[int, frozenset[str]], hit: Hit, chosen: Sequence[Hit]) -> float:
    """Return half of the largest share of words that a hit has in common with one that is chosen."""
    mine = words[hit.correction_id]
    shares = (
        len(mine & words[other.correction_id]) / (len(mine | words[other.correction_id]) or 1) for other in chosen
    )
    return max(shares, default=0.0) / 2.0


def example_text(inbound: str, reply: str) -> str:
    """Return an example as the prompt shows it: what somebody wrote, and the reply that a person let pass."""
    return f"them> {one_line(inbound)}\nus> {one_line(reply)}"
