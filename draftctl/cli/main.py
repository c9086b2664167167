"""The app, its global options, and the one boundary that turns errors into sentences and exit codes."""

import os
import sys
from typing import Annotated

import typer

from draftctl import __version__, quiet_log
from draftctl.cli import (
    content,
    control,
    cron,
    deciding,
    drafting,
    erasing,
    exporting,
    forecast,
    gpu,
    judging,
    linting,
    look,
    making,
    pinning,
    rented,
    reporting,
    review,
    running,
    saving,
    seeing,
    sending,
    staging,
    telling,
    trying,
    upkeep,
    versions,
    workflow,
)
from draftctl.cli.context import Options
from draftctl.errors import DraftctlError, FileProblems, place_of

app = typer.Typer(
    name="draftctl",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the plain help costs half as much and reads as well
    help="Drafts an inbox's replies, holds what it must not answer, and sends what a person has approved.",
    epilog="Exit codes: 0 done, holds included; 1 failed; 2 wrong usage or file, nothing done; 3 done, some lines rejected; "
    "4 the engine could not be reached; 75 another run is at work.",
)
for module in (
    upkeep,
    running,
    drafting,
    deciding,
    staging,
    erasing,
    look,
    telling,
    review,
    judging,
    sending,
    control,
    content,
    workflow,
    linting,
    making,
    seeing,
    trying,
    versions,
    saving,
    rented,
    reporting,
    gpu,
    forecast,
    pinning,
    cron,
    exporting,
):
    module.register(app)


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"draftctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    workspace: Annotated[
        str | None,
        typer.Option(envvar="DRAFTCTL_WORKSPACE", help="The workspace's folder. [default: the nearest one upwards]"),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001  (its callback answers)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Draft an inbox's replies, hold what must not be answered, and send what a person has approved."""
    ctx.obj = Options(workspace=workspace, debug=debug)


def run() -> None:
    """Run the command line. Files that it makes are for their owner alone."""
    os.umask(0o077)
    quiet_log.install()
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        sys.exit(_explain(error))


def _open_closed_streams() -> None:
    """Give the program the three streams that whoever started it has closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115  (it lives as long as the program)


def _explain(error: Exception) -> int:
    """Print an error as a sentence and return the exit code."""
    if isinstance(error, DraftctlError):
        prefix = "" if isinstance(error, FileProblems) else "draftctl: "
        _say(f"{prefix}{error.message}", error.hint)
        return error.exit_code
    if isinstance(error, OSError):
        _say(f"draftctl: {error.filename or 'a file'}: {error.strerror or error}.", "")
        return 1
    sqlite = sys.modules.get("sqlite3")
    if sqlite is not None and isinstance(error, sqlite.Error):
        _say(f"draftctl: the database: {error}.", "`draftctl doctor` looks closer.")
        return 1
    _say(
        f"draftctl: this is a bug: {place_of(error)}.",
        "Run it again with --debug and report what it prints.",
    )
    return 1


def _say(message: str, hint: str) -> None:
    typer.echo(message, err=True)
    if hint:
        typer.echo(f"  {hint}", err=True)
