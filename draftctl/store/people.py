"""What a person decides: verdicts on drafts, classifications, alerts settled, candidates put back. Each in the caller's transaction."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from draftctl.errors import UsageError
from draftctl.failpoints import reach
from draftctl.gates import opt_out
from draftctl.holds import hold_kind, next_step
from draftctl.inbox import candidate_from_payload
from draftctl.models import Finding, sha256_text
from draftctl.store import audit
from draftctl.store.db import utc_now
from draftctl.store.jobs import is_newest_of_thread
from draftctl.store.persons import SAME, person, reopen_person
from draftctl.store.results import decide

MAX_BODY_CHARS = 2000  # what the outbox takes (store/schema.py)
BodyHits = Callable[[str], list[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A person's word on a draft: approved, edited (with the new text) or rejected; tags, a note, who says so."""

    verdict: str
    author: str
    body: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    override: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What became of a verdict: its row, and the gate that keeps the text from leaving (or None)."""

    correction_id: int
    draft_id: str
    verdict: str
    stopped_by: str | None
    hits: tuple[str, ...] = ()


def find_draft(connection: sqlite3.Connection, word: str) -> sqlite3.Row:
    """Return the draft that a person means: its id, the start of it, or its candidate's id (then the newest).

    Raises UsageError when there is none, or several.
    """
    row = connection.execute("SELECT * FROM drafts WHERE id = ?", (word,)).fetchone()
    if row is None:
        row = connection.execute(
            "SELECT * FROM drafts WHERE candidate_id = ? ORDER BY seq DESC LIMIT 1", (word,)
        ).fetchone()
    if row is None and len(word) >= 4:  # noqa: PLR2004  (shorter would hit by chance)
        rows = connection.execute(
            "SELECT * FROM drafts WHERE substr(id, 1, ?) = ? LIMIT 2", (len(word), word)
        ).fetchall()
        row = rows[0] if len(rows) == 1 else None
    if row is None:
        if connection.execute("SELECT 1 FROM candidates WHERE id = ?", (word,)).fetchone():
            raise UsageError(f"Candidate {word} has no draft yet.", hint="`draftctl draft --batch` drafts what waits.")
        raise UsageError(f"There is no draft and no candidate {word!r}.", hint="`draftctl drafts list` shows them.")
    return row  # type: ignore[no-any-return]


def find_candidate(connection: sqlite3.Connection, word: str) -> sqlite3.Row:
    """Return a candidate by its id or by one of its drafts' ids. Raises UsageError when there is none."""
    row = connection.execute("SELECT * FROM candidates WHERE id = ?", (word,)).fetchone()
    if row is None:
        draft = find_draft(connection, word)
        row = connection.execute("SELECT * FROM candidates WHERE id = ?", (draft["candidate_id"],)).fetchone()
    return row  # type: ignore[no-any-return]


def correct(connection: sqlite3.Connection, word: str, verdict: Verdict, body_hits: BodyHits) -> Corrected:
    """Take a verdict. Approved and edited release the text into the outbox, in this transaction; a text that a gate stops is kept but stays.

    Raises UsageError when the verdict cannot be taken, with why.
    """
    draft = find_draft(connection, word)
    candidate = connection.execute("SELECT * FROM candidates WHERE id = ?", (draft["candidate_id"],)).fetchone()
    _refuse(connection, draft, candidate, verdict)
    body = {"approved": draft["body"], "edited": (verdict.body or "").strip(), "rejected": None}[verdict.verdict]
    hits = body_hits(body) if body else []
    stopped_by = f"gate:{hits[0][0]}" if hits else None
    cursor = connection.execute(
        "INSERT INTO prospect_corrections (draft_id, candidate_id, thread_id, engine_id, workflow_id, workflow_version, verdict, original, "
        "body, tags, note, author, stopped_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            draft["id"], draft["candidate_id"], draft["thread_id"], draft["engine_id"], draft["workflow_id"], draft["workflow_version"],
            verdict.verdict, draft["body"], body, json.dumps(sorted(set(verdict.tags))), verdict.note, verdict.author, stopped_by, utc_now(),
        ),
    )  # fmt: skip
    correction_id = int(cursor.lastrowid or 0)
    audit.vouch(
        connection, kind="correct", subject=str(correction_id), actor=verdict.author, detail={"draft": draft["id"]}
    )
    decide(
        connection,
        candidate["id"],
        Finding(kind="review", outcome=verdict.verdict, reason=stopped_by or "", detail=f"by {verdict.author}"),
        draft_id=draft["id"],
        engine_id=draft["engine_id"],
    )
    _apply(connection, draft, candidate, verdict, body if not stopped_by else None, correction_id)
    reach("correct.in_transaction")
    return Corrected(
        correction_id=correction_id,
        draft_id=draft["id"],
        verdict=verdict.verdict,
        stopped_by=stopped_by,
        hits=tuple(f"gate:{name} (rule {rule})" for name, rule in hits),
    )


