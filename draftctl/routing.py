"""Which workflow makes the reply of a cell (archetype x state x templateKey): the most specific, else by priority, never by order. Pure.

The table of decisions is looked up the same way, with archetype x state x the atoms that are known.

W beats V only if W's match set is a strict subset of V's. Of several that nothing beats, the highest `priority` wins; equal ones
are ambiguous. A broken file takes part with what can still be read of it: it holds its own cells and nobody else's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    """What was chosen and why; `winner` is None for none and for a tie (`tied` then names them)."""

    winner: Entry | None
    reason: Reason
    detail: str
    tied: tuple[Entry, ...] = ()
    candidates: tuple[Considered, ...] = ()


def choose(entries: Sequence[Entry], cell: Cell, *, what: str = "workflow") -> Choice:
    """Choose for one cell; the same whatever the order of the entries. `what` names them in the reason."""
    entries = sorted(entries, key=lambda entry: entry.id)
    matching = [entry for entry in entries if matches(entry.applies, cell)]
    beaten = {v.id: w.id for v in matching for w in matching if is_narrower(w.applies, v.applies)}
    left = [entry for entry in matching if entry.id not in beaten]
    best = [entry for entry in left if entry.priority == max(e.priority for e in left)]
    if len(best) == 1:
        beaten |= {entry.id: best[0].id for entry in left if entry is not best[0]}
    trace = tuple(
        Considered(id=entry.id, matched=entry in matching, beaten_by=beaten.get(entry.id)) for entry in entries
    )
    if not matching:
        return Choice(winner=None, reason="none", detail=f"none: no {what} applies here", candidates=trace)
    if len(best) > 1:
        names = ", ".join(entry.id for entry in best)
        detail = f"ambiguous: {names} apply equally; narrow one, add one for what they share, or give one a priority"
        return Choice(winner=None, reason="ambiguous", detail=detail, tied=tuple(best), candidates=trace)
    winner = best[0]
    if len(matching) == 1:
        return Choice(winner=winner, reason="only", detail=f"only {winner.id} applies", candidates=trace)
    if len(left) == 1:
        return Choice(
            winner=winner,
            reason="specific",
            detail=f"specific: {winner.id} is narrower than the others",
            candidates=trace,
        )
    detail = f"priority: {winner.id} has the highest priority ({winner.priority})"
    return Choice(winner=winner, reason="priority", detail=detail, candidates=trace)


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


def ambiguous_cells(
    entries: Sequence[Entry], archetypes: Iterable[str], states: Iterable[str], keys: Iterable[str]
) -> list[tuple[Cell, tuple[Entry, ...]]]:
    """Return the cells for which a tie would hold, with the workflows that tie."""
    cells = (Cell(archetype=a, state=s, template_key=k) for a, s, k in product(archetypes, states, keys))
    choices = ((cell, choose(entries, cell)) for cell in cells)
    return [(cell, choice.tied) for cell, choice in choices if choice.reason == "ambiguous"]
