"""What the database knows of a thread beside the line that came in: what was written before, what we sent, where that left it.

A line may bring its whole thread, or one message alone; for the latter the thread is put together from earlier lines and what was sent.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from draftctl.holds import Reopen
from draftctl.models import Finding, Message, Thread, canonical_json
from draftctl.store.db import utc_now
from draftctl.store.decisions import decide

MAX_LINES = 60  # of a thread that are looked back at
MAX_CHARS = 16_000  # of what was written before that are put before a line: no model reads more, and each line would store all of it
_LEFT = "('sending', 'sent', 'unknown')"


def received(row: sqlite3.Row) -> datetime:
    """Return when a message was received; nothing is received after it was taken in, whatever its clock said."""
    return min(datetime.fromisoformat(row["received_at"]).astimezone(UTC), datetime.fromisoformat(row["ingested_at"]))


def is_newer(row: sqlite3.Row, than: sqlite3.Row) -> bool:
    """Say whether one line is newer: by the time it was received, a line that names none by when it was taken in, then by their order.

    One order for all lines: comparing some by time and others by their order could go round in a circle, with no newest.
    """
    return _moment(row) > _moment(than)


def _moment(row: sqlite3.Row) -> tuple[datetime, int]:
    return received(row) if row["received_at"] else datetime.fromisoformat(row["ingested_at"]), row["seq"]


def lines(connection: sqlite3.Connection, thread_id: str) -> list[sqlite3.Row]:
    """Return what is known of every line of a thread, without its texts: nearly every thread has one alone."""
    return connection.execute(
        "SELECT id, seq, status, received_at, ingested_at FROM candidates WHERE thread_id = ?", (thread_id,)
    ).fetchall()


def is_newest_of_thread(connection: sqlite3.Connection, candidate_id: str, thread_id: str) -> bool:
    """Say whether nothing newer came in this thread."""
    return is_newest(lines(connection, thread_id), candidate_id)


def is_newest(rows: Sequence[sqlite3.Row], candidate_id: str) -> bool:
    """Say whether none of a thread's lines is newer than one of them."""
    if len(rows) == 1:
        return True
    this = next(row for row in rows if row["id"] == candidate_id)
    return not any(is_newer(row, this) for row in rows)


def outdate(connection: sqlite3.Connection, candidate_id: str, rows: Sequence[sqlite3.Row]) -> None:
    """Void what is drafted for older lines of a thread once a newer one has been decided on: it is answered for all of them.

    What is approved is voided where it would leave, so that the dispatcher says so.
    """
    older = [row for row in rows if row["status"] == "drafted" and row["id"] != candidate_id]
    new = next(row for row in rows if row["id"] == candidate_id) if older else None
    for row in older:
        if new is None or is_newer(row, new):
            continue
        connection.execute(
            "UPDATE candidates SET status = 'held', hold_reason = 'stale', hold_detail = NULL, reopen = ?, updated_at = ? WHERE id = ?",
            (Reopen.PERSON, utc_now(), row["id"]),
        )
        decide(connection, row["id"], Finding(kind="draft", outcome="held", reason="stale"))


def before(connection: sqlite3.Connection, row: sqlite3.Row) -> tuple[Message, ...]:
    """Return what was written in a thread before a line that brings no text of ours: nothing where the line brings it all."""
    own = _messages(row["payload"])
    if any(message.role == "quinn" for message in own):
        return ()
    older = [
        other for other in _lines(connection, row["thread_id"]) if other["id"] != row["id"] and is_newer(row, other)
    ]
    thread: list[Message] = []
    for line in older:
        theirs = _messages(line["payload"])
        whole = any(message.role == "quinn" for message in theirs)
        thread = theirs if whole else [*thread, *_new(theirs, thread)]
        if line["sent"] is not None:
            thread.append(Message(role="quinn", text=line["sent"], at=line["sent_at"]))
    return _newest(thread[: len(thread) - _overlap(thread, own)])


def _newest(messages: list[Message]) -> tuple[Message, ...]:
    """Return the last messages of a thread, as many as `MAX_CHARS` hold."""
    kept, chars = 0, 0
    for message in reversed(messages):
        chars += len(message.text)
        if chars > MAX_CHARS:
            break
        kept += 1
    return tuple(messages[len(messages) - kept :])


def _lines(connection: sqlite3.Connection, thread_id: str) -> list[sqlite3.Row]:
    rows = connection.execute(
        "SELECT c.id, c.seq, c.payload, c.received_at, c.ingested_at, o.body AS sent, o.sent_at FROM candidates c "
        "LEFT JOIN outbox o ON o.candidate_id = c.id AND o.status = 'sent' WHERE c.thread_id = ? AND c.erased_at IS NULL "
        "ORDER BY c.seq DESC LIMIT ?",
        (thread_id, MAX_LINES),
    ).fetchall()
    ordered: list[sqlite3.Row] = []
    for row in reversed(rows):
        at = next((n for n, other in enumerate(ordered) if is_newer(other, row)), len(ordered))
        ordered.insert(at, row)
    return ordered


def _messages(text: str | None) -> list[Message]:
    """Return the messages of a payload, or of a history."""
    value = json.loads(text or "[]")
    return [Message(**message) for message in (value["messages"] if isinstance(value, dict) else value)]


