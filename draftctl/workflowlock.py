"""`workflows/workflows.lock`: which content each version of a workflow stands for, one JSON object a line, committed. Pure.

A version that stands here with another hash is an error; one that is missing is a warning. Two branches that used one version for
two texts meet here as a merge conflict, which is where it should show.
"""

import json
from collections.abc import Iterable, Mapping

from draftctl.errors import FileProblems, Problem
from draftctl.models import canonical_json
from draftctl.workflow import Workflow

LOCK = "workflows/workflows.lock"
Locked = Mapping[tuple[str, str], str]


def read_lock(content: bytes | None) -> dict[tuple[str, str], str]:
    """Read the lock's bytes: the semantic hash by (id, version). Raises FileProblems with the bad line."""
    locked: dict[tuple[str, str], str] = {}
    for n, line in enumerate((content or b"").decode(errors="replace").splitlines(), start=1):
        if line.strip():
            key, digest = _read_line(line)
            if not digest or locked.get(key, digest) != digest:
                message = 'a line is {"id","semantic_hash","version"}, and a version stands here once; keep the one that was used first'
                raise FileProblems([Problem(path=LOCK, line=n, column=1, message=message, rule="E-LOCK", source=line)])
            locked[key] = digest
    return locked


def _read_line(line: str) -> tuple[tuple[str, str], str]:
    """Return a line's id, version and hash; the hash is empty where the line is none."""
    try:
        row = json.loads(line)
        return (str(row["id"]), str(row["version"])), str(row["semantic_hash"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ("", ""), ""


def write_lock(locked: Locked) -> str:
    """Return the lock's text, in order."""
    rows = [
        {"id": id_, "version": version, "semantic_hash": digest} for (id_, version), digest in sorted(locked.items())
    ]
    return "".join(canonical_json(row) + "\n" for row in rows)


def locked_otherwise(workflows: Iterable[Workflow], locked: Locked) -> dict[str, str]:
    """Return the workflows whose version is locked with other content, each with a sentence."""
    return {
        w.id: (
            f"{w.id} version {w.version} stands in {LOCK} with other content (there {locked[w.id, w.version][:8]}, now "
            f"{w.semantic_hash[:8]}); `draftctl workflow bump {w.id}`"
        )
        for w in workflows
        if locked.get((w.id, w.version), w.semantic_hash) != w.semantic_hash
    }
