"""What is seen at one moment, read from the tables for the policy: used by the tick that acts, and by the plan that only tells."""

import sqlite3
from collections.abc import Callable

from draftctl.gpu.budget import budget_left
from draftctl.gpu.policy import Gpu, Limits, Observed, latest_start, retry_after
from draftctl.settings import Gpu as GpuSettings
from draftctl.store import jobs, leases
from draftctl.store.leases import Lease


def observe(
    connection: sqlite3.Connection,
    settings: GpuSettings,
    limits: Limits,
    lease: Lease | None,
    *,
    now: float,
    engine_id: str | None,
    price: Callable[[], float | None],
    known: bool = True,
    held: bool = True,
    in_flight: int = 0,
    admitted_until: float | None = None,
) -> Observed:
    """Return what is seen. `engine_id` is the build that the work is for (None: no GPU is wanted), `known` whether the cloud could be asked.

    `price` is asked only when a start is due; `held` counts what holds for want of an engine as waiting.
    """
    backlog = jobs.backlog(connection, held=held)
    mine = engine_id is not None and (lease is None or lease.engine_id == engine_id)
    start = latest_start(backlog.arrivals, limits) if mine else None
    paused = jobs.paused(connection) is not None
    due = start is not None and now >= start and not paused
    failed, failed_at = leases.failed_starts(connection)
    misses, missed_at = leases.no_capacity(connection)
    return Observed(
        now=now,
        gpu=gpu_of(lease) if known else "unknown",
        backlog=backlog.count if mine else 0,
        oldest=backlog.oldest if mine else None,
        latest_start=start,
        in_flight=in_flight,
        paused=paused,
        created_at=lease.since if lease else None,
        ready_at=lease.ready_at if lease else None,
        last_work=lease.last_work_at if lease else None,
        admitted_until=admitted_until,
        held_until=lease.held_until if lease else None,
        expires_at=lease.expires_at if lease else None,
        end_now=lease is not None and lease.end_asked is not None,
        failed_starts=failed,
        retry_at=retry_after(failed, failed_at, misses, missed_at),
        price_per_hour=lease.price_per_hour if lease else price() if due else None,
        budget_left_usd=budget_left(connection, settings, now),
    )


def gpu_of(lease: Lease | None) -> Gpu:
    """Return the state of a lease in the policy's words."""
    match lease.state if lease else "closed":
        case "closed":
            return "off"
        case "ready":
            return "up"
        case "releasing":
            return "releasing"
        case _:
            return "starting"


def public_state(lease: Lease | None, *, known: bool = True) -> str:
    """Return the state of the GPU in the word that scripts get."""
    if lease is None:
        return "off"
    if not known:
        return "unknown"
    return "draining" if lease.state == "ready" and lease.end_asked is not None else lease.state
