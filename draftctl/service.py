"""One drafting run from start to end: input first, then the lock, what is committed, what reopens, the batch, and the report."""

import asyncio
import gc
import signal
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from draftctl import __version__
from draftctl.batch import AlertLine, AlertPost, Batch, Limits, Report, StopWhen, Watch
from draftctl.canon import Canon, parse_canon
from draftctl.chainset import ChainSet, resolved, sources
from draftctl.engine_id import TEMPLATE, check_engine_id
from draftctl.engines.base import Engine
from draftctl.errors import FileProblems, UsageError
from draftctl.failpoints import reach
from draftctl.gates import RULESET
from draftctl.ingest import IngestCount, Stream, ingest
from draftctl.loading import load_chains
from draftctl.manifest import Manifest, engine_ids, manifest_path, parse_manifest
from draftctl.models import Mode, canonical_json, sha256_text
from draftctl.rendering import Prompts
from draftctl.run_notes import notes_of
from draftctl.runner import Chains, Deps, note_facts
from draftctl.settings import FILE_NAME, parse_settings
from draftctl.split import in_training
from draftctl.stage_files import Reading, read_stages
from draftctl.stages import Stages
from draftctl.store import audit, jobs, people, persons, workflows
from draftctl.store.db import open_database, run_lock, store_errors, transaction
from draftctl.store.engines import has_passing_report
from draftctl.store.few_shot import FewShot
from draftctl.store.results import Provenance
from draftctl.store.standing import find_candidate
from draftctl.vocab import VOCAB, Vocab, parse_vocab
from draftctl.workflow import MatchSet, parse_applies
from draftctl.workflowlock import LOCK, locked_otherwise, read_lock
from draftctl.workspace import Snapshot, history_of, take_snapshot

MakeEngine = Callable[[str, Manifest | None], Engine]
EXIT_DONE, EXIT_FAILED, EXIT_REJECTS, EXIT_UNREACHABLE = 0, 1, 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What a run was asked for.

    `all_stages` says whether what others have not done is done here (classify, decide), `mode` is the workspace's, `rents` the build that a
    droplet serves where that is another than the engine. `reopen` says whether it picks up again what holds for any next run, `lease` whose droplet serves it, `attested` what is known of the weights there (`name` or `weights`).
    """

    command: str
    engine: str | None = None
    limits: Limits = field(default_factory=Limits)
    max_attempts: int = 5
    allow_dirty: bool = False
    again: bool = False
    persona: str = "Quinn"
    endpoints: str = ""
    reopen: bool = True
    lease: str | None = None
    salt: str = ""
    test_share: float = 0.1
    attested: str = "name"
    all_stages: bool = False
    mode: Mode = "review"
    rents: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run did: the JSON result's fields, notes for the person, and the exit code."""

    counts: dict[str, Any]
    notes: tuple[str, ...]
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who hears of progress and of alerts while the run goes on (`tell`: by a webhook, beside the line on stderr)."""

    watch: Watch = lambda _report: None
    alert: AlertLine = lambda _candidate, _person, _gate: None
    tell: AlertPost | None = None
    started: Callable[[int], None] = lambda _waiting: None
    stop_when: StopWhen | None = None


def new_run_id() -> str:
    """Return a fresh run id."""
    return f"r{uuid.uuid4().hex[:11]}"


def load_canon(snapshot: Snapshot) -> Canon:
    """Read the pastebin of a snapshot. Raises FileProblems."""
    try:
        return parse_canon({path: content for path, content in snapshot.files.items() if path.startswith("pastebin/")})
    except FileProblems as error:
        if {problem.path for problem in error.problems} & set(snapshot.unsaved):
            error.hint = (
                f"So it stands in commit {(snapshot.commit or '')[:12]}. The file in your folder is another: commit it."
            )
        raise


def load_manifest(snapshot: Snapshot, engine_id: str) -> Manifest | None:
    """Read an engine's manifest; `template` has none. Raises UsageError when it is not there, FileProblems when it is bad."""
    if check_engine_id(engine_id) == TEMPLATE:
        return None
    path = manifest_path(engine_id)
    if path not in snapshot.files:
        there = [TEMPLATE, *engine_ids(snapshot.files)]
        raise UsageError(f"There is no {path} in what is committed.", hint=f"Engines here: {', '.join(there)}.")
    return parse_manifest(snapshot.files[path], path)


def load_vocab(snapshot: Snapshot) -> Vocab | None:
    """Read the vocabulary of a snapshot; None where it is missing or wrong (lint says so, and nothing is checked against it)."""
    try:
        return parse_vocab(snapshot.files.get(VOCAB))
    except FileProblems:
        return None


