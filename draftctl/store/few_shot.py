"""The few-shot pool: an FTS5 index over the corrections that may be shown, and what a batch takes out of it."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from draftctl.corrections import scope_token
from draftctl.few_shot import Example, Hit, choose, example_text, match_query, words_of
from draftctl.models import Candidate
from draftctl.store.persons import SAME
from draftctl.workflow import ExamplesRule, Workflow

LOOKED_AT = 12_000  # a scope's newest corrections; what is older is not looked at in a larger pool
HITS = 120
TEXTS = 200
FLAGS = ("minor", "coercion", "self_harm", "threat")
"""Whoever was ever flagged for one of these is in no example and no export, also after the alert is settled."""
_FIELDS = {"templateKey": "k", "archetype": "a", "state": "s"}
InTraining = Callable[[str], bool]


def settle(connection: sqlite3.Connection, draft_id: str, correction_id: int | None) -> None:
    """Let just this correction of a draft stand in the pool, or none."""
    for row in connection.execute(
        "SELECT k.id, k.scope, k.inbound, k.body FROM few_shot_pool p JOIN prospect_corrections k ON k.id = p.correction_id "
        "WHERE p.draft_id = ?",
        (draft_id,),
    ).fetchall():
        connection.execute(
            "INSERT INTO few_shot (few_shot, rowid, scope, inbound, body) VALUES ('delete', ?, ?, ?, ?)", tuple(row)
        )
    connection.execute("DELETE FROM few_shot_pool WHERE draft_id = ?", (draft_id,))
    if correction_id is not None:
        connection.execute("INSERT INTO few_shot_pool VALUES (?, ?)", (correction_id, draft_id))
        connection.execute(
            "INSERT INTO few_shot (rowid, scope, inbound, body) SELECT id, scope, inbound, body FROM prospect_corrections WHERE id = ?",
            (correction_id,),
        )


def ever_flagged(connection: sqlite3.Connection, person_id: str) -> bool:
    """Say whether a person was ever flagged, under any of the ids that they write with."""
    row = connection.execute(
        f"SELECT 1 FROM alerts WHERE gate IN ({', '.join('?' * len(FLAGS))}) AND person_id IN ({SAME.replace('?1', '?5')}) LIMIT 1",
        (*FLAGS, person_id),
    ).fetchone()
    return row is not None


class FewShot:
    """What one run shows as examples: a set for each workflow and its match fields, chosen once, when it is first asked for."""

    def __init__(self, connection: sqlite3.Connection, run_id: str, in_training: InTraining) -> None:
        self._connection = connection
        self._run_id = run_id
        self._in_training = in_training
        self._sets: dict[tuple[str, ...], tuple[Example, ...]] = {}

    def examples(self, workflow: Workflow, candidate: Candidate, template_key: str) -> tuple[Example, ...]:
        """Return the examples for a candidate: its set, without what comes from its own thread or person."""
        rule = workflow.examples
        if rule is None or not rule.most:
            return ()
        fields = {"templateKey": template_key, "archetype": candidate.archetype or "", "state": candidate.state or ""}
        key = (workflow.id, *(fields[name] for name in rule.match))
        if key not in self._sets:
            self._sets[key] = self._choose(rule, fields, candidate)
        return tuple(
            example
            for example in self._sets[key]
            if example.thread_id != candidate.thread_id and candidate.person_id not in example.persons
        )

    def _choose(self, rule: ExamplesRule, fields: dict[str, str], candidate: Candidate) -> tuple[Example, ...]:
        if any(not fields[name] for name in rule.match):
            return ()
        scope = [scope_token(_FIELDS[name], fields[name]) for name in rule.match]
        texts = [*self._waiting_texts(fields, rule.match), candidate.inbound[-1]]
        return retrieve(
            self._connection, scope, texts, rule=rule, in_training=self._in_training, state=fields["state"], run_id=self._run_id
        )  # fmt: skip

    def _waiting_texts(self, fields: dict[str, str], match: Sequence[str]) -> list[str]:
        """Return the newest message of what waits in the same cell: what the examples are to be relevant to."""
        columns = {"templateKey": "template_key", "archetype": "archetype", "state": "state"}
        where = "".join(f" AND {columns[name]} = ?" for name in match)
        rows = self._connection.execute(
            "SELECT json_extract(payload, '$.messages[#-1].text') FROM candidates WHERE status IN ('waiting', 'drafting')"
            f"{where} ORDER BY seq LIMIT {TEXTS}",
            tuple(fields[name] for name in match),
        )
        return [row[0] for row in rows if row[0]]


def retrieve(
    connection: sqlite3.Connection,
    scope: Sequence[str],
    texts: Sequence[str],
    *,
    rule: ExamplesRule,
    in_training: InTraining,
    state: str = "",
    run_id: str = "",
) -> tuple[Example, ...]:
    """Return the examples for some texts in a scope. Raises nothing, whatever the texts are."""
    rows = _found(connection, scope, words_of(texts))
    now = datetime.now(UTC)
    hits = [
        hit for row in rows if (hit := _hit(connection, row, now, state, run_id)) and in_training_all(hit, in_training)
    ]
    chosen = choose(hits, most=rule.most, max_chars=rule.max_chars)
    return tuple(
        Example(
            correction_id=hit.correction_id,
            text=example_text(hit.inbound, hit.reply),
            thread_id=hit.thread_id,
            persons=hit.persons,
        )
        for hit in chosen
    )


def in_training_all(hit: Hit, in_training: InTraining) -> bool:
    """Say whether every id that a hit's person writes under is in the training split."""
    return all(map(in_training, hit.persons))


