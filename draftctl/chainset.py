"""All workflows of one snapshot, read together: those that can be used, the broken ones, the partials. Pure; `loading` fills it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from draftctl.canon import Canon
from draftctl.errors import Problem
from draftctl.jinja_check import included
from draftctl.routing import Cell, Choice, Entry, choose
from draftctl.workflow import (
    ContextItem,
    MatchSet,
    Workflow,
)

PARTIALS = "workflows/partials/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A workflow file that cannot be used: its id (the file's stem), its problems, and for whom it would be (None: unreadable).

    `doubtful` says that this cannot be relied on: it cannot be read, or names what the workspace does not have.
    """

    id: str
    path: str
    problems: tuple[Problem, ...]
    applies: MatchSet | None
    priority: int = 0
    doubtful: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSet:
    """The workflows that can be used, the broken ones, and the partials, frozen for one run."""

    workflows: Mapping[str, Workflow]
    broken: Mapping[str, Broken]
    partials: Mapping[str, str]
    entries: tuple[Entry, ...]

    def choose(self, cell: Cell) -> Choice:
        """Choose the workflow of a cell."""
        return choose(self.entries, cell)

    def with_last_known(self, known: Mapping[str, MatchSet]) -> "ChainSet":
        """Let a broken file also hold the cells that its id was last known for, where what it says now cannot be relied on."""
        doubtful = {b.id for b in self.broken.values() if b.id in known and b.doubtful}
        entries = [
            replace(entry, applies=_either(entry.applies, known[entry.id])) if entry.id in doubtful else entry
            for entry in self.entries
        ]
        there = {entry.id for entry in entries}
        entries += [Entry(id=id_, applies=known[id_], broken=True) for id_ in sorted(doubtful - there)]
        return replace(self, entries=tuple(entries))


def _either(one: MatchSet, other: MatchSet) -> MatchSet:
    """Return a match set that has every cell of both."""
    pairs = (
        (one.archetypes, other.archetypes),
        (one.states, other.states),
        (one.template_keys, other.template_keys),
    )
    archetypes, states, keys = (None if a is None or b is None else a | b for a, b in pairs)
    return MatchSet(archetypes=archetypes, states=states, template_keys=keys)


def resolved(applies: MatchSet, canon: Canon) -> MatchSet:
    """Return a match set whose template keys are the notes' own, whatever names or aliases were written."""
    keys = applies.template_keys
    found = None if keys is None else frozenset(note.key if (note := canon.find(key)) else key for key in keys)
    return replace(applies, template_keys=found)


def text_path(item: ContextItem) -> str:
    """Return the file that a voice, rules or safety entry reads."""
    return f"pastebin/{item.kind}{'-' + item.name if item.name else ''}.md"


def engine_matches(workflow: Workflow, engine_id: str) -> bool:
    """Say whether a workflow is bound to this engine: its id, or a glob that it meets."""
    return engine_is(workflow.engine, engine_id)


def engine_is(pattern: str, engine_id: str) -> bool:
    """Say whether an engine is the one that is named, or meets the glob."""
    return fnmatchcase(engine_id, pattern)


def unused_partials(chains: ChainSet) -> list[str]:
    """Return the partials that no workflow includes."""
    used = {name for w in chains.workflows.values() for step in w.steps for name in included(step.text)}
    return sorted(set(chains.partials) - used)


def sources(files: Mapping[str, bytes], chains: ChainSet) -> dict[str, str]:
    """Return each usable workflow's file as text, by id."""
    return {id_: files[workflow.path].decode() for id_, workflow in chains.workflows.items()}
