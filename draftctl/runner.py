"""One candidate -> Drafted | Held. Pure: handed an engine, the canon, and what is known of the person.

The order is the house's promise: safety gates on the inbound, then who may be written to, then the note, the engine, and the
gates on the body. There is no way from a failure to a text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from draftctl.canon import NOTES, SAFETY, Canon, Note
from draftctl.chain import ChainDeps, run_chain
from draftctl.chainset import ChainSet, engine_matches
from draftctl.classifier import TRUSTED
from draftctl.context import Context, gather
from draftctl.engine_id import TEMPLATE
from draftctl.engines.absent import AbsentEngine
from draftctl.engines.base import Completion, Engine, EngineRefused, Request
from draftctl.errors import EngineUnreachable
from draftctl.few_shot import Example
from draftctl.gates import GATES, RULESET
from draftctl.gates.base import Around, Gate
from draftctl.manifest import Manifest
from draftctl.memory import Memory, NoMemory
from draftctl.models import (
    BundlePart,
    Candidate,
    Drafted,
    Finding,
    Held,
    Mode,
    Person,
    PromptPart,
    Result,
    Staged,
    Step,
    Thread,
    WorkflowRef,
    bundle_hash,
    is_known,
    prompt_hash,
)
from draftctl.rendering import RENDERER_VERSION, Facts, MissingAtom, Prompts, render_note, unfilled
from draftctl.routing import Cell, Choice
from draftctl.screening import body_hits, inbound_hits, stopped
from draftctl.stages import Filled, Stages, fill
from draftctl.workflow import Workflow

Examples = Callable[
    [Workflow, Candidate, str], tuple[Example, ...]
]  # of a workflow, for a candidate, under a note's key


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """What a run with a model build hands to every candidate beside the canon: the workflows, the build, whose voice it is.

    `reused` names the workflows whose version is already used with other content, and why; `unversioned` says that nothing is
    committed, so that no chain may run. Contexts are put together once for each workflow and note.
    """

    chains: ChainSet
    manifest: Manifest
    persona: str
    prompts: Prompts
    notes: Facts
    reused: Mapping[str, str] = field(default_factory=dict)
    unversioned: bool = False
    examples: Examples = lambda _workflow, _candidate, _key: ()
    contexts: dict[tuple[str, str, tuple[Example, ...]], Context] = field(default_factory=dict)
    choices: dict[Cell, Choice] = field(default_factory=dict)

    def choose(self, cell: Cell) -> Choice:
        """Return the workflow of a cell; a run has few cells."""
        if cell not in self.choices:
            self.choices[cell] = self.chains.choose(cell)
        return self.choices[cell]

    def context(self, workflow: Workflow, note: Note, canon: Canon, candidate: Candidate) -> Context:
        """Return the context of a workflow and a note, with the examples that this candidate may see: the same for nearly all."""
        examples = self.examples(workflow, candidate, note.key)
        key = (workflow.id, note.key, examples)
        if key not in self.contexts:
            self.contexts[key] = gather(
                workflow, note, canon, self.chains.partials, self.manifest, self.persona, examples
            )
        return self.contexts[key]


def note_facts(canon: Canon) -> Facts:
    """Return what a prompt may name as `pastebin[...]`: every note, unfilled, by key, name and alias."""
    texts = {note.key: unfilled(note.text) for note in canon.notes.values()}
    texts |= {note.name: texts[note.key] for note in canon.notes.values()}
    return Facts("pastebin", texts | {alias: texts[key] for alias, key in canon.aliases.items() if key in texts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What a run hands to every candidate; `chains` is None for the template engine, `stages` where others classify and decide.

    `mode` is the workspace's, for candidates that say none; `passed` says that a passing report of the engine is on record.
    """

    engine: Engine
    canon: Canon
    gates: Sequence[Gate] = GATES
    chains: Chains | None = None
    stages: Stages | None = None
    mode: Mode = "review"
    passed: bool = True

    def without_engines(self, why: str) -> "Deps":
        """Return the same with every build given up; the notes need none."""
        engine: Engine = AbsentEngine(self.engine.id, why)
        stages = self.stages
        if stages is not None and stages.asking is not None:
            engine = self.engine if self.engine.id == TEMPLATE else engine
            asked = AbsentEngine(stages.asking.deps.engine.id, why)
            asking = replace(stages.asking, deps=replace(stages.asking.deps, engine=asked))
            stages = replace(stages, asking=asking)
        return replace(self, engine=engine, stages=stages)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Return every engine that is asked, each once."""
        asking = self.stages.asking if self.stages else None
        other = asking.deps.engine if asking else self.engine
        return (self.engine,) if other is self.engine else (self.engine, other)


async def draft_one(
    candidate: Candidate,
    person: Person,
    deps: Deps,
    memory: Memory | None = None,
    thread: Thread | None = None,
    staged: Staged | None = None,
) -> Result:
    """Decide about one candidate; `staged` is what an earlier run's stages filled in. Raises nothing that an engine or a gate may do; bugs pass through."""
    memory, thread, staged = memory or NoMemory(), thread or Thread(), staged or Staged()
    hits = inbound_hits(candidate, person, deps.gates, deps.canon)
    if hits:
        return stopped(candidate, hits, person)
    passed = Finding(kind="gate", outcome="pass", detail=f"inbound {RULESET}")
    result = Result(candidate=candidate, outcome=Held(reason="unclassified"), findings=(passed,))
    stop = _why_not(candidate, person, thread)
    if stop is not None:
        return replace(result, outcome=stop)
    filled = Filled(candidate=candidate, mode=staged.mode)
    if deps.stages is not None:
        filled = await fill(without_staged(candidate, staged), thread, deps.stages, memory)
    result = _with_stages(result, filled, deps)
    if filled.held is not None:
        return replace(result, outcome=filled.held)
    note = Held(reason="mode_hold") if result.mode == "hold" else _note(filled.candidate, deps.canon)
    if isinstance(note, Held):
        return replace(result, outcome=note)
    result = replace(result, note_key=note.key)
    around = Around(
        inbound=candidate.inbound,
        sent=thread.sent,
        drafted=thread.drafted,
        atoms=vouched(filled.candidate, filled.staged if deps.stages is not None else staged),
    )
    if deps.chains is not None:
        return await _chain(result, note, deps, deps.chains, memory, around)
    return await _template(result, note, deps, around)


