"""`gpu status|logs|costs`: what is up, what happened, and what it has cost."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.context import JsonFlag, database, emit, narrate, settings_of
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from draftctl.settings import Settings
    from draftctl.store.leases import Lease

gpu_app = typer.Typer(help="The GPU: rent one, look at it, give it back, and what it costs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (status, logs, costs):
        gpu_app.command()(command)
    app.add_typer(gpu_app, name="gpu")


def status(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Say what is up, since when, why, and what it has cost.

    Example: draftctl gpu status
    """
    settings = settings_of(ctx)
    value = gpu_status(ctx, settings)
    emit(value, as_json=as_json, text=_status_text(value))


def gpu_status(ctx: typer.Context, settings: "Settings") -> dict[str, Any]:
    """Return the state of the GPU: the fields that scripts read, and what a person asks."""
    from draftctl.gpu.budget import spent_today_and_month
    from draftctl.gpu.outlook import public_state
    from draftctl.store import jobs, leases

    now = time.time()
    with database(ctx) as connection:
        lease = leases.open_lease(connection)
        waits = jobs.backlog(connection)
        today, month = spent_today_and_month(connection, now)
        failed, _ = leases.failed_starts(connection)
        troubles = leases.last_troubles(connection)
        known = jobs.setting(connection, "gpu_state") is None
    gpu = settings.values.gpu
    value = {
        "state": public_state(lease, known=known),
        "lease": lease.id if lease else None,
        "backlog": waits.count,
        "oldest_wait_s": round(max(0.0, now - waits.arrivals[0])) if waits.arrivals else 0,
        "spent_today_usd": round(today, 4),
        "spent_month_usd": round(month, 4),
        "left_today_usd": round(min(gpu.daily_budget_usd - today, gpu.monthly_budget_usd - month), 4),
        "failed_starts": failed,
        "last_trouble": troubles,
    }
    if lease is not None:
        value |= {
            "engine": lease.engine_id,
            "droplet_id": lease.droplet_id,
            "size": lease.size,
            "region": lease.region,
            "price_per_hour": lease.price_per_hour,
            "why": lease.reason,
            "asked_by": lease.asked_by,
            "since": leases.iso(lease.since),
            "ready_at": leases.iso(lease.ready_at),
            "held_until": leases.iso(lease.held_until),
            "expires_at": leases.iso(lease.expires_at),
            "cost_usd": round(lease.cost_until(now), 4),
            "release_reason": lease.release_reason,
        }
    return value


def _status_text(value: dict[str, Any]) -> str:
    from draftctl.settings import span
    from draftctl.store.leases import ALARM_COUNT

    if value["lease"] is None:
        lines = ["No GPU is up."]
    else:
        price = value["price_per_hour"]
        lines = [
            f"{value['state']}: {value['engine']}",
            f"  droplet {value['droplet_id'] or 'not made yet'}, {value['size'] or '?'} in {value['region'] or '?'}"
            + (f" at ${price:.2f} an hour" if price else ""),
            f"  since {clock_of(value['since'])} because {value['why']} ({value['asked_by']}), ${value['cost_usd']:.2f} until now",
            f"  gone by {clock_of(value['expires_at'])} at the latest",
        ]
        if value["held_until"]:
            lines.append(f"  held until {clock_of(value['held_until'])}")
        if value["release_reason"]:
            lines.append(f"  it goes: {value['release_reason']}")
    lines.append(
        f"{value['backlog']} candidates wait"
        + (f", the oldest for {span(value['oldest_wait_s'])}" if value["backlog"] else "")
    )
    lines.append(
        f"${value['spent_today_usd']:.2f} today, ${value['spent_month_usd']:.2f} this month; ${max(0.0, value['left_today_usd']):.2f} may still be spent"
    )
    if value["failed_starts"] >= ALARM_COUNT:
        lines.append("a start has ended in an alarm; `draftctl gpu up` starts again")
    elif value["failed_starts"]:
        lines.append(f"{value['failed_starts']} starts in a row have failed")
    lines += [f"  {trouble}" for trouble in value["last_trouble"]]
    return "\n".join(lines)


