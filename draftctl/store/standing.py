"""Where a candidate stands: its newest draft, the verdict that stands, whether a text may leave, and what waits in the outbox."""

import sqlite3

from draftctl.corrections import Given, standing
from draftctl.errors import UsageError
from draftctl.models import sha256_text
from draftctl.store import audit
from draftctl.store.db import utc_now
from draftctl.store.persons import person
from draftctl.store.threads import is_newest_of_thread

ERASED = "[erased]"  # stands where a text stood


def refuse_erased(candidate: sqlite3.Row) -> None:
    """Raise UsageError when a candidate's texts were erased: nothing is left to decide about."""
    if candidate["erased_at"] is not None:
        raise UsageError(f"{candidate['id']}: its texts were erased on {candidate['erased_at'][:10]}.")


def find_draft(connection: sqlite3.Connection, word: str) -> sqlite3.Row:
    """Return the draft that a person means: its id, the start of it, or its candidate's id (then the newest).

    Raises UsageError when there is none, or several.
    """
    row = connection.execute("SELECT * FROM drafts WHERE id = ?", (word,)).fetchone() or newest_draft(connection, word)
    if row is None and len(word) >= 4:  # noqa: PLR2004  (shorter would hit by chance)
        rows = connection.execute(
            "SELECT * FROM drafts WHERE substr(id, 1, ?) = ? LIMIT 2", (len(word), word)
        ).fetchall()
        row = rows[0] if len(rows) == 1 else None
    if row is None:
        if connection.execute("SELECT 1 FROM candidates WHERE id = ?", (word,)).fetchone():
            raise UsageError(f"Candidate {word} has no draft yet.", hint="`draftctl draft --batch` drafts what waits.")
        raise UsageError(f"There is no draft and no candidate {word!r}.", hint="`draftctl drafts list` shows them.")
    return row


def newest_draft(connection: sqlite3.Connection, candidate_id: str) -> sqlite3.Row | None:
    """Return the last draft or hold of a candidate."""
    return connection.execute(  # type: ignore[no-any-return]
        "SELECT * FROM drafts WHERE candidate_id = ? ORDER BY seq DESC LIMIT 1", (candidate_id,)
    ).fetchone()


def find_candidate(connection: sqlite3.Connection, word: str) -> sqlite3.Row:
    """Return a candidate by its id or by one of its drafts' ids. Raises UsageError when there is none."""
    row = connection.execute("SELECT * FROM candidates WHERE id = ?", (word,)).fetchone()
    if row is None:
        draft = find_draft(connection, word)
        row = connection.execute("SELECT * FROM candidates WHERE id = ?", (draft["candidate_id"],)).fetchone()
    return row  # type: ignore[no-any-return]


def standing_row(connection: sqlite3.Connection, draft_id: str) -> sqlite3.Row | None:
    """Return the correction of a draft that stands."""
    rows = connection.execute(
        "SELECT id, verdict, undoes FROM prospect_corrections WHERE draft_id = ? ORDER BY id", (draft_id,)
    ).fetchall()
    stands = standing(Given(*row) for row in rows)
    return connection.execute("SELECT * FROM prospect_corrections WHERE id = ?", (stands,)).fetchone()  # type: ignore[no-any-return]


def leaving(connection: sqlite3.Connection, candidate_id: str) -> bool:
    """Say whether a candidate's text is on its way, has left, or may have."""
    row = connection.execute(
        "SELECT 1 FROM outbox WHERE candidate_id = ? AND status IN ('sending', 'sent', 'unknown')", (candidate_id,)
    ).fetchone()
    return row is not None


def why_unsendable(connection: sqlite3.Connection, draft: sqlite3.Row, candidate: sqlite3.Row) -> str | None:
    """Return the hold reason that keeps a draft from being released or sent now, or None."""
    known = person(connection, candidate["person_id"])
    if known.flagged:
        return "person_flagged"
    if known.opted_out:
        return "opted_out"
    newest = newest_draft(connection, candidate["id"])
    if newest is None or newest["id"] != draft["id"]:
        return "stale"
    return None if is_newest_of_thread(connection, candidate["id"], candidate["thread_id"]) else "stale"


