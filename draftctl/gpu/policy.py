"""When a GPU is rented, kept and given back: one pure function over what is observed and what is allowed.

The rule is the cheapest that was found on real traffic (docs/gpu.md): wait until the oldest message would miss `max_wait`, boot,
serve everything, destroy at once. Time is in seconds on any one clock, money in US dollars.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Gpu = Literal["off", "starting", "up", "releasing", "unknown"]
Action = Literal["create", "wait", "dispatch", "hold_open", "destroy", "alarm"]
Reason = Literal[
    "nothing_waits", "paused", "not_due", "due", "budget", "price_unknown", "breaker", "cloud_unknown", "booting", "boot_timeout",
    "lifetime", "work", "in_flight", "idle_grace", "paid_for", "held", "drained", "releasing", "told_to_end",
]  # fmt: skip
HOUR_S = 3600.0
BACK_OFF_S, MAX_BACK_OFF_S = 60.0, 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is allowed, and what things are known to take (seconds, US dollars).

    `provision_s` is the boot time to reckon with: the 95th percentile of our own measured boots. `service_s` is what one chain takes
    and `slots` how many run at a time. After `ready + extend_s` a new message waits for the next session, unless at least
    `deep_queue` wait (0: never). `boot_timeout_s` ends a start that does not come up.
    """

    max_wait_s: float = 1800
    idle_grace_s: float = 30
    extend_s: float = 120
    deep_queue: int = 32
    max_lifetime_s: float = 7200
    provision_s: float = 600
    boot_timeout_s: float = 2700
    service_s: float = 15
    slots: int = 16
    billing_minimum_s: float = 300
    billing_quantum_s: float = 1
    max_failed_starts: int = 3
    poll_s: float = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What is seen at one moment.

    `latest_start` is when a session must begin at the latest for nobody to wait too long (see `latest_ready`); `oldest` the arrival
    of the oldest message that waits. `last_work` is when something was last in flight or, before that, when the droplet was made;
    `admitted_until` is the `admit_until` of the decision before this one.
    `budget_left_usd` is what the day and the month still allow, the running session included; `held_until` a person's word to keep it up,
    `end_now` a person's word to end it; `expires_at` when the sweep takes the droplet.
    """

    now: float
    gpu: Gpu = "off"
    backlog: int = 0
    oldest: float | None = None
    latest_start: float | None = None
    in_flight: int = 0
    paused: bool = False
    created_at: float | None = None
    ready_at: float | None = None
    last_work: float | None = None
    admitted_until: float | None = None
    held_until: float | None = None
    expires_at: float | None = None
    end_now: bool = False
    failed_starts: int = 0
    retry_at: float | None = None
    price_per_hour: float | None = None
    budget_left_usd: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, why, and when to look again (None: when something arrives).

    With `dispatch`, only messages that arrived until `admit_until` are let in, and no request is sent after `stop_at`.
    """

    action: Action
    reason: Reason
    wake_at: float | None = None
    admit_until: float = -math.inf
    stop_at: float = math.inf


def decide(observed: Observed, limits: Limits) -> Decision:
    """Return what to do now. The first rule that applies counts."""
    match observed.gpu:
        case "unknown":
            return Decision(action="alarm", reason="cloud_unknown", wake_at=observed.now + limits.poll_s)
        case "releasing":
            return Decision(action="destroy", reason="releasing", wake_at=observed.now + limits.poll_s)
        case "off":
            return _off(observed, limits)
        case "starting" | "up":
            return _on(observed, limits)


def _off(observed: Observed, limits: Limits) -> Decision:
    if observed.paused:
        return Decision(action="wait", reason="paused")
    if observed.backlog == 0 or observed.latest_start is None:
        return Decision(action="wait", reason="nothing_waits")
    if observed.now < observed.latest_start:
        return Decision(action="wait", reason="not_due", wake_at=observed.latest_start)
    if observed.failed_starts >= limits.max_failed_starts:
        return Decision(action="alarm", reason="breaker")
    if observed.retry_at is not None and observed.now < observed.retry_at:
        return Decision(action="wait", reason="not_due", wake_at=observed.retry_at)
    if observed.price_per_hour is None:
        return Decision(action="alarm", reason="price_unknown")
    if observed.budget_left_usd < cost_usd(limits.provision_s + limits.service_s, observed.price_per_hour, limits):
        return Decision(action="alarm", reason="budget")
    return Decision(action="create", reason="due")


def _on(observed: Observed, limits: Limits) -> Decision:
    now, poll = observed.now, observed.now + limits.poll_s
    created = now if observed.created_at is None else observed.created_at
    end, why = _hard_end(observed, limits, created)
    if now >= end:
        return Decision(action="destroy", reason=why)
    if observed.end_now:
        reason: Reason = "told_to_end"
        return Decision(action="hold_open", reason=reason, wake_at=poll) if observed.in_flight else _end(reason)
    idle_since = created if observed.last_work is None else observed.last_work
    held = observed.held_until is not None and now < observed.held_until
    if observed.gpu == "starting":
        return _starting(observed, limits, created, idle_since, held=held)
    stop_at = end - limits.service_s
    decision = _up(observed, limits, created, idle_since, stop_at, held=held)
    if decision.action == "hold_open" and not observed.in_flight and now >= stop_at:
        return _end(why)
    return replace(decision, wake_at=min(decision.wake_at, end) if decision.wake_at else None, stop_at=stop_at)


