"""What a person decides about candidates: classifications, alerts settled, candidates put back. Each in the caller's transaction."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from draftctl.corrections import clean
from draftctl.errors import UsageError
from draftctl.gates import opt_out
from draftctl.inbox import candidate_from_payload
from draftctl.models import Candidate, Finding, Person, Staged, Thread, canonical_json, sha256_text
from draftctl.runner import without_staged
from draftctl.store import audit, leases_of_review, threads
from draftctl.store.corrections import MAX_NOTE_CHARS
from draftctl.store.db import utc_now
from draftctl.store.decisions import decide
from draftctl.store.persons import SAME, person, reopen_person
from draftctl.store.standing import find_candidate, leaving, newest_draft, refuse_erased, void

_UNSET = (
    "unclassified",
    "mode_hold",
    "no_decision",
    "ambiguous_decision",
    "missing_note",
    "missing_atom",
    "over_length",
)


def person_meant(connection: sqlite3.Connection, word: str) -> str:
    """Return the person that a word means: a person's id, or that of one of their candidates. Any other word stands for itself."""
    if connection.execute("SELECT 1 FROM candidates WHERE person_id = ? LIMIT 1", (word,)).fetchone():
        return word
    row = connection.execute("SELECT person_id FROM candidates WHERE id = ?", (word,)).fetchone()
    return str(row["person_id"]) if row else word


def situation(connection: sqlite3.Connection, word: str) -> tuple[sqlite3.Row, Candidate, Person, Thread]:
    """Return a candidate as it came in or a person set it, with what was written before, its person, and its thread."""
    row = find_candidate(connection, word)
    refuse_erased(row)
    history = threads.encoded(threads.before(connection, row))
    candidate = replace(
        candidate_from_payload(row["payload"], history, row["found"]),
        archetype=row["archetype"],
        state=row["state"],
        template_key=row["template_key"],
    )
    candidate = without_staged(candidate, Staged(**json.loads(row["staged"] or "{}")))
    known = threads.facts(connection, row, candidate.messages, threads.lines(connection, row["thread_id"]))
    return row, candidate, person(connection, row["person_id"]), known


def classify(
    connection: sqlite3.Connection, word: str, staged: Staged, *, by: str, findings: Sequence[Finding] = ()
) -> str:
    """Set what a candidate came without (None leaves it), and put it back into the queue; return its id.

    Without `findings` a person has set it, and no later run sets it otherwise; with them our own stages have, and a later run does it anew.
    Raises UsageError when it has a draft already.
    """
    row = find_candidate(connection, word)
    if row["status"] not in ("waiting", "held"):
        raise UsageError(f"{row['id']} is {row['status']} already.", hint="`draftctl requeue ID` puts it back first.")
    reopened = row["status"] == "held" and row["hold_reason"] in _UNSET
    given = {"archetype": staged.archetype, "state": staged.state, "template_key": staged.template_key}
    before: dict[str, Any] = json.loads(row["staged"] or "{}")
    left = asdict(staged) if findings else {k: v for k, v in before.items() if not given.get(k)}
    if not findings:
        left["atoms"] = {k: v for k, v in (left.get("atoms") or {}).items() if k not in staged.atoms}
        if staged.template_key:  # what the old note would have led to and how it may leave is the old note's
            left = {k: v for k, v in left.items() if k not in ("next_state", "mode")}
    left = {k: v for k, v in left.items() if v}
    found = {**json.loads(row["found"] or "{}"), **staged.atoms}
    next_state = staged.next_state if staged.template_key else row["next_state"]
    connection.execute(
        "UPDATE candidates SET archetype = coalesce(?, archetype), state = coalesce(?, state), template_key = coalesce(?, template_key), "
        "next_state = ?, found = ?, staged = ?, "
        "status = CASE WHEN ? THEN 'waiting' ELSE status END, hold_reason = CASE WHEN ? THEN NULL ELSE hold_reason END, updated_at = ? WHERE seq = ?",
        (
            staged.archetype, staged.state, staged.template_key, next_state, canonical_json(found) if found else None,
            canonical_json(left) if left else None, reopened, reopened, utc_now(), row["seq"],
        ),
    )  # fmt: skip
    said = " ".join(f"{name}={value}" for name, value in given.items() if value)
    atoms = f"atoms {', '.join(sorted(staged.atoms))}" if staged.atoms else ""
    by_hand = Finding(kind="classify", outcome="set", detail=" ".join(p for p in (said, atoms, f"by {by}") if p))
    decide(connection, row["id"], *(findings or (by_hand,)))
    audit.append(connection, kind="classify", subject=row["id"], actor=by, detail={k: v for k, v in given.items() if v})
    return str(row["id"])


