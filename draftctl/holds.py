"""Why a candidate holds: every reason, with its meaning, what to do next, and what reopens it. `docs/holds.md` is made from here."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Reopen(StrEnum):
    """What lets a held candidate back into the queue."""

    PERSON = "person"  # `requeue`, `classify`, or the command that the next step names
    NEXT_RUN = "next_run"  # the next run, by itself
    CHANGE = "change"  # a run that reads another commit, engine or manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldKind:
    """One hold reason: what it means, what a person does next, what reopens it, and whether it costs an attempt."""

    meaning: str
    next_step: str
    reopen: Reopen
    costs_attempt: bool = True


HOLDS: dict[str, HoldKind] = {
    "ambiguous_workflow": HoldKind(
        meaning="Several workflows apply equally, and none is picked by chance.",
        next_step="`draftctl workflow lint` names them: narrow one, add one for what they share, or give one a priority; commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "ambiguous_decision": HoldKind(
        meaning="Several decisions apply equally, and none is picked by chance.",
        next_step="`draftctl workflow lint` names them: narrow one, or give one a priority, in workflows/decisions.yaml; commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "bad_response": HoldKind(
        meaning="The server's answer was no completion (not JSON, no choices, a redirect, an error of the request).",
        next_step="Nothing: the next run asks again. If it stays, `draftctl engine probe` says what stands at the address.",
        reopen=Reopen.NEXT_RUN,
    ),
    "budget": HoldKind(
        meaning="The day's or the month's budget for the GPU is used up.",
        next_step="Nothing: it is drafted once there is money again. Or raise gpu.daily_budget_usd or gpu.monthly_budget_usd; or answer by hand.",
        reopen=Reopen.NEXT_RUN,
        costs_attempt=False,
    ),
    "control_token": HoldKind(
        meaning="A prompt or a reply has in it what a model reads as its own control token.",
        next_step="Look at the prompt (`draftctl show ID --prompt`); answer by hand, or correct the workflow and commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "critique": HoldKind(
        meaning="The workflow's own critique did not let the reply pass.",
        next_step="Answer by hand; or change the workflow, bump its version, commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "empty": HoldKind(
        meaning="The engine's reply, or the note, has no text.",
        next_step="Nothing: the next run asks again. If it stays, look at the note or the workflow.",
        reopen=Reopen.NEXT_RUN,
    ),
    "engine_mismatch": HoldKind(
        meaning="The workflow is bound to other builds than the engine of the run.",
        next_step="Bind the workflow to the build (`engine:`), bump its version, commit; or use another engine.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "engine_unavailable": HoldKind(
        meaning="The engine could not be reached.",
        next_step="Correct the cause if it names one; the next run asks again by itself, and this cost no attempt.",
        reopen=Reopen.NEXT_RUN,
        costs_attempt=False,
    ),
    "dispatch_refused": HoldKind(
        meaning="The receiver said that it does not take this text.",
        next_step="Look at what it says (`draftctl why ID`), then `draftctl reply ID --body TEXT`, or answer by hand.",
        reopen=Reopen.PERSON,
    ),
    "follow_up_limit": HoldKind(
        meaning="Two of our texts stand in this thread without an answer; a third would press.",
        next_step="Nothing: it is their turn. Or answer by hand.",
        reopen=Reopen.PERSON,
    ),
    "held_by_person": HoldKind(
        meaning="A person who reviewed it held it back.",
        next_step="`draftctl reply ID --body TEXT` answers it, `draftctl redraft ID --note TEXT` drafts it anew, `draftctl correct ID --verdict approved` lets it go after all.",
        reopen=Reopen.PERSON,
    ),
    "internal_error": HoldKind(
        meaning="draftctl itself failed on this candidate; the rest of the batch ran.",
        next_step="Report the place that it names, and answer by hand; another version or commit tries again.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "invalid_step": HoldKind(
        meaning="A step's answer was not one of its options, or does not meet its schema, twice.",
        next_step="Nothing: the next run asks again. If it stays, `draftctl engine probe` says whether the server constrains at all.",
        reopen=Reopen.NEXT_RUN,
    ),
    "missing_atom": HoldKind(
        meaning="The note, or the workflow, uses a fact that this thread does not have.",
        next_step="Answer by hand, or change the note (or the workflow, with a bump) so that it needs no such fact, and commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "missing_note": HoldKind(
        meaning="The template key names no note in the pastebin.",
        next_step="`draftctl classify ID --key KEY` picks another note; or write the note and commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "mode_hold": HoldKind(
        meaning="The candidate came with mode `hold`: no draft is to be made.",
        next_step="Answer by hand.",
        reopen=Reopen.PERSON,
    ),
    "no_consent": HoldKind(
        meaning="Nobody is named who consented to texts in this voice, or that is to be looked at again; the approved text waits.",
        next_step="Fill in persona in draftctl.yaml: consented_by, consented_at, review_by. Then run dispatch again.",
        reopen=Reopen.PERSON,
        costs_attempt=False,
    ),
    "no_decision": HoldKind(
        meaning="No decision is for this archetype, state and what is known, so no note is chosen.",
        next_step="`draftctl classify ID --key KEY` answers this one; a line in workflows/decisions.yaml, committed, the next.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "no_workflow": HoldKind(
        meaning="No workflow applies to this archetype, state and template key.",
        next_step="`draftctl workflow why` shows what was considered; widen a workflow or write one, commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "opted_out": HoldKind(
        meaning="This person asked to stop; nothing is written to them.",
        next_step="Nothing. `draftctl unsuppress PERSON --by NAME --reason TEXT` if they came back of their own will.",
        reopen=Reopen.PERSON,
    ),
    "over_length": HoldKind(
        meaning="The reply is longer than allowed; it is never cut.",
        next_step="Shorten the note, or raise the note's or the workflow's limit, and commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "person_flagged": HoldKind(
        meaning="An alert about this person is open: minor, coercion, self-harm, a threat or a legal threat.",
        next_step="`draftctl alerts` shows it; `draftctl alerts clear ALERT --by NAME --reason TEXT` settles it.",
        reopen=Reopen.PERSON,
    ),
    "prompt_too_long": HoldKind(
        meaning="The prompt does not fit what the server reads; nothing was sent.",
        next_step="Answer by hand; or shorten the context of the workflow, bump its version, commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "stale": HoldKind(
        meaning="A newer message came in this thread after the draft was made.",
        next_step="Nothing: the newer message has a candidate of its own.",
        reopen=Reopen.PERSON,
    ),
    "superseded": HoldKind(
        meaning="A newer message of the same thread came in before this one was answered; that one is answered for both.",
        next_step="Nothing: the newer message has a candidate of its own.",
        reopen=Reopen.PERSON,
    ),
    "dispatch_unknown": HoldKind(
        meaning="It is unclear whether the text left, so it is never sent again.",
        next_step="`draftctl reconcile` asks the receiver. Or look in the messages app, then `draftctl reconcile ID --arrived` or `--lost`.",
        reopen=Reopen.PERSON,
    ),
    "truncated": HoldKind(
        meaning="The engine stopped before the reply was whole.",
        next_step="Nothing: the next run asks again.",
        reopen=Reopen.NEXT_RUN,
    ),
    "unclassified": HoldKind(
        meaning="Nothing says who writes or where the thread stands, so no note is chosen.",
        next_step="`draftctl classify ID --key KEY` sets it; `draftctl run` classifies by workflows/classify.yaml.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "unversioned": HoldKind(
        meaning="Nothing is committed here, so no draft could say which workflow made it.",
        next_step="`git init && git add -A && git commit` in the workspace; or `--allow-dirty` for a trial.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "version_reused": HoldKind(
        meaning="The workflow was changed and kept a version that stands for other content.",
        next_step="Bump the version with the command that it names, then commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "workflow_invalid": HoldKind(
        meaning="The workflow's file has an error, so only its own candidates hold.",
        next_step="`draftctl workflow lint` shows what is wrong with it; correct that and commit.",
        reopen=Reopen.CHANGE,
        costs_attempt=False,
    ),
    "wrong_build": HoldKind(
        meaning="The server answered for another model build than the one asked for.",
        next_step="Check what the server serves (`draftctl engine probe`); the next run asks again, and this cost no attempt.",
        reopen=Reopen.NEXT_RUN,
        costs_attempt=False,
    ),
}

_ALERT = " Then settle the alert (`draftctl alerts`)."
# What a person does about a message that a gate stopped; other gates: read it and answer by hand.
_INBOUND_NEXT = {
    "minor": "Do not answer before you know that they are of age." + _ALERT,
    "coercion": "Read it now. Do not answer about a meeting; help, or get help." + _ALERT,
    "self_harm": "Read it now. If somebody answers, it is a person, kindly and at once." + _ALERT,
    "threat": "Do not answer. Keep it, and tell somebody you trust." + _ALERT,
    "legal_threat": "Do not answer before you have taken advice." + _ALERT,
    "opt_out": "Do not answer. If they mean it, `draftctl suppress PERSON`; if they do not, answer by hand.",
    "identity": "Answer by hand, and truthfully.",
}
_INBOUND_GATE = HoldKind(
    meaning="A safety gate stopped on what the person wrote.",
    next_step="Read the thread and answer by hand.",
    reopen=Reopen.PERSON,
)
_BODY_GATE = HoldKind(
    meaning="A safety gate stopped the reply's text, also after the redrafts that the workflow allows.",
    next_step="Correct the note or the workflow, commit; the next run tries again. Or answer by hand.",
    reopen=Reopen.CHANGE,
    costs_attempt=False,
)


def hold_kind(reason: str, *, on_body: bool = False) -> HoldKind:
    """Look up a reason, `gate:<name>` included (a gate on the reply's text reopens on a change, one on the inbound never)."""
    if reason.startswith("gate:"):
        return _BODY_GATE if on_body else _INBOUND_GATE
    return HOLDS[reason]


def next_step(reason: str, *, on_body: bool = False, candidate_id: str = "ID", person_id: str = "PERSON") -> str:
    """Say what to do about a held candidate, with its own ids in the commands."""
    gate = reason.removeprefix("gate:")
    text = hold_kind(reason, on_body=on_body).next_step
    if gate != reason and not on_body:
        text = _INBOUND_NEXT.get(gate, text)
    return text.replace(" ID", f" {candidate_id}").replace("PERSON", person_id)


def holds_page() -> str:
    """Render docs/holds.md."""
    rows = [(f"`{name}`", kind) for name, kind in sorted(HOLDS.items())]
    rows += [
        (f"`gate:{gate}` on the inbound", replace(_INBOUND_GATE, next_step=step))
        for gate, step in sorted(_INBOUND_NEXT.items())
    ]
    rows += [("`gate:<other>` on the inbound", _INBOUND_GATE), ("`gate:<name>` on the reply", _BODY_GATE)]
    reopens = {
        Reopen.PERSON: "a person",
        Reopen.NEXT_RUN: "the next run",
        Reopen.CHANGE: "a new commit, engine or manifest",
    }
    lines = ["| reason | what it means | what to do | reopened by |", "|---|---|---|---|"]
    lines += [f"| {name} | {kind.meaning} | {kind.next_step} | {reopens[kind.reopen]} |" for name, kind in rows]
    return (
        "# Hold reasons\n\nA candidate that holds gets no reply until its reason is settled. "
        "`draftctl holds` lists them.\n"
        "This page is generated from `draftctl/holds.py`; `make docs` writes it.\n\n" + "\n".join(lines) + "\n"
    )
