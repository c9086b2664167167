"""Run many: workers claim candidates, decide, and report a draft only after its commit. Stops cleanly at a word."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from draftctl.engines.base import Completion, NotYet
from draftctl.errors import place_of
from draftctl.failpoints import reach
from draftctl.models import Candidate, Drafted, Held, Outcome, Result
from draftctl.runner import Deps, draft_one
from draftctl.store import checkpoints, jobs, persons, results
from draftctl.store.jobs import Claim
from draftctl.store.results import Provenance
from draftctl.store.writer import Writer

BREAKER_AFTER = 5
PAUSE_POLL_S = 0.25
STOP_GRACE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a run may do: requests in flight, seconds, candidates (None: all), or one candidate alone.

    `arrived_until` (ISO 8601) leaves those for later that were taken in after it, `fresh` those that a run has looked at before.
    When the time is up, what is in flight has `drain_s` to end.
    """

    max_in_flight: int = 64
    time_budget_s: float = 1800
    limit: int | None = None
    only: str | None = None
    arrived_until: str | None = None
    fresh: bool = False
    drain_s: float = STOP_GRACE_S


@dataclass(slots=True)
class Breaker:
    """Opens after a run of failures to reach the engine, with no success between; then nobody waits for it any more."""

    failures: int = 0
    last_failed: bool = False

    def note(self, outcome: Outcome, *, asked: bool) -> None:
        """Count one outcome."""
        if isinstance(outcome, Held) and outcome.reason == "engine_unavailable":
            self.failures += 1
            self.last_failed = True
        elif asked:
            self.failures = 0
            self.last_failed = False

    @property
    def open(self) -> bool:
        """Say whether the engine is given up for this run."""
        return self.failures >= BREAKER_AFTER


@dataclass(slots=True)
class Report:
    """What a run did, and why it ended before the queue was empty (`stopped`: paused, interrupted, time, limit; else empty)."""

    claimed: int = 0
    drafted: int = 0
    held: int = 0
    holds: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    elapsed_s: float = 0.0
    stopped: str = ""
    waiting: int = 0
    unreachable: bool = False
    alerts: list[tuple[str, str]] = field(default_factory=list)

    def add(self, result: Result, outcome: Outcome) -> None:
        """Count one decided candidate."""
        self.claimed += 1
        for step in result.steps:
            if step.recalled:
                continue
            self.prompt_tokens += step.prompt_tokens
            self.cached_tokens += step.cached_tokens
            self.completion_tokens += step.completion_tokens
        if isinstance(outcome, Drafted):
            self.drafted += 1
        else:
            self.held += 1
            self.holds[outcome.reason] += 1


Watch = Callable[[Report], None]
AlertLine = Callable[[str, str, str], None]  # candidate id, person id, gate
AlertPost = Callable[[str, str, str], bool]  # the same; says whether it was heard
StopWhen = Callable[[sqlite3.Connection], str | None]  # why the run is to end, or None


