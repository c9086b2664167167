"""`tests:` of a workflow: who writes, what the model is taken to answer, and what must be true of it. Pure.

A test is run through the whole chain, gates included. What the model answers comes from the test (`replies`; steps that it does not
name then get a harmless stand-in), else from what a model was once asked (`--live` asks). Where neither is there, what the
chain leaves cannot be checked, and the test says so; what is rendered always can.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from draftctl.control_tokens import find_control_token
from draftctl.engines.base import Completion, Engine
from draftctl.errors import EngineUnreachable
from draftctl.models import Candidate, Drafted, Held, Message, Result, canonical_json
from draftctl.rendering import RenderError
from draftctl.routing import Cell
from draftctl.samples import sample
from draftctl.trial import Bench, NotRecorded, told
from draftctl.workflow import Step, Workflow
from draftctl.workflow_file import TestFile, TextExpectFile, Words

Verdict = Literal["passed", "failed", "unchecked"]
_SHOWN = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a test came to: why it failed, or (`unchecked`) what could not be checked; the reply, if there was one."""

    workflow: str
    name: str
    verdict: Verdict
    failures: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    body: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of a candidate: the text of every request, the outcome (None where nobody was asked), and what the steps left."""

    rendered: str
    outcome: Drafted | Held | None = None
    left: Mapping[str, Any] = field(default_factory=dict)


class Played:
    """Answers for the model from a test's `replies`, by step; a list answers one attempt after the other."""

    def __init__(self, workflow: Workflow, replies: Mapping[str, Any], engine_id: str) -> None:
        self._workflow = workflow
        self._replies = replies
        self._engine_id = engine_id

    def recall(self, n: int, attempt: int, _prompt: str) -> Completion | None:
        """Return the answer of a step, or None where the test leaves it to a model."""
        step = self._workflow.steps[n - 1]
        text = self._answer(step, attempt)
        return None if text is None else Completion(text=text, model=self._engine_id, finish_reason="stop")

    def _answer(self, step: Step, attempt: int) -> str | None:
        given = self._replies.get(step.name)
        if isinstance(given, tuple):
            given = given[min(attempt, len(given)) - 1] if given else None
        if given is not None:
            return given if isinstance(given, str) else canonical_json(given)
        return stand_in(step) if self._replies else None

    def keep(self, _n: int, _attempt: int, _prompt: str, _completion: Completion) -> None:
        """Do nothing: it is the test's own."""


def stand_in(step: Step) -> str | None:
    """Return an answer that any chain goes on with: of a choose the first option, of an extract nothing found. A draft has none."""
    match step.verb:
        case "think":
            return "They want to know more."
        case "choose":
            return step.options[0]
        case "extract":
            return canonical_json(nothing(step.schema or {}))
        case "critique":
            return '{"ok":true,"reasons":[]}'
        case _:
            return None


