"""What `doctor` looks at: each check says what it found and, where it is not well, what to do."""

import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from draftctl.classifier import CLASSIFY, parse_classifier
from draftctl.decisions import DECISIONS, parse_decisions
from draftctl.engine_id import TEMPLATE
from draftctl.errors import DraftctlError
from draftctl.lint import lint_workspace
from draftctl.loading import load_chains
from draftctl.manifest import engine_ids
from draftctl.service import load_canon, load_manifest, load_vocab
from draftctl.settings import OUTSIDE, Settings
from draftctl.store import audit, jobs
from draftctl.store.db import missing_triggers, open_database
from draftctl.store.engines import last_probe
from draftctl.tokens import secret
from draftctl.vocab import VOCAB, parse_vocab
from draftctl.workflow import read_partials
from draftctl.workspace import take_snapshot

DISK_FLOOR_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def check_up(settings: Settings, environment: Mapping[str, str]) -> list[Check]:
    """Look at everything; a check that fails does not stop the others."""
    checks = [
        Check(
            name="python",
            ok=sys.version_info >= (3, 11),
            detail=sys.version.split()[0],
            fix="Install Python 3.11 or newer.",
        ),
        Check(name="sqlite", ok=True, detail=f"{sqlite3.sqlite_version}, journal mode delete, synchronous full"),
        *_guarded("git", lambda: _git(settings.root)),
        *_guarded("files", lambda: _files(settings)),
        *_guarded("workflows", lambda: _workflows(settings.root)),
        *_guarded("stages", lambda: _stages(settings.root)),
        *_guarded("database", lambda: _database(settings.database)),
        *_guarded("engine", lambda: _engine(settings)),
        *_guarded("gpu token", lambda: _gpu_token(settings, environment)),
        _disk(settings.database),
        _consent(settings),
        Check(
            name="texts go to",
            ok=True,
            detail=settings.values.dispatch.to or "nowhere yet (`dispatch --to`, MACSYNC_URL, or dispatch.to)",
        ),
    ]
    checks += [
        Check(name=f"setting {name}", ok=True, detail=f"{_value(settings, name)} ({source})")
        for name, source in settings.sources.items()
    ]
    return checks + [
        Check(name=f"environment {name}", ok=True, detail="set" if environment.get(name) else "not set")
        for name in OUTSIDE
    ]


def _guarded(name: str, look: Callable[[], list[Check]]) -> list[Check]:
    try:
        return look()
    except DraftctlError as error:
        return [Check(name=name, ok=False, detail=error.message, fix=error.hint or "Correct this first.")]
    except OSError as error:
        return [Check(name=name, ok=False, detail=str(error), fix="Check who owns the file.")]


def _git(root: Path) -> list[Check]:
    snapshot = take_snapshot(root)
    if snapshot.commit is None:
        return [
            Check(
                name="git",
                ok=False,
                detail=snapshot.git_problem,
                fix="`git init && git add -A && git commit` in the workspace: what is committed is what runs.",
            )
        ]
    unsaved = f"; not committed, so not used: {', '.join(snapshot.unsaved)}" if snapshot.unsaved else ""
    return [Check(name="git", ok=True, detail=f"commit {snapshot.commit[:12]}{unsaved}")]


def _files(settings: Settings) -> list[Check]:
    snapshot = take_snapshot(settings.root)
    canon = load_canon(snapshot)
    vocab = parse_vocab(snapshot.files.get(VOCAB))
    engines = engine_ids(snapshot.files)
    for engine in engines:
        load_manifest(snapshot, engine)
    detail = f"{len(canon.notes)} notes, {len(canon.patterns)} patterns of the owner, {len(vocab.archetypes)} archetypes, {len(vocab.states)} states, {len(engines)} engines"
    return [Check(name="files", ok=True, detail=detail)]


def _workflows(root: Path) -> list[Check]:
    snapshot = take_snapshot(root)
    chains = load_chains(snapshot.files, load_canon(snapshot), load_vocab(snapshot))
    wrong = [problem for problem in lint_workspace(snapshot.files) if problem.severity == "error"]
    detail = f"{len(chains.workflows)} usable"
    if wrong:
        detail += f"; {len(wrong)} errors, the first: {str(wrong[0]).splitlines()[0]}"
    return [Check(name="workflows", ok=not wrong, detail=detail, fix="`draftctl workflow lint` shows every error.")]