def _before(deps: Deps) -> int:
    """Return how many steps stand before a draft's: the classifier's, asked or not, so that a step's number stays its own."""
    classifier = deps.stages.classifier if deps.stages is not None else None
    return len(classifier.workflow.steps) if classifier is not None and classifier.workflow is not None else 0


def without_staged(candidate: Candidate, staged: Staged) -> Candidate:
    """Return a candidate as it came, or as a person set it: what our own stages filled in is filled in anew."""
    return replace(
        candidate,
        archetype=None if staged.archetype is not None else candidate.archetype,
        state=None if staged.state is not None else candidate.state,
        template_key=None if staged.template_key is not None else candidate.template_key,
        atoms={name: value for name, value in candidate.atoms.items() if name not in staged.atoms},
    )


def vouched(candidate: Candidate, staged: Staged) -> dict[str, Any]:
    """Return the atoms that a promise may rest on: what somebody wrote of themselves counts only once they are screened."""
    atoms = candidate.usable_atoms
    if any(is_known(atoms.get(name)) for name in TRUSTED):
        return atoms
    return {name: value for name, value in atoms.items() if name not in staged.atoms}


def _with_stages(result: Result, filled: Filled, deps: Deps) -> Result:
    """Note what the stages filled in, and the mode that follows: the candidate's own, else the decision's, else the workspace's."""
    mode = result.candidate.mode or filled.mode or deps.mode
    named = "candidate" if result.candidate.mode else "decision" if filled.mode else "workspace"
    findings = [*result.findings, *filled.findings]
    if deps.stages is not None and filled.held is None:
        findings.append(Finding(kind="mode", outcome=mode, reason=named))
    return replace(
        result,
        candidate=filled.candidate,
        staged=filled.staged if deps.stages is not None else None,
        mode=mode,
        findings=tuple(findings),
        steps=filled.steps,
        answered=filled.answered,
        read=filled.read,
    )


