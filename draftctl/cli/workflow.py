"""`workflow`: the chains, as they lie in the working tree: list, show, render, why. The rest of the group stands in files of its own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.context import JsonFlag, bold, database, emit, indent, root_of, settings_of, visible
from draftctl.errors import FileProblems, UsageError

if TYPE_CHECKING:
    from draftctl.canon import Canon
    from draftctl.chainset import ChainSet
    from draftctl.manifest import Manifest
    from draftctl.workflow import Workflow
    from draftctl.workspace import Snapshot

workflow_app = typer.Typer(help="The workflows: write, check, look at, compare and try them.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID", help="The workflow: its id.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (show, render, why):
        workflow_app.command()(command)
    workflow_app.command("list")(list_)
    app.add_typer(workflow_app, name="workflow")


def read_tree(ctx: typer.Context) -> "tuple[Snapshot, Canon, ChainSet]":
    """Read the working tree: what these commands show is what lies there."""
    from draftctl.loading import load_chains
    from draftctl.service import load_canon, load_vocab
    from draftctl.workspace import take_snapshot

    snapshot = take_snapshot(root_of(ctx), working_tree=True)
    canon = load_canon(snapshot)
    return snapshot, canon, load_chains(snapshot.files, canon, load_vocab(snapshot))


def find_workflow(chains: "ChainSet", word: str) -> "Workflow":
    """Return the workflow with this id. Raises FileProblems for a broken one, UsageError for none."""
    from draftctl.spelling import did_you_mean

    if word in chains.broken:
        raise FileProblems(chains.broken[word].problems)
    if word not in chains.workflows:
        raise UsageError(f"There is no workflow {word!r}{did_you_mean(word, sorted(chains.workflows))}")
    return chains.workflows[word]


def list_(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List the workflows: version, for whom, on which builds.

    Example: draftctl workflow list
    """
    _, _, chains = read_tree(ctx)
    rows: list[dict[str, Any]] = [
        {"id": w.id, "version": w.version, "name": w.name, "applies_to": _applies(w), "steps": [s.verb for s in w.steps],
         "engine": w.engine, "ok": True}
        for w in chains.workflows.values()
    ]  # fmt: skip
    rows += [{"id": b.id, "ok": False, "problem": str(b.problems[0]).splitlines()[0]} for b in chains.broken.values()]
    lines = [
        f"{bold(row['id'])}  version {row['version']}, {' > '.join(row['steps'])}\n    {_applies_text(row['applies_to'])}; {row['engine']}"
        if row["ok"]
        else f"{bold(row['id'])}  BROKEN: {row['problem']}"
        for row in sorted(rows, key=lambda row: str(row["id"]))
    ]
    emit({"workflows": rows}, as_json=as_json, text="\n".join(lines) or "There is no workflow.")


def _applies(workflow: "Workflow") -> dict[str, list[str]]:
    applies = workflow.applies
    sets = {"archetypes": applies.archetypes, "states": applies.states, "templateKeys": applies.template_keys}
    return {name: sorted(words) if words else [] for name, words in sets.items()}


def _applies_text(applies: dict[str, list[str]]) -> str:
    return "for " + " x ".join(", ".join(words) if words else f"any {name[:-1]}" for name, words in applies.items())


