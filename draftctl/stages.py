"""The stages before the draft: classify, decide, mode. Each fills in only what a candidate came without. Pure.

classify    archetype, state and atoms: by the rules of workflows/classify.yaml, or by a model build that is asked its steps
decide      the note (templateKey), and the state in which sending it leaves the thread: by workflows/decisions.yaml
mode        auto, review or hold: the candidate's own, else the decision's, else the workspace's
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from draftctl.chain import Answers, ChainDeps, run_questions
from draftctl.classifier import CLASSIFY, KINDS, TRUSTED, Classifier, Situation
from draftctl.context import Context
from draftctl.decisions import DECISIONS, Decisions, spell_cell
from draftctl.memory import Memory
from draftctl.models import Candidate, Finding, Held, Mode, Staged, Step, Thread, is_known
from draftctl.routing import Cell
from draftctl.vocab import VOCAB

NO_DECISION, TIED = "no_decision", "ambiguous_decision"
_MAX_ATOMS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What asks a model build about who writes: its chain's dependencies, and the context of its steps."""

    deps: ChainDeps
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What a run hands to every candidate for the stages before the draft; a file that is not there leaves its stage to others.

    `wrong` says which of the files cannot be used: what needs it holds, and so.
    """

    classifier: Classifier | None = None
    decisions: Decisions | None = None
    asking: Asking | None = None
    wrong: Mapping[str, Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What came of the stages: the candidate with what was filled in, or why it holds; and all that was decided and asked."""

    candidate: Candidate
    staged: Staged = field(default_factory=Staged)
    mode: Mode | None = None
    held: Held | None = None
    findings: tuple[Finding, ...] = ()
    steps: tuple[Step, ...] = ()
    answered: bool = False
    read: frozenset[str] = frozenset()


async def fill(candidate: Candidate, thread: Thread, stages: Stages, memory: Memory) -> Filled:
    """Fill in what the candidate came without."""
    filled = await _classify(Filled(candidate=candidate), thread, stages, memory)
    return filled if filled.held else _decide(filled, stages)


async def _classify(filled: Filled, thread: Thread, stages: Stages, memory: Memory) -> Filled:
    candidate = filled.candidate
    if candidate.archetype and candidate.state:
        return _with_atoms(filled, stages.classifier)
    if "classify" in stages.wrong:
        return replace(filled, held=stages.wrong["classify"])
    classifier = stages.classifier
    if classifier is None:
        return filled if candidate.template_key else replace(filled, held=Held(reason="unclassified"))
    atoms = {**classifier.found(candidate.inbound), **candidate.usable_atoms}
    asked: Answers | None = None
    if stages.asking is not None and classifier.workflow is not None:
        asked = await run_questions(candidate, classifier.workflow, stages.asking.context, stages.asking.deps, memory)
        filled = replace(filled, steps=asked.steps, answered=asked.answered, read=stages.asking.context.read)
        if asked.left is None:
            held = asked.held or Held(reason="unclassified")
            finding = Finding(kind="classify", outcome="held", reason=held.reason, engine_id=_asked_of(stages))
            return replace(filled, held=held, findings=(finding,))
        atoms = {**_extracted(asked.left), **atoms}
    return _settle(filled, Situation.of(candidate, thread.state, atoms), atoms, classifier, stages, asked)


def _with_atoms(filled: Filled, classifier: Classifier | None) -> Filled:
    """Return a candidate that came classified with the facts that stand in what was written."""
    candidate = filled.candidate
    found = classifier.found(candidate.inbound) if classifier is not None else {}
    found = {name: value for name, value in found.items() if name not in candidate.usable_atoms}
    if not found:
        return filled
    finding = Finding(kind="classify", outcome="set", detail=f"atoms {', '.join(sorted(found))}", engine_id="rules")
    return replace(
        filled,
        candidate=replace(candidate, atoms={**found, **candidate.usable_atoms}),
        staged=replace(filled.staged, atoms=found),
        findings=(*filled.findings, finding),
        read=filled.read | {CLASSIFY, VOCAB},
    )


