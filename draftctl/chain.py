"""One chain: the steps of a workflow, each on top of what the ones before it left, down to a reply or a hold. Pure.

Every completion is kept through `Memory` as it comes; a chain that is run again is asked for nothing that it was answered before.
A reply that does not pass goes back with the reason, as often as the step that refused it allows, and then the candidate holds.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from draftctl.answers import CRITIQUE_SCHEMA, Fault, apart, body_fault, leaks, read_value, whole, without_reasoning
from draftctl.context import Context
from draftctl.control_tokens import find_control_token, neutralise, one_line
from draftctl.engines.base import Completion, Engine, EngineRefused, Request
from draftctl.errors import EngineUnreachable
from draftctl.memory import Memory
from draftctl.models import Candidate, Drafted, Finding, Held, Outcome, PromptPart, prompt_hash
from draftctl.models import Step as Asked
from draftctl.prompt import (
    ContextRole,
    again,
    first_messages,
    instruction,
    next_messages,
    sent_back,
    thread_piece,
    with_note,
)
from draftctl.rendering import Facts, Prompts, RenderError
from draftctl.workflow import Step, Workflow

TRIES = 2  # of a think, choose, extract or critique whose answer is none
Gates = Callable[[str, Sequence[str] | None], list[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainDeps:
    """What a chain is handed: the engine, where its context goes, its sampling, the tokens of its tokenizer, and the gates."""

    engine: Engine
    prompts: Prompts
    context_role: ContextRole = "user"
    sampling: Mapping[str, Any] = field(default_factory=dict)
    extra_tokens: tuple[str, ...] = ()
    notes: Facts
    body_hits: Gates
    asked_before: int = 0  # steps of the same candidate that stand before these: the classifier's


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult:
    """What a chain came to, every request with its answer, and what was decided on the way."""

    outcome: Outcome
    steps: tuple[Asked, ...]
    findings: tuple[Finding, ...]
    served: str | None
    fingerprint: str | None
    answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the classifier's steps left by name (None where they hold), and every request with its answer."""

    left: Mapping[str, Any] | None
    held: Held | None
    steps: tuple[Asked, ...]
    answered: bool


class _Hold(Exception):
    def __init__(self, held: Held) -> None:
        super().__init__(held.reason)
        self.held = held


async def run_chain(
    candidate: Candidate, workflow: Workflow, context: Context, deps: ChainDeps, memory: Memory
) -> ChainResult:
    """Run a chain to its end. Raises nothing that an engine or a model may do; bugs pass through."""
    run = _Run(candidate, workflow, context, deps, memory)
    try:
        outcome: Outcome = await run.to_the_end()
    except _Hold as hold:
        outcome = hold.held
    return ChainResult(
        outcome=outcome,
        steps=tuple(run.asked),
        findings=tuple(run.findings),
        served=run.served,
        fingerprint=run.fingerprint,
        answered=run.answered,
    )


async def run_questions(
    candidate: Candidate, workflow: Workflow, context: Context, deps: ChainDeps, memory: Memory
) -> Answers:
    """Run steps that end in no reply (think, choose, extract), and return what they left."""
    run = _Run(candidate, workflow, context, deps, memory)
    left, held = None, None
    try:
        left = await run.answers()
    except _Hold as hold:
        held = hold.held
    return Answers(left=left, held=held, steps=tuple(run.asked), answered=run.answered)


