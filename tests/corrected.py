"""A workspace with chain drafts of a played server and verdicts on them: what exports and few-shot are tested with."""

from typing import Any

from draftctl.batch import Limits
from draftctl.engines.chat import ChatEngine
from draftctl.screening import body_hits
from draftctl.service import RunOptions, load_canon, run
from draftctl.store.corrections import Corrected, Verdict, correct
from draftctl.store.db import open_database, transaction
from draftctl.workspace import take_snapshot
from tests.conftest import BUILD, Workspace, line
from tests.played_server import PlayedServer

SALT = "a salt of the tests"


def draft_chains(workspace: Workspace, lines: str, server: PlayedServer, **more: Any) -> None:
    """Take lines in and draft them with the shipped chains, in this process."""
    workspace.ok("ingest", "-", stdin=lines)
    options = RunOptions(command="test", engine=BUILD, limits=Limits(max_in_flight=8), salt=SALT, **more)
    run(workspace.root, workspace.database, options, lambda id_, _manifest: ChatEngine(id_, [server.url], tries=1))


def inbound(n: int, text: str = "", **more: Any) -> str:
    """Make a line that the shipped chains take."""
    said = text or f"hello, can i book a time on friday? it is number {n}"
    fields: dict[str, Any] = {"archetype": "courteous", "state": "new", "atoms": {"name": "Sam"}, **more}
    return line(f"c{n}", said, thread=fields.pop("thread", f"t{n}"), **fields)


def judge(workspace: Workspace, *verdicts: tuple[str, str, str | None]) -> list[Corrected]:
    """Give verdicts (candidate, verdict, text), all in one transaction."""
    canon = load_canon(take_snapshot(workspace.root))
    connection = open_database(workspace.database)
    with transaction(connection):
        done = [
            correct(
                connection,
                word,
                Verdict(verdict=verdict, author="ann", body=body),
                lambda text, around: body_hits(text, canon, around=around),
            )
            for word, verdict, body in verdicts
        ]
    connection.close()
    return done
