"""What a run decided about a candidate, recorded whole: the draft, its steps, decisions, alerts, and the trail."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from draftctl.gates import RULESET
from draftctl.gates.duplicate import DRAFTED
from draftctl.holds import Reopen, hold_kind
from draftctl.models import (
    Drafted,
    Finding,
    Held,
    Outcome,
    Result,
    canonical_json,
    sha256_text,
)
from draftctl.store import audit, checkpoints, decisions, workflows
from draftctl.store.db import utc_now
from draftctl.store.jobs import Claim
from draftctl.store.persons import person, stop_unsent, suppress
from draftctl.store.standing import release_by_itself
from draftctl.store.threads import is_newest, lines, outdate


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What every row of a run carries: which run and engine, what was committed, what reopens its holds, what attests the build.

    `changed` names the files that the run read and that no commit has; a draft is dirty when it read one of them.
    """

    run_id: str
    engine_id: str
    git_commit: str | None
    git_state: str
    reopen_key: str
    attested: str | None = None
    changed: frozenset[str] = frozenset()

    def state_of(self, read: frozenset[str]) -> str:
        """Return the Git state of just the files that a draft read."""
        if self.git_state == "unknown":
            return "unknown"
        return "dirty" if read & self.changed else "clean"


def finish(connection: sqlite3.Connection, claim: Claim, result: Result, provenance: Provenance) -> Outcome | None:
    """Record all that was decided; return the outcome that stands, or None when somebody else has taken the candidate over.

    Person and thread are looked at once more: an alert, a STOP or a newer message that came meanwhile wins over a draft.
    """
    now = utc_now()
    candidate = claim.candidate
    thread = lines(connection, candidate.thread_id)
    outcome = _checked_again(connection, claim, result, thread)
    changed = connection.execute(
        "UPDATE candidates SET status = ?, hold_reason = ?, hold_detail = ?, reopen = ?, reopen_key = ?, attempts = attempts + ?, "
        "owner = NULL, updated_at = ?, redraft_note = CASE WHEN ? THEN NULL ELSE redraft_note END, archetype = ?, "
        "state = ?, template_key = ?, next_state = ?, found = ?, staged = ? "
        "WHERE id = ? AND fence = ? AND status = 'drafting'",
        (
            *_status(outcome, provenance),
            now,
            isinstance(outcome, Drafted),
            *_columns(connection, claim, result),
            candidate.id,
            claim.fence,
        ),
    ).rowcount
    if not changed:
        return None
    alerts_added = _raise_alerts(connection, claim, result, provenance)
    draft_id = "d" + sha256_text(canonical_json([candidate.id, claim.fence, provenance.run_id]))[:11]
    _insert_draft(connection, draft_id, result, outcome, provenance, now)
    checkpoints.settle(connection, candidate.id, outcome)
    if result.workflow and isinstance(outcome, Drafted):
        workflows.note_used(connection, result.workflow, provenance.git_commit, provenance.run_id)
    _insert_steps(connection, draft_id, result)
    decisions.rows(
        connection,
        candidate.id,
        (*result.findings, _last_finding(outcome)),
        draft_id=draft_id,
        engine_id=provenance.engine_id,
        run_id=provenance.run_id,
        at=now,
    )
    detail = {"outcome": "drafted"} if isinstance(outcome, Drafted) else {"outcome": "held", "reason": outcome.reason}
    audit.vouch(
        connection,
        kind="draft",
        subject=draft_id,
        actor="draftctl",
        run_id=provenance.run_id,
        detail={**detail, "candidate": candidate.id, "engine": provenance.engine_id},
    )
    outdate(connection, candidate.id, thread)
    if isinstance(outcome, Drafted) and result.mode == "auto":
        release_by_itself(connection, draft_id, provenance.run_id)
    if alerts_added or result.suppress_person:
        stop_unsent(connection, candidate.person_id, "person_flagged" if alerts_added else "opted_out")
    return outcome


def _last_finding(outcome: Outcome) -> Finding:
    if isinstance(outcome, Drafted):
        return Finding(kind="draft", outcome="drafted")
    return Finding(kind="draft", outcome="held", reason=outcome.reason, detail=outcome.detail)


def _status(
    outcome: Outcome, provenance: Provenance
) -> tuple[str, str | None, str | None, str | None, str | None, int]:
    if isinstance(outcome, Drafted):
        return "drafted", None, None, None, None, 1
    kind = hold_kind(outcome.reason, on_body=outcome.on_body)
    if outcome.reason == "gate:duplicate" and outcome.detail.endswith(DRAFTED):
        kind = replace(kind, reopen=Reopen.NEXT_RUN)  # the older draft is void by then
    return "held", outcome.reason, outcome.detail, kind.reopen, provenance.reopen_key, int(kind.costs_attempt)


