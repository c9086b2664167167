"""The corrections as an export walks over them: in short reads, by id, so that the order of insertion and a running batch do not matter."""

import json
import sqlite3
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from draftctl.corrections import Given, standing
from draftctl.errors import StoreError
from draftctl.inbox import candidate_from_payload
from draftctl.split import groups
from draftctl.store import training
from draftctl.store.db import utc_now
from draftctl.store.few_shot import EVER_FLAGGED
from draftctl.store.standing import find_candidate
from draftctl.store.views import messages

_PAGE = 1000
# What many rows share comes as one text, split once for each that is different: to make a Python string costs 0.3 us a column.
_ROWS = (
    "SELECT k.id, k.person_id, k.verdict, instr(k.tags, 'not-model-fault') = 0, k.stopped_by, CASE WHEN t.prompt IS NULL THEN k.erased_at END, t.residual, "
    "k.engine_id || char(31) || coalesce(k.workflow_id || '@' || k.workflow_version, '') || char(31) || coalesce(k.template_key, ''), "
    "k.draft_id, k.thread_id, t.redactor, t.original_key, t.final_key, CAST(t.prompt AS BLOB), t.original, t.final, k.bundle_hash "
    "FROM prospect_corrections k LEFT JOIN training_texts t ON t.correction_id = k.id "
    "WHERE k.id > ?1 AND k.id <= ?2 AND (?3 IS NULL OR k.engine_id = ?3) ORDER BY k.id LIMIT ?4"
)


