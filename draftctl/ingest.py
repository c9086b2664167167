"""A stream of input lines -> candidates and rejects, in groups as they arrive; memory does not grow with the stream."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from draftctl.failpoints import reach
from draftctl.inbox import MAX_LINE_BYTES, Rejected, parse_line
from draftctl.store.db import transaction
from draftctl.store.jobs import add_candidate, add_reject
from draftctl.store.writer import GAP_S

CHUNK_BYTES = 256 * 1024
KEPT_BYTES = 1024 * 1024  # of a line that is far too long, so much is kept in `rejects`
_BOM = b"\xef\xbb\xbf"


class Stream(Protocol):
    """A binary stream that hands out what is there without waiting for more."""

    def read1(self, size: int = ..., /) -> bytes:
        """Return up to `size` bytes, or none at the end."""
        ...


@dataclass(slots=True)
class IngestCount:
    """How many lines were taken in, were there already, and were rejected; and the first that was rejected for the first time."""

    ingested: int = 0
    duplicates: int = 0
    rejected: int = 0
    newly_rejected: int = 0
    first_new: str = ""

    @property
    def lines(self) -> int:
        """Return how many lines were read."""
        return self.ingested + self.duplicates + self.rejected


def ingest(connection: sqlite3.Connection, stream: Stream, *, source: str, run_id: str) -> IngestCount:
    """Take in every line of a stream. A line is committed before the next group is read; a bad one is kept in `rejects`."""
    count, number = IngestCount(), 0
    for group in line_groups(stream):
        with transaction(connection):
            for line in group:
                number += 1
                _take(connection, line, count, source=source, number=number, run_id=run_id)
            reach("ingest.before_commit")
        reach("ingest.after_commit")
        time.sleep(GAP_S)
    return count


def _take(
    connection: sqlite3.Connection, line: bytes, count: IngestCount, *, source: str, number: int, run_id: str
) -> None:
    read = parse_line(line)
    if isinstance(read, Rejected):
        reason = read.reason
    else:
        outcome = add_candidate(connection, read, run_id)
        if outcome == "ingested":
            count.ingested += 1
            return
        if outcome == "duplicate":
            count.duplicates += 1
            return
        reason = f"the id {read.candidate.id} is there already, with other content"
    count.rejected += 1
    text = line[:KEPT_BYTES].decode(errors="backslashreplace")
    if add_reject(connection, source=source, line=number, reason=reason, text=text):
        count.newly_rejected += 1
        count.first_new = count.first_new or f"{source}:{number}: {reason}"


def line_groups(stream: Stream) -> Iterator[list[bytes]]:
    """Yield the whole lines of each chunk, without their line ends; cap what is held of a line without end."""
    rest, first = b"", True
    while chunk := stream.read1(CHUNK_BYTES):
        if first:
            chunk, first = chunk.removeprefix(_BOM), False
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > KEPT_BYTES + MAX_LINE_BYTES:
            rest = rest[: KEPT_BYTES + MAX_LINE_BYTES]
        if lines:
            yield [line.removesuffix(b"\r") for line in lines]
    if rest:
        yield [rest.removesuffix(b"\r")]
