"""What `save` does, decided before anything is written: which workflows get their next version, what the lock then says. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from draftctl.errors import UsageError
from draftctl.workflow import Workflow, with_version
from draftctl.workflowlock import LOCK, Locked, write_lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """What is to be written: the new versions by id (old, new), and the files' texts by path; nothing where all stands as it should."""

    bumps: Mapping[str, tuple[str, str]]
    files: Mapping[str, str]


def plan_save(
    workflows: Mapping[str, Workflow], texts: Mapping[str, str], locks: tuple[Locked, Locked], used: Locked
) -> Save:
    """Decide what a save writes.

    `texts` are the workflows' files by path, `locks` the committed lock and the one that lies there, `used` the versions that made drafts.
    A version whose content was never committed or used may still change; any other content gets the next version.
    Raises UsageError for a version that nobody can count on from.
    """
    committed, lying = locks
    stands = {**used, **committed}
    bumps: dict[str, tuple[str, str]] = {}
    locked = {**lying, **{key: digest for key, digest in used.items() if key in lying}, **committed}
    files: dict[str, str] = {}
    for workflow in workflows.values():
        version = workflow.version
        if stands.get((workflow.id, version), workflow.semantic_hash) != workflow.semantic_hash:
            version = next_version(workflow, [*stands, *lying])
            bumps[workflow.id] = (workflow.version, version)
            files[workflow.path] = with_version(texts[workflow.path], workflow, version)
        locked[workflow.id, version] = workflow.semantic_hash
    if locked != dict(lying):
        files[LOCK] = write_lock(locked)
    return Save(bumps=bumps, files=files)


def next_version(workflow: Workflow, known: Collection[tuple[str, str]]) -> str:
    """Return the number after all that a workflow has had. Raises UsageError for a version that is no number."""
    if not is_number(workflow.version):
        raise UsageError(
            f"{workflow.path} has changed, and its version {workflow.version!r} is no number, so nobody can count on from it.",
            hint="Write the next one into the file yourself (`version:`), or `draftctl workflow bump ID --to VERSION`.",
        )
    taken = [int(version) for id_, version in known if id_ == workflow.id and is_number(version)]
    return str(max([int(workflow.version), *taken]) + 1)


def is_number(version: str) -> bool:
    """Say whether a version can be counted on from."""
    return version.isascii() and version.isdecimal()
