"""Which workflow makes the reply of a cell (archetype x state x templateKey): the most specific, else by priority, never by order. Pure.

The table of decisions is looked up the same way, with archetype x state x the atoms that are known.

W beats V only if W's match set is a strict subset of V's. Of several that nothing beats, the highest `priority` wins; equal ones
are ambiguous. A broken file takes part with what can still be read of it: it holds its own cells and nobody else's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Literal

from draftctl.workflow import MatchSet

Reason = Literal["only", "specific", "priority", "ambiguous", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Who writes, where the thread stands, which note is the move (None where that is not known), and which atoms are there."""

    archetype: str | None
    state: str | None
    template_key: str | None = None
    atoms: frozenset[str] = frozenset()

    @property
    def spelled(self) -> str:
        """Return the cell for a person: `pushy x new x ①`."""
        return f"{self.archetype or 'no archetype'} x {self.state or 'no state'} x {self.template_key or 'no note'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One workflow or decision as the selection sees it; `template_keys` of the match set are the notes' keys, names and aliases resolved."""

    id: str
    applies: MatchSet
    priority: int = 0
    broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One workflow in the trace of a selection."""

    id: str
    matched: bool
    beaten_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen and why; `winner` is None for none and for a tie (`tied` then names them).

    `matching` are all that apply, `left` those of them that nothing narrower beats.
    """

    winner: Entry | None
    reason: Reason
    detail: str
    tied: tuple[Entry, ...] = ()
    candidates: tuple[Considered, ...] = ()
    matching: tuple[Entry, ...] = ()
    left: tuple[Entry, ...] = ()


def choose(entries: Sequence[Entry], cell: Cell, *, what: str = "workflow") -> Choice:
    """Choose for one cell; the same whatever the order of the entries. `what` names them in the reason."""
    entries = sorted(entries, key=lambda entry: entry.id)
    matching = [entry for entry in entries if matches(entry.applies, cell)]
    beaten = {v.id: w.id for v in matching for w in matching if is_narrower(w.applies, v.applies)}
    left = [entry for entry in matching if entry.id not in beaten]
    choice = _decide(matching, left, what)
    if choice.winner is not None:
        beaten |= {entry.id: choice.winner.id for entry in left if entry is not choice.winner}
    trace = tuple(
        Considered(id=entry.id, matched=entry in matching, beaten_by=beaten.get(entry.id)) for entry in entries
    )
    return replace(choice, candidates=trace)


def _decide(matching: Sequence[Entry], left: Sequence[Entry], what: str) -> Choice:
    """Choose among those that apply, of which `left` are beaten by nothing narrower."""
    if not matching:
        return Choice(winner=None, reason="none", detail=f"none: no {what} applies here")
    best = [entry for entry in left if entry.priority == max(e.priority for e in left)]
    if len(best) > 1:
        names = ", ".join(entry.id for entry in best)
        detail = f"ambiguous: {names} apply equally; narrow one, add one for what they share, or give one a priority"
        return Choice(
            winner=None, reason="ambiguous", detail=detail, tied=tuple(best), matching=tuple(matching), left=tuple(left)
        )
    winner = best[0]
    if len(matching) == 1:
        reason: Reason = "only"
        detail = f"only {winner.id} applies"
    elif len(left) == 1:
        reason, detail = "specific", f"specific: {winner.id} is narrower than the others"
    else:
        reason, detail = "priority", f"priority: {winner.id} has the highest priority ({winner.priority})"
    return Choice(winner=winner, reason=reason, detail=detail, matching=tuple(matching), left=tuple(left))


def matches(applies: MatchSet, cell: Cell) -> bool:
    """Say whether a match set has a cell."""
    pairs = (
        (applies.archetypes, cell.archetype),
        (applies.states, cell.state),
        (applies.template_keys, cell.template_key),
    )
    named = all(words is None or word in words for words, word in pairs)
    return named and applies.atoms <= cell.atoms and not applies.without & cell.atoms


def is_narrower(one: MatchSet, other: MatchSet) -> bool:
    """Say whether a match set is a strict subset of another."""
    within = all(_within(a, b) for a, b in zip(_sets(one), _sets(other), strict=True))
    return one != other and within and one.atoms >= other.atoms and one.without >= other.without


def _sets(applies: MatchSet) -> tuple[frozenset[str] | None, ...]:
    return applies.archetypes, applies.states, applies.template_keys


def _within(one: frozenset[str] | None, other: frozenset[str] | None) -> bool:
    return other is None or (one is not None and one <= other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Every cell of a vocabulary and a pastebin, with what is chosen for it: what `workflow matrix` shows and the rules go by."""

    archetypes: tuple[str, ...]
    states: tuple[str, ...]
    template_keys: tuple[str, ...]
    choices: Mapping[Cell, Choice]

    @classmethod
    def of(
        cls, entries: Iterable[Entry], archetypes: Iterable[str], states: Iterable[str], template_keys: Iterable[str]
    ) -> "Grid":
        """Choose for every cell. Cells to which the same entries apply are decided once: 200 entries and 2,400 cells cost tens of milliseconds."""
        entries = sorted(entries, key=lambda entry: entry.id)
        axes = tuple(archetypes), tuple(states), tuple(template_keys)
        masks = [
            {word: _mask(entries, n, word) for word in axis} for n, axis in enumerate(axes)
        ]  # the entries that a word leaves, as bits

        @cache
        def narrower(m: int, n: int) -> bool:
            return is_narrower(entries[m].applies, entries[n].applies)

        @cache
        def decide(mask: int) -> Choice:
            here = [n for n in range(len(entries)) if mask >> n & 1]
            left = [entries[n] for n in here if not any(narrower(m, n) for m in here)]
            return _decide([entries[n] for n in here], left, "workflow")

        choices = {
            Cell(archetype=a, state=s, template_key=k): decide(masks[0][a] & masks[1][s] & masks[2][k])
            for a, s, k in product(*axes)
        }
        return cls(archetypes=axes[0], states=axes[1], template_keys=axes[2], choices=choices)

    def where(self, reason: Reason) -> list[Cell]:
        """Return the cells that were decided for this reason."""
        return [cell for cell, choice in self.choices.items() if choice.reason == reason]


def _mask(entries: Sequence[Entry], axis: int, word: str) -> int:
    chosen = [_sets(entry.applies)[axis] for entry in entries]
    return sum(1 << n for n, words in enumerate(chosen) if words is None or word in words)
