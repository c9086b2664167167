"""`ingest`, `draft`: what goes in, and what is made of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from draftctl.cli.adapters import engine_maker, served_engine
from draftctl.cli.context import (
    JsonFlag,
    emit,
    narrate,
    on_terminal,
    root_of,
    settings_of,
)
from draftctl.errors import LockHeld, UsageError

if TYPE_CHECKING:
    from draftctl.batch import AlertPost
    from draftctl.engines.base import Engine
    from draftctl.ingest import IngestCount, Stream
    from draftctl.manifest import Manifest
    from draftctl.service import Listeners, RunOptions, RunResult
    from draftctl.settings import Settings


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(ingest)
    app.command()(draft)


def ingest(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="Input lines (JSONL), or - for stdin.")],
    as_json: JsonFlag = False,
) -> None:
    """Take input lines in; bad ones are kept with their reason.

    Example: draftctl ingest examples/inbox.jsonl
    """
    count = take(ctx, source)
    emit(
        {"ingested": count.ingested, "duplicates": count.duplicates, "rejected": count.rejected},
        as_json=as_json,
        text=_intake_line(count),
    )
    raise typer.Exit(3 if count.rejected else 0)


def take(ctx: typer.Context, source: str) -> "IngestCount":
    """Take a file or stdin in, also when the settings are broken: what came on stdin is not there to be read again."""
    from draftctl.service import take_input
    from draftctl.workspace import database_anyway

    path = database_anyway(root_of(ctx))
    if source == "-":
        count = take_input(path, _stdin(), "stdin")
    else:
        with _opened(source) as stream:
            count = take_input(path, stream, source)
    if count.newly_rejected:
        narrate(f"draftctl: {count.first_new}")
        narrate(f"  {count.newly_rejected} new lines were rejected; they are kept: `draftctl rejects`")
    settings_of(ctx)
    return count


@contextmanager
def _opened(source: str) -> Iterator["Stream"]:
    try:
        stream = open(source, "rb")  # noqa: PTH123, SIM115  (a name that the person typed goes into the record as it is)
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}.") from error
    with stream:
        yield stream


def _stdin() -> "Stream":
    return cast("Stream", sys.stdin.buffer)


def _intake_line(count: "IngestCount") -> str:
    line = f"{count.ingested} taken in, {count.duplicates} there already, {count.rejected} rejected"
    return f"{line} (`draftctl rejects` shows them)" if count.rejected else line


def draft(
    ctx: typer.Context,
    candidate: Annotated[str | None, typer.Argument(metavar="ID", help="One candidate, to be drafted now.")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Draft all that waits.")] = False,
    source: Annotated[
        str | None, typer.Option("-i", "--input", metavar="FILE|-", help="Take these lines in first.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="The engine for this run. [default: the setting, else template]")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many candidates.")] = None,
    max_in_flight: Annotated[int | None, typer.Option(min=1, max=4096, help="Requests at a time.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide everything, write nothing.")] = False,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Read the files as they lie there, not the last commit.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Draft ID anew though it has a draft.")] = False,
    gpu: Annotated[
        str | None,
        typer.Option(metavar="auto|off", help="auto: rent a GPU when work is due, and give it back. [default: off]"),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Draft what waits, or one candidate.

    Example: draftctl draft --batch -i examples/inbox.jsonl
    """
    if batch == (candidate is not None):
        raise UsageError("Say either `draftctl draft ID` or `draftctl draft --batch`.")
    if candidate:
        _draft_one(ctx, candidate, engine=engine, allow_dirty=allow_dirty, again=again, as_json=as_json)
        return
    if dry_run:
        _print_run(
            _rehearse(
                ctx, source, run_options(ctx, engine=engine, limit=limit, in_flight=max_in_flight, dirty=allow_dirty)
            ),
            as_json=as_json,
        )
        return
    if gpu not in (None, "auto", "off"):
        raise UsageError(f"--gpu is {gpu!r}; it can be auto or off.")
    from draftctl.heartbeat import beating

    taken = take(ctx, source) if source else None
    with beating(settings_of(ctx).values.heartbeat.draft):
        options = run_options(ctx, engine=engine, limit=limit, in_flight=max_in_flight, dirty=allow_dirty)
        _print_run(draft_all(ctx, options, taken, gpu=gpu == "auto", as_json=as_json), as_json=as_json)


