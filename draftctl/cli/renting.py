"""What the `gpu` commands do: a start by hand with its question, the end that is seen, the plan, the sweep."""

import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import typer

from draftctl.cli.context import narrate
from draftctl.errors import DraftctlError, UsageError
from draftctl.gpu.budget import budget_left, measured_limits, prices
from draftctl.gpu.cloud import Cloud, CloudError, Offer, dearest
from draftctl.gpu.making import Asked, NoDroplet
from draftctl.gpu.outlook import observe
from draftctl.gpu.policy import cost_usd, decide
from draftctl.gpu.reap import Swept, sweep
from draftctl.store import jobs, leases
from draftctl.store.db import transaction

if TYPE_CHECKING:
    from draftctl.gpu.desk import Build
    from draftctl.gpu.manager import Manager
    from draftctl.settings import Settings
    from draftctl.store.leases import Lease

POLL_S = 2.0
Shown = Callable[[str, float], None]  # a lease's state, and since when it runs (unix seconds)


def ask_first(
    settings: "Settings", connection: sqlite3.Connection, cloud: Cloud, build: "Build", *, held_s: float, yes: bool
) -> list[Offer]:
    """Say what a start will cost, and ask; return what can be had. Nothing is asked where a droplet is on its way already."""
    lease = leases.open_lease(connection)
    if lease is not None and lease.engine_id != build.engine_id:
        raise UsageError(f"A GPU is up for {lease.engine_id}.", hint="`draftctl gpu down` ends it first.")
    if lease is not None and (lease.state == "releasing" or lease.end_asked):
        raise UsageError(
            "The last droplet is still being destroyed.", hint="`draftctl gpu down` sees it gone; then start anew."
        )
    if lease is not None:
        return []
    if (why := jobs.paused(connection)) is not None:
        raise UsageError(f"Everything is paused ({why}), so no GPU is started.", hint="`draftctl resume --by NAME`")
    offers = _offers(settings, cloud, build)
    _ask(settings, connection, offers, held_s=held_s, yes=yes)
    return offers


def bring_up(
    settings: "Settings",
    manager: "Manager",
    build: "Build",
    offers: list[Offer],
    *,
    held_s: float,
    by: str,
    shown: Shown = lambda _state, _since: None,
) -> "Lease":
    """Start a droplet by hand, or go on with the one that is being started; stay until it is ready or over."""
    desk = manager.desk
    lease = leases.open_lease(desk.connection)
    if lease is None:
        if not offers:
            raise NoDroplet(
                "The droplet that was on its way is gone.", hint="`draftctl gpu logs` says why; start anew."
            )
        with transaction(desk.connection):
            leases.event(desk.connection, None, "breaker_reset", {"by": by})
        now = desk.clock()
        asked = Asked(by=by, reason=leases.BY_HAND, expires_at=now + held_s, held_until=now + held_s)
        lease = manager.begin(build, asked, offers)
    elif lease.state != "ready":
        narrate(f"A droplet is on its way already (lease {lease.id}); this goes on with it.")
    return _until_ready(settings, manager, lease, shown)


def _until_ready(settings: "Settings", manager: "Manager", lease: "Lease", shown: Shown) -> "Lease":
    desk = manager.desk
    deadline = min(lease.expires_at, lease.since + settings.values.gpu.boot_timeout)
    while lease.state not in ("ready", "closed"):
        lease = _step(manager, lease)
        shown(lease.state, lease.since)
        if lease.state not in ("ready", "closed", "releasing") and desk.clock() > deadline:
            desk.keep_log(lease)
            lease = manager.fail(lease, "it did not come up within gpu.boot_timeout, or the time that it was asked for")
        if lease.state == "releasing" and desk.clock() > (lease.release_at or 0) + 300:
            break
        if lease.state not in ("ready", "closed"):
            desk.sleep(min(POLL_S, settings.values.gpu.poll_interval))
    return lease


