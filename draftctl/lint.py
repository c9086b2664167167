"""What is wrong, or will be, in a workspace: what its readers refuse, and what the rules find. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from draftctl.canon import NOTES, Canon, parse_canon, spell
from draftctl.chainset import ChainSet
from draftctl.classifier import CLASSIFY, parse_classifier
from draftctl.classifier import warnings_of as classifier_warnings
from draftctl.decisions import DECISIONS, parse_decisions
from draftctl.decisions import warnings_of as decision_warnings
from draftctl.errors import FileProblems, Problem
from draftctl.experiment_file import is_experiment, read_experiment
from draftctl.loading import load_chains, parse_workflow, read_all_partials, readable
from draftctl.manifest import engine_ids, manifest_path, parse_manifest
from draftctl.rendering import render_note
from draftctl.rules import RULES
from draftctl.rules.base import Whole
from draftctl.screening import body_hits
from draftctl.vocab import VOCAB, Vocab, parse_vocab
from draftctl.workflow import read_partials, workflow_paths
from draftctl.workflowlock import LOCK, read_lock
from draftctl.yamlfile import MAX_PROBLEMS, parse_yaml

_SAMPLE = "Alex"
Parsed = TypeVar("Parsed")


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
    return _in_order(problems)


def lint_workspace(
    files: Mapping[str, bytes], *, before: Mapping[str, bytes] | None = None, ref: str = ""
) -> list[Problem]:
    """Return every problem of the pastebin, the vocabulary, the manifests, the workflows and all that belongs to them.

    With another commit's files (`before`, of `ref`) a version that says something else there is one too.
    """
    problems = lint_pastebin(files)
    keep = partial(_tried, problems)
    manifests = {
        id_: keep(partial(parse_manifest, files[manifest_path(id_)], manifest_path(id_))) for id_ in engine_ids(files)
    }
    for path in sorted(files):
        keep(partial(read_partials, {path: files[path]}))
    experiments = [keep(partial(read_experiment, files[path], path)) for path in sorted(filter(is_experiment, files))]
    canon = _tried([], lambda: parse_canon({p: files[p] for p in files if p.startswith("pastebin/")}))
    vocab = _tried([], lambda: parse_vocab(files.get(VOCAB)))
    if canon is None:  # which notes there are cannot be said before this is right; the rest can
        keep(lambda: read_lock(files.get(LOCK)))
        texts = read_all_partials(files)[0]
        for path in workflow_paths(files):
            keep(partial(parse_workflow, files[path], path, texts, None, vocab))
        return _in_order(problems)
    chains = load_chains(files, canon, vocab)
    for broken in chains.broken.values():
        problems += broken.problems
    for workflow in chains.workflows.values():
        problems += workflow.test_problems
    whole = Whole(
        files=files,
        chains=chains,
        canon=canon,
        vocab=vocab,
        manifests={id_: manifest for id_, manifest in manifests.items() if manifest is not None},
        locked=keep(lambda: read_lock(files.get(LOCK))),
        before=readable(before) if before is not None else {},
        now=readable(files) if before is not None else {},
        experiments=[one for one in experiments if one is not None],
        ref=ref,
    )
    for rule in RULES:
        problems += _some_of_each(rule.run(rule.of_workspace, whole))
    problems += _stage_problems(files, canon, vocab, chains) if vocab else []
    return _in_order(problems)


def _tried(problems: list[Problem], parse: Callable[[], Parsed]) -> Parsed | None:
    try:
        return parse()
    except FileProblems as error:
        problems += error.problems
    return None


def _stage_problems(files: Mapping[str, bytes], canon: Canon, vocab: Vocab, chains: ChainSet) -> list[Problem]:
    """Report what is wrong with the classifier's rules and the table of decisions, and what their gaps will hold."""
    found: list[Problem] = []
    if CLASSIFY in files:
        classifier = _tried(found, lambda: parse_classifier(files[CLASSIFY], canon, vocab, chains.partials))
        found += map(_warning, classifier_warnings(classifier, engine_ids(files)) if classifier else ())
    if DECISIONS in files:
        table = _tried(found, lambda: parse_decisions(files[DECISIONS], canon, vocab))
        found += map(_warning, decision_warnings(table, vocab) if table else ())
    return found


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.path, problem.line, problem.column))


def _some_of_each(found: Iterable[Problem]) -> Iterator[Problem]:
    """Yield what a rule finds, at most so many in each file: nobody reads the hundredth."""
    counts: Counter[str] = Counter()
    for problem in found:
        counts[problem.path] += 1
        if counts[problem.path] <= MAX_PROBLEMS:
            yield problem


def _warning(problem: Problem) -> Problem:
    return replace(problem, severity="warning")


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
            problems.append(_warning(document.problem(("aliases", alias), message, "W-ALIAS")))
    return problems