def _found(
    connection: sqlite3.Connection, scope: Sequence[str], words: Sequence[str]
) -> list[tuple[sqlite3.Row, float]]:
    """Ask the index: by relevance among the scope's newest, and after that the newest."""
    in_scope = match_query(scope, ())
    if in_scope:
        bound = connection.execute(
            "SELECT rowid FROM few_shot WHERE few_shot MATCH ? ORDER BY rowid DESC LIMIT 1 OFFSET ?",
            (in_scope, LOOKED_AT),
        ).fetchone()
    else:
        bound = connection.execute(
            "SELECT correction_id FROM few_shot_pool ORDER BY correction_id DESC LIMIT 1 OFFSET ?", (LOOKED_AT,)
        ).fetchone()
    first = bound[0] if bound else 0
    found: dict[int, float] = {}
    if words:
        found = dict(
            connection.execute(
                "SELECT rowid, -bm25(few_shot, 0.0, 1.0, 0.3) FROM few_shot WHERE few_shot MATCH ? AND rowid > ? "
                "ORDER BY bm25(few_shot, 0.0, 1.0, 0.3) LIMIT ?",
                (match_query(scope, words), first, HITS),
            ).fetchall()
        )
    if len(found) < HITS and in_scope:
        newest = connection.execute(
            "SELECT rowid FROM few_shot WHERE few_shot MATCH ? ORDER BY rowid DESC LIMIT ?", (in_scope, HITS)
        )
        found = {row[0]: 0.0 for row in newest} | found
    elif len(found) < HITS:
        newest = connection.execute(
            "SELECT correction_id FROM few_shot_pool ORDER BY correction_id DESC LIMIT ?", (HITS,)
        )
        found = {row[0]: 0.0 for row in newest} | found
    marks = ", ".join("?" * len(found))
    rows = connection.execute(
        "SELECT k.id, k.thread_id, k.person_id, t.inbound, t.final, k.edit_share, k.created_at, k.state, t.residual FROM prospect_corrections k "
        f"JOIN training_texts t ON t.correction_id = k.id WHERE k.id IN ({marks})",
        tuple(found),
    ).fetchall()
    return [(row, found[row["id"]]) for row in rows]


def _hit(
    connection: sqlite3.Connection, found: tuple[sqlite3.Row, float], now: datetime, state: str, run_id: str
) -> Hit | None:
    """Return what was found as a hit, unless it may not be shown: personal data left in it, a flagged person, a thread of this batch."""
    row, relevance = found
    if row["residual"] or not row["final"] or _in_batch(connection, row["thread_id"], run_id):
        return None
    if ever_flagged(connection, row["person_id"]):
        return None
    persons = connection.execute(f"{SAME}", (row["person_id"],)).fetchall()
    age = now - datetime.fromisoformat(row["created_at"])
    return Hit(
        correction_id=row["id"],
        thread_id=row["thread_id"],
        persons=frozenset(r[0] for r in persons),
        inbound=row["inbound"],
        reply=row["final"],
        relevance=max(relevance, 0.0),
        age_days=age.total_seconds() / 86_400,
        edit_share=1.0 if row["edit_share"] is None else row["edit_share"],
        same_state=bool(state) and row["state"] == state,
    )


def _in_batch(connection: sqlite3.Connection, thread_id: str, run_id: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM candidates WHERE thread_id = ?1 AND status IN ('waiting', 'drafting') UNION ALL "
        "SELECT 1 FROM drafts WHERE thread_id = ?1 AND run_id = ?2 LIMIT 1",
        (thread_id, run_id),
    ).fetchone()
    return row is not None
