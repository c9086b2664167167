"""`gpu simulate|advise|audit`: what the policy would cost, and what it has cost."""

import csv
import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.context import JsonFlag, database, emit, settings_of
from draftctl.cli.gpu import seconds_of
from draftctl.cli.rented import gpu_app
from draftctl.errors import UsageError

if TYPE_CHECKING:
    import sqlite3

    from draftctl.gpu.advice import Choice

PRICE = 1.57  # US dollars an hour: an L40S at DigitalOcean in May 2026; used only where nothing was ever rented
Duration = Annotated[str, typer.Option(metavar="DURATION")]


def register(_app: typer.Typer) -> None:
    """Add these commands to the `gpu` group."""
    for command in (simulate, advise, audit):
        gpu_app.command()(command)


def simulate(
    trace: Annotated[str, typer.Option(metavar="CSV|-", help="Arrivals: a CSV with a column arrival_second.")],
    max_wait: Duration = "30m",
    idle_grace: Duration = "30s",
    extend: Duration = "120s",
    tick: Annotated[str, typer.Option(metavar="DURATION", help="How often cron calls.")] = "60s",
    provision: Annotated[str, typer.Option(metavar="DURATION", help="How long a boot takes.")] = "300s",
    provision_p95: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Boots vary: the 95th percentile; --provision is the median.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which random boots.")] = 1,
    service: Annotated[str, typer.Option(metavar="DURATION", help="How long one draft takes.")] = "15s",
    slots: Annotated[int, typer.Option(min=1, help="How many are drafted at a time.")] = 16,
    price: Annotated[float, typer.Option(min=0, metavar="USD", help="US dollars an hour.")] = PRICE,
    deep_queue: Annotated[int, typer.Option(min=0, help="A queue so deep keeps a session open; 0: none does.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Replay arrivals through the policy, beside a clairvoyant.

    Example: draftctl gpu simulate --trace arrivals.csv --max-wait 30m
    """
    from draftctl.gpu.advice import random_boots, simulated
    from draftctl.gpu.policy import Limits
    from draftctl.settings import span

    boot_s, tick_s = seconds_of(provision), max(seconds_of(tick), 1)
    p95_s = seconds_of(provision_p95) if provision_p95 else None
    if p95_s is not None and not 0 < boot_s <= p95_s:
        raise UsageError("--provision-p95 is below --provision, which is the median.")
    limits = Limits(
        max_wait_s=seconds_of(max_wait),
        idle_grace_s=seconds_of(idle_grace),
        extend_s=seconds_of(extend),
        deep_queue=deep_queue,
        provision_s=p95_s or boot_s,
        service_s=max(seconds_of(service), 1),
        slots=slots,
    )
    boots = random_boots(boot_s, p95_s, seed) if p95_s else None
    value = simulated(read_trace(trace), limits, tick_s=tick_s, price_per_hour=price, boots=boots)
    text = (
        f"{value['messages']} messages in {value['sessions']} sessions ({value['starts_per_day']:.1f} a day): ${value['cost_usd']:.2f}, "
        f"{value['ratio']:.3f} times the clairvoyant's ${value['clairvoyant_cost_usd']:.2f}\n"
        f"waits: median {span(value['wait_p50_s'])}, p95 {span(value['wait_p95_s'])}, longest {span(value['wait_max_s'])}; {value['late']} late"
    )
    emit(value, as_json=as_json, text=text)


def read_trace(source: str) -> list[float]:
    """Read arrivals (seconds), ascending. Raises UsageError with the line for what is no number."""
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        names = rows.fieldnames or ()
        if "arrival_second" not in names:
            raise UsageError(f"{source} has no column arrival_second; it has {', '.join(names) or 'none'}.")
        return sorted(_number(row["arrival_second"], source, rows.line_num) for row in rows)
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{source} is no CSV: {error}.") from error


def _number(text: str | None, source: str, line: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e13:  # noqa: PLR2004  (a time; neither inf nor nan)
        raise UsageError(f"{source}:{line}: arrival_second is {text!r}, which is no number.")
    return value


def advise(
    ctx: typer.Context,
    trace: Annotated[str | None, typer.Option(metavar="CSV", help="Other arrivals than this inbox's own.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with the curve.")] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the curve as SVG.")] = None,
    price: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="US dollars an hour. [default: the last paid]")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what each max_wait would cost and how long people would wait, for this inbox.

    Example: draftctl gpu advise --html advice.html
    """
    from draftctl.gpu.advice import CHOICES_S, choices
    from draftctl.gpu.budget import measured_limits
    from draftctl.gpu.curve import page
    from draftctl.gpu.curve import svg as draw
    from draftctl.settings import span
    from draftctl.store import jobs

    settings = settings_of(ctx)
    with database(ctx) as connection:
        limits = measured_limits(connection, settings)
        paid = price if price is not None else _last_price(connection)
        arrivals = read_trace(trace) if trace else jobs.all_arrivals(connection)
    if len(arrivals) < 2:  # noqa: PLR2004
        raise UsageError("There is no history yet to reckon with.", hint="--trace CSV takes another inbox's arrivals.")
    current = settings.values.gpu.max_wait
    waits = sorted({*CHOICES_S, current})
    found = choices(arrivals, limits, tick_s=60, price_per_hour=paid, waits_s=waits)
    intro = (
        f"{len(arrivals)} messages in {(arrivals[-1] - arrivals[0]) / 86400:.1f} days, replayed at ${paid:.2f} an hour and "
        f"{limits.provision_s / 60:.1f} min a boot; max_wait is {span(current)} now."
    )
    for path, text in ((html, page), (svg, None)):
        if path is not None:
            path.write_text(text(found, current, intro) if text else draw(found, current))
    value = {
        "messages": len(arrivals),
        "price_per_hour": paid,
        "boot_s": limits.provision_s,
        "choices": [_row(c) for c in found],
    }
    written = [f"written: {path}" for path in (html, svg) if path]
    emit(value, as_json=as_json, text="\n".join([intro, *_table(found, current), *written]))


def _row(choice: "Choice") -> dict[str, Any]:
    from dataclasses import asdict

    return {name: None if value is None else round(value, 4) for name, value in asdict(choice).items()}


def _table(found: Sequence["Choice"], current: float) -> list[str]:
    from draftctl.gpu.curve import cells

    heads = ["max_wait", "$ in 30 days", "median", "p95", "late", "starts/day", "x clairvoyant"]
    lines = ["  ".join(f"{head:>13}" for head in heads)]
    return lines + [
        "  ".join(f"{cell:>13}" for cell in cells(choice)) + ("  <- now" if choice.max_wait_s == current else "")
        for choice in found
    ]


def audit(
    ctx: typer.Context,
    days: Annotated[int, typer.Option(min=1, help="How far back.")] = 30,
    as_json: JsonFlag = False,
) -> None:
    """Say what was paid, what a clairvoyant would have paid, and the ratio.

    Example: draftctl gpu audit --days 30
    """
    from dataclasses import replace

    from draftctl.gpu.advice import audited
    from draftctl.gpu.budget import measured_limits
    from draftctl.settings import span
    from draftctl.store import leases

    settings, now = settings_of(ctx), time.time()
    since = now - days * 86400
    with database(ctx) as connection:
        served = leases.served_candidates(connection, since=since)
        known = [lease for lease in leases.all_leases(connection, since=since) if lease.created_at]
        limits, price = measured_limits(connection, settings), _last_price(connection)
        boots = leases.boots(connection)
    paid = sum(lease.cost_until(now) for lease in known)
    if boots:
        limits = replace(limits, provision_s=sum(boots) / len(boots))
    arrivals = sorted(arrived for arrived, _ in served)
    value = audited(arrivals, paid, limits, price, [done - arrived for arrived, done in served])
    value |= {"leases": len(known), "failed": sum(1 for lease in known if lease.outcome == "failed")}
    ratio = f"{value['ratio']:.2f} times" if value["ratio"] is not None else "nothing to compare with"
    text = (
        f"paid ${value['paid_usd']:.2f} on {value['leases']} leases ({value['failed']} failed) for {value['messages']} messages\n"
        f"a clairvoyant: ${value['clairvoyant_usd']:.2f} ({ratio})\n"
        f"waits: median {span(value['wait_p50_s'])}, p95 {span(value['wait_p95_s'])}; {value['late']} waited longer than max_wait"
    )
    emit(value, as_json=as_json, text=text)


def _last_price(connection: "sqlite3.Connection") -> float:
    row = connection.execute(
        "SELECT price_per_hour FROM gpu_leases WHERE price_per_hour > 0 ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return float(row["price_per_hour"]) if row else PRICE
