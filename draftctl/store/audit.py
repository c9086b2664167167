"""The audit trail: append-only, each row hashed with the one before it, over digests that leave nothing to guess.

A row's `hash` is sha256 over the canonical JSON of its other columns, `prev` among them. Texts enter as HMACs under the
candidate's own key, so erasing text and key leaves the chain whole. `verify` re-derives both: the chain from the trail, and the
digests from the tables.
"""

import hmac
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from draftctl.models import canonical_json, sha256_text
from draftctl.store.db import utc_now

GENESIS = "0" * 64
_FIELDS = ("seq", "at", "run_id", "actor", "kind", "subject", "detail", "prev")
# What the trail vouches for: table -> the kind of the row that vouches, and the query that gives (subject, key, candidate, digested values).
_STEPS = (
    "(SELECT json_group_array(json_array(n, attempt, verb, name, prompt_hash, messages, output, finish_reason)) FROM "
    "(SELECT * FROM draft_steps s WHERE s.draft_id = d.id ORDER BY n, attempt))"
)
# What a chain adds to a draft's digest; a draft without a workflow keeps the digest that it always had.
_CHAIN = (
    f"CASE WHEN d.workflow_id IS NULL THEN {_STEPS} ELSE json_array(json({_STEPS}), d.workflow_id, d.workflow_version, "
    "d.semantic_hash, d.git_state, d.attested, d.fingerprint) END"
)
# What a review adds to a correction's digest: a row from before keeps the digest that it always had.
_KNOWN = (
    "CASE WHEN d.scope IS NULL THEN d.author ELSE json_array(d.author, d.person_id, d.inbound, d.prompt_hash, d.bundle_hash, d.stopped_by, "
    "d.undoes, d.active_ms, d.created_at, d.engine_id, d.template_key, (SELECT json_array(t.prompt, t.inbound, t.original, t.final, t.residual) FROM training_texts t "
    "WHERE t.correction_id = d.id)) END"
)
_VOUCHED = {
    "ingest": "SELECT id AS subject, digest_key, id AS owner, id, thread_id, person_id, payload FROM candidates d",
    "draft": "SELECT d.id AS subject, c.digest_key, c.id AS owner, d.candidate_id, d.engine_id, d.engine_served, d.bundle_hash, d.git_commit, d.status, "
    f"d.hold_reason, d.body, {_CHAIN} FROM drafts d JOIN candidates c ON c.id = d.candidate_id",
    "correct": "SELECT CAST(d.id AS TEXT) AS subject, c.digest_key, c.id AS owner, d.draft_id, d.verdict, d.original, d.body, d.tags, d.note, "
    f"{_KNOWN} FROM prospect_corrections d JOIN candidates c ON c.id = d.candidate_id",
    "release": "SELECT d.id AS subject, c.digest_key, c.id AS owner, d.draft_id, d.candidate_id, d.body FROM outbox d "
    "JOIN candidates c ON c.id = d.candidate_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verification found: how many rows stand, the first bad one (its seq, or None), why, and the head hash."""

    ok: bool
    rows: int
    first_bad: int | None
    head: str
    reason: str = ""


def append(
    connection: sqlite3.Connection,
    *,
    kind: str,
    subject: str | None,
    actor: str,
    run_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add one row to the trail, inside the caller's transaction."""
    last = connection.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    seq, prev = (last["seq"] + 1, last["hash"]) if last else (1, GENESIS)
    values = (seq, utc_now(), run_id, actor, kind, subject, canonical_json(detail or {}), prev)
    connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, _hash(values)))


def vouch(
    connection: sqlite3.Connection,
    *,
    kind: str,
    subject: str,
    actor: str,
    run_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add a row that covers what has just been written: the digest is taken from the table itself."""
    row = connection.execute(f"{_VOUCHED[kind.removeprefix('purge_')]} WHERE d.id = ?", (subject,)).fetchone()
    append(
        connection,
        kind=kind,
        subject=subject,
        actor=actor,
        run_id=run_id,
        detail={**(detail or {}), "digest": _digest(row)},
    )


def _digest(row: sqlite3.Row) -> str:
    return hmac.digest(row["digest_key"], canonical_json(list(row)[3:]).encode(), "sha256").hex()


def _hash(values: tuple[Any, ...]) -> str:
    return sha256_text(canonical_json(values))


def head(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return the last row's number and hash; note them elsewhere, and a cut tail can be found."""
    last = connection.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    return (last["seq"], last["hash"]) if last else (0, GENESIS)


def verify(connection: sqlite3.Connection, expected_head: str | None = None) -> Verdict:
    """Re-derive the whole trail. `expected_head`, noted earlier, must stand in it: a cut tail loses it."""
    rows, prev, seen_head = 0, GENESIS, expected_head in (None, GENESIS)
    for row in connection.execute("SELECT * FROM audit ORDER BY seq"):
        values = tuple(row[name] for name in _FIELDS)
        if row["seq"] != rows + 1 or row["prev"] != prev or row["hash"] != _hash(values):
            reason = "the chain breaks here: this row, or the one before it, was changed or removed"
            return Verdict(ok=False, rows=rows, first_bad=row["seq"], head=prev, reason=reason)
        rows, prev = rows + 1, row["hash"]
        seen_head = seen_head or prev == expected_head
    if not seen_head:
        return Verdict(
            ok=False,
            rows=rows,
            first_bad=rows + 1,
            head=prev,
            reason="the head that was noted is gone: the tail was cut",
        )
    for bad in _bad_rows(connection):
        return Verdict(ok=False, rows=rows, first_bad=bad[0], head=prev, reason=bad[1])
    return Verdict(ok=True, rows=rows, first_bad=None, head=prev)


def _bad_rows(connection: sqlite3.Connection) -> Iterator[tuple[int | None, str]]:
    """Yield what the tables say otherwise than the trail: the trail row's number and the difference."""
    erased = {row["subject"] for row in connection.execute("SELECT subject FROM audit WHERE kind = 'erase'")}
    for kind, query in _VOUCHED.items():
        # Both sides in the order of the subject: memory stays flat however long the trail is.
        # A purge vouches anew for what it left of a draft, so of several marks the last one counts.
        trail = connection.execute(
            "SELECT subject, max(seq) AS seq, detail FROM audit WHERE kind IN (?, ?) GROUP BY subject ORDER BY subject",
            (kind, f"purge_{kind}"),
        )
        table = iter(connection.execute(f"SELECT * FROM ({query}) ORDER BY subject"))
        row = next(table, None)
        for mark in trail:
            if row is None or row["subject"] != mark["subject"]:
                yield (
                    mark["seq"],
                    f"{kind} {mark['subject']}: the row is gone, or there is one that nothing vouches for",
                )
                return
            if row["digest_key"] is None:
                if row["owner"] not in erased:
                    yield (
                        mark["seq"],
                        f"{kind} {mark['subject']}: its key is gone, and nothing in the trail says that it was erased",
                    )
            elif _digest(row) != json.loads(mark["detail"])["digest"]:
                yield mark["seq"], f"{kind} {mark['subject']}: the row was changed after it was written"
            row = next(table, None)
        if row is not None:
            yield None, f"{kind} {row['subject']}: nothing in the trail vouches for this row"
    for blob in connection.execute("SELECT sha256, content FROM blobs"):
        if sha256_text(blob["content"]) != blob["sha256"]:
            yield None, f"blob {blob['sha256'][:12]}: the content does not match its name"
            return