def _alone(result: Result, deps: Deps, *, opted_in: bool, by: str) -> Result:
    """Take `auto` back where nobody opted in to it, or where no passing report of the build is on record."""
    if result.mode != "auto" or not isinstance(result.outcome, Drafted):
        return result
    why = "" if opted_in else f"{by} does not say `auto: true`"
    if not why and not deps.passed:
        why = f"no passing report of {deps.engine.id} is on record"
    if not why:
        return result
    finding = Finding(kind="mode", outcome="review", reason="not_auto", detail=why)
    return replace(result, mode="review", findings=(*result.findings, finding))


async def _template(result: Result, note: Note, deps: Deps, around: Around) -> Result:
    """Let the note itself be the reply."""
    bundle = _bundle(note, deps.canon)
    result = replace(result, bundle=bundle, bundle_hash=bundle_hash(bundle), read=result.read | {NOTES, SAFETY})
    try:
        text = render_note(note.text, result.candidate.usable_atoms)
    except MissingAtom as error:
        outcome = Held(reason="missing_atom", detail=f"note {note.key} needs `{error}`")
        return replace(result, outcome=outcome)
    asked = await _ask(result, note, text, deps, around)
    return _alone(asked, deps, opted_in=note.auto, by=f"note {note.key}")


async def _chain(result: Result, note: Note, deps: Deps, setup: Chains, memory: Memory, around: Around) -> Result:
    """Run the workflow of the candidate's cell, or say why none may run."""
    candidate = result.candidate
    workflow = _workflow_for(candidate, note, deps.engine.id, setup)
    if isinstance(workflow, Held):
        return replace(result, outcome=workflow)
    context = setup.context(workflow, note, deps.canon, candidate)
    chain_deps = ChainDeps(
        engine=deps.engine,
        prompts=setup.prompts,
        context_role=setup.manifest.serve.context_role,
        sampling=setup.manifest.sampling.model_dump(exclude_none=True),
        extra_tokens=setup.manifest.special_tokens,
        notes=setup.notes,
        body_hits=lambda body, names: body_hits(body, deps.canon, _named(deps.gates, names), around),
        asked_before=_before(deps),
    )
    done = await run_chain(candidate, workflow, context, chain_deps, memory)
    passed = Finding(kind="gate", outcome="pass", detail=f"body {RULESET}")
    done_with = replace(
        result,
        outcome=done.outcome,
        steps=(*result.steps, *done.steps),
        findings=(*result.findings, *done.findings, *((passed,) if isinstance(done.outcome, Drafted) else ())),
        bundle=context.bundle,
        bundle_hash=context.bundle_hash,
        workflow=WorkflowRef(id=workflow.id, version=workflow.version, semantic_hash=workflow.semantic_hash),
        read=result.read | context.read,
        engine_served=done.served,
        fingerprint=done.fingerprint,
        answered=done.answered or result.answered,
    )
    return _alone(done_with, deps, opted_in=workflow.auto, by=workflow.id)


def _workflow_for(candidate: Candidate, note: Note, engine_id: str, setup: Chains) -> Workflow | Held:
    if setup.unversioned:
        return Held(reason="unversioned", detail="nothing is committed here")
    chains = setup.chains
    choice = setup.choose(Cell(archetype=candidate.archetype, state=candidate.state, template_key=note.key))
    broken = [entry.id for entry in (*choice.tied, *((choice.winner,) if choice.winner else ())) if entry.broken]
    if broken:
        file = chains.broken[broken[0]]
        first = file.problems[0]
        return Held(reason="workflow_invalid", detail=f"{first.path}:{first.line}:{first.column}: {first.rule}")
    if choice.winner is None:
        reason = "no_workflow" if choice.reason == "none" else "ambiguous_workflow"
        cell = f"{candidate.archetype or 'no archetype'} x {candidate.state or 'no state'} x {note.key}"
        return Held(reason=reason, detail=f"{cell}: {choice.detail}")
    workflow = chains.workflows[choice.winner.id]
    if workflow.id in setup.reused:
        return Held(reason="version_reused", detail=setup.reused[workflow.id])
    if not engine_matches(workflow, engine_id):
        return Held(
            reason="engine_mismatch", detail=f"{workflow.id} is for {workflow.engine}, the engine is {engine_id}"
        )
    return workflow