def _settle(
    filled: Filled,
    situation: Situation,
    atoms: dict[str, Any],
    classifier: Classifier,
    stages: Stages,
    asked: Answers | None,
) -> Filled:
    """Put together what the rules and the model say; what the candidate came with stands."""
    candidate, words, where, differ = filled.candidate, {}, [], []
    answers = asked.left or {} if asked else {}
    for kind, one in KINDS:
        words[one] = getattr(candidate, one)
        if words[one]:
            continue
        by_model = answers.get(one)
        by_rule = classifier.say(kind, situation) if by_model is None or classifier.compare else None
        if by_model is None and by_rule is None:
            held = Held(reason="unclassified", detail=f"no rule of workflows/classify.yaml says the {one}")
            finding = Finding(kind="classify", outcome="held", reason="unclassified", detail=f"no {one}")
            return replace(filled, held=held, findings=(*filled.findings, finding))
        words[one] = str(by_model) if by_model is not None else by_rule.value if by_rule else ""
        where.append(f"{one} {words[one]} ({'asked' if by_model is not None else by_rule.where if by_rule else ''})")
        if by_rule is not None and by_rule.value != words[one]:
            differ.append(f"{one}: {by_rule.where} says {by_rule.value}, the model {words[one]}")
    found = {name: value for name, value in atoms.items() if name not in candidate.usable_atoms}
    if found:
        where.append(f"atoms {', '.join(sorted(found))}")
    engine = _asked_of(stages) if asked else "rules"
    findings = [Finding(kind="classify", outcome="set", detail="; ".join(where), engine_id=engine)]
    if differ:
        findings.append(Finding(kind="classify", outcome="disagree", detail="; ".join(differ), engine_id=engine))
    staged = replace(
        filled.staged,
        archetype=None if candidate.archetype else words["archetype"],
        state=None if candidate.state else words["state"],
        atoms=found,
    )
    candidate = replace(
        candidate, archetype=words["archetype"], state=words["state"], atoms={**found, **candidate.usable_atoms}
    )
    return replace(
        filled,
        candidate=candidate,
        staged=staged,
        findings=(*filled.findings, *findings),
        read=filled.read | {CLASSIFY, VOCAB},
    )


def _asked_of(stages: Stages) -> str | None:
    return stages.asking.deps.engine.id if stages.asking else None


def _extracted(left: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that the model's `extract` steps left: short values, never those that nobody may claim of themselves."""
    found: dict[str, Any] = {}
    for value in left.values():
        if isinstance(value, Mapping):
            for name, item in value.items():
                usable = isinstance(item, (int, float)) or (isinstance(item, str) and item.strip())
                if usable and not isinstance(item, bool) and name not in TRUSTED and len(found) < _MAX_ATOMS:
                    found[str(name)] = item
    return found


def _decide(filled: Filled, stages: Stages) -> Filled:
    candidate = filled.candidate
    if candidate.template_key:
        return filled
    if "decisions" in stages.wrong:
        return replace(filled, held=stages.wrong["decisions"])
    if stages.decisions is None:
        return replace(filled, held=Held(reason="unclassified", detail="there is no workflows/decisions.yaml"))
    known = frozenset(name for name, value in candidate.usable_atoms.items() if is_known(value))
    cell = Cell(archetype=candidate.archetype, state=candidate.state, atoms=known)
    choice = stages.decisions.choose(cell)
    if choice.winner is None:
        reason = NO_DECISION if choice.reason == "none" else TIED
        situation = spell_cell(replace(cell, atoms=frozenset()))
        detail = f"{situation}: {choice.detail}"
        finding = Finding(kind="decide", outcome="held", reason=reason, detail=detail)
        return replace(filled, held=Held(reason=reason, detail=detail), findings=(*filled.findings, finding))
    decision = stages.decisions.by_id[choice.winner.id]
    finding = Finding(
        kind="decide",
        outcome=decision.template_key or "hold",
        reason=decision.id,
        detail=choice.detail + (f"; then {decision.next_state}" if decision.next_state else ""),
    )
    return replace(
        filled,
        candidate=replace(candidate, template_key=decision.template_key),
        staged=replace(
            filled.staged, template_key=decision.template_key, next_state=decision.next_state, mode=decision.mode
        ),
        mode=decision.mode,
        findings=(*filled.findings, finding),
        read=filled.read | {DECISIONS, VOCAB},
    )
