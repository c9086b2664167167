"""The next item of a review: from the key to the drawn screen, with 100,000 drafts waiting; beside one commit of SQLite on this disk.

    python -m benchmarks.bench_review

Goal: 50 ms.
"""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from draftctl.models import canonical_json
from draftctl.review_session import ReviewSession
from draftctl.store.db import open_database, transaction
from draftctl.tui import ReviewApp

COUNT = 100_000
KEYS = 60


def fill(path: Path) -> None:
    """Put drafts in that wait for a person."""
    connection = open_database(path)
    connection.execute("PRAGMA foreign_keys=OFF")
    payload = {"messages": [{"role": "prospect", "text": "hello, are you free on friday?"}], "atoms": {}}
    now = "2026-11-25T10:00:00.000+00:00"
    with transaction(connection):
        connection.executemany(
            "INSERT INTO candidates (id, thread_id, person_id, template_key, status, payload, payload_sha256, digest_key, ingested_at, updated_at) "
            "VALUES (?, ?, ?, '①', 'drafted', ?, 'x', randomblob(16), ?, ?)",
            (
                (f"c{n}", f"t{n}", f"t{n}", canonical_json({**payload, "id": f"c{n}", "thread_id": f"t{n}"}), now, now)
                for n in range(COUNT)
            ),
        )
        connection.executemany(
            "INSERT INTO drafts (id, candidate_id, thread_id, engine_id, template_key, git_state, status, body, created_at) "
            "VALUES (?, ?, ?, 'template', '①', 'clean', 'drafted', 'Hello, and thank you. Which day?', ?)",
            ((f"d{n}", f"c{n}", f"t{n}", now) for n in range(COUNT)),
        )
    connection.close()


def commits(path: Path) -> list[float]:
    """Return the milliseconds of plain commits of one row, with the same pragmas."""
    connection = open_database(path)
    spent = []
    for n in range(KEYS):
        began = time.perf_counter()
        with transaction(connection):
            connection.execute("INSERT INTO prospector_settings VALUES (?, 'x', 'x')", (f"bench{n}",))
        spent.append(1000 * (time.perf_counter() - began))
    connection.close()
    return spent


async def drive(connection: sqlite3.Connection) -> tuple[list[float], list[float]]:
    """Approve with one key after the other; return the milliseconds until the next item is drawn, and those of CPU."""
    from draftctl.canon import Canon  # noqa: PLC0415
    from draftctl.screening import body_hits  # noqa: PLC0415

    canon = Canon(notes={})
    session = ReviewSession(
        connection, reviewer="bench", body_hits=lambda text, around: body_hits(text, canon, around=around)
    )
    app = ReviewApp(session)
    wall, cpu = [], []
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(KEYS):
            before = session.item
            began, worked = time.perf_counter(), time.process_time()
            app.on_key(_Key("a"))
            app.screen._compositor  # noqa: B018, SLF001
            await pilot.pause(0)
            wall.append(1000 * (time.perf_counter() - began))
            cpu.append(1000 * (time.process_time() - worked))
            assert session.item is not before
    return wall, cpu


class _Key:
    def __init__(self, character: str) -> None:
        self.key = self.character = character

    def stop(self) -> None:
        """Do nothing."""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "draftctl.db"
        fill(path)
        plain = commits(path)
        connection = open_database(path)
        wall, cpu = asyncio.run(drive(connection))
        connection.close()
        print(
            f"one commit: median {statistics.median(plain):.1f} ms; a key takes two: the verdict, and the next item's lease"
        )
        print(
            f"key to the next item drawn, {COUNT:,} waiting: median {statistics.median(wall):.1f} ms, p95 {sorted(wall)[int(0.95 * KEYS)]:.1f} ms"
        )
        print(
            f"of that CPU: median {statistics.median(cpu):.1f} ms ({statistics.median(wall) / (2 * statistics.median(plain)):.1f} x its commits)"
        )


if __name__ == "__main__":
    main()