def facts_of(candidate: Candidate, notes: Facts, left: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a step's text may name."""
    said = [{"role": m.role, "text": m.text, "at": m.at or ""} for m in candidate.messages]
    return {
        "candidate": Facts("candidate", {
            "id": candidate.id, "archetype": candidate.archetype or "", "state": candidate.state or "",
            "template_key": candidate.template_key or "", "mode": candidate.mode or "", "received_at": candidate.received_at or "",
        }),
        "thread": Facts("thread", {"id": candidate.thread_id, "messages": said, "last": candidate.inbound[-1]}),
        "steps": Facts("steps", left),
        "atoms": Facts("atoms", candidate.usable_atoms),
        "pastebin": notes,
    }  # fmt: skip


def step_instruction(step: Step, text: str, max_chars: int) -> str:
    """Return the turn that a step's rendered text becomes."""
    return instruction(step.verb, text, options=step.options, schema=step.schema, max_chars=max_chars)


def step_settings(step: Step, workflow: Workflow, sampling: Mapping[str, Any], seed: str) -> dict[str, Any]:
    """Return what goes with a step's messages: the sampling (engine's, then workflow's, then step's), token limit and constraint."""
    settings: dict[str, Any] = {**sampling, **workflow.sampling, **step.sampling, "max_tokens": step.max_tokens}
    if settings.get("seed") == "thread":
        settings["seed"] = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) >> 1
    if step.verb == "choose":
        settings["structured_outputs"] = {"choice": list(step.options)}
    elif step.verb in ("extract", "critique"):
        schema = step.schema if step.verb == "extract" else CRITIQUE_SCHEMA
        named = {"name": step.name, "strict": True, "schema": schema}
        settings["response_format"] = {"type": "json_schema", "json_schema": named}
    return settings


