"""All workflows of one snapshot, read together: what lint reports and what a run goes by come from this one loader. Pure.

A file that is wrong is kept as broken, with its problems and what can still be read of it; the rest stands.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from draftctl.canon import Canon
from draftctl.control_tokens import find_control_token
from draftctl.errors import FileProblems, Problem
from draftctl.gates import GATES
from draftctl.rendering import included, named_in, prompt_problems
from draftctl.routing import Cell, Choice, Entry, ambiguous_cells, choose
from draftctl.vocab import Vocab
from draftctl.workflow import (
    ContextItem,
    MatchSet,
    Step,
    Workflow,
    parse_applies,
    parse_workflow,
    read_partials,
    stem,
    workflow_paths,
)
from draftctl.workflow_rules import CANDIDATE_FIELDS, THREAD_FIELDS
from draftctl.yamlfile import Document, did_you_mean

PARTIALS = "workflows/partials/"
_SHOWN_TIES = 3


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


def load_chains(files: Mapping[str, bytes], canon: Canon, vocab: Vocab | None) -> ChainSet:
    """Read every workflow among a snapshot's files (bytes by path)."""
    workflows: dict[str, Workflow] = {}
    broken: dict[str, Broken] = {}
    partials, partial_problems = _partials(files)
    for path in workflow_paths(files):
        try:
            workflow = _load(files[path], path, partials, partial_problems, canon, vocab)
            workflows[workflow.id] = workflow
        except FileProblems as error:
            broken[stem(path)] = _broken(files[path], path, error.problems, canon, vocab)
        except (RecursionError, SyntaxError, ValueError, OverflowError) as error:
            message = (
                f"this cannot be read ({type(error).__name__}): something in it is nested too deeply, or too large"
            )
            problem = Problem(path=path, line=1, column=1, message=message, rule="E-YAML")
            broken[stem(path)] = _broken(files[path], path, (problem,), canon, vocab)
    entries = [_entry(w.id, w.applies, w.priority, canon) for w in workflows.values()]
    entries += [
        replace(_entry(b.id, b.applies, b.priority, canon), broken=True)
        for b in broken.values()
        if b.applies is not None
    ]
    return ChainSet(workflows=workflows, broken=broken, partials=partials, entries=tuple(entries))


def _broken(content: bytes, path: str, problems: tuple[Problem, ...], canon: Canon, vocab: Vocab | None) -> Broken:
    applies, priority = parse_applies(content, path) or (None, 0)
    doubtful = applies is None or not _all_known(applies, canon, vocab)
    return Broken(id=stem(path), path=path, problems=problems, applies=applies, priority=priority, doubtful=doubtful)


def _all_known(applies: MatchSet, canon: Canon, vocab: Vocab | None) -> bool:
    keys = all(canon.find(key) for key in applies.template_keys or ())
    if vocab is None:
        return keys
    return (
        keys and (applies.archetypes or set()) <= {*vocab.archetypes} and (applies.states or set()) <= {*vocab.states}
    )


def _load(
    content: bytes,
    path: str,
    partials: Mapping[str, str],
    partial_problems: Mapping[str, Problem],
    canon: Canon,
    vocab: Vocab | None,
) -> Workflow:
    workflow = parse_workflow(content, path, partials)
    problems = [
        *_vocab_problems(workflow, vocab),
        *_reference_problems(workflow, canon, partials),
        *_context_problems(workflow, canon),
        *(partial_problems[name] for name in workflow.partials if name in partial_problems),
    ]
    if problems:
        raise FileProblems(problems)
    return workflow


def _partials(files: Mapping[str, bytes]) -> tuple[dict[str, str], dict[str, Problem]]:
    """Read the partials; the one that cannot be read is a problem of every workflow that includes it."""
    partials: dict[str, str] = {}
    problems: dict[str, Problem] = {}
    for path in sorted(path for path in files if path.startswith(PARTIALS)):
        try:
            partials |= read_partials({path: files[path]})
        except FileProblems as error:
            name = path.removeprefix(PARTIALS)
            partials[name] = ""
            problems[name] = error.problems[0]
    return partials, problems


def _entry(id_: str, applies: MatchSet, priority: int, canon: Canon) -> Entry:
    return Entry(id=id_, applies=resolved(applies, canon), priority=priority)


def resolved(applies: MatchSet, canon: Canon) -> MatchSet:
    """Return a match set whose template keys are the notes' own, whatever names or aliases were written."""
    keys = applies.template_keys
    found = None if keys is None else frozenset(note.key if (note := canon.find(key)) else key for key in keys)
    return replace(applies, template_keys=found)


def _vocab_problems(workflow: Workflow, vocab: Vocab | None) -> list[Problem]:
    if vocab is None:
        return []
    applies = workflow.document.data.get("appliesTo") or {}
    return [
        workflow.document.problem(("appliesTo", kind, n), unknown, "E-VOCAB")
        for kind in ("archetypes", "states")
        for n, word in enumerate(applies.get(kind) or ())
        if (unknown := vocab.unknown(kind, str(word)))
    ]


