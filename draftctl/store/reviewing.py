"""What a reviewer reads next: the queue of drafts and holds, and everything about one of them. Short reads only."""

import sqlite3
from dataclasses import dataclass

from draftctl.holds import Reopen, hold_kind, next_step
from draftctl.inbox import candidate_from_payload
from draftctl.models import Message
from draftctl.store import leases_of_review
from draftctl.store.standing import newest_draft, standing_row
from draftctl.store.threads import is_newest_of_thread

_LOOK_AHEAD = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which items a review shows, and in which order (oldest, newest, key)."""

    statuses: tuple[str, ...] = ("drafted", "held")
    template_key: str | None = None
    engine: str | None = None
    workflow: str | None = None
    reason: str | None = None
    sort: str = "oldest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One draft or hold as a person reads it. `seen` is the verdict that stands (0: none); `stale` that a newer message has come."""

    seq: int
    candidate_id: str
    thread_id: str
    person_id: str
    status: str
    messages: tuple[Message, ...]
    archetype: str | None
    state: str | None
    template_key: str | None
    received_at: str | None
    draft_id: str
    engine_id: str
    workflow: str | None
    body: str | None
    standing: str | None
    standing_body: str | None
    seen: int
    stale: bool
    hold_reason: str | None = None
    hold_detail: str | None = None
    meaning: str = ""
    next_step: str = ""

    @property
    def shown(self) -> str:
        """Return the text that a person sees and that `a` lets go: their own where it stands, else the draft; nothing for a hold."""
        return (self.standing_body if self.standing == "edited" else None) or self.body or ""


def next_item(
    connection: sqlite3.Connection, filters: Filters, after: tuple[str, int] | None, *, token: str, reviewer: str
) -> Item | None:
    """Return the next item after a place in the queue that nobody else reads, and take its lease; None at the end.

    For the caller's write transaction.
    """
    while rows := _rows(connection, filters, after):
        for row in rows:
            item = read_item(connection, row)
            if item is not None and leases_of_review.take(connection, row["id"], token=token, reviewer=reviewer):
                return item
        after = place(rows[-1]["template_key"], rows[-1]["seq"])
    return None


def place(template_key: str | None, seq: int) -> tuple[str, int]:
    """Return an item's place in the queue."""
    return template_key or "", seq


def _rows(connection: sqlite3.Connection, filters: Filters, after: tuple[str, int] | None) -> list[sqlite3.Row]:
    """Return the next rows of each status, merged: each is a walk along an index, however long the queue is."""
    found = [row for status in filters.statuses for row in _rows_of(connection, status, filters, after)]
    by_key = filters.sort == "key"
    found.sort(
        key=lambda row: (row["template_key"] or "" if by_key else "", row["seq"]), reverse=filters.sort == "newest"
    )
    return found[:_LOOK_AHEAD]


def _rows_of(
    connection: sqlite3.Connection, status: str, filters: Filters, after: tuple[str, int] | None
) -> list[sqlite3.Row]:
    key, seq = after or ("", 0)
    # A line without a note has no key, and NULLs come first.
    next_key = "(c.template_key, c.seq) > (:key, :seq)" if key else "(c.template_key IS NOT NULL OR c.seq > :seq)"
    order, beyond = {
        "oldest": ("c.seq", "c.seq > :seq"),
        "newest": ("c.seq DESC", "c.seq < :seq" if after else "true"),
        "key": ("c.template_key, c.seq", next_key if after else "true"),
    }[filters.sort]
    wanted = ["c.status = :status", beyond]
    if (
        filters.template_key or filters.engine or filters.workflow
    ):  # the note as the draft names it: a line may name it otherwise
        wanted.append(
            "EXISTS (SELECT 1 FROM drafts d WHERE d.seq = (SELECT max(seq) FROM drafts WHERE candidate_id = c.id) AND "
            "(:template_key IS NULL OR d.template_key = :template_key) AND (:engine IS NULL OR d.engine_id = :engine) "
            "AND (:workflow IS NULL OR d.workflow_id = :workflow))"
        )
    if filters.reason:
        wanted.append("c.hold_reason = :reason")
    elif status == "held":
        wanted.append(f"c.reopen IS NOT '{Reopen.NEXT_RUN}'")
    return connection.execute(
        f"SELECT c.* FROM candidates c WHERE {' AND '.join(wanted)} ORDER BY {order} LIMIT {_LOOK_AHEAD}",
        {
            "status": status, "seq": seq, "key": key, "template_key": filters.template_key, "reason": filters.reason,
            "engine": filters.engine, "workflow": filters.workflow,
        },
    ).fetchall()  # fmt: skip


def read_item(connection: sqlite3.Connection, row: sqlite3.Row) -> Item | None:
    """Return everything about a candidate that was decided on; None where it was not."""
    draft = newest_draft(connection, row["id"])
    if draft is None:
        return None
    stands = standing_row(connection, draft["id"])
    held = row["status"] == "held"
    on_body = row["reopen"] == Reopen.CHANGE
    reason = row["hold_reason"] or ""
    return Item(
        seq=row["seq"],
        candidate_id=row["id"],
        thread_id=row["thread_id"],
        person_id=row["person_id"],
        status=row["status"],
        messages=candidate_from_payload(row["payload"], row["history"]).messages,
        archetype=row["archetype"],
        state=row["state"],
        template_key=row["template_key"],
        received_at=row["received_at"],
        draft_id=draft["id"],
        engine_id=draft["engine_id"],
        workflow=f"{draft['workflow_id']}@{draft['workflow_version']}" if draft["workflow_id"] else None,
        body=draft["body"],
        standing=stands["verdict"] if stands else None,
        standing_body=stands["body"] if stands else None,
        seen=stands["id"] if stands else 0,
        stale=not is_newest_of_thread(connection, row["id"], row["thread_id"]),
        hold_reason=row["hold_reason"],
        hold_detail=row["hold_detail"],
        meaning=hold_kind(reason, on_body=on_body).meaning if held else "",
        next_step=next_step(reason, on_body=on_body, candidate_id=row["id"], person_id=row["person_id"])
        if held
        else "",
    )


def left(connection: sqlite3.Connection, filters: Filters) -> dict[str, int]:
    """Return how many items of each status wait for a person, whatever else is filtered."""
    return {
        status: int(
            connection.execute(
                "SELECT count(*) FROM candidates WHERE status = ? AND (status <> 'held' OR reopen IS NOT ?)",
                (status, Reopen.NEXT_RUN),
            ).fetchone()[0]
        )
        for status in filters.statuses
    }
