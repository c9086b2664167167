"""Leases: one row for each droplet that we ever asked for, committed before the asking, closed only when it is seen to be gone.

Times are ISO 8601 text with zone, as everywhere in the tables; `Lease` has them as unix seconds, which is what the policy reckons in.
"""

import json
import secrets
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from draftctl.gpu.policy import HOUR_S, Limits, billed_s
from draftctl.models import canonical_json, sha256_text
from draftctl.store import audit
from draftctl.store.db import utc_now

BY_HAND = "by hand"
SAY_AGAIN_S = 12 * 3600
ALARM_COUNT = 1_000_000  # more than any limit of failed starts: only a person starts again
_TIMES = (
    "intent_at", "created_at", "ssh_at", "ready_at", "last_work_at", "expires_at", "held_until", "release_at", "closed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One lease (times in unix seconds).

    `outcome`, once it is closed: `served`, `not_needed` (ended before it was ready), `failed`, `alarm` (a host's script made nobody knows
    what), `never_made`, `no_capacity`, `unreachable`. `before` is, in the host reading, which droplets were there and the cloud's time.
    """

    id: str
    engine_id: str
    manifest_sha256: str
    state: str
    asked_by: str
    reason: str
    provision_on: str
    droplet_id: int | None
    size: str | None
    region: str | None
    address: str | None
    host_key: str | None
    price_per_hour: float | None
    billing_minimum_s: float
    billing_quantum_s: float
    intent_at: float
    created_at: float | None
    ssh_at: float | None
    ready_at: float | None
    last_work_at: float | None
    expires_at: float
    held_until: float | None
    end_asked: str | None
    release_at: float | None
    release_reason: str | None
    closed_at: float | None
    outcome: str | None
    detail: str | None
    cost_usd: float | None
    attested: str | None
    before: tuple[Any, ...]

    @property
    def since(self) -> float:
        """Return since when it is paid for, or, before that, meant."""
        return self.created_at or self.intent_at

    @property
    def by_hand(self) -> bool:
        """Say whether a person started it."""
        return self.reason == BY_HAND

    def cost_until(self, now: float) -> float:
        """Return what it has cost until now, in US dollars; what a closed one has cost in all."""
        if self.cost_usd is not None:
            return self.cost_usd
        if self.created_at is None or self.price_per_hour is None:
            return 0.0
        billing = Limits(billing_minimum_s=self.billing_minimum_s, billing_quantum_s=self.billing_quantum_s)
        return billed_s(max(0.0, (self.closed_at or now) - self.created_at), billing) * self.price_per_hour / HOUR_S


def new_lease_id(owner: str) -> str:
    """Return a fresh lease id. It begins with a mark of the owner, so that its tag can be told from another owner's."""
    return f"{owner_mark(owner)}-{secrets.token_hex(6)}"


def owner_mark(owner: str) -> str:
    """Return the mark that an owner's lease ids begin with."""
    return sha256_text(owner)[:8]


def iso(at: float | None) -> str | None:
    """Return a moment (unix seconds) as the tables write it."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def seconds(text: str | None) -> float | None:
    """Return a table's moment in unix seconds."""
    return None if text is None else datetime.fromisoformat(text).timestamp()


def open_lease(connection: sqlite3.Connection) -> Lease | None:
    """Return the lease that is not closed; there is one at most."""
    row = connection.execute("SELECT * FROM gpu_leases WHERE state <> 'closed'").fetchone()
    return _lease(row) if row else None


def find(connection: sqlite3.Connection, lease_id: str) -> Lease | None:
    """Return a lease."""
    row = connection.execute("SELECT * FROM gpu_leases WHERE id = ?", (lease_id,)).fetchone()
    return _lease(row) if row else None


def all_leases(connection: sqlite3.Connection, *, since: float = 0.0) -> list[Lease]:
    """Return the leases that were alive after a moment, oldest first."""
    rows = connection.execute(
        "SELECT * FROM gpu_leases WHERE closed_at IS NULL OR closed_at >= ? ORDER BY seq", (iso(since),)
    )
    return [_lease(row) for row in rows]


def _lease(row: sqlite3.Row) -> Lease:
    values = {key: row[key] for key in row.keys() if key != "seq"}  # noqa: SIM118  (a Row's own `in` looks at values)
    values |= {name: seconds(values[name]) for name in _TIMES}
    values["before"] = tuple(json.loads(values["before"]))
    return Lease(**values)


def intend(
    connection: sqlite3.Connection,
    *,
    lease_id: str,
    engine_id: str,
    manifest_sha256: str,
    asked_by: str,
    reason: str,
    provision_on: str,
    host_key: str | None,
    now: float,
    expires_at: float,
    held_until: float | None,
    minimum_s: float,
    quantum_s: float,
) -> None:
    """Write down that a droplet will be asked for. A second open lease is refused by the table itself."""
    connection.execute(
        "INSERT INTO gpu_leases (id, engine_id, manifest_sha256, state, asked_by, reason, provision_on, host_key, intent_at, expires_at, "
        "held_until, billing_minimum_s, billing_quantum_s) VALUES (?, ?, ?, 'creating', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            lease_id, engine_id, manifest_sha256, asked_by, reason, provision_on, host_key, iso(now), iso(expires_at), iso(held_until),
            minimum_s, quantum_s,
        ),
    )  # fmt: skip
    event(connection, lease_id, "intent", {"engine": engine_id, "reason": reason})
    audit.append(
        connection, kind="gpu", subject=lease_id, actor=asked_by, detail={"what": "intent", "engine": engine_id}
    )