def nothing(schema: Mapping[str, Any]) -> Any:
    """Return the least that meets a schema."""
    kinds = schema.get("type")
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds or ())
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return next(iter(schema["enum"]), None)
    if "null" in kinds:
        return None
    match kinds[0] if kinds else "null":
        case "object":
            return {name: nothing(part) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [nothing(schema["items"])] * int(schema.get("minItems", 0))
        case "string":
            return "x" * int(schema.get("minLength", 0))
        case "boolean":
            return False
        case _:
            return schema.get("minimum", min(0, schema.get("maximum", 0)))


def candidate_of(
    test: TestFile, workflow: Workflow, bench: Bench, cell: Cell, thread: Candidate | None = None
) -> Candidate:
    """Return who writes in a test; `cell` is the workflow's own first, `thread` what the test's file holds."""
    cell = Cell(
        archetype=test.archetype or (thread.archetype if thread else None) or cell.archetype,
        state=test.state or (thread.state if thread else None) or cell.state,
        template_key=test.template_key or (thread.template_key if thread else None) or cell.template_key,
    )
    made = sample(cell, workflow, bench.canon, bench.partials)
    note = bench.canon.find(cell.template_key or "")
    said = [Message(role=one.role, text=one.text) for one in test.messages]
    messages = tuple(said) or (thread.messages if thread else (Message(role="prospect", text=test.inbound or ""),))
    name = f"test:{workflow.id}:{test.name}"
    return Candidate(
        id=name,
        thread_id=name,
        person_id=name,
        messages=messages,
        archetype=cell.archetype,
        state=cell.state,
        template_key=note.key if note else cell.template_key,
        received_at=made.received_at,
        atoms={**made.atoms, **(thread.atoms if thread else {}), **test.atoms},
    )


async def come_of(
    test: TestFile, workflow: Workflow, bench: Bench, candidate: Candidate, engine: Engine
) -> Came | Tested:
    """Run a test's candidate through the chain; a test that cannot be rendered has failed already.

    Raises EngineUnreachable where a model was to be asked and none answers.
    """
    try:
        return await _come(test, workflow, bench, candidate, engine)
    except RenderError as error:
        return Tested(
            workflow=workflow.id, name=test.name, verdict="failed", failures=(f"cannot be rendered: {error}",)
        )


def judge(test: TestFile, workflow: Workflow, came: Came) -> Tested:
    """Compare what came with what was expected. A regular expression of the test's may take for ever: the caller's patience ends that."""
    failures = list(_rendered_failures(test, came))
    unchecked: list[str] = []
    if came.outcome is None:
        unchecked += _of_the_model(test)
    else:
        failures += _outcome_failures(test, came)
        failures += _step_failures(test, came)
    if not _expects(test):
        failures.append("it expects nothing, so it could not fail")
    verdict: Verdict = "failed" if failures else "unchecked" if unchecked else "passed"
    body = came.outcome.body if isinstance(came.outcome, Drafted) else None
    return Tested(
        workflow=workflow.id, name=test.name, verdict=verdict, failures=tuple(failures), unchecked=tuple(unchecked), body=body
    )  # fmt: skip


async def _come(test: TestFile, workflow: Workflow, bench: Bench, candidate: Candidate, engine: Engine) -> Came:
    would = "\n".join(
        told(one.messages[-1:]) if n else told(one.messages) for n, one in enumerate(bench.preview(workflow, candidate))
    )
    try:
        result = await bench.run(workflow, candidate, engine, Played(workflow, test.replies, engine.id))
    except NotRecorded:
        return Came(rendered=would)
    if isinstance(result.outcome, Held) and result.outcome.reason == "engine_unavailable":
        raise EngineUnreachable(f"{engine.id} cannot be asked: {result.outcome.detail}.")
    asked = "\n".join(told(step.messages) for step in result.steps[-1:])
    return Came(rendered=asked or would, outcome=result.outcome, left=_left(workflow, result))


def _left(workflow: Workflow, result: Result) -> dict[str, Any]:
    """Return what each step left, as later steps see it."""
    steps = {step.name: step for step in workflow.steps}
    left: dict[str, Any] = {}
    for asked in result.steps:
        text = asked.output.strip()
        if steps[asked.name].verb in ("extract", "critique"):
            try:
                left[asked.name] = json.loads(text)
            except ValueError:
                left.pop(asked.name, None)
        else:
            left[asked.name] = text
    return left


def _expects(test: TestFile) -> bool:
    expect = test.expect
    texts = [one for one in (expect.rendered, expect.draft) if one is not None and one != TextExpectFile()]
    return bool(texts or expect.held or expect.model_extra)


def _of_the_model(test: TestFile) -> Iterator[str]:
    """Name the expectations that only an answer can meet."""
    expect = test.expect
    yield from ["draft"] if expect.draft is not None else []
    yield from ["held"] if expect.held else []
    yield from expect.model_extra or {}


def _rendered_failures(test: TestFile, came: Came) -> Iterator[str]:
    if test.expect.rendered is not None:
        yield from (f"what is rendered {why}" for why in text_failures(test.expect.rendered, came.rendered))


def _outcome_failures(test: TestFile, came: Came) -> Iterator[str]:
    expect, outcome = test.expect, came.outcome
    if isinstance(outcome, Held):
        said = f"it held as {outcome.reason}" + (f" ({outcome.detail})" if outcome.detail else "")
        if expect.held and expect.held != outcome.reason:
            yield f"it should hold as {expect.held}, but {said}"
        elif not expect.held and (expect.draft is not None):
            yield f"there is no reply: {said}"
    elif isinstance(outcome, Drafted):
        if expect.held:
            yield f"it should hold as {expect.held}, but it drafted {_short(outcome.body)}"
        if expect.draft is not None:
            yield from (f"the reply {why}: {_short(outcome.body)}" for why in text_failures(expect.draft, outcome.body))


def _step_failures(test: TestFile, came: Came) -> Iterator[str]:
    for key, wanted in (test.expect.model_extra or {}).items():
        name = key.removeprefix("steps.").partition(".")[0]
        if name not in came.left:
            yield f"{key} cannot be {canonical_json(wanted)}: step {name} left nothing"
            continue
        value: Any = came.left
        for part in key.removeprefix("steps.").split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if canonical_json(value) != canonical_json(wanted):
            yield f"{key} is {canonical_json(value)}, not {canonical_json(wanted)}"


def text_failures(expect: TextExpectFile, text: str) -> Iterator[str]:
    """Yield what is expected of a text and not so; words are looked for without regard to capitals."""
    low = text.casefold()
    yield from (f"lacks {word!r}" for word in _listed(expect.contains) if word.casefold() not in low)
    yield from (f"has {word!r}" for word in _listed(expect.not_contains) if word.casefold() in low)
    any_of = _listed(expect.contains_any)
    if any_of and not any(word.casefold() in low for word in any_of):
        yield f"has none of {', '.join(map(repr, any_of))}"
    yield from (f"does not match {one!r}" for one in _listed(expect.matches) if not re.search(one, text))
    yield from (f"matches {one!r}" for one in _listed(expect.not_matches) if re.search(one, text))
    if expect.max_chars is not None and len(text) > expect.max_chars:
        yield f"has {len(text)} characters, more than {expect.max_chars}"
    token = find_control_token(text) if expect.no_special_tokens else None
    if token:
        yield f"has what looks like a control token: {token!r}"


def _listed(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
