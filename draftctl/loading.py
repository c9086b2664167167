"""Reads all workflows of one snapshot: what lint reports and a run goes by come from this one loader. Pure.

A file that is wrong is kept as broken, with its problems and what can still be read of it; the rest stands.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from draftctl.canon import Canon
from draftctl.chainset import PARTIALS, Broken, ChainSet, resolved
from draftctl.errors import FileProblems, Problem
from draftctl.file_model import salvage
from draftctl.routing import Entry
from draftctl.rules import RULES
from draftctl.rules.base import Written
from draftctl.vocab import Vocab
from draftctl.workflow import MatchSet, Workflow, parse_applies, read_partials, read_workflow, stem, workflow_paths
from draftctl.workflow_file import WorkflowFile
from draftctl.yamlfile import MAX_PROBLEMS, read_yaml


def parse_workflow(
    content: bytes,
    path: str,
    partials: Mapping[str, str],
    canon: Canon | None = None,
    vocab: Vocab | None = None,
    *,
    loader: str = "",
) -> Workflow:
    """Read a workflow file's bytes; `path` is its place in the workspace, `partials` are the texts that it may include.

    Raises FileProblems with everything that is wrong in the file; without canon and vocabulary, what it names is not looked up.
    What is wrong in its tests alone makes nobody wait for a reply: it stands in the workflow's `test_problems`.
    """
    try:
        return _parsed(content, path, partials, canon, vocab, loader)
    except (RecursionError, SyntaxError, ValueError, OverflowError) as error:
        message = f"this cannot be read ({type(error).__name__}): something in it is nested too deeply, or too large"
        raise FileProblems([Problem(path=path, line=1, column=1, message=message, rule="E-YAML")]) from error


def _parsed(
    content: bytes, path: str, partials: Mapping[str, str], canon: Canon | None, vocab: Vocab | None, loader: str
) -> Workflow:
    document = read_yaml(content, path, loader=loader)
    file = salvage(document, WorkflowFile)
    problems = list(document.problems)
    if file is not None:
        written = Written(document, file.steps, file=file, partials=partials, canon=canon, vocab=vocab)
        problems += steps_problems(written)
        problems += (found for rule in RULES for found in rule.run(rule.of_file, written))
    problems.sort(key=lambda one: (one.line, one.column))
    if file is None or any(not document.is_within(problem, ("tests",)) for problem in problems):
        raise FileProblems(problems[:MAX_PROBLEMS])
    return replace(read_workflow(document, file, partials), test_problems=tuple(problems[:MAX_PROBLEMS]))


def readable(files: Mapping[str, bytes], *ids: str) -> dict[str, Workflow]:
    """Read workflows each by itself, all or those that are named; one that cannot be read is left out, and what it names is not looked up."""
    partials = read_all_partials(files)[0]
    found = {}
    for path in workflow_paths(files):
        if not ids or stem(path) in ids:
            with contextlib.suppress(FileProblems):
                workflow = parse_workflow(files[path], path, partials)
                found[workflow.id] = workflow
    return found


def steps_problems(written: Written) -> list[Problem]:
    """Return what breaks a rule in the steps of a file."""
    return [found for rule in RULES for found in rule.run(rule.of_steps, written)]


def load_chains(files: Mapping[str, bytes], canon: Canon, vocab: Vocab | None) -> ChainSet:
    """Read every workflow among a snapshot's files (bytes by path)."""
    workflows: dict[str, Workflow] = {}
    broken: dict[str, Broken] = {}
    partials, partial_problems = read_all_partials(files)
    for path in workflow_paths(files):
        try:
            workflow = _load(files[path], path, partials, partial_problems, canon, vocab)
            workflows[workflow.id] = workflow
        except FileProblems as error:
            broken[stem(path)] = _broken(files[path], path, error.problems, canon, vocab)
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
    workflow = parse_workflow(content, path, partials, canon, vocab)
    problems = [partial_problems[name] for name in workflow.partials if name in partial_problems]
    if problems:
        raise FileProblems(problems)
    return workflow


def read_all_partials(files: Mapping[str, bytes]) -> tuple[dict[str, str], dict[str, Problem]]:
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