def _stages(root: Path) -> list[Check]:
    """Say who classifies and decides here; a file that is not there leaves that to others."""
    snapshot = take_snapshot(root)
    canon, vocab = load_canon(snapshot), load_vocab(snapshot)
    if vocab is None:
        return []
    found = ["others classify", "others decide"]
    if CLASSIFY in snapshot.files:
        classifier = parse_classifier(snapshot.files[CLASSIFY], canon, vocab, read_partials(snapshot.files))
        rules = len(classifier.archetypes) + len(classifier.states)
        found[0] = f"{classifier.engine} classifies" if classifier.asks_model else f"{rules} rules classify"
    if DECISIONS in snapshot.files:
        found[1] = f"{len(parse_decisions(snapshot.files[DECISIONS], canon, vocab).by_id)} decisions"
    return [Check(name="stages", ok=True, detail=", ".join(found))]


def _engine(settings: Settings) -> list[Check]:
    """Say what the newest probe of the active engine found; the template engine needs none."""
    with closing(open_database(settings.database)) as connection:
        engine_id = jobs.setting(connection, "draft_engine") or TEMPLATE
        probed = last_probe(connection, engine_id)
    if engine_id == TEMPLATE:
        return [Check(name="engine", ok=True, detail="template: no server is needed")]
    if probed is None:
        return [Check(name="engine", ok=True, detail=f"{engine_id}, never probed (`draftctl engine probe`)")]
    troubles = [trouble for endpoint in probed["result"]["endpoints"] for trouble in endpoint["troubles"]]
    detail = f"{engine_id}, probed at {probed['at'][:16]}: {' '.join(troubles) or 'all is well'}"
    return [
        Check(
            name="engine",
            ok=probed["ok"],
            detail=detail,
            fix="Correct the server or the manifest, then `draftctl engine probe`.",
        )
    ]


def _gpu_token(settings: Settings, environment: Mapping[str, str]) -> list[Check]:
    """Say whether a run that has to rent a GPU would find its token; nothing is asked of the cloud (`gpu doctor` does)."""
    token, where = secret(settings.database, "DIGITALOCEAN_TOKEN", environment)
    with closing(open_database(settings.database)) as connection:
        needed = (
            jobs.setting(connection, "draft_engine") or TEMPLATE
        ) != TEMPLATE and not settings.values.inference.url
    fix = "`draftctl keys set DIGITALOCEAN_TOKEN` keeps it where runs from cron find it."
    return [Check(name="gpu token", ok=token is not None or not needed, detail=where, fix=fix)]


def _database(path: Path) -> list[Check]:
    connection = open_database(path)
    try:
        said = connection.execute("PRAGMA quick_check").fetchone()[0]
        triggers = missing_triggers(connection)
        verdict = audit.verify(connection)
        why = jobs.paused(connection)
        connection.execute("BEGIN IMMEDIATE")
        jobs.set_setting(connection, "doctor", "a write that is taken back")
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    modes = {name: stat.S_IMODE(name.stat().st_mode) for name in (path, path.parent)}
    return [
        Check(name="database", ok=said == "ok", detail=f"{path}: {said}, written to", fix="Restore the last backup."),
        Check(
            name="database private",
            ok=modes[path] & 0o077 == 0,
            detail=f"mode {modes[path]:o}",
            fix=f"chmod 600 {path}",
        ),
        Check(
            name="folder private",
            ok=modes[path.parent] & 0o077 == 0,
            detail=f"mode {modes[path.parent]:o}",
            fix=f"chmod 700 {path.parent}",
        ),
        Check(
            name="append-only",
            ok=not triggers,
            detail=f"missing triggers: {', '.join(triggers) or 'none'}",
            fix="Restore the last backup: something has altered the tables.",
        ),
        Check(
            name="audit trail",
            ok=verdict.ok,
            detail=verdict.reason or f"{verdict.rows} rows verify, head {verdict.head[:12]}",
            fix="Keep the file; compare with the last backup.",
        ),
        Check(name="pause", ok=True, detail=f"paused: {why}" if why else "not paused"),
    ]


def _disk(path: Path) -> Check:
    folder = path.parent if path.parent.exists() else Path.cwd()
    free = shutil.disk_usage(folder).free
    return Check(
        name="disk",
        ok=free > DISK_FLOOR_BYTES,
        detail=f"{free // 1024**2:,} MiB free",
        fix="Free some space; a full disk stops every run.",
    )


def _consent(settings: Settings) -> Check:
    persona = settings.values.persona
    ok = bool(persona.consented_by and persona.consented_at)
    detail = (
        f"{persona.name}: consented by {persona.consented_by} on {persona.consented_at}"
        if ok
        else f"{persona.name}: nobody is named who consented, so nothing is sent"
    )
    return Check(
        name="persona", ok=ok, detail=detail, fix="Fill in persona: consented_by and consented_at in draftctl.yaml."
    )


def _value(settings: Settings, name: str) -> str:
    value: object = settings.values
    for part in name.split("."):
        value = getattr(value, part)
    return str(value)
