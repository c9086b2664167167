"""What a chain was answered so far: kept step by step, asked for nothing twice, gone when the candidate is decided."""

import json
import sqlite3
from dataclasses import asdict

from draftctl.engines.base import Completion
from draftctl.models import Drafted, Held

Recalled = dict[tuple[int, int], tuple[str, Completion]]


def keep(
    connection: sqlite3.Connection,
    candidate_id: str,
    fence: int,
    n: int,
    attempt: int,
    prompt: str,
    completion: Completion,
) -> None:
    """Keep one completion, if the candidate is still ours (`fence`)."""
    connection.execute(
        "INSERT OR REPLACE INTO checkpoints SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS "
        "(SELECT 1 FROM candidates WHERE id = ?1 AND fence = ?6 AND status = 'drafting')",
        (candidate_id, n, attempt, prompt, json.dumps(asdict(completion), ensure_ascii=False), fence),
    )


def recall(connection: sqlite3.Connection, candidate_id: str) -> Recalled:
    """Return what a candidate's chain was answered: the prompt's hash and the completion, by step and attempt."""
    rows = connection.execute("SELECT * FROM checkpoints WHERE candidate_id = ?", (candidate_id,))
    return {
        (row["n"], row["attempt"]): (row["prompt_hash"], Completion(**json.loads(row["completion"]))) for row in rows
    }


def settle(connection: sqlite3.Connection, candidate_id: str, outcome: Drafted | Held) -> None:
    """Drop the checkpoints of a decided candidate; an outage decides nothing, so the next run goes on from them."""
    if isinstance(outcome, Drafted) or outcome.reason != "engine_unavailable":
        connection.execute("DELETE FROM checkpoints WHERE candidate_id = ?", (candidate_id,))
