"""Which workflow versions were used with which content, and for whom each workflow was when it could last be read."""

import json
import sqlite3
from collections.abc import Iterable, Mapping

from draftctl.models import WorkflowRef, canonical_json, sha256_text
from draftctl.store.db import utc_now
from draftctl.workflow import MatchSet, Workflow


def note_used(connection: sqlite3.Connection, workflow: WorkflowRef, git_commit: str | None, run_id: str) -> None:
    """Note the first use of a version; later uses change nothing."""
    connection.execute(
        "INSERT OR IGNORE INTO workflow_versions VALUES (?, ?, ?, ?, ?, ?)",
        (workflow.id, workflow.version, workflow.semantic_hash, git_commit, run_id, utc_now()),
    )


def reused(connection: sqlite3.Connection, workflows: Iterable[Workflow]) -> dict[str, str]:
    """Return the workflows whose version was used before with other content, each with the drafts that it made."""
    found = {}
    for workflow in workflows:
        row = connection.execute(
            "SELECT semantic_hash, first_used_at FROM workflow_versions WHERE workflow_id = ? AND version = ?",
            (workflow.id, workflow.version),
        ).fetchone()
        if row is not None and row["semantic_hash"] != workflow.semantic_hash:
            drafts = connection.execute(
                "SELECT count(*) FROM drafts WHERE workflow_id = ? AND workflow_version = ? AND status = 'drafted'",
                (workflow.id, workflow.version),
            ).fetchone()[0]
            found[workflow.id] = (
                f"{workflow.id} version {workflow.version} was used with other content since {row['first_used_at'][:10]}, for {drafts} drafts "
                f"(then {row['semantic_hash'][:8]}, now {workflow.semantic_hash[:8]}); `draftctl workflow bump {workflow.id}`"
            )
    return found


def used(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Return which content each version was used with, by id and version."""
    rows = connection.execute("SELECT workflow_id, version, semantic_hash FROM workflow_versions")
    return {(row["workflow_id"], row["version"]): row["semantic_hash"] for row in rows}


def note_known(connection: sqlite3.Connection, sources: Mapping[str, tuple[MatchSet, str]]) -> None:
    """Note for whom each readable workflow is, and keep its file's text."""
    for workflow_id, (applies, text) in sources.items():
        digest = sha256_text(text)
        connection.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (digest, text))
        connection.execute(
            "INSERT INTO workflows_known VALUES (?1, ?2, ?3, ?4) ON CONFLICT (workflow_id) DO UPDATE SET applies = ?2, source = ?3, "
            "seen_at = ?4 WHERE applies <> ?2 OR source <> ?3",
            (workflow_id, _written(applies), digest, utc_now()),
        )


def known(connection: sqlite3.Connection) -> dict[str, MatchSet]:
    """Return for whom each workflow was when it could last be read."""
    rows = connection.execute("SELECT workflow_id, applies FROM workflows_known")
    return {row["workflow_id"]: _read(row["applies"]) for row in rows}


def _written(applies: MatchSet) -> str:
    return canonical_json(
        [None if s is None else sorted(s) for s in (applies.archetypes, applies.states, applies.template_keys)]
    )


def _read(text: str) -> MatchSet:
    archetypes, states, keys = (None if words is None else frozenset(words) for words in json.loads(text))
    return MatchSet(archetypes=archetypes, states=states, template_keys=keys)
