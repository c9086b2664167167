"""What every command starts from: the workspace, its settings, its database; and how results are printed."""

import getpass
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.errors import UsageError

if TYPE_CHECKING:
    import sqlite3

    from draftctl.canon import Canon
    from draftctl.settings import Settings

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Who = Annotated[str | None, typer.Option("--by", help="Your name, for the record. [default: the user's]")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The global options."""

    workspace: str | None
    debug: bool


def root_of(ctx: typer.Context) -> Path:
    """Return the workspace's folder."""
    from draftctl.workspace import find_root

    return find_root(Path.cwd(), ctx.obj.workspace)


def settings_of(ctx: typer.Context) -> "Settings":
    """Read the workspace's settings."""
    from draftctl.workspace import load_settings

    return load_settings(root_of(ctx))


@contextmanager
def database(ctx: typer.Context) -> Iterator["sqlite3.Connection"]:
    """Open the workspace's database for one command."""
    from draftctl.store.db import open_database, store_errors

    path = settings_of(ctx).database
    connection = open_database(path)
    try:
        with store_errors(path):
            yield connection
    finally:
        connection.close()


@contextmanager
def writing(ctx: typer.Context) -> Iterator["sqlite3.Connection"]:
    """Open the workspace's database for one write transaction."""
    from draftctl.store.db import transaction

    with database(ctx) as connection, transaction(connection):
        yield connection


def committed_canon(ctx: typer.Context) -> "Canon":
    """Read the pastebin as it is committed."""
    from draftctl.service import load_canon
    from draftctl.workspace import take_snapshot

    return load_canon(take_snapshot(root_of(ctx)))


def author(given: str | None) -> str:
    """Return who acts: the name given, else the user's."""
    return given or os.environ.get("USER") or getpass.getuser()


def said(text: str, what: str) -> str:
    """Return what a person typed, unless it says nothing."""
    if not text.strip():
        raise UsageError(f"{what} is empty; the record needs a word there.")
    return text


def emit(value: Any, *, as_json: bool, text: str) -> None:
    """Print a result: one JSON object, or its text, on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False) if as_json else text)


def narrate(text: str) -> None:
    """Print what is not the result, on stderr."""
    typer.echo(text, err=True)


def on_terminal() -> bool:
    """Say whether a person watches."""
    return sys.stderr.isatty()


def bold(text: str) -> str:
    """Return the text in bold, where colours are wanted."""
    return text if os.environ.get("NO_COLOR") or not sys.stdout.isatty() else typer.style(text, bold=True)


def visible(text: str) -> str:
    """Return a text in which nothing moves the cursor, rings a bell or turns the writing round."""
    import unicodedata

    kept = "\n\u200d"
    return "".join(c if c in kept or unicodedata.category(c) not in ("Cc", "Cf") else f"\\x{ord(c):02x}" for c in text)


def indent(text: str, lead: str, width: int = 96) -> str:
    """Wrap a text under a lead (`them: `)."""
    import textwrap

    text = visible(text)
    lines = [line for part in text.split("\n") for line in (textwrap.wrap(part, width) or [""])]
    return "\n".join([lead + lines[0], *(" " * len(lead) + line for line in lines[1:])])