def show(ctx: typer.Context, workflow_id: Id, as_json: JsonFlag = False) -> None:
    """Show a workflow resolved: context, steps, limits, and the drafts that it made.

    Example: draftctl workflow show scheduling
    """
    from draftctl.store import views

    snapshot, canon, chains = read_tree(ctx)
    workflow = find_workflow(chains, workflow_id)
    from draftctl.chainset import text_path
    from draftctl.models import sha256_text

    context = [
        {"kind": item.kind, "from": (", ".join(item.keys) or "the note of the template key") if item.kind == "canon" else text_path(item),
         "sha256": sha256_text(canon.texts[text_path(item)]) if item.kind != "canon" and text_path(item) in canon.texts else None}
        for item in workflow.context
    ]  # fmt: skip
    steps = [
        {"n": n, "verb": s.verb, "name": s.name, "text": s.text or ", ".join(s.gates), "when": s.when, "max_tokens": s.max_tokens,
         "max_chars": s.max_chars, "options": list(s.options),
            "fields": sorted((s.schema or {}).get("properties", {})), "redrafts": s.redrafts}
        for n, s in enumerate(workflow.steps, start=1)
    ]  # fmt: skip
    with database(ctx) as connection:
        made = views.drafts_by_workflow(connection, workflow.id)
    value = {
        "id": workflow.id, "version": workflow.version, "name": workflow.name, "path": workflow.path, "engine": workflow.engine,
        "priority": workflow.priority, "semantic_hash": workflow.semantic_hash, "applies_to": _applies(workflow), "context": context,
        "partials": list(workflow.partials), "steps": steps, "drafts": made, "git_state": snapshot.state_of({workflow.path, *(f"workflows/partials/{name}" for name in workflow.partials)}),
    }  # fmt: skip
    emit(value, as_json=as_json, text=_show_text(value))


def _show_text(value: dict[str, Any]) -> str:
    lines = [
        bold(f"{value['id']} version {value['version']}") + f"  {visible(value['name'])}",
        f"  {_applies_text(value['applies_to'])}; {value['engine']}",
        f"  semantic hash {value['semantic_hash'][:12]}, {value['git_state']}",
        "  context: " + ", ".join(f"{item['kind']} ({item['from']})" for item in value["context"]),
    ]
    for step in value["steps"]:
        limits = f"<= {step['max_chars']} characters" if step["verb"] == "draft" else ""
        limits += f" when {step['when']}" if step["when"] else ""
        lines.append(f"  {step['n']} {step['verb']} ({step['name']}) {limits}".rstrip())
        lines.append(indent(step["text"], "      "))
        lines += [f"      one of: {', '.join(step['options'])}"] if step["options"] else []
        lines += [f"      fields: {', '.join(step['fields'])}"] if step["fields"] else []
    lines += [
        f"  {row['engine_id']}: version {row['version']}, {row['drafted']} drafted, {row['held']} held"
        for row in value["drafts"]
    ]
    return "\n".join(lines)


def render(
    ctx: typer.Context,
    workflow_id: Id,
    candidate: Annotated[Path, typer.Option("--candidate", metavar="FILE", help="One input line as JSON.")],
    step: Annotated[int | None, typer.Option("--step", min=1, help="Only this step (from 1).")] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="For this build. [default: the active one, else the first that the workflow means]"),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the exact messages that a candidate's chain would send; nothing is sent.

    Example: draftctl workflow render first-reply --candidate one.json --step 1
    """
    from draftctl.context import gather
    from draftctl.preview import preview
    from draftctl.rendering import Prompts, RenderError
    from draftctl.runner import note_facts

    snapshot, canon, chains = read_tree(ctx)
    workflow = find_workflow(chains, workflow_id)
    manifest = manifest_for(ctx, snapshot, workflow, engine)
    who = read_candidate(candidate)
    if not who.template_key:
        raise UsageError(f"{candidate} has no template_key, so there is no note to put into the context.")
    context = gather(
        workflow, canon.ask(who.template_key), canon, chains.partials, manifest, settings_of(ctx).values.persona.name
    )
    prompts = Prompts(chains.partials, manifest.special_tokens)
    try:
        found = preview(who, workflow, context, manifest, prompts, note_facts(canon))
    except RenderError as error:
        raise UsageError(f"{workflow.path} cannot be rendered for {candidate}: {error}.") from error
    if step is not None and step not in {one.n for one in found}:
        raise UsageError(
            f"{workflow.id} asks a model in steps {', '.join(str(one.n) for one in found)}; {step} is none of them."
        )
    steps = [
        {"n": one.n, "verb": one.verb, "prompt_hash": one.prompt_hash,
         "messages": [{"role": m.role, "content": m.content} for m in one.messages]}
        for one in found if step in (None, one.n)
    ]  # fmt: skip
    value = {
        "workflow_id": workflow.id, "version": workflow.version, "semantic_hash": workflow.semantic_hash,
        "bundle_hash": context.bundle_hash, "engine": manifest.id, "steps": steps,
    }  # fmt: skip
    emit(value, as_json=as_json, text=_render_text(value))


def _render_text(value: dict[str, Any]) -> str:
    """Print each step's new messages; what went before stands above."""
    lines = [
        bold(f"{value['workflow_id']} version {value['version']}")
        + f"  for {value['engine']}, bundle {value['bundle_hash'][:12]}"
    ]
    seen = 0
    for one in value["steps"]:
        lines.append(bold(f"step {one['n']} {one['verb']}") + f"  prompt {one['prompt_hash'][:12]}")
        lines += [indent(m["content"], f"  {m['role']}: ") for m in one["messages"][seen:]]
        seen = len(one["messages"])
    return "\n".join(lines)