def void(connection: sqlite3.Connection, candidate_id: str) -> None:
    """Take back what waits in the outbox for a candidate."""
    connection.execute(
        "UPDATE outbox SET status = 'void', updated_at = ? WHERE candidate_id = ? AND status = 'pending'",
        (utc_now(), candidate_id),
    )


def move(
    connection: sqlite3.Connection,
    candidate: sqlite3.Row,
    draft: sqlite3.Row,
    status: str,
) -> None:
    """Give a candidate the status that a person's word gives it; whatever an earlier word put into the outbox is void.

    What reopens a hold stays noted while it is answered, so that it is there again when the answer is taken back.
    """
    void(connection, candidate["id"])
    held = status == "held"
    reason, detail = (draft["hold_reason"], draft["hold_detail"]) if held else (None, None)
    connection.execute(
        "UPDATE candidates SET status = ?, hold_reason = ?, hold_detail = ?, updated_at = ? WHERE id = ?",
        (status, reason, detail, utc_now(), candidate["id"]),
    )


def restand(connection: sqlite3.Connection, candidate: sqlite3.Row) -> str:
    """Put a candidate back to what its newest draft and the verdict that stands say; return that status."""
    draft = newest_draft(connection, candidate["id"])
    if draft is None:
        raise UsageError(f"{candidate['id']} has no draft yet.")
    stands = standing_row(connection, draft["id"])
    alone = stands is None and leaves_alone(connection, draft, candidate)
    if stands is None:
        status = "approved" if alone else "drafted" if draft["status"] == "drafted" else "held"
    elif stands["verdict"] == "rejected":
        status = "rejected"
    else:
        released = not stands["stopped_by"] and why_unsendable(connection, draft, candidate) is None
        status = "approved" if released else "drafted" if draft["status"] == "drafted" else "held"
    move(connection, candidate, draft, status)
    if stands is not None and status == "approved":
        release(connection, draft, candidate, stands["body"], stands["id"], stands["author"])
    elif alone:
        release(connection, draft, candidate, draft["body"], None, "draftctl")
    return status


def leaves_alone(connection: sqlite3.Connection, draft: sqlite3.Row, candidate: sqlite3.Row) -> bool:
    """Say whether a draft of mode `auto` may leave without a person's word now: not any more once somebody has judged it."""
    if draft["mode"] != "auto" or draft["status"] != "drafted":
        return False
    judged = connection.execute("SELECT 1 FROM prospect_corrections WHERE draft_id = ?", (draft["id"],)).fetchone()
    return judged is None and why_unsendable(connection, draft, candidate) is None


def release_by_itself(connection: sqlite3.Connection, draft_id: str, run_id: str) -> None:
    """Put a draft of mode `auto` into the outbox, in the transaction that writes it."""
    draft = find_draft(connection, draft_id)
    candidate = find_candidate(connection, draft["candidate_id"])
    if leaves_alone(connection, draft, candidate):
        move(connection, candidate, draft, "approved")
        release(connection, draft, candidate, draft["body"], None, "draftctl", run_id=run_id)


def release(
    connection: sqlite3.Connection,
    draft: sqlite3.Row,
    candidate: sqlite3.Row,
    body: str,
    row_id: int | None,
    by: str,
    *,
    run_id: str | None = None,
) -> None:
    """Put a text into the outbox (`row_id`: the verdict that releases it; None: it leaves alone); one that was taken out goes back as the row that it was."""
    now = utc_now()
    key = sha256_text(f"{draft['id']}\0{row_id}\0{body}")[:32]
    if connection.execute(
        "UPDATE outbox SET status = 'pending', updated_at = ? WHERE id = ? AND status = 'void'", (now, key)
    ).rowcount:
        return
    connection.execute(
        "INSERT INTO outbox (id, draft_id, correction_id, candidate_id, thread_id, body, status, created_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?)",
        (key, draft["id"], row_id, candidate["id"], candidate["thread_id"], body, now, now),
    )
    audit.vouch(connection, kind="release", subject=key, actor=by, run_id=run_id, detail={"draft": draft["id"]})
