"""What the batches of one residence did together: one result for scripts."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from draftctl.service import EXIT_REJECTS, RunResult


@dataclass(slots=True)
class Tally:
    """What all batches of a residence did together."""

    counts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    exit_code: int = 0

    @property
    def claimed(self) -> int:
        """Return how many candidates were decided on."""
        return int(self.counts.get("claimed", 0))

    def add(self, result: RunResult) -> None:
        """Add one batch."""
        self.notes += [note for note in result.notes if note not in self.notes]
        rejected = self.exit_code if self.exit_code == EXIT_REJECTS else 0
        self.exit_code = result.exit_code or rejected  # a server that answers again is no failure any more
        if not self.counts:
            self.counts = dict(result.counts)
            return
        for name in ("claimed", "drafted", "held", "requests", "prompt_tokens", "cached_tokens", "completion_tokens"):
            self.counts[name] += result.counts[name]
        self.counts["elapsed_s"] = round(self.counts["elapsed_s"] + result.counts["elapsed_s"], 3)
        self.counts["holds"] = dict(sorted((Counter(self.counts["holds"]) + Counter(result.counts["holds"])).items()))
        self.counts |= {name: result.counts[name] for name in ("run_id", "stopped", "waiting")}