def _columns(connection: sqlite3.Connection, claim: Claim, result: Result) -> tuple[str | None, ...]:
    """Return what is known of a candidate now, as its columns: what it came with or a person set, and what the stages filled in."""
    names = ("archetype", "state", "template_key", "next_state", "found", "staged")
    row = connection.execute(
        f"SELECT {', '.join(names)} FROM candidates WHERE id = ?", (claim.candidate.id,)
    ).fetchone()
    staged, before = result.staged, claim.staged
    if staged is None:
        return tuple(row)
    given = {name: None if getattr(before, name) is not None else row[name] for name in names[:4]}
    atoms = {name: value for name, value in json.loads(row["found"] or "{}").items() if name not in before.atoms}
    kept = {name: value for name, value in asdict(staged).items() if value}
    return (
        *(getattr(staged, name) or given[name] for name in names[:4]),
        canonical_json({**staged.atoms, **atoms}) if staged.atoms or atoms else None,
        canonical_json(kept) if kept else None,
    )


def _checked_again(
    connection: sqlite3.Connection, claim: Claim, result: Result, thread: Sequence[sqlite3.Row]
) -> Outcome:
    if not isinstance(result.outcome, Drafted):
        return result.outcome
    now = person(connection, claim.candidate.person_id)
    if now.opted_out:
        return Held(reason="opted_out")
    if now.flagged:
        return Held(reason="person_flagged")
    return result.outcome if is_newest(thread, claim.candidate.id) else Held(reason="superseded")


def _raise_alerts(connection: sqlite3.Connection, claim: Claim, result: Result, provenance: Provenance) -> int:
    added = 0
    candidate, now = claim.candidate, utc_now()
    for alert in result.alerts:
        key = (candidate.person_id, alert.gate, alert.message_sha256)
        if connection.execute(
            "SELECT 1 FROM alerts WHERE person_id = ? AND gate = ? AND message_sha256 = ?", key
        ).fetchone():
            continue
        cursor = connection.execute(
            "INSERT INTO alerts (gate, candidate_id, thread_id, person_id, message_sha256, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            (alert.gate, candidate.id, candidate.thread_id, candidate.person_id, alert.message_sha256, now),
        )
        audit.append(
            connection,
            kind="alert",
            subject=candidate.id,
            actor="draftctl",
            run_id=provenance.run_id,
            detail={"alert": cursor.lastrowid, "gate": alert.gate},
        )
        added += 1
    if result.suppress_person:
        suppress(
            connection, candidate.person_id, by="draftctl", reason="they wrote a STOP word", run_id=provenance.run_id
        )
    return added


def _insert_draft(
    connection: sqlite3.Connection, draft_id: str, result: Result, outcome: Outcome, provenance: Provenance, now: str
) -> None:
    held = outcome if isinstance(outcome, Held) else None
    bundle = result.bundle_hash
    if bundle and not connection.execute("SELECT 1 FROM bundles WHERE bundle_hash = ?", (bundle,)).fetchone():
        members = [[part.kind, part.key, sha256_text(part.content)] for part in result.bundle]
        connection.execute("INSERT INTO bundles VALUES (?, ?)", (bundle, canonical_json(sorted(members))))
        _keep(connection, (part.content for part in result.bundle))
    candidate, workflow = result.candidate, result.workflow
    connection.execute(
        "INSERT INTO drafts (id, candidate_id, thread_id, engine_id, engine_served, attested, fingerprint, workflow_id, workflow_version, "
        "semantic_hash, bundle_hash, git_commit, git_state, template_key, "
        "status, hold_reason, hold_detail, body, run_id, created_at, mode, gates) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            draft_id, candidate.id, candidate.thread_id, provenance.engine_id, result.engine_served, provenance.attested, result.fingerprint,
            workflow.id if workflow else None, workflow.version if workflow else None, workflow.semantic_hash if workflow else None, bundle,
            provenance.git_commit, provenance.state_of(result.read), result.note_key or candidate.template_key, "held" if held else "drafted",
            held.reason if held else None, held.detail if held else None, outcome.body if isinstance(outcome, Drafted) else None,
            provenance.run_id, now, result.mode, None if held else RULESET,
        ),
    )  # fmt: skip


def _keep(connection: sqlite3.Connection, contents: Iterable[str]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO blobs VALUES (?, ?)", [(sha256_text(content), content) for content in contents]
    )


def _insert_steps(connection: sqlite3.Connection, draft_id: str, result: Result) -> None:
    """Keep each piece of the prompts once, and of each step which pieces its messages are put together from."""
    hashes: dict[str, str] = {}
    written: dict[int, str] = {}  # by identity: the steps of a chain share nearly all of their messages
    rows = []
    for step in result.steps:
        for message in step.messages:
            if id(message) not in written:
                hashes |= {piece: sha256_text(piece) for piece in message.pieces if piece not in hashes}
                written[id(message)] = canonical_json([message.role, [hashes[piece] for piece in message.pieces]])
        messages = "[" + ",".join([written[id(message)] for message in step.messages]) + "]"
        settings = canonical_json(step.settings) if step.settings else None
        rows.append(
            (
                draft_id, step.n, step.verb, step.name, step.attempt, step.prompt_hash, messages, step.output,
                step.prompt_tokens, step.completion_tokens, step.cached_tokens, step.finish_reason, step.ms, settings,
            )
        )  # fmt: skip
    connection.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", [(sha, text) for text, sha in hashes.items()])
    connection.executemany("INSERT INTO draft_steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", rows)
