"""Verdicts from a file: each line once, a bad one kept in `rejects` with its number and the reason."""

import sqlite3
from dataclasses import dataclass

from draftctl.corrections_file import CorrectionLine, parse_correction
from draftctl.errors import UsageError
from draftctl.ingest import Stream, line_groups
from draftctl.store.corrections import BodyHits, Verdict, correct
from draftctl.store.db import transaction
from draftctl.store.jobs import add_reject

KEPT_BYTES = 65_536


@dataclass(slots=True)
class ImportCount:
    """How many verdicts were taken, were there already, and were rejected; and the first that was rejected."""

    imported: int = 0
    duplicates: int = 0
    rejected: int = 0
    first: str = ""


def import_corrections(
    connection: sqlite3.Connection, stream: Stream, *, source: str, author: str, body_hits: BodyHits
) -> ImportCount:
    """Take every line of a stream. A group of lines is committed before the next is read."""
    count, number = ImportCount(), 0
    for group in line_groups(stream):
        with transaction(connection):
            for raw in group:
                number += 1
                if raw.strip():
                    _take(connection, raw, count, source=source, number=number, author=author, body_hits=body_hits)
    return count


def _take(
    connection: sqlite3.Connection,
    raw: bytes,
    count: ImportCount,
    *,
    source: str,
    number: int,
    author: str,
    body_hits: BodyHits,
) -> None:
    try:
        line = parse_correction(raw)
        if connection.execute("SELECT 1 FROM prospect_corrections WHERE import_key = ?", (line.key,)).fetchone():
            count.duplicates += 1
            return
        correct(connection, line.draft_id, _verdict(line, author), body_hits)
    except (ValueError, UsageError) as error:
        reason = error.message if isinstance(error, UsageError) else str(error)
        count.rejected += 1
        count.first = count.first or f"{source}:{number}: {reason}"
        text = raw[:KEPT_BYTES].decode(errors="backslashreplace")
        add_reject(connection, source=source, line=number, reason=reason, text=text)
    else:
        count.imported += 1


def _verdict(line: CorrectionLine, author: str) -> Verdict:
    return Verdict(
        verdict=line.verdict,
        author=line.author or author,
        body=line.body,
        tags=line.tags,
        note=line.note,
        override=bool((line.note or "").strip()),
        at=line.at,
        import_key=line.key,
    )