def _refuse(connection: sqlite3.Connection, draft: sqlite3.Row, candidate: sqlite3.Row, verdict: Verdict) -> None:
    if draft["status"] != "drafted":
        raise UsageError(f"{draft['id']} is held ({draft['hold_reason']}): there is no text to judge.")
    if candidate["status"] == "sent" or _leaving(connection, candidate["id"]):
        raise UsageError(
            f"{draft['id']} has left already, or may have.", hint="What has left cannot be taken back here."
        )
    last = connection.execute(
        "SELECT verdict FROM prospect_corrections WHERE draft_id = ? ORDER BY id DESC LIMIT 1", (draft["id"],)
    ).fetchone()
    overturns = last is not None and last["verdict"] == "rejected" and verdict.verdict != "rejected"
    if overturns and not (verdict.override and verdict.note):
        raise UsageError(f"{draft['id']} was rejected.", hint="--override with --note WHY overturns a rejection.")
    if verdict.verdict == "edited" and not (verdict.body or "").strip():
        raise UsageError("An edit needs the new text.", hint="--body TEXT or --body-file FILE.")
    if len((verdict.body or "").strip()) > MAX_BODY_CHARS:
        raise UsageError(f"The text has {len(verdict.body or ''):,} characters; at most {MAX_BODY_CHARS:,} are sent.")
    if verdict.verdict != "rejected":
        reason = why_unsendable(connection, draft, candidate)
        if reason:
            step = next_step(reason, candidate_id=candidate["id"], person_id=candidate["person_id"])
            raise UsageError(f"{draft['id']} cannot be released ({reason}): {hold_kind(reason).meaning}", hint=step)


def _leaving(connection: sqlite3.Connection, candidate_id: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM outbox WHERE candidate_id = ? AND status IN ('sending', 'sent', 'unknown')", (candidate_id,)
    ).fetchone()
    return row is not None


def why_unsendable(connection: sqlite3.Connection, draft: sqlite3.Row, candidate: sqlite3.Row) -> str | None:
    """Return the hold reason that keeps a draft from being released or sent now, or None."""
    known = person(connection, candidate["person_id"])
    if known.flagged:
        return "person_flagged"
    if known.opted_out:
        return "opted_out"
    newest = connection.execute(
        "SELECT id FROM drafts WHERE candidate_id = ? ORDER BY seq DESC LIMIT 1", (candidate["id"],)
    ).fetchone()
    if newest["id"] != draft["id"] or not is_newest_of_thread(connection, candidate["id"], candidate["thread_id"]):
        return "stale"
    return None


