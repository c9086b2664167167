"""The one writer: takes what the workers want written, in groups, each group one commit, and answers after the commit.

Per-row inserts that commit on the event loop cost 85 % of the throughput; grouped they cost next to nothing. The statements of a
group run on the loop, 30 ms at most, and only the commit, which waits for the disk, goes to a thread: sqlite3 gives up
the interpreter at every statement, and a thread that has to win it back each time slows everybody down. Between two commits the
writer leaves a gap, at least 3 ms and a quarter of what the last group took, so that other commands get in and a group is worth its
commit.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from draftctl.failpoints import reach
from draftctl.store.db import BUSY_TIMEOUT_MS, POLL_S, connect, is_busy, store_errors

Job = Callable[[sqlite3.Connection], Any]
_Item = tuple[Job, "asyncio.Future[Any] | None"]
T = TypeVar("T")

GROUP_S = 0.03  # no group keeps the loop longer than about this
GAP_S = 0.003
GAP_SHARE = 0.25


class Writer:
    """Takes jobs (functions of a connection) from an event loop; each is all or nothing, and a group is one commit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: deque[_Item] = deque()
        self._some = asyncio.Event()
        self._last = False
        self._connection: sqlite3.Connection | None = None
        self.lost: Exception | None = None  # what went wrong with a job that nobody waits for
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="draftctl-disk")

    def start(self) -> None:
        """Start to work, on the loop that runs."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Write what is waiting, then end."""
        self._last = True
        self._some.set()
        await self._task
        self._disk.shutdown()

    async def do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job in the next group and return its value once it is committed. Raises what the job raised, or StoreError."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put((job, future))
        return await future

    def post(self, job: Job) -> None:
        """Run a job of one statement in the next group, and let nobody wait for it; it is committed before any that comes after it."""
        self._put((job, None))

    def _put(self, item: _Item) -> None:
        self._jobs.append(item)
        self._some.set()

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            while self._jobs:
                started = time.monotonic()
                await self._write_group()
                await asyncio.sleep(max(GAP_S, GAP_SHARE * (time.monotonic() - started)))
            if self._last:
                break
        if self._connection is not None:
            self._connection.close()

    async def _write_group(self) -> None:
        """Run as many of the waiting jobs as fit, commit them, answer them; when the group is lost each of them hears of it."""
        group: list[_Item] = []
        done: list[Any] = []
        try:
            with store_errors(self._path):
                connection = self._connection = self._connection or _open(self._path)
                await _begin(connection)
                try:
                    self._run_jobs(connection, group, done)
                    reach("write.before_commit")
                    await asyncio.get_running_loop().run_in_executor(self._disk, _commit, connection)
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            reach("write.after_commit")
        except Exception as error:  # noqa: BLE001  (whatever it is, whoever waits must hear of it: nobody else answers them)
            group = group or [self._jobs.popleft()]
            done = [error] * len(group)
        self._answer(group, done)

    def _run_jobs(self, connection: sqlite3.Connection, group: list[_Item], done: list[Any]) -> None:
        """Run the jobs that wait, each under a savepoint of its own; raise sqlite3.Error when the whole group is lost."""
        enough = time.monotonic() + GROUP_S
        while self._jobs and time.monotonic() < enough:
            group.append(self._jobs.popleft())
            job, future = group[-1]
            done.append(_one(connection, job) if future is not None else job(connection))
            reach("write.in_transaction")

    def _answer(self, group: list[_Item], values: list[Any]) -> None:
        for (_, future), value in zip(group, values, strict=True):
            failed = isinstance(value, Exception)
            if future is None:
                self.lost = self.lost or (value if failed else None)
            elif not future.cancelled():
                future.set_exception(value) if failed else future.set_result(value)


def _open(path: Path) -> sqlite3.Connection:
    """Open a connection that never waits for a lock by itself: the loop must not stand still."""
    connection = connect(path)
    connection.execute("PRAGMA busy_timeout=0")
    return connection


async def _begin(connection: sqlite3.Connection) -> None:
    """Begin as soon as no other command writes."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            await asyncio.sleep(POLL_S)
        else:
            return


def _commit(connection: sqlite3.Connection) -> None:
    """Commit, waiting for readers to let go; this runs in a thread."""
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    try:
        connection.execute("COMMIT")
    finally:
        connection.execute("PRAGMA busy_timeout=0")


def _one(connection: sqlite3.Connection, job: Job) -> Any:
    connection.execute("SAVEPOINT job")
    try:
        value = job(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise  # SQLite itself rolled everything back: the disk is full, or worse
        connection.execute("ROLLBACK TO job")
        value = error
    connection.execute("RELEASE job")
    return value
