"""`run`, `watch`: everything that is due, in one line for cron; and who hears when that line fails or stays away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.adapters import make_outlet
from draftctl.cli.context import JsonFlag, emit, narrate, on_terminal, settings_of
from draftctl.cli.drafting import draft_all, run_options, summary_of, take
from draftctl.cli.sending import To, send
from draftctl.errors import DraftctlError, LockHeld, UsageError

if TYPE_CHECKING:
    from draftctl.dispatch import DispatchCount
    from draftctl.notices import Notices
    from draftctl.settings import Settings


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(run)
    app.command()(watch)


def run(
    ctx: typer.Context,
    source: Annotated[
        str | None, typer.Option("-i", "--input", metavar="FILE|-", help="Take these lines in first.")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(metavar="auto|off", help="auto: rent a GPU when work is due, and give it back. [default: off]"),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="The engine for this run. [default: the setting, else template]")
    ] = None,
    to: To = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many candidates.")] = None,
    max_in_flight: Annotated[int | None, typer.Option(min=1, max=4096, help="Requests at a time.")] = None,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Read the files as they lie there, not the last commit.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Do all that is due: take in, classify, decide, draft, and send what may leave.

    Example: draftctl run -i examples/inbox.jsonl --to file:outgoing.jsonl
    """
    if gpu not in (None, "auto", "off"):
        raise UsageError(f"--gpu is {gpu!r}; it can be auto or off.")
    from draftctl.heartbeat import beating

    taken = take(ctx, source) if source else None  # first: what came on stdin is not there to be read again
    settings = settings_of(ctx)
    with _noticed(settings), beating(settings.values.heartbeat.run or settings.values.heartbeat.draft):
        somewhere = bool(to or settings.values.dispatch.to)
        if somewhere:
            make_outlet(settings, to).close()  # a place that is none is said before anything is done
        # What people approved leaves first: a run that rents a GPU may stay for hours, and the lines after it only get here.
        before, trouble = _send(ctx, to) if somewhere else (None, None)
        options = run_options(
            ctx, engine=engine, limit=limit, in_flight=max_in_flight, dirty=allow_dirty, all_stages=True
        )
        try:
            drafted = draft_all(ctx, options, taken, gpu=gpu == "auto", as_json=as_json)
        except typer.Exit:
            if trouble is not None:  # a receiver that takes nothing is worse than another run at work
                raise trouble from None
            raise
        after, trouble = _send(ctx, to) if somewhere and not trouble else (None, trouble)
        sent = _together(before, after)
        for note in drafted.notes:
            narrate(f"draftctl: {note}")
        counts = {**drafted.counts, "dispatch": sent}
        emit(counts, as_json=as_json, text=summary_of(drafted.counts) + "\n" + _sent_line(sent, somewhere=somewhere))
        if trouble is not None:
            raise trouble
        raise typer.Exit(drafted.exit_code)


def _send(ctx: typer.Context, to: str | None) -> "tuple[DispatchCount | None, DraftctlError | None]":
    """Send what may leave, if anything says where to; return what became of it, and the trouble there was."""
    from draftctl.dispatch import trouble

    try:
        count = send(ctx, to)
    except LockHeld:
        return None, None  # another one is sending
    except DraftctlError as error:
        return None, error
    return count, trouble(count)


def _together(*counts: "DispatchCount | None") -> dict[str, int] | None:
    there = [count for count in counts if count is not None]
    if not there:
        return None
    total = {name: sum(getattr(count, name) for count in there) for name in ("sent", "unknown")}
    # What waits for consent is counted each time, what is void only once.
    return {**total, "held": max(count.held for count in there), "skipped": there[-1].skipped}


def _sent_line(sent: dict[str, int] | None, *, somewhere: bool) -> str:
    if sent is None and somewhere:
        return "Another dispatch is at work, and sends what may leave."
    if sent is None:
        return "Nothing was sent: MACSYNC_URL (or dispatch.to in draftctl.yaml) says where texts go."
    return f"{sent['sent']} sent, {sent['held']} held, {sent['unknown']} unclear, {sent['skipped']} left for later"


_WHY = {1: "it was interrupted", 4: "the engine could not be reached"}


@contextmanager
def _noticed(settings: "Settings") -> Iterator[None]:
    """Note how a run ended, and tell whoever must hear of it."""
    notices = notices_of(settings)
    try:
        yield
    except typer.Exit as exit_:
        notices.run_ended(exit_.exit_code, _WHY.get(exit_.exit_code, ""))
        raise
    except DraftctlError as error:
        notices.run_ended(error.exit_code, error.message)
        raise
    except BaseException as error:
        notices.run_ended(1, type(error).__name__)
        raise
    notices.run_ended(0, "")


def notices_of(settings: "Settings") -> "Notices":
    """Return who hears of trouble in a workspace."""
    from draftctl.notices import Notices

    notify = settings.values.notify
    path = settings.database.with_name(settings.database.name + ".runs.json")
    return Notices(path=path, command=notify.command, url=notify.url, after_s=notify.after)


def watch(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Say so when no run has ended well for a while (notify.after); for a line of its own in cron.

    Example: draftctl watch
    """
    settings = settings_of(ctx)
    why = notices_of(settings).look()
    value: dict[str, Any] = {"ok": why is None, "why": why}
    text = "Runs end well." if why is None else f"No run has ended well for a while: {why}"
    if as_json or on_terminal():
        emit(value, as_json=as_json, text=text)
    raise typer.Exit(0 if why is None else 1)
