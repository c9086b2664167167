"""While a batch runs: how long `status` and `show` wait for their answer, and other commands for their write (p50, p95, in ms)."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from draftctl.starter import make_workspace
from draftctl.store import people, views
from draftctl.store.db import open_database, transaction
from draftctl.store.jobs import set_setting


def spread(values: list[float]) -> str:
    values = sorted(values)
    return f"p50 {values[len(values) // 2] * 1000:.1f} ms, p95 {values[int(len(values) * 0.95)] * 1000:.1f} ms, max {values[-1] * 1000:.1f} ms (n={len(values)})"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "w"
        make_workspace(root, persona="Quinn", consented_by=None, consented_at=None)
        lines = [
            json.dumps(
                {
                    "id": f"m{n}",
                    "thread_id": f"t{n}",
                    "template_key": "①",
                    "messages": [{"role": "prospect", "text": f"hello {n}, friday?"}],
                }
            )
            for n in range(count)
        ]
        program = [sys.executable, "-m", "draftctl"]
        subprocess.run(
            [*program, "ingest", "-"], cwd=root, input="\n".join(lines).encode(), check=True, capture_output=True
        )
        idle = commands(program, root, 10)
        running = subprocess.Popen(
            [*program, "draft", "--batch"], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(1)
        reads, writes, busy = [], [], []
        connection = open_database(root / "var" / "draftctl.db")
        while running.poll() is None:
            for look in (
                lambda: views.status(connection),
                lambda: views.draft_whole(
                    connection,
                    people.find_candidate(connection, "m0"),
                    people.find_draft(connection, "m0"),
                    prompt=True,
                ),
            ):
                started = time.monotonic()
                look()
                reads.append(time.monotonic() - started)
            started = time.monotonic()
            with transaction(connection):
                set_setting(connection, "bench", str(started))
            writes.append(time.monotonic() - started)
            time.sleep(0.03)
            if len(reads) % 40 == 0:
                busy += commands(program, root, 1)
        connection.close()
        print(f"answers of status and show, while {count:,} candidates are drafted: {spread(reads)}")
        print(f"a write of another command meanwhile: {spread(writes)}")
        print(f"`draftctl status`, the whole process: idle {spread(idle)}")
        if busy:
            print(f"`draftctl status`, the whole process: while a batch runs {spread(busy)}")


def commands(program: list[str], root: Path, times: int) -> list[float]:
    took = []
    for _ in range(times):
        started = time.monotonic()
        subprocess.run([*program, "status"], cwd=root, check=True, capture_output=True)
        took.append(time.monotonic() - started)
    return took


if __name__ == "__main__":
    main()
