"""Made-up candidates: one for any cell, so that a workflow can be rendered before anybody has written. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from draftctl.canon import Canon
from draftctl.jinja_check import compared_with_numbers, named_in
from draftctl.models import Candidate, Message
from draftctl.routing import Cell
from draftctl.vocab import Vocab
from draftctl.workflow import Workflow

TEXT = "Good evening, are you free one day this week?"
_ATOMS = {"name": "Alex", "day": "Friday", "time": "8 pm"}
_ATOM = "something"
_AT = "2026-01-01T12:00:00+00:00"


def cells_of(workflow: Workflow, canon: Canon, vocab: Vocab | None) -> Iterator[Cell]:
    """Yield the cells that a workflow is for, in the vocabulary's and the pastebin's own order; any stands for all of a list."""
    applies = workflow.applies
    keys = [note.key for key in applies.template_keys or () if (note := canon.find(key))]
    order = list(canon.notes)
    for archetype in _listed(applies.archetypes, vocab.archetypes if vocab else ()):
        for state in _listed(applies.states, vocab.states if vocab else ()):
            for key in sorted(keys, key=order.index) if applies.template_keys else order:
                yield Cell(archetype=archetype, state=state, template_key=key)


def _listed(chosen: Iterable[str] | None, every: Iterable[str]) -> list[str | None]:
    if chosen is None:
        return [*every] or [None]
    wanted = set(chosen)
    return [word for word in every if word in wanted] or [*sorted(wanted)]


def sample(cell: Cell, workflow: Workflow, canon: Canon, partials: Mapping[str, str], text: str = TEXT) -> Candidate:
    """Return a candidate of a cell who writes a text; every atom that the note or the workflow's texts name is there."""
    note = canon.find(cell.template_key or "")
    texts = [step.text for step in workflow.steps] + [partials[name] for name in workflow.partials]
    texts += [f"{{{{ {step.when} }}}}" for step in workflow.steps if step.when]
    named = [name for one in texts for name, _ in named_in(one, "atoms")]
    numbers = {name for one in texts for name in compared_with_numbers(one)}
    atoms: dict[str, Any] = {
        name: 1 if name in numbers else _ATOMS.get(name, _ATOM) for name in (*(note.atoms if note else ()), *named)
    }
    return Candidate(
        id="sample",
        thread_id="sample",
        person_id="sample",
        messages=(Message(role="prospect", text=text, at=_AT),),
        archetype=cell.archetype,
        state=cell.state,
        template_key=cell.template_key,
        received_at=_AT,
        atoms=atoms,
    )
