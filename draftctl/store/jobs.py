"""The queue: candidates in, claims out, results back, each inside the caller's transaction.

A claim carries a fence number; every later write names it, so a runner that was paused and wakes up after a takeover writes
nothing.
"""

import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from draftctl.holds import Reopen
from draftctl.inbox import Accepted, candidate_from_payload
from draftctl.models import (
    Candidate,
    Person,
    Redraft,
    Staged,
    Thread,
    canonical_json,
    sha256_text,
)
from draftctl.store import audit, threads
from draftctl.store.checkpoints import Recalled, recall
from draftctl.store.db import utc_now
from draftctl.store.persons import link, person
from draftctl.store.threads import received

LEASE_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Our right to decide about one candidate, until the lease ends: the candidate, its person, its thread, and the fence.

    `recalled` is what its chain was answered in a run that did not get to the end, `staged` what our own stages filled in then.
    """

    candidate: Candidate
    person: Person
    fence: int
    thread: Thread = field(default_factory=Thread)
    recalled: Recalled = field(default_factory=dict)
    staged: Staged = field(default_factory=Staged)


def add_candidate(connection: sqlite3.Connection, line: Accepted, run_id: str) -> str:
    """Take a candidate in; return `ingested`, `duplicate`, or `conflict` (its id is there with other content)."""
    candidate, now = line.candidate, utc_now()
    known = connection.execute("SELECT payload_sha256 FROM candidates WHERE id = ?", (candidate.id,)).fetchone()
    if known is not None:
        return "duplicate" if known["payload_sha256"] == line.digest else "conflict"
    connection.execute(
        "INSERT INTO candidates (id, thread_id, person_id, archetype, state, template_key, mode, status, received_at, payload, "
        "payload_sha256, digest_key, ingested_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?, ?)",
        (
            candidate.id, candidate.thread_id, candidate.person_id, candidate.archetype, candidate.state, candidate.template_key,
            candidate.mode, candidate.received_at, line.payload, line.digest, os.urandom(16), now, now,
        ),
    )  # fmt: skip
    link(connection, candidate.person_id, candidate.thread_id)
    audit.vouch(connection, kind="ingest", subject=candidate.id, actor="draftctl", run_id=run_id)
    return "ingested"


def add_reject(connection: sqlite3.Connection, *, source: str, line: int, reason: str, text: str) -> bool:
    """Keep a bad line, the same line of the same source once; say whether it is new."""
    reject_id = sha256_text(canonical_json([source, line, text]))[:16]
    added = connection.execute(
        "INSERT OR IGNORE INTO rejects (id, source, line, reason, text, at) VALUES (?, ?, ?, ?, ?, ?)",
        (reject_id, source, line, reason, text, utc_now()),
    ).rowcount
    return bool(added)


def reclaim(connection: sqlite3.Connection) -> int:
    """Put back what a dead run had claimed. Only for the holder of the run lock: it alone knows that nobody else is at work."""
    return connection.execute(
        "UPDATE candidates SET status = 'waiting', owner = NULL, fence = fence + 1, updated_at = ? WHERE status = 'drafting'",
        (utc_now(),),
    ).rowcount


def reopen(connection: sqlite3.Connection, *, reopen_key: str, max_attempts: int) -> int:
    """Put back the holds that a new run may settle: those for any next run, and those for a run that reads something else."""
    return connection.execute(
        "UPDATE candidates SET status = 'waiting', hold_reason = NULL, hold_detail = NULL, updated_at = ? WHERE status = 'held' AND "
        "attempts < ? AND (reopen = ? OR (reopen = ? AND reopen_key <> ?))",
        (utc_now(), max_attempts, Reopen.NEXT_RUN, Reopen.CHANGE, reopen_key),
    ).rowcount


def claim(
    connection: sqlite3.Connection,
    *,
    owner: str,
    limit: int,
    only: str | None = None,
    arrived_until: str | None = None,
    fresh: bool = False,
) -> list[Claim]:
    """Claim the oldest candidates that wait, or whose claim has run out (or `only` one), at most `limit`.

    `arrived_until` leaves out those that were taken in later; `fresh` those that any run has looked at before.
    """
    rows = connection.execute(
        "UPDATE candidates SET status = 'drafting', owner = ?, fence = fence + 1, lease_until = ?, updated_at = ? WHERE seq IN "
        "(SELECT seq FROM candidates WHERE (status = 'waiting' OR (status = 'drafting' AND lease_until < ?3 AND owner <> ?1)) AND (?4 IS NULL OR id = ?4) "
        "AND (?6 IS NULL OR ingested_at <= ?6) AND (?7 = 0 OR fence = 0) "
        "ORDER BY seq LIMIT ?5) "
        "RETURNING *",
        (owner, _in(LEASE_S), utc_now(), only, limit, arrived_until, fresh),
    ).fetchall()
    return [_claim_of(connection, row) for row in sorted(rows, key=lambda row: row["seq"])]


def _claim_of(connection: sqlite3.Connection, row: sqlite3.Row) -> Claim:
    """Build a row's claim, with what the row says now: `classify` may have set what the line came without."""
    thread = threads.lines(connection, row["thread_id"])
    alone = len(thread) == 1 or not threads.is_newest(thread, row["id"])  # only the newest is answered, for all of them
    history = None if alone else threads.encoded(threads.before(connection, row))
    if history != row["history"]:
        connection.execute("UPDATE candidates SET history = ? WHERE seq = ?", (history, row["seq"]))
    candidate = replace(
        candidate_from_payload(row["payload"], history, row["found"]),
        archetype=row["archetype"],
        state=row["state"],
        template_key=row["template_key"],
        redraft=_redraft(connection, row) if row["redraft_note"] else None,
    )
    recalled = recall(connection, row["id"]) if row["fence"] > 1 else {}
    return Claim(
        candidate=candidate,
        person=person(connection, row["person_id"]),
        fence=row["fence"],
        recalled=recalled,
        staged=Staged(**json.loads(row["staged"] or "{}")),
        thread=threads.facts(connection, row, candidate.messages, thread),
    )


