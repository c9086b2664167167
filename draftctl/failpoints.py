"""Named points at which a test may kill the process: `DRAFTCTL_FAILPOINT=name` or `name:3` for the third time it is reached."""

import os
import signal
from collections import Counter

POINTS = (
    "ingest.before_commit",
    "ingest.after_commit",
    "claim.after_commit",
    "write.in_transaction",
    "write.before_commit",
    "write.after_commit",
    "run.before_finish",
    "correct.in_transaction",
    "dispatch.after_intent",
    "dispatch.after_write",
    "backup.before_rename",
    "save.written",
    "save.committed",
    "export.before_rename",
    "erase.in_transaction",
    "migrate.in_transaction",
    "gpu.after_intent",
    "gpu.after_price",
    "gpu.after_create",
    "gpu.after_booting",
    "gpu.before_rotate",
    "gpu.after_rotate",
    "gpu.after_ssh",
    "gpu.after_upload",
    "gpu.after_start",
    "gpu.after_provisioned",
    "gpu.after_ready",
    "gpu.after_releasing",
    "gpu.after_destroy",
    "gpu.after_gone",
    "gpu.after_closed",
)
_reached: Counter[str] = Counter()


def reach(point: str) -> None:
    """Die here by SIGKILL if the environment says so; else do nothing."""
    wanted = os.environ.get("DRAFTCTL_FAILPOINT")
    if not wanted:
        return
    name, _, nth = wanted.partition(":")
    if name == point:
        _reached[point] += 1
        if _reached[point] >= int(nth or 1):
            os.kill(os.getpid(), signal.SIGKILL)
