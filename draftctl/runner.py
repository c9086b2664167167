"""One candidate -> Drafted | Held. Pure: handed an engine, the canon, and what is known of the person.

The order is the house's promise: safety gates on the inbound, then who may be written to, then the note, the engine, and the
gates on the body. There is no way from a failure to a text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from draftctl.canon import NOTES, SAFETY, Canon, Note
from draftctl.chain import ChainDeps, Memory, NoMemory, run_chain
from draftctl.chainset import ChainSet, engine_matches
from draftctl.context import Context, gather
from draftctl.engines.base import Completion, Engine, EngineRefused, Request
from draftctl.errors import EngineUnreachable
from draftctl.few_shot import Example
from draftctl.gates import GATES, RULESET
from draftctl.gates.base import Gate, Side
from draftctl.gates.owner import NAME as OWNER
from draftctl.gates.owner import check_owner
from draftctl.manifest import Manifest
from draftctl.models import (
    Alert,
    BundlePart,
    Candidate,
    Drafted,
    Finding,
    Held,
    Person,
    PromptPart,
    Result,
    Step,
    WorkflowRef,
    bundle_hash,
    prompt_hash,
    sha256_text,
)
from draftctl.rendering import RENDERER_VERSION, Facts, MissingAtom, Prompts, render_note, unfilled
from draftctl.routing import Cell, Choice
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
    """What a run hands to every candidate; `chains` is None for the template engine."""

    engine: Engine
    canon: Canon
    gates: Sequence[Gate] = GATES
    chains: Chains | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    gate: str
    rule: str
    text: str
    raises_alert: bool


async def draft_one(candidate: Candidate, person: Person, deps: Deps, memory: Memory | None = None) -> Result:
    """Decide about one candidate. Raises nothing that an engine or a gate may do; bugs pass through."""
    hits = _inbound_hits(candidate, person, deps)
    if hits:
        return _stopped(candidate, hits, person)
    passed = Finding(kind="gate", outcome="pass", detail=f"inbound {RULESET}")
    chosen = _choose(candidate, person, deps.canon)
    result = Result(candidate=candidate, outcome=Held(reason="unclassified"), findings=(passed,))
    if isinstance(chosen, Held):
        return replace(result, outcome=chosen)
    note = chosen
    result = replace(result, note_key=note.key)
    if deps.chains is not None:
        return await _chain(result, note, deps, deps.chains, memory or NoMemory())
    bundle = _bundle(note, deps.canon)
    result = replace(result, bundle=bundle, bundle_hash=bundle_hash(bundle), read=frozenset({NOTES, SAFETY}))
    try:
        text = render_note(note.text, candidate.usable_atoms)
    except MissingAtom as error:
        outcome = Held(reason="missing_atom", detail=f"note {note.key} needs `{error}`")
        return replace(result, outcome=outcome)
    return await _ask(result, note, text, deps)


async def _chain(result: Result, note: Note, deps: Deps, setup: Chains, memory: Memory) -> Result:
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
        body_hits=lambda body, names: body_hits(body, deps.canon, _named(deps.gates, names)),
    )
    done = await run_chain(candidate, workflow, context, chain_deps, memory)
    passed = Finding(kind="gate", outcome="pass", detail=f"body {RULESET}")
    return replace(
        result,
        outcome=done.outcome,
        steps=done.steps,
        findings=(*result.findings, *done.findings, *((passed,) if isinstance(done.outcome, Drafted) else ())),
        bundle=context.bundle,
        bundle_hash=context.bundle_hash,
        workflow=WorkflowRef(id=workflow.id, version=workflow.version, semantic_hash=workflow.semantic_hash),
        read=context.read,
        engine_served=done.served,
        fingerprint=done.fingerprint,
        answered=done.answered,
    )


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


def _inbound_hits(candidate: Candidate, person: Person, deps: Deps) -> list[_Hit]:
    """Run the inbound gates over every message that the prospect wrote; what a person has cleared does not stop again."""
    hits = [hit for gate in deps.gates if "inbound" in gate.sides for hit in _gate_hits(gate, candidate)]
    hits += _owner_hits(candidate, deps.canon)
    # A STOP of somebody who is suppressed is settled already; what else they wrote may still need a person.
    return [
        hit for hit in hits if _alert(hit) not in person.cleared and not (person.opted_out and hit.gate == "opt_out")
    ]


def _stopped(candidate: Candidate, hits: Sequence[_Hit], person: Person) -> Result:
    first = hits[0]
    return Result(
        candidate=candidate,
        outcome=Held(reason=f"gate:{first.gate}", detail=f"inbound, rule {first.rule}"),
        findings=tuple(
            Finding(kind="gate", outcome="hold", reason=hit.gate, detail=f"inbound {hit.rule}") for hit in hits
        ),
        alerts=tuple(dict.fromkeys(_alert(hit) for hit in hits if hit.raises_alert)),
        suppress_person=not person.opted_out and any((hit.gate, hit.rule) == ("opt_out", "bare-word") for hit in hits),
    )


def _gate_hits(gate: Gate, candidate: Candidate) -> list[_Hit]:
    texts = candidate.unanswered if gate.name == "opt_out" else candidate.inbound
    found = ((text, _run(gate, text, "inbound")) for text in dict.fromkeys(texts))
    return [_Hit(gate=gate.name, rule=rule, text=text, raises_alert=gate.raises_alert) for text, rule in found if rule]


def _owner_hits(candidate: Candidate, canon: Canon) -> list[_Hit]:
    patterns = [(p.id, p.words, p.on) for p in canon.patterns]
    found = (
        ((text, check_owner(text, "inbound", patterns)) for text in dict.fromkeys(candidate.inbound))
        if patterns
        else ()
    )
    why = {pattern.id: f"{pattern.id}: {pattern.why}" if pattern.why else pattern.id for pattern in canon.patterns}
    return [_Hit(gate=OWNER, rule=why[rule], text=text, raises_alert=False) for text, rule in found if rule]


def _run(gate: Gate, text: str, side: Side) -> str | None:
    try:
        return gate.check(text, side)
    except Exception as error:  # noqa: BLE001  (a gate that fails holds: that is what it is for)
        return f"failed ({type(error).__name__})"


def _alert(hit: _Hit) -> Alert:
    return Alert(gate=hit.gate, message_sha256=sha256_text(hit.text))


def _choose(candidate: Candidate, person: Person, canon: Canon) -> Held | Note:
    """Say who may not be written to, or which note is the reply."""
    if person.opted_out:
        return Held(reason="opted_out")
    if person.flagged:
        return Held(reason="person_flagged")
    if candidate.mode == "hold":
        return Held(reason="mode_hold")
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


async def _ask(result: Result, note: Note, text: str, deps: Deps) -> Result:
    messages = (PromptPart.of("assistant", text),)
    try:
        completion = await deps.engine.complete(Request(engine_id=deps.engine.id, messages=messages))
    except EngineUnreachable as error:
        return replace(result, outcome=Held(reason="engine_unavailable", detail=error.message))
    except EngineRefused as error:
        return replace(result, outcome=Held(reason=error.reason, detail=error.message), answered=True)
    step = Step(
        n=1,
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
    outcome, findings = _accept(completion, note, deps)
    return replace(
        result,
        outcome=outcome,
        steps=(step,),
        findings=(*result.findings, *findings),
        engine_served=completion.model,
        answered=True,
    )


def _accept(completion: Completion, note: Note, deps: Deps) -> tuple[Drafted | Held, tuple[Finding, ...]]:
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
    hits = body_hits(body, deps.canon, deps.gates)
    if hits:
        findings = tuple(
            Finding(kind="gate", outcome="hold", reason=name, detail=f"body {rule}") for name, rule in hits
        )
        return Held(reason=f"gate:{hits[0][0]}", detail=f"reply, rule {hits[0][1]}", on_body=True), findings
    return Drafted(body=body), (Finding(kind="gate", outcome="pass", detail=f"body {RULESET}"),)


def body_hits(body: str, canon: Canon, gates: Sequence[Gate] = GATES) -> list[tuple[str, str]]:
    """Return every gate and rule that stops a text from being sent; used on drafts and on what a person writes."""
    hits = [(gate.name, rule) for gate in gates if "body" in gate.sides and (rule := _run(gate, body, "body"))]
    owner = check_owner(body, "body", [(p.id, p.words, p.on) for p in canon.patterns])
    return [*hits, (OWNER, owner)] if owner else hits
