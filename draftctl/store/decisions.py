"""The `decisions` table: what each stage, and each person, decided about a candidate. Never any text of a message."""

import sqlite3
from collections.abc import Iterable

from draftctl.models import Finding
from draftctl.store.db import utc_now


def decide(
    connection: sqlite3.Connection,
    candidate_id: str,
    *findings: Finding,
    draft_id: str | None = None,
    engine_id: str | None = None,
    run_id: str | None = None,
) -> None:
    """Record what was decided, in this order, inside the caller's transaction."""
    rows(connection, candidate_id, findings, draft_id=draft_id, engine_id=engine_id, run_id=run_id, at=utc_now())


def rows(
    connection: sqlite3.Connection,
    candidate_id: str,
    findings: Iterable[Finding],
    *,
    draft_id: str | None,
    engine_id: str | None,
    run_id: str | None,
    at: str,
) -> None:
    """Record findings of one moment; a finding's own engine goes before the run's."""
    connection.executemany(
        "INSERT INTO decisions (candidate_id, draft_id, kind, engine_id, outcome, reason, detail, run_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (candidate_id, draft_id, f.kind, f.engine_id or engine_id, f.outcome, f.reason, f.detail, run_id, at)
            for f in findings
        ],
    )


def last_reason(connection: sqlite3.Connection, candidate_id: str) -> str | None:
    """Return the reason of the last decision about a candidate."""
    row = connection.execute(
        "SELECT reason FROM decisions WHERE candidate_id = ? ORDER BY seq DESC LIMIT 1", (candidate_id,)
    ).fetchone()
    return row["reason"] if row else None
