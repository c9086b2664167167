"""Approved texts leave by file, at most once each: the intent is committed before the write, the place is known, and what is unclear holds.

The intent names the file (device, inode) and the size before the write. After a crash that place tells what happened: the whole
line is there (sent), nothing is there (it never left), or anything else (unclear: held as `dispatch_unknown`, never sent again).
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from draftctl.errors import StoreError, UsageError
from draftctl.failpoints import reach
from draftctl.holds import Reopen
from draftctl.models import Finding, canonical_json
from draftctl.settings import Persona
from draftctl.store import audit
from draftctl.store.corrections import BodyHits
from draftctl.store.db import transaction, utc_now
from draftctl.store.decisions import decide
from draftctl.store.jobs import paused
from draftctl.store.standing import ERASED, find_candidate, restand, standing_row, why_unsendable


@dataclass(slots=True)
class DispatchCount:
    """How many texts were sent, held back, are unclear, and were left for later."""

    sent: int = 0
    held: int = 0
    unknown: int = 0
    skipped: int = 0
    paused: str = ""


def consent_problem(persona: Persona, today: date) -> str | None:
    """Say why nothing may be sent in this persona's voice, or None."""
    if not (persona.name and persona.consented_by and persona.consented_at):
        return "draftctl.yaml does not say who consented to texts in this voice, and when (persona: consented_by, consented_at)"
    if persona.review_by and persona.review_by < today:
        return f"the persona's consent was to be looked at again by {persona.review_by} (persona: review_by in draftctl.yaml)"
    return None


