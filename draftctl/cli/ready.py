"""Whether a run needs a GPU, and the droplet that is up already: `draft` without `--gpu auto` uses a ready lease and makes none."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from draftctl.cli.context import narrate
from draftctl.errors import DraftctlError

if TYPE_CHECKING:
    from draftctl.service import RunOptions
    from draftctl.settings import Settings
    from draftctl.store.leases import Lease


def needs_renting(settings: "Settings", options: "RunOptions") -> tuple[str | None, bool]:
    """Return the build that a GPU is rented for (None: none is needed), and whether there is anything to do about a GPU."""
    from draftctl.engine_id import TEMPLATE
    from draftctl.store import jobs, leases
    from draftctl.store.db import open_database

    connection = open_database(settings.database)
    try:
        engine = options.engine or jobs.setting(connection, "draft_engine") or TEMPLATE
        up = leases.open_lease(connection) is not None
    finally:
        connection.close()
    build = None if settings.values.inference.url else _served(settings, options, engine)
    return build, up or build is not None


def _served(settings: "Settings", options: "RunOptions", engine: str) -> str | None:
    """Return the build that a server is needed for: the engine's own, else the one that classifies; None where notes and rules do."""
    from draftctl.engine_id import TEMPLATE

    if engine != TEMPLATE:
        return engine
    if not options.all_stages:
        return None
    from draftctl.service import load_canon
    from draftctl.stage_files import classifying_build
    from draftctl.workspace import take_snapshot

    snapshot = take_snapshot(settings.root, working_tree=options.allow_dirty)
    try:
        return classifying_build(snapshot.files, load_canon(snapshot), engine)
    except DraftctlError:
        return None  # the run itself says what is wrong; a droplet that is up is looked after all the same


@contextmanager
def on_lease(settings: "Settings", options: "RunOptions") -> Iterator[tuple["RunOptions", tuple[str, str] | None]]:
    """Lead to the droplet that is up for this run's engine, if there is one; end it afterwards if its time is up."""
    from draftctl.engine_id import TEMPLATE
    from draftctl.store import jobs, leases
    from draftctl.store.db import open_database, transaction

    connection = open_database(settings.database)
    try:
        lease = leases.open_lease(connection)
        engine = options.engine or jobs.setting(connection, "draft_engine") or TEMPLATE
        usable = lease is not None and lease.state == "ready" and not lease.end_asked
        usable = usable and lease is not None and lease.engine_id == _served(settings, options, engine)
        if lease is None or settings.values.inference.url or not usable:
            yield options, None
        else:
            from draftctl.gpu.budget import SERVICE_S
            from draftctl.gpu.desk import lease_address
            from draftctl.gpu.forward import Forward
            from draftctl.gpu.keys import LeaseFiles
            from draftctl.gpu.ssh import connect

            held = lease
            lease_s = max(0.0, held.expires_at - time.time() - SERVICE_S)
            with Forward(
                lambda: connect(lease_address(settings.database, settings.values.gpu, held)),
                settings.values.gpu.remote_port,
            ) as forward:
                limits = replace(options.limits, time_budget_s=lease_s, drain_s=SERVICE_S)
                found = replace(
                    options, limits=limits, lease=held.id, attested=held.attested or "name", endpoints="gpu lease"
                )
                yield found, (forward.url, LeaseFiles(settings.database, held.id).api_key)
            with transaction(connection):
                leases.change(connection, held.id, last_work_at=time.time())
        lease = leases.open_lease(connection)  # somebody may have given it more time meanwhile
        if lease is not None and lease.by_hand and (lease.held_until or 0) <= time.time():
            _end(settings, lease)
    finally:
        connection.close()


def _end(settings: "Settings", lease: "Lease") -> None:
    """End a droplet that was started by hand and whose time is up."""
    from draftctl.cli.rental import managing
    from draftctl.cli.renting import take_down
    from draftctl.errors import DraftctlError
    from draftctl.store import leases

    try:
        with managing(settings, "draftctl draft", narrate) as manager:
            if leases.open_lease(manager.desk.connection) is not None and take_down(manager, time.monotonic() + 60):
                return
            narrate(
                f"draftctl: droplet {lease.droplet_id} is past its time and not gone yet; `draftctl gpu down` goes on"
            )
    except DraftctlError as error:
        narrate(f"draftctl: droplet {lease.droplet_id} is past its time, and could not be ended: {error.message}")