def _step(manager: "Manager", lease: "Lease") -> "Lease":
    try:
        lease = manager.desk.lease(lease.id)
        if lease.end_asked and lease.state not in ("creating", "releasing", "closed"):
            return manager.release(lease, "not_needed", "told_to_end")
        return manager.advance(lease)
    except CloudError as error:
        _cannot_ask(manager, lease, error)
        return lease


def _cannot_ask(manager: "Manager", lease: "Lease", error: CloudError) -> None:
    if manager.desk.event_once(lease, "cloud_unknown", {"why": error.said or error.message}):
        narrate(f"The cloud cannot be asked: {error.message} Trying again.")


def _offers(settings: "Settings", cloud: Cloud, build: "Build") -> list[Offer]:
    offers, reasons = prices(cloud, build.manifest)
    if not offers and settings.values.gpu.provision_on == "droplet":
        raise NoDroplet(
            f"None of this build's droplets can be had: {'; '.join(reasons)}.",
            hint="Other sizes and regions under droplet.candidates in the manifest, or later.",
        )
    for reason in reasons:
        narrate(f"  {reason}")
    return offers


def _ask(
    settings: "Settings", connection: sqlite3.Connection, offers: list[Offer], *, held_s: float, yes: bool
) -> None:
    """Say what it will cost, when it ends, and what is left; then ask. Raises UsageError where the budget or nobody allows it."""
    now = time.time()
    limits = measured_limits(connection, settings)
    left = budget_left(connection, settings.values.gpu, now)
    price = dearest(offers)
    if price is None:
        raise UsageError(
            "What it would cost is not known, so nothing is started.", hint="`draftctl gpu plan` says why."
        )
    most = cost_usd(held_s, price, limits)
    first, *others = [f"{o.size} in {o.region} at ${o.price_per_hour:.2f}" for o in offers]
    narrate(f"{first} an hour" + (f" (or {', '.join(others)})." if others else "."))
    until = time.strftime("%H:%M", time.localtime(now + held_s))
    narrate(
        f"It takes about {limits.provision_s / 60:.0f} min to be ready, ends at {until} at the latest, and costs at most ${most:.2f}."
    )
    narrate(f"${max(0.0, left):.2f} may still be spent today and this month.")
    if most > left:
        raise UsageError(
            "That is more than the budget allows.",
            hint="A shorter --for, or another gpu.daily_budget_usd or gpu.monthly_budget_usd in draftctl.yaml. Nothing was rented.",
        )
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("Nobody is there to say yes.", hint="--yes says it. Nothing was rented.")
    if not typer.confirm("Start it?", err=True):
        raise typer.Exit(1)


def take_down(manager: "Manager", deadline: float) -> bool:
    """Take the open lease to its end; say whether it is gone."""
    desk = manager.desk
    lease = leases.open_lease(desk.connection)
    while lease is not None and lease.state != "closed":
        try:
            if lease.state in ("releasing", "creating"):
                lease = manager.advance(lease)
            else:
                lease = manager.release(lease, "served" if lease.ready_at else "not_needed", "told_to_end")
        except CloudError as error:
            _cannot_ask(manager, lease, error)
        if lease.state == "closed":
            return True
        if time.monotonic() > deadline:
            return False
        desk.sleep(min(POLL_S, desk.settings.poll_interval))
    return True


def sweep_up(settings: "Settings", cloud: Cloud, *, everything: bool, dry_run: bool) -> Swept:
    """Sweep, with what the database knows where there is one; it is neither made nor needed."""
    return sweep(
        cloud,
        settings.values.gpu.owner,
        max_lifetime_s=settings.values.gpu.max_lifetime,
        everything=everything,
        dry_run=dry_run,
        open_leases=_known_leases(settings),
    )


def _known_leases(settings: "Settings") -> dict[str, bool] | None:
    path = settings.database
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            return {
                row[0]: row[1] != "closed" for row in connection.execute("SELECT id, state FROM gpu_leases")
            } or None
        finally:
            connection.close()
    except sqlite3.Error as error:
        narrate(f"draftctl: the database cannot be read ({error}), so the cloud's list alone counts")
        return None


