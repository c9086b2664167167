"""The long one: 100,000 streamed candidates, memory flat. Run by `make soak`."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.soak
def test_memory_stays_flat_over_100_000_candidates(record_property: Callable[[str, object], None]) -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "benchmarks" / "bench_batch.py", "100000"],
        capture_output=True,
        text=True,
        check=True,
    )
    for text in done.stdout.splitlines():
        record_property("figure", text)
    growth = re.search(r"memory: ([+-][0-9.]+) MB", done.stdout)
    assert growth
    assert float(growth[1]) <= 8
