"""What is wrong, or will be, in a workspace: the parsers' errors, and the checks that need it all. Pure."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from draftctl.canon import NOTES, Canon, parse_canon, spell
from draftctl.chainset import ChainSet, engine_matches, load_chains, partial_problems, tie_problems, unused_partials
from draftctl.classifier import CLASSIFY, parse_classifier
from draftctl.classifier import warnings_of as classifier_warnings
from draftctl.decisions import DECISIONS, parse_decisions
from draftctl.decisions import warnings_of as decision_warnings
from draftctl.errors import FileProblems, Problem
from draftctl.manifest import engine_ids, parse_manifest
from draftctl.rendering import render_note
from draftctl.screening import body_hits
from draftctl.vocab import VOCAB, Vocab, parse_vocab
from draftctl.workflow import Workflow, has_limit, parse_workflow, read_partials, workflow_paths
from draftctl.workflowlock import LOCK, locked_otherwise, read_lock
from draftctl.yamlfile import parse_yaml

_SAMPLE = "Alex"


def lint_pastebin(files: Mapping[str, bytes]) -> list[Problem]:
    """Return every problem, in the order of path and place; none means that every note may leave as it stands."""
    problems: list[Problem] = []
    try:
        problems += _unsendable(
            parse_canon({path: files[path] for path in files if path.startswith("pastebin/")}), files[NOTES]
        )
    except FileProblems as error:
        problems += error.problems
    try:
        parse_vocab(files.get(VOCAB))
    except FileProblems as error:
        problems += error.problems
    return sorted(problems, key=lambda problem: (problem.path, problem.line, problem.column))


def lint_workspace(files: Mapping[str, bytes]) -> list[Problem]:
    """Return every problem of the pastebin, the vocabulary, the manifests, the workflows, their partials and their lock."""
    problems = lint_pastebin(files)
    for path in sorted(files):
        if path.startswith("engines/") and path.endswith(".yaml"):
            problems += _problems_of(partial(parse_manifest, files[path], path))
    for path in sorted(files):
        problems += _problems_of(partial(read_partials, {path: files[path]}))
        if path.startswith("workflows/experiments/"):
            problems += _problems_of(partial(parse_yaml, files[path], path))
            message = "experiments are read, and not yet run"
            problems.append(_warning(Problem(path=path, line=1, column=1, message=message, rule="W-EXPERIMENT")))
    try:
        canon = parse_canon({path: content for path, content in files.items() if path.startswith("pastebin/")})
    except FileProblems:
        return _in_order(problems)  # what a workflow names cannot be looked up before this is right
    try:
        vocab = parse_vocab(files.get(VOCAB))
    except FileProblems:
        vocab = None
    chains = load_chains(files, canon, vocab)
    for broken in chains.broken.values():
        problems += broken.problems
    problems += partial_problems(chains)
    problems += tie_problems(chains, canon, vocab) if vocab else []
    problems += _lock_problems(files, chains)
    problems += _warnings(chains, engine_ids(files))
    problems += _stage_problems(files, canon, vocab, chains) if vocab else []
    return _in_order(problems)


def _stage_problems(files: Mapping[str, bytes], canon: Canon, vocab: Vocab, chains: ChainSet) -> list[Problem]:
    """Report what is wrong with the classifier's rules and the table of decisions, and what their gaps will hold."""
    found: list[Problem] = []
    if CLASSIFY in files:
        try:
            classifier = parse_classifier(files[CLASSIFY], canon, vocab, chains.partials)
            found += map(_warning, classifier_warnings(classifier, engine_ids(files)))
        except FileProblems as error:
            found += error.problems
    if DECISIONS in files:
        try:
            found += map(_warning, decision_warnings(parse_decisions(files[DECISIONS], canon, vocab), vocab))
        except FileProblems as error:
            found += error.problems
    return found


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.path, problem.line, problem.column))