class _Run:
    """The state of one chain while it runs."""

    def __init__(
        self, candidate: Candidate, workflow: Workflow, context: Context, deps: ChainDeps, memory: Memory
    ) -> None:
        self._candidate = candidate
        self._workflow = workflow
        self._context = context
        self._deps = deps
        self._memory = memory
        self._messages: tuple[PromptPart, ...] = ()
        self._answer = ""  # what the last step answered, not yet a turn of the conversation
        self._left: dict[str, Any] = {}
        self._tries: dict[int, int] = {}
        self._redrafts: dict[int, int] = {}
        self._body = ""
        self._told = [part.content for part in context.bundle if part.kind == "text"]
        self._told.append(context.piece.partition("\n")[0])
        self._thoughts: list[str] = []
        self._unkept: tuple[int, int, str, Completion] | None = None
        self.asked: list[Asked] = []
        self.findings: list[Finding] = []
        self.served: str | None = None
        self.fingerprint: str | None = None
        self.answered = False

    async def to_the_end(self) -> Drafted:
        """Run step after step; a step that refuses the reply sends the chain back to its draft."""
        index = 0
        told = ""
        while index < len(self._workflow.steps):
            step = self._workflow.steps[index]
            if self._skips(step):
                index += 1
                continue
            fault = self._check(step) if step.verb == "check" else await self._ask(index, step, told)
            told = ""
            if fault is None:
                index += 1
                continue
            self._count_redraft(index, step, fault)
            index, told = self._workflow.draft, fault.told
        return Drafted(body=self._body)

    async def answers(self) -> dict[str, Any]:
        """Run steps of which none makes a reply; return what they left, by name."""
        for index, step in enumerate(self._workflow.steps):
            if not self._skips(step):
                await self._ask(index, step, "")
        self._keep()
        return self._left

    def _skips(self, step: Step) -> bool:
        if step.when is None:
            return False
        try:
            skipped = not self._deps.prompts.holds(step.when, self._facts())
        except RenderError as error:
            raise _Hold(_unrenderable(step, error)) from error
        if skipped:
            self.findings.append(Finding(kind="step", outcome="skipped", detail=step.name))
        return skipped

    def _facts(self) -> dict[str, Any]:
        return facts_of(self._candidate, self._deps.notes, self._left)

    def _check(self, step: Step) -> Fault | None:
        hits = self._deps.body_hits(self._body, step.gates)
        return _gate_fault(hits) if hits else None

    def _count_redraft(self, index: int, step: Step, fault: Fault) -> None:
        """Allow one more draft, or hold with the reason why the last one did not pass."""
        done = self._redrafts.get(index, 0)
        if done >= step.redrafts:
            raise _Hold(Held(reason=fault.reason, detail=fault.detail, on_body=True))
        self._redrafts[index] = done + 1
        self.findings.append(Finding(kind="step", outcome="redraft", reason=fault.reason, detail=fault.detail))

    async def _ask(self, index: int, step: Step, told: str) -> Fault | None:
        """Ask one step, as often as it may be; return why the reply must be drafted anew, or None to go on."""
        repeat = not told and self._tries.get(index, 0) > 0 and step.verb == "draft"
        messages = self._messages if repeat else self._next(step, told)
        completion = await self._complete(index, step, messages)
        if step.verb == "draft":
            return self._take_body(messages, completion)
        value = self._value(step, completion)
        for _ in range(TRIES - 1):
            if isinstance(value, Fault):
                completion = await self._complete(index, step, messages)
                value = self._value(step, completion)
        if isinstance(value, Fault):
            raise _Hold(Held(reason=value.reason, detail=f"step {step.name}: {value.detail}", on_body=True))
        return self._take(step, messages, completion, value)

    @staticmethod
    def _value(step: Step, completion: Completion) -> Any | Fault:
        return whole(completion.text, completion.finish_reason) or read_value(step, completion.text)

    def _next(self, step: Step, told: str) -> tuple[PromptPart, ...]:
        """Return the conversation with this step's turn at its end; nothing that looks like a control token may be in it."""
        max_chars = self._workflow.max_chars
        if told:
            turn = again(self._neutral(told), max_chars)
        else:
            try:
                text = self._deps.prompts.render(step.text, self._facts)
            except RenderError as error:
                raise _Hold(_unrenderable(step, error)) from error
            turn = step_instruction(step, text, max_chars)
        asked = self._candidate.redraft if step.verb == "draft" and not told else None
        if asked is not None and not asked.body:
            turn = with_note(turn, self._neutral(asked.note))
        extra = self._deps.extra_tokens
        if self._messages:
            messages = next_messages(self._messages, self._answer, turn, extra)
            new = [part.content for part in messages[-2:]]
        else:
            thread = thread_piece(self._candidate, extra)
            messages = first_messages(self._context.piece, thread, turn, self._deps.context_role)
            new = [thread, turn]
        if asked is not None and asked.body:
            turn = sent_back(self._neutral(asked.note), max_chars)
            messages = next_messages(messages, asked.body, turn, extra)
            new += [part.content for part in messages[-2:]]
        if self._context.control_token or any(find_control_token(text, extra) for text in new):
            raise _Hold(Held(reason="control_token", detail=f"step {step.name}", on_body=True))
        self._told += [step.text, *turn.splitlines()]
        return messages

    def _neutral(self, text: str) -> str:
        return neutralise(one_line(text), self._deps.extra_tokens)

    async def _complete(self, index: int, step: Step, messages: tuple[PromptPart, ...]) -> Completion:
        """Get one completion: from memory, or from the engine."""
        attempt = self._tries.get(index, 0) + 1
        self._tries[index] = attempt
        n = self._deps.asked_before + index + 1
        seed = f"{self._candidate.thread_id}\0{step.name}\0{attempt}"
        settings = step_settings(step, self._workflow, self._deps.sampling, seed)
        hashed = prompt_hash(messages, settings)
        self._keep()
        completion = self._memory.recall(n, attempt, hashed)
        if completion is not None and completion.model != self._deps.engine.id:
            completion = None  # another build said that
        recalled = completion is not None
        if completion is None:
            completion = await self._send(messages, settings)
            self.answered = True
            self._unkept = (n, attempt, hashed, completion)
        self.served, self.fingerprint = completion.model, completion.fingerprint
        self.asked.append(
            Asked(
                n=n, verb=step.verb, name=step.name, attempt=attempt, messages=messages, settings=settings, prompt_hash=hashed,
                output=completion.text, finish_reason=completion.finish_reason, prompt_tokens=completion.prompt_tokens,
                completion_tokens=completion.completion_tokens, cached_tokens=completion.cached_tokens, ms=completion.ms,
                recalled=recalled,
            )
        )  # fmt: skip
        if completion.model != self._deps.engine.id:
            raise _Hold(Held(reason="wrong_build", detail=f"the server says {completion.model[:80]!r}", on_body=True))
        return completion

    def _keep(self) -> None:
        """Keep the last answer now that another request follows; without one, the candidate's own record comes next."""
        if self._unkept is not None:
            self._memory.keep(*self._unkept)
            self._unkept = None

    async def _send(self, messages: tuple[PromptPart, ...], settings: Mapping[str, Any]) -> Completion:
        request = Request(
            engine_id=self._deps.engine.id,
            messages=messages,
            settings=settings,
            prefix=self._context.bundle_hash,
            chain=self._candidate.id,
        )
        try:
            return await self._deps.engine.complete(request)
        except EngineUnreachable as error:
            raise _Hold(Held(reason="engine_unavailable", detail=error.message)) from error
        except EngineRefused as error:
            self.answered = error.reason != "prompt_too_long" or self.answered
            raise _Hold(Held(reason=error.reason, detail=error.message, on_body=True)) from error

    def _take(self, step: Step, messages: tuple[PromptPart, ...], completion: Completion, value: Any) -> Fault | None:
        """Keep what a step left; a critique that says no is a reason to draft anew."""
        self._messages, self._answer = messages, without_reasoning(completion.text)
        if step.verb == "critique":
            if value["ok"]:
                return None
            said = "; ".join(value["reasons"]) or "it did not pass the review"
            return Fault(reason="critique", detail=f"step {step.name}", told=said)
        self._left[step.name] = Facts(f"steps.{step.name}", value) if isinstance(value, Mapping) else value
        if step.verb == "think":
            self._thoughts.append(self._answer)
        return None

    def _take_body(self, messages: tuple[PromptPart, ...], completion: Completion) -> Fault | None:
        """Let a completion through as the body only if it is whole and past every gate."""
        self._messages = messages
        fault = whole(completion.text, completion.finish_reason)
        body, reasoning = apart(completion.text)
        self._answer = body
        if reasoning:
            self._thoughts.append(reasoning)
        if fault is None:
            fault = body_fault(body, self._workflow.max_chars, self._deps.extra_tokens)
        if fault is None and leaks(body, self._told, self._thoughts, self._open()):
            fault = Fault(
                reason="gate:think_leak",
                detail="reply, rule step-text",
                told="it repeated private notes or instructions",
            )
        if fault is None:
            hits = self._deps.body_hits(body, None)
            self.findings += [
                Finding(kind="gate", outcome="hold", reason=name, detail=f"body {rule}") for name, rule in hits
            ]
            fault = _gate_fault(hits) if hits else None
        if fault is None:
            self._body = body
        elif not body:
            return replace(fault, told="")  # there is nothing to answer to: the same request goes out again
        return fault

    def _open(self) -> list[str]:
        """Return what a reply may repeat: what stands in the thread, and the notes."""
        notes = [part.content for part in self._context.bundle if part.kind == "note"]
        return [message.text for message in self._candidate.messages] + notes


def _gate_fault(hits: Sequence[tuple[str, str]]) -> Fault:
    name, rule = hits[0]
    return Fault(
        reason=f"gate:{name}", detail=f"reply, rule {rule}", told=f"it breaks the rule '{name.replace('_', ' ')}'"
    )


def _unrenderable(step: Step, error: RenderError) -> Held:
    if error.missing_atom:
        return Held(reason="missing_atom", detail=f"step {step.name} needs `{error.missing_atom}`")
    return Held(reason="workflow_invalid", detail=f"step {step.name}: {error}")
