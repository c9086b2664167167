"""`correct`, `reply`, `redraft`, `hold`: a person's word on a draft or a hold, without a screen."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from draftctl.cli.context import JsonFlag, Who, author, committed_canon, database, emit, narrate, said, writing
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from draftctl.ingest import Stream
    from draftctl.store.corrections import BodyHits, Corrected

Body = Annotated[str | None, typer.Option(help="The text to send.")]
BodyFile = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="A file with that text.")]
Tags = Annotated[list[str] | None, typer.Option(help="Why, in a word; may be repeated.")]
Note = Annotated[str | None, typer.Option(help="Why, in a sentence.")]
Author = Annotated[str | None, typer.Option("--author", help="Your name. [default: the user's]")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(correct)
    app.command()(reply)
    app.command()(redraft)
    app.command()(hold)


def correct(
    ctx: typer.Context,
    draft: Annotated[
        str | None,
        typer.Argument(metavar="DRAFT", help="A draft's id, its first letters, or its candidate's id."),
    ] = None,
    verdict: Annotated[
        Literal["approved", "edited", "rejected"] | None, typer.Option(help="What you say of it.")
    ] = None,
    body: Body = None,
    body_file: BodyFile = None,
    tag: Tags = None,
    note: Note = None,
    by: Author = None,
    override: Annotated[bool, typer.Option("--override", help="Overturn a rejection; needs --note.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last verdict on DRAFT.")] = False,
    source: Annotated[
        str | None, typer.Option("--import", metavar="FILE|-", help="Take verdicts as JSON lines, each once.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Approve, edit or reject a draft.

    Example: draftctl correct m-001 --verdict approved
    """
    if [bool(verdict), undo, source is not None].count(True) != 1 or (draft is None) != (source is not None):
        raise UsageError("Say `correct DRAFT --verdict ...`, `correct DRAFT --undo`, or `correct --import FILE`.")
    if source is not None:
        _import(ctx, source, author(by), as_json=as_json)
        return
    word = draft or ""
    if undo:
        _undo(ctx, word, author(by), as_json=as_json)
        return
    text = _text(body, body_file)
    if text is not None and verdict != "edited":
        raise UsageError(f"A text goes with --verdict edited, not {verdict}.")
    from draftctl.store import corrections

    given = corrections.Verdict(
        verdict=verdict or "", author=author(by), body=text, tags=tuple(tag or ()), note=note, override=override
    )
    hits = body_gates(ctx)
    with writing(ctx) as connection:
        done = corrections.correct(connection, word, given, hits)
    _print(done, as_json=as_json)


def reply(
    ctx: typer.Context,
    candidate: Annotated[str, typer.Argument(metavar="ID", help="What holds.")],
    body: Body = None,
    body_file: BodyFile = None,
    tag: Tags = None,
    note: Note = None,
    override: Annotated[bool, typer.Option("--override", help="Overturn a rejection; needs --note.")] = False,
    by: Author = None,
    as_json: JsonFlag = False,
) -> None:
    """Answer a hold yourself; your text goes through the gates.

    Example: draftctl reply m-012 --body "Thank you for asking. Friday works."
    """
    from draftctl.store import corrections

    text = _text(body, body_file)
    if text is None:
        raise UsageError("A reply needs its text.", hint="--body TEXT or --body-file FILE.")
    given = corrections.Verdict(
        verdict="edited", author=author(by), body=text, tags=tuple(tag or ()), note=note, override=override
    )
    hits = body_gates(ctx)
    with writing(ctx) as connection:
        done = corrections.reply(connection, candidate, given, hits)
    _print(done, as_json=as_json)


def redraft(
    ctx: typer.Context,
    candidate: Annotated[str, typer.Argument(metavar="ID", help="A draft's or a candidate's id.")],
    note: Annotated[str, typer.Option(help='What the reply should be, as in "shorter".')],
    by: Who = None,
) -> None:
    """Send a draft back: the next run shows the model its reply and what you ask for.

    Example: draftctl redraft m-012 --note "shorter, and ask which day"
    """
    from draftctl.store import people

    with writing(ctx) as connection:
        done = people.requeue(connection, candidate, by=author(by), note=said(note, "--note"))
    typer.echo(f"{done} is back in the queue, with your note (a note of the pastebin, by `template`, stays as it is)")