def _problems_of(parse: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        parse()
    except FileProblems as error:
        return error.problems
    return ()


def _lock_problems(files: Mapping[str, bytes], chains: ChainSet) -> list[Problem]:
    try:
        locked = read_lock(files.get(LOCK))
    except FileProblems as error:
        return list(error.problems)
    otherwise = locked_otherwise(chains.workflows.values(), locked)
    problems = [
        chains.workflows[id_].document.problem(("version",), detail, "E-VERSION-LOCK")
        for id_, detail in otherwise.items()
    ]
    for workflow in chains.workflows.values():
        if (workflow.id, workflow.version) not in locked:
            message = f"version {workflow.version} is not in {LOCK} yet; `draftctl workflow lock` adds it"
            problems.append(_warning(workflow.document.problem(("version",), message, "W-LOCK")))
    return problems


def _warning(problem: Problem) -> Problem:
    return replace(problem, severity="warning")


def reused_against(files: Mapping[str, bytes], before: Mapping[str, bytes], ref: str) -> list[Problem]:
    """Report each workflow that says something else than at another commit (`ref`), under the same version.

    Each file is read by itself: what it names need not be there any more.
    """
    earlier = _readable(before)
    return [
        workflow.document.problem(
            ("version",),
            f"version {workflow.version} has other content than in {ref}; `draftctl workflow bump {workflow.id}`",
            "E-VERSION-REUSED",
        )
        for workflow in _readable(files).values()
        if (old := earlier.get(workflow.id)) is not None
        and old.version == workflow.version
        and old.semantic_hash != workflow.semantic_hash
    ]


def _readable(files: Mapping[str, bytes]) -> dict[str, Workflow]:
    found = {}
    partials: dict[str, str] = {}
    for path in files:
        with contextlib.suppress(FileProblems):
            partials |= read_partials({path: files[path]})
    for path in workflow_paths(files):
        try:
            workflow = parse_workflow(files[path], path, partials)
            found[workflow.id] = workflow
        except (FileProblems, RecursionError, SyntaxError, ValueError):
            continue  # lint says of the present one what is wrong; an earlier one that nobody could read was never used
    return found


def _warnings(chains: ChainSet, engines: list[str]) -> list[Problem]:
    later = {
        "tests": ("tests are read, and not yet run", "W-TESTS"),
    }
    found = [
        _warning(workflow.document.problem((key,), message, rule, at_key=True))
        for workflow in chains.workflows.values()
        for key, (message, rule) in later.items()
        if workflow.document.data.get(key)
    ]
    for workflow in chains.workflows.values():
        draft = workflow.steps[workflow.draft]
        written = workflow.document.data["steps"][workflow.draft]
        if "max_chars" not in written and not has_limit(draft.text):
            message = f"no limit is written (<=320 chars), so {draft.max_chars} characters are allowed"
            found.append(_warning(workflow.document.problem(("steps", workflow.draft, "draft"), message, "W-MAXCHARS")))
        if engines and not any(engine_matches(workflow, engine) for engine in engines):
            message = f"no manifest in engines/ is a build that {workflow.engine} means"
            found.append(_warning(workflow.document.problem(("engine",), message, "W-ENGINE")))
    found += [
        Problem(
            path=f"workflows/partials/{name}",
            line=1,
            column=1,
            message="no workflow includes this",
            rule="W-UNUSED",
            severity="warning",
        )
        for name in unused_partials(chains)
    ]
    return found


def _unsendable(canon: Canon, content: bytes) -> list[Problem]:
    """Find the notes that no candidate could ever get: a gate stops their text, or it is too long."""
    document = parse_yaml(content, NOTES)
    problems = []
    for key, note in canon.notes.items():
        text = render_note(note.text, dict.fromkeys(note.atoms, _SAMPLE))
        path = ("notes", key, "text")
        for gate, rule in body_hits(text, canon):
            problems.append(
                document.problem(path, f"note {key} never leaves: gate {gate} stops it (rule {rule})", "E-GATE")
            )
        if len(text) > note.max_chars:
            problems.append(
                document.problem(
                    path, f"note {key} has {len(text)} characters; its max_chars is {note.max_chars}", "E-LENGTH"
                )
            )
    for alias, key in canon.aliases.items():
        if key not in canon.notes:
            message = f"the alias {alias} points at {spell(key)}, which is not a note yet"
            problems.append(replace(document.problem(("aliases", alias), message, "W-ALIAS"), severity="warning"))
    return problems
