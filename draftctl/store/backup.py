"""A verified copy of the database: VACUUM INTO a new file, checked as a copy, then given its name."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from draftctl.errors import StoreError
from draftctl.failpoints import reach
from draftctl.store import audit
from draftctl.store.db import store_errors, transaction, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A finished backup: where it is, how large (bytes), how many audit rows it holds, and the head hash to note elsewhere."""

    path: Path
    bytes: int
    rows: int
    head: str


def back_up(connection: sqlite3.Connection, folder: Path, *, keep: int) -> Backup:
    """Copy the database into `folder`, verify the copy, and keep the newest `keep` of them.

    Raises StoreError, and leaves no half backup, when anything is wrong.
    """
    stamp = utc_now().replace(":", "").replace(".", "-").split("+")[0]
    final, partial = folder / f"draftctl-{stamp}.db", folder / f".draftctl-{stamp}.partial"
    with store_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            connection.execute("VACUUM INTO ?", (str(partial),))
            verdict = _verify(partial)
            reach("backup.before_rename")
            _sync(partial)
            partial.rename(final)
            _sync(folder)
        finally:
            partial.unlink(missing_ok=True)
        for old in sorted(folder.glob("draftctl-*.db"))[:-keep]:
            old.unlink()
    with transaction(connection):
        connection.execute("INSERT OR REPLACE INTO backups VALUES (?, ?)", (str(final.resolve()), utc_now()))
    return Backup(path=final, bytes=final.stat().st_size, rows=verdict.rows, head=verdict.head)


def made_since(connection: sqlite3.Connection, since: str) -> list[str]:
    """Return the backups that were made since a time and are still where they were made; they keep what is erased from the database."""
    rows = connection.execute("SELECT path FROM backups WHERE created_at >= ? ORDER BY created_at", (since,)).fetchall()
    return [row["path"] for row in rows if Path(row["path"]).exists()]


def _verify(path: Path) -> audit.Verdict:
    copy = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    copy.row_factory = sqlite3.Row
    try:
        said = copy.execute("PRAGMA integrity_check").fetchone()[0]
        verdict = audit.verify(copy)
    finally:
        copy.close()
    if said != "ok" or not verdict.ok:
        reason = said if said != "ok" else verdict.reason
        raise StoreError(
            f"The backup was not kept: the copy does not verify ({reason}).",
            hint="`draftctl audit verify` looks at the original.",
        )
    return verdict


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
