"""Chains of three requests against a server with 200 ms latency: everything durable, beside a bare aiohttp loop in the same run.

Usage: bench_chains.py [SECONDS] [IN_FLIGHT...]. The limit is Little's law: in flight / (3 x 0.2 s) chains a second. The server is a
process of its own. CPU is this process alone; it is a ratio to the bare loop, which renders, checks and keeps nothing.
`bench_chains.py --memory CHAINS` runs so many chains without latency and prints how memory grows.
"""

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.bench_batch import rss_mb
from draftctl.batch import Batch, Limits, Report
from draftctl.engines.chat import ChatEngine
from draftctl.manifest import engine_ids
from draftctl.runner import Deps
from draftctl.service import RunOptions, load_canon, load_manifest, load_run_chains, take_input
from draftctl.starter import make_workspace
from draftctl.store.db import open_database
from draftctl.store.results import Provenance
from draftctl.workspace import take_snapshot

LATENCY_S = 0.2
STEPS = 3
SERVER = Path(__file__).resolve().parent.parent / "tests" / "played_server.py"
TEXTS = (
    "hi there, are you free this friday?",
    "hello, i found your page and liked it",
    "bonjour, jeudi soir ?",
    "which day would suit you",
)


@contextmanager
def served(model: str, latency_s: float) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, str(SERVER), model, str(latency_s)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def inbox(count: int, tag: str) -> Iterator[bytes]:
    for n in range(count):
        text = f"{TEXTS[n % len(TEXTS)]} it is number {n}"
        yield json.dumps({
            "id": f"{tag}{n}", "thread_id": f"{tag}t{n}", "archetype": "courteous", "state": "new", "template_key": "①",
            "messages": [{"role": "prospect", "text": text}], "atoms": {"name": "Ben"},
        }).encode() + b"\n"  # fmt: skip


def bare(url: str, model: str, count: int, in_flight: int) -> tuple[float, float]:
    """Return CPU and wall seconds of the same requests with nothing around them."""
    context = "x" * 1500

    async def chain(session: aiohttp.ClientSession, n: int) -> None:
        messages = [{"role": "user", "content": f"{context}{n}>>>\n\nThink: what"}]
        for _ in range(STEPS):
            body = json.dumps({"model": model, "messages": messages, "max_tokens": 256}).encode()
            async with session.post(f"{url}/v1/chat/completions", data=body) as response:
                value = json.loads(await response.read())
            messages += [value["choices"][0]["message"], {"role": "user", "content": "Think: " + "y" * 120}]

    async def main() -> None:
        numbers = iter(range(count))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def worker() -> None:
                for n in numbers:
                    await chain(session, n)

            await asyncio.gather(*(worker() for _ in range(in_flight)))

    cpu, wall = time.process_time(), time.monotonic()
    asyncio.run(main())
    return time.process_time() - cpu, time.monotonic() - wall


def ours(
    root: Path, url: str, model: str, count: int, in_flight: int, tag: str
) -> tuple[float, float, Report, dict[int, float]]:
    """Return CPU and wall seconds, the report, and the memory by chains done (MB)."""
    database = root / "var" / "draftctl.db"
    lines = root / f"{tag}.jsonl"
    with lines.open("wb") as out:
        out.writelines(inbox(count, tag))
    with lines.open("rb") as stream:
        take_input(database, stream, tag)
    snapshot = take_snapshot(root)
    canon, manifest = load_canon(snapshot), load_manifest(snapshot, model)
    assert manifest is not None
    connection = open_database(database)
    chains = load_run_chains(connection, snapshot, canon, manifest, RunOptions(command="bench"))
    connection.close()
    memory: dict[int, float] = {}

    def watch(report: Report) -> None:
        if report.claimed % max(1, count // 10) == 0:
            memory[report.claimed] = rss_mb()

    async def main() -> Report:
        deps = Deps(engine=ChatEngine(model, [url]), canon=canon, chains=chains)
        provenance = Provenance(
            run_id=f"bench-{tag}", engine_id=model, git_commit=None, git_state="clean", reopen_key="k"
        )
        limits = Limits(max_in_flight=in_flight, time_budget_s=7200)
        return await Batch(database, deps, provenance, limits, watch=watch, alert=lambda _c, _p, _g: None).run()

    gc.collect()
    gc.freeze()  # as the service does
    gc.set_threshold(10_000, 20, 50)
    cpu, wall = time.process_time(), time.monotonic()
    report = asyncio.run(main())
    done = time.process_time() - cpu, time.monotonic() - wall
    assert (report.drafted, report.requests) == (count, STEPS * count), report
    return *done, report, memory


def compare(root: Path, model: str, seconds: float, in_flight: int) -> None:
    bound = in_flight / (STEPS * LATENCY_S)
    count = int(bound * seconds)
    with served(model, LATENCY_S) as url:
        bare_cpu, bare_wall = bare(url, model, count, in_flight)
        cpu, wall, _, _ = ours(root, url, model, count, in_flight, f"c{in_flight}-")
    ms, bare_ms = 1000 * cpu / (STEPS * count), 1000 * bare_cpu / (STEPS * count)
    print(f"{in_flight} in flight, {count:,} chains; the limit is {bound:.1f} chains/s")
    print(
        f"  bare aiohttp loop      {count / bare_wall:7.1f} chains/s = {count / bare_wall / bound:.2f} of it, {bare_ms:.3f} ms CPU a request"
    )
    print(
        f"  draftctl, all durable  {count / wall:7.1f} chains/s = {count / wall / bound:.2f} of it, {ms:.3f} ms CPU a request, {ms / bare_ms:.2f}x"
    )


def grow(root: Path, model: str, count: int) -> None:
    with served(model, 0) as url:
        cpu, wall, _, memory = ours(root, url, model, count, 64, "m")
    marks = sorted(memory)
    print(
        f"{count:,} chains in {wall:.0f} s ({count / wall:.0f} chains/s, {1000 * cpu / count / STEPS:.3f} ms CPU a request)"
    )
    print(
        f"  memory {memory[marks[0]]:.1f} MB at {marks[0]:,}, {memory[marks[-1]]:.1f} MB at {marks[-1]:,}: {memory[marks[-1]] - memory[marks[0]]:+.1f} MB"
    )


def main() -> None:
    arguments: list[Any] = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "w"
        make_workspace(root, persona="Quinn", consented_by=None, consented_at=None)
        model = engine_ids(take_snapshot(root).files)[0]
        if arguments and arguments[0] == "--memory":
            grow(root, model, int(arguments[1]))
            return
        seconds = float(arguments[0]) if arguments else 20
        for in_flight in map(int, arguments[1:] or ["64", "256"]):
            compare(root, model, seconds, in_flight)


if __name__ == "__main__":
    main()
