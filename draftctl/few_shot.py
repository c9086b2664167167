"""Which corrections a prompt shows as examples: the words to look for, the weight of each hit, and the choice. Pure.

The index says which corrections have which words; rare words count more (inverse document frequency, as in BM25). That is weighed
with how old a correction is, how much the person had to change, and whether the state is the same; hits that say the same are
passed over. One example per person, within a budget of characters.
"""

import heapq
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from draftctl.control_tokens import one_line

MAX_WORDS = 8
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

    `relevance` is what its words weigh, larger is better; `age_days` since the verdict; `edit_share` 0 to 1.
    """

    correction_id: int
    thread_id: str
    person_id: str
    inbound: str
    reply: str
    relevance: float
    age_days: float
    edit_share: float
    same_state: bool = False


Admit = Callable[[Hit], frozenset[str] | None]  # everybody who a hit may be from, or None: it may not be shown
_LOOKED_AT = 24  # hits that are compared with what is chosen already


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
    folded = text[:20_000].casefold()
    bare = folded if folded.isascii() else _bare(folded)
    return [word for word in _WORD.findall(bare.replace("\0", " ")) if len(word) <= _LONGEST_WORD and word.strip("_")]


def _bare(folded: str) -> str:
    """Return a text without diacritics and without half characters."""
    folded = unicodedata.normalize("NFD", folded)
    return "".join(c for c in folded if not unicodedata.combining(c) and not "\ud800" <= c <= "\udfff")


def match_query(scope: Sequence[str], words: Sequence[str]) -> str:
    """Return an FTS5 query: every word of the scope, and any of the others. Each is quoted, so nothing in a message is an operator."""
    parts = [f"scope : {_quoted(token)}" for token in scope]
    if words:
        parts.append("inbound : (" + " OR ".join(map(_quoted, words)) + ")")
    return " AND ".join(parts)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def relevances(lists: Sequence[Sequence[int]], *, among: int, most: int) -> dict[int, float]:
    """Return the most relevant of some rows, given for each word the rows that have it: a word weighs the more the fewer have it."""
    weighed: defaultdict[int, float] = defaultdict(float)
    for rows in lists:
        weight = math.log1p((among - len(rows) + 0.5) / (len(rows) + 0.5))
        for row in rows:
            weighed[row] += weight
    best = heapq.nlargest(most, weighed.items(), key=lambda item: (item[1], item[0]))
    return dict(best)


def choose(hits: Sequence[Hit], *, most: int, max_chars: int, admit: Admit) -> tuple[tuple[Hit, frozenset[str]], ...]:
    """Return the best hits with who each may be from: one per person, at most `max_chars` of replies in all, the best one last.

    `admit` is asked only of what would be chosen: it costs queries. Nearest to the answer, the last one counts most.
    """
    top = max((hit.relevance for hit in hits), default=0.0) or 1.0
    weights = {hit.correction_id: _weight(hit, top) for hit in hits}
    left = sorted(hits, key=lambda hit: (-weights[hit.correction_id], -hit.correction_id))
    words: dict[int, frozenset[str]] = {}
    chosen: list[tuple[Hit, frozenset[str]]] = []
    room, taken = max_chars, set[str]()
    while left and len(chosen) < most:
        near = left[:_LOOKED_AT]
        words |= {hit.correction_id: frozenset(_tokens(hit.reply)) for hit in near if hit.correction_id not in words}
        best = max(near, key=lambda hit: weights[hit.correction_id] - _likeness(words, hit, chosen))
        left.remove(best)
        persons = admit(best) if len(best.reply) <= room else None
        if persons is not None and not persons & taken:
            chosen.append((best, persons))
            room -= len(best.reply)
            taken |= persons
    return tuple(reversed(chosen))


def _weight(hit: Hit, top: float) -> float:
    recency = math.exp2(-max(hit.age_days, 0.0) / HALF_LIFE_DAYS)
    return hit.relevance / top + 0.5 * recency + 0.5 * hit.edit_share + 0.25 * hit.same_state


def _likeness(words: dict[int, frozenset[str]], hit: Hit, chosen: Sequence[tuple[Hit, frozenset[str]]]) -> float:
    """Return half of the largest share of words that a hit has in common with one that is chosen."""
    mine = words[hit.correction_id]
    others = (words[other.correction_id] for other, _ in chosen)
    shares = (len(mine & other) / (len(mine | other) or 1) for other in others)
    return max(shares, default=0.0) / 2.0


def example_text(inbound: str, reply: str) -> str:
    """Return an example as the prompt shows it: what somebody wrote, and the reply that a person let pass."""
    return f"them> {one_line(inbound)}\nus> {one_line(reply)}"