class FileDispatcher:
    """Appends JSON lines to one file. Made for the holder of the dispatch lock."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, body_hits: BodyHits, say: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._path = path
        self._body_hits = body_hits
        self._say = say
        self._there = _keys_in(path)
        self.count = DispatchCount()

    def run(self, no_consent: str | None) -> DispatchCount:
        """Settle what an earlier run left unclear, then send what is due."""
        for row in self._rows("sending"):
            self._settle(row)
        due = self._rows("pending")
        for n, row in enumerate(due):
            why = paused(self._connection)
            if why is not None:
                self.count.skipped += len(due) - n
                self.count.paused = why
                break
            if no_consent:
                self._note_once(row, "no_consent")
                self.count.held += 1
            elif row["id"] in self._there:
                self._end(row)  # an older state of the database was restored: the text is in the file already
            else:
                self._send(row)
        return self.count

    def _rows(self, status: str) -> list[sqlite3.Row]:
        return self._connection.execute("SELECT * FROM outbox WHERE status = ? ORDER BY seq", (status,)).fetchall()

    def _send(self, row: sqlite3.Row) -> None:
        descriptor = self._open()
        try:
            place = os.fstat(descriptor)
            intent = {"device": place.st_dev, "inode": place.st_ino, "offset": place.st_size, "path": str(self._path)}
            if not self._begin(row, intent):
                return
            reach("dispatch.after_intent")
            self._write(descriptor, row, place.st_size)
            reach("dispatch.after_write")
            self._end(row)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        if self._path.exists() and not self._path.is_file():
            raise UsageError(
                f"{self._path} is no ordinary file, so nothing was sent.", hint="--to file:PATH appends to a file."
            )
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"{self._path} cannot be written: {error.strerror}. Nothing was sent."
            raise StoreError(message, hint="Name another file; its folder must exist.") from error
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # Somebody's half line stands at the end: ours must not become a part of it.
            os.write(descriptor, b"\n")
        return descriptor

    def _write(self, descriptor: int, row: sqlite3.Row, offset: int) -> None:
        """Append the line in one write; a disk that takes only a part gets that part taken away again, and nothing was sent."""
        line = _line(row)
        why = "the disk is full"
        try:
            whole = os.write(descriptor, line) == len(line)
        except OSError as error:
            whole, why = False, error.strerror or str(error)
        if not whole:
            os.ftruncate(descriptor, offset)
            self._back(row)
            raise StoreError(
                f"{self._path}: {why}. This text and the ones after it were not sent.",
                hint="Put that right and run dispatch again.",
            )
        os.fsync(descriptor)

    def _back(self, row: sqlite3.Row) -> None:
        with transaction(self._connection) as connection:
            connection.execute(
                "UPDATE outbox SET status = 'pending', intent = NULL, updated_at = ? WHERE id = ?",
                (utc_now(), row["id"]),
            )

    def _begin(self, row: sqlite3.Row, intent: dict[str, object]) -> bool:
        """Commit the intent, unless the text may no longer leave."""
        with transaction(self._connection) as connection:
            now = connection.execute("SELECT status FROM outbox WHERE id = ?", (row["id"],)).fetchone()
            if now["status"] != "pending" or paused(connection) is not None:
                self.count.skipped += 1
                return False
            draft = connection.execute("SELECT * FROM drafts WHERE id = ?", (row["draft_id"],)).fetchone()
            candidate = connection.execute("SELECT * FROM candidates WHERE id = ?", (row["candidate_id"],)).fetchone()
            if candidate["erased_at"] is not None or not self._stands(row):
                self._void(row, erased=candidate["erased_at"] is not None)
                return False
            hits = self._body_hits(row["body"])
            reason = why_unsendable(connection, draft, candidate) or (f"gate:{hits[0][0]}" if hits else None)
            if reason:
                self._hold(row, reason, "void")
                self.count.held += 1
                return False
            connection.execute(
                "UPDATE outbox SET status = 'sending', intent = ?, updated_at = ? WHERE id = ?",
                (canonical_json(intent), utc_now(), row["id"]),
            )
        return True

    def _stands(self, row: sqlite3.Row) -> bool:
        """Say whether the verdict that released a text still stands: one may have come while the text was on its way."""
        stands = standing_row(self._connection, row["draft_id"])
        return stands is not None and stands["id"] == row["correction_id"]

    def _void(self, row: sqlite3.Row, *, erased: bool) -> None:
        """Take out a text that nobody stands by any more."""
        self._connection.execute(
            "UPDATE outbox SET status = 'void', body = CASE WHEN ? THEN ? ELSE body END, updated_at = ? WHERE id = ?",
            (erased, ERASED, utc_now(), row["id"]),
        )
        if not erased:
            restand(self._connection, find_candidate(self._connection, row["candidate_id"]))
        self._decided(row, "held", "erased" if erased else "withdrawn")
        self.count.held += 1

    def _end(self, row: sqlite3.Row) -> None:
        with transaction(self._connection) as connection:
            connection.execute(
                "UPDATE outbox SET body = ? WHERE id = ? AND EXISTS (SELECT 1 FROM candidates c WHERE c.id = candidate_id AND c.erased_at IS NOT NULL)",
                (ERASED, row["id"]),
            )
            connection.execute("UPDATE outbox SET status = 'sent', updated_at = ? WHERE id = ?", (utc_now(), row["id"]))
            connection.execute(
                "UPDATE candidates SET status = 'sent', hold_reason = NULL, hold_detail = NULL, reopen = NULL, updated_at = ? WHERE id = ?",
                (utc_now(), row["candidate_id"]),
            )
            self._decided(row, "sent", "")
        self.count.sent += 1

    def _settle(self, row: sqlite3.Row) -> None:
        """Find out what became of a text whose sending was cut short."""
        intent, line = json.loads(row["intent"]), _line(row)
        what = _at_place(Path(intent["path"]), intent, line)
        if what == "sent":
            self._end(row)
        elif what == "not_sent":
            self._back(row)
        else:
            with transaction(self._connection):
                self._hold(row, "dispatch_unknown", "unknown")
            self.count.unknown += 1
            self._say(
                f"{row['draft_id']}: it is unclear whether this text left ({intent['path']}); it is held and never sent again"
            )

    def _hold(self, row: sqlite3.Row, reason: str, status: str) -> None:
        self._connection.execute(
            "UPDATE outbox SET status = ?, updated_at = ? WHERE id = ?", (status, utc_now(), row["id"])
        )
        self._connection.execute(
            "UPDATE candidates SET status = 'held', hold_reason = ?, hold_detail = NULL, reopen = ?, updated_at = ? WHERE id = ?",
            (reason, Reopen.PERSON, utc_now(), row["candidate_id"]),
        )
        self._decided(row, "held", reason)

    def _note_once(self, row: sqlite3.Row, reason: str) -> None:
        """Record why a text waits, unless that is what was recorded last."""
        last = self._connection.execute(
            "SELECT reason FROM decisions WHERE candidate_id = ? ORDER BY seq DESC LIMIT 1", (row["candidate_id"],)
        ).fetchone()
        if last is None or last["reason"] != reason:
            with transaction(self._connection):
                self._decided(row, "held", reason)

    def _decided(self, row: sqlite3.Row, outcome: str, reason: str) -> None:
        decide(
            self._connection,
            row["candidate_id"],
            Finding(kind="dispatch", outcome=outcome, reason=reason),
            draft_id=row["draft_id"],
        )
        audit.append(
            self._connection,
            kind="dispatch",
            subject=row["candidate_id"],
            actor="draftctl",
            detail={"key": row["id"], "outcome": outcome, "reason": reason},
        )


def _line(row: sqlite3.Row) -> bytes:
    value = {
        "key": row["id"],
        "candidate_id": row["candidate_id"],
        "draft_id": row["draft_id"],
        "thread_id": row["thread_id"],
    }
    return (json.dumps({**value, "text": row["body"]}, ensure_ascii=False) + "\n").encode()


def _keys_in(path: Path) -> frozenset[str]:
    """Return the keys of the texts that stand in a file already."""
    keys = set()
    if path.is_file():
        with path.open("rb") as lines:
            for line in lines:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    keys.add(json.loads(line)["key"])
    return frozenset(keys)


def _at_place(path: Path, intent: dict[str, int], line: bytes) -> str:
    """Say what stands where the line was to be written: `sent`, `not_sent`, or `unclear`."""
    if not path.is_file():
        return "unclear"
    try:
        with path.open("rb") as file:
            place = os.fstat(file.fileno())
            if (place.st_dev, place.st_ino) != (intent["device"], intent["inode"]) or place.st_size < intent["offset"]:
                return "unclear"
            file.seek(intent["offset"])
            there = file.read(len(line))
    except OSError:
        return "unclear"
    if there == line:
        return "sent"
    return "not_sent" if not there else "unclear"