def logs(
    ctx: typer.Context,
    lease: Annotated[str | None, typer.Option(help="A lease. [default: the last one]")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what happened to a lease, the logs that were fetched, and those of a droplet that is up.

    Example: draftctl gpu logs
    """
    from draftctl.store import leases

    with database(ctx) as connection:
        known = leases.all_leases(connection)
        wanted = lease or (known[-1].id if known else None)
        events = leases.events(connection, wanted) if wanted else []
        last = leases.find(connection, wanted) if wanted else None
    if lease and not events:
        raise UsageError(f"There is no lease {lease}.")
    lines = []
    for event in events:
        detail = event["detail"]
        if event["kind"] == "log":
            lines.append(f"{event['at'][:19]}  log:\n{detail['text']}")
        else:
            words = ", ".join(f"{name} {value}" for name, value in detail.items() if value is not None)
            lines.append(f"{event['at'][:19]}  {event['kind']}{': ' + words if words else ''}")
    live = _live_log(ctx, last) if last and last.state not in ("closed", "releasing") else None
    lines += [f"now on the droplet:\n{live}"] if live else []
    value = {"lease": wanted, "events": events, "log": live}
    emit(value, as_json=as_json, text="\n".join(lines) or "Nothing was ever rented.")


def _live_log(ctx: typer.Context, lease: "Lease") -> str | None:
    """Fetch the logs of a droplet that is up; None, and why on stderr, where it cannot be reached."""
    from contextlib import closing

    from draftctl.gpu import node
    from draftctl.gpu.desk import lease_address
    from draftctl.gpu.keys import LeaseFiles
    from draftctl.gpu.ssh import HostKeyMismatch, SshError, connect

    settings = settings_of(ctx)
    try:
        with closing(connect(lease_address(settings.database, settings.values.gpu, lease))) as ssh:
            text = node.log(ssh, settings.values.gpu.state_dir)
            return text.replace(LeaseFiles(settings.database, lease.id).api_key, "[key]")
    except (SshError, HostKeyMismatch, OSError) as error:
        narrate(f"The droplet's own logs cannot be fetched now: {error}")
        return None


def costs(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List what each lease, each build and each draft has cost.

    Example: draftctl gpu costs
    """
    from draftctl.store import leases

    with database(ctx) as connection:
        rows = leases.costs(connection, time.time())
    builds: dict[str, dict[str, Any]] = {}
    for row in rows:
        build = builds.setdefault(row["engine"], {"engine": row["engine"], "cost_usd": 0.0, "drafts": 0, "leases": 0})
        build["cost_usd"] = round(build["cost_usd"] + row["cost_usd"], 4)
        build["drafts"] += row["drafts"]
        build["leases"] += 1
    for build in builds.values():
        build["usd_per_draft"] = round(build["cost_usd"] / build["drafts"], 6) if build["drafts"] else None
    lines = [
        f"{row['lease']}  {(row['created_at'] or 'never made')[:16]}  {row['size'] or '-':<20} ${row['cost_usd']:>7.2f}  {row['drafts']:>5} drafts"
        + (f" at ${row['usd_per_draft']:.4f}" if row["usd_per_draft"] else "")
        + f"  {row['outcome'] or row['state']}"
        for row in rows
    ]
    lines += [
        f"{build['engine']}: ${build['cost_usd']:.2f} for {build['drafts']} drafts on {build['leases']} leases"
        for build in builds.values()
    ]
    emit(
        {"leases": rows, "builds": list(builds.values())},
        as_json=as_json,
        text="\n".join(lines) or "Nothing was rented.",
    )


def clock(at: float | None) -> str:
    """Return a moment (unix seconds) as a clock shows it here."""
    return "?" if at is None else datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M")


def clock_of(text: str | None) -> str:
    """Return a moment (ISO 8601) as day and time here."""
    return "?" if not text else datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
