"""The whole story of one candidate, stage by stage, as `why` tells it. Short reads only."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from draftctl.holds import hold_kind, next_step
from draftctl.store.standing import find_candidate, newest_draft
from draftctl.store.views import last_inbound


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A candidate, what was decided about it since its newest draft was begun, how often it was tried before, and where its text is."""

    candidate: sqlite3.Row
    inbound: str
    decisions: tuple[dict[str, Any], ...]
    earlier: tuple[dict[str, Any], ...]
    draft: sqlite3.Row | None
    outbox: sqlite3.Row | None
    meaning: str
    next_step: str


def story(connection: sqlite3.Connection, word: str) -> Story:
    """Return the story of the candidate that a person means. Raises UsageError when there is none."""
    candidate = find_candidate(connection, word)
    draft = newest_draft(connection, candidate["id"])
    rows = [
        dict(row)
        for row in connection.execute(
            "SELECT seq, kind, outcome, reason, detail, engine_id, draft_id, at FROM decisions WHERE candidate_id = ? ORDER BY seq",
            (candidate["id"],),
        )
    ]
    first = next((row["seq"] for row in rows if draft is not None and row["draft_id"] == draft["id"]), 0)
    outbox = connection.execute(
        "SELECT * FROM outbox WHERE candidate_id = ? ORDER BY status = 'void', seq DESC LIMIT 1", (candidate["id"],)
    ).fetchone()
    reason, on_body = candidate["hold_reason"], candidate["reopen"] in ("change", "next_run")
    return Story(
        candidate=candidate,
        inbound=last_inbound(candidate["payload"]),
        decisions=tuple(row for row in rows if row["seq"] >= first),
        earlier=tuple(row for row in rows if row["seq"] < first and row["kind"] in ("draft", "review", "dispatch")),
        draft=draft,
        outbox=outbox,
        meaning=hold_kind(reason, on_body=on_body).meaning if reason else _MEANINGS.get(candidate["status"], ""),
        next_step=next_step(reason, on_body=on_body, candidate_id=candidate["id"], person_id=candidate["person_id"])
        if reason
        else _NEXT.get(candidate["status"], "").replace("ID", candidate["id"]),
    )


_MEANINGS = {
    "waiting": "It waits for a run.",
    "drafting": "A run is at work on it.",
    "drafted": "Its draft waits for a person.",
    "approved": "Its text waits to be sent.",
    "rejected": "A person rejected its draft; nothing is sent.",
    "sent": "Its text has been sent.",
}
_NEXT = {
    "waiting": "`draftctl run`, or the next one that cron starts.",
    "drafted": "`draftctl review`; or `draftctl correct ID --verdict approved`.",
    "approved": "`draftctl dispatch`, or the next run that cron starts.",
    "rejected": "`draftctl reply ID --body TEXT` answers it yourself; `draftctl requeue ID` drafts it anew.",
}
