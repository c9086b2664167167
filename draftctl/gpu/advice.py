"""What each `max_wait` would cost and how long people would wait, and what was paid beside what a clairvoyant would have paid. Pure."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from draftctl.gpu.clairvoyant import cheapest_s
from draftctl.gpu.policy import HOUR_S, Limits, percentile
from draftctl.gpu.simulate import DAY_S, Replay, replay

MONTH_DAYS = 30
CHOICES_S = (0, 300, 900, 1800, 3600, 7200, 14400, 28800)
_Z95 = 1.6448536269514722  # the standard normal's 95th percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One `max_wait` and what it gives (seconds, US dollars for 30 days).

    `ratio` is to the clairvoyant's cost; None where no policy that boots after a message has come can keep that wait.
    """

    max_wait_s: float
    usd_per_month: float
    wait_p50_s: float
    wait_p95_s: float
    late: int
    starts_per_day: float
    ratio: float | None


def simulated(
    arrivals: Sequence[float],
    limits: Limits,
    *,
    tick_s: float,
    price_per_hour: float,
    boots: Iterator[float] | None = None,
) -> dict[str, Any]:
    """Replay arrivals and put the clairvoyant beside it; the fields that scripts read.

    With random boots the clairvoyant's take as long as the replay's did on average.
    """
    if not arrivals:
        names = (
            "gpu_seconds",
            "cost_usd",
            "wait_p50_s",
            "wait_p95_s",
            "wait_max_s",
            "starts_per_day",
            "clairvoyant_cost_usd",
        )
        return {"messages": 0, "sessions": 0, "late": 0, "ratio": 1.0, **dict.fromkeys(names, 0.0)}
    done = replay(arrivals, limits, tick_s=tick_s, boots=boots, price_per_hour=price_per_hour)
    best = cheapest_s(arrivals, _known_boots(limits, done))
    return {
        "messages": len(arrivals),
        "sessions": done.sessions,
        "gpu_seconds": round(done.gpu_seconds, 3),
        "cost_usd": round(done.cost_usd(price_per_hour), 6),
        "wait_p50_s": round(done.wait_at(0.5), 3),
        "wait_p95_s": round(done.wait_at(0.95), 3),
        "wait_max_s": round(max(done.waits), 3),
        "late": done.late(limits.max_wait_s),
        "starts_per_day": round(done.sessions / done.days, 3),
        "clairvoyant_cost_usd": round(best * price_per_hour / HOUR_S, 6),
        "ratio": round(done.gpu_seconds / best, 4) if best else 1.0,
    }


def _known_boots(limits: Limits, done: Replay) -> Limits:
    mean = done.boot_seconds / done.sessions if done.sessions else limits.provision_s
    return replace(limits, provision_s=mean)


def random_boots(median_s: float, p95_s: float, seed: int) -> Iterator[float]:
    """Yield boot times, log-normal with this median and 95th percentile, the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311  (no secret depends on it)
    sigma = math.log(p95_s / median_s) / _Z95
    while True:
        yield median_s * math.exp(sigma * dice.gauss(0, 1))


def choices(
    arrivals: Sequence[float],
    limits: Limits,
    *,
    tick_s: float,
    price_per_hour: float,
    waits_s: Sequence[float],
) -> list[Choice]:
    """Return what each `max_wait` would have given for these arrivals."""
    found = []
    for wait_s in waits_s:
        tried = replace(limits, max_wait_s=wait_s)
        done = replay(arrivals, tried, tick_s=tick_s, price_per_hour=price_per_hour)
        best = cheapest_s(arrivals, tried)
        found.append(
            Choice(
                max_wait_s=wait_s,
                usd_per_month=done.cost_usd(price_per_hour) / done.days * MONTH_DAYS,
                wait_p50_s=done.wait_at(0.5),
                wait_p95_s=done.wait_at(0.95),
                late=done.late(wait_s),
                starts_per_day=done.sessions / done.days,
                ratio=done.gpu_seconds / best if best and wait_s >= limits.provision_s + limits.service_s else None,
            )
        )
    return found


def audited(
    arrivals: Sequence[float], paid_usd: float, limits: Limits, price_per_hour: float, waits: Sequence[float]
) -> dict[str, Any]:
    """Return what was paid, what a clairvoyant would have paid for the same arrivals, and the ratio."""
    best = cheapest_s(arrivals, limits) * price_per_hour / HOUR_S if arrivals else 0.0
    ordered = sorted(waits)
    return {
        "messages": len(arrivals),
        "days": round((arrivals[-1] - arrivals[0]) / DAY_S, 3) if arrivals else 0.0,
        "paid_usd": round(paid_usd, 4),
        "clairvoyant_usd": round(best, 4),
        "ratio": round(paid_usd / best, 4) if best else None,
        "wait_p50_s": round(percentile(ordered, 0.5), 1),
        "wait_p95_s": round(percentile(ordered, 0.95), 1),
        "late": sum(1 for wait in ordered if wait > limits.max_wait_s),
    }
