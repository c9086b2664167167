"""A million corrections out as a data set, redaction on: CPU seconds and memory of the whole command, beside a plain walk and dump.

    python -m benchmarks.bench_export [COUNT]

Goal: 15 CPU seconds and 100 MB for 1,000,000. The texts were redacted when the verdicts were given; what that costs for each is
printed, and what an export costs that has to redact everything again.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.corrections import fill

_PLAIN = """
import sqlite3, sys, orjson
connection = sqlite3.connect(sys.argv[1])
with open(sys.argv[2], "wb") as out:
    for row in connection.execute("SELECT prompt, inbound, original, final FROM training_texts ORDER BY correction_id"):
        out.write(orjson.dumps(row) + b"\\n")
"""


def child(*command: str) -> tuple[float, float]:
    """Run a command; return its CPU seconds and its largest memory (MB)."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
        "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime, u.ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    cpu, memory = done.stdout.split()
    return float(cpu), float(memory)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "draftctl.yaml").write_text("export: {salt: bench}\n")
        database = folder / "var" / "draftctl.db"
        each = fill(database, count)
        print(f"redacting at the verdict: {1e6 * each:.0f} us of CPU a correction")
        plain, _ = child(sys.executable, "-c", _PLAIN, str(database), str(folder / "plain.jsonl"))
        base = [sys.executable, "-m", "draftctl", "--workspace", str(folder), "export-corrections", "--engine", "all"]
        for format_ in ("sft", "kto", "dpo"):
            out = folder / format_
            began = time.monotonic()
            cpu, memory = child(*base, "--format", format_, "--out", str(out))
            manifest = json.loads((out / "manifest.json").read_text())
            size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
            print(
                f"{format_}: {manifest['counts']['rows']:,} rows of {count:,} corrections, {size:,.0f} MB, {cpu:.1f} CPU s "
                f"({cpu / plain:.1f} x a plain walk and dump, {1e6 * cpu / count:.1f} us each), {time.monotonic() - began:.1f} s, {memory:.0f} MB"
            )
            assert sum(manifest["dropped"].values()) + manifest["counts"]["kept"] == manifest["counts"]["input"]
    print(f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
