"""Who is in the training split and who in the test split: by a salted hash of the person, the same for ever. Pure.

A person's place depends on nothing but their id, the salt and the share, so rows that come later move nobody. Persons who turn out to
be one (they wrote in one thread) may stand on both sides: their rows are left out, for they would leak.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Literal

Side = Literal["train", "test"]
_BITS = 64


def in_training(person_id: str, *, salt: str, test_share: float) -> bool:
    """Say whether a person is in the training split: sha256(salt, person) as a fraction of its range, not below `test_share`."""
    digest = hashlib.sha256(f"{salt}\0{person_id}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[: _BITS // 8]) >= int(test_share * (1 << _BITS))


def thread_mark(thread_id: str, salt: str) -> str:
    """Return what stands for a thread in an export: a salted hash, 16 hex digits."""
    return hashlib.sha256(f"{salt}\0thread\0{thread_id}".encode(errors="surrogatepass")).hexdigest()[:16]


def groups(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return for every person of the pairs who stands for all that they are one with (the smallest id, over any number of links)."""
    parent: dict[str, str] = {}

    def root(person: str) -> str:
        parent.setdefault(person, person)
        while parent[person] != person:
            parent[person] = parent[parent[person]]
            person = parent[person]
        return person

    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    return {person: root(person) for person in parent}


def torn(group_of: dict[str, str], trains: Callable[[str], bool]) -> frozenset[str]:
    """Return the persons whose group stands on both sides of the split."""
    sides: dict[str, set[bool]] = {}
    for person, group in group_of.items():
        sides.setdefault(group, set()).add(trains(person))
    return frozenset(person for person, group in group_of.items() if len(sides[group]) > 1)
