"""`forget`, `purge`: texts out of the database, and where else they stand."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.context import JsonFlag, Who, author, database, emit, root_of, settings_of
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from draftctl.manifest import Manifest

_DAY = {"d": 1, "w": 7}


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(forget)
    app.command()(purge)


def forget(
    ctx: typer.Context,
    person: Annotated[str, typer.Argument(metavar="PERSON", help="A person's id, or that of one of their candidates.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it only says so.")] = False,
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Erase every text of a person, and name the exports and builds that hold copies.

    Example: draftctl forget p-greg --yes
    """
    from draftctl import erase

    if not yes:
        raise UsageError(
            f"This erases every text of {person}, for good.", hint=f"`draftctl forget {person} --yes` does it."
        )
    with database(ctx) as connection:
        done = erase.forget(connection, person, _manifests(ctx), by=author(by))
    emit(done, as_json=as_json, text=_text(done))


def purge(
    ctx: typer.Context,
    older_than: Annotated[
        str | None, typer.Option(metavar="90d", help="Texts older than this. [default: retention.texts_days, 90d]")
    ] = None,
    think: Annotated[
        str | None,
        typer.Option(
            "--think-older-than",
            metavar="14d",
            help="Think steps of drafts without a verdict. [default: retention.think_days, 14d]",
        ),
    ] = None,
    keep_training: Annotated[
        bool, typer.Option("--keep-training", help="Keep the redacted texts of corrections for exports.")
    ] = False,
    by: Who = None,
    as_json: JsonFlag = False,
) -> None:
    """Erase what is older than it may get.

    Example: draftctl purge --older-than 90d --keep-training
    """
    from draftctl import erase

    retention = settings_of(ctx).values.retention
    options = erase.Purge(
        texts_days=_days(older_than, retention.texts_days),
        think_days=_days(think, retention.think_days),
        keep_training=keep_training,
    )
    with database(ctx) as connection:
        done = erase.purge(connection, options, _manifests(ctx), by=author(by))
    emit(done, as_json=as_json, text=_text(done))


def _days(word: str | None, default: int) -> int:
    if word is None:
        return default
    number, unit = word[:-1], word[-1:]
    if unit not in _DAY or not number.isdecimal() or not number.isascii():
        raise UsageError(f"{word!r} is no age: a number and d or w, as in 90d, 12w.")
    return int(number) * _DAY[unit]


def _manifests(ctx: typer.Context) -> "dict[str, Manifest]":
    from draftctl.erase import readable_manifests
    from draftctl.workspace import take_snapshot

    return readable_manifests(take_snapshot(root_of(ctx), working_tree=True).files)


def _text(done: dict[str, Any]) -> str:
    texts = f"the texts of {done['candidates']} candidates, {done['corrections']} corrections"
    lines = [f"Erased: {texts}, the think steps of {done['think_steps_of']} drafts, {done['rejects']} rejected lines."]
    lines += [f"And {done['tried']} answers of trials (`workflow try`)."] if done.get("tried") else []
    lines += [
        f"  They also stand in the export {e['dataset_id'][:16]} ({e['format']}), {e['path']}: delete it."
        for e in done["exports"]
    ]
    lines += [f"  The build {build} was trained on such an export: train it anew without." for build in done["builds"]]
    lines += [f"  The backup {path} still holds them: delete it when you can." for path in done["backups"]]
    if done["candidates"]:
        lines.append(
            "  So do copies of backups elsewhere, and outgoing files. Ids, times, verdicts and the trail stay."
        )
    return "\n".join(lines)