def _new(messages: list[Message], thread: list[Message]) -> list[Message]:
    """Return what a line adds to a thread: its messages without those at its beginning that stand at the thread's end already."""
    return messages[_overlap(thread, messages) :]


def _overlap(thread: list[Message], messages: list[Message]) -> int:
    """Return how many of the last messages of a thread are the first ones of a line; its last one is always new."""
    longest = min(len(thread), len(messages) - 1)
    return next((n for n in range(longest, 0, -1) if _same(thread[-n:], messages[:n])), 0)


def _same(one: list[Message], other: list[Message]) -> bool:
    return all((a.role, a.text, a.at) == (b.role, b.text, b.at) for a, b in zip(one, other, strict=True))


def facts(
    connection: sqlite3.Connection, row: sqlite3.Row, messages: Sequence[Message], rows: Sequence[sqlite3.Row]
) -> Thread:
    """Return what is known of a candidate's thread: `messages` are all of it, `rows` its lines."""
    state = connection.execute("SELECT state FROM threads WHERE thread_id = ?", (row["thread_id"],)).fetchone()
    alone = len(rows) == 1
    return Thread(
        superseded=not is_newest(rows, row["id"]),
        state=state["state"] if state else None,
        unanswered=_tail(messages) + (0 if alone else _sent_unseen(connection, row["thread_id"], messages)),
        sent=(*(m.text for m in messages if m.role == "quinn"), *(() if alone else sent(connection, row))),
        drafted=() if alone else drafted(connection, row),
    )


def _tail(messages: Sequence[Message]) -> int:
    """Return how many texts of ours stand at the end of a thread."""
    return next((n for n, message in enumerate(reversed(messages)) if message.role == "prospect"), len(messages))


def _sent_unseen(connection: sqlite3.Connection, thread_id: str, messages: Sequence[Message]) -> int:
    """Return how many texts went out since the last line that ended with a message of theirs, and are not among the messages yet."""
    ours = {message.text for message in messages if message.role == "quinn"}
    return sum(
        row["body"] not in ours
        for row in connection.execute(
            "SELECT o.body FROM outbox o JOIN candidates c ON c.id = o.candidate_id WHERE c.thread_id = ?1 "
            f"AND o.status IN {_LEFT} AND c.seq >= (SELECT coalesce(max(seq), 0) FROM candidates WHERE thread_id = ?1 "
            "AND json_extract(payload, '$.messages[#-1].role') = 'prospect')",
            (thread_id,),
        )
    )


def sent(connection: sqlite3.Connection, row: sqlite3.Row) -> tuple[str, ...]:
    """Return what went out, or may have, in a candidate's thread for its other messages."""
    rows = connection.execute(
        f"SELECT body FROM outbox WHERE thread_id = ? AND candidate_id <> ? AND status IN {_LEFT} ORDER BY seq DESC LIMIT ?",
        (row["thread_id"], row["id"], MAX_LINES),
    )
    return tuple(other["body"] for other in rows)


def all_sent(connection: sqlite3.Connection, row: sqlite3.Row) -> tuple[str, ...]:
    """Return every text of ours that stands in a candidate's thread, by its own account and by ours."""
    ours = [m.text for m in (*_messages(row["history"]), *_messages(row["payload"])) if m.role == "quinn"]
    return (*ours, *sent(connection, row))


def drafted(connection: sqlite3.Connection, row: sqlite3.Row) -> tuple[str, ...]:
    """Return what is drafted in a candidate's thread for its other messages, and neither sent nor void."""
    rows = connection.execute(
        "SELECT d.body FROM candidates c JOIN drafts d ON d.seq = (SELECT max(seq) FROM drafts WHERE candidate_id = c.id) "
        "WHERE c.thread_id = ? AND c.id <> ? AND c.status IN ('drafted', 'approved') AND d.body IS NOT NULL",
        (row["thread_id"], row["id"]),
    )
    return tuple(other["body"] for other in rows)


def encoded(messages: Sequence[Message]) -> str | None:
    """Return what was written before as the database keeps it; None for nothing."""
    kept = [{"role": m.role, "text": m.text, **({"at": m.at} if m.at else {})} for m in messages]
    return canonical_json(kept) if kept else None


def arrive(connection: sqlite3.Connection, candidate: sqlite3.Row) -> None:
    """Note where a sent text leaves its thread; one that turns out late to have arrived does not take the thread back."""
    last = connection.execute(
        "SELECT c.* FROM threads t JOIN candidates c ON c.id = t.candidate_id WHERE t.thread_id = ?",
        (candidate["thread_id"],),
    ).fetchone()
    if (candidate["next_state"] or candidate["state"]) and not (last is not None and is_newer(last, candidate)):
        connection.execute(
            "INSERT INTO threads VALUES (?, ?, ?, ?) ON CONFLICT (thread_id) DO UPDATE SET state = excluded.state, "
            "candidate_id = excluded.candidate_id, updated_at = excluded.updated_at",
            (candidate["thread_id"], candidate["next_state"] or candidate["state"], candidate["id"], utc_now()),
        )