def change(connection: sqlite3.Connection, lease_id: str, **values: Any) -> None:
    """Change columns of a lease (times in unix seconds)."""
    written = {name: iso(value) if name in _TIMES else value for name, value in values.items()}
    settings = ", ".join(f"{name} = ?" for name in written)
    connection.execute(f"UPDATE gpu_leases SET {settings} WHERE id = ?", (*written.values(), lease_id))


def move(connection: sqlite3.Connection, lease_id: str, state: str, **values: Any) -> None:
    """Bring a lease into its next state, and note it."""
    change(connection, lease_id, state=state, **values)
    noted = {name: iso(value) if name in _TIMES else value for name, value in values.items()}
    event(connection, lease_id, state, noted)
    if state in ("booting", "ready", "releasing", "closed"):
        audit.append(connection, kind="gpu", subject=lease_id, actor="draftctl", detail={"what": state, **noted})


def event(connection: sqlite3.Connection, lease_id: str | None, kind: str, detail: Mapping[str, Any]) -> None:
    """Note that something happened."""
    connection.execute(
        "INSERT INTO gpu_events (at, lease_id, kind, detail) VALUES (?, ?, ?, ?)",
        (utc_now(), lease_id, kind, canonical_json(dict(detail))),
    )


def event_once(connection: sqlite3.Connection, lease_id: str | None, kind: str, detail: Mapping[str, Any]) -> bool:
    """Note something unless it was the last of its kind already, and not long ago; say whether it is new."""
    row = connection.execute(
        "SELECT detail, at FROM gpu_events WHERE kind = ? AND lease_id IS ? ORDER BY seq DESC LIMIT 1", (kind, lease_id)
    ).fetchone()
    new = (
        row is None
        or row["detail"] != canonical_json(dict(detail))
        or row["at"] < (iso(time.time() - SAY_AGAIN_S) or "")
    )
    if new:
        event(connection, lease_id, kind, detail)
    return new


def events(connection: sqlite3.Connection, lease_id: str | None = None, *, limit: int = 1000) -> list[dict[str, Any]]:
    """Return what happened, oldest first."""
    rows = connection.execute(
        "SELECT * FROM (SELECT * FROM gpu_events WHERE ?1 IS NULL OR lease_id = ?1 ORDER BY seq DESC LIMIT ?2) ORDER BY seq",
        (lease_id, limit),
    )
    return [{**dict(row), "detail": json.loads(row["detail"])} for row in rows]


def failed_starts(connection: sqlite3.Connection) -> tuple[int, float | None]:
    """Return how many starts in a row came to nothing since one served or a person reset the count, and when the last of them ended."""
    count, last = 0, None
    rows = connection.execute(
        "SELECT outcome, closed_at, last_work_at > ready_at AS worked FROM gpu_leases WHERE state = 'closed' AND intent_at > ? "
        "ORDER BY seq DESC LIMIT 100",
        (_reset_at(connection),),
    )
    for row in rows:
        if row["outcome"] == "served" or row["worked"]:
            break
        if row["outcome"] == "alarm":
            return ALARM_COUNT, seconds(row["closed_at"])
        if row["outcome"] == "failed":
            count += 1
            last = last or seconds(row["closed_at"])
    return count, last


