"""`workflows/decisions.yaml`: which move follows (a note, by its templateKey), and where the thread stands once it has been sent. Pure.

A decision is chosen as a workflow is: the narrowest wins, then `priority`, and a tie is an error here and a hold in a run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Annotated

from pydantic import ConfigDict, Field

from draftctl.canon import Canon
from draftctl.errors import FileProblems, Problem
from draftctl.file_model import Strict, validate
from draftctl.models import Mode
from draftctl.routing import Cell, Choice, Entry, choose
from draftctl.vocab import Vocab
from draftctl.workflow import MatchSet
from draftctl.yamlfile import Document, parse_yaml

DECISIONS = "workflows/decisions.yaml"
MAX_ATOMS = 8  # that may matter in one archetype and state: every combination of them is looked at
_SHOWN = 3


class _File(Strict):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


class SituationFile(_File):
    """When a decision is for a thread: an empty list means any; `atoms` must be known, `without` must not."""

    archetypes: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    atoms: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class DecisionFile(_File):
    """One decision as it is written."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")]
    applies_to: SituationFile = Field(default=SituationFile(), alias="appliesTo")
    template_key: str | None = Field(default=None, alias="templateKey")
    next: str | None = None
    mode: Mode | None = None
    priority: int = 0


class DecisionsFile(_File):
    """The whole of `workflows/decisions.yaml`."""

    decisions: tuple[DecisionFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision: the note's own key (None: a person answers), the state after it was sent (None: as it was), and the mode it asks for."""

    id: str
    template_key: str | None
    next_state: str | None
    mode: Mode | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cell of the table: a situation, and what is chosen for it."""

    cell: Cell
    choice: Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The table, read."""

    entries: tuple[Entry, ...]
    by_id: Mapping[str, Decision]
    document: Document
    seen: dict[Vocab, tuple["Row", ...]] = field(default_factory=dict, compare=False, repr=False)

    def choose(self, cell: Cell) -> Choice:
        """Choose for one situation; the winner's id names the decision."""
        return choose(self.entries, cell, what="decision")

    def rows(self, vocab: Vocab) -> tuple[Row, ...]:
        """Return every archetype and state with every combination of the atoms that matter there."""
        if vocab not in self.seen:
            self.seen[vocab] = tuple(self._rows(vocab))
        return self.seen[vocab]

    def _rows(self, vocab: Vocab) -> Iterator[Row]:
        for archetype in vocab.archetypes:
            for state in vocab.states:
                here = [entry for entry in self.entries if _is_for(entry.applies, archetype, state)]
                for atoms in _combinations(here):
                    cell = Cell(archetype=archetype, state=state, atoms=atoms)
                    yield Row(cell=cell, choice=choose(here, cell, what="decision"))


def _is_for(applies: MatchSet, archetype: str, state: str) -> bool:
    pairs = ((applies.archetypes, archetype), (applies.states, state))
    return all(words is None or word in words for words, word in pairs)


def _combinations(entries: list[Entry]) -> Iterator[frozenset[str]]:
    names = sorted({name for entry in entries for name in (*entry.applies.atoms, *entry.applies.without)})
    for n in range(len(names) + 1):
        yield from (frozenset(some) for some in combinations(names, n))


def parse_decisions(content: bytes, canon: Canon, vocab: Vocab) -> Decisions:
    """Read the table's bytes. Raises FileProblems with everything that is wrong in it, ties included."""
    table = read_decisions(content, canon, vocab)
    ties = list(_ties(table, vocab))
    if ties:
        raise FileProblems(ties)
    return table


def read_decisions(content: bytes, canon: Canon, vocab: Vocab) -> Decisions:
    """Read the table's bytes without looking for ties. Raises FileProblems."""
    document = parse_yaml(content, DECISIONS)
    file = validate(document, DecisionsFile)
    problems = list(_problems(document, file, canon, vocab))
    if problems:
        raise FileProblems(problems)
    return Decisions(
        entries=tuple(
            Entry(id=item.id, applies=_match_set(item.applies_to), priority=item.priority) for item in file.decisions
        ),
        by_id={item.id: _decision(item, canon, document.place(("decisions", n))[0] + 1) for n, item in enumerate(file.decisions)},
        document=document,
    )  # fmt: skip


def _match_set(file: SituationFile) -> MatchSet:
    return MatchSet(
        archetypes=frozenset(file.archetypes) or None,
        states=frozenset(file.states) or None,
        atoms=frozenset(file.atoms),
        without=frozenset(file.without),
    )


def _decision(file: DecisionFile, canon: Canon, line: int) -> Decision:
    note = canon.find(file.template_key) if file.template_key else None
    return Decision(
        id=file.id, template_key=note.key if note else None, next_state=file.next, mode=file.mode, line=line
    )


def _problems(document: Document, file: DecisionsFile, canon: Canon, vocab: Vocab) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for n, item in enumerate(file.decisions):
        here = ("decisions", n)
        if item.id in seen:
            message = f"'{item.id}' stands twice; the first is at line {seen[item.id]}"
            yield document.problem((*here, "id"), message, "E-DUP")
        seen.setdefault(item.id, document.place((*here, "id"))[0] + 1)
        if item.template_key is None:
            if item.mode != "hold":
                message = (
                    "a decision names a note (`templateKey`), or says `mode: hold` and leaves the answer to a person"
                )
                yield document.problem(here, message, "E-KEY")
        elif canon.find(item.template_key) is None:
            yield document.problem((*here, "templateKey"), canon.unknown(item.template_key), "E-NOTE")
        unknown = vocab.unknown("states", item.next) if item.next is not None else None
        if unknown:
            yield document.problem((*here, "next"), unknown, "E-VOCAB")
        yield from _situation_problems(document, item, (*here, "appliesTo"), vocab)


def _situation_problems(
    document: Document, item: DecisionFile, here: tuple[str | int, ...], vocab: Vocab
) -> Iterator[Problem]:
    for kind in ("archetypes", "states"):
        for m, word in enumerate(getattr(item.applies_to, kind)):
            unknown = vocab.unknown(kind, word)
            if unknown:
                yield document.problem((*here, kind, m), unknown, "E-VOCAB")
    for kind in ("archetypes", "states", "atoms", "without"):
        words = getattr(item.applies_to, kind)
        for m, word in enumerate(words):
            if word in words[:m]:
                yield document.problem((*here, kind, m), f"'{word}' stands twice", "E-DUP")
    for m, word in enumerate(item.applies_to.without):
        if word in item.applies_to.atoms:
            message = f"'{word}' must be known and must not, so this decision is for nobody"
            yield document.problem((*here, "without", m), message, "E-VALUE")


def _ties(table: Decisions, vocab: Vocab) -> Iterator[Problem]:
    """Report the ties of each decision once, at the one that stands last."""
    crowded = _crowded(table, vocab)
    if crowded is not None:
        yield crowded
        return
    tied: dict[str, dict[str, list[Cell]]] = {}
    for row in table.rows(vocab):
        if row.choice.reason == "ambiguous":
            ids = sorted((entry.id for entry in row.choice.tied), key=lambda id_: table.by_id[id_].line)
            tied.setdefault(ids[-1], {}).setdefault(", ".join(ids[:-1]), []).append(row.cell)
    order = list(table.by_id)
    for id_, others in tied.items():
        said = [f"{names} ({spell_cell(cells[0])}{f' and {len(cells) - 1} more' if len(cells) > 1 else ''})" for names, cells in others.items()]  # fmt: skip
        message = (
            f"{id_} and others apply equally, so neither is used: {'; '.join(said[:_SHOWN])}"
            ". Narrow it (archetypes, states, atoms), or give it a `priority`"
        )
        yield table.document.problem(("decisions", order.index(id_)), message, "E-AMBIG")


def _crowded(table: Decisions, vocab: Vocab) -> Problem | None:
    for archetype in vocab.archetypes:
        for state in vocab.states:
            here = [entry for entry in table.entries if _is_for(entry.applies, archetype, state)]
            names = {name for entry in here for name in (*entry.applies.atoms, *entry.applies.without)}
            if len(names) > MAX_ATOMS:
                message = f"{len(names)} atoms decide about {archetype} x {state}; at most {MAX_ATOMS} can be overseen"
                return table.document.problem(("decisions",), message, "E-ATOMS", at_key=True)
    return None


def spell_cell(cell: Cell) -> str:
    """Return a situation for a person: `pushy x new with name, day`."""
    known = f" with {', '.join(sorted(cell.atoms))}" if cell.atoms else ""
    return f"{cell.archetype or 'no archetype'} x {cell.state or 'no state'}{known}"


def warnings_of(table: Decisions, vocab: Vocab) -> list[Problem]:
    """Say which situations have no decision (they hold), and which decisions are for none."""
    gaps, used = [], set()
    for row in table.rows(vocab):
        if row.choice.reason == "none":
            gaps.append(row.cell)
        if row.choice.winner is not None:
            used.add(row.choice.winner.id)
    found = []
    if gaps:
        shown = "; ".join(spell_cell(cell) for cell in gaps[:_SHOWN])
        more = f"; and {len(gaps) - _SHOWN} more" if len(gaps) > _SHOWN else ""
        message = f"nothing is decided for {shown}{more}: such a message holds (`draftctl decisions matrix` shows all)"
        found.append(table.document.problem(("decisions",), message, "W-GAP", at_key=True))
    for n, id_ in enumerate(table.by_id):
        if id_ not in used:
            message = f"{id_} is never chosen: in every situation that it is for, another one wins"
            found.append(table.document.problem(("decisions", n), message, "W-UNREACHED"))
    return found
