"""Which corrections an export takes: why one is left out, and in which split one is. Pure, but for what it is told of everybody."""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from draftctl.engine_id import TEMPLATE
from draftctl.exports.base import Format
from draftctl.split import torn
from draftctl.store.export_rows import Population

TRAIN, TEST = 0, 1
_TEMPLATE = TEMPLATE + "\x1f"


class Sorter:
    """Says of each correction in which split it is, or why it is in none."""

    def __init__(self, people: Population, format_: Format, trains: Callable[[str], bool], *, raw: bool) -> None:
        self._people = people
        self._format = format_
        self._trains = trains
        self._raw = raw
        self._torn = torn(people.group_of, trains)
        self._last: tuple[str, int | str] = ("", TRAIN)

    def place(
        self,
        id_: int,
        person: str,
        verdict: str,
        model_fault: int,
        stopped_by: str | None,
        erased_at: str | None,
        residual: str | None,
        source: str,
    ) -> int | str:
        """Return TRAIN, TEST, or the reason why a correction is left out; the arguments are the first fields of a Row."""
        if verdict == "undone":
            return "undone"
        if self._people.is_withdrawn(id_):
            return "superseded"
        if erased_at:
            return "erased"
        if stopped_by and stopped_by.startswith("gate:"):
            return "breaks_rule"
        if residual and not self._raw:
            return "residual_personal_data"
        if self._format.pairs and source.startswith(_TEMPLATE):
            return "template"
        if verdict == "rejected" and not model_fault:
            return "not_model_fault"
        if verdict not in self._format.verdicts:
            return "rejected" if verdict == "rejected" else "no_pair"
        return self._place_of(person)

    def leak(self, shown: frozenset[str]) -> tuple[bool, bool]:
        """Say of the persons whose corrections a prompt shows: whether one may be in no export, and whether one is of the test split."""
        places = [self._place_of(person) for person in shown]
        return any(isinstance(place, str) for place in places), TEST in places

    def _place_of(self, person: str) -> int | str:
        """Return where a person is; corrections of one person often follow one another."""
        if person != self._last[0]:
            place: int | str = TRAIN if self._trains(person) else TEST
            if person in self._people.flagged:
                place = "flagged_person"
            elif person in self._torn:
                place = "split_by_merge"
            self._last = (person, place)
        return self._last[1]


@dataclass(slots=True)
class Duplicates:
    """Finds the training rows that say what a test row says: each correction's keys, and the size of its rows.

    Plain arrays: a million corrections take 30 MB.
    """

    with_originals: bool = False
    tests: set[int] = field(default_factory=set)
    finals: "array[int]" = field(default_factory=lambda: array("q"))
    originals: "array[int]" = field(default_factory=lambda: array("q"))
    sizes: "array[int]" = field(default_factory=lambda: array("I"))
    ids: "array[int]" = field(default_factory=lambda: array("I"))
    kinds: "array[int]" = field(default_factory=lambda: array("H"))

    def note_test(self, final: int, original: int) -> None:
        """Note the keys of a test row (0: none)."""
        self.tests.update((final, original))

    def note_train(self, id_: int, kind: int, final: int, original: int, size: int) -> None:
        """Note a training correction: its id and the number of its kind, its keys, and how many bytes its rows take."""
        self.ids.append(id_)
        self.kinds.append(kind)
        self.finals.append(final)
        if self.with_originals:
            self.originals.append(original)
        self.sizes.append(size)

    def found(self) -> Iterator[int]:
        """Yield the place, in the order of training, of each correction that has to go."""
        tests = self.tests
        tests.discard(0)
        keys = zip(self.finals, self.originals if self.with_originals else self.finals, strict=True)
        if tests:
            yield from (n for n, (final, original) in enumerate(keys) if final in tests or original in tests)
