"""`workflow test`, `try`: what a workflow does, before anybody gets a word of it."""

import asyncio
import signal
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.asking import serving
from draftctl.cli.context import JsonFlag, bold, database, emit, narrate, root_of, settings_of, visible
from draftctl.cli.workflow import Id, find_workflow, manifest_for, read_candidate, read_tree, workflow_app
from draftctl.errors import EngineUnreachable, FileProblems, UsageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from draftctl.canon import Canon
    from draftctl.chainset import ChainSet
    from draftctl.engines.base import Engine
    from draftctl.models import Candidate, Result
    from draftctl.trial import Bench
    from draftctl.vocab import Vocab
    from draftctl.workflow import Workflow
    from draftctl.workflow_file import TestFile
    from draftctl.workflow_tests import Came, Tested
    from draftctl.workspace import Snapshot

_MARKS = {"passed": "ok  ", "failed": "FAIL", "unchecked": "?   "}
_MOST = 20
_PATIENCE_S = 5


def register(_app: typer.Typer) -> None:
    """Add these commands to the `workflow` group."""
    workflow_app.command("test")(run_tests)
    workflow_app.command("try")(try_)


def run_tests(
    ctx: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="[default: all workflows]")] = None,
    matching: Annotated[
        str | None, typer.Option("-k", metavar="TEXT", help="Only tests whose name has this in it.")
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask the server what the tests do not answer themselves, and keep what it says."),
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="With --live: ask anew what was asked before.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the tests, run none.")] = False,
    engine: Annotated[
        str | None, typer.Option(help="The build. [default: the active one, else the first that the workflow means]")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run the workflows' own tests, and every workflow against messages that try to be more than a message. Nothing is sent to anybody.

    Example: draftctl workflow test first-reply
    """
    snapshot, canon, chains = read_tree(ctx)
    workflows = [find_workflow(chains, id_) for id_ in ids] if ids else list(chains.workflows.values())
    if not ids and chains.broken:
        raise FileProblems(problem for broken in chains.broken.values() for problem in broken.problems)
    if any(workflow.test_problems for workflow in workflows):
        raise FileProblems(problem for workflow in workflows for problem in workflow.test_problems)
    if listed:
        rows = [{"workflow": w.id, "name": t.name} for w in workflows for t in w.tests if (matching or "") in t.name]
        said = "\n".join(f"{row['workflow']}: {row['name']}" for row in rows)
        emit({"tests": rows}, as_json=as_json, text=said or "There is no test.")
        return
    picked = Picked(matching=matching or "", live=live, fresh=fresh, engine=engine, quiet=as_json)
    if matching and not any(matching in case.name for workflow in workflows for case in workflow.tests):
        raise UsageError(f"No test has {matching!r} in its name, so none was run.", hint="`--list` lists them.")
    value = test_all(ctx, workflows, (snapshot, canon, chains), picked)
    emit(value, as_json=as_json, text=_sum_up(value, [w.id for w in workflows if not w.tests], live=live))
    raise typer.Exit(1 if value["failed"] or value["breaches"] else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """Which tests are run, and how: those with a text in their name, on which build, asking a server or not."""

    matching: str
    live: bool
    fresh: bool
    engine: str | None
    quiet: bool


def test_all(
    ctx: typer.Context, workflows: "list[Workflow]", tree: "tuple[Snapshot, Canon, ChainSet]", picked: Picked
) -> dict[str, Any]:
    """Run the tests of some workflows of a tree, and (unless it is to be quiet) say of each how it went as soon as that is known."""
    from draftctl.service import load_vocab
    from draftctl.trial import Bench

    snapshot, canon, chains = tree
    vocab = load_vocab(snapshot)
    persona = settings_of(ctx).values.persona.name
    value: dict[str, Any] = {"tests": [], "breaches": [], "hostile": 0}
    with database(ctx) as connection:
        for workflow in workflows:
            manifest = manifest_for(ctx, snapshot, workflow, picked.engine)
            bench = Bench(canon=canon, partials=chains.partials, manifest=manifest, persona=persona)
            with serving(ctx, manifest) if picked.live else nullcontext() as make_server:
                done = asyncio.run(_of_one(root_of(ctx), connection, workflow, bench, vocab, picked, make_server))
            value["tests"] += [_as_value(one) for one in done[0]]
            value["breaches"] += done[1]
            value["hostile"] += done[2]
            if not picked.quiet:
                typer.echo("\n".join(_lines(workflow, *done)))
    return value | {name: sum(1 for one in value["tests"] if one["verdict"] == name) for name in _MARKS}


async def _of_one(
    root: Path, connection: "sqlite3.Connection", workflow: "Workflow", bench: "Bench", vocab: "Vocab | None", picked: Picked, make_server: "Callable[[], Engine] | None"
) -> "tuple[list[Tested], list[dict[str, str]], int]":  # fmt: skip
    """Run one workflow's tests and, where none was picked out, the hostile corpus."""
    from draftctl.hostile import breaches, corpus
    from draftctl.rules.test_case import faults_of
    from draftctl.samples import cells_of, sample
    from draftctl.store.tried import Kept
    from draftctl.trial import Recorded
    from draftctl.workflow_tests import Tested, candidate_of, come_of

    cell = next(iter(cells_of(workflow, bench.canon, vocab)))
    server = make_server() if make_server else None
    tested: list[Tested] = []
    try:
        for n, case in enumerate(workflow.tests):
            if picked.matching not in case.name:
                continue
            faults = tuple(message for _, message, _ in faults_of(workflow, n))
            if faults:
                tested.append(Tested(workflow=workflow.id, name=case.name, verdict="failed", failures=faults))
                continue
            thread = _thread_of(root, case.thread) if case.thread else None
            who = candidate_of(case, workflow, bench, cell, thread)
            answers = Recorded(bench.manifest.id, Kept(connection, who, fresh=picked.fresh), server)
            came = await come_of(case, workflow, bench, who, answers)
            tested.append(came if isinstance(came, Tested) else _judged(case, workflow, came))
    finally:
        if server is not None:
            await server.close()
    if picked.matching:
        return tested, [], 0
    found = await breaches(workflow, bench, sample(cell, workflow, bench.canon, bench.partials))
    return tested, [{"workflow": workflow.id, "text": one.text, "why": one.why} for one in found], len(corpus())


def _judged(case: "TestFile", workflow: "Workflow", came: "Came") -> "Tested":
    """Compare with patience: a regular expression can take hours over one text."""
    from draftctl.workflow_tests import Tested, judge

    def give_up(_signal: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S)
    try:
        return judge(case, workflow, came)
    except TimeoutError:
        why = f"one of its regular expressions had not ended after {_PATIENCE_S} s; write it more simply"
        return Tested(workflow=workflow.id, name=case.name, verdict="failed", failures=(why,))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _thread_of(root: Path, written: str) -> "Candidate":
    path = (root / written).resolve()
    if not path.is_relative_to(root.resolve()):
        raise UsageError(f"A test's thread lies in the workspace, and {written} does not.")
    found: Candidate = read_candidate(path)
    return found


def _as_value(one: "Tested") -> dict[str, Any]:
    return {
        "workflow": one.workflow, "name": one.name, "verdict": one.verdict, "failures": list(one.failures),
        "unchecked": list(one.unchecked), "body": one.body,
    }  # fmt: skip


def _lines(workflow: "Workflow", tested: "list[Tested]", breaches: list[dict[str, str]], hostile: int) -> list[str]:
    lines = [bold(workflow.id)]
    for one in tested:
        lines.append(f"  {_MARKS[one.verdict]} {visible(one.name)}")
        lines += [f"         {visible(why)}" for why in one.failures]
        lines += [f"         not checked without an answer: {', '.join(one.unchecked)}"] if one.unchecked else []
    lines += [] if workflow.tests else ["  ?    it has no test of its own"]
    if hostile and not breaches:
        lines.append(f"  ok   {hostile} hostile messages stay data")
    return lines + [f"  FAIL a hostile message ({one['text']}): {one['why']}" for one in breaches]


def _sum_up(value: dict[str, Any], untested: list[str], *, live: bool) -> str:
    said = [
        f"{value[name]} {word}"
        for name, word in (("passed", "passed"), ("failed", "failed"), ("unchecked", "not checked"))
        if value[name]
    ]
    text = f"{', '.join(said) or 'No test was run'}."
    if value["unchecked"]:
        text += " What the model answers is not checked offline: give `replies:`" + (
            "." if live else ", or ask with --live."
        )
    if untested:
        text += f" Without a test: {', '.join(untested)}."
    return text


# -- one candidate, for real --------------------------------------------------------------------------------------------------------------


def try_(
    ctx: typer.Context,
    workflow_id: Id,
    candidate: Annotated[Path, typer.Option("--candidate", metavar="FILE", help="One input line as JSON.")],
    samples: Annotated[
        int, typer.Option("-n", min=1, max=_MOST, help="So many replies, each with a seed of its own.")
    ] = 1,
    engine: Annotated[
        list[str] | None, typer.Option("--engine", help="The build; several stand side by side. [default: as `render`]")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask anew what was asked before.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Let a workflow answer one message for real, several times, side by side. No draft is made, so nothing of it can ever be sent.

    Example: draftctl workflow try first-reply --candidate one.json -n 5
    """
    from draftctl.trial import Bench

    snapshot, canon, chains = read_tree(ctx)
    workflow = find_workflow(chains, workflow_id)
    who = _filled(read_candidate(candidate), workflow, canon, snapshot)
    persona = settings_of(ctx).values.persona.name
    columns: dict[str, list[dict[str, Any]]] = {}
    for word in engine or [None]:  # type: ignore[list-item]
        manifest = manifest_for(ctx, snapshot, workflow, word)
        bench = Bench(canon=canon, partials=chains.partials, manifest=manifest, persona=persona)
        with serving(ctx, manifest) as make_server:
            columns[manifest.id] = asyncio.run(_tries(ctx, workflow, bench, who, make_server, samples, fresh=fresh))
    down = [one["detail"] for rows in columns.values() for one in rows if one["held"] == "engine_unavailable"]
    if down:
        raise EngineUnreachable(f"The engine could not be reached: {down[0]}")
    note = canon.find(who.template_key or "")
    value = {
        "workflow_id": workflow.id, "version": workflow.version, "candidate_id": who.id, "dispatchable": False,
        "tries": [{"engine": id_, **one} for id_, rows in columns.items() for one in rows],
    }  # fmt: skip
    if as_json:
        emit(value, as_json=True, text="")
        return
    typer.echo(bold(f"{workflow.id} version {workflow.version}") + f" for {who.id}: {visible(who.inbound[-1])[:200]}")
    typer.echo(f"  the note {note.key} {note.name}: {visible(_filled_note(note.text, who))}\n" if note else "")
    _table(columns)
    asked = sum(one["asked"] for rows in columns.values() for one in rows)
    narrate(
        f"{asked} requests were sent; what was answered before was not asked again. Nothing of this can be sent to anybody."
    )


def _filled(who: "Candidate", workflow: "Workflow", canon: Any, snapshot: Any) -> "Candidate":
    """Fill in what a line does not say of its situation with the workflow's first one."""
    from dataclasses import replace

    from draftctl.samples import cells_of
    from draftctl.service import load_vocab

    cell = next(iter(cells_of(workflow, canon, load_vocab(snapshot))))
    return replace(
        who,
        archetype=who.archetype or cell.archetype,
        state=who.state or cell.state,
        template_key=who.template_key or cell.template_key,
    )


def _filled_note(text: str, who: "Candidate") -> str:
    from draftctl.rendering import MissingAtom, render_note

    try:
        return render_note(text, who.usable_atoms)
    except MissingAtom as error:
        return f"(it needs `{error}`)"


async def _tries(
    ctx: typer.Context,
    workflow: "Workflow",
    bench: "Bench",
    who: "Candidate",
    make_server: "Callable[[], Engine]",
    samples: int,
    *,
    fresh: bool,
) -> list[dict[str, Any]]:
    from draftctl.store.tried import Kept
    from draftctl.trial import Recorded

    server = make_server()
    try:
        with database(ctx) as connection:
            rows = []
            for sample in range(1, samples + 1):
                answers = Recorded(bench.manifest.id, Kept(connection, who, fresh=fresh), server, sample)
                result = await bench.run(workflow, who, answers)
                rows.append(_try_value(result, sample, answers.sent))
            return rows
    finally:
        await server.close()


def _try_value(result: "Result", sample: int, asked: int) -> dict[str, Any]:
    from draftctl.models import Drafted

    outcome = result.outcome
    steps = [{"n": s.n, "verb": s.verb, "name": s.name, "attempt": s.attempt, "output": s.output} for s in result.steps]
    drafted = isinstance(outcome, Drafted)
    return {
        "sample": sample, "body": outcome.body if isinstance(outcome, Drafted) else None,
        "held": None if drafted else getattr(outcome, "reason", None), "detail": "" if drafted else getattr(outcome, "detail", ""),
        "asked": asked, "ms": sum(s.ms for s in result.steps if not s.recalled), "steps": steps,
    }  # fmt: skip


def _table(columns: dict[str, list[dict[str, Any]]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_lines=True, expand=False)
    table.add_column("")
    for id_ in columns:
        table.add_column(id_, overflow="fold")
    for row in zip(*columns.values(), strict=True):
        table.add_row(
            str(row[0]["sample"]),
            *(Text(visible(one["body"]) if one["body"] else f"held: {one['held']} {one['detail']}") for one in row),
        )
    Console().print(table)
