"""Few-shot retrieval: CPU milliseconds of one set of examples, in a pool of 5,000 and of 300,000 corrections.

    python -m benchmarks.bench_few_shot

Goals: p95 15 ms in 5,000 and 80 ms in 300,000. `all one note` is the worst case: every correction is in the scope.
"""

import random
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.corrections import KEYS, WORDS, connect, fill
from draftctl.corrections import scope_token
from draftctl.store.few_shot import retrieve
from draftctl.workflow import ExamplesRule

RUNS = 120


def measure(path: Path, scopes: list[list[str]]) -> tuple[float, float]:
    """Return the median and the 95th percentile of the CPU milliseconds of a retrieval, and count that something was found."""
    connection = connect(path)
    chance, spent, found = random.Random(3), [], 0
    rule = ExamplesRule(match=("templateKey",), most=4, max_chars=1200)
    for _ in range(RUNS):
        texts = [" ".join(chance.choices(WORDS, k=12)) for _ in range(20)]
        began = time.process_time()
        found += len(retrieve(connection, chance.choice(scopes), texts, rule=rule, in_training=lambda _person: True))
        spent.append(1000 * (time.process_time() - began))
    connection.close()
    assert found > RUNS
    return statistics.median(spent), sorted(spent)[int(0.95 * RUNS)]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        for count in (5_000, 300_000):
            path = Path(name) / str(count) / "draftctl.db"
            fill(path, count, index=True)
            by_note = [[scope_token("k", key)] for key in KEYS]
            for what, scopes in (("one of 17 notes", by_note), ("all one note", [[scope_token("a", "courteous")]])):
                middle, high = measure(path, scopes)
                print(f"{count:>7,} corrections, {what}: median {middle:.1f} ms, p95 {high:.1f} ms of CPU")


if __name__ == "__main__":
    main()
