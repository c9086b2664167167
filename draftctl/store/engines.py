"""Which engine is the active one: `prospector_settings.draft_engine`, flipped by name, audited, and flipped back."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from draftctl.engine_id import TEMPLATE
from draftctl.errors import UsageError
from draftctl.manifest import Manifest
from draftctl.models import canonical_json
from draftctl.store import audit, jobs
from draftctl.store.db import utc_now


def record_probe(connection: sqlite3.Connection, engine_id: str, result: Mapping[str, Any], *, ok: bool) -> None:
    """Keep what a probe found; the newest one counts."""
    connection.execute(
        "INSERT INTO engine_probes (engine_id, ok, result, at) VALUES (?, ?, ?, ?)",
        (engine_id, ok, canonical_json(result), utc_now()),
    )


def last_probe(connection: sqlite3.Connection, engine_id: str) -> dict[str, Any] | None:
    """Return the newest probe of an engine (`ok`, `at`, `result`), or None."""
    row = connection.execute(
        "SELECT ok, result, at FROM engine_probes WHERE engine_id = ? ORDER BY seq DESC LIMIT 1", (engine_id,)
    ).fetchone()
    return {"ok": bool(row["ok"]), "at": row["at"], "result": json.loads(row["result"])} if row else None


def has_passing_report(engine_id: str) -> bool:
    """Say whether a passing evaluation of an engine is on record; the notes themselves need none.

    A manifest's word about its own evaluation is no report: until evaluations are recorded here, no build has one.
    """
    return engine_id == TEMPLATE


def use_engine(
    connection: sqlite3.Connection,
    wanted: str | None,
    load: Callable[[str], Manifest | None],
    *,
    force: bool,
    reason: str | None,
    by: str,
) -> tuple[str, str]:
    """Make `wanted` (None: the one before) the active engine; return it and the one that it replaces.

    Raises UsageError for a retired build, for one without a passing evaluation (unless forced with a reason), and when there is
    none to go back to.
    """
    before = jobs.setting(connection, "draft_engine") or TEMPLATE
    engine = wanted or jobs.setting(connection, "draft_engine_before")
    if engine is None:
        raise UsageError("There is no earlier engine to go back to.")
    if engine == before:
        return engine, before
    manifest = load(engine)
    if manifest is not None:
        _check_build(manifest, force=force, reason=reason)
    jobs.set_setting(connection, "draft_engine_before", before)
    jobs.set_setting(connection, "draft_engine", engine)
    audit.append(
        connection,
        kind="engine",
        subject=engine,
        actor=by,
        detail={"before": before, "forced": force and manifest is not None, "reason": reason},
    )
    return engine, before


def _check_build(manifest: Manifest, *, force: bool, reason: str | None) -> None:
    if manifest.status == "retired":
        raise UsageError(
            f"{manifest.id} is retired.", hint="Name a build that is not; or change its status and commit."
        )
    if not has_passing_report(manifest.id) and not (force and reason):
        raise UsageError(
            f"{manifest.id} has no passing evaluation on record, so it does not become the active engine by itself.",
            hint="`--force --reason WHY` takes the decision on your name; `draft --engine` tries it for one run.",
        )
