"""A run on a throw-away copy of the database: every decision is made, and nothing is written."""

import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

from draftctl.ingest import Stream
from draftctl.service import MakeEngine, RunOptions, RunResult, run, take_input
from draftctl.store.db import open_database


def rehearse(
    root: Path, database: Path, options: RunOptions, make_engine: MakeEngine, stream: Stream | None, source: str
) -> RunResult:
    """Do the whole run on a throw-away copy of the database: the same decisions, and nothing is written."""
    with tempfile.TemporaryDirectory(prefix="draftctl-dry-run-") as folder:
        copy = Path(folder) / "draftctl.db"
        source_connection, target = open_database(database), sqlite3.connect(copy)
        source_connection.backup(target)
        target.close()
        source_connection.close()
        taken = take_input(copy, stream, source) if stream else None
        result = run(root, copy, options, make_engine, taken=taken)
        return replace(result, counts={**result.counts, "dry_run": True})