def hold(
    ctx: typer.Context,
    candidate: Annotated[str, typer.Argument(metavar="ID", help="A draft's or a candidate's id.")],
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it next.")],
    by: Who = None,
) -> None:
    """Keep a draft from leaving, without a word on how good it is.

    Example: draftctl hold m-012 --reason "she called"
    """
    from draftctl.store import corrections

    with writing(ctx) as connection:
        done = corrections.hold(connection, candidate, by=author(by), reason=said(reason, "--reason"))
    typer.echo(f"{done} is held")


def body_gates(ctx: typer.Context) -> "BodyHits":
    """Return what stops a text from leaving, by the rules as they are committed."""
    from draftctl.screening import body_hits

    canon = committed_canon(ctx)
    return lambda body, around: body_hits(body, canon, around=around)


def _text(body: str | None, body_file: Path | None) -> str | None:
    if body is not None and body_file is not None:
        raise UsageError("Say either --body or --body-file.")
    if body_file is None:
        return body
    try:
        return body_file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{body_file} is not UTF-8: byte {error.start + 1}.", hint="Save it as UTF-8.") from error


def _undo(ctx: typer.Context, word: str, by: str, *, as_json: bool) -> None:
    from draftctl.store import corrections, standing

    with writing(ctx) as connection:
        done = corrections.undo(connection, word, by=by)
        status = standing.find_candidate(connection, done.candidate_id)["status"]
    emit(_value(done), as_json=as_json, text=f"{done.draft_id}: the last verdict is taken back; it is {status} now")


def _value(done: "Corrected") -> dict[str, Any]:
    return {
        "correction_id": done.correction_id,
        "draft_id": done.draft_id,
        "verdict": done.verdict,
        "stopped_by": done.stopped_by,
    }


def _print(done: "Corrected", *, as_json: bool) -> None:
    if done.stopped_by is None:
        waits = ", waits for dispatch" if done.verdict != "rejected" else ""
        emit(_value(done), as_json=as_json, text=f"{done.draft_id} {done.verdict}{waits}")
        return
    if as_json:
        emit(_value(done), as_json=True, text="")
    narrate(f"draftctl: {done.draft_id}: your text is kept (`draftctl show {done.draft_id}`), but it is not released.")
    if done.hits:
        narrate(
            f"  Stopped by {', '.join(done.hits)}. Say it without that, or call."
            + (" What was approved before is withdrawn." if done.withdrew else "")
        )
    else:
        narrate(
            "  A newer message came in this thread; it has a candidate of its own. Your text helps the next drafts."
        )
    raise typer.Exit(1)


def _import(ctx: typer.Context, source: str, by: str, *, as_json: bool) -> None:
    from draftctl.import_corrections import import_corrections

    hits = body_gates(ctx)
    with database(ctx) as connection:
        if source == "-":
            stream = cast("Stream", sys.stdin.buffer)
            count = import_corrections(connection, stream, source="stdin", author=by, body_hits=hits)
        else:
            try:
                file = Path(source).open("rb")  # noqa: SIM115  (what cannot be opened is a sentence)
            except OSError as error:
                raise UsageError(f"{source} cannot be read: {error.strerror}.") from error
            with file:
                count = import_corrections(connection, file, source=source, author=by, body_hits=hits)
    value = {"imported": count.imported, "duplicates": count.duplicates, "rejected": count.rejected}
    text = f"{count.imported} taken, {count.duplicates} there already, {count.rejected} rejected"
    emit(value, as_json=as_json, text=text)
    if count.rejected:
        narrate(f"draftctl: {count.first}")
        narrate("  All that were rejected are kept: `draftctl rejects`")
        raise typer.Exit(3)
