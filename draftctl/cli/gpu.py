"""`gpu up|down|plan|hold|doctor|reap`: renting by hand, and giving back."""

import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from draftctl.cli.context import JsonFlag, author, database, emit, narrate, on_terminal, settings_of
from draftctl.cli.rental import load_build, managing, open_cloud
from draftctl.cli.rented import clock, gpu_app, gpu_status
from draftctl.errors import LockHeld, StoreError, UsageError

if TYPE_CHECKING:
    from draftctl.settings import Settings
    from draftctl.store.leases import Lease

Engine = Annotated[str | None, typer.Option(help="The build. [default: the active engine]")]
For = Annotated[str, typer.Option("--for", metavar="DURATION", help="How long, as in 90s, 30m, 2h.")]
DOWN_S = 300.0
SHORTEST_S = 60


def register(_app: typer.Typer) -> None:
    """Add these commands to the `gpu` group."""
    for command in (up, down, plan, hold, doctor, reap):
        gpu_app.command()(command)


def seconds_of(text: str) -> int:
    """Read a duration that was typed."""
    from draftctl.settings import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}.") from error


def up(
    ctx: typer.Context,
    engine: Engine = None,
    keep: For = "1h",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    allow_dirty: Annotated[bool, typer.Option("--allow-dirty", help="Read the manifest as it lies there.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Rent a GPU for a build and wait until it is ready.

    Example: draftctl gpu up --for 1h
    """
    from draftctl.cli.progress import Waiting
    from draftctl.cli.renting import ask_first, bring_up
    from draftctl.settings import span

    settings = settings_of(ctx)
    held_s = seconds_of(keep)
    if held_s > settings.values.gpu.max_lifetime:
        raise UsageError(
            f"--for {keep} is longer than gpu.max_lifetime ({span(settings.values.gpu.max_lifetime)}), after which every droplet goes.",
            hint="Ask for less, or raise it in draftctl.yaml.",
        )
    if held_s < SHORTEST_S:
        raise UsageError(f"--for {keep} is shorter than any boot.", hint="A minute at least; a boot takes several.")
    build = load_build(settings, engine or _active(ctx), allow_dirty=allow_dirty)
    with database(ctx) as connection:  # asked without the lock: cron goes on while a person thinks
        offers = ask_first(settings, connection, open_cloud(settings), build, held_s=held_s, yes=yes)
    with managing(settings, "draftctl gpu up", narrate) as manager, Waiting(visible=on_terminal()) as waiting:
        manager.desk.say = waiting.say
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            lease = bring_up(settings, manager, build, offers, held_s=held_s, by=author(None), shown=waiting.show)
        except KeyboardInterrupt:
            waiting.say(
                "Stopped waiting. What was asked for goes on and costs money: `draftctl gpu status` shows it, `draftctl gpu down` ends it."
            )
            raise typer.Exit(130) from None
    ready = lease.state == "ready"
    value = gpu_status(ctx, settings)
    emit(value, as_json=as_json, text=_ready_text(lease) if ready else f"No GPU is up: {lease.detail or lease.state}.")
    raise typer.Exit(0 if ready else 1)


def _ready_text(lease: "Lease") -> str:
    from draftctl.settings import span

    until = clock(lease.held_until) if lease.held_until else "the work is done"
    took = (lease.ready_at or lease.since) - lease.since
    return (
        f"{lease.engine_id} is ready after {span(took)} on droplet {lease.droplet_id}. It is kept until {until}; then the next run, or "
        "`draftctl gpu reap`, ends it. `draftctl draft --batch` uses it; `draftctl gpu down` ends it now."
    )


def _active(ctx: typer.Context) -> str:
    from draftctl.engine_id import TEMPLATE
    from draftctl.store import jobs

    with database(ctx) as connection:
        engine_id = jobs.setting(connection, "draft_engine") or TEMPLATE
    if engine_id == TEMPLATE:
        raise UsageError("The active engine is template, which needs no GPU.", hint="Name a build: --engine do-gpu-...")
    return engine_id


def down(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """End the droplet, and see it gone.

    Example: draftctl gpu down
    """
    from draftctl.store import leases
    from draftctl.store.db import transaction

    settings = settings_of(ctx)
    try:
        with database(ctx) as connection:
            lease = leases.open_lease(connection)
            if lease is not None:
                with transaction(connection):
                    leases.change(connection, lease.id, end_asked=author(None))
                    leases.event(connection, lease.id, "end_asked", {"by": author(None)})
    except StoreError as error:
        raise StoreError(
            error.message,
            hint="Nothing was ended. `draftctl gpu reap --all` needs no database, and ends every droplet of this owner.",
        ) from error
    if lease is None:
        emit(gpu_status(ctx, settings), as_json=as_json, text="No droplet is up that this workspace knows of.")
        return
    gone = _see_down(settings)
    value = gpu_status(ctx, settings)
    if gone:
        emit(value, as_json=as_json, text="The droplet is gone.")
        return
    from draftctl.residence import still_there

    narrate(still_there(lease))
    emit(value, as_json=as_json, text="It is not gone yet.")
    raise typer.Exit(1)


def _see_down(settings: "Settings") -> bool:
    """Take the lease to its end, or watch the run that is at work do it."""
    from draftctl.cli.renting import take_down
    from draftctl.store import leases
    from draftctl.store.db import open_database

    deadline = time.monotonic() + DOWN_S
    told = False
    while time.monotonic() < deadline:
        try:
            with managing(settings, "draftctl gpu down", narrate) as manager:
                return take_down(manager, deadline)
        except LockHeld as error:
            if not told:
                narrate(f"{error.message} It was told to end the droplet.")
                told = True
            time.sleep(1)
        connection = open_database(settings.database)
        try:
            if leases.open_lease(connection) is None:
                return True
        finally:
            connection.close()
    return False


def plan(
    ctx: typer.Context,
    engine: Engine = None,
    allow_dirty: Annotated[bool, typer.Option("--allow-dirty", help="Read the manifest as it lies there.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say what a start would cost and what the next run would do; nothing is rented.

    Example: draftctl gpu plan
    """
    from draftctl.cli.renting import plan_of, plan_text

    settings = settings_of(ctx)
    build = load_build(settings, engine or _active(ctx), allow_dirty=allow_dirty)
    with database(ctx) as connection:
        value = plan_of(settings, connection, open_cloud(settings), build)
    emit(value, as_json=as_json, text=plan_text(value))


def hold(ctx: typer.Context, keep: For = "1h", as_json: JsonFlag = False) -> None:
    """Keep the droplet that is up for a while, work or not.

    Example: draftctl gpu hold --for 2h
    """
    from draftctl.gpu.budget import budget_left
    from draftctl.store import leases
    from draftctl.store.db import transaction

    settings = settings_of(ctx)
    with database(ctx) as connection:
        lease = leases.open_lease(connection)
        if lease is None or lease.state == "releasing" or lease.end_asked:
            raise UsageError("No GPU is up that could be held.", hint="`draftctl gpu up --for 1h` starts one.")
        now = time.time()
        last = lease.since + settings.values.gpu.max_lifetime
        until = min(now + seconds_of(keep), last)
        if until <= now:
            raise UsageError(
                "Its time is up: gpu.max_lifetime ends it now.", hint="`draftctl gpu up` starts another one."
            )
        if (until - now) / 3600 * (lease.price_per_hour or 0) > budget_left(connection, settings.values.gpu, now):
            raise UsageError(
                "That is more than the budget allows.", hint="A shorter --for, or another budget in draftctl.yaml."
            )
        if until > lease.expires_at:
            _extend(settings, lease, until)
        with transaction(connection):
            leases.change(connection, lease.id, held_until=until, expires_at=max(until, lease.expires_at))
            leases.event(connection, lease.id, "held", {"until": leases.iso(until), "by": author(None)})
    cut = " (gpu.max_lifetime ends it then)" if until == last else ""
    price = f", ${lease.price_per_hour:.2f} an hour" if lease.price_per_hour else ""
    emit(gpu_status(ctx, settings), as_json=as_json, text=f"Held until {clock(until)}{cut}{price}.")


def _extend(settings: "Settings", lease: "Lease", until: float) -> None:
    """Give the droplet its later expiry on the droplet itself; of several the latest counts."""
    from draftctl.gpu.cloud import TAG

    if lease.droplet_id is None:
        raise UsageError("The droplet is not there yet.", hint="Try again when `draftctl gpu status` shows it.")
    open_cloud(settings).add_tags(lease.droplet_id, [f"{TAG}-exp-{int(until)}"])


def reap(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="All of this owner's droplets, expired or not.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Destroy this owner's droplets whose time is up, as the cloud lists them.

    Example: draftctl gpu reap --dry-run
    """
    from draftctl.cli.renting import sweep_up
    from draftctl.heartbeat import beating

    settings = settings_of(ctx)
    with beating(settings.values.heartbeat.reap):
        swept = sweep_up(settings, open_cloud(settings), everything=everything, dry_run=dry_run)
        value = {
            "found": swept.found,
            "deleted": swept.deleted,
            "kept": [{"id": kept.id, "why": kept.why} for kept in swept.kept],
            "errors": swept.errors,
        }
        lines = [f"{swept.found} found, {len(swept.deleted)} destroyed, {len(swept.kept)} kept"]
        lines += [f"  destroyed {number}" for number in swept.deleted]
        lines += [f"  kept {kept.id}: {kept.why}" for kept in swept.kept]
        quiet = not (swept.found or as_json or on_terminal())  # from cron, nothing to say is said by silence
        if not quiet:
            emit(value, as_json=as_json, text="\n".join(lines))
        for error in swept.errors:
            narrate(f"draftctl: {error}")
        if swept.errors:
            raise typer.Exit(1)


def doctor(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Check the token's scopes, the build, and what can be had; nothing is rented.

    Example: draftctl gpu doctor
    """
    from draftctl.cli.renting import look_over

    settings = settings_of(ctx)
    with database(ctx) as connection:
        checks = look_over(settings, connection)
    ok = all(check["ok"] for check in checks)
    lines = [
        f"{'ok  ' if check['ok'] else 'FIX '} {check['name']}: {check['detail']}"
        + ("" if check["ok"] else f"\n     {check['fix']}")
        for check in checks
    ]
    emit({"ok": ok, "checks": checks}, as_json=as_json, text="\n".join(lines))
    raise typer.Exit(0 if ok else 1)
