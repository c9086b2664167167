"""`dispatch`: what a person has approved leaves, each text at most once."""

from pathlib import Path
from typing import Annotated

import typer

from draftctl.cli.context import JsonFlag, committed_canon, database, emit, narrate, settings_of
from draftctl.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(dispatch)


def dispatch(
    ctx: typer.Context,
    to: Annotated[str, typer.Option(metavar="file:PATH", help="Where approved texts go.")],
    as_json: JsonFlag = False,
) -> None:
    """Send approved drafts, each at most once.

    Example: draftctl dispatch --to file:outgoing.jsonl
    """
    from datetime import UTC, datetime

    from draftctl.dispatch import FileDispatcher, consent_problem
    from draftctl.screening import body_hits
    from draftctl.store.db import run_lock

    scheme, _, path = to.partition(":")
    if scheme != "file" or not path:
        raise UsageError(f"{to!r} is no place to send to.", hint="--to file:PATH appends to a file.")
    settings, canon = settings_of(ctx), committed_canon(ctx)
    if Path(path).resolve() == settings.database:
        raise UsageError(f"{path} is the database itself, so nothing was sent.", hint="Name a file for the texts.")
    problem = consent_problem(settings.values.persona, datetime.now(UTC).date())
    with database(ctx) as connection, run_lock(settings.database, "draftctl dispatch", suffix="dispatch.lock"):
        dispatcher = FileDispatcher(connection, Path(path).absolute(), lambda body: body_hits(body, canon), narrate)
        count = dispatcher.run(problem)
    if problem and count.held:
        narrate(f"draftctl: nothing was sent (no_consent): {problem}.")
    if count.paused:
        narrate(f"draftctl: everything is paused: {count.paused}. `draftctl resume --by NAME` goes on.")
    value = {"sent": count.sent, "held": count.held, "unknown": count.unknown, "skipped": count.skipped}
    emit(
        value,
        as_json=as_json,
        text=f"{count.sent} sent, {count.held} held, {count.unknown} unclear, {count.skipped} left for later",
    )
