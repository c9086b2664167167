"""`export-corrections`: what people corrected, as a data set that trainers load as it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from draftctl.cli.context import JsonFlag, database, emit, narrate, on_terminal, root_of, settings_of
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from draftctl.export_walk import RowCheck


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("export-corrections")(export_corrections)


def export_corrections(
    ctx: typer.Context,
    engine: Annotated[str, typer.Option(metavar="ID|all", help="Whose drafts: a build, template, or all.")],
    format_: Annotated[
        Literal["sft", "dpo", "kto", "openai", "llamafactory", "axolotl"],
        typer.Option("--format", help="For which trainer."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder; a new one, or an earlier export.")],
    test_share: Annotated[float | None, typer.Option(min=0, max=0.9, help="[default: export.test_share, 0.1]")] = None,
    salt: Annotated[str | None, typer.Option(help="[default: export.salt of draftctl.yaml]")] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The model's tokenizer: rows are measured and its chat template checked."),
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Leave out rows of more tokens; needs --tokenizer.")
    ] = None,
    allow_raw: Annotated[
        bool, typer.Option("--allow-raw", help="Leave personal data in: the exact bytes that were served.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Export what people corrected as a data set.

    Example: draftctl export-corrections --engine all --format sft --out data/sft
    """
    from draftctl.engine_id import check_engine_id
    from draftctl.erase import readable_manifests, withdrawn
    from draftctl.export import export
    from draftctl.export_walk import ExportOptions
    from draftctl.workspace import take_snapshot

    settings = settings_of(ctx).values.export
    if max_length is not None and tokenizer is None:
        raise UsageError("--max-length counts tokens, so it needs --tokenizer DIR.")
    options = ExportOptions(
        format=format_,
        out=out,
        engine=None if engine == "all" else check_engine_id(engine),
        salt=settings.salt if salt is None else salt,
        test_share=settings.test_share if test_share is None else test_share,
        raw=allow_raw,
        check=_check(tokenizer, max_length, allow_raw=allow_raw) if tokenizer else None,
    )
    if not options.salt:
        narrate("draftctl: export.salt is not set, so who is in which split could be guessed from the outside.")
        narrate(
            "  Write `export: {salt: SOME-SECRET}` into draftctl.yaml before you train: it decides the split for ever."
        )
    with database(ctx) as connection:
        manifest = export(connection, options)
        gone = withdrawn(connection, readable_manifests(take_snapshot(root_of(ctx), working_tree=True).files))
    emit(manifest, as_json=as_json, text=_text(manifest, out))
    _say_withdrawn(gone)
    if on_terminal() and not as_json and not manifest["counts"]["rows"]:
        narrate("  Nothing to train on yet: `draftctl review` makes corrections.")


def _say_withdrawn(gone: dict[str, Any]) -> None:
    """Name the earlier exports and builds that hold corrections of somebody who was flagged since."""
    for earlier in gone["exports"]:
        narrate(
            f"draftctl: somebody who was flagged since stands in the export {earlier['dataset_id'][:16]}, {earlier['path']}: delete it."
        )
    for build in gone["builds"]:
        narrate(f"  The build {build} was trained on such an export: train it anew without.")


def _check(tokenizer: Path, max_length: int | None, *, allow_raw: bool) -> "RowCheck":
    from draftctl.template_check import TemplateCheck

    return TemplateCheck(tokenizer, max_length=max_length, exact=allow_raw)


def _text(manifest: dict[str, Any], out: Path) -> str:
    counts, splits = manifest["counts"], manifest["splits"]
    lines = [
        f"{counts['rows']} rows from {counts['kept']} of {counts['input']} corrections: {splits['train']} train, {splits['test']} test, in {out}"
    ]
    lines += [f"  {n:>6}  left out: {reason.replace('_', ' ')}" for reason, n in manifest["dropped"].items()]
    lines.append(f"  data set {manifest['dataset_id'][:16]}; {out / 'README.md'} says what is in it")
    return "\n".join(lines)