def _apply(
    connection: sqlite3.Connection,
    draft: sqlite3.Row,
    candidate: sqlite3.Row,
    verdict: Verdict,
    body: str | None,
    correction_id: int,
) -> None:
    """Move the candidate, and put a text that may leave into the outbox; whatever an earlier verdict put there is void."""
    now = utc_now()
    connection.execute(
        "UPDATE outbox SET status = 'void', updated_at = ? WHERE candidate_id = ? AND status = 'pending'",
        (now, candidate["id"]),
    )
    status = "rejected" if verdict.verdict == "rejected" else "approved" if body else "drafted"
    connection.execute(
        "UPDATE candidates SET status = ?, hold_reason = NULL, hold_detail = NULL, updated_at = ? WHERE id = ?",
        (status, now, candidate["id"]),
    )
    if body:
        key = sha256_text(f"{draft['id']}\0{correction_id}\0{body}")[:32]
        connection.execute(
            "INSERT INTO outbox (id, draft_id, correction_id, candidate_id, thread_id, body, status, created_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?)",
            (key, draft["id"], correction_id, candidate["id"], candidate["thread_id"], body, now, now),
        )
        audit.vouch(connection, kind="release", subject=key, actor=verdict.author, detail={"draft": draft["id"]})


def person_meant(connection: sqlite3.Connection, word: str) -> str:
    """Return the person that a word means: a person's id, or that of one of their candidates. Any other word stands for itself."""
    if connection.execute("SELECT 1 FROM candidates WHERE person_id = ? LIMIT 1", (word,)).fetchone():
        return word
    row = connection.execute("SELECT person_id FROM candidates WHERE id = ?", (word,)).fetchone()
    return str(row["person_id"]) if row else word


def classify(
    connection: sqlite3.Connection,
    word: str,
    *,
    archetype: str | None,
    state: str | None,
    template_key: str | None,
    by: str,
) -> str:
    """Set what a candidate came without, and put it back into the queue; return its id.

    Raises UsageError when it has a draft already.
    """
    row = find_candidate(connection, word)
    if row["status"] not in ("waiting", "held"):
        raise UsageError(f"{row['id']} is {row['status']} already.", hint="`draftctl requeue ID` puts it back first.")
    reopened = row["status"] == "held" and row["hold_reason"] in (
        "unclassified",
        "missing_note",
        "missing_atom",
        "over_length",
    )
    connection.execute(
        "UPDATE candidates SET archetype = coalesce(?, archetype), state = coalesce(?, state), template_key = coalesce(?, template_key), "
        "status = CASE WHEN ? THEN 'waiting' ELSE status END, hold_reason = CASE WHEN ? THEN NULL ELSE hold_reason END, updated_at = ? WHERE seq = ?",
        (archetype, state, template_key, reopened, reopened, utc_now(), row["seq"]),
    )
    given = {"archetype": archetype, "state": state, "template_key": template_key}
    detail = " ".join(f"{name}={value}" for name, value in given.items() if value)
    decide(connection, row["id"], Finding(kind="classify", outcome="set", detail=f"{detail} by {by}"))
    audit.append(connection, kind="classify", subject=row["id"], actor=by, detail={k: v for k, v in given.items() if v})
    return str(row["id"])


def requeue(connection: sqlite3.Connection, word: str, *, by: str) -> str:
    """Put a held, rejected or drafted candidate back to be drafted anew; return its id. Its earlier drafts stay in the record."""
    row = find_candidate(connection, word)
    if row["status"] == "sent" or _leaving(connection, row["id"]):
        raise UsageError(f"{row['id']} has been answered already; it is not drafted again.")
    if row["status"] == "drafting":
        raise UsageError(f"{row['id']} is being drafted right now.")
    now = utc_now()
    connection.execute(
        "UPDATE outbox SET status = 'void', updated_at = ? WHERE candidate_id = ? AND status = 'pending'",
        (now, row["id"]),
    )
    connection.execute(
        "UPDATE candidates SET status = 'waiting', hold_reason = NULL, hold_detail = NULL, attempts = 0, updated_at = ? WHERE seq = ?",
        (now, row["seq"]),
    )
    decide(connection, row["id"], Finding(kind="review", outcome="requeued", detail=f"by {by}"))
    audit.append(connection, kind="requeue", subject=row["id"], actor=by)
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
        raise UsageError(f"{person_id!r} is not suppressed.", hint="`draftctl suppress --list` shows who is.")
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
