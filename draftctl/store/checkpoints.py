"""What a chain was answered so far: kept step by step, asked for nothing twice, gone when the candidate is decided."""

import json
import sqlite3
from dataclasses import fields

from draftctl.engines.base import Completion
from draftctl.models import Drafted, Held, canonical_json

_FIELDS = tuple(field.name for field in fields(Completion))
Recalled = dict[tuple[int, int], tuple[str, Completion]]


def keep(connection: sqlite3.Connection, key: tuple[str, int, int, int], prompt: str, completion: Completion) -> None:
    """Keep one completion (`key`: candidate, fence, step, attempt), if the candidate is still ours."""
    written = canonical_json([getattr(completion, name) for name in _FIELDS])
    connection.execute(
        "INSERT OR REPLACE INTO checkpoints SELECT ?1, ?3, ?4, ?5, ?6 WHERE EXISTS "
        "(SELECT 1 FROM candidates WHERE id = ?1 AND fence = ?2 AND status = 'drafting')",
        (*key, prompt, written),
    )


def recall(connection: sqlite3.Connection, candidate_id: str) -> Recalled:
    """Return what a candidate's chain was answered: the prompt's hash and the completion, by step and attempt."""
    rows = connection.execute("SELECT * FROM checkpoints WHERE candidate_id = ?", (candidate_id,))
    return {
        (row["n"], row["attempt"]): (
            row["prompt_hash"],
            Completion(**dict(zip(_FIELDS, json.loads(row["completion"]), strict=True))),
        )
        for row in rows
    }


def settle(connection: sqlite3.Connection, candidate_id: str, outcome: Drafted | Held) -> None:
    """Drop the checkpoints of a decided candidate; an outage decides nothing, so the next run goes on from them."""
    if isinstance(outcome, Drafted) or outcome.reason != "engine_unavailable":
        connection.execute("DELETE FROM checkpoints WHERE candidate_id = ?", (candidate_id,))
