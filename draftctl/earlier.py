"""What a workflow was before: its versions in Git, each with all that stood beside it then."""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from draftctl.loading import readable
from draftctl.workflow import Workflow
from draftctl.workspace import files_at, git

_MOST = 300
_FIELDS = ("%H", "%aI", "%an", "%s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit: its id, the author's time and name, and its subject."""

    id: str
    at: str
    author: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A workflow as it stood in a commit, with every file that stood beside it; None where nobody could read it then."""

    commit: Commit
    workflow: Workflow | None
    files: Mapping[str, bytes]


def commits_of(root: Path, *paths: str) -> list[Commit]:
    """Return the commits that changed some paths, the newest first; none where Git cannot be asked."""
    try:
        arguments = ("log", f"--max-count={_MOST}", "-z", f"--format={'%x1f'.join(_FIELDS)}", "HEAD", "--", *paths)
        rows = git(root, *arguments).decode(errors="replace").split("\0")
    except (OSError, subprocess.CalledProcessError):
        return []
    parts = [row.strip("\n").split("\x1f") for row in rows if row.strip()]
    return [Commit(id=id_, at=at, author=author, subject=subject) for id_, at, author, subject in parts]


def earlier(root: Path, workflow_id: str) -> Iterator[Earlier]:
    """Yield a workflow as it stood in each commit that changed it or a partial, the newest first."""
    path = f"workflows/{workflow_id}.yaml"
    for commit in commits_of(root, path, "workflows/partials"):
        files = files_at(root, commit.id)
        if path in files:
            yield Earlier(commit=commit, workflow=workflow_in(files, workflow_id), files=files)


def workflow_in(files: Mapping[str, bytes], workflow_id: str) -> Workflow | None:
    """Read one workflow of a commit's files by itself; None where it is not there or cannot be read."""
    return readable(files, workflow_id).get(workflow_id)
