"""One tick of `run --gpu auto`, and what it does when it stays: look, decide, act, write down, batch after batch.

A tick returns while a droplet is `new` or nothing is due; from the moment SSH answers it stays until the droplet is gone. Each batch reads the
last commit afresh, and none is longer than ten minutes. What is decided stands in `gpu.policy`; here it is carried out.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from draftctl.engine_id import TEMPLATE
from draftctl.engines.absent import UnpaidEngine, WaitingEngine
from draftctl.engines.base import Engine
from draftctl.engines.template import TemplateEngine
from draftctl.errors import DraftctlError, LockHeld
from draftctl.gpu.budget import measured_limits, prices
from draftctl.gpu.cloud import CloudError, dearest
from draftctl.gpu.desk import Build
from draftctl.gpu.making import Asked, NoDroplet
from draftctl.gpu.manager import Manager
from draftctl.gpu.outlook import observe, public_state
from draftctl.gpu.policy import Decision, Observed, decide
from draftctl.ingest import IngestCount
from draftctl.manifest import Manifest
from draftctl.service import EXIT_UNREACHABLE, Listeners, RunOptions, RunResult, run
from draftctl.settings import Settings
from draftctl.store import jobs, leases
from draftctl.store.db import is_locked, transaction
from draftctl.store.leases import Lease
from draftctl.tally import Tally

TICK_S = 60.0  # cron's; what falls due before the next tick is waited for
BATCH_S = 600.0
STAY_RELEASING_S = 180.0
TROUBLE_S = 120.0  # how long a server may fail to answer before its droplet goes
STEP_S = 1.0
_REQUEST = re.compile(r" ?\(request [^)]*\)")
ServedEngine = Callable[[str, Manifest | None, str, str], Engine]  # engine id, manifest, URL, key


class Residence:
    """One tick. Whoever makes it holds the GPU lock."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        manager: Manager,
        options: RunOptions,
        *,
        build: Callable[[], Build],
        engine: ServedEngine,
        listeners: Listeners,
        taken: IngestCount | None = None,
    ) -> None:
        self._root = root
        self._settings = settings
        self._manager = manager
        self._desk = manager.desk
        self._connection = manager.desk.connection
        self._options = options
        self._build = build
        self._engine = engine
        self._listeners = listeners
        self._taken = taken
        self._tally = Tally()
        self._limits = measured_limits(manager.desk.connection, settings)
        self._admitted: float | None = None
        self._reopened = False  # what held for the next run gets its one chance in a residence, not one in each batch
        self._trouble_at: float | None = None
        self._broken: DraftctlError | None = (
            None  # keeps this tick from drafting; a droplet that is up is ended all the same
        )
        self._releasing_since: float | None = None
        self._last: Decision | None = None
        self._stuck = False

    def tick(self) -> RunResult:
        """Do what is to be done now, and stay while there is a droplet to be looked after."""
        while self._turn():
            pass
        if self._broken is not None:
            self._desk.unlink()
            raise self._broken
        return self._result()

    # -- one turn -------------------------------------------------------------------------------------------------------------------

    def _turn(self) -> bool:
        """Look, decide, act; say whether to stay."""
        lease, known = self._advanced()
        self._remember(known=known)
        if lease is None or lease.state != "ready":
            self._screen()
        observed = self._observe(lease, known=known)
        decision = decide(observed, self._limits)
        self._note(lease, observed, decision)
        match decision.action:
            case "wait":
                return self._wait(lease, decision)
            case "create":
                return self._create()
            case "dispatch":
                return self._dispatch(lease, decision)
            case "hold_open":  # what a person's word holds is not sat beside: the next tick looks again
                return decision.reason != "held" and self._sleep_until(decision.wake_at)
            case "destroy":
                return self._destroy(lease, decision)
            case "alarm":
                return self._alarm(decision)

    def _advanced(self) -> tuple[Lease | None, bool]:
        """Take the open lease a step on; say whether the cloud could be asked."""
        lease = leases.open_lease(self._connection)
        if lease is None:
            return None, True
        try:
            lease = self._manager.advance(lease)
        except CloudError as error:
            if lease.state == "releasing":
                if not self._stuck:
                    self._desk.warn(f"{still_there(lease)} ({error.message})")
                self._stuck = True
                return lease, True
            self._say_once("The cloud cannot be asked, so nothing is done about the GPU", error)
            return lease, False
        except (DraftctlError, OSError) as error:  # its deadlines are kept all the same
            self._say_once("The droplet could not be looked after", error)
            return self._desk.lease(lease.id), True
        self._stuck = self._stuck and lease.state != "closed"
        return (None if lease.state == "closed" else lease), True

    def _remember(self, *, known: bool) -> None:
        """Keep whether the cloud could be asked, for `gpu status`."""
        word = None if known else "unknown"
        if jobs.setting(self._connection, "gpu_state") != word:
            with transaction(self._connection):
                jobs.set_setting(self._connection, "gpu_state", word)

    def _observe(self, lease: Lease | None, *, known: bool) -> Observed:
        return observe(
            self._connection,
            self._desk.settings,
            self._limits,
            lease,
            now=self._desk.clock(),
            engine_id=None if self._broken else self._options.rents,
            price=self._price,
            known=known,
            held=not self._reopened,
            in_flight=int(lease is not None and lease.state == "ready" and is_locked(self._settings.database)),
            admitted_until=self._admitted,
        )

    def _price(self) -> float | None:
        """Return what the dearest candidate costs an hour; None where nothing says so."""
        try:
            return dearest(prices(self._desk.cloud, self._build().manifest)[0])
        except CloudError as error:
            self._say_once("The cloud cannot be asked what a GPU costs", error)
            return None

    # -- acts -------------------------------------------------------------------------------------------------------------------------

    def _wait(self, lease: Lease | None, decision: Decision) -> bool:
        now = self._desk.clock()
        if lease is None:
            if decision.wake_at is None or decision.wake_at > now + TICK_S or decision.reason == "paused":
                return False
            return self._sleep_until(decision.wake_at)
        if lease.state in ("creating", "booting") or (lease.droplet_id is None):
            return False  # the next tick looks again
        return self._sleep_until(now + min(self._desk.settings.poll_interval, 5))

    def _create(self) -> bool:
        build, now = self._build(), self._desk.clock()
        offers, reasons = prices(self._desk.cloud, build.manifest)
        if not offers and self._desk.settings.provision_on == "droplet":
            with transaction(self._connection):
                leases.event(self._connection, None, "no_capacity", {"why": reasons})
            self._say_once("No GPU can be had", "; ".join(reasons))
            return False
        asked = Asked(by="draftctl", reason="work waits", expires_at=now + self._desk.settings.max_lifetime)
        try:
            self._manager.begin(build, asked, offers)
        except (NoDroplet, CloudError) as error:
            self._say_once("No droplet was made", error)
            return False
        return True

    def _dispatch(self, lease: Lease | None, decision: Decision) -> bool:
        if lease is None:
            return False
        self._admitted = decision.admit_until
        now = self._desk.clock()
        limit = self._options.limits.limit
        left = None if limit is None else limit - self._tally.claimed
        if left is not None and left <= 0:
            return False
        try:
            url, key = self._desk.endpoint(lease)
        except OSError as error:
            self._broken = DraftctlError(
                f"The keys of the lease are gone ({error.strerror}), so its droplet is of no use."
            )
            return True
        limits = replace(
            self._options.limits,
            limit=left,
            time_budget_s=max(0.0, min(BATCH_S, decision.stop_at - now)),
            drain_s=self._limits.service_s,
            arrived_until=leases.iso(decision.admit_until),
        )
        options = replace(
            self._options,
            limits=limits,
            reopen=not self._reopened,
            lease=lease.id,
            attested=lease.attested or "name",
            endpoints="gpu lease",
        )
        listeners = replace(self._listeners, stop_when=lambda connection: leases.end_asked(connection, lease.id))
        try:
            result = self._run(options, lambda id_, manifest: self._engine(id_, manifest, url, key), listeners)
        except LockHeld:
            return self._sleep_until(now + STEP_S)  # a plain `draft` is at work; it uses the lease too
        except DraftctlError as error:
            self._broken = error
            return True
        self._reopened = True
        if result.exit_code == EXIT_UNREACHABLE:
            return self._trouble(lease)
        self._desk.change(lease, last_work_at=self._desk.clock())
        self._trouble_at = None
        if result.counts["stopped"] == "interrupted":
            self._tally.notes.append(
                "The droplet is still up: the next run goes on with it, and `draftctl gpu down` ends it now"
            )
            return False
        return True

    def _trouble(self, lease: Lease) -> bool:
        """Bear with a server that does not answer for a while: the way to it may be down, and the droplet well."""
        now = self._desk.clock()
        self._reopened = False
        if self._trouble_at is None:
            self._trouble_at = now
        why = self._manager.not_ready(lease)
        if why is None:
            self._trouble_at = None
        elif now - self._trouble_at > TROUBLE_S:
            self._desk.keep_log(lease)
            self._manager.fail(lease, f"the server no longer answers: {why}")
        else:
            self._sleep_until(now + self._desk.settings.poll_interval)
        return True

    def _destroy(self, lease: Lease | None, decision: Decision) -> bool:
        now = self._desk.clock()
        if lease is None:
            return False
        if lease.state == "creating":
            return False  # whether there is anything to destroy is not known yet
        if lease.state != "releasing":
            good = lease.ready_at is not None
            if not good:
                self._desk.keep_log(lease)
            failed = not good and decision.reason in ("boot_timeout", "lifetime", "budget")
            outcome = "served" if good else "failed" if failed else "not_needed"
            self._manager.release(lease, outcome, decision.reason)
        if self._releasing_since is None:
            self._releasing_since = now
        if now - self._releasing_since > STAY_RELEASING_S:
            if not self._stuck:
                self._desk.warn(still_there(lease))
            self._stuck = True
            return False
        return self._sleep_until(now + min(2.0, self._desk.settings.poll_interval))

    def _alarm(self, decision: Decision) -> bool:
        match decision.reason:
            case "budget":
                self._say_once("No GPU is started", "the day's or the month's budget does not allow another session")
                self._run(
                    replace(self._options, reopen=False),
                    lambda id_, m: UnpaidEngine(id_, "the budget is used up") if m else TemplateEngine(),
                    self._listeners,
                )
                return False
            case "breaker":
                count, _ = leases.failed_starts(self._connection)
                happened = (
                    f"{count} starts in a row have failed"
                    if count < leases.ALARM_COUNT
                    else "a start has ended in an alarm"
                )
                self._say_once(
                    "No GPU is started",
                    f"{happened}; `draftctl gpu status` says why, and `draftctl gpu up` tries again",
                )
            case "price_unknown":
                self._say_once("No GPU is started", "what it would cost is not known (`draftctl gpu plan`)")
            case _:
                pass  # said where the cloud was asked
        self._tally.exit_code = self._tally.exit_code or EXIT_UNREACHABLE
        return False

    def _screen(self) -> None:
        """Decide what needs no model at once: an alert does not wait for a GPU, and a GPU is not rented for a STOP."""
        if self._options.rents is None or self._broken:
            return
        if not jobs.backlog(self._connection).fresh:
            return
        limits = replace(self._options.limits, fresh=True)
        options = replace(self._options, limits=limits, reopen=False)
        try:
            self._run(
                options,
                lambda id_, m: WaitingEngine(id_, "it is not up yet") if m else TemplateEngine(),
                self._listeners,
            )
        except LockHeld:
            return
        except DraftctlError as error:
            self._broken = error

    def _run(
        self, options: RunOptions, make: Callable[[str, Manifest | None], Engine], listeners: Listeners
    ) -> RunResult:
        taken, self._taken = self._taken, None
        result = run(self._root, self._settings.database, options, make, taken=taken, listeners=listeners)
        self._tally.add(result)
        return result

    # -- small things ------------------------------------------------------------------------------------------------------------------

    def _sleep_until(self, at: float | None) -> bool:
        """Sleep a little towards a moment, so that a word from outside is heard within a second; stay."""
        left = STEP_S if at is None else at - self._desk.clock()
        self._desk.sleep(max(0.05, min(STEP_S, left)))
        return True

    def _note(self, lease: Lease | None, observed: Observed, decision: Decision) -> None:
        """Write a decision down when it is another than the one before, with what it was made from."""
        if self._last is not None and (self._last.action, self._last.reason) == (decision.action, decision.reason):
            return
        self._last = decision
        detail = {
            "action": decision.action,
            "reason": decision.reason,
            "gpu": observed.gpu,
            "backlog": observed.backlog,
            "latest_start": leases.iso(observed.latest_start),
            "budget_left_usd": round(observed.budget_left_usd, 2),
        }
        if lease is not None or decision.action != "wait":
            with transaction(self._connection):
                leases.event(self._connection, lease.id if lease else None, "decided", detail)

    def _say_once(self, what: str, why: str | Exception) -> None:
        """Say a trouble when it is new or half a day old: cron mails every line. A request's number makes none new."""
        text = f"{why.message} {why.hint}".strip() if isinstance(why, DraftctlError) else str(why)
        kept = {"what": what, "why": _REQUEST.sub("", text)[:300]}
        with transaction(self._connection):
            new = leases.event_once(self._connection, None, f"trouble: {what}", kept)
        if new:
            self._desk.warn(f"{what}: {text}")

    def _result(self) -> RunResult:
        self._desk.unlink()
        lease = leases.open_lease(self._connection)
        tally = self._tally
        if not tally.counts:
            empty = self._empty()
            tally.counts, code = dict(empty.counts), empty.exit_code
            tally.exit_code = tally.exit_code or code
        tally.counts["gpu"] = {
            "state": public_state(lease),
            "lease": lease.id if lease else None,
            "action": self._last.action if self._last else None,
            "reason": self._last.reason if self._last else None,
        }
        return RunResult(counts=tally.counts, notes=tuple(tally.notes), exit_code=1 if self._stuck else tally.exit_code)

    def _empty(self) -> RunResult:
        """Return a run's result in which nothing was decided."""
        from draftctl.batch import Report  # noqa: PLC0415
        from draftctl.service import result_of  # noqa: PLC0415

        report = Report(waiting=jobs.waiting(self._connection))
        return result_of(self._options, "", self._options.engine or TEMPLATE, self._taken, report, ())


def still_there(lease: Lease) -> str:
    """Return what a person must hear when a droplet does not go."""
    return (
        f"ALARM: droplet {lease.droplet_id} was told to go and is still there. It costs ${lease.price_per_hour or 0:.2f} an hour until it is gone. "
        f"It is tried again with every run; to end it by hand: https://cloud.digitalocean.com/droplets/{lease.droplet_id}"
    )
