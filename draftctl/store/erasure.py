"""Texts out of the database: of one person, or of what is old. What stays are ids, times, verdicts, hashes and the trail.

The chain of the trail covers digests under each candidate's own key; key and texts go together, and a row of the trail says so.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from draftctl.corrections import MARK
from draftctl.models import canonical_json
from draftctl.store import audit, few_shot
from draftctl.store.db import utc_now
from draftctl.store.export_rows import members
from draftctl.store.persons import SAME
from draftctl.store.standing import ERASED

_PAYLOAD = {"messages": [{"role": "prospect", "text": ERASED}], "atoms": {}}
_HEAD_CHARS = len('[{"role":"user","content":"') + len(MARK)


@dataclass(slots=True)
class Erased:
    """What went: candidates, corrections, drafts whose think steps went; and the data sets that hold some of the corrections."""

    candidates: int = 0
    corrections: int = 0
    steps: int = 0
    rejects: int = 0
    first_at: str = ""
    correction_ids: set[int] = field(default_factory=set)


def candidates_of(connection: sqlite3.Connection, person_id: str) -> list[str]:
    """Return every candidate of a person, under any of their ids, that still has its texts."""
    rows = connection.execute(
        f"SELECT id FROM candidates WHERE person_id IN ({SAME}) AND erased_at IS NULL ORDER BY seq", (person_id,)
    )
    return [row["id"] for row in rows]


def names_of(connection: sqlite3.Connection, person_id: str) -> list[str]:
    """Return the ids that a person and their threads go by."""
    known = [row[0] for row in connection.execute(SAME, (person_id,))]
    threads = connection.execute(f"SELECT DISTINCT thread_id FROM candidates WHERE person_id IN ({SAME})", (person_id,))
    drafts = connection.execute(
        f"SELECT id FROM drafts WHERE candidate_id IN (SELECT id FROM candidates WHERE person_id IN ({SAME}))",
        (person_id,),
    )
    return [*known, *(row[0] for row in threads), *(row[0] for row in drafts)]


def old_candidates(connection: sqlite3.Connection, before: str, limit: int) -> list[str]:
    """Return the next candidates that were taken in before a time and wait for no run."""
    rows = connection.execute(
        "SELECT id FROM candidates WHERE ingested_at < ? AND erased_at IS NULL AND status NOT IN ('waiting', 'drafting') "
        "ORDER BY seq LIMIT ?",
        (before, limit),
    )
    return [row["id"] for row in rows]


def erase(
    connection: sqlite3.Connection, ids: Iterable[str], done: Erased, *, by: str, why: str, keep_training: bool = False
) -> None:
    """Erase the texts of candidates, in the caller's transaction; `sweep` then takes the prompts that nobody needs any more."""
    now = utc_now()
    for candidate_id in ids:
        taken = connection.execute("SELECT ingested_at FROM candidates WHERE id = ?", (candidate_id,)).fetchone()
        done.first_at = min(done.first_at or taken["ingested_at"], taken["ingested_at"])
        for draft in connection.execute("SELECT id FROM drafts WHERE candidate_id = ?", (candidate_id,)).fetchall():
            few_shot.settle(connection, draft["id"], None)
        corrections = connection.execute(
            "SELECT id FROM prospect_corrections WHERE candidate_id = ? AND erased_at IS NULL", (candidate_id,)
        ).fetchall()
        for row in corrections:
            _erase_correction(connection, row["id"], now, keep_training=keep_training)
            done.correction_ids.add(row["id"])
        _erase_candidate(connection, candidate_id, now)
        audit.append(connection, kind="erase", subject=candidate_id, actor=by, detail={"why": why})
        done.candidates += 1
        done.corrections += len(corrections)


def _erase_correction(connection: sqlite3.Connection, id_: int, now: str, *, keep_training: bool) -> None:
    connection.execute(
        "UPDATE prospect_corrections SET erased_at = ?, original = NULL, body = NULL, inbound = NULL, note = NULL WHERE id = ?",
        (now, id_),
    )
    if keep_training:
        connection.execute("UPDATE training_texts SET names = '[]' WHERE correction_id = ?", (id_,))
    else:
        connection.execute("DELETE FROM training_texts WHERE correction_id = ?", (id_,))