def look_over(settings: "Settings", connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return everything that a start needs, each with what to do where it is not well; nothing is rented."""
    from draftctl.cli.rental import load_build, open_cloud
    from draftctl.engine_id import TEMPLATE
    from draftctl.gpu.cloud import check_owner
    from draftctl.gpu.scopes import scopes

    def check(name: str, ok: bool, detail: str, fix: str = "") -> dict[str, Any]:
        return {"name": name, "ok": ok, "detail": detail, "fix": "" if ok else fix}

    checks = []
    try:
        check_owner(settings.values.gpu.owner)
        cloud = open_cloud(settings)
        checks.append(check("token", ok=True, detail="there is one"))
    except DraftctlError as error:
        return [check("token", ok=False, detail=error.message, fix=error.hint)]
    for scope in scopes(cloud):
        detail = scope.why if scope.there else scope.detail
        fix = f"Make a token that has the scope {scope.name} ({scope.why})." if scope.there is False else "Try again."
        checks.append(check(scope.name, ok=scope.there is True, detail=detail, fix=fix))
    engine_id = jobs.setting(connection, "draft_engine") or TEMPLATE
    if engine_id == TEMPLATE:
        return [*checks, check("build", ok=True, detail="the active engine is template, which needs no GPU")]
    try:
        build = load_build(settings, engine_id)
        offers, reasons = prices(cloud, build.manifest)
    except DraftctlError as error:
        return [*checks, check("build", ok=False, detail=error.message, fix=error.hint or "Try again.")]
    had = ", ".join(f"{o.size} in {o.region} at ${o.price_per_hour:.2f}" for o in offers)
    fix = "Other sizes and regions under droplet.candidates in the manifest, or later."
    return [*checks, check(engine_id, ok=bool(offers), detail=had or "; ".join(reasons), fix=fix)]


def plan_of(settings: "Settings", connection: sqlite3.Connection, cloud: Cloud, build: "Build") -> dict[str, Any]:
    """Return what a start would cost and what the next run would do."""
    now = time.time()
    limits = measured_limits(connection, settings)
    offers, reasons = prices(cloud, build.manifest)
    left = budget_left(connection, settings.values.gpu, now)
    lease = leases.open_lease(connection)
    price = dearest(offers)
    session = cost_usd(limits.provision_s + limits.service_s, price, limits) if price else None
    seen = observe(
        connection, settings.values.gpu, limits, lease, now=now, engine_id=build.engine_id, price=lambda: price
    )
    decision = decide(seen, limits)
    return {
        "engine": build.engine_id,
        "offers": [{"size": o.size, "region": o.region, "price_per_hour": o.price_per_hour} for o in offers],
        "not_available": reasons,
        "boot_p95_s": limits.provision_s,
        "measured_boots": len(leases.boots(connection)),
        "session_cost_usd": round(session, 4) if session is not None else None,
        "left_usd": round(left, 4),
        "backlog": seen.backlog,
        "up": lease.id if lease else None,
        "action": decision.action,
        "reason": decision.reason,
        "wake_at": leases.iso(decision.wake_at),
    }


def plan_text(value: Mapping[str, Any]) -> str:
    """Return a plan for a person."""
    lines = [f"{o['size']} in {o['region']}: ${o['price_per_hour']:.2f} an hour" for o in value["offers"]]
    lines += [f"not now: {reason}" for reason in value["not_available"]]
    measured = (
        f"of {value['measured_boots']} boots" if value["measured_boots"] else "reckoned; no boot was measured yet"
    )
    lines.append(f"boot: {value['boot_p95_s'] / 60:.1f} min (p95 {measured})")
    if value["session_cost_usd"] is not None:
        lines.append(
            f"a session costs ${value['session_cost_usd']:.2f} or more; ${max(0.0, value['left_usd']):.2f} may still be spent"
        )
    when = f", looks again at {value['wake_at'][:19]}" if value["wake_at"] else ""
    lines.append(f"{value['backlog']} wait; the next run would: {value['action']} ({value['reason']}){when}")
    return "\n".join(lines)
