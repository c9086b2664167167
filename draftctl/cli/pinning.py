"""`engine pin` and `keys set`: a build's files by hash, and the tokens that runs from cron find too."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from draftctl.cli.content import engine_app
from draftctl.cli.context import emit, narrate, root_of, settings_of
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from draftctl.pin import Pinned

keys_app = typer.Typer(help="Tokens, kept in a file that only you can read.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    engine_app.command()(pin)
    keys_app.command("set")(keys_set)
    keys_app.command("list")(keys_list)
    app.add_typer(keys_app, name="keys")


def pin(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="REPO@REV|FOLDER", help="A model on the hub at a commit, or a folder.")
    ],
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", metavar="ID", help="The build whose manifest is written. [default: those of that repository]"
        ),
    ] = None,
    repo: Annotated[
        str | None, typer.Option(metavar="REPO@REV", help="With FOLDER: which repository and commit it is.")
    ] = None,
) -> None:
    """Write a build's file names, sizes and hashes into its manifest.

    Example: draftctl engine pin mistralai/Mistral-Nemo-Instruct-2407@04d8a90549d23fc6bd7f642064003592df51e9b3
    """
    from draftctl.engine_id import parse_build
    from draftctl.manifest import manifest_path
    from draftctl.pin import files_of_folder, files_of_hub, with_files

    root, folder = root_of(ctx), Path(source).expanduser()
    if engine is not None:
        parse_build(engine)
    if folder.is_dir():
        found = files_of_folder(folder, repo)
    else:
        found = files_of_hub(source, endpoint=os.environ.get("HF_ENDPOINT"), token=_hub_token(ctx))
    total = sum(file.bytes for file in found.files)
    for engine_id in [engine] if engine else _builds_of(root, found):
        path = root / manifest_path(engine_id)
        text = path.read_text() if path.is_file() else None
        path.parent.mkdir(exist_ok=True)
        path.write_text(with_files(text, engine_id, found))
        typer.echo(
            f"{path.relative_to(root)}: {len(found.files)} files, {total / 1e9:.2f} GB, at {found.revision[:12]}. Look at it, then commit it."
        )


def _builds_of(root: Path, found: "Pinned") -> list[str]:
    """Return the builds whose base is that repository: those at that very commit, else all of them."""
    from draftctl.manifest import engine_ids, parse_manifest

    folder = root / "engines"
    paths = [f"engines/{path.name}" for path in sorted(folder.glob("*.yaml"))]
    manifests = [
        parse_manifest((root / f"engines/{id_}.yaml").read_bytes(), f"engines/{id_}.yaml") for id_ in engine_ids(paths)
    ]
    of_repo = [manifest for manifest in manifests if manifest.base.repo == found.repo]
    exact = [manifest.id for manifest in of_repo if manifest.base.revision == found.revision]
    if not of_repo:
        raise UsageError(f"No manifest here has {found.repo} as its base.", hint="--engine ID says which one to write.")
    return exact or [manifest.id for manifest in of_repo]


def _hub_token(ctx: typer.Context) -> str | None:
    from draftctl.tokens import secret

    return secret(settings_of(ctx).database, "HF_TOKEN", os.environ)[0]


def keys_set(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="DIGITALOCEAN_TOKEN, GPU_INFERENCE_API_KEY or HF_TOKEN.")],
    forget: Annotated[bool, typer.Option("--forget", help="Forget it.")] = False,
) -> None:
    """Keep a token where runs from cron find it too; it is asked for, or read from stdin, never from the command line.

    Example: draftctl keys set DIGITALOCEAN_TOKEN
    """
    import sys

    from draftctl.tokens import NAMES, store_secret

    if name not in NAMES:
        raise UsageError(f"{name} is none of {', '.join(NAMES)}.")
    value = None
    if not forget:
        value = typer.prompt(name, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    path = store_secret(settings_of(ctx).database, name, value.strip() if value is not None else None)
    typer.echo(f"{path}: {name} {'forgotten' if forget else 'kept'}.")
    if name == "DIGITALOCEAN_TOKEN" and not forget:
        narrate("`draftctl gpu doctor` checks what it may do.")


def keys_list(ctx: typer.Context) -> None:
    """Say which tokens are there and where each comes from; none is shown.

    Example: draftctl keys list
    """
    from draftctl.tokens import NAMES, secret

    database = settings_of(ctx).database
    rows = [(name, *secret(database, name, os.environ)) for name in NAMES]
    emit(None, as_json=False, text="\n".join(f"{name}: {where if value else 'not set'}" for name, value, where in rows))
