"""Who is reading which candidate: a lease for some minutes, so that two reviewers never decide about the same one."""

import os
import socket
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta

from draftctl.errors import UsageError
from draftctl.store.db import is_alive, utc_now

LEASE_S = 600


def new_token() -> str:
    """Return a token that says which process holds what it takes: what is left of a killed one can be taken over at once."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"


def take(connection: sqlite3.Connection, candidate_id: str, *, token: str, reviewer: str) -> bool:
    """Take a candidate for a review, or take it for longer; False when somebody else reads it."""
    row = connection.execute("SELECT token FROM review_leases WHERE candidate_id = ?", (candidate_id,)).fetchone()
    if row is not None and _is_dead(row["token"]):
        drop(connection, candidate_id)
    until = (datetime.now(UTC) + timedelta(seconds=LEASE_S)).isoformat(timespec="milliseconds")
    changed = connection.execute(
        "INSERT INTO review_leases VALUES (?1, ?2, ?3, ?4) ON CONFLICT (candidate_id) DO UPDATE SET token = excluded.token, "
        "reviewer = excluded.reviewer, until = excluded.until WHERE token = ?2 OR until < ?5",
        (candidate_id, token, reviewer, until, utc_now()),
    ).rowcount
    return bool(changed)


def check(connection: sqlite3.Connection, candidate_id: str, *, token: str | None, author: str) -> None:
    """Raise UsageError when somebody else reads a candidate now. Whoever has no review open is known by their name."""
    row = connection.execute(
        "SELECT token, reviewer, until FROM review_leases WHERE candidate_id = ? AND until >= ?",
        (candidate_id, utc_now()),
    ).fetchone()
    if row is None or row["token"] == token or _is_dead(row["token"]) or (token is None and row["reviewer"] == author):
        return
    until = datetime.fromisoformat(row["until"]).astimezone().strftime("%H:%M")
    raise UsageError(f"{row['reviewer']} is reading {candidate_id} (until {until}), so nothing was decided here.")


def _is_dead(token: str) -> bool:
    host, _, rest = token.partition(":")
    pid = rest.partition(":")[0]
    return host == socket.gethostname() and pid.isdigit() and not is_alive(int(pid))


def drop(connection: sqlite3.Connection, candidate_id: str) -> None:
    """Let go of one candidate."""
    connection.execute("DELETE FROM review_leases WHERE candidate_id = ?", (candidate_id,))


def drop_all(connection: sqlite3.Connection, token: str) -> None:
    """Let go of all that a review holds."""
    connection.execute("DELETE FROM review_leases WHERE token = ?", (token,))
