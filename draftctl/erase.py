"""`forget` and `purge`: texts out, in short transactions, and the data sets and builds named that were made of them."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from draftctl.errors import FileProblems, UsageError
from draftctl.failpoints import reach
from draftctl.manifest import Manifest, parse_manifest
from draftctl.store import audit, erasure, tried
from draftctl.store.backup import made_since
from draftctl.store.db import transaction
from draftctl.store.erasure import Erased
from draftctl.store.export_rows import flagged_persons
from draftctl.store.people import person_meant

_GROUP = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """What a purge takes: texts and think steps older than so many days; `keep_training` leaves the redacted training texts."""

    texts_days: int
    think_days: int
    keep_training: bool = False


def forget(connection: sqlite3.Connection, word: str, manifests: Mapping[str, Manifest], *, by: str) -> dict[str, Any]:
    """Erase all that is known of a person but their ids; return what went, and who holds copies. Raises UsageError for a stranger."""
    with transaction(connection):
        of_trials = tried.erase(connection, [word])  # also of somebody who never came in here
        if of_trials:
            audit.append(connection, kind="forget", subject=word, actor=by, detail={"tried": of_trials})
    person = person_meant(connection, word)
    if not connection.execute("SELECT 1 FROM candidates WHERE person_id = ? LIMIT 1", (person,)).fetchone():
        if of_trials:
            return {**_result(connection, Erased(), manifests), "tried": of_trials}
        raise UsageError(f"Nobody here is {word!r}.", hint="A person's id, or that of one of their candidates.")
    done = Erased()
    with transaction(connection):
        ids = erasure.candidates_of(connection, person)
        erasure.erase(connection, ids, done, by=by, why="forget")
        names = erasure.names_of(connection, person)
        of_trials += tried.erase(connection, [*names, *ids])
        erasure.purge_rejects(connection, done, words=[*names, *ids])
        reach("erase.in_transaction")
        erasure.drop_training(connection, done, person_id=person)
        erasure.sweep(connection)
        audit.append(connection, kind="forget", subject=person, actor=by, detail={"candidates": done.candidates})
    return {**_result(connection, done, manifests), "tried": of_trials}


def purge(
    connection: sqlite3.Connection,
    options: Purge,
    manifests: Mapping[str, Manifest],
    *,
    by: str,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Erase what is older than it may get; a hundred at a time, so that a running batch goes on."""
    now = now or datetime.now(UTC)
    done = Erased()
    texts_before, think_before = (
        (now - timedelta(days=days)).isoformat(timespec="milliseconds")
        for days in (options.texts_days, options.think_days)
    )
    while True:
        with transaction(connection):
            ids = erasure.old_candidates(connection, texts_before, _GROUP)
            erasure.erase(connection, ids, done, by=by, why="purge", keep_training=options.keep_training)
        if not ids:
            break
    while True:
        with transaction(connection):
            purged = erasure.purge_steps(connection, think_before, _GROUP, done, by=by)
        if not purged:
            break
    with transaction(connection):
        erasure.purge_rejects(connection, done, before=texts_before)
        tried.erase_before(connection, texts_before)
        if not options.keep_training:
            erasure.drop_training(connection, done)
        erasure.sweep(connection)
    return _result(connection, done, manifests)


def _result(connection: sqlite3.Connection, done: Erased, manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    exports = erasure.exports_with(connection, done.correction_ids)
    return {
        "candidates": done.candidates,
        "corrections": done.corrections,
        "think_steps_of": done.steps,
        "rejects": done.rejects,
        "exports": exports,
        "builds": builds_of({export["dataset_id"] for export in exports}, manifests),
        "backups": made_since(connection, done.first_at) if done.first_at else [],
    }


def withdrawn(connection: sqlite3.Connection, manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    """Return the earlier exports, and the builds of them, that hold corrections of persons who were flagged since."""
    flagged = erasure.flagged_corrections(connection, flagged_persons(connection))
    exports = erasure.exports_with(connection, flagged)
    return {"exports": exports, "builds": builds_of({export["dataset_id"] for export in exports}, manifests)}


def builds_of(datasets: set[str], manifests: Mapping[str, Manifest]) -> list[str]:
    """Return the builds that were trained on any of some data sets, and those that descend from them."""
    found = {id_ for id_, manifest in manifests.items() if manifest.dataset in datasets}
    while more := {id_ for id_, manifest in manifests.items() if manifest.parent in found and id_ not in found}:
        found |= more
    return sorted(found)


def readable_manifests(files: Mapping[str, bytes]) -> dict[str, Manifest]:
    """Return the manifests of a workspace that can be read, by engine id."""
    found = {}
    for path, content in files.items():
        if path.startswith("engines/") and path.endswith(".yaml"):
            try:
                manifest = parse_manifest(content, path)
            except FileProblems:
                continue
            found[manifest.id] = manifest
    return found
