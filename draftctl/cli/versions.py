"""`workflow lock` and `workflow bump`: which content a version stands for, and the next version of a changed one."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from draftctl.cli.context import root_of
from draftctl.cli.workflow import Id, find_workflow, read_tree, workflow_app
from draftctl.errors import DraftctlError, FileProblems, UsageError


def register(_app: typer.Typer) -> None:
    """Add these commands to the `workflow` group."""
    workflow_app.command()(lock)
    workflow_app.command()(bump)


def lock(ctx: typer.Context) -> None:
    """Write down which content each version stands for, in workflows/workflows.lock.

    Example: draftctl workflow lock
    """
    from draftctl.workflowlock import LOCK, locked_otherwise, read_lock

    snapshot, _, chains = read_tree(ctx)
    if chains.broken:
        raise FileProblems(problem for broken in chains.broken.values() for problem in broken.problems)
    locked = read_lock(snapshot.files.get(LOCK))
    otherwise = locked_otherwise(chains.workflows.values(), locked)
    if otherwise:
        raise UsageError("\n".join(f"{detail}." for detail in otherwise.values()))
    new = {(w.id, w.version): w.semantic_hash for w in chains.workflows.values() if (w.id, w.version) not in locked}
    _write_lock(root_of(ctx), {**locked, **new})
    names = ", ".join(f"{id_} version {version}" for id_, version in sorted(new))
    typer.echo(f"{LOCK}: added {names}. Commit it." if new else f"{LOCK} has every version already.")


def _write_lock(root: Path, locked: dict[tuple[str, str], str]) -> None:
    from draftctl.workflowlock import LOCK, write_lock

    replace_file(root / LOCK, write_lock(locked))


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all, and keep its line ends as the text has them."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(text.encode())
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DraftctlError(f"{path} could not be written: {error.strerror}. It is as it was.") from error


def bump(
    ctx: typer.Context,
    workflow_id: Id,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="The new version. [default: one more]")
    ] = None,
) -> None:
    """Give a changed workflow its next version, and lock it.

    Example: draftctl workflow bump first-reply
    """
    from draftctl.loading import parse_workflow
    from draftctl.saving import next_version
    from draftctl.workflow import with_version
    from draftctl.workflowlock import LOCK, read_lock

    snapshot, _, chains = read_tree(ctx)
    workflow = find_workflow(chains, workflow_id)
    locked = read_lock(snapshot.files.get(LOCK))
    version = to or next_version(workflow, locked)
    if (workflow.id, version) in locked:
        raise UsageError(
            f"Version {version} of {workflow.id} stands in {LOCK} already.", hint="Name another with --to."
        )
    text = with_version(snapshot.files[workflow.path].decode(), workflow, version)
    again = parse_workflow(text.encode(), workflow.path, chains.partials)
    root = root_of(ctx)
    replace_file(root / workflow.path, text)
    _write_lock(root, {**locked, (again.id, again.version): again.semantic_hash})
    same = locked.get((workflow.id, workflow.version)) == workflow.semantic_hash
    note = " Nothing but the version has changed." if same else ""
    typer.echo(f"{workflow.path}: version {workflow.version} -> {again.version}, locked.{note} Commit both files.")
