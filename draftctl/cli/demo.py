"""`draftctl demo`: the sample inbox, in a workspace that is thrown away afterwards."""

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import typer

from draftctl.cli.adapters import engine_maker
from draftctl.cli.context import bold, indent, narrate
from draftctl.cli.look import drafts_text, holds_text, show_whole, story_text
from draftctl.errors import EngineUnreachable
from draftctl.service import RunOptions, run, take_input
from draftctl.starter import make_workspace
from draftctl.store import audit, views
from draftctl.store.db import open_database
from draftctl.workspace import load_settings


def play(engine: str) -> None:
    """Draft the sample inbox with an engine and show everything that came of it."""
    with tempfile.TemporaryDirectory(prefix="draftctl-demo-") as folder:
        root = Path(folder) / "workspace"
        make_workspace(root, persona="Quinn", consented_by=None, consented_at=None)
        database = root / "var" / "draftctl.db"
        with (root / "examples" / "inbox.jsonl").open("rb") as stream:
            taken = take_input(database, stream, "examples/inbox.jsonl")
        maker = engine_maker(load_settings(root))
        result = run(root, database, RunOptions(command="draftctl demo", engine=engine), maker, taken=taken)
        for note in result.notes:
            narrate(f"draftctl: {note}")
        if not result.counts["drafted"]:
            raise EngineUnreachable(
                f"{engine} drafted nothing: {', '.join(f'{n} {why}' for why, n in result.counts['holds'].items())}.",
                hint="Does GPU_INFERENCE_URL name a server that serves this build?",
            )
        _show(database, result.counts["drafted"], result.counts["held"], taken.ingested)


def _longest(connection: sqlite3.Connection, drafts: list[dict[str, Any]]) -> str:
    """Return the candidate whose draft took the most steps, the first of them."""
    steps = dict(connection.execute("SELECT draft_id, count(*) FROM draft_steps GROUP BY 1").fetchall())
    return str(max(drafts, key=lambda draft: steps.get(draft["id"], 0))["candidate_id"])


def _show(path: Path, drafted: int, held: int, taken: int) -> None:
    connection = open_database(path)
    try:
        drafts, holds = (
            views.drafts(connection, status=None, limit=1000),
            views.holds(connection, reason=None, limit=1000),
        )
        typer.echo(f"{bold('Drafts, each beside the message that it answers')}\n\n{drafts_text(drafts)}\n")
        typer.echo(f"{bold('Holds: nobody gets a reply to these from a machine')}\n\n{holds_text(holds)}\n")
        shown = _longest(connection, drafts)
        story = views.audit_story(connection, shown)
        typer.echo(
            f"{bold('One message, whole: what was asked, what was decided, and what the audit trail keeps of it')}\n"
        )
        show_whole(connection, shown, prompt=True, as_json=False)
        typer.echo(story_text(shown, story))
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
