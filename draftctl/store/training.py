"""What training reads of a correction: the prompt of its draft step and its texts, redacted when the verdict is given.

So an export is one walk over this table, and a correction outlives the think steps that `purge` removes from its draft.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from draftctl.corrections import clean, duplicate_key, stored_prompt
from draftctl.models import Candidate, canonical_json
from draftctl.prompt import thread_piece
from draftctl.redaction import VERSION, redact, residual

_TEMPLATE_TURN = "Write the reply."  # a note's draft has no prompt; this is what a model would have been asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The messages that a draft step saw: (role, content), the first without the context that many share (`shared`, its sha256)."""

    messages: tuple[tuple[str, str], ...]
    shared: str | None
    hashed: str | None


def prompt_of(connection: sqlite3.Connection, draft: sqlite3.Row, candidate: Candidate) -> Prompt | None:
    """Return the prompt of a draft's last draft step; None where no step got that far, or a part of it was erased."""
    step = connection.execute(
        "SELECT messages, prompt_hash FROM draft_steps WHERE draft_id = ? AND verb = 'draft' ORDER BY n DESC, attempt DESC LIMIT 1",
        (draft["id"],),
    ).fetchone()
    hashed = step["prompt_hash"] if step else None
    if draft["workflow_id"] is None:
        return Prompt(messages=template_prompt(candidate), shared=None, hashed=hashed)
    if step is None:
        return None
    parts = [(role, [hashes] if isinstance(hashes, str) else hashes) for role, hashes in json.loads(step["messages"])]
    wanted = canonical_json([sha for _, hashes in parts for sha in hashes])
    texts = dict(
        connection.execute(
            "SELECT sha256, content FROM blobs WHERE sha256 IN (SELECT value FROM json_each(?))", (wanted,)
        ).fetchall()
    )
    shared = parts[0][1].pop(0)
    try:
        messages = tuple((role, "".join(texts[sha] for sha in hashes)) for role, hashes in parts)
    except KeyError:
        return None
    return Prompt(messages=messages, shared=shared, hashed=hashed)


def template_prompt(candidate: Candidate) -> tuple[tuple[str, str], ...]:
    """Return what a model would have been asked where a note was the draft: the thread, and to write the reply."""
    return (("user", thread_piece(candidate) + _TEMPLATE_TURN),)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTexts:
    """The texts of one correction without personal data; `residual` is what a second look still found."""

    prompt: str | None
    inbound: str
    original: str | None
    final: str | None
    residual: str | None


def redacted(
    prompt: Sequence[tuple[str, str]] | None,
    shared: str | None,
    names: Sequence[str],
    *,
    inbound: str,
    original: str | None,
    final: str | None,
) -> TrainingTexts:
    """Take personal data out of all that an export shows of a correction."""
    messages = [(role, redact(content, names)) for role, content in prompt or ()]
    texts = [redact(clean(text), names) if text else None for text in (inbound, original, final)]
    looked_at = [*(content for _, content in messages), *filter(None, texts)]
    return TrainingTexts(
        prompt=stored_prompt(messages, shared) if prompt else None,
        inbound=texts[0] or "",
        original=texts[1],
        final=texts[2],
        residual=next(filter(None, map(residual, looked_at)), None),
    )


def keep(connection: sqlite3.Connection, row_id: int, texts: TrainingTexts, names: Sequence[str]) -> None:
    """Keep a correction's redacted texts, with the keys under which duplicates are found."""
    keys = [duplicate_key(texts.inbound, text) if text else None for text in (texts.original, texts.final)]
    connection.execute(
        "INSERT INTO training_texts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (row_id, VERSION, texts.prompt, texts.inbound, texts.original, texts.final, texts.residual, *keys, canonical_json(names)),
    )  # fmt: skip