def load_run_chains(
    connection: sqlite3.Connection,
    snapshot: Snapshot,
    canon: Canon,
    manifest: Manifest,
    options: RunOptions,
    root: Path | None = None,
) -> Chains:
    """Read the workflows of a run, note them, and find those whose version is used already with other content."""
    chains = load_chains(snapshot.files, canon, load_vocab(snapshot))
    chains = chains.with_last_known(last_known(connection, chains, canon, root))
    texts = sources(snapshot.files, chains)
    with transaction(connection):
        workflows.note_known(connection, {w.id: (w.applies, texts[w.id]) for w in chains.workflows.values()})
    locked = read_lock(snapshot.files.get(LOCK))
    return Chains(
        chains=chains,
        manifest=manifest,
        persona=options.persona,
        prompts=Prompts(chains.partials, manifest.special_tokens),
        notes=note_facts(canon),
        reused=locked_otherwise(chains.workflows.values(), locked)
        | workflows.reused(connection, chains.workflows.values()),
        unversioned=snapshot.commit is None and not options.allow_dirty,
    )


def last_known(
    connection: sqlite3.Connection, chains: ChainSet, canon: Canon, root: Path | None
) -> dict[str, MatchSet]:
    """Return for whom each workflow was when it could last be read: by a run, or else in a commit."""
    known = workflows.known(connection)
    if root is not None:
        known |= {
            broken.id: applies
            for broken in chains.broken.values()
            if broken.id not in known and (applies := _known_to_git(root, broken.path))
        }
    return {id_: resolved(applies, canon) for id_, applies in known.items()}


def persona_of(snapshot: Snapshot, root: Path, fallback: str) -> str:
    """Return in whose voice a run writes: as it is committed, like everything else that a prompt says."""
    try:
        return parse_settings(snapshot.files[FILE_NAME], root=root, environment={}).values.persona.name
    except (KeyError, FileProblems):
        return fallback


def _known_to_git(root: Path, path: str) -> MatchSet | None:
    """Return for whom a workflow was in the newest commit in which that could be read."""
    return next((found[0] for content in history_of(root, path) if (found := parse_applies(content, path))), None)


def take_input(path: Path, stream: Stream, source: str) -> IngestCount:
    """Take a stream of lines into the database, whatever else is wrong with the workspace."""
    with closing(open_database(path)) as connection, store_errors(path):
        return ingest(connection, stream, source=source, run_id=new_run_id())


def run(
    root: Path,
    database: Path,
    options: RunOptions,
    make_engine: MakeEngine,
    *,
    taken: IngestCount | None = None,
    listeners: Listeners | None = None,
) -> RunResult:
    """Draft what waits. Raises LockHeld when another run is at work, UsageError before anything is done."""
    with closing(open_database(database)) as connection, store_errors(database):
        why = jobs.paused(connection)
        if why is not None:
            notes = (f"Everything is paused: {why}",)
            engine_id = options.engine or jobs.setting(connection, "draft_engine") or TEMPLATE
            return result_of(
                options, "", engine_id, taken, Report(stopped="paused", waiting=jobs.waiting(connection)), notes
            )
        engine_id = check_engine_id(options.engine or jobs.setting(connection, "draft_engine") or TEMPLATE)
        snapshot = take_snapshot(root, working_tree=options.allow_dirty)
        manifest = load_manifest(snapshot, engine_id)
        canon = load_canon(snapshot)
        engine = make_engine(engine_id, manifest)
        options = replace(options, persona=persona_of(snapshot, root, options.persona))
        run_id = new_run_id()
        with run_lock(database, options.command):
            chains = load_run_chains(connection, snapshot, canon, manifest, options, root) if manifest else None
            if chains:
                trains = partial(in_training, salt=options.salt, test_share=options.test_share)
                chains = replace(chains, examples=FewShot(connection, run_id, trains).examples)
            deps = Deps(
                engine=engine,
                canon=canon,
                chains=chains,
                stages=_stages(snapshot, canon, engine, make_engine, options) if options.all_stages else None,
                mode=options.mode,
                passed=has_passing_report(engine_id),
            )
            report = _locked(connection, database, options, deps, snapshot, run_id, listeners or Listeners())
        return result_of(options, run_id, engine_id, taken, report, notes_of(snapshot, chains, report))


def _stages(snapshot: Snapshot, canon: Canon, engine: Engine, make_engine: MakeEngine, options: RunOptions) -> Stages:
    return read_stages(
        Reading(
            files=snapshot.files,
            canon=canon,
            persona=options.persona,
            notes=note_facts(canon),
            versioned=snapshot.commit is not None or options.allow_dirty,
            engine=engine,
            make_engine=make_engine,
        )
    )


