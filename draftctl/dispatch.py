"""Approved texts leave, at most once each: the intent is committed before a text goes out, and what is unclear holds.

What was intended and never settled is asked about first: the outlet may know (the place in the file, the receiver). What it does not
know holds as `dispatch_unknown` and is never sent again; `reconcile` settles it later, by the receiver's word or a person's.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from draftctl.errors import DraftctlError, UsageError
from draftctl.failpoints import reach
from draftctl.gates.base import Around
from draftctl.holds import Reopen
from draftctl.inbox import candidate_from_payload
from draftctl.models import Finding, Staged, canonical_json
from draftctl.outlets.base import Delivery, Outlet, Text
from draftctl.outlets.file import at_place
from draftctl.runner import vouched
from draftctl.settings import Persona
from draftctl.store import audit, persons, threads
from draftctl.store.corrections import BodyHits
from draftctl.store.db import transaction, utc_now
from draftctl.store.decisions import decide, last_reason
from draftctl.store.jobs import paused
from draftctl.store.standing import ERASED, find_candidate, restand, standing_row, why_unsendable

DAY = timedelta(days=1)


@dataclass(slots=True)
class DispatchCount:
    """How many texts were sent, held back, are unclear, and were left for later; and why the run ended early, if it did."""

    sent: int = 0
    held: int = 0
    unknown: int = 0
    skipped: int = 0
    paused: str = ""
    waits: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds beside the gates: why the persona may not speak (or None), whether it is quiet now, how many texts a person gets in a day."""

    no_consent: str | None = None
    is_quiet: Callable[[], bool] = lambda: False
    max_per_person_day: int = 20


def consent_problem(persona: Persona, today: date) -> str | None:
    """Say why nothing may be sent in this persona's voice, or None."""
    if not (persona.name and persona.consented_by and persona.consented_at):
        return "draftctl.yaml does not say who consented to texts in this voice, and when (persona: consented_by, consented_at)"
    if persona.review_by and persona.review_by < today:
        return f"the persona's consent was to be looked at again by {persona.review_by} (persona: review_by in draftctl.yaml)"
    return None