def drop_training(connection: sqlite3.Connection, done: Erased, *, person_id: str | None = None) -> None:
    """Remove the redacted copies that an earlier purge left: of a person, or of everything whose texts are gone."""
    if person_id is not None:
        query = f"SELECT id FROM prospect_corrections WHERE person_id IN ({SAME})"
        ids = [row[0] for row in connection.execute(query, (person_id,))]
    else:
        query = "SELECT k.id FROM prospect_corrections k JOIN training_texts t ON t.correction_id = k.id WHERE k.erased_at IS NOT NULL"
        ids = [row[0] for row in connection.execute(query)]
    connection.executemany("DELETE FROM training_texts WHERE correction_id = ?", [(id_,) for id_ in ids])
    done.correction_ids.update(ids)


def _erase_candidate(connection: sqlite3.Connection, id_: str, now: str) -> None:
    """Erase the message, its drafts and what waits to leave; a text that is just leaving stays until that is settled."""
    connection.execute(
        "UPDATE outbox SET answer = NULL, body = ?, status = CASE WHEN status = 'pending' THEN 'void' ELSE status END, updated_at = ? "
        "WHERE candidate_id = ? AND status <> 'sending'",
        (ERASED, now, id_),
    )
    connection.execute(
        "UPDATE drafts SET erased_at = ?, body = CASE WHEN body IS NULL THEN NULL ELSE ? END, hold_detail = NULL "
        "WHERE candidate_id = ? AND erased_at IS NULL",
        (now, ERASED, id_),
    )
    connection.execute(
        "UPDATE draft_steps SET output = NULL, purged_at = ? WHERE draft_id IN (SELECT id FROM drafts WHERE candidate_id = ?)",
        (now, id_),
    )
    connection.execute("DELETE FROM checkpoints WHERE candidate_id = ?", (id_,))
    connection.execute("UPDATE alerts SET message_sha256 = 'erased:' || id WHERE candidate_id = ?", (id_,))
    row = connection.execute("SELECT id, thread_id, person_id FROM candidates WHERE id = ?", (id_,)).fetchone()
    payload = canonical_json({**dict(row), **_PAYLOAD})
    # What newer lines of the thread keep of it; whatever of the thread is left is put together anew when one is drafted again.
    connection.execute("UPDATE candidates SET history = NULL WHERE thread_id = ?", (row["thread_id"],))
    connection.execute(
        "UPDATE candidates SET payload = ?, digest_key = NULL, erased_at = ?, hold_detail = NULL, redraft_note = NULL, history = NULL, found = NULL, staged = NULL, fence = fence + 1, "
        "status = CASE status WHEN 'sent' THEN 'sent' ELSE 'rejected' END, hold_reason = NULL, reopen = NULL, updated_at = ? WHERE id = ?",
        (payload, now, now, id_),
    )


def purge_steps(connection: sqlite3.Connection, before: str, limit: int, done: Erased, *, by: str) -> int:
    """Erase the think steps of some drafts that were made before a time, got no verdict and wait for none; return how many."""
    rows = connection.execute(
        "SELECT d.id FROM drafts d JOIN candidates c ON c.id = d.candidate_id AND c.status NOT IN ('drafted', 'approved') WHERE d.created_at < ? AND d.erased_at IS NULL AND d.workflow_id IS NOT NULL AND EXISTS "
        "(SELECT 1 FROM draft_steps s WHERE s.draft_id = d.id AND s.purged_at IS NULL) AND NOT EXISTS "
        "(SELECT 1 FROM prospect_corrections k WHERE k.draft_id = d.id) ORDER BY d.seq LIMIT ?",
        (before, limit),
    ).fetchall()
    for row in rows:
        connection.execute(
            "UPDATE draft_steps SET output = CASE WHEN verb = 'draft' THEN output END, purged_at = ? WHERE draft_id = ?",
            (utc_now(), row["id"]),
        )
        audit.vouch(connection, kind="purge_draft", subject=row["id"], actor=by)
    done.steps += len(rows)
    return len(rows)


