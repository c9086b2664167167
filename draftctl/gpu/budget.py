"""What may still be spent, what things take here, and what the candidates cost: the figures that the policy gets."""

import sqlite3
from datetime import UTC, datetime

from draftctl.gpu.cloud import Cloud, Offer, offers
from draftctl.gpu.policy import Limits, percentile
from draftctl.manifest import Manifest
from draftctl.settings import Gpu, Settings
from draftctl.store import leases

FIRST_BOOT_S = 600.0  # before any boot was measured
SERVICE_S = 15.0


def measured_limits(connection: sqlite3.Connection, settings: Settings) -> Limits:
    """Return the policy's limits: the settings, and our own measured boots."""
    gpu = settings.values.gpu
    return Limits(
        max_wait_s=gpu.max_wait,
        idle_grace_s=gpu.idle_grace,
        extend_s=gpu.extend,
        deep_queue=gpu.deep_queue,
        max_lifetime_s=gpu.max_lifetime,
        provision_s=boot_p95(leases.boots(connection)),
        boot_timeout_s=gpu.boot_timeout,
        service_s=SERVICE_S,
        slots=settings.values.batch.max_in_flight,
        billing_minimum_s=gpu.billing_minimum,
        billing_quantum_s=gpu.billing_quantum,
        max_failed_starts=gpu.max_failed_starts,
        poll_s=gpu.poll_interval,
    )


def boot_p95(boots: list[float]) -> float:
    """Return the boot time to reckon with: the 95th percentile of these, or ten minutes before there are any."""
    if not boots:
        return FIRST_BOOT_S
    return percentile(sorted(boots), 0.95)


def day_and_month(now: float) -> tuple[float, float]:
    """Return when the day and the month began (UTC, unix seconds)."""
    moment = datetime.fromtimestamp(now, UTC)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day.timestamp(), day.replace(day=1).timestamp()


def spent_today_and_month(connection: sqlite3.Connection, now: float) -> tuple[float, float]:
    """Return what was spent since the day and since the month began, the open lease included (US dollars)."""
    day, month = day_and_month(now)
    return leases.spent(connection, since=day, now=now), leases.spent(connection, since=month, now=now)


def budget_left(connection: sqlite3.Connection, gpu: Gpu, now: float) -> float:
    """Return what the day and the month still allow (US dollars)."""
    today, month = spent_today_and_month(connection, now)
    return min(gpu.daily_budget_usd - today, gpu.monthly_budget_usd - month)


def prices(cloud: Cloud, manifest: Manifest) -> tuple[list[Offer], list[str]]:
    """Return the build's candidates that can be had now, with their prices, and why each of the others cannot."""
    return offers([(size.size, size.region) for size in manifest.droplet.candidates], cloud.sizes())