def draft_all(
    ctx: typer.Context, options: "RunOptions", taken: "IngestCount | None", *, gpu: bool, as_json: bool
) -> "RunResult":
    """Draft what waits, on a rented GPU where that is asked for and due."""
    return (_tick if gpu else _run)(ctx, options, taken, as_json=as_json)


def run_options(
    ctx: typer.Context,
    *,
    engine: str | None,
    limit: int | None,
    in_flight: int | None,
    dirty: bool,
    all_stages: bool = False,
) -> "RunOptions":
    """Return what a run is asked for, from the flags and the settings."""
    from draftctl.batch import Limits
    from draftctl.service import RunOptions

    values = settings_of(ctx).values
    batch = values.batch
    limits = Limits(max_in_flight=in_flight or batch.max_in_flight, time_budget_s=batch.time_budget, limit=limit)
    return RunOptions(
        command="draftctl run" if all_stages else "draftctl draft --batch",
        engine=engine,
        limits=limits,
        max_attempts=batch.max_attempts,
        allow_dirty=dirty,
        persona=values.persona.name,
        endpoints=values.inference.url or "",
        salt=values.export.salt,
        test_share=values.export.test_share,
        all_stages=all_stages,
        mode=values.mode,
    )


def _run(ctx: typer.Context, options: "RunOptions", taken: "IngestCount | None", *, as_json: bool) -> "RunResult":
    """Draft without renting: at GPU_INFERENCE_URL, or on a droplet that is up."""
    from dataclasses import replace

    from draftctl.cli.ready import on_lease
    from draftctl.service import run

    settings = settings_of(ctx)
    with _listening(ctx, taken, as_json=as_json) as shown, on_lease(settings, options) as leased:
        options, address = leased
        listeners = shown
        maker = engine_maker(settings)
        if address is not None:
            url, key = address

            def maker(engine_id: str, manifest: "Manifest | None") -> "Engine":
                return served_engine(settings, engine_id, manifest, url, key)

        if options.lease is not None:
            from draftctl.store.leases import end_asked

            lease_id = options.lease
            listeners = replace(shown, stop_when=lambda connection: end_asked(connection, lease_id))
        return run(root_of(ctx), settings.database, options, maker, taken=taken, listeners=listeners)


def _active(settings: "Settings") -> str:
    from draftctl.engine_id import TEMPLATE
    from draftctl.store import jobs
    from draftctl.store.db import open_database

    connection = open_database(settings.database)
    try:
        return jobs.setting(connection, "draft_engine") or TEMPLATE
    finally:
        connection.close()


def _tick(ctx: typer.Context, options: "RunOptions", taken: "IngestCount | None", *, as_json: bool) -> "RunResult":
    """Draft on a GPU that is rented when work is due; where a server is named or no model is needed, just draft."""
    from dataclasses import replace
    from functools import partial

    from draftctl.cli.ready import needs_renting
    from draftctl.cli.rental import load_build, managing
    from draftctl.residence import Residence

    settings = settings_of(ctx)
    build, looks_after = needs_renting(settings, options)
    if not looks_after:
        return _run(ctx, options, taken, as_json=as_json)
    asked = replace(options, engine=options.engine or _active(settings), rents=build)
    with (
        _listening(ctx, taken, as_json=as_json) as listeners,
        managing(settings, options.command, narrate if on_terminal() else None) as manager,
    ):
        stays = Residence(
            root_of(ctx),
            settings,
            manager,
            asked,
            build=lambda: load_build(settings, build or "", allow_dirty=options.allow_dirty),
            engine=partial(served_engine, settings),
            listeners=listeners,
            taken=taken if build else None,
        ).tick()
    return stays if build else _run(ctx, options, taken, as_json=as_json)