def purge_rejects(
    connection: sqlite3.Connection, done: Erased, *, before: str | None = None, words: Sequence[str] = ()
) -> None:
    """Remove input lines that could not be read: the old ones, or those in which a person's ids stand."""
    if before is not None:
        done.rejects += connection.execute("DELETE FROM rejects WHERE at < ?", (before,)).rowcount
    for word in words:
        done.rejects += connection.execute(
            "DELETE FROM rejects WHERE instr(text, ?) > 0", (json.dumps(word, ensure_ascii=False),)
        ).rowcount


def sweep(connection: sqlite3.Connection) -> None:
    """Remove the parts of prompts that nothing needs, and those that showed an erased correction as an example.

    Also the words that the few-shot index still keeps of what was taken out of it.
    """
    erased = {
        row[0]
        for row in connection.execute(
            "SELECT id FROM prospect_corrections k WHERE erased_at IS NOT NULL AND NOT EXISTS "
            "(SELECT 1 FROM training_texts t WHERE t.correction_id = k.id)"
        )
    }
    connection.execute("CREATE TEMP TABLE alive (sha256 TEXT PRIMARY KEY) WITHOUT ROWID")
    connection.execute(
        "INSERT OR IGNORE INTO alive SELECT piece.value FROM draft_steps s, json_each(s.messages) message, "
        "json_each(message.value, '$[1]') piece WHERE s.purged_at IS NULL"
    )
    connection.execute(
        "INSERT OR IGNORE INTO alive SELECT json_extract(value, '$[2]') FROM bundles, json_each(members)"
    )
    connection.execute(
        "INSERT OR IGNORE INTO alive SELECT substr(prompt, instr(prompt, ?1) + ?2, 64) FROM training_texts WHERE instr(prompt, ?1) BETWEEN 1 AND ?3",
        (MARK, len(MARK), _HEAD_CHARS),
    )
    for sha256 in _shown(connection, erased):
        connection.execute("DELETE FROM alive WHERE sha256 = ?", (sha256,))
    connection.execute("DELETE FROM blobs WHERE sha256 NOT IN (SELECT sha256 FROM alive)")
    connection.execute("DROP TABLE alive")
    connection.execute("INSERT INTO few_shot (few_shot) VALUES ('optimize')")


def _shown(connection: sqlite3.Connection, correction_ids: set[int]) -> set[str]:
    """Return the parts in which erased corrections stand as examples: the example itself, and the contexts with it."""
    found: set[str] = set()
    if not correction_ids:
        return found
    for bundle in connection.execute(
        "SELECT bundle_hash, members FROM bundles WHERE instr(members, '\"example\"') > 0"
    ).fetchall():
        shown = {
            sha for kind, key, sha in json.loads(bundle["members"]) if kind == "example" and int(key) in correction_ids
        }
        if shown:
            found |= shown
            contexts = connection.execute(
                "SELECT DISTINCT json_extract(s.messages, '$[0][1][0]') FROM drafts d JOIN draft_steps s ON s.draft_id = d.id WHERE d.bundle_hash = ?",
                (bundle["bundle_hash"],),
            )
            found |= {row[0] for row in contexts if row[0]}
    return found


def exports_with(connection: sqlite3.Connection, correction_ids: set[int]) -> list[dict[str, str]]:
    """Return the data sets that hold any of some corrections: their id, format and where they were written."""
    if not correction_ids:
        return []
    rows = connection.execute("SELECT dataset_id, format, path, created_at, members FROM exports ORDER BY created_at")
    return [
        {name: row[name] for name in ("dataset_id", "format", "path", "created_at")}
        for row in rows
        if any(map(correction_ids.__contains__, members(row["members"])))
    ]


def flagged_corrections(connection: sqlite3.Connection, flagged: Iterable[str]) -> set[int]:
    """Return the corrections of persons who were flagged at some time."""
    return {
        row[0]
        for person in flagged
        for row in connection.execute("SELECT id FROM prospect_corrections WHERE person_id = ?", (person,))
    }