class Batch:
    """One run over the queue. `stop(reason)` ends it from outside: what is decided is committed, the rest is given back."""

    def __init__(
        self,
        path: Path,
        deps: Deps,
        provenance: Provenance,
        limits: Limits,
        *,
        watch: Watch,
        alert: AlertLine,
        tell: AlertPost | None = None,
        stop_when: StopWhen | None = None,
    ) -> None:
        self._path = path
        self._deps = deps
        self._provenance = provenance
        self._limits = limits
        self._watch = watch
        self._alert = alert
        self._tell = tell
        self._stop_when = stop_when or (lambda _connection: None)
        self._breaker = Breaker()
        self._stop = asyncio.Event()
        self._queue: asyncio.Queue[Claim | None] = asyncio.Queue(maxsize=limits.max_in_flight)
        self._held_now: dict[str, Claim] = {}
        self._started = time.monotonic()
        self.report = Report()

    def stop(self, reason: str) -> None:
        """End the run soon, and say why."""
        if not self._stop.is_set():
            self.report.stopped = reason
            self._stop.set()

    async def run(self) -> Report:
        """Work until the queue is empty or something says stop."""
        self._writer = Writer(self._path)
        self._writer.start()
        try:
            await self._work()
        finally:
            try:
                left = list(self._held_now.values())
                if left:
                    await self._writer.do(partial(jobs.release, claims=left))
            finally:
                await self._writer.stop()
                for engine in self._deps.engines:
                    await engine.close()
        if self._writer.lost is not None:
            raise self._writer.lost
        self.report.requests = self._sent()
        self.report.elapsed_s = round(time.monotonic() - self._started, 3)
        self.report.unreachable = self._breaker.open or self._breaker.last_failed
        return self.report

    def _sent(self) -> int:
        """Return how many completion requests have been sent, to all engines."""
        return sum(engine.sent for engine in self._deps.engines)

    async def _work(self) -> None:
        watcher = asyncio.create_task(self._watch_pause())
        workers = [asyncio.create_task(self._worker()) for _ in range(self._limits.max_in_flight)]
        feeder = asyncio.create_task(self._feed())
        stopped = asyncio.create_task(self._stop.wait())
        everything: asyncio.Future[Any] = asyncio.gather(feeder, *workers)
        either: set[asyncio.Future[Any]] = {everything, stopped, watcher}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if watcher.done():
                watcher.result()  # without the watch nobody would hear of a pause: the run ends with its error
            if not everything.done():
                grace_s = self._limits.drain_s if self.report.stopped == "time" else STOP_GRACE_S
                await asyncio.wait({everything}, timeout=grace_s)
            if everything.done():
                everything.result()
        finally:
            for task in (watcher, stopped, everything, feeder, *workers):
                task.cancel()
            await asyncio.gather(watcher, stopped, everything, feeder, *workers, return_exceptions=True)

    async def _watch_pause(self) -> None:
        while True:
            if await self._writer.do(jobs.paused) is not None:
                self.stop("paused")
            told = await self._writer.do(self._stop_when)
            if told:
                self.stop(told)
            if time.monotonic() - self._started > self._limits.time_budget_s:
                self.stop("time")
            await asyncio.sleep(PAUSE_POLL_S)

    async def _feed(self) -> None:
        """Claim in groups as there is room; a run that stays sees what came in meanwhile."""
        taken = 0
        while not self._stop.is_set():
            left = self._limits.max_in_flight if self._limits.limit is None else self._limits.limit - taken
            if left <= 0:
                self.report.stopped = "limit"
                break
            claims = await self._writer.do(partial(self._claim, room=min(left, self._limits.max_in_flight)))
            reach("claim.after_commit")
            if claims is None:
                self.stop("paused")
            if not claims:
                break
            taken += len(claims)
            self._held_now |= {claim.candidate.id: claim for claim in claims}
            for claim in sorted(claims, key=_cell):
                await self._queue.put(claim)
        for _ in range(self._limits.max_in_flight):
            await self._queue.put(None)

    def _claim(self, connection: sqlite3.Connection, room: int) -> list[Claim] | None:
        """Claim, in a job of the writer; None when everything is paused."""
        if jobs.paused(connection) is not None:
            return None
        return jobs.claim(
            connection,
            owner=self._provenance.run_id,
            limit=room,
            only=self._limits.only,
            arrived_until=self._limits.arrived_until,
            fresh=self._limits.fresh,
        )

    async def _worker(self) -> None:
        """Decide one candidate after the other; while one is being committed the next is under way, but never a third."""
        recording: asyncio.Task[None] | None = None
        try:
            while (claim := await self._queue.get()) is not None:
                if self._stop.is_set():
                    continue  # given back at the end
                result = await self._decide(claim)
                if result is None:
                    continue  # it waits on, and is given back at the end: this run has looked at it
                self._breaker.note(result.outcome, asked=result.answered)
                if recording is not None:
                    await recording
                recording = asyncio.create_task(self._settle(claim, result))
            if recording is not None:
                await recording
        finally:
            if recording is not None:
                recording.cancel()

    async def _settle(self, claim: Claim, result: Result) -> None:
        """Record a result, and report it once it is committed."""
        outcome = await self._record(claim, result)
        self._held_now.pop(claim.candidate.id, None)
        if outcome is not None:
            self.report.add(result, outcome)
            self.report.requests = self._sent()
            await self._say_alerts(claim.candidate, result)
            self._watch(self.report)

    async def _say_alerts(self, candidate: Candidate, result: Result) -> None:
        """Say an alert, then note that it was said: one that a kill kept quiet is said by the next run."""
        for alert in result.alerts:
            self._alert(candidate.id, candidate.person_id, alert.gate)
        if result.alerts:
            await self._writer.do(persons.note_said)
        tell = self._tell
        for alert in result.alerts if tell is not None else ():
            if tell is not None and await asyncio.to_thread(tell, candidate.id, candidate.person_id, alert.gate):
                await self._writer.do(partial(persons.note_told, candidate_id=candidate.id, gate=alert.gate))

    async def _record(self, claim: Claim, result: Result) -> Outcome | None:
        """Record a result; what the tables refuse is one candidate's bug and holds it."""
        try:
            return await self._writer.do(
                partial(results.finish, claim=claim, result=result, provenance=self._provenance)
            )
        except (sqlite3.IntegrityError, OverflowError, ValueError) as error:
            held = Result(
                candidate=result.candidate,
                outcome=Held(reason="internal_error", detail=place_of(error)),
                findings=result.findings,
                alerts=result.alerts,
                suppress_person=result.suppress_person,
            )
            return await self._writer.do(partial(results.finish, claim=claim, result=held, provenance=self._provenance))

    async def _decide(self, claim: Claim) -> Result | None:
        deps = self._deps
        if self._breaker.open:
            deps = deps.without_engines("given up after several failures in a row")
        try:
            return await draft_one(
                claim.candidate, claim.person, deps, _Memory(claim, self._writer), claim.thread, claim.staged
            )
        except NotYet:
            return None
        except Exception as error:  # noqa: BLE001  (one candidate's bug must not stop the others)
            return Result(candidate=claim.candidate, outcome=Held(reason="internal_error", detail=place_of(error)))


class _Memory:
    """A claimed chain's memory: what an earlier run was answered, and the writer that keeps what this one is."""

    def __init__(self, claim: Claim, writer: Writer) -> None:
        self._claim = claim
        self._writer = writer

    def recall(self, n: int, attempt: int, prompt: str) -> Completion | None:
        """Return the completion of this very request, if an earlier run has it."""
        hashed, completion = self._claim.recalled.get((n, attempt), ("", None))
        return completion if hashed == prompt else None

    def keep(self, n: int, attempt: int, prompt: str, completion: Completion) -> None:
        """Hand a completion to the writer; only the draft is waited for."""
        key = (self._claim.candidate.id, self._claim.fence, n, attempt)
        self._writer.post(partial(checkpoints.keep, key=key, prompt=prompt, completion=completion))


def _cell(claim: Claim) -> tuple[str, str, str]:
    """Return what groups a claim with those of the same workflow and note: they share the server's prefix cache."""
    candidate = claim.candidate
    return candidate.template_key or "", candidate.archetype or "", candidate.state or ""
