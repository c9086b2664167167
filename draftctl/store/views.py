"""What people and scripts read: one draft whole, lists, counts. Short reads only: an open read blocks the writer."""

import json
import sqlite3
from typing import Any

from draftctl.errors import StoreError
from draftctl.models import PromptPart, prompt_hash, sha256_text
from draftctl.store.db import utc_now


def draft_whole(
    connection: sqlite3.Connection, candidate: sqlite3.Row, draft: sqlite3.Row | None, *, prompt: bool
) -> dict[str, Any]:
    """Return the JSON result of `show`: the draft, its candidate, the steps, every decision; with `prompt` the messages, verified."""
    payload = json.loads(candidate["payload"])
    hidden = {"payload", "history", "found", "digest_key", "owner", "fence", "lease_until"}
    value: dict[str, Any] = {
        "draft": dict(draft) if draft else None,
        "candidate": {
            **{key: item for key, item in dict(candidate).items() if key not in hidden},
            "messages": [*json.loads(candidate["history"] or "[]"), *payload["messages"]],
            "atoms": {**payload["atoms"], **json.loads(candidate["found"] or "{}")},
        },
        "steps": [_step(connection, row, prompt=prompt) for row in _steps(connection, draft)],
        "decisions": [
            dict(row)
            for row in connection.execute(
                "SELECT kind, outcome, reason, detail, engine_id, draft_id, run_id, at FROM decisions WHERE candidate_id = ? ORDER BY seq",
                (candidate["id"],),
            )
        ],
    }
    value["corrections"] = [
        {**dict(row), "tags": json.loads(row["tags"])}
        for row in connection.execute(
            "SELECT id, draft_id, verdict, body, tags, note, author, stopped_by, created_at FROM prospect_corrections "
            "WHERE candidate_id = ? ORDER BY id",
            (candidate["id"],),
        )
    ]
    return {"prompt_verified": True, **value} if prompt else value


def _steps(connection: sqlite3.Connection, draft: sqlite3.Row | None) -> list[sqlite3.Row]:
    if draft is None:
        return []
    return connection.execute("SELECT * FROM draft_steps WHERE draft_id = ? ORDER BY rowid", (draft["id"],)).fetchall()


def _step(connection: sqlite3.Connection, row: sqlite3.Row, *, prompt: bool) -> dict[str, Any]:
    value = {key: row[key] for key in ("n", "verb", "name", "attempt", "output", "finish_reason", "prompt_hash")}
    if prompt:
        parts = messages(connection, row)
        value["messages"] = [{"role": part.role, "content": part.content} for part in parts]
    return value


def messages(connection: sqlite3.Connection, step: sqlite3.Row) -> tuple[PromptPart, ...]:
    """Rebuild a step's exact messages from the database alone. Raises StoreError when they are not what was sent."""
    parts = []
    for role, pieces in json.loads(step["messages"]):
        found = []
        for sha in [pieces] if isinstance(pieces, str) else pieces:
            blob = connection.execute("SELECT content FROM blobs WHERE sha256 = ?", (sha,)).fetchone()
            if blob is None:
                raise StoreError(f"A part of the prompt of {step['draft_id']} is gone from the database ({sha[:12]}).")
            found.append(blob["content"])
        parts.append(PromptPart.of(role, *found))
    if prompt_hash(parts, json.loads(step["settings"] or "null")) != step["prompt_hash"]:
        raise StoreError(
            f"The prompt of {step['draft_id']} is not what was sent.",
            hint="`draftctl audit verify` looks at everything.",
        )
    return tuple(parts)


def drafts_by_workflow(connection: sqlite3.Connection, workflow_id: str) -> list[dict[str, Any]]:
    """Return how many drafts and holds each version of a workflow made, by build."""
    rows = connection.execute(
        "SELECT workflow_version AS version, engine_id, sum(status = 'drafted') AS drafted, sum(status = 'held') AS held FROM drafts "
        "WHERE workflow_id = ? GROUP BY 1, 2 ORDER BY 1, 2",
        (workflow_id,),
    )
    return [dict(row) for row in rows]


def results_by_version(connection: sqlite3.Connection, workflow_id: str) -> list[dict[str, Any]]:
    """Return what each version of a workflow made on each build: drafts, holds, bundles, and the verdicts that stand."""
    rows = connection.execute(
        "WITH last AS (SELECT draft_id, verdict FROM prospect_corrections k WHERE undoes IS NULL AND id = (SELECT max(id) FROM "
        "prospect_corrections l WHERE l.draft_id = k.draft_id AND l.undoes IS NULL AND NOT EXISTS (SELECT 1 FROM prospect_corrections u WHERE u.undoes = l.id))) "
        "SELECT d.workflow_version AS version, d.engine_id, sum(d.status = 'drafted') AS drafted, sum(d.status = 'held') AS held, "
        "count(DISTINCT d.bundle_hash) AS bundles, coalesce(sum(last.verdict = 'approved'), 0) AS unedited, "
        "coalesce(sum(last.verdict = 'edited'), 0) AS edited, coalesce(sum(last.verdict = 'rejected'), 0) AS rejected "
        "FROM drafts d LEFT JOIN last ON last.draft_id = d.id WHERE d.workflow_id = ? GROUP BY 1, 2 ORDER BY min(d.seq)",
        (workflow_id,),
    )
    return [dict(row) for row in rows]