def read_candidate(path: Path) -> Any:
    """Read one input line from a file. Raises UsageError."""
    from draftctl.inbox import Accepted, parse_line

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    read = parse_line(b" ".join(content.split(b"\n")).strip())
    if not isinstance(read, Accepted):
        raise UsageError(f"{path} is no input line: {read.reason}")
    return read.candidate


def manifest_for(ctx: typer.Context, snapshot: "Snapshot", workflow: "Workflow", engine: str | None) -> "Manifest":
    """Return the build to render for: the one that was named, else the active one, else the first that the workflow means."""
    from draftctl.chainset import engine_matches
    from draftctl.manifest import engine_ids
    from draftctl.service import load_manifest
    from draftctl.store import jobs

    with database(ctx) as connection:
        active = jobs.setting(connection, "draft_engine")
    ids = [engine] if engine else [id_ for id_ in engine_ids(snapshot.files) if engine_matches(workflow, id_)]
    ids.sort(key=lambda id_: id_ != active)
    manifest = load_manifest(snapshot, ids[0]) if ids else None
    if manifest is None:
        raise UsageError(f"{workflow.id} is bound to {workflow.engine}, and engines/ has no manifest of such a build.")
    return manifest


def why(
    ctx: typer.Context,
    key: Annotated[str, typer.Option("--key", help="The note: its key, its name, or its number (17).")],
    archetype: Annotated[str | None, typer.Option(help="Who writes.")] = None,
    state: Annotated[str | None, typer.Option(help="Where the thread stands.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say which workflow a cell gets, and what beat the others.

    Example: draftctl workflow why --archetype pushy --state new --key 1
    """
    from draftctl.routing import Cell
    from draftctl.service import last_known, load_vocab

    snapshot, canon, chains = read_tree(ctx)
    vocab = load_vocab(snapshot)
    if vocab:
        _ = archetype and vocab.check("archetype", archetype), state and vocab.check("state", state)
    with database(ctx) as connection:
        chains = chains.with_last_known(last_known(connection, chains, canon, root_of(ctx)))
    choice = chains.choose(Cell(archetype=archetype, state=state, template_key=canon.ask(key).key))
    broken = bool(choice.winner and choice.winner.broken)
    value = {
        "winner": choice.winner.id if choice.winner else None,
        "reason": choice.detail + ("; its file is broken, so the candidate holds" if broken else ""),
        "candidates": [{"id": c.id, "matched": c.matched, "beaten_by": c.beaten_by} for c in choice.candidates],
    }
    lines = [f"{value['winner'] or 'none'}  ({value['reason']})"]
    lines += [f"  {c.id}: {_fate(c.beaten_by, c.id, value['winner'])}" for c in choice.candidates if c.matched]
    others = [c.id for c in choice.candidates if not c.matched]
    lines += [f"  not for this cell: {', '.join(others)}"] if others else []
    emit(value, as_json=as_json, text="\n".join(lines))


def _fate(beaten_by: str | None, id_: str, winner: Any) -> str:
    if beaten_by:
        return f"beaten by {beaten_by}"
    return "wins" if id_ == winner else "ties"
