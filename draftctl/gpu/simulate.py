"""Replay arrivals through `decide`, as a run that stays while the droplet is up would: the bill, and how long each message waits.

The clock is simulated; nothing is rented. Arrivals are open-loop: nobody writes later because the answer came late.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from draftctl.gpu.policy import HOUR_S, Decision, Limits, Observed, billed_s, decide, latest_start, percentile

DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a replay gave: sessions, billed seconds, and each message's wait (seconds, in the order of arrival)."""

    sessions: int
    gpu_seconds: float
    boot_seconds: float
    waits: tuple[float, ...]
    days: float

    def wait_at(self, share: float) -> float:
        """Return the wait that this share of the messages stays below."""
        return percentile(sorted(self.waits), share)

    def late(self, max_wait_s: float) -> int:
        """Return how many waited longer than this."""
        return sum(1 for wait in self.waits if wait > max_wait_s + 1e-6)

    def cost_usd(self, price_per_hour: float) -> float:
        """Return the bill."""
        return self.gpu_seconds * price_per_hour / HOUR_S


def replay(
    arrivals: Sequence[float],
    limits: Limits,
    *,
    tick_s: float = 60,
    boots: Iterator[float] | None = None,
    price_per_hour: float = 1.0,
) -> Replay:
    """Replay arrivals (ascending, in seconds). A tick comes every `tick_s`; `boots` are the boot times, `limits.provision_s` without."""
    return _Replay(arrivals, limits, tick_s, boots, price_per_hour).run()


class _Replay:
    def __init__(
        self, arrivals: Sequence[float], limits: Limits, tick_s: float, boots: Iterator[float] | None, price: float
    ) -> None:
        self._arrivals = arrivals
        self._limits = limits
        self._tick_s = max(tick_s, 1e-9)
        self._boots = boots
        self._price = price
        self._next = 0  # the first message that has not been sent yet
        self._waits: list[float] = []
        self._sessions = 0
        self._billed = 0.0
        self._booted = 0.0

    def run(self) -> Replay:
        now = self._arrivals[0] if self._arrivals else 0.0
        while self._next < len(self._arrivals):
            now = self._start(max(now, self._arrivals[self._next]))
            now = self._session(now)
        span = self._arrivals[-1] - self._arrivals[0] if self._arrivals else 0.0
        return Replay(
            sessions=self._sessions,
            gpu_seconds=self._billed,
            boot_seconds=self._booted,
            waits=tuple(self._waits),
            days=max(span, 1.0) / DAY_S,
        )

    def _start(self, now: float) -> float:
        """Go from tick to tick, waiting within one for what falls due before the next; return when a droplet is asked for."""
        now = math.ceil(now / self._tick_s - 1e-9) * self._tick_s
        while True:
            arrived = self._arrived(now)
            observed = Observed(
                now=now,
                backlog=arrived - self._next,
                oldest=self._arrivals[self._next],
                latest_start=latest_start(self._arrivals[self._next : arrived], self._limits),
                price_per_hour=self._price,
            )
            decision = decide(observed, self._limits)
            if decision.action == "create":
                return now
            next_tick = math.floor(now / self._tick_s + 1e-9) * self._tick_s + self._tick_s
            wake = decision.wake_at if decision.wake_at is not None else next_tick
            now = min(wake, next_tick)  # a tick stays for what falls due before the next one
            if wake > next_tick:
                now = math.floor(wake / self._tick_s) * self._tick_s
                now = max(now, next_tick)
                now = self._first_tick_of_news(next_tick, now)

    def _first_tick_of_news(self, earliest: float, latest: float) -> float:
        """Skip ticks at which nothing new has arrived: they would decide the same."""
        arrived = self._arrived(earliest)
        if arrived < len(self._arrivals) and self._arrivals[arrived] < latest:
            tick = math.ceil(self._arrivals[arrived] / self._tick_s - 1e-9) * self._tick_s
            return min(max(tick, earliest), latest)
        return latest

    def _arrived(self, now: float) -> int:
        return bisect_right(self._arrivals, now, lo=self._next)

    def _session(self, created: float) -> float:
        """Run one session from the create call to the destroy call; return when it is gone."""
        limits, arrivals = self._limits, self._arrivals
        boot = next(self._boots) if self._boots is not None else limits.provision_s
        ready = created + boot
        self._sessions += 1
        self._booted += boot
        now, last_work, admitted = ready, ready, None
        free_at: list[float] = []  # when each request in flight ends, ascending: all take equally long
        arrived = self._next
        while True:
            while free_at and free_at[0] <= now:
                last_work = free_at.pop(0)
            while arrived < len(arrivals) and arrivals[arrived] <= now:
                arrived += 1
            decision = self._decide(now, created, ready, last_work, admitted, arrived, len(free_at))
            if decision.action == "destroy":
                self._billed += billed_s(now - created, limits)
                return now
            admitted = decision.admit_until
            if decision.action == "dispatch":
                while (
                    self._next < arrived
                    and len(free_at) < limits.slots
                    and arrivals[self._next] <= decision.admit_until
                ):
                    done = now + limits.service_s
                    self._waits.append(done - arrivals[self._next])
                    free_at.append(done)
                    self._next += 1
            now = self._next_event(now, free_at, arrived, decision)

    def _decide(
        self,
        now: float,
        created: float,
        ready: float,
        last_work: float,
        admitted: float | None,
        arrived: int,
        flying: int,
    ) -> Decision:
        observed = Observed(
            now=now,
            gpu="up",
            backlog=arrived - self._next,
            oldest=self._arrivals[self._next] if self._next < arrived else None,
            in_flight=flying,
            created_at=created,
            ready_at=ready,
            last_work=last_work,
            admitted_until=admitted,
            price_per_hour=self._price,
        )
        return decide(observed, self._limits)

    def _next_event(self, now: float, free_at: list[float], arrived: int, decision: Decision) -> float:
        """Return when something happens next: an end, an arrival that could be sent, or the time the decision names."""
        end = free_at[0] if free_at else math.inf
        if len(free_at) >= self._limits.slots:
            return end
        coming = self._arrivals[arrived] if arrived < len(self._arrivals) else math.inf
        wake = decision.wake_at if decision.wake_at is not None and not free_at else math.inf
        return max(now, min(end, coming, wake))
