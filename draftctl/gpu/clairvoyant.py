"""The cheapest schedule that knows every arrival and keeps every wait within `max_wait`: what a perfect policy would pay.

Exact, by dynamic programming over where one session ends and the next begins: a session that serves the messages i..j is ready at the
latest moment at which all of them can still be answered in time, and lives until the last answer. Sessions may overlap in time,
which no single box can do: the bound is, if anything, too low. Checked against all partitions of small inputs in the tests.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from draftctl.gpu.policy import Limits, billed_s

# A session that begins with one message: [what was paid before, that message's number, when it is ready, when it last began one, how
# many in a row it could begin without having fallen behind since it was ready].
# A list, because the innermost loop takes it apart millions of times for a month of 60,000 messages.
_Start = list[Any]
_BEFORE, _FIRST, _READY, _LAST, _AHEAD = range(5)


@dataclass(slots=True)
class _Group:
    """Sessions with the same queue: `ring` is when the last `slots` messages could begin, had each session always been ready.

    `prompt` counts how many in a row could begin as they came: after `slots` of those, all such groups have the same queue.
    """

    starts: list[_Start]
    prompt: int = 0
    ring: deque[float] = field(default_factory=deque)

    def begin(self, arrival: float, limits: Limits) -> float:
        """Put the next message into the queue; return when it could begin."""
        earliest = arrival
        if len(self.ring) == limits.slots:
            earliest = max(arrival, self.ring.popleft() + limits.service_s)
        self.ring.append(earliest)
        self.prompt = self.prompt + 1 if earliest == arrival else 0
        return earliest


def cheapest_s(arrivals: Sequence[float], limits: Limits) -> float:
    """Return the billed seconds of the cheapest schedule for these arrivals (ascending), with the same slots and billing.

    A message that no droplet could answer in time (more arrive than the slots can take) is answered as soon as they can.
    """
    return _Search(limits).run(arrivals)


class _Search:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._patience = max(0.0, limits.max_wait_s - limits.service_s)
        self._fixed = limits.provision_s + limits.service_s
        minimum, quantum = limits.billing_minimum_s, limits.billing_quantum_s
        extra = max(0.0, minimum - self._fixed)
        # A pause so long costs more than to end the session and to boot anew.
        self._gap = (
            self._limits.service_s
            + quantum
            + (minimum + max(minimum, limits.provision_s) if extra else limits.provision_s)
        )
        # Billing rounds up by no more than this.
        self._slack = quantum + extra
        self._drains: list[float] = []  # what a session costs whose last message is served in this round
        self._groups: list[_Group] = []
        # Sessions that had nothing in flight when a message came: from there on they differ by what they have cost alone, so of
        # those only the cheapest (but for the rounding) can be part of the best schedule.
        self._settled = _Group([])

    def run(self, arrivals: Sequence[float]) -> float:
        paid = 0.0  # the cheapest for the messages before this one
        service = self._limits.service_s
        for n, arrival in enumerate(arrivals):
            groups = self._without_the_worse(paid)
            if groups and groups[0].ring[-1] + service <= arrival:  # the first has the longest queue: all are idle
                merged = groups[0]
                for group in groups[1:]:
                    merged.starts += group.starts
                merged.ring.clear()
                self._groups = groups = [merged]
                merged.starts.append([paid, n, math.inf, math.inf, 0])
            else:
                groups.append(_Group([[paid, n, math.inf, math.inf, 0]]))
            paid = min(self._serve_settled(arrival), *[self._serve(group, n, arrival, paid) for group in groups])
            self._groups = self._merged([group for group in groups if group.starts])
        return paid

    def _without_the_worse(self, paid: float) -> list[_Group]:
        """Drop the sessions before which no less was paid than now: to begin with this message instead never costs more."""
        for group in self._groups:
            if group.starts[-1][_BEFORE] >= paid:
                group.starts.pop()
        return [group for group in self._groups if group.starts]

    def _merged(self, groups: list[_Group]) -> list[_Group]:
        same = [group for group in groups if group.prompt >= self._limits.slots]
        if len(same) < 2:  # noqa: PLR2004  (one alone has nothing to be merged with)
            return groups
        same[0].starts = [start for group in same for start in group.starts]
        gone = set(map(id, same[1:]))
        return [group for group in groups if id(group) not in gone]

    def _serve(self, group: _Group, n: int, arrival: float, paid: float) -> float:
        """Let every session of a group serve the next message; return the cheapest total. Those that are over leave the group."""
        limits = self._limits
        earliest = group.begin(arrival, limits)
        latest = arrival + self._patience
        starts, drains = group.starts, self._drains
        while len(drains) <= (n - starts[0][_FIRST]) // limits.slots:
            drains.append(billed_s(self._fixed + len(drains) * limits.service_s, limits))
        best = math.inf
        ripe: list[_Start] = []
        over: list[_Start] = []
        for start in starts:
            before, first, ready, _, _ = start
            rounds = (n - first) // limits.slots
            if earliest <= ready <= latest - rounds * limits.service_s:  # not ready yet, and no less time than before
                best = min(best, before + drains[rounds])
            else:
                best = min(best, self._serve_one(start, group, n, arrival, earliest, paid, ripe, over))
        if ripe and self._take(ripe, group, arrival):
            over += ripe
        if over:
            gone = set(map(id, over))
            group.starts = [start for start in starts if id(start) not in gone]
        return best

    def _serve_one(
        self,
        start: _Start,
        group: _Group,
        n: int,
        arrival: float,
        earliest: float,
        paid: float,
        ripe: list[_Start],
        over: list[_Start],
    ) -> float:
        """Let one session serve the next message; return its total, and note it where it has caught up (`ripe`) or is over."""
        limits, fixed = self._limits, self._fixed
        slots, service = limits.slots, limits.service_s
        before, first, ready, last, ahead = start
        latest = arrival + self._patience
        behind = (n - first) // slots * service
        if ready < math.inf:
            last = max(last, ready + (n - 1 - first) // slots * service)
        # To end it before this message and to boot anew never costs more than so much.
        longer = paid - before + self._slack
        late = earliest > latest and first < n
        if arrival - last >= self._gap or late or longer <= min(behind, latest - ready):
            over.append(start)
            return math.inf
        start[_READY] = ready = min(ready, latest - behind)
        begun = max(ready + behind, earliest)
        start[_AHEAD] = ahead + 1 if earliest > ready + behind else 0
        if start[_AHEAD] and (arrival >= last + service or (ahead >= slots and group.prompt >= slots)):
            ripe.append(start)
        start[_LAST] = begun
        return float(before + billed_s(fixed + begun - ready, limits))

    def _serve_settled(self, arrival: float) -> float:
        group, limits = self._settled, self._limits
        if not group.starts:
            return math.inf
        last = group.ring[-1]
        if arrival >= last + limits.service_s:
            group.ring.clear()
        earliest = group.begin(arrival, limits)
        if arrival - last >= self._gap or earliest > arrival + self._patience:
            group.starts = []
            return math.inf
        end = self._fixed + earliest
        return min((start[_BEFORE] + billed_s(end - start[_READY], limits) for start in group.starts), default=math.inf)

    def _take(self, ripe: list[_Start], theirs: _Group, arrival: float) -> bool:
        """Settle sessions, unless a queue stands there that they do not have; say whether it was done."""
        group, slots = self._settled, self._limits.slots
        prompt = theirs.prompt >= slots
        if group.starts and not (group.prompt >= slots if prompt else len(group.ring) == 1):
            return False
        if not group.starts:
            group.ring = deque(theirs.ring if prompt else [arrival])
            group.prompt = slots if prompt else 1
        group.starts += ripe
        floor = min(start[_BEFORE] - start[_READY] for start in group.starts)
        group.starts = [start for start in group.starts if start[_BEFORE] - start[_READY] <= floor + self._slack]
        return True
