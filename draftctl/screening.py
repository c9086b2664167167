"""Gate-2: the gates over what a person wrote, before anything else, and over a body, before it may leave. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from draftctl.canon import Canon
from draftctl.gates import GATES
from draftctl.gates.base import NOTHING, Around, Gate, Side
from draftctl.gates.owner import NAME as OWNER
from draftctl.gates.owner import check_owner
from draftctl.models import Alert, Candidate, Finding, Held, Person, Result, sha256_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A message that a gate stops on: which gate, which rule, the text, and whether a person must be told."""

    gate: str
    rule: str
    text: str
    raises_alert: bool


def inbound_hits(candidate: Candidate, person: Person, gates: Sequence[Gate], canon: Canon) -> list[Hit]:
    """Run the inbound gates over every message that the prospect wrote; what a person has cleared does not stop again."""
    own = replace(candidate, messages=candidate.own, prior=0) if candidate.prior else candidate
    hits = [hit for gate in gates if "inbound" in gate.sides for hit in _gate_hits(gate, own)]
    hits += _owner_hits(own, canon)
    if candidate.prior:
        # What stopped in an earlier line and has not been answered since must not be answered by the way now; of an alert the person
        # bears the flag, unless it came in this very batch.
        earlier = replace(candidate, messages=candidate.messages[: candidate.prior], prior=0)
        left = replace(earlier, messages=earlier.messages[len(earlier.messages) - len(earlier.unanswered) :])
        hits += [
            h
            for gate in gates
            if "inbound" in gate.sides and not (gate.raises_alert and person.flagged)
            for h in _gate_hits(gate, left)
        ]
        hits += _owner_hits(left, canon)
    # A STOP of somebody who is suppressed is settled already; what else they wrote may still need a person.
    return [
        hit for hit in hits if _alert(hit) not in person.cleared and not (person.opted_out and hit.gate == "opt_out")
    ]


def stopped(candidate: Candidate, hits: Sequence[Hit], person: Person) -> Result:
    """Return the hold that the hits make, with its alerts."""
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


def _gate_hits(gate: Gate, candidate: Candidate) -> list[Hit]:
    texts = candidate.unanswered if gate.name == "opt_out" else candidate.inbound
    found = ((text, _run(gate, text, "inbound")) for text in dict.fromkeys(texts))
    return [Hit(gate=gate.name, rule=rule, text=text, raises_alert=gate.raises_alert) for text, rule in found if rule]


def _owner_hits(candidate: Candidate, canon: Canon) -> list[Hit]:
    patterns = [(p.id, p.words, p.on) for p in canon.patterns]
    found = (
        ((text, check_owner(text, "inbound", patterns)) for text in dict.fromkeys(candidate.inbound))
        if patterns
        else ()
    )
    why = {pattern.id: f"{pattern.id}: {pattern.why}" if pattern.why else pattern.id for pattern in canon.patterns}
    return [Hit(gate=OWNER, rule=why[rule], text=text, raises_alert=False) for text, rule in found if rule]


def _run(gate: Gate, text: str, side: Side, around: Around = NOTHING) -> str | None:
    try:
        return gate.check(text, side, around)
    except Exception as error:  # noqa: BLE001  (a gate that fails holds: that is what it is for)
        return f"failed ({type(error).__name__})"


def _alert(hit: Hit) -> Alert:
    return Alert(gate=hit.gate, message_sha256=sha256_text(hit.text))


def body_hits(
    body: str, canon: Canon, gates: Sequence[Gate] = GATES, around: Around = NOTHING
) -> list[tuple[str, str]]:
    """Return every gate and rule that stops a text from being sent; used on drafts and on what a person writes."""
    found = [
        (gate.contextual, gate.name, rule)
        for gate in gates
        if "body" in gate.sides and (rule := _run(gate, body, "body", around))
    ]
    owner = check_owner(body, "body", [(p.id, p.words, p.on) for p in canon.patterns])
    if owner:
        found.append((False, OWNER, owner))
    # What is wrong with the text itself is said before what is wrong with it here.
    return [(name, rule) for contextual, name, rule in sorted(found, key=lambda hit: hit[0])]
