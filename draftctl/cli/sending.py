"""`dispatch`, `reconcile`: what may leave leaves, each text at most once; and what became of those that are unclear."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from draftctl.cli.adapters import make_outlet
from draftctl.cli.context import (
    JsonFlag,
    Who,
    author,
    committed_canon,
    database,
    emit,
    narrate,
    on_terminal,
    settings_of,
)
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from draftctl.dispatch import DispatchCount, Dispatcher

To = Annotated[
    str | None,
    typer.Option(
        metavar="URL|file:PATH", help="Where texts go. [default: MACSYNC_URL, or dispatch.to in draftctl.yaml]"
    ),
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(dispatch)
    app.command()(reconcile)


def dispatch(ctx: typer.Context, to: To = None, as_json: JsonFlag = False) -> None:
    """Send approved drafts, and finished ones of mode auto, each at most once.

    Example: draftctl dispatch --to file:outgoing.jsonl
    """
    from draftctl.dispatch import trouble

    count = send(ctx, to)
    _print(count, as_json=as_json)
    problem = trouble(count)
    if problem is not None:
        raise problem


def send(ctx: typer.Context, to: str | None) -> "DispatchCount":
    """Send what is due, and say what keeps texts from leaving."""
    with _dispatching(ctx, to) as dispatcher:
        count = dispatcher.run()
    if dispatcher.rules.no_consent and count.held:
        narrate(f"draftctl: nothing was sent (no_consent): {dispatcher.rules.no_consent}.")
    if count.paused:
        narrate(f"draftctl: everything is paused: {count.paused}. `draftctl resume --by NAME` goes on.")
    if count.waits and on_terminal():
        narrate(f"draftctl: {count.skipped} texts wait: {count.waits}.")
    return count


@contextmanager
def _dispatching(ctx: typer.Context, to: str | None) -> Iterator["Dispatcher"]:
    from datetime import UTC, datetime

    from draftctl.dispatch import Dispatcher, Rules, consent_problem
    from draftctl.screening import body_hits
    from draftctl.store.db import run_lock

    settings, canon = settings_of(ctx), committed_canon(ctx)
    wanted = settings.values.dispatch
    hours = wanted.quiet_hours
    rules = Rules(
        no_consent=consent_problem(settings.values.persona, datetime.now(UTC).date()),
        is_quiet=lambda: hours is not None and hours.at(_local(datetime.now(UTC), wanted.timezone)),
        max_per_person_day=wanted.max_per_person_day,
    )
    with database(ctx) as connection, run_lock(settings.database, "draftctl dispatch", suffix="dispatch.lock"):
        outlet = make_outlet(settings, to)
        try:
            yield Dispatcher(
                connection, outlet, lambda body, around: body_hits(body, canon, around=around), rules, narrate
            )
        finally:
            outlet.close()


def _local(now: "datetime", zone: str | None) -> "datetime":
    from zoneinfo import ZoneInfo

    return now.astimezone(ZoneInfo(zone) if zone else None)


def _print(count: "DispatchCount", *, as_json: bool) -> None:
    value = {"sent": count.sent, "held": count.held, "unknown": count.unknown, "skipped": count.skipped}
    emit(
        value,
        as_json=as_json,
        text=f"{count.sent} sent, {count.held} held, {count.unknown} unclear, {count.skipped} left for later",
    )


def reconcile(
    ctx: typer.Context,
    candidate: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One candidate, settled by your word.")
    ] = None,
    arrived: Annotated[bool, typer.Option("--arrived", help="The text is there: you have seen it.")] = False,
    lost: Annotated[
        bool, typer.Option("--lost", help="It is not there: it goes out again, under its own key.")
    ] = False,
    to: To = None,
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Settle texts of which it is unclear whether they left: by the receiver's word, or by yours.

    Example: draftctl reconcile m-012 --arrived --by Ana
    """
    from draftctl.dispatch import settle_by_hand
    from draftctl.store.db import run_lock

    if candidate is None:
        if arrived or lost:
            raise UsageError(
                "Say which: `draftctl reconcile ID --arrived`.", hint="`draftctl holds --reason dispatch_unknown`"
            )
        with _dispatching(ctx, to) as dispatcher:
            _print(dispatcher.reconcile(), as_json=as_json)
        return
    if arrived == lost:
        raise UsageError("Say what you saw: --arrived or --lost.")
    settings = settings_of(ctx)
    with database(ctx) as connection, run_lock(settings.database, "draftctl reconcile", suffix="dispatch.lock"):
        done = settle_by_hand(connection, candidate, arrived=arrived, by=author(by))
    said = "has arrived" if arrived else "goes out again with the next dispatch"
    emit({"candidate_id": done, "settled": "arrived" if arrived else "lost"}, as_json=as_json, text=f"{done} {said}.")
