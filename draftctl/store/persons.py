"""What is known of a person across threads: suppressed, flagged, cleared; and what that stops."""

import sqlite3

from draftctl.holds import Reopen
from draftctl.models import Alert, Person
from draftctl.store import audit
from draftctl.store.db import utc_now

# Whoever writes in one thread is one person, also where some of the lines name them and others do not.
SAME = (
    "WITH RECURSIVE known (id) AS (SELECT ?1 UNION SELECT s.other FROM same_person s JOIN known ON s.person_id = known.id) "
    "SELECT id FROM known"
)


def link(connection: sqlite3.Connection, person_id: str, thread_id: str) -> None:
    """Note that a person who writes in a thread is whoever else has written there."""
    for row in connection.execute(
        "SELECT DISTINCT person_id FROM candidates WHERE thread_id = ? AND person_id <> ?", (thread_id, person_id)
    ).fetchall():
        pairs = [(person_id, row["person_id"]), (row["person_id"], person_id)]
        connection.executemany("INSERT OR IGNORE INTO same_person VALUES (?, ?)", pairs)


def person(connection: sqlite3.Connection, person_id: str) -> Person:
    """Return what is known of a person: suppressed, flagged, and the messages that have been looked at."""
    rows = connection.execute(
        f"SELECT NULL AS gate, NULL AS message_sha256, NULL AS acknowledged_at FROM suppressions WHERE person_id IN ({SAME}) "
        f"AND lifted_at IS NULL UNION ALL SELECT gate, message_sha256, acknowledged_at FROM alerts WHERE person_id IN ({SAME})",
        (person_id,),
    ).fetchall()
    alerts = [row for row in rows if row["gate"] is not None]
    return Person(
        opted_out=len(alerts) < len(rows),
        flagged=any(row["acknowledged_at"] is None for row in alerts),
        cleared=frozenset(
            Alert(gate=row["gate"], message_sha256=row["message_sha256"])
            for row in alerts
            if row["acknowledged_at"] is not None
        ),
    )


def suppress(
    connection: sqlite3.Connection, person_id: str, *, by: str, reason: str, run_id: str | None = None
) -> bool:
    """Write to this person no more; return False when that stands already."""
    if person(connection, person_id).opted_out:
        return False
    connection.execute(
        "INSERT INTO suppressions (person_id, by, reason, created_at) VALUES (?, ?, ?, ?)",
        (person_id, by, reason, utc_now()),
    )
    audit.append(connection, kind="suppress", subject=person_id, actor=by, run_id=run_id, detail={"reason": reason})
    return True


def stop_unsent(connection: sqlite3.Connection, person_id: str, reason: str) -> None:
    """Hold what is drafted or approved for a person and has not left; void it in the outbox."""
    connection.execute(
        "UPDATE outbox SET status = 'void', updated_at = ?2 WHERE status = 'pending' AND candidate_id IN "
        f"(SELECT id FROM candidates WHERE person_id IN ({SAME}))",
        (person_id, utc_now()),
    )
    connection.execute(
        "UPDATE candidates SET status = 'held', hold_reason = ?2, hold_detail = NULL, reopen = ?3, updated_at = ?4 "
        f"WHERE person_id IN ({SAME}) AND status IN ('drafted', 'approved')",
        (person_id, reason, Reopen.PERSON, utc_now()),
    )


def sent_since(connection: sqlite3.Connection, person_id: str, since: str) -> int:
    """Return how many texts went to a person, or may have, since a time, in all threads."""
    row = connection.execute(
        "SELECT count(*) FROM outbox o JOIN candidates c ON c.id = o.candidate_id WHERE o.status IN ('sending', 'sent', 'unknown') "
        f"AND o.sent_at > ?2 AND c.person_id IN ({SAME})",
        (person_id, since),
    ).fetchone()
    return int(row[0])


def has_unread(connection: sqlite3.Connection, person_id: str, thread_id: str) -> bool:
    """Say whether a person has written in another thread what no run has looked at yet: it may be a STOP."""
    row = connection.execute(
        f"SELECT 1 FROM candidates WHERE person_id IN ({SAME}) AND thread_id <> ?2 AND status = 'waiting' AND fence = 0 LIMIT 1",
        (person_id, thread_id),
    ).fetchone()
    return row is not None


def reopen_person(connection: sqlite3.Connection, person_id: str, reason: str) -> int:
    """Put back the candidates of a person that held for one reason, now settled; return how many."""
    return connection.execute(
        "UPDATE candidates SET status = 'waiting', hold_reason = NULL, hold_detail = NULL, updated_at = ?2 "
        f"WHERE person_id IN ({SAME}) AND status = 'held' AND hold_reason = ?3",
        (person_id, utc_now(), reason),
    ).rowcount


def unsaid_alerts(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the open alerts that no run has said yet."""
    return connection.execute(
        "SELECT candidate_id, person_id, gate FROM alerts WHERE said_at IS NULL AND acknowledged_at IS NULL ORDER BY id"
    ).fetchall()


def untold_alerts(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the open alerts that the webhook has not heard of."""
    return connection.execute(
        "SELECT candidate_id, person_id, gate FROM alerts WHERE told_at IS NULL AND acknowledged_at IS NULL ORDER BY id"
    ).fetchall()


def note_told(connection: sqlite3.Connection, candidate_id: str, gate: str) -> None:
    """Note that the webhook has heard of an alert."""
    connection.execute(
        "UPDATE alerts SET told_at = ? WHERE candidate_id = ? AND gate = ? AND told_at IS NULL",
        (utc_now(), candidate_id, gate),
    )


def note_said(connection: sqlite3.Connection) -> None:
    """Note that every alert so far has been said."""
    connection.execute("UPDATE alerts SET said_at = ? WHERE said_at IS NULL", (utc_now(),))
