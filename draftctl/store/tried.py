"""What `workflow try` and `workflow test --live` were answered, by cache key: asked once, and erased with the person whose thread it was."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import fields

from draftctl.engines.base import Completion
from draftctl.models import Candidate, canonical_json
from draftctl.store.db import transaction, utc_now

_FIELDS = tuple(field.name for field in fields(Completion))
_NEEDED = {"text", "model", "finish_reason"}


class Kept:
    """Answers in the database, for one candidate's thread. `fresh` asks everything anew, and keeps what comes."""

    def __init__(self, connection: sqlite3.Connection, candidate: Candidate, *, fresh: bool = False) -> None:
        self._connection = connection
        self._candidate = candidate
        self._fresh = fresh

    def recall(self, key: str) -> Completion | None:
        """Return the answer that is kept under a key."""
        if self._fresh:
            return None
        row = self._connection.execute("SELECT completion FROM tried_answers WHERE key = ?", (key,)).fetchone()
        known = {name: value for name, value in json.loads(row[0]).items() if name in _FIELDS} if row else {}
        return Completion(**known) if known.keys() >= _NEEDED else None

    def keep(self, key: str, completion: Completion) -> None:
        """Keep an answer."""
        written = canonical_json({name: getattr(completion, name) for name in _FIELDS})
        with transaction(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO tried_answers VALUES (?, ?, ?, ?, ?, ?)",
                (key, self._candidate.id, self._candidate.thread_id, self._candidate.person_id, written, utc_now()),
            )


def erase(connection: sqlite3.Connection, names: Iterable[str]) -> int:
    """Erase what was tried with a person, by any id that they, their threads or their messages go by; return how many answers."""
    return sum(
        connection.execute(
            "DELETE FROM tried_answers WHERE ?1 IN (thread_id, person_id) OR person_id IN "
            "(SELECT person_id FROM tried_answers WHERE candidate_id = ?1)",
            (name,),
        ).rowcount
        for name in dict.fromkeys(names)
    )


def erase_before(connection: sqlite3.Connection, before: str) -> int:
    """Erase what was tried before a time; return how many answers."""
    return connection.execute("DELETE FROM tried_answers WHERE created_at < ?", (before,)).rowcount
