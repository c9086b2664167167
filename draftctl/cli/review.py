"""`review`: a person reads drafts and holds, one after the other: full screen, with plain prompts, or as JSON for a script."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from draftctl.cli.context import JsonFlag, Who, author, database, emit, narrate, settings_of
from draftctl.cli.judging import body_gates
from draftctl.cli.review_text import item_text, item_value
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from draftctl.review_session import ReviewSession


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(review)


def review(
    ctx: typer.Context,
    status: Annotated[
        Literal["drafted", "held", "all", "approved", "rejected"], typer.Option(help="Which items.")
    ] = "all",
    key: Annotated[str | None, typer.Option(help="Only this note: its key, name or number.")] = None,
    engine: Annotated[str | None, typer.Option(help="Only drafts of this build.")] = None,
    workflow: Annotated[str | None, typer.Option(help="Only drafts of this workflow.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only holds for this reason, as in gate:identity.")] = None,
    sort: Annotated[Literal["oldest", "newest", "key"], typer.Option(help="In which order.")] = "oldest",
    plain: Annotated[bool, typer.Option("--plain", help="Prompts instead of the full screen.")] = False,
    next_: Annotated[
        bool, typer.Option("--next", help="Print the next item and leave it to you for ten minutes.")
    ] = False,
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Read what waits for you, and decide with one key each.

    Example: draftctl review
    """
    from draftctl.review_session import ReviewSession
    from draftctl.store.reviewing import Filters

    statuses = ("held",) if reason else ("drafted", "held") if status == "all" else (status,)
    filters = Filters(
        statuses=statuses, template_key=_key(ctx, key), engine=engine, workflow=workflow, reason=reason, sort=sort
    )
    hits, who = body_gates(ctx), author(by)
    with database(ctx) as connection:
        session = ReviewSession(
            connection, reviewer=who, body_hits=hits, filters=filters, idle_s=settings_of(ctx).values.review.idle
        )
        if next_ or as_json:
            session.token = f"name:{who}"  # it stays theirs when this command has ended
            _print_next(session, as_json=as_json)
            return
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError(
                "A review needs a terminal.",
                hint="`draftctl review --next --json`, `draftctl correct`, `draftctl reply` do without.",
            )
        try:
            _run(session, plain=plain)
        finally:
            session.close()
    narrate(f"{session.decided} decided." + (" `draftctl dispatch` sends what is approved." if session.decided else ""))


def _key(ctx: typer.Context, word: str | None) -> str | None:
    if word is None:
        return None
    from draftctl.cli.context import committed_canon

    return committed_canon(ctx).ask(word).key


def _run(session: "ReviewSession", *, plain: bool) -> None:
    if not plain:
        try:
            from draftctl.tui import ReviewApp
        except ModuleNotFoundError as error:
            if error.name is None or not error.name.startswith("textual"):
                raise
            narrate(
                "draftctl: the full screen needs textual (`pip install 'draftctl[tui]'`); plain prompts do for now."
            )
        else:
            ReviewApp(session).run()
            return
    from draftctl.cli.plain_review import plain_review

    plain_review(session)


def _print_next(session: "ReviewSession", *, as_json: bool) -> None:
    item = session.next()
    value = {"item": item_value(session, item) if item else None, "left": session.left}
    emit(value, as_json=as_json, text=item_text(session, item) if item else "Nothing waits for you.")
