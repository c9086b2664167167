"""E-TEST: a test that could not fail, or could not run."""

import re
from collections.abc import Iterator

from draftctl.gates import GATES
from draftctl.holds import HOLDS
from draftctl.rules.base import Found, Rule, Whole
from draftctl.spelling import did_you_mean
from draftctl.workflow import Workflow
from draftctl.workflow_file import TestFile, TextExpectFile
from draftctl.yamlfile import Path

_ANY = ("", "\0", "x y")


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        for n in range(len(workflow.tests)):
            for path, message, key in faults_of(workflow, n):
                yield workflow.document.problem(path, message, "", at_key=key)


def faults_of(workflow: Workflow, n: int) -> list[tuple[Path, str, bool]]:
    """Return what is wrong with one test (from 0): place, message, and whether that is the key; `workflow test` fails it for the same."""
    if any(path[:2] == ("tests", n) for path in workflow.document.spoiled):
        return []  # what it should say is told already
    test, seen = workflow.tests[n], {other.name for other in workflow.tests[:n]}
    return [*_head(test, ("tests", n), seen), *_names(workflow, test, ("tests", n))]


def _head(test: TestFile, here: Path, seen: set[str]) -> Iterator[tuple[Path, str, bool]]:
    if not test.name.strip():
        yield (*here, "name"), "a test needs a name", False
    if test.name in seen:
        yield (*here, "name"), f"a test before this one is '{test.name}' too", False
    given = [name for name in ("inbound", "messages", "thread") if getattr(test, name)]
    if len(given) != 1:
        said = f"; this one has {' and '.join(given)}" if given else ""
        yield here, f"a test has exactly one of inbound, messages, thread{said}", False
    if test.messages and test.messages[-1].role != "prospect":
        yield (*here, "messages"), "the last message is the prospect's: a reply is written to it", False
    expect = test.expect
    if not (expect.rendered or expect.draft or expect.held or expect.model_extra):
        at: Path = (*here, "expect")
        yield at, f"'{test.name}' expects nothing, so it could not fail", False
    for name in ("rendered", "draft"):
        words = getattr(expect, name)
        yield from _text(words, (*here, "expect", name)) if words is not None else ()


def _text(words: TextExpectFile, here: Path) -> Iterator[tuple[Path, str, bool]]:
    if words == TextExpectFile():
        yield here, "this expects nothing, so it could not fail", False
    for key in ("contains", "contains_any", "not_contains"):
        listed = getattr(words, key)
        for m, word in enumerate((listed,) if isinstance(listed, str) else listed):
            if not word:
                yield (
                    ((*here, key) if isinstance(listed, str) else (*here, key, m)),
                    "nothing stands in every text",
                    False,
                )
    for key in ("matches", "not_matches"):
        patterns = getattr(words, key)
        for m, pattern in enumerate((patterns,) if isinstance(patterns, str) else patterns):
            try:
                always = all(re.search(pattern, text) for text in _ANY)
            except (re.error, RecursionError, OverflowError) as error:
                place: Path = (*here, key) if isinstance(patterns, str) else (*here, key, m)
                yield place, f"'{pattern}' is no regular expression: {error}", False
                continue
            if always:
                yield (*here, key), f"'{pattern}' matches any text", False


def _names(workflow: Workflow, test: TestFile, here: Path) -> Iterator[tuple[Path, str, bool]]:
    """Find steps, fields and hold reasons that are named and are not there."""
    asked = [step for step in workflow.steps if step.verb != "check"]
    names = [step.name for step in asked]
    leaving = [step.name for step in asked if step.verb != "draft"]
    for name in test.replies:
        if name not in names:
            yield (*here, "replies", name), f"there is no step '{name}'{did_you_mean(name, names)}", True
    for key in (one for one in test.expect.model_extra or {} if one.startswith("steps.")):
        name, _, fields = key.removeprefix("steps.").partition(".")
        step = next((one for one in asked if one.name == name and one.verb != "draft"), None)
        if step is None and name in names:
            yield (*here, "expect", key), "what the draft leaves is expected under `draft:`", True
        elif step is None:
            yield (*here, "expect", key), f"there is no step '{name}'{did_you_mean(name, leaving)}", True
        elif fields and step.verb in ("think", "choose"):
            yield (*here, "expect", key), f"{name} leaves a text, which has no parts", True
        elif fields and step.schema is not None and fields.partition(".")[0] not in step.schema.get("properties", {}):
            there = list(step.schema.get("properties", {}))
            yield (*here, "expect", key), f"{name} has no '{fields}'{did_you_mean(fields, there)}", True
    held = test.expect.held
    reasons = [*sorted(HOLDS), *(f"gate:{gate.name}" for gate in GATES)]
    if held and held not in reasons:
        gate, known = held.removeprefix("gate:"), [gate.name for gate in GATES]
        meant = did_you_mean(gate, known) if gate != held else did_you_mean(held, sorted(HOLDS))
        yield (*here, "expect", "held"), f"'{held}' is no hold reason{meant}", False


RULE = Rule(
    id="E-TEST",
    title="A test that could not fail, or could not run",
    why="A test without expectations is green for ever and says nothing.",
    fix="Give it one message (`inbound`) and something to expect: rendered, draft, held, or steps.<name>.",
    of_workspace=_check,
)