class Row(NamedTuple):
    """One correction as the walk reads it: what decides about it, where it is from, and its redacted texts.

    `source` is engine, workflow@version and note, with char(31) between. The walk yields plain tuples in this order: a million of
    these would cost two seconds.
    """

    id: int
    person_id: str
    verdict: str
    model_fault: int
    stopped_by: str | None
    erased_at: str | None
    residual: str | None
    source: str
    draft_id: str
    thread_id: str
    redactor: int | None
    original_key: int | None
    final_key: int | None
    prompt: bytes | None
    original: str | None
    final: str | None
    bundle_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What an export must know before the first row: the last id, who is one person, who was ever flagged, what does not stand."""

    last_id: int
    group_of: dict[str, str]
    flagged: frozenset[str]
    withdrawn: bytearray  # one bit for each id: it was undone, or a later verdict stands in its place

    def is_withdrawn(self, correction_id: int) -> bool:
        """Say whether a correction does not stand."""
        return bool(self.withdrawn[correction_id >> 3] & (1 << (correction_id & 7)))


def population(connection: sqlite3.Connection) -> Population:
    """Look at everything once."""
    last_id = connection.execute("SELECT coalesce(max(id), 0) FROM prospect_corrections").fetchone()[0]
    group_of = _groups(connection)
    return Population(
        last_id=last_id,
        group_of=group_of,
        flagged=_flagged(connection, group_of),
        withdrawn=_withdrawn(connection, last_id),
    )


def flagged_persons(connection: sqlite3.Connection) -> frozenset[str]:
    """Return everybody who was ever flagged, under all the ids that they write with."""
    return _flagged(connection, _groups(connection))


def _groups(connection: sqlite3.Connection) -> dict[str, str]:
    return groups((row[0], row[1]) for row in connection.execute("SELECT person_id, other FROM same_person"))


def _flagged(connection: sqlite3.Connection, group_of: dict[str, str]) -> frozenset[str]:
    flagged = {row[0] for row in connection.execute(f"SELECT DISTINCT person_id FROM alerts WHERE {EVER_FLAGGED}")}
    roots = {group_of[person] for person in flagged if person in group_of}
    return frozenset(flagged | {person for person, root in group_of.items() if root in roots})


def _withdrawn(connection: sqlite3.Connection, last_id: int) -> bytearray:
    bits = bytearray((last_id >> 3) + 1)
    several = connection.execute(
        "SELECT draft_id FROM prospect_corrections WHERE id <= ? GROUP BY draft_id HAVING count(*) > 1", (last_id,)
    )
    for (draft_id,) in several.fetchall():
        rows = connection.execute(
            "SELECT id, verdict, undoes FROM prospect_corrections WHERE draft_id = ? AND id <= ? ORDER BY id",
            (draft_id, last_id),
        ).fetchall()
        stands = standing(Given(*row) for row in rows)
        for row in rows:
            if row["id"] != stands:
                bits[row["id"] >> 3] |= 1 << (row["id"] & 7)
    return bits


def walk(connection: sqlite3.Connection, last_id: int, engine: str | None) -> Iterator[Row]:
    """Walk over the corrections by id, in short reads; each is a tuple with the fields of Row."""
    cursor = connection.cursor()
    cursor.row_factory = None
    after = 0
    while page := cursor.execute(_ROWS, (after, last_id, engine, _PAGE)).fetchall():
        yield from page
        after = page[-1][0]


def for_redaction(connection: sqlite3.Connection, correction_id: int) -> tuple[str, list[str]]:
    """Return what redacting a correction once more needs beside its texts: the message, and the names in the thread."""
    row = connection.execute(
        "SELECT inbound, names FROM training_texts WHERE correction_id = ?", (correction_id,)
    ).fetchone()
    return row["inbound"], json.loads(row["names"])


def shown_persons(connection: sqlite3.Connection, bundle_hash: str) -> frozenset[str]:
    """Return whose corrections stood as examples in the prompts of a bundle."""
    row = connection.execute("SELECT members FROM bundles WHERE bundle_hash = ?", (bundle_hash,)).fetchone()
    ids = [int(key) for kind, key, _ in json.loads(row["members"]) if kind == "example"] if row else []
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(f"SELECT person_id FROM prospect_corrections WHERE id IN ({marks})", ids)
    return frozenset(row[0] for row in rows)


def blob(connection: sqlite3.Connection, sha256: str) -> str | None:
    """Return a stored text by its hash; None where it was erased."""
    row = connection.execute("SELECT content FROM blobs WHERE sha256 = ?", (sha256,)).fetchone()
    return row[0] if row else None


def note_export(
    connection: sqlite3.Connection,
    *,
    dataset_id: str,
    format_: str,
    engine: str,
    path: str,
    manifest: str,
    members: Iterable[int],
) -> None:
    """Note which corrections an export holds, so that it can be named when one of them has to go."""
    packed = zlib.compress(array("I", members).tobytes(), 1)
    connection.execute(
        "INSERT INTO exports VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (dataset_id, path) DO UPDATE SET "
        "created_at = excluded.created_at, members = excluded.members, manifest = excluded.manifest",
        (dataset_id, format_, engine, path, manifest, packed, utc_now()),
    )


def members(packed: bytes) -> "array[int]":
    """Return the corrections that an export holds."""
    found = array("I")
    found.frombytes(zlib.decompress(packed))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTexts:
    """A correction's texts as they were: the messages that the draft step saw, their hash checked."""

    messages: tuple[tuple[str, str], ...]
    original: str | None
    final: str | None


def raw(connection: sqlite3.Connection, correction_id: int) -> RawTexts | None:
    """Rebuild one correction; None where its texts or its prompt are gone, or are not what was sent."""
    row = connection.execute("SELECT * FROM prospect_corrections WHERE id = ?", (correction_id,)).fetchone()
    if row["erased_at"] is not None:
        return None
    if row["workflow_id"] is None:
        known = find_candidate(connection, row["candidate_id"])
        candidate = candidate_from_payload(known["payload"], known["history"], known["found"])
        found = training.template_prompt(candidate)
    else:
        step = connection.execute(
            "SELECT * FROM draft_steps WHERE draft_id = ? AND verb = 'draft' ORDER BY n DESC, attempt DESC LIMIT 1",
            (row["draft_id"],),
        ).fetchone()
        try:
            found = tuple((part.role, part.content) for part in messages(connection, step)) if step else ()
        except StoreError:
            return None
        if not found or step["prompt_hash"] != row["prompt_hash"]:
            return None
    return RawTexts(messages=found, original=row["original"], final=row["body"])
