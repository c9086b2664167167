"""Candidates per second and memory: a batch with everything on, beside the same decisions without persistence, in one run.

Usage: bench_batch.py [CANDIDATES]. The physical limit for the durable side is the disk's own commit rate, printed too.
"""

import asyncio
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from draftctl.batch import Batch, Limits, Report
from draftctl.engines.template import TemplateEngine
from draftctl.inbox import Accepted, parse_line
from draftctl.models import Person
from draftctl.runner import Deps, draft_one
from draftctl.service import load_canon, take_input
from draftctl.starter import make_workspace
from draftctl.store.db import connect
from draftctl.store.results import Provenance
from draftctl.workspace import take_snapshot

TEXTS = (
    "hi there, are you free this friday?",
    "hello?",
    "which day would suit you {n}",
    "bonjour, jeudi soir ?",
    "sorry, 20 min late",
    "thank you for a lovely evening {n}",
)


def inbox(count: int) -> Iterator[bytes]:
    for n in range(count):
        text = TEXTS[n % len(TEXTS)].format(n=n)
        yield (
            json.dumps(
                {
                    "id": f"m{n}",
                    "thread_id": f"t{n}",
                    "template_key": "①",
                    "messages": [{"role": "prospect", "text": text}],
                }
            ).encode()
            + b"\n"
        )


def rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def bare(deps: Deps, count: int) -> float:
    async def main() -> None:
        for line in inbox(count):
            read = parse_line(line.rstrip())
            assert isinstance(read, Accepted)
            await draft_one(read.candidate, Person(), deps)

    started = time.process_time()
    asyncio.run(main())
    return time.process_time() - started


def durable(database: Path, deps: Deps, count: int) -> tuple[float, float, float]:
    """Return CPU seconds, wall seconds, and the growth of memory from 10 % to 100 % (MB)."""
    marks: dict[int, float] = {}

    def watch(report: Report) -> None:
        if report.claimed in (count // 10, count):
            marks[report.claimed] = rss_mb()

    provenance = Provenance(run_id="bench", engine_id="template", git_commit=None, git_state="unknown", reopen_key="k")
    batch = Batch(
        database,
        deps,
        provenance,
        Limits(max_in_flight=256, time_budget_s=7200),
        watch=watch,
        alert=lambda _c, _p, _g: None,
    )
    cpu, wall = time.process_time(), time.monotonic()
    report = asyncio.run(batch.run())
    assert report.claimed == count, report
    return time.process_time() - cpu, time.monotonic() - wall, marks[count] - marks[count // 10]


def disk_commits_per_s(folder: Path) -> float:
    connection = connect(folder / "probe.db")
    connection.execute("CREATE TABLE t (x)")
    started, commits = time.monotonic(), 0
    while time.monotonic() - started < 1:
        connection.execute("INSERT INTO t VALUES (1)")
        commits += 1
    connection.close()
    return commits


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "w"
        make_workspace(root, persona="Quinn", consented_by=None, consented_at=None)
        deps = Deps(engine=TemplateEngine(), canon=load_canon(take_snapshot(root)))
        database = root / "var" / "draftctl.db"
        without = bare(deps, count)
        lines = root / "inbox.jsonl"
        with lines.open("wb") as out:
            out.writelines(inbox(count))
        started = time.monotonic()
        with lines.open("rb") as stream:
            take_input(database, stream, "bench")
        took = time.monotonic() - started
        print(f"disk: {disk_commits_per_s(root):,.0f} single-row commits/s (the limit of one commit a candidate)")
        print(f"ingest: {count / took:,.0f} lines/s")
        cpu, wall, growth = durable(database, deps, count)
        print(f"batch, everything durable: {count / wall:,.0f} candidates/s, {1000 * cpu / count:.2f} ms CPU each")
        print(
            f"the same decisions, nothing kept: {count / without:,.0f} candidates/s, {1000 * without / count:.2f} ms CPU each"
        )
        print(f"ratio CPU with/without persistence: {cpu / without:.2f}")
        print(
            f"memory: {growth:+.1f} MB from 10 % to 100 % of {count:,} candidates, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB"
        )
        size = database.stat().st_size
        print(
            f"database: {size / count:,.0f} bytes a candidate; sqlite {sqlite3.sqlite_version}; {subprocess.run(['uname', '-m'], capture_output=True, text=True, check=True).stdout.strip()}"
        )


if __name__ == "__main__":
    main()