def _locked(
    connection: sqlite3.Connection,
    database: Path,
    options: RunOptions,
    deps: Deps,
    snapshot: Snapshot,
    run_id: str,
    listeners: Listeners,
) -> Report:
    provenance = Provenance(
        run_id=run_id,
        engine_id=deps.engine.id,
        git_commit=snapshot.commit,
        git_state=snapshot.state,
        reopen_key=_reopen_key(snapshot, deps.engine.id, options),
        attested=None if deps.engine.id == TEMPLATE else options.attested,
        changed=frozenset(snapshot.changed),
    )
    with transaction(connection):
        jobs.reclaim(connection)
        if options.limits.only is not None:
            _ready(connection, options.limits.only, again=options.again)
        elif options.reopen:
            jobs.reopen(connection, reopen_key=provenance.reopen_key, max_attempts=options.max_attempts)
        jobs.start_run(
            connection,
            run_id,
            command=options.command,
            engine_id=deps.engine.id,
            git_commit=snapshot.commit,
            lease_id=options.lease,
        )
        waiting = jobs.waiting(connection)
    _say_unsaid(connection, listeners)
    listeners.started(waiting)
    batch = Batch(
        database,
        deps,
        provenance,
        options.limits,
        watch=listeners.watch,
        alert=listeners.alert,
        tell=listeners.tell,
        stop_when=listeners.stop_when,
    )
    gc.collect()
    gc.freeze()  # what is loaded now lives as long as the run; to look at it again and again cost a tenth of the CPU
    gc.set_threshold(10_000, 20, 50)
    report = asyncio.run(_interruptible(batch))
    reach("run.before_finish")
    with transaction(connection):
        report.waiting = jobs.waiting(connection)
        if report.stopped == "limit" and not report.waiting:
            report.stopped = ""
        outcome = report.stopped or ("unreachable" if report.unreachable else "done")
        jobs.finish_run(connection, run_id, outcome=outcome, counts=_counts(report))
        detail = {"outcome": outcome, "drafted": report.drafted, "held": report.held}
        audit.append(connection, kind="run", subject=run_id, actor="draftctl", run_id=run_id, detail=detail)
    return report


def _say_unsaid(connection: sqlite3.Connection, listeners: Listeners) -> None:
    """Say the alerts of a run that was killed before it could."""
    unsaid = persons.unsaid_alerts(connection)
    for alert in unsaid:
        listeners.alert(alert["candidate_id"], alert["person_id"], alert["gate"])
    if unsaid:
        with transaction(connection):
            persons.note_said(connection)
    for alert in persons.untold_alerts(connection) if listeners.tell is not None else ():
        if listeners.tell is not None and listeners.tell(alert["candidate_id"], alert["person_id"], alert["gate"]):
            with transaction(connection):
                persons.note_told(connection, alert["candidate_id"], alert["gate"])


def _ready(connection: sqlite3.Connection, candidate_id: str, *, again: bool) -> None:
    """Put the one candidate that was asked for back into the queue: a held one, and one that has a draft if that was asked too."""
    row = find_candidate(connection, candidate_id)
    if row["status"] == "held" or (again and row["status"] != "waiting"):
        people.requeue(connection, candidate_id, by="draft")


async def _interruptible(batch: Batch) -> Report:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, batch.stop, "interrupted")
    try:
        return await batch.run()
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)


def _reopen_key(snapshot: Snapshot, engine_id: str, options: RunOptions) -> str:
    """Hash what a hold waits to see changed: the commit, the engine and where it is, every file that is read, this program."""
    read = sorted(
        [path, sha256_text(content.hex())]
        for path, content in snapshot.files.items()
        if path.startswith(("pastebin/", "workflows/")) or path == manifest_path(engine_id)
    )
    return sha256_text(
        canonical_json(
            [
                snapshot.commit,
                engine_id,
                options.endpoints,
                options.allow_dirty,
                options.all_stages,
                options.persona,
                read,
                RULESET,
                __version__,
            ]
        )
    )[:16]


def _counts(report: Report) -> dict[str, Any]:
    return {
        "claimed": report.claimed,
        "drafted": report.drafted,
        "held": report.held,
        "holds": dict(sorted(report.holds.items())),
        "requests": report.requests,
        "prompt_tokens": report.prompt_tokens,
        "cached_tokens": report.cached_tokens,
        "completion_tokens": report.completion_tokens,
        "elapsed_s": report.elapsed_s,
    }


def result_of(
    options: RunOptions, run_id: str, engine_id: str, taken: IngestCount | None, report: Report, notes: tuple[str, ...]
) -> RunResult:
    """Return a run's result: the fields that scripts read, and the exit code."""
    taken = taken or IngestCount()
    counts = {
        "run_id": run_id,
        "engine": options.engine or engine_id,
        "ingested": taken.ingested,
        "duplicates": taken.duplicates,
        "rejected": taken.rejected,
        **_counts(report),
        "stopped": report.stopped,
        "waiting": report.waiting,
    }
    code = EXIT_REJECTS if taken.rejected else EXIT_DONE
    if report.unreachable:
        code = EXIT_UNREACHABLE
    if report.stopped == "interrupted":
        code = EXIT_FAILED
    return RunResult(counts=counts, notes=notes, exit_code=code)
