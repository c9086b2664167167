"""One person's review: what they read now, what they say of it, and what they take back. Every word is committed when it returns.

The full-screen review, the plain prompts and the commands are three faces of this.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from draftctl.errors import UsageError
from draftctl.gates.base import NOTHING
from draftctl.store import corrections, leases_of_review, people, reviewing, standing
from draftctl.store.corrections import BodyHits, Corrected, Verdict
from draftctl.store.db import transaction, utc_now
from draftctl.store.reviewing import Filters, Item


@dataclass(slots=True)
class ActiveTime:
    """How long somebody was at work on one item: the time between two keys, as far as it is not longer than `idle_s`."""

    idle_s: float
    clock: Callable[[], float] = time.monotonic
    opened_at: str = ""
    _last: float = 0.0
    _sum: float = 0.0

    def open(self) -> None:
        """Begin with a new item."""
        self.opened_at, self._last, self._sum = utc_now(), self.clock(), 0.0

    def touch(self) -> None:
        """Note a key."""
        now = self.clock()
        self._sum += min(now - self._last, self.idle_s)
        self._last = now

    @property
    def ms(self) -> int:
        """Return the milliseconds so far."""
        return round(1000 * self._sum)


@dataclass(frozen=True, slots=True)
class _Done:
    item: Item
    correction_id: int | None  # of a verdict; None: a hold, or a requeue


@dataclass(slots=True)
class ReviewSession:
    """One sitting of one reviewer over one queue. Raises UsageError, as a sentence, for what cannot be done; then nothing was."""

    connection: sqlite3.Connection
    reviewer: str
    body_hits: BodyHits
    filters: Filters = field(default_factory=Filters)
    idle_s: float = 30.0
    token: str = field(default_factory=leases_of_review.new_token)
    item: Item | None = None
    tags: set[str] = field(default_factory=set)
    unsent: str = ""  # what was written for this item and did not go
    left: dict[str, int] = field(default_factory=dict)  # how many items wait, by status, when this one was shown
    decided: int = 0
    active: ActiveTime = field(init=False)
    _after: tuple[str, int] | None = None
    _done: list[_Done] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.active = ActiveTime(self.idle_s)

    def next(self) -> Item | None:
        """Go to the next item, and hold it so that nobody else decides about it."""
        with transaction(self.connection):
            if self.item is not None:
                leases_of_review.drop(self.connection, self.item.candidate_id)
            found = reviewing.next_item(
                self.connection, self.filters, self._after, token=self.token, reviewer=self.reviewer
            )
        self._show(found)
        if found is not None:
            self._after = reviewing.place(found.template_key, found.seq)
        return found

    def _show(self, item: Item | None) -> None:
        self.item = item
        self.tags = set()
        self.unsent = ""
        self.left = reviewing.left(self.connection, self.filters)
        self.active.open()

    def hits(self, text: str) -> list[tuple[str, str]]:
        """Return what would stop a text from leaving: gate and rule."""
        return self.body_hits(text, NOTHING) if text.strip() else []

    def approve(self, *, why: str | None = None) -> Corrected:
        """Let go what is shown: the draft, or the person's text where that stands; a rejection is overturned with `why`."""
        item = self.item
        if item is not None and item.body is not None and item.shown != item.body:
            return self._judge("edited", body=item.shown, note=why)
        return self._judge("approved", note=why, override=why is not None)

    def edit(self, text: str, *, note: str | None = None) -> Corrected:
        """Let the person's own text go instead; for a hold, it is the answer. What cannot go stays in `unsent`."""
        self.unsent = text
        return self._judge("edited", body=text, note=note, override=note is not None)

    def reject(self, note: str | None = None) -> Corrected:
        """Say no to the draft."""
        return self._judge("rejected", note=note)

    def hold(self, reason: str) -> None:
        """Keep it back, without saying anything about the draft."""
        item = self._current()
        with transaction(self.connection):
            corrections.hold(self.connection, item.candidate_id, by=self.reviewer, reason=reason, token=self.token)
        self._count(item, None)

    def requeue(self, note: str | None = None) -> None:
        """Have it drafted anew, as `note` asks."""
        item = self._current()
        with transaction(self.connection):
            people.requeue(self.connection, item.candidate_id, by=self.reviewer, note=note, token=self.token)
        self._count(item, None)

    def undo(self) -> Item:
        """Take back the last thing that was done here, and go back to that item."""
        if not self._done:
            raise UsageError("There is nothing to take back in this review.")
        last = self._done[-1]
        with transaction(self.connection):
            if last.correction_id is not None:
                corrections.undo(
                    self.connection, last.item.draft_id, by=self.reviewer, token=self.token, expected=last.correction_id
                )
            else:
                corrections.take_back(self.connection, last.item.candidate_id, by=self.reviewer, token=self.token)
            if self.item is not None:
                leases_of_review.drop(self.connection, self.item.candidate_id)
            leases_of_review.take(self.connection, last.item.candidate_id, token=self.token, reviewer=self.reviewer)
            row = standing.find_candidate(self.connection, last.item.candidate_id)
            item = reviewing.read_item(self.connection, row) or last.item
        self._done.pop()
        self.decided -= 1
        self._after = reviewing.place(item.template_key, item.seq)
        self._show(item)
        return item

    def refresh(self) -> Item | None:
        """Look at the item once more: a newer message may have come, or somebody may have decided."""
        if self.item is not None:
            with transaction(self.connection):
                leases_of_review.take(self.connection, self.item.candidate_id, token=self.token, reviewer=self.reviewer)
            row = standing.find_candidate(self.connection, self.item.candidate_id)
            now = reviewing.read_item(self.connection, row)
            self.item = replace(self.item, stale=now.stale) if now else self.item
        return self.item

    def close(self) -> None:
        """Let go of everything."""
        with transaction(self.connection):
            leases_of_review.drop_all(self.connection, self.token)

    def _current(self) -> Item:
        if self.item is None:
            raise UsageError("There is nothing more to review.")
        return self.item

    def _judge(
        self, verdict: str, *, body: str | None = None, note: str | None = None, override: bool = False
    ) -> Corrected:
        item = self._current()
        if item.body is None and verdict != "edited":
            raise UsageError("There is no draft here: e writes the answer, n has it drafted anew.")
        self.active.touch()
        given = Verdict(
            verdict=verdict,
            author=self.reviewer,
            body=body,
            tags=tuple(sorted(self.tags)),
            note=note,
            override=override,
            opened_at=self.active.opened_at,
            active_ms=self.active.ms,
            token=self.token,
            seen=item.seen,
        )
        take = corrections.reply if item.body is None else corrections.correct
        with transaction(self.connection):
            done = take(
                self.connection, item.candidate_id if item.body is None else item.draft_id, given, self.body_hits
            )
        self._count(item, done.correction_id)
        return done

    def _count(self, item: Item, correction_id: int | None) -> None:
        self._done.append(_Done(item, correction_id))
        self.decided += 1
