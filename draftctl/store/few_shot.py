"""The few-shot pool: an FTS5 index over the corrections that may be shown, and what a batch takes out of it."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from draftctl.corrections import scope_token
from draftctl.few_shot import Example, Hit, choose, example_text, match_query, relevances, words_of
from draftctl.models import Candidate
from draftctl.store.persons import SAME
from draftctl.workflow import ExamplesRule, Workflow

LOOKED_AT = 3000  # a scope's newest corrections; what is older is not looked at in a larger pool
HITS = 60
_WITH_WORD = "SELECT rowid FROM few_shot WHERE few_shot MATCH ? AND rowid >= ?"
TEXTS = 200
FLAGS = ("minor", "coercion", "self_harm", "threat")
"""Whoever was ever flagged for one of these is in no example and no export, also after the alert is settled."""
EVER_FLAGGED = f"gate IN ({', '.join(map(repr, FLAGS))})"
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
    query = f"SELECT 1 FROM alerts WHERE {EVER_FLAGGED} AND person_id IN ({SAME}) LIMIT 1"
    return connection.execute(query, (person_id,)).fetchone() is not None


class FewShot:
    """What one run shows as examples: a set for each workflow and its match fields, chosen when it is first asked for, and again when one of it may be shown no more."""

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
        if key not in self._sets or not self._all_there(self._sets[key]):
            self._sets[key] = self._choose(rule, fields, candidate)
        return tuple(
            example
            for example in self._sets[key]
            if example.thread_id != candidate.thread_id and candidate.person_id not in example.persons
        )

    def _all_there(self, examples: Sequence[Example]) -> bool:
        """Say whether all of a set still may be shown: a long run must not show what was forgotten or taken back meanwhile."""
        ids = [example.correction_id for example in examples]
        persons = [person for example in examples for person in example.persons]
        row = self._connection.execute(
            f"SELECT (SELECT count(*) FROM few_shot_pool WHERE correction_id IN ({', '.join('?' * len(ids))})), "
            f"EXISTS (SELECT 1 FROM alerts WHERE {EVER_FLAGGED} AND person_id IN ({', '.join('?' * len(persons))}))",
            (*ids, *persons),
        ).fetchone()
        return tuple(row) == (len(ids), 0)

    def _choose(self, rule: ExamplesRule, fields: dict[str, str], candidate: Candidate) -> tuple[Example, ...]:
        if any(not fields[name] for name in rule.match):
            return ()
        scope = [scope_token(_FIELDS[name], fields[name]) for name in rule.match]
        texts = [*self._waiting_texts(fields, rule.match, candidate.template_key or ""), candidate.inbound[-1]]
        return retrieve(
            self._connection, scope, texts, rule=rule, in_training=self._in_training, state=fields["state"], run_id=self._run_id
        )  # fmt: skip

    def _waiting_texts(self, fields: dict[str, str], match: Sequence[str], written: str) -> list[str]:
        """Return the newest message of what waits in the same cell: what the examples are to be relevant to."""
        columns = {"templateKey": "template_key", "archetype": "archetype", "state": "state"}
        where = "".join(f" AND {columns[name]} IN (?, ?)" for name in match)
        values = [(fields[name], written if name == "templateKey" else fields[name]) for name in match]
        rows = self._connection.execute(
            "SELECT json_extract(payload, '$.messages[#-1].text') FROM candidates WHERE status IN ('waiting', 'drafting')"
            f"{where} ORDER BY seq LIMIT {TEXTS}",
            tuple(value for pair in values for value in pair),
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
    now = datetime.now(UTC)
    hits = [_hit(row, relevance, now, state) for row, relevance in _found(connection, scope, words_of(texts))]

    def admit(hit: Hit) -> frozenset[str] | None:
        return _admitted(connection, hit, run_id, in_training)

    return tuple(
        Example(
            correction_id=hit.correction_id,
            text=example_text(hit.inbound, hit.reply),
            thread_id=hit.thread_id,
            persons=persons,
        )
        for hit, persons in choose(hits, most=rule.most, max_chars=rule.max_chars, admit=admit)
    )


def _found(
    connection: sqlite3.Connection, scope: Sequence[str], words: Sequence[str]
) -> list[tuple[sqlite3.Row, float]]:
    """Ask the index word by word, among the scope's newest; return the most relevant, filled up with the newest.

    FTS5's own bm25() walks over every row of the index for every word, whatever the range: 100 ms and more in 300,000 rows.
    """
    in_scope = match_query(scope, ())
    newest = [row[0] for row in connection.execute(*_newest(in_scope)).fetchall()]
    relevance = dict.fromkeys(newest[:HITS], 0.0)
    if newest:
        lists = [
            [row[0] for row in connection.execute(_WITH_WORD, (match_query(scope, (word,)), newest[-1])).fetchall()]
            for word in words
        ]
        relevance |= relevances(lists, among=len(newest), most=HITS)
    marks = ", ".join("?" * len(relevance))
    rows = connection.execute(
        "SELECT k.id, k.thread_id, k.person_id, t.inbound, t.final, k.edit_share, k.created_at, k.state FROM prospect_corrections k "
        f"JOIN training_texts t ON t.correction_id = k.id WHERE k.id IN ({marks}) AND t.residual IS NULL AND t.final IS NOT NULL",
        tuple(relevance),
    ).fetchall()
    return [(row, relevance[row["id"]]) for row in rows]


def _newest(in_scope: str) -> tuple[str, tuple[object, ...]]:
    """Return the query for the newest corrections of a scope, and its values."""
    if in_scope:
        return "SELECT rowid FROM few_shot WHERE few_shot MATCH ? ORDER BY rowid DESC LIMIT ?", (in_scope, LOOKED_AT)
    return "SELECT correction_id FROM few_shot_pool ORDER BY correction_id DESC LIMIT ?", (LOOKED_AT,)


def _hit(row: sqlite3.Row, relevance: float, now: datetime, state: str) -> Hit:
    age = now - datetime.fromisoformat(row["created_at"])
    return Hit(
        correction_id=row["id"],
        thread_id=row["thread_id"],
        person_id=row["person_id"],
        inbound=row["inbound"],
        reply=row["final"],
        relevance=max(relevance, 0.0),
        age_days=age.total_seconds() / 86_400,
        edit_share=1.0 if row["edit_share"] is None else row["edit_share"],
        same_state=bool(state) and row["state"] == state,
    )


def _admitted(connection: sqlite3.Connection, hit: Hit, run_id: str, in_training: InTraining) -> frozenset[str] | None:
    """Return who a hit is from, under all their ids; None for a thread of this batch, a flagged person, or one of the test split."""
    persons = frozenset(row[0] for row in connection.execute(SAME, (hit.person_id,)).fetchall())
    if not all(map(in_training, persons)) or _in_batch(connection, hit.thread_id, run_id):
        return None
    return None if ever_flagged(connection, hit.person_id) else persons


def _in_batch(connection: sqlite3.Connection, thread_id: str, run_id: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM candidates WHERE thread_id = ?1 AND status IN ('waiting', 'drafting') UNION ALL "
        "SELECT 1 FROM drafts WHERE thread_id = ?1 AND run_id = ?2 LIMIT 1",
        (thread_id, run_id),
    ).fetchone()
    return row is not None