@contextmanager
def _listening(ctx: typer.Context, taken: "IngestCount | None", *, as_json: bool) -> Iterator["Listeners"]:
    """Show progress and alerts; say what was taken in when another run is at work."""
    from draftctl.cli.progress import Progress
    from draftctl.service import Listeners

    with Progress(visible=on_terminal()) as progress:
        try:
            yield Listeners(watch=progress.update, alert=_alert, tell=_webhook(ctx), started=progress.start)
        except LockHeld as error:
            if taken and as_json:
                emit(
                    {"ingested": taken.ingested, "duplicates": taken.duplicates, "rejected": taken.rejected},
                    as_json=True,
                    text="",
                )
            if on_terminal():
                narrate(f"draftctl: {error.message} {error.hint}" + (f"\n  {_intake_line(taken)}" if taken else ""))
            raise typer.Exit(error.exit_code) from error


def _rehearse(ctx: typer.Context, source: str | None, options: "RunOptions") -> "RunResult":
    from draftctl.rehearsal import rehearse

    settings = settings_of(ctx)
    maker = engine_maker(settings)
    if source is None or source == "-":
        return rehearse(root_of(ctx), settings.database, options, maker, _stdin() if source else None, "stdin")
    with _opened(source) as stream:
        return rehearse(root_of(ctx), settings.database, options, maker, stream, source)


def _alert(candidate_id: str, person_id: str, gate: str) -> None:
    narrate(f"ALERT {gate}: candidate {candidate_id}, person {person_id}; `draftctl alerts`")


def _webhook(ctx: typer.Context) -> "AlertPost | None":
    """Return what posts an alert to the webhook, if there is one; after a failure the rest waits for the next run."""
    url = settings_of(ctx).values.alerts.webhook
    if not url:
        return None
    from draftctl.notices import post

    failed = False

    def tell(candidate_id: str, person_id: str, gate: str) -> bool:
        nonlocal failed
        if failed:
            return False
        told = post(url, {"gate": gate, "candidate_id": candidate_id, "person_id": person_id})
        if not told:
            failed = True
            narrate("draftctl: alerts.webhook did not take the alert; the next run tells it again")
        return told

    return tell


def _print_run(result: "RunResult", *, as_json: bool) -> None:
    for note in result.notes:
        narrate(f"draftctl: {note}")
    emit(result.counts, as_json=as_json, text=summary_of(result.counts))
    raise typer.Exit(result.exit_code)


_ENDED = {
    "paused": "Stopped: everything is paused. `draftctl resume --by NAME` goes on.",
    "interrupted": "Stopped at your word. What is decided is kept; run it again to go on.",
    "time": "Stopped: the time budget is used up. The next run goes on.",
    "limit": "Stopped at the limit.",
    "gpu_down": "Stopped: the GPU was told to end.",
}


def summary_of(counts: dict[str, Any]) -> str:
    """Lay a run's counts out for reading."""
    lines = (
        []
        if not (counts["ingested"] or counts["duplicates"] or counts["rejected"])
        else [f"{counts['ingested']} taken in, {counts['duplicates']} there already, {counts['rejected']} rejected"]
    )
    lines.append(
        f"{counts['drafted']} drafted, {counts['held']} held, by {counts['engine']} in {counts['elapsed_s']:.1f} s"
    )
    lines += [f"  {n:>4}  {reason}" for reason, n in counts["holds"].items()]
    if counts["stopped"]:
        lines.append(f"{_ENDED[counts['stopped']]} {counts['waiting']} still wait.")
    if counts.get("dry_run"):
        lines.append("A dry run: nothing was written.")
    return "\n".join(lines)


def _draft_one(
    ctx: typer.Context, word: str, *, engine: str | None, allow_dirty: bool, again: bool, as_json: bool
) -> None:
    from dataclasses import replace

    from draftctl.cli.context import database
    from draftctl.cli.look import show_whole
    from draftctl.store.standing import find_candidate

    with database(ctx) as connection:
        row = find_candidate(connection, word)
    asked = run_options(ctx, engine=engine, limit=None, in_flight=1, dirty=allow_dirty)
    limits = replace(asked.limits, only=row["id"])
    options = replace(asked, command=f"draftctl draft {row['id']}", limits=limits, again=again)
    result = _run(ctx, options, None, as_json=False)
    for note in result.notes:
        narrate(f"draftctl: {note}")
    with database(ctx) as connection:
        show_whole(connection, row["id"], prompt=False, as_json=as_json)
    raise typer.Exit(result.exit_code)
