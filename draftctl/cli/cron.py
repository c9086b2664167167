"""`cron show|install`: the lines that run by the clock, and putting them where the clock finds them."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from draftctl.cli.context import narrate, root_of
from draftctl.errors import DraftctlError, UsageError

cron_app = typer.Typer(
    help="The lines that cron runs: everything that is due, the sweep, the watch, the backup.", no_args_is_help=True
)
Systemd = Annotated[bool, typer.Option("--systemd", help="Timers of the user's systemd instead of crontab lines.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (show, install):
        cron_app.command()(command)
    app.add_typer(cron_app, name="cron")


def show(ctx: typer.Context, systemd: Systemd = False) -> None:
    """Print the lines.

    Example: draftctl cron show
    """
    from draftctl.schedule import crontab_lines, systemd_units

    root = root_of(ctx)
    if systemd:
        for name, text in systemd_units(_program(), str(root), _mark(root)).items():
            typer.echo(f"# ~/.config/systemd/user/{name}\n{text}")
        return
    typer.echo("\n".join(crontab_lines(_program(), str(root), _mark(root))))


def install(
    ctx: typer.Context,
    systemd: Systemd = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take them out again.")] = False,
) -> None:
    """Put the lines into your crontab (or your systemd); run twice, they stand there once.

    Example: draftctl cron install
    """
    root = root_of(ctx)
    if systemd:
        _install_units(root, remove=remove)
    else:
        _install_crontab(root, remove=remove)
    if not remove:
        narrate("`draftctl doctor --as-cron` looks at everything as cron will see it.")


def _install_crontab(root: Path, *, remove: bool) -> None:
    from draftctl.schedule import crontab_lines, merged, without

    if shutil.which("crontab") is None:
        raise UsageError(
            "There is no crontab here.", hint="Debian: apt install cron; or `draftctl cron install --systemd`."
        )
    listed = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
    if listed.returncode != 0 and "no crontab" not in listed.stderr.lower():
        raise DraftctlError(f"The crontab could not be read, so it was left alone: {listed.stderr.strip()}")
    present = listed.stdout if listed.returncode == 0 else ""
    mark = _mark(root)
    text = without(present, mark) if remove else merged(present, crontab_lines(_program(), str(root), mark), mark)
    done = subprocess.run(["crontab", "-"], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DraftctlError(f"The crontab could not be written: {done.stderr.strip()}")
    typer.echo(
        "Taken out of your crontab."
        if remove
        else "In your crontab: a run every minute, the sweep every ten, a look after the runs every fifteen, a backup a night."
    )


def _install_units(root: Path, *, remove: bool) -> None:
    from draftctl.schedule import systemd_units

    folder = Path.home() / ".config" / "systemd" / "user"
    units = systemd_units(_program(), str(root), _mark(root))
    timers = [name for name in units if name.endswith(".timer")]
    if remove:
        _systemctl("disable", "--now", *timers)
        for name in units:
            (folder / name).unlink(missing_ok=True)
        typer.echo("The timers are gone.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in units.items():
        (folder / name).write_text(text)
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", *timers)
    typer.echo(f"{len(timers)} timers run. `loginctl enable-linger` keeps them running while you are logged out.")


def _systemctl(*arguments: str) -> None:
    try:
        done = subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError("There is no systemd here.", hint="`draftctl cron install` uses the crontab.") from error
    if done.returncode != 0:
        raise DraftctlError(f"systemctl --user {arguments[0]}: {done.stderr.strip() or done.returncode}")


def _program() -> str:
    """Return the program by its whole path: cron's PATH is short."""
    found = shutil.which(sys.argv[0]) or shutil.which("draftctl")
    beside = Path(sys.executable).with_name("draftctl")
    return str(Path(found).resolve()) if found and Path(found).name == "draftctl" else str(beside)


def _mark(root: Path) -> str:
    """Return a short name of the workspace, so that two of them keep their lines apart."""
    return hashlib.sha256(str(root).encode()).hexdigest()[:8]
