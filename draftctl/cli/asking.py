"""The server that a test or a trial asks: the one that is named, or the droplet that is up; nothing is rented for it."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from draftctl.cli.context import database, settings_of
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from draftctl.engines.base import Completion, Engine, Request
    from draftctl.manifest import Manifest


class Brakes:
    """An engine that asks before each request whether everything was paused meanwhile."""

    def __init__(self, engine: "Engine", database: Path) -> None:
        self.id = engine.id
        self._engine = engine
        self._database = database

    @property
    def sent(self) -> int:
        """Return how many requests went out."""
        return self._engine.sent

    async def complete(self, request: "Request") -> "Completion":
        """Answer one request, unless everything is paused."""
        from contextlib import closing

        from draftctl.store import jobs
        from draftctl.store.db import open_database

        with closing(open_database(self._database)) as connection:
            why = jobs.paused(connection)
        if why is not None:
            raise UsageError(f"Everything is paused: {why}.", hint="`draftctl resume --by NAME` goes on.")
        return await self._engine.complete(request)

    async def close(self) -> None:
        """Let go of the engine."""
        await self._engine.close()


@contextmanager
def serving(ctx: typer.Context, manifest: "Manifest") -> "Iterator[Callable[[], Engine]]":
    """Lead to the server that is named, or to the droplet that is up for this build; a trial rents none.

    Raises UsageError where there is none, or where all is paused.
    """
    from draftctl.cli.adapters import engine_maker, served_engine
    from draftctl.cli.ready import on_lease
    from draftctl.service import RunOptions
    from draftctl.store import jobs

    settings = settings_of(ctx)
    with database(ctx) as connection:
        paused = jobs.paused(connection)
    if paused is not None:
        raise UsageError(f"Everything is paused: {paused}.", hint="`draftctl resume --by NAME` goes on.")
    with on_lease(settings, RunOptions(command="a trial of a workflow", engine=manifest.id)) as (_, address):
        if address is not None:
            yield lambda: Brakes(served_engine(settings, manifest.id, manifest, *address), settings.database)
        elif settings.values.inference.url:
            yield lambda: Brakes(engine_maker(settings)(manifest.id, manifest), settings.database)
        else:
            raise UsageError(
                f"There is no server to ask: GPU_INFERENCE_URL is not set, and no droplet is up for {manifest.id}.",
                hint=f"`draftctl gpu up --engine {manifest.id}` starts one.",
            )