def _named(gates: Sequence[Gate], names: Sequence[str] | None) -> Sequence[Gate]:
    return gates if names is None else [gate for gate in gates if gate.name in names]


def _why_not(candidate: Candidate, person: Person, thread: Thread) -> Held | None:
    """Say why nothing is written to this person, or in this thread, now."""
    if person.opted_out:
        return Held(reason="opted_out")
    if person.flagged:
        return Held(reason="person_flagged")
    if thread.superseded:
        return Held(reason="superseded")
    if thread.presses:
        return Held(reason="follow_up_limit", detail=f"{thread.unanswered} of our texts stand unanswered")
    return Held(reason="mode_hold") if candidate.mode == "hold" else None


def _note(candidate: Candidate, canon: Canon) -> Held | Note:
    """Return the note that is the move."""
    if not candidate.template_key:
        return Held(reason="unclassified")
    note = canon.find(candidate.template_key)
    if note is None:
        return Held(reason="missing_note", detail=canon.unknown(candidate.template_key))
    return note


def _bundle(note: Note, canon: Canon) -> tuple[BundlePart, ...]:
    return (
        BundlePart(kind="note", key=note.key, content=note.text),
        BundlePart(kind="renderer", key="version", content=RENDERER_VERSION),
        BundlePart(kind="gates", key="ruleset", content=RULESET),
        *canon.safety_parts,
    )


async def _ask(result: Result, note: Note, text: str, deps: Deps, around: Around) -> Result:
    messages = (PromptPart.of("assistant", text),)
    try:
        completion = await deps.engine.complete(Request(engine_id=deps.engine.id, messages=messages))
    except EngineUnreachable as error:
        return replace(result, outcome=Held(reason="engine_unavailable", detail=error.message))
    except EngineRefused as error:
        return replace(result, outcome=Held(reason=error.reason, detail=error.message), answered=True)
    step = Step(
        n=_before(deps) + 1,
        verb="draft",
        name="draft",
        attempt=1,
        messages=messages,
        prompt_hash=prompt_hash(messages),
        output=completion.text,
        finish_reason=completion.finish_reason,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        cached_tokens=completion.cached_tokens,
    )
    outcome, findings = _accept(completion, note, deps, around)
    return replace(
        result,
        outcome=outcome,
        steps=(*result.steps, step),
        findings=(*result.findings, *findings),
        engine_served=completion.model,
        answered=True,
    )


def _accept(
    completion: Completion, note: Note, deps: Deps, around: Around
) -> tuple[Drafted | Held, tuple[Finding, ...]]:
    """Let a completion through only if it is whole, from the right build, and past every gate."""
    if completion.model != deps.engine.id:
        return Held(reason="wrong_build", detail=f"the server says {completion.model!r}", on_body=True), ()
    if completion.finish_reason != "stop":
        return Held(reason="truncated", detail=f"finish_reason {completion.finish_reason!r}", on_body=True), ()
    body = completion.text.strip()
    if not body:
        return Held(reason="empty", on_body=True), ()
    if len(body) > note.max_chars:
        return Held(
            reason="over_length", detail=f"{len(body) - note.max_chars} characters over {note.max_chars}", on_body=True
        ), ()
    hits = body_hits(body, deps.canon, deps.gates, around)
    if hits:
        findings = tuple(
            Finding(kind="gate", outcome="hold", reason=name, detail=f"body {rule}") for name, rule in hits
        )
        return Held(reason=f"gate:{hits[0][0]}", detail=f"reply, rule {hits[0][1]}", on_body=True), findings
    return Drafted(body=body), (Finding(kind="gate", outcome="pass", detail=f"body {RULESET}"),)
