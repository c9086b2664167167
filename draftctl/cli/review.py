"""`correct`, `dispatch`: a person's verdict, and what leaves after it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from draftctl.cli.context import JsonFlag, author, committed_canon, database, emit, narrate, settings_of, writing
from draftctl.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(correct)
    app.command()(dispatch)


def correct(
    ctx: typer.Context,
    draft: Annotated[
        str, typer.Argument(metavar="DRAFT", help="A draft's id, its first letters, or its candidate's id.")
    ],
    verdict: Annotated[Literal["approved", "edited", "rejected"], typer.Option(help="What you say of it.")],
    body: Annotated[str | None, typer.Option(help="The text to send instead (edited).")] = None,
    body_file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="A file with that text.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Why, in a word; may be repeated.")] = None,
    note: Annotated[str | None, typer.Option(help="Why, in a sentence.")] = None,
    by: Annotated[str | None, typer.Option("--author", help="Your name. [default: the user's]")] = None,
    override: Annotated[bool, typer.Option("--override", help="Overturn a rejection; needs --note.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Approve, edit or reject a draft.

    Example: draftctl correct m-001 --verdict approved
    """
    from draftctl.runner import body_hits
    from draftctl.store import people

    text = _text_of(body_file) if body_file else body
    if text is not None and verdict != "edited":
        raise UsageError(f"A text goes with --verdict edited, not {verdict}.")
    canon = committed_canon(ctx)
    given = people.Verdict(
        verdict=verdict, author=author(by), body=text, tags=tuple(tag or ()), note=note, override=override
    )
    with writing(ctx) as connection:
        done = people.correct(connection, draft, given, lambda body: body_hits(body, canon))
    value = {
        "correction_id": done.correction_id,
        "draft_id": done.draft_id,
        "verdict": done.verdict,
        "stopped_by": done.stopped_by,
    }
    if done.stopped_by:
        if as_json:
            emit(value, as_json=True, text="")
        narrate(
            f"draftctl: {done.draft_id}: your text is kept (`draftctl show {done.draft_id}`), but it is not released."
        )
        narrate(
            f"  Stopped by {', '.join(done.hits)}. Say it without that, or call. What was approved before is withdrawn."
        )
        raise typer.Exit(1)
    waits = ", waits for dispatch" if done.verdict != "rejected" else ""
    emit(value, as_json=as_json, text=f"{done.draft_id} {done.verdict}{waits}")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: byte {error.start + 1}.", hint="Save it as UTF-8.") from error


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
    from draftctl.runner import body_hits
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
