"""The database file: how it is opened, locked down, migrated and locked for a run.

`journal_mode=DELETE, synchronous=FULL`: SQLite 3.7.0 to 3.51.2 can lose commits in WAL with two connections
(sqlite.org/wal.html#walresetbug), and a draft takes far longer than a commit.
"""

import contextlib
import fcntl
import json
import os
import socket
import sqlite3
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from draftctl.errors import LockHeld, StoreError
from draftctl.failpoints import reach
from draftctl.store.schema import MIGRATIONS, TRIGGERS

MIGRATION_SET = "draftctl"
BUSY_TIMEOUT_MS = 30_000
POLL_S = 0.001
_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA trusted_schema=OFF",
)


def utc_now() -> str:
    """Return the time as ISO 8601 text with zone, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def open_database(path: Path) -> sqlite3.Connection:
    """Open the workspace's database, making or migrating it as needed.

    Raises StoreError, in words for a person, for whatever keeps it from being used.
    """
    with store_errors(path):
        _prepare_files(path)
        connection = connect(path)
        try:
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Open one connection with every pragma that we rely on."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000)
    connection.row_factory = sqlite3.Row
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare_files(path: Path) -> None:
    """Make the folder (0700) and the file (0600) where they are missing; a file that others may read is closed to them."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o600)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    known = [name for name, _ in MIGRATIONS]
    applied = _applied(connection)
    newer = [name for name in applied if name not in known]
    if newer:
        raise StoreError(
            f"{path} was written by a newer draftctl (it has {newer[0]}), so this one leaves it alone.",
            hint="Install the newer version, or restore a backup that this one made.",
        )
    if len(applied) < len(known):
        # Loaded only when there is something to do: every other command starts 70 ms sooner.
        from sqlite_utils import Database, Migrations  # noqa: PLC0415

        migrations = Migrations(MIGRATION_SET)
        for name, ddl in MIGRATIONS:
            migrations(name=name)(_step(ddl))
        connection.execute(
            "PRAGMA foreign_keys=OFF"
        )  # a table is made anew (sqlite.org/lang_altertable.html, section 7)
        with run_lock(path, "migrate", wait=True):
            migrations.apply(Database(connection))
        connection.execute("PRAGMA foreign_keys=ON")


def _step(ddl: str) -> Any:
    def apply(database: Any) -> None:
        for statement in _statements(ddl):
            database.conn.execute(statement)
        reach("migrate.in_transaction")

    return apply


def _statements(ddl: str) -> Iterator[str]:
    """Split a script into statements (`executescript` would commit the migration's transaction)."""
    pending = ""
    for line in ddl.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _applied(connection: sqlite3.Connection) -> list[str]:
    tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()
    if tables is None:
        return []
    rows = connection.execute(
        "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY id", (MIGRATION_SET,)
    )
    return [row["name"] for row in rows]


def missing_triggers(connection: sqlite3.Connection) -> list[str]:
    """Return the triggers that keep the trail append-only and are not there."""
    there = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    return sorted(TRIGGERS - there)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run one write transaction: all of it or nothing."""
    _begin(connection)
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _begin(connection: sqlite3.Connection) -> None:
    """Begin in the first gap that a running batch leaves: SQLite's own waiting asks ever more seldom, and misses most of them."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def is_busy(error: sqlite3.OperationalError) -> bool:
    """Say whether an error means that another connection holds the lock."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


@contextlib.contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a StoreError that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: {error}.", hint=_hint(error)) from error
    except OSError as error:
        raise StoreError(f"{error.filename or path}: {error.strerror or error}.", hint=_hint(error)) from error


def _hint(error: Exception) -> str:
    text = str(error).lower()
    if "full" in text or "no space" in text:
        return "The disk is full. Everything committed is safe; free some space and run it again."
    if "readonly" in text or "read-only" in text or "permission" in text or "unable to open" in text:
        return "The database, or its folder, cannot be written; check who owns it."
    if "malformed" in text or "not a database" in text or "corrupt" in text:
        return "The file is damaged. Keep it, restore the last backup (`draftctl backup` makes them), and ingest again: the same lines are taken once."
    if "locked" in text:
        return f"Another program has held the database for {BUSY_TIMEOUT_MS // 1000} s. Close it and run again."
    return "`draftctl doctor` looks closer."


@contextlib.contextmanager
def run_lock(path: Path, command: str, *, suffix: str = "lock", wait: bool = False) -> Iterator[None]:
    """Hold the run lock: `flock` on `<db>.lock`. The kernel frees it when the process dies, however it dies.

    Raises LockHeld at once, naming the holder, unless told to wait.
    """
    descriptor = os.open(path.with_name(f"{path.name}.{suffix}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            holder = _holder(descriptor)
            raise LockHeld(f"Another run is at work: {holder}.", hint="It will see new work by itself.") from None
        note = {"command": command, "pid": os.getpid(), "host": socket.gethostname(), "since": utc_now()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Say whether a run is at work now. Its note in the lock's file stays as it is."""
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def lock_holder(path: Path) -> str | None:
    """Say who was last given the run lock, if that process is alive; the lock itself is left alone."""
    try:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        pid = int(json.loads(os.pread(descriptor, 4096, 0))["pid"])
        return _holder(descriptor) if is_alive(pid) else None
    except (ValueError, KeyError):
        return None
    finally:
        os.close(descriptor)


def is_alive(pid: int) -> bool:
    """Say whether a process of this host lives."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def _holder(descriptor: int) -> str:
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
        return f"`{note['command']}`, process {note['pid']} on {note['host']}, since {note['since']}"
    except (ValueError, KeyError):
        return "it has just started"