class Dispatcher:
    """Sends what is due through one outlet. Made for the holder of the dispatch lock."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        outlet: Outlet,
        body_hits: BodyHits,
        rules: Rules,
        say: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._outlet = outlet
        self._body_hits = body_hits
        self.rules = rules
        self._say = say
        self.count = DispatchCount()

    def run(self) -> DispatchCount:
        """Settle what an earlier run left unclear, then send what is due."""
        for row in self._rows("sending"):
            self._settle(row)
        due = self._rows("pending")
        for n, row in enumerate(due):
            why = paused(self._connection)
            if why is not None or self.count.trouble:
                self.count.skipped += len(due) - n
                self.count.paused = why or ""
                break
            self._one(row)
        return self.count

    def reconcile(self) -> DispatchCount:
        """Ask the outlet about every text that is unclear, however old."""
        for row in self._rows("sending"):
            self._settle(row)
        for row in self._rows("unknown"):
            found = self._ask(row)
            if found.what == "sent":
                self._end(row, found)
            elif found.what == "not_sent":
                self._back(row)
                self.count.skipped += 1
            else:
                self.count.unknown += 1
        return self.count

    def _rows(self, status: str) -> list[sqlite3.Row]:
        return self._connection.execute("SELECT * FROM outbox WHERE status = ? ORDER BY seq", (status,)).fetchall()

    def _one(self, row: sqlite3.Row) -> None:
        if self.rules.no_consent:
            self._note_once(row, "no_consent")
            self.count.held += 1
        elif self._outlet.holds(row["id"]):
            self._end(row, Delivery(what="sent"))  # an older state of the database was restored: it is there already
        elif self._has_unread(row):
            self._note_once(row, "unread", outcome="waits")
            self.count.skipped += 1
            self.count.waits = "what somebody has written since is not looked at yet"
        elif (quiet := self.rules.is_quiet()) or self._is_too_much(row):
            self._note_once(row, "quiet_hours" if quiet else "rate_limited", outcome="waits")
            self.count.skipped += 1
            self.count.waits = "quiet hours" if quiet else "somebody has had enough texts for a day"
        else:
            self._send(row)

    def _has_unread(self, row: sqlite3.Row) -> bool:
        candidate = find_candidate(self._connection, row["candidate_id"])
        return persons.has_unread(self._connection, candidate["person_id"], candidate["thread_id"])

    def _is_too_much(self, row: sqlite3.Row) -> bool:
        """Say whether a person has had as many texts in the last day as anybody gets."""
        person_id = find_candidate(self._connection, row["candidate_id"])["person_id"]
        since = (datetime.now(UTC) - DAY).isoformat(timespec="milliseconds")
        return persons.sent_since(self._connection, person_id, since) >= self.rules.max_per_person_day

    def _send(self, row: sqlite3.Row) -> None:
        intent = dict(self._outlet.intend())
        if not self._begin(row, intent):
            return
        reach("dispatch.after_intent")
        done = self._outlet.deliver(_text(row), intent)
        reach("dispatch.after_write")
        match done.what:
            case "sent":
                self._end(row, done)
            case "refused":
                with transaction(self._connection):
                    self._keep_answer(row, done)
                    self._hold(row, "dispatch_refused", "void", done.why)
                self.count.held += 1
            case "later" | "not_sent":
                self._back(row)
                self.count.trouble = done.why
                self.count.skipped += 1
            case "unclear":
                self._unclear(row, done)

    def _begin(self, row: sqlite3.Row, intent: dict[str, object]) -> bool:
        """Commit the intent, unless the text may no longer leave."""
        with transaction(self._connection) as connection:
            now = connection.execute("SELECT status FROM outbox WHERE id = ?", (row["id"],)).fetchone()
            if now["status"] != "pending" or paused(connection) is not None:
                self.count.skipped += 1
                return False
            candidate = find_candidate(connection, row["candidate_id"])
            if candidate["erased_at"] is not None or not self._stands(row):
                self._void(row, erased=candidate["erased_at"] is not None)
                return False
            reason = self._why_not(row, candidate)
            if reason:
                self._hold(row, reason, "void")
                self.count.held += 1
                return False
            connection.execute(
                "UPDATE outbox SET status = 'sending', intent = ?1, sent_at = ?2, updated_at = ?2 WHERE id = ?3",
                (canonical_json(intent), utc_now(), row["id"]),
            )
        return True

    def _why_not(self, row: sqlite3.Row, candidate: sqlite3.Row) -> str | None:
        """Look once more at the person, the thread and the text."""
        draft = self._connection.execute("SELECT * FROM drafts WHERE id = ?", (row["draft_id"],)).fetchone()
        reason = why_unsendable(self._connection, draft, candidate)
        if reason:
            return reason
        value = candidate_from_payload(candidate["payload"], candidate["history"], candidate["found"])
        lines = threads.lines(self._connection, candidate["thread_id"])
        thread = threads.facts(self._connection, candidate, value.messages, lines)
        if thread.presses and row["correction_id"] is None:  # a person who writes once more has seen the thread
            return "follow_up_limit"
        staged = Staged(**json.loads(candidate["staged"] or "{}"))
        # A person's own words may be in any language, and may promise what that person knows.
        own = row["body"] != draft["body"]
        around = (
            Around(sent=thread.sent)
            if own
            else Around(inbound=value.inbound, sent=thread.sent, atoms=vouched(value, staged))
        )
        hits = self._body_hits(row["body"], around)
        return f"gate:{hits[0][0]}" if hits else None

    def _stands(self, row: sqlite3.Row) -> bool:
        """Say whether what released a text still stands: a verdict may have come while the text was on its way."""
        stands = standing_row(self._connection, row["draft_id"])
        return bool((stands["id"] if stands else None) == row["correction_id"])

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

    def _back(self, row: sqlite3.Row) -> None:
        with transaction(self._connection):
            put_back(self._connection, row)

    def _end(self, row: sqlite3.Row, done: Delivery) -> None:
        end(self._connection, row, done)
        self.count.sent += 1

    def _ask(self, row: sqlite3.Row) -> Delivery:
        """Ask what became of a text; a file says so by itself, wherever texts go now."""
        intent = json.loads(row["intent"])
        return at_place(_text(row), intent) if "path" in intent else self._outlet.ask(_text(row), intent)

    def _settle(self, row: sqlite3.Row) -> None:
        """Find out what became of a text whose sending was cut short."""
        found = self._ask(row)
        if found.what == "sent":
            self._end(row, found)
        elif found.what == "not_sent":
            self._back(row)
        else:
            self._unclear(row, found)

    def _unclear(self, row: sqlite3.Row, done: Delivery) -> None:
        with transaction(self._connection):
            self._keep_answer(row, done)
            self._hold(row, "dispatch_unknown", "unknown", done.why)
        self.count.unknown += 1
        self._say(
            f"{row['draft_id']}: it is unclear whether this text left ({done.why}); it is held and never sent again by itself"
        )

    def _keep_answer(self, row: sqlite3.Row, done: Delivery) -> None:
        self._connection.execute("UPDATE outbox SET answer = ? WHERE id = ?", (done.answer, row["id"]))

    def _hold(self, row: sqlite3.Row, reason: str, status: str, detail: str = "") -> None:
        self._connection.execute(
            "UPDATE outbox SET status = ?, updated_at = ? WHERE id = ?", (status, utc_now(), row["id"])
        )
        if find_candidate(self._connection, row["candidate_id"])["erased_at"] is not None:
            # It was on its way when its person was erased: only now is it known what became of it.
            self._connection.execute("UPDATE outbox SET body = ?, answer = NULL WHERE id = ?", (ERASED, row["id"]))
            self._decided(row, "held", reason)
            return
        self._connection.execute(
            "UPDATE candidates SET status = 'held', hold_reason = ?, hold_detail = ?, reopen = ?, updated_at = ? WHERE id = ?",
            (reason, detail or None, Reopen.PERSON, utc_now(), row["candidate_id"]),
        )
        self._decided(row, "held", reason, detail)

    def _note_once(self, row: sqlite3.Row, reason: str, outcome: str = "held") -> None:
        """Record why a text waits, unless that is what was recorded last."""
        if last_reason(self._connection, row["candidate_id"]) != reason:
            with transaction(self._connection):
                self._decided(row, outcome, reason)

    def _decided(self, row: sqlite3.Row, outcome: str, reason: str, detail: str = "") -> None:
        decided(self._connection, row, outcome, reason, detail)


def end(connection: sqlite3.Connection, row: sqlite3.Row, done: Delivery, *, by: str = "draftctl") -> None:
    """Record that a text has arrived, and where that leaves its thread."""
    with transaction(connection):
        status = connection.execute("SELECT status FROM outbox WHERE id = ?", (row["id"],)).fetchone()["status"]
        if status == "sent":
            return
        candidate = find_candidate(connection, row["candidate_id"])
        erased = candidate["erased_at"] is not None
        connection.execute(
            "UPDATE outbox SET status = 'sent', body = CASE WHEN ? THEN ? ELSE body END, answer = CASE WHEN ? THEN NULL ELSE ? END, updated_at = ? WHERE id = ?",
            (erased, ERASED, erased, done.answer, utc_now(), row["id"]),
        )
        connection.execute(
            "UPDATE candidates SET status = 'sent', hold_reason = NULL, hold_detail = NULL, reopen = NULL, updated_at = ? WHERE id = ?",
            (utc_now(), row["candidate_id"]),
        )
        threads.arrive(connection, candidate)
        decided(connection, row, "sent", "", by=by)


def put_back(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
    """Let a text that never arrived go out again, under its own key; one that was settled otherwise meanwhile stays so."""
    if not connection.execute(
        "UPDATE outbox SET status = 'pending', intent = NULL, updated_at = ? WHERE id = ? AND status IN ('sending', 'unknown')",
        (utc_now(), row["id"]),
    ).rowcount:
        return
    connection.execute(
        "UPDATE outbox SET status = 'void' WHERE id = ? AND EXISTS (SELECT 1 FROM candidates WHERE id = ? AND status <> 'approved' "
        "AND hold_reason IS NOT 'dispatch_unknown')",
        (row["id"], row["candidate_id"]),
    )
    connection.execute(
        "UPDATE candidates SET status = 'approved', hold_reason = NULL, hold_detail = NULL, updated_at = ? "
        "WHERE id = ? AND status = 'held' AND hold_reason = 'dispatch_unknown'",
        (utc_now(), row["candidate_id"]),
    )


def settle_by_hand(connection: sqlite3.Connection, word: str, *, arrived: bool, by: str) -> str:
    """Settle an unclear text by a person's word: it arrived, or it was lost and goes out once more under its own key; return the candidate's id.

    Raises UsageError when nothing of it is unclear.
    """
    candidate = find_candidate(connection, word)
    row = connection.execute(
        "SELECT * FROM outbox WHERE candidate_id = ? AND status = 'unknown'", (candidate["id"],)
    ).fetchone()
    if row is None:
        raise UsageError(f"Nothing of {candidate['id']} is unclear.", hint="`draftctl holds --reason dispatch_unknown`")
    if arrived:
        end(connection, row, Delivery(what="sent"), by=by)
        return str(candidate["id"])
    with transaction(connection):
        put_back(connection, row)
        decided(connection, row, "lost", "", by=by)
    return str(candidate["id"])


def decided(
    connection: sqlite3.Connection,
    row: sqlite3.Row,
    outcome: str,
    reason: str,
    detail: str = "",
    *,
    by: str = "draftctl",
) -> None:
    """Record what became of a text, in the decisions and in the trail."""
    said = " ".join(part for part in (detail, "" if by == "draftctl" else f"by {by}") if part)
    finding = Finding(kind="dispatch", outcome=outcome, reason=reason, detail=said)
    decide(connection, row["candidate_id"], finding, draft_id=row["draft_id"])
    audit.append(
        connection,
        kind="dispatch",
        subject=row["candidate_id"],
        actor=by,
        detail={"key": row["id"], "outcome": outcome, "reason": reason},
    )


def _text(row: sqlite3.Row) -> Text:
    return Text(
        key=row["id"],
        candidate_id=row["candidate_id"],
        draft_id=row["draft_id"],
        thread_id=row["thread_id"],
        text=row["body"],
    )


def trouble(count: DispatchCount) -> DraftctlError | None:
    """Return what a person must hear when texts could not be delivered."""
    if not count.trouble:
        return None
    return DraftctlError(
        f"{count.trouble}. Nothing is lost: {count.skipped} texts wait and go with the next run.",
        hint="Put that right; `draftctl doctor` says where texts go.",
    )