def requeue(
    connection: sqlite3.Connection, word: str, *, by: str, note: str | None = None, token: str | None = None
) -> str:
    """Put a held, rejected or drafted candidate back to be drafted anew; return its id. Its earlier drafts stay in the record.

    With a note the next chain is shown the earlier reply and asked to write it again that way.
    """
    row = find_candidate(connection, word)
    refuse_erased(row)
    if row["status"] == "sent" or leaving(connection, row["id"]):
        raise UsageError(f"{row['id']} has been answered already; it is not drafted again.")
    if row["status"] == "drafting":
        raise UsageError(f"{row['id']} is being drafted right now.")
    note = clean(note) if note is not None else None
    if note is not None and not 0 < len(note) <= MAX_NOTE_CHARS:
        raise UsageError(f"The note needs 1 to {MAX_NOTE_CHARS:,} characters: say what the reply should be.")
    leases_of_review.check(connection, row["id"], token=token, author=by)
    draft = newest_draft(connection, row["id"])
    void(connection, row["id"])
    connection.execute(
        "UPDATE candidates SET status = 'waiting', hold_reason = NULL, hold_detail = NULL, attempts = 0, updated_at = ?, "
        "redraft_note = ?, redraft_of = ? WHERE seq = ?",
        (utc_now(), note, draft["id"] if note and draft else None, row["seq"]),
    )
    outcome = "requeued" if note is None else "redraft"
    decide(connection, row["id"], Finding(kind="review", outcome=outcome, detail=f"by {by}"))
    audit.append(connection, kind="requeue", subject=row["id"], actor=by)
    leases_of_review.drop(connection, row["id"])
    return str(row["id"])


def clear_alert(connection: sqlite3.Connection, alert_id: int, *, by: str, reason: str) -> int:
    """Settle an alert by name and with a reason; return how many of the person's candidates that puts back into the queue.

    The candidate that raised it stays held: a person answers it, or `requeue` puts it back on purpose.
    """
    row = connection.execute("SELECT * FROM alerts WHERE id = ?", (alert_id,)).fetchone()
    if row is None:
        raise UsageError(f"There is no alert {alert_id}.", hint="`draftctl alerts` lists them.")
    if row["acknowledged_at"] is not None:
        raise UsageError(f"Alert {alert_id} was settled by {row['acknowledged_by']} on {row['acknowledged_at'][:10]}.")
    connection.execute(
        "UPDATE alerts SET acknowledged_at = ?, acknowledged_by = ?, reason = ? WHERE id = ?",
        (utc_now(), by, reason, alert_id),
    )
    audit.append(
        connection,
        kind="alert_cleared",
        subject=row["candidate_id"],
        actor=by,
        detail={"alert": alert_id, "reason": reason},
    )
    if person(connection, row["person_id"]).flagged:
        return 0
    return reopen_person(connection, row["person_id"], "person_flagged")


def unsuppress(connection: sqlite3.Connection, person_id: str, *, by: str, reason: str) -> int:
    """Let a person be written to again; return how many candidates that puts back. Raises UsageError when they are not suppressed."""
    changed = connection.execute(
        "UPDATE suppressions SET lifted_at = ?2, lifted_by = ?3, lifted_reason = ?4 "
        f"WHERE person_id IN ({SAME}) AND lifted_at IS NULL",
        (person_id, utc_now(), by, reason),
    ).rowcount
    if not changed:
        raise UsageError(f"{person_id!r} is not suppressed.", hint="`draftctl suppressions` shows who is.")
    _clear_opt_outs(connection, person_id, by=by, reason=reason)
    audit.append(connection, kind="unsuppress", subject=person_id, actor=by, detail={"reason": reason})
    return reopen_person(connection, person_id, "opted_out")


def _clear_opt_outs(connection: sqlite3.Connection, person_id: str, *, by: str, reason: str) -> None:
    """Note the messages that asked to stop as looked at: they stand in the thread for ever, and must not suppress again."""
    now = utc_now()
    for row in connection.execute(
        f"SELECT id, thread_id, payload FROM candidates WHERE person_id IN ({SAME})", (person_id,)
    ).fetchall():
        for text in candidate_from_payload(row["payload"]).inbound:
            if opt_out.GATE.check(text, "inbound"):
                connection.execute(
                    "INSERT INTO alerts (gate, candidate_id, thread_id, person_id, message_sha256, created_at, acknowledged_at, "
                    "acknowledged_by, reason) VALUES ('opt_out', ?, ?, ?, ?, ?, ?, ?, ?)",
                    (row["id"], row["thread_id"], person_id, sha256_text(text), now, now, by, reason),
                )