def drafts(connection: sqlite3.Connection, *, status: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the newest draft of each candidate, newest last; `status` is the candidate's."""
    rows = connection.execute(
        "SELECT d.id, d.candidate_id, d.thread_id, d.engine_id, d.template_key, c.status, d.body, o.body AS outgoing, d.created_at, c.payload FROM drafts d "
        "JOIN candidates c ON c.id = d.candidate_id LEFT JOIN outbox o ON o.candidate_id = c.id AND o.status <> 'void' WHERE d.status = 'drafted' AND (?1 IS NULL OR c.status = ?1) AND c.status <> 'held' "
        "AND d.seq = (SELECT max(seq) FROM drafts WHERE candidate_id = d.candidate_id) ORDER BY d.seq LIMIT ?2",
        (status, limit),
    ).fetchall()
    return [_beside_inbound(row) for row in rows]


def _beside_inbound(row: sqlite3.Row) -> dict[str, Any]:
    value = dict(row)
    return {"inbound": last_inbound(value.pop("payload")), **value}


def last_inbound(payload: str) -> str:
    """Return the newest text that the prospect wrote."""
    return next(
        str(m["text"])
        for m in reversed(json.loads(payload)["messages"])
        if m["role"] == "prospect" and m["text"].strip()
    )


def holds(connection: sqlite3.Connection, *, reason: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the candidates that hold, oldest first."""
    rows = connection.execute(
        "SELECT id, thread_id, person_id, template_key, hold_reason, hold_detail, attempts, updated_at, reopen, payload FROM candidates "
        "WHERE status = 'held' AND (?1 IS NULL OR hold_reason = ?1) ORDER BY seq LIMIT ?2",
        (reason, limit),
    ).fetchall()
    return [_beside_inbound(row) for row in rows]


def alerts(connection: sqlite3.Connection, *, everything: bool) -> list[dict[str, Any]]:
    """Return the open alerts, or all of them, each with the message that raised it."""
    where = "" if everything else "WHERE a.acknowledged_at IS NULL"
    rows = connection.execute(
        "SELECT a.id, a.gate, a.candidate_id, a.thread_id, a.person_id, a.created_at, a.acknowledged_at, a.acknowledged_by, a.reason, "
        f"a.message_sha256, c.payload FROM alerts a JOIN candidates c ON c.id = a.candidate_id {where} ORDER BY a.id"
    )
    return [_beside_message(row) for row in rows]


def _beside_message(row: sqlite3.Row) -> dict[str, Any]:
    value = dict(row)
    digest, texts = value.pop("message_sha256"), [m["text"] for m in json.loads(value.pop("payload"))["messages"]]
    return {**value, "message": next((text for text in texts if sha256_text(text) == digest), "")}


def suppressed(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return who is written to no more, since when, and why."""
    rows = connection.execute(
        "SELECT person_id, by, reason, created_at FROM suppressions WHERE lifted_at IS NULL ORDER BY id"
    )
    return [dict(row) for row in rows]


def status(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return how things stand: counts by status and hold reason, open alerts, the last run, what is paused."""
    by_status = dict(connection.execute("SELECT status, count(*) FROM candidates GROUP BY status").fetchall())
    last = connection.execute("SELECT * FROM runs ORDER BY started_at DESC, rowid DESC LIMIT 1").fetchone()
    oldest = connection.execute("SELECT min(ingested_at) FROM candidates WHERE status = 'waiting'").fetchone()[0]
    settings = dict(connection.execute("SELECT key, value FROM prospector_settings").fetchall())
    return {
        "now": utc_now(),
        "engine": settings.get("draft_engine") or "template",
        "paused": settings.get("paused"),
        "candidates": by_status,
        "holds": dict(
            connection.execute(
                "SELECT hold_reason, count(*) FROM candidates WHERE status = 'held' GROUP BY 1 ORDER BY 2 DESC"
            ).fetchall()
        ),
        "oldest_waiting_at": oldest,
        "to_send": connection.execute("SELECT count(*) FROM outbox WHERE status = 'pending'").fetchone()[0],
        "alerts": connection.execute("SELECT count(*) FROM alerts WHERE acknowledged_at IS NULL").fetchone()[0],
        "rejects": connection.execute("SELECT count(*) FROM rejects").fetchone()[0],
        "last_run": {**dict(last), "counts": json.loads(last["counts"] or "{}")} if last else None,
    }


def audit_story(connection: sqlite3.Connection, subject: str) -> list[dict[str, Any]]:
    """Return the trail's rows about a candidate: its own, its drafts', its corrections' and its outgoing text's."""
    rows = connection.execute(
        "SELECT seq, at, run_id, actor, kind, subject, detail, hash FROM audit WHERE subject IN (SELECT ?1 UNION SELECT id FROM drafts WHERE candidate_id = ?1 "
        "UNION SELECT id FROM outbox WHERE candidate_id = ?1) OR (kind = 'correct' AND subject IN "
        "(SELECT CAST(id AS TEXT) FROM prospect_corrections WHERE candidate_id = ?1)) ORDER BY seq",
        (subject,),
    ).fetchall()
    return [{**dict(row), "detail": json.loads(row["detail"])} for row in rows]