def no_capacity(connection: sqlite3.Connection) -> tuple[int, float | None]:
    """Return how many tries in a row found no droplet to be had since one was made, and when the last of them was."""
    rows = connection.execute(
        "SELECT at FROM gpu_events WHERE kind = 'no_capacity' AND seq > coalesce((SELECT max(seq) FROM gpu_events WHERE kind = 'booting'), 0) "
        "UNION ALL SELECT CASE outcome WHEN 'never_made' THEN intent_at ELSE closed_at END FROM gpu_leases WHERE outcome IN ('no_capacity', 'unreachable', 'never_made') AND seq > "
        "coalesce((SELECT max(seq) FROM gpu_leases WHERE droplet_id IS NOT NULL), 0) ORDER BY 1 DESC"
    ).fetchall()
    return len(rows), seconds(rows[0]["at"]) if rows else None


def end_asked(connection: sqlite3.Connection, lease_id: str) -> str | None:
    """Return `gpu_down` when somebody has asked for a lease to end, or it is not there to be used any more; else None."""
    row = connection.execute("SELECT state, end_asked FROM gpu_leases WHERE id = ?", (lease_id,)).fetchone()
    return "gpu_down" if row is None or row["end_asked"] is not None or row["state"] != "ready" else None


def last_troubles(connection: sqlite3.Connection) -> list[str]:
    """Return what the last start that came to nothing came to, where none has served since."""
    rows = connection.execute(
        "SELECT detail, closed_at AS at FROM gpu_leases WHERE outcome NOT IN ('served', 'not_needed') AND seq > "
        "coalesce((SELECT max(seq) FROM gpu_leases WHERE outcome = 'served'), 0) ORDER BY seq DESC LIMIT 1"
    ).fetchall()
    return [f"the last start failed at {row['at'][:16]}: {row['detail']}" for row in rows if row["at"]]


def served_candidates(connection: sqlite3.Connection, *, since: float) -> list[tuple[float, float]]:
    """Return, of each candidate that was first decided on a lease since a moment, when it was taken in and when it was decided."""
    rows = connection.execute(
        "SELECT c.ingested_at, min(d.created_at) AS done FROM drafts d JOIN runs r ON r.id = d.run_id JOIN candidates c ON c.id = d.candidate_id "
        "WHERE r.lease_id IS NOT NULL AND d.created_at >= ? GROUP BY c.id",
        (iso(since),),
    )
    return [(seconds(row["ingested_at"]) or 0.0, seconds(row["done"]) or 0.0) for row in rows]


def _reset_at(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT max(at) AS at FROM gpu_events WHERE kind = 'breaker_reset'").fetchone()
    return row["at"] or ""


def boots(connection: sqlite3.Connection, *, limit: int = 100) -> list[float]:
    """Return how long our last starts took from the create call to ready, in seconds."""
    rows = connection.execute(
        "SELECT created_at, ready_at FROM gpu_leases WHERE ready_at IS NOT NULL AND created_at IS NOT NULL ORDER BY seq DESC LIMIT ?",
        (limit,),
    )
    return [max(0.0, (seconds(row["ready_at"]) or 0) - (seconds(row["created_at"]) or 0)) for row in rows]


def spent(connection: sqlite3.Connection, *, since: float, now: float) -> float:
    """Return what was spent since a moment, in US dollars; a lease that was alive then counts from there on.

    One that ended later than now counts too: a clock that was set back opens no budget.
    """
    return sum(_share(lease, since, now) for lease in all_leases(connection, since=since))


def _share(lease: Lease, since: float, now: float) -> float:
    if lease.created_at is None:
        return 0.0
    whole = lease.cost_until(now)
    end = lease.closed_at or now
    length = end - lease.created_at
    return whole if length <= 0 or lease.created_at >= since else whole * max(0.0, end - since) / length


def costs(connection: sqlite3.Connection, now: float) -> list[dict[str, Any]]:
    """Return every lease with what it has cost, how many drafts it made, and what each of them cost (US dollars)."""
    drafts = {
        row["lease_id"]: row["drafts"]
        for row in connection.execute(
            "SELECT r.lease_id, count(*) AS drafts FROM drafts d JOIN runs r ON r.id = d.run_id WHERE r.lease_id IS NOT NULL AND "
            "d.status = 'drafted' GROUP BY r.lease_id"
        )
    }
    found = []
    for lease in all_leases(connection):
        cost, made = lease.cost_until(now), drafts.get(lease.id, 0)
        found.append(
            {
                "lease": lease.id, "engine": lease.engine_id, "state": lease.state, "outcome": lease.outcome, "size": lease.size,
                "region": lease.region, "created_at": iso(lease.created_at), "closed_at": iso(lease.closed_at),
                "price_per_hour": lease.price_per_hour, "cost_usd": round(cost, 4), "drafts": made,
                "usd_per_draft": round(cost / made, 6) if made else None,
            }
        )  # fmt: skip
    return found