def _reference_problems(workflow: Workflow, canon: Canon, partials: Mapping[str, str]) -> list[Problem]:
    """Find what a workflow names and the workspace does not have: notes and gates; and control tokens in its texts."""
    problem = workflow.document.problem
    found = []
    applies = workflow.document.data.get("appliesTo") or {}
    for n, word in enumerate(applies.get("templateKeys") or ()):
        if canon.find(str(word)) is None:
            found.append(problem(("appliesTo", "templateKeys", n), canon.unknown(str(word)), "E-NOTE"))
    gates = [gate.name for gate in GATES]
    found += [
        problem(("steps", 0), f"workflows/partials/{name}:{line}: {canon.unknown(key)}", "E-NOTE")
        for name in workflow.partials
        for key, line in named_in(partials[name], "pastebin")
        if canon.find(key) is None
    ]
    for n, step in enumerate(workflow.steps):
        for m, name in enumerate(step.gates):
            if name not in gates:
                found.append(
                    problem(("steps", n, "check", m), f"'{name}' is no gate{did_you_mean(name, gates)}", "E-GATE")
                )
    return [*found, *text_problems(workflow.document, workflow.steps, canon)]


def text_problems(document: Document, steps: Sequence[Step], canon: Canon) -> list[Problem]:
    """Find the notes that the steps' texts name and nobody has, and what looks like a control token in them."""
    found = []
    for n, step in enumerate(steps):
        found += [
            document.problem_in_text(("steps", n, step.verb), line, canon.unknown(key), "E-NOTE")
            for key, line in named_in(step.text, "pastebin")
            if canon.find(key) is None
        ]
        token = find_control_token(step.text)
        if token:
            message = f"{token!r} looks like a model's control token; write it apart"
            found.append(document.problem(("steps", n, step.verb), message, "E-TOKEN"))
    return found


def _context_problems(workflow: Workflow, canon: Canon) -> list[Problem]:
    found = []
    for n, entry in enumerate(workflow.document.data.get("context") or ()):
        if not isinstance(entry, Mapping):
            continue
        for m, key in enumerate(entry.get("pastebin") or ()):
            if canon.find(str(key)) is None:
                found.append(
                    workflow.document.problem(("context", n, "pastebin", m), canon.unknown(str(key)), "E-NOTE")
                )
        for kind in ("voice", "rules", "safety"):
            path = text_path(ContextItem(kind=kind, name=str(entry.get(kind) or "")))
            if entry.get(kind) is not None and path not in canon.texts:
                found.append(workflow.document.problem(("context", n, kind), f"there is no {path}", "E-CONTEXT"))
    return found


def text_path(item: ContextItem) -> str:
    """Return the file that a voice, rules or safety entry reads."""
    return f"pastebin/{item.kind}{'-' + item.name if item.name else ''}.md"


def engine_matches(workflow: Workflow, engine_id: str) -> bool:
    """Say whether a workflow is bound to this engine: its id, or a glob that it meets."""
    return engine_is(workflow.engine, engine_id)


def engine_is(pattern: str, engine_id: str) -> bool:
    """Say whether an engine is the one that is named, or meets the glob."""
    return fnmatchcase(engine_id, pattern)


def tie_problems(chains: ChainSet, canon: Canon, vocab: Vocab) -> list[Problem]:
    """Report the ties of each workflow once, at the one that ties most: that is where something is to be changed."""
    by_tie: dict[tuple[str, ...], list[Cell]] = {}
    for cell, tied in ambiguous_cells(chains.entries, vocab.archetypes, vocab.states, canon.notes):
        by_tie.setdefault(tuple(entry.id for entry in tied), []).append(cell)
    often = Counter(id_ for ids in by_tie for id_ in ids if id_ in chains.workflows)
    by_workflow: dict[str, list[str]] = {}
    for ids, cells in sorted(by_tie.items()):
        mine = max((id_ for id_ in ids if id_ in often), key=lambda id_: (often[id_], id_), default=None)
        if mine is not None:
            others = ", ".join(id_ for id_ in ids if id_ != mine)
            more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
            by_workflow.setdefault(mine, []).append(
                f"{others} ({cells[0].archetype} x {cells[0].state} x {cells[0].template_key}{more})"
            )
    return [
        chains.workflows[id_].document.problem(
            ("appliesTo",),
            f"{id_} and others apply equally, so neither is used: {'; '.join(ties[:_SHOWN_TIES])}"
            + (f"; and {len(ties) - _SHOWN_TIES} more workflows" if len(ties) > _SHOWN_TIES else "")
            + ". Narrow it (list templateKeys too), or give it a `priority`",
            "E-AMBIG",
            at_key=True,
        )
        for id_, ties in by_workflow.items()
    ]


def partial_problems(chains: ChainSet) -> list[Problem]:
    """Report what is wrong in the partials themselves, also in those that nothing includes."""
    known = {"candidate": CANDIDATE_FIELDS, "thread": THREAD_FIELDS, "steps": None, "atoms": None, "pastebin": None}
    problems = []
    for name, text in chains.partials.items():
        lines = text.split("\n")
        for line, message in prompt_problems(text, known=known, partials=()):
            source = lines[line - 1] if line <= len(lines) else ""
            rule = "E-UNDEF" if "is not known here" in message else "E-JINJA"
            problems.append(
                Problem(path=PARTIALS + name, line=line, column=1, message=message, rule=rule, source=source)
            )
        token = find_control_token(text)
        if token:
            message = f"{token!r} looks like a model's control token; write it apart"
            problems.append(
                Problem(path=PARTIALS + name, line=1, column=1, message=message, rule="E-TOKEN", source=lines[0])
            )
    return problems


def unused_partials(chains: ChainSet) -> list[str]:
    """Return the partials that no workflow includes."""
    used = {name for w in chains.workflows.values() for step in w.steps for name in included(step.text)}
    return sorted(set(chains.partials) - used)


def sources(files: Mapping[str, bytes], chains: ChainSet) -> dict[str, str]:
    """Return each usable workflow's file as text, by id."""
    return {id_: files[workflow.path].decode() for id_, workflow in chains.workflows.items()}