def _up(
    observed: Observed, limits: Limits, created: float, idle_since: float, stop_at: float, *, held: bool
) -> Decision:
    now, poll = observed.now, observed.now + limits.poll_s
    ready = created if observed.ready_at is None else observed.ready_at
    paid_until = _paid_until(now, created, limits)
    admit_until = max(ready + limits.extend_s, paid_until, observed.admitted_until or ready)
    if held or 0 < limits.deep_queue <= observed.backlog:
        admit_until = max(admit_until, now)  # all that wait now; who comes later is looked at later
    waiting = observed.backlog > 0 and not observed.paused
    if waiting and now < stop_at and (observed.oldest is None or observed.oldest <= admit_until):
        return Decision(action="dispatch", reason="work", admit_until=admit_until, wake_at=poll)
    if observed.in_flight:
        return Decision(action="hold_open", reason="in_flight", wake_at=poll)
    if held:
        return Decision(action="hold_open", reason="held", wake_at=min(poll, observed.held_until or poll))
    if now < paid_until:
        return Decision(action="hold_open", reason="paid_for", wake_at=min(poll, paid_until))
    grace_until = min(idle_since + limits.idle_grace_s, ready + limits.extend_s)
    if now < grace_until:
        return Decision(action="hold_open", reason="idle_grace", wake_at=min(poll, grace_until))
    return _end("paused" if observed.paused else "drained")


def _starting(observed: Observed, limits: Limits, created: float, idle_since: float, *, held: bool) -> Decision:
    now = observed.now
    if now >= created + limits.boot_timeout_s:
        return _end("boot_timeout")
    wanted = (observed.backlog > 0 and not observed.paused) or held
    if not wanted and now >= max(created + limits.billing_minimum_s, idle_since + limits.idle_grace_s):
        return _end("paused" if observed.paused else "nothing_waits")
    return Decision(action="wait", reason="booting", wake_at=now + limits.poll_s)


def _end(reason: Reason) -> Decision:
    return Decision(action="destroy", reason=reason)


def _hard_end(observed: Observed, limits: Limits, created: float) -> tuple[float, Reason]:
    """Return when the droplet goes whatever it is doing: at the end of its lifetime, or when the money is used up."""
    expires = math.inf if observed.expires_at is None else observed.expires_at
    by_lifetime = min(created + limits.max_lifetime_s, expires)
    price = observed.price_per_hour or 0.0
    left_s = observed.budget_left_usd / price * HOUR_S if price > 0 else math.inf
    by_budget = observed.now + left_s
    if limits.billing_quantum_s > limits.poll_s and left_s < math.inf:  # the next piece would be paid whole
        whole = math.floor((by_budget - created) / limits.billing_quantum_s) * limits.billing_quantum_s
        by_budget = created + max(whole, 0.0)
    return (by_budget, "budget") if by_budget < by_lifetime else (by_lifetime, "lifetime")


def _paid_until(now: float, created: float, limits: Limits) -> float:
    """Return until when the droplet is paid for already; a little earlier where time is billed in long pieces, to be gone by then."""
    quantum = limits.billing_quantum_s
    if quantum <= limits.poll_s:
        return created + limits.billing_minimum_s
    margin = min(60.0, quantum / 10)
    pieces = max(1, math.ceil((now - created + margin) / quantum))
    return max(created + limits.billing_minimum_s, created + pieces * quantum) - margin


def retry_after(failed: int, failed_at: float | None, misses: int, missed_at: float | None) -> float | None:
    """Return when a start may be tried again after so many that failed, or found no droplet to be had; each time twice as long."""
    tries, at = (failed, failed_at) if (failed_at or 0) >= (missed_at or 0) else (misses, missed_at)
    return at + min(MAX_BACK_OFF_S, BACK_OFF_S * 2.0 ** (min(tries, 20) - 1)) if tries and at is not None else None


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that this share of the values (ascending) does not exceed; 0 where there are none."""
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def billed_s(seconds: float, limits: Limits) -> float:
    """Return how many seconds are billed for a droplet that lived so long."""
    quantum = limits.billing_quantum_s
    whole = math.ceil(round(seconds / quantum, 6)) * quantum if quantum > 0 else seconds
    return max(limits.billing_minimum_s, whole)


def cost_usd(seconds: float, price_per_hour: float, limits: Limits) -> float:
    """Return what a droplet that lived so long costs."""
    return billed_s(seconds, limits) * price_per_hour / HOUR_S


def latest_ready(arrivals: Iterable[float], limits: Limits) -> float | None:
    """Return when a droplet must be ready for the last of these (oldest first) to be answered in time; None where nobody waits.

    The k-th message is served in round `k // slots`.
    """
    patience = limits.max_wait_s - limits.service_s
    return min(
        (arrival + patience - (k // limits.slots) * limits.service_s for k, arrival in enumerate(arrivals)),
        default=None,
    )


def latest_start(arrivals: Iterable[float], limits: Limits) -> float | None:
    """Return when a session must be started for these messages, given how long a boot takes; None where nobody waits."""
    ready = latest_ready(arrivals, limits)
    return None if ready is None else ready - limits.provision_s
