"""`report`: one page of figures and plots."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from draftctl.cli.context import database, settings_of
from draftctl.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(report)


def report(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the page goes.")] = Path("report.html"),
) -> None:
    """Write one static page: drafts, holds, approval, edits, violations, time and cost, by build and workflow.

    Example: draftctl report --out report.html
    """
    from draftctl.report import report_page
    from draftctl.store.db import utc_now
    from draftctl.store.figures import figures

    if out.is_dir() or not out.parent.is_dir():
        raise UsageError(f"{out} is no file in a folder that exists.", hint="--out report.html")
    settings = settings_of(ctx)
    with database(ctx) as connection:
        page = report_page(
            figures(connection), made_at=utc_now()[:16].replace("T", " ") + " UTC", persona=settings.values.persona.name
        )
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=out.parent, delete=False) as file:
        file.write(page)
    os.replace(file.name, out)  # noqa: PTH105  (in one step: a reader never sees half a page)
    typer.echo(f"{out} ({len(page) // 1024 + 1} kB): open it in a browser; it needs no network")