def _redraft(connection: sqlite3.Connection, row: sqlite3.Row) -> Redraft:
    """Return what a person asked for: about the draft that stood when they did."""
    draft = connection.execute("SELECT body FROM drafts WHERE id = ?", (row["redraft_of"],)).fetchone()
    return Redraft(note=row["redraft_note"], body=draft["body"] if draft else None)


def _in(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def release(connection: sqlite3.Connection, claims: Iterable[Claim]) -> None:
    """Give claims back undecided: no attempt is counted."""
    connection.executemany(
        "UPDATE candidates SET status = 'waiting', owner = NULL, updated_at = ? WHERE id = ? AND fence = ? AND status = 'drafting'",
        [(utc_now(), claim.candidate.id, claim.fence) for claim in claims],
    )


def waiting(connection: sqlite3.Connection) -> int:
    """Return how many candidates wait to be drafted."""
    return int(connection.execute("SELECT count(*) FROM candidates WHERE status = 'waiting'").fetchone()[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits for an engine.

    `arrivals` is when each was written, as far as it says so (unix seconds, oldest first), `oldest` when the first was taken in,
    `fresh` how many no run has looked at yet.
    """

    count: int
    arrivals: tuple[float, ...] = ()
    oldest: float | None = None
    fresh: int = 0


def backlog(connection: sqlite3.Connection, *, held: bool = True, limit: int = 5000) -> Backlog:
    """Return what waits for an engine; with `held` also what holds because there was none, or no money for one.

    What holds for another reason is picked up by the next run too, but nothing is rented for it alone.
    """
    rows = connection.execute(
        "SELECT received_at, ingested_at, fence FROM candidates WHERE status IN ('waiting', 'drafting') OR "
        "(?1 AND status = 'held' AND hold_reason IN ('engine_unavailable', 'budget')) ORDER BY seq LIMIT ?2",
        (held, limit),
    ).fetchall()
    taken = [datetime.fromisoformat(row["ingested_at"]).timestamp() for row in rows]
    written = sorted(
        (received(row).timestamp() if row["received_at"] else at) for row, at in zip(rows, taken, strict=True)
    )
    return Backlog(
        count=len(rows),
        arrivals=tuple(written),
        oldest=min(taken, default=None),
        fresh=sum(1 for row in rows if row["fence"] == 0),
    )


def all_arrivals(connection: sqlite3.Connection) -> list[float]:
    """Return when every message that was ever taken in had been written (unix seconds), oldest first."""
    rows = connection.execute("SELECT received_at, ingested_at FROM candidates")
    return sorted(
        (received(row) if row["received_at"] else datetime.fromisoformat(row["ingested_at"])).timestamp()
        for row in rows
    )


def setting(connection: sqlite3.Connection, key: str) -> str | None:
    """Return one of `prospector_settings`, or None where it is unset."""
    row = connection.execute("SELECT value FROM prospector_settings WHERE key = ?", (key,)).fetchone()
    return row["value"] if row else None


def set_setting(connection: sqlite3.Connection, key: str, value: str | None) -> None:
    """Set one of `prospector_settings`."""
    connection.execute(
        "INSERT INTO prospector_settings VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        (key, value, utc_now()),
    )


def paused(connection: sqlite3.Connection) -> str | None:
    """Return why everything is paused, or None."""
    return setting(connection, "paused")


def start_run(
    connection: sqlite3.Connection,
    run_id: str,
    *,
    command: str,
    engine_id: str | None,
    git_commit: str | None,
    lease_id: str | None = None,
) -> None:
    """Note that a run has begun, and on which lease."""
    connection.execute(
        "INSERT INTO runs (id, command, engine_id, git_commit, started_at, lease_id) VALUES (?, ?, ?, ?, ?, ?)",
        (run_id, command, engine_id, git_commit, utc_now(), lease_id),
    )


def finish_run(connection: sqlite3.Connection, run_id: str, *, outcome: str, counts: dict[str, Any]) -> None:
    """Note how a run ended."""
    connection.execute(
        "UPDATE runs SET finished_at = ?, outcome = ?, counts = ? WHERE id = ?",
        (utc_now(), outcome, json.dumps(counts), run_id),
    )
