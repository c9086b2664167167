"""What training reads of a correction: the prompt of its draft step and its texts, redacted when the verdict is given.

So an export is one walk over this table, and a correction outlives the think steps that `purge` removes from its draft.
"""

import json
import sqlite3

from draftctl.corrections import clean, packed_prompt
from draftctl.models import Candidate, canonical_json
from draftctl.prompt import thread_piece
from draftctl.redaction import VERSION, redact, residual

_TEMPLATE_TURN = "Write the reply."  # a note's draft has no prompt; what a model would have been asked


def prompt_of(
    connection: sqlite3.Connection, draft: sqlite3.Row, candidate: Candidate
) -> tuple[str | None, str | None]:
    """Return the prompt that the draft step saw, packed, and its hash; (None, None) where no step got that far."""
    step = connection.execute(
        "SELECT messages, prompt_hash FROM draft_steps WHERE draft_id = ? AND verb = 'draft' ORDER BY n DESC, attempt DESC LIMIT 1",
        (draft["id"],),
    ).fetchone()
    if draft["workflow_id"] is None:
        return packed_prompt([("user", (thread_piece(candidate), _TEMPLATE_TURN))], None), step and step["prompt_hash"]
    if step is None:
        return None, None
    messages = [
        (role, [hashes] if isinstance(hashes, str) else hashes) for role, hashes in json.loads(step["messages"])
    ]
    shared = messages[0][1][0]
    texts = dict(
        connection.execute(
            "SELECT sha256, content FROM blobs WHERE sha256 IN (SELECT value FROM json_each(?))",
            (canonical_json([sha for _, hashes in messages for sha in hashes]),),
        ).fetchall()
    )
    if any(sha not in texts for _, hashes in messages for sha in hashes):
        return None, step["prompt_hash"]
    return packed_prompt([(role, [texts[sha] for sha in hashes]) for role, hashes in messages], shared), step[
        "prompt_hash"
    ]


def keep(
    connection: sqlite3.Connection, row_id: int, row: dict[str, object], prompt: str | None, names: tuple[str, ...]
) -> None:
    """Keep the redacted texts of a correction: what an export reads."""
    packed = [
        [role, [p if isinstance(p, list) else redact(p, names) for p in pieces]]
        for role, pieces in json.loads(prompt or "[]")
    ]
    texts = {
        name: redact(clean(str(row[name])), names) if row[name] else None for name in ("inbound", "original", "body")
    }
    left = [
        *(text for text in texts.values() if text),
        *(p for _, pieces in packed for p in pieces if isinstance(p, str)),
    ]
    connection.execute(
        "INSERT INTO training_texts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row_id, VERSION, canonical_json(packed) if prompt else None, texts["inbound"] or "", texts["original"], texts["body"],
            next(filter(None, map(residual, left)), None), canonical_json(names),
        ),
    )  # fmt: skip
