"""The figures of a report: what was drafted and held, what people said of it, how long that took, what it cost."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from statistics import median

from draftctl.corrections import Given, standing


@dataclass(slots=True)
class Judged:
    """What people said of the drafts of one group. `shares` are how much each edit changed, `seconds` how long each verdict took."""

    approved: int = 0
    edited: int = 0
    rejected: int = 0
    shares: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many verdicts stand."""
        return self.approved + self.edited + self.rejected

    @property
    def as_sent(self) -> float | None:
        """Return the share of drafts that went as they were."""
        return self.approved / self.count if self.count else None

    @property
    def light(self) -> float | None:
        """Return the share of edits that changed less than two fifths of the text."""
        return sum(share < 0.4 for share in self.shares) / len(self.shares) if self.shares else None  # noqa: PLR2004

    @property
    def median_s(self) -> float | None:
        """Return the median of the active seconds of a verdict."""
        return median(self.seconds) if self.seconds else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything a report shows. Days and weeks are ISO (UTC)."""

    drafted_by_day: dict[str, Counter[str]]
    held_by_day: Counter[str]
    holds: Counter[str]
    by_build: dict[str, Judged]
    by_workflow: dict[str, Judged]
    by_week: dict[str, Judged]
    drafts_by_build: Counter[str]
    violations: dict[str, Counter[str]]
    cost_by_day: dict[str, float]
    tags: Counter[str]
    sent: int
    first: str
    last: str


def figures(connection: sqlite3.Connection) -> Figures:
    """Read the figures; a few short queries."""
    by_day: dict[str, Counter[str]] = defaultdict(Counter)
    held, drafts = Counter[str](), Counter[str]()
    for day, engine, status, n in connection.execute(
        "SELECT substr(created_at, 1, 10), engine_id, status, count(*) FROM drafts GROUP BY 1, 2, 3 ORDER BY 1"
    ):
        drafts[engine] += n
        by_day[day][engine] += n if status == "drafted" else 0
        held[day] += n if status == "held" else 0
    by_build, by_workflow, by_week, tags = _judged(connection)
    violations: dict[str, Counter[str]] = defaultdict(Counter)
    for engine, gate, n in connection.execute(
        "SELECT engine_id, reason, count(*) FROM decisions WHERE kind = 'gate' AND outcome = 'hold' AND detail LIKE 'body %' GROUP BY 1, 2"
    ):
        violations[engine or ""][gate] += n
    cost = connection.execute(
        "SELECT substr(intent_at, 1, 10), sum(coalesce(cost_usd, 0)) FROM gpu_leases GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return Figures(
        drafted_by_day=dict(by_day),
        held_by_day=held,
        holds=Counter(
            dict(
                connection.execute(
                    "SELECT hold_reason, count(*) FROM candidates WHERE status = 'held' GROUP BY 1"
                ).fetchall()
            )
        ),
        by_build=by_build,
        by_workflow=by_workflow,
        by_week=by_week,
        drafts_by_build=drafts,
        violations=dict(violations),
        cost_by_day={day: usd for day, usd in cost if usd},
        tags=tags,
        sent=connection.execute("SELECT count(*) FROM candidates WHERE status = 'sent'").fetchone()[0],
        first=min(by_day, default=""),
        last=max(by_day, default=""),
    )


def _standing_rows(connection: sqlite3.Connection) -> Iterator[sqlite3.Row]:
    rows = connection.execute(
        "SELECT draft_id, id, verdict, undoes, engine_id, workflow_id, workflow_version, edit_share, active_ms, created_at, tags, "
        "strftime('%Y-%m-%d', created_at, 'weekday 0', '-6 days') AS week FROM prospect_corrections ORDER BY draft_id, id"
    )
    for _, group in groupby(rows, key=itemgetter("draft_id")):
        given = list(group)
        stands = standing(Given(row["id"], row["verdict"], row["undoes"]) for row in given)
        yield from (row for row in given if row["id"] == stands)


def _judged(
    connection: sqlite3.Connection,
) -> tuple[dict[str, Judged], dict[str, Judged], dict[str, Judged], Counter[str]]:
    by_build, by_workflow, by_week = (defaultdict[str, Judged](Judged) for _ in range(3))
    tags = Counter[str]()
    for row in _standing_rows(connection):
        workflow = f"{row['workflow_id']}@{row['workflow_version']}" if row["workflow_id"] else "template"
        for group in (by_build[row["engine_id"] or ""], by_workflow[workflow], by_week[row["week"] or ""]):
            setattr(group, row["verdict"], getattr(group, row["verdict"]) + 1)
            if row["verdict"] == "edited" and row["edit_share"] is not None:
                group.shares.append(row["edit_share"])
            if row["active_ms"] is not None:
                group.seconds.append(row["active_ms"] / 1000)
        tags.update(json.loads(row["tags"]))
    return dict(by_build), dict(by_workflow), dict(sorted(by_week.items())), tags
