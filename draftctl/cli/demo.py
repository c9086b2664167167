"""`draftctl demo`: the sample inbox, in a workspace that is thrown away afterwards."""

import tempfile
from pathlib import Path

import typer

from draftctl.cli.context import bold, indent
from draftctl.cli.drafting import engine_maker
from draftctl.cli.look import drafts_text, holds_text, show_whole, story_text
from draftctl.service import RunOptions, run, take_input
from draftctl.starter import make_workspace
from draftctl.store import audit, views
from draftctl.store.db import open_database
from draftctl.workspace import load_settings


def play() -> None:
    """Draft the sample inbox with the embedded engine and show everything that came of it."""
    with tempfile.TemporaryDirectory(prefix="draftctl-demo-") as folder:
        root = Path(folder) / "workspace"
        make_workspace(root, persona="Quinn", consented_by=None, consented_at=None)
        database = root / "var" / "draftctl.db"
        with (root / "examples" / "inbox.jsonl").open("rb") as stream:
            taken = take_input(database, stream, "examples/inbox.jsonl")
        maker = engine_maker(load_settings(root, {}))
        result = run(root, database, RunOptions(command="draftctl demo"), maker, taken=taken)
        _show(database, result.counts["drafted"], result.counts["held"], taken.ingested)


def _show(path: Path, drafted: int, held: int, taken: int) -> None:
    connection = open_database(path)
    try:
        drafts, holds = (
            views.drafts(connection, status=None, limit=1000),
            views.holds(connection, reason=None, limit=1000),
        )
        typer.echo(f"{bold('Drafts, each beside the message that it answers')}\n\n{drafts_text(drafts)}\n")
        typer.echo(f"{bold('Holds: nobody gets a reply to these from a machine')}\n\n{holds_text(holds)}\n")
        story = views.audit_story(connection, drafts[0]["candidate_id"])
        typer.echo(f"{bold('One message, whole: what was decided, and what the audit trail keeps of it')}\n")
        show_whole(connection, drafts[0]["candidate_id"], prompt=True, as_json=False)
        typer.echo(story_text(drafts[0]["candidate_id"], story))
        verdict = audit.verify(connection)
    finally:
        connection.close()
    typer.echo(f"  The whole trail: {verdict.rows} rows, {'every one verifies' if verdict.ok else verdict.reason}.\n")
    typer.echo(
        indent(
            f"{taken} messages in, {drafted} drafted, {held} held. Nothing was sent, and this workspace is gone again. "
            "`draftctl init DIR` makes one to keep.",
            "",
        )
    )
