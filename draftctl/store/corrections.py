"""Verdicts on drafts, appended in the caller's transaction: taken, undone, and a person's own answer to a hold.

A row remembers what training needs of its draft, so that it can be exported when the draft's own steps have been purged.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from draftctl.corrections import clean, edit_share, scope_tokens
from draftctl.errors import UsageError
from draftctl.failpoints import reach
from draftctl.gates.base import Around
from draftctl.holds import Reopen, hold_kind, next_step
from draftctl.inbox import candidate_from_payload
from draftctl.models import Finding, canonical_json
from draftctl.redaction import names_in
from draftctl.store import audit, few_shot, leases_of_review, threads, training
from draftctl.store.db import utc_now
from draftctl.store.decisions import decide
from draftctl.store.standing import (
    find_candidate,
    find_draft,
    leaving,
    move,
    newest_draft,
    refuse_erased,
    release,
    restand,
    standing_row,
    void,
    why_unsendable,
)

MAX_BODY_CHARS = 2000  # what the outbox takes (store/schema.py)
MAX_NOTE_CHARS = 2000
BodyHits = Callable[[str, Around], list[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A person's word on a draft: approved, edited (with the new text) or rejected; tags, a note, who says so.

    `opened_at` and `active_ms` say how long it took without the idle time, `at` when it was given (now, unless imported),
    `token` the review that holds the candidate, `seen` the correction that stood when the draft was shown (-1: do not ask).
    """

    verdict: str
    author: str
    body: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    override: bool = False
    opened_at: str | None = None
    active_ms: int | None = None
    at: str | None = None
    import_key: str | None = None
    token: str | None = None
    seen: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What became of a verdict: its row, and the gate that keeps the text from leaving (or None)."""

    correction_id: int
    draft_id: str
    candidate_id: str
    verdict: str
    stopped_by: str | None
    hits: tuple[str, ...] = ()
    withdrew: bool = False  # what was approved before, for this text was stopped


def correct(connection: sqlite3.Connection, word: str, verdict: Verdict, body_hits: BodyHits) -> Corrected:
    """Take a verdict. Approved and edited release the text into the outbox, in this transaction; a text that a gate stops is kept but stays.

    Raises UsageError when the verdict cannot be taken, with why.
    """
    draft = find_draft(connection, word)
    candidate = find_candidate(connection, draft["candidate_id"])
    if draft["status"] != "drafted":
        hint = f"`draftctl reply {candidate['id']} --body TEXT` answers it yourself."
        raise UsageError(f"{draft['id']} is held ({draft['hold_reason']}): there is no text to judge.", hint=hint)
    return _take(connection, draft, candidate, verdict, body_hits)


def reply(connection: sqlite3.Connection, word: str, verdict: Verdict, body_hits: BodyHits) -> Corrected:
    """Take a person's own answer to a candidate that holds; it goes the way of an edit, gates included.

    Raises UsageError when nobody may be written to, or nothing was decided yet.
    """
    candidate = find_candidate(connection, word)
    draft = newest_draft(connection, candidate["id"])
    if draft is None or candidate["status"] in ("waiting", "drafting"):
        raise UsageError(
            f"{candidate['id']} waits to be looked at.", hint="`draftctl draft --batch` first: the gates come first."
        )
    return _take(connection, draft, candidate, verdict, body_hits)


def _take(
    connection: sqlite3.Connection,
    draft: sqlite3.Row,
    candidate: sqlite3.Row,
    verdict: Verdict,
    body_hits: BodyHits,
) -> Corrected:
    leases_of_review.check(connection, candidate["id"], token=verdict.token, author=verdict.author)
    late = _refuse(connection, draft, candidate, verdict, standing_row(connection, draft["id"]))
    body = {"approved": draft["body"], "edited": clean(verdict.body or ""), "rejected": None}[verdict.verdict]
    # What was sent before in this thread is not sent again, also in a person's own words; what they promise and in which tongue is theirs.
    hits = body_hits(body, Around(sent=threads.all_sent(connection, candidate))) if body else []
    stopped_by = f"gate:{hits[0][0]}" if hits else late
    row_id = _insert(connection, draft, candidate, verdict, body=body, stopped_by=stopped_by)
    few_shot.settle(connection, draft["id"], row_id if body and not hits else None)
    _record(connection, candidate, draft, row_id, verdict.author, Finding(kind="review", outcome=verdict.verdict, reason=stopped_by or "", detail=f"by {verdict.author}"))  # fmt: skip
    if late is None and _is_current(connection, draft, candidate):
        _apply(connection, draft, candidate, verdict, body if not stopped_by else None, row_id)
    leases_of_review.drop(connection, candidate["id"])
    reach("correct.in_transaction")
    return Corrected(
        correction_id=row_id,
        draft_id=draft["id"],
        candidate_id=candidate["id"],
        verdict=verdict.verdict,
        stopped_by=stopped_by,
        hits=tuple(f"gate:{name} (rule {rule})" for name, rule in hits),
        withdrew=bool(hits) and candidate["status"] == "approved",
    )


def _is_current(connection: sqlite3.Connection, draft: sqlite3.Row, candidate: sqlite3.Row) -> bool:
    """Say whether a verdict on this draft decides about its candidate: there is no newer draft, and none is asked for."""
    newest = newest_draft(connection, candidate["id"])
    return newest is not None and newest["id"] == draft["id"] and candidate["status"] != "waiting"


def _apply(
    connection: sqlite3.Connection,
    draft: sqlite3.Row,
    candidate: sqlite3.Row,
    verdict: Verdict,
    body: str | None,
    row_id: int,
) -> None:
    """Move the candidate, and put a text that may leave into the outbox."""
    unreleased = "drafted" if draft["status"] == "drafted" else "held"
    move(
        connection,
        candidate,
        draft,
        "rejected" if verdict.verdict == "rejected" else "approved" if body else unreleased,
    )
    if body:
        release(connection, draft, candidate, body, row_id, verdict.author)


def undo(
    connection: sqlite3.Connection, word: str, *, by: str, token: str | None = None, expected: int | None = None
) -> Corrected:
    """Withdraw the last verdict on a draft, as a row of its own; what stood before it stands again.

    Raises UsageError when nothing stands, or the text has left already.
    """
    draft = find_draft(connection, word)
    candidate = find_candidate(connection, draft["candidate_id"])
    last = standing_row(connection, draft["id"])
    if last is None:
        raise UsageError(f"{draft['id']} has no verdict to take back.")
    if expected not in (None, last["id"]):
        raise UsageError(f"{draft['id']} was decided meanwhile: {last['verdict']} by {last['author']}.")
    if candidate["status"] == "drafting":
        raise UsageError(f"{candidate['id']} is being drafted right now.", hint="Look at what comes of it.")
    leases_of_review.check(connection, candidate["id"], token=token, author=by)
    _refuse_left(connection, draft, candidate)
    taken_back = Verdict(verdict="undone", author=by)
    row_id = _insert(connection, draft, candidate, taken_back, body=None, stopped_by=None, undoes=last["id"])
    before = standing_row(connection, draft["id"])
    usable = before is not None and before["body"] and not str(before["stopped_by"]).startswith("gate:")
    few_shot.settle(connection, draft["id"], before["id"] if before is not None and usable else None)
    _record(connection, candidate, draft, row_id, by, Finding(kind="review", outcome="undone", detail=f"by {by}"))
    if _is_current(connection, draft, candidate) and candidate["hold_reason"] != "held_by_person":
        restand(connection, candidate)  # what a person holds back stays so until that is taken back
    return Corrected(
        correction_id=row_id, draft_id=draft["id"], candidate_id=candidate["id"], verdict="undone", stopped_by=None
    )


def _refuse(
    connection: sqlite3.Connection,
    draft: sqlite3.Row,
    candidate: sqlite3.Row,
    verdict: Verdict,
    last: sqlite3.Row | None,
) -> str | None:
    """Refuse a verdict that cannot be taken; return why one is kept though its text cannot leave (`stale`, `sent`), or None.

    What a person wrote is never lost: an edit that came too late is still a lesson, and so is every line of an import.
    """
    _check_texts(verdict)
    refuse_erased(candidate)
    if verdict.import_key is not None and (candidate["status"] == "sent" or leaving(connection, candidate["id"])):
        return "sent"
    _refuse_left(connection, draft, candidate)
    if candidate["status"] == "drafting":
        raise UsageError(f"{candidate['id']} is being drafted right now.", hint="Look at what comes of it.")
    if verdict.seen not in (-1, last["id"] if last else 0):
        raise UsageError(f"{draft['id']} was decided meanwhile: {last['verdict'] if last else 'undone'}.")
    overturns = last is not None and last["verdict"] == "rejected" and verdict.verdict != "rejected"
    if overturns and not (verdict.override and (verdict.note or "").strip()):
        raise UsageError(f"{draft['id']} was rejected.", hint="--override with --note WHY overturns a rejection.")
    if verdict.verdict != "rejected":
        reason = why_unsendable(connection, draft, candidate)
        if reason == "stale" and (verdict.verdict == "edited" or verdict.import_key is not None):
            return reason
        if reason:
            step = next_step(reason, candidate_id=candidate["id"], person_id=candidate["person_id"])
            raise UsageError(f"{draft['id']} cannot be released ({reason}): {hold_kind(reason).meaning}", hint=step)
    return None


def _check_texts(verdict: Verdict) -> None:
    body, note = clean(verdict.body or ""), verdict.note or ""
    if verdict.verdict == "edited" and not body:
        raise UsageError("An edit needs the new text.", hint="--body TEXT or --body-file FILE.")
    if len(body) > MAX_BODY_CHARS:
        raise UsageError(f"The text has {len(body):,} characters; at most {MAX_BODY_CHARS:,} are sent.")
    if len(note) > MAX_NOTE_CHARS:
        raise UsageError(f"The note has {len(note):,} characters; at most {MAX_NOTE_CHARS:,} are kept.")


def _refuse_left(connection: sqlite3.Connection, draft: sqlite3.Row, candidate: sqlite3.Row) -> None:
    refuse_erased(candidate)
    if candidate["status"] == "sent" or leaving(connection, candidate["id"]):
        raise UsageError(
            f"{draft['id']} has left already, or may have.", hint="What has left cannot be taken back here."
        )


def _insert(
    connection: sqlite3.Connection,
    draft: sqlite3.Row,
    candidate: sqlite3.Row,
    verdict: Verdict,
    *,
    body: str | None,
    stopped_by: str | None,
    undoes: int | None = None,
) -> int:
    """Append a row with all that the draft knows, and what training reads of it."""
    value = candidate_from_payload(candidate["payload"], candidate["history"], candidate["found"])
    prompt = training.prompt_of(connection, draft, value)
    row = {
        **{name: draft[name] for name in ("candidate_id", "thread_id", "engine_id", "workflow_id", "workflow_version", "semantic_hash", "bundle_hash", "git_commit", "template_key")},
        **{name: candidate[name] for name in ("person_id", "archetype", "state")},
        "draft_id": draft["id"], "verdict": verdict.verdict, "original": draft["body"], "body": body,
        "tags": canonical_json(sorted(set(verdict.tags))), "note": verdict.note, "author": verdict.author,
        "stopped_by": stopped_by, "undoes": undoes,
        "inbound": clean(value.inbound[-1]), "prompt_hash": prompt.hashed if prompt else None, "edit_share": edit_share(draft["body"], body),
        "scope": scope_tokens(draft["template_key"], candidate["archetype"], candidate["state"]),
        "opened_at": verdict.opened_at, "active_ms": verdict.active_ms, "import_key": verdict.import_key,
        "created_at": verdict.at or utc_now(),
    }  # fmt: skip
    columns = ", ".join(row)
    cursor = connection.execute(
        f"INSERT INTO prospect_corrections ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
    )
    row_id = int(cursor.lastrowid or 0)
    if undoes is None:
        names = names_in(value.atoms)
        texts = training.redacted(
            prompt.messages if prompt else None,
            prompt.shared if prompt else None,
            names,
            inbound=str(row["inbound"]),
            original=draft["body"],
            final=body,
        )
        training.keep(connection, row_id, texts, names)
    return row_id


def _record(
    connection: sqlite3.Connection, candidate: sqlite3.Row, draft: sqlite3.Row, row_id: int, by: str, finding: Finding
) -> None:
    audit.vouch(connection, kind="correct", subject=str(row_id), actor=by, detail={"draft": draft["id"]})
    decide(connection, candidate["id"], finding, draft_id=draft["id"], engine_id=draft["engine_id"])


def take_back(connection: sqlite3.Connection, word: str, *, by: str, token: str | None = None) -> str:
    """Take back a hold or a requeue that nothing has come of yet; return the candidate's status then."""
    candidate = find_candidate(connection, word)
    if candidate["status"] not in ("waiting", "held"):
        raise UsageError(f"{candidate['id']} is {candidate['status']} by now, so that cannot be taken back.")
    if leaving(connection, candidate["id"]):
        raise UsageError(f"{candidate['id']}: its text has left already, or may have.")
    leases_of_review.check(connection, candidate["id"], token=token, author=by)
    connection.execute(
        "UPDATE candidates SET redraft_note = NULL, redraft_of = NULL WHERE seq = ?", (candidate["seq"],)
    )
    status = restand(connection, candidate)
    decide(connection, candidate["id"], Finding(kind="review", outcome="undone", detail=f"by {by}"))
    audit.append(connection, kind="take_back", subject=candidate["id"], actor=by, detail={"status": status})
    return status


def hold(connection: sqlite3.Connection, word: str, *, by: str, reason: str, token: str | None = None) -> str:
    """Keep a drafted or approved candidate from leaving, in a person's words; return its id. It says nothing about the draft's quality."""
    candidate = find_candidate(connection, word)
    draft = newest_draft(connection, candidate["id"])
    if draft is None or candidate["status"] not in ("drafted", "approved"):
        raise UsageError(f"{candidate['id']} is {candidate['status']}: there is nothing to hold back.")
    leases_of_review.check(connection, candidate["id"], token=token, author=by)
    _refuse_left(connection, draft, candidate)
    void(connection, candidate["id"])
    connection.execute(
        "UPDATE candidates SET status = 'held', hold_reason = 'held_by_person', hold_detail = ?, reopen = ?, updated_at = ? WHERE id = ?",
        (reason, Reopen.PERSON, utc_now(), candidate["id"]),
    )
    decide(
        connection, candidate["id"], Finding(kind="review", outcome="held", reason="held_by_person", detail=f"by {by}"), draft_id=draft["id"]
    )  # fmt: skip
    audit.append(connection, kind="hold", subject=candidate["id"], actor=by)
    leases_of_review.drop(connection, candidate["id"])
    return str(candidate["id"])
