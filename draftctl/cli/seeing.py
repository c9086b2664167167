"""`workflow matrix`, `diff`, `history`: which situations are covered, what changed, and what it was worth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.context import JsonFlag, bold, database, emit, narrate, root_of, settings_of, visible
from draftctl.cli.workflow import Id, find_workflow, manifest_for, read_candidate, read_tree, workflow_app
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from draftctl.trial import Bench
    from draftctl.workflow import Workflow

CandidateFile = Annotated[
    Path | None,
    typer.Option(
        "--candidate", metavar="FILE", help="One input line as JSON; its prompts are shown as the model would get them."
    ),
]


def register(_app: typer.Typer) -> None:
    """Add these commands to the `workflow` group."""
    for command in (matrix, diff, history):
        workflow_app.command()(command)


def matrix(
    ctx: typer.Context,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one page to look at in a browser.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the whole grid: archetype x state x note, which workflow wins, where none applies, where several tie.

    Example: draftctl workflow matrix --html matrix.html
    """
    from draftctl.matrix import Matrix, matrix_lines, matrix_page, matrix_value
    from draftctl.routing import Grid
    from draftctl.vocab import VOCAB, parse_vocab

    snapshot, canon, chains = read_tree(ctx)
    vocab = parse_vocab(snapshot.files.get(VOCAB))
    grid = Grid.of(chains.entries, vocab.archetypes, vocab.states, tuple(canon.notes))
    shown = Matrix.of(grid, chains, canon)
    if html is not None:
        page = matrix_page(shown, f"Which workflow answers: {settings_of(ctx).values.persona.name}")
        html.write_text(page, encoding="utf-8")
        narrate(f"{html} shows {len(grid.choices)} cells; open it in a browser.")
    if html is None or as_json:
        emit(matrix_value(shown), as_json=as_json, text="\n".join(matrix_lines(shown)))


# -- what changed -------------------------------------------------------------------------------------------------------------------------


def diff(
    ctx: typer.Context,
    workflow: Annotated[str, typer.Argument(metavar="ID[@VERSION]", help="The workflow, now or at a version.")],
    other: Annotated[
        str | None,
        typer.Argument(metavar="[ID[@VERSION]]", help="Compare with this instead. [default: what lies there]"),
    ] = None,
    against: Annotated[str, typer.Option("--against", metavar="REF", help="The commit to compare with.")] = "HEAD",
    candidate: CandidateFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what changed in a workflow, step by step; with a candidate, also what the model is told otherwise.

    `first-reply` compares what lies there with the last commit, `first-reply@2` with version 2, `first-reply@2 first-reply@3` two versions.

    Example: draftctl workflow diff first-reply --against HEAD
    """
    from draftctl.differ import change_lines, changes, rendered_diff
    from draftctl.workflow import read_partials

    old_label, old, old_files = _side(ctx, workflow, against)
    new_label, new, new_files = _side(ctx, other, None) if other else _side(ctx, workflow.partition("@")[0], None)
    partials = (read_partials(old_files), read_partials(new_files))
    found = changes(old, new, partials)
    value: dict[str, Any] = {
        "workflow_id": new.id, "from": old_label, "to": new_label, "same": old.semantic_hash == new.semantic_hash,
        "changes": [{"where": c.where, "what": c.what, "before": list(c.before), "after": list(c.after), "needs_version": c.counts} for c in found],
    }  # fmt: skip
    lines = [
        bold(f"{old_label} -> {new_label}"),
        *(map(visible, change_lines(found)) if found else ["Nothing changed."]),
    ]
    if candidate is not None:
        who = read_candidate(candidate)
        before = _bench(ctx, old_files, old).preview(old, who)
        after = _bench(ctx, new_files, new).preview(new, who)
        rendered = rendered_diff(before, after)
        value["rendered"] = [{"step": step, "lines": text} for step, text in rendered]
        lines += ["", bold(f"What the model is told for {candidate}")]
        lines += [
            line for step, text in rendered for line in (f"{step}:", *(f"    {visible(one)}" for one in text))
        ] or ["Nothing else."]
    emit(value, as_json=as_json, text="\n".join(lines))


def _side(ctx: typer.Context, word: str, ref: str | None) -> "tuple[str, Workflow, Mapping[str, bytes]]":
    """Return one side of a comparison: a version from Git, the commit `ref`, or (None) what lies there."""
    from draftctl.earlier import earlier, workflow_in
    from draftctl.workspace import files_at

    id_, at, version = word.partition("@")
    if at and not version:
        raise UsageError(f"{word!r} names no version.", hint=f"`draftctl workflow history {id_}` lists them.")
    if version:
        for one in earlier(root_of(ctx), id_):
            if one.workflow is not None and one.workflow.version == version:
                return f"{id_}@{version}", one.workflow, one.files
        raise UsageError(
            f"None of the last commits has {id_} at version {version}.",
            hint=f"`draftctl workflow history {id_}` lists them.",
        )
    if ref is None:
        snapshot, _, chains = read_tree(ctx)
        return f"{id_} (as it lies there)", find_workflow(chains, id_), snapshot.files
    files = files_at(root_of(ctx), ref)
    found = workflow_in(files, id_)
    if found is None:
        find_workflow(read_tree(ctx)[2], id_)  # that there is none at all, or that its file is broken, says more
        raise UsageError(
            f"{id_} is not in {ref}, or cannot be read there.",
            hint="A new workflow has nothing to be compared with yet.",
        )
    return f"{id_} ({ref})", found, files


def _bench(ctx: typer.Context, files: "Mapping[str, bytes]", workflow: "Workflow") -> "Bench":
    from draftctl.service import load_canon
    from draftctl.trial import Bench
    from draftctl.workflow import read_partials
    from draftctl.workspace import Snapshot

    snapshot = Snapshot(files=files, commit=None, state="unknown")
    manifest = manifest_for(ctx, snapshot, workflow, None)
    persona = settings_of(ctx).values.persona.name
    return Bench(canon=load_canon(snapshot), partials=read_partials(files), manifest=manifest, persona=persona)


# -- what it was worth --------------------------------------------------------------------------------------------------------------------


def history(ctx: typer.Context, workflow_id: Id, as_json: JsonFlag = False) -> None:
    """Show a workflow's versions: when each came and from whom, its drafts by build, and how many people let go as they were.

    Example: draftctl workflow history first-reply
    """
    from draftctl.earlier import earlier
    from draftctl.store import views

    rows: list[dict[str, Any]] = []
    for one in earlier(root_of(ctx), workflow_id):
        version = one.workflow.version if one.workflow else None
        if (
            rows
            and rows[-1]["version"] == version
            and rows[-1]["semantic_hash"] == (one.workflow.semantic_hash if one.workflow else None)
        ):
            rows.pop()  # of several commits of one content the first is the one that made it
        rows.append({
            "version": version, "semantic_hash": one.workflow.semantic_hash if one.workflow else None,
            "commit": one.commit.id, "at": one.commit.at, "author": one.commit.author, "subject": one.commit.subject,
        })  # fmt: skip
    with database(ctx) as connection:
        made = views.results_by_version(connection, workflow_id)
    if not rows and not made:
        find_workflow(read_tree(ctx)[2], workflow_id)
        raise UsageError(
            f"{workflow_id} is in no commit yet, and has made no draft.",
            hint="`draftctl save -m ...` makes its first version.",
        )
    emit(
        {"id": workflow_id, "versions": rows, "results": made},
        as_json=as_json,
        text="\n".join(_history_lines(rows, made)),
    )


def _history_lines(rows: list[dict[str, Any]], made: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        lines.append(
            bold(f"version {row['version'] or '?'}")
            + f"  {row['at'][:10]} {row['commit'][:9]} {visible(row['author'])}: {visible(row['subject'])}"
        )
        lines += [f"    {_result_line(one)}" for one in made if one["version"] == row["version"]]
    known = {row["version"] for row in rows}
    gone = [one for one in made if one["version"] not in known]
    lines += [bold("not in Git any more")] if gone else []
    return lines + [f"    version {one['version']}: {_result_line(one)}" for one in gone]


def _result_line(row: dict[str, Any]) -> str:
    said = row["unedited"] + row["edited"] + row["rejected"]
    judged = (
        f"; of {said} judged {row['unedited']} went as they were ({row['unedited'] / said:.0%}), {row['edited']} edited, {row['rejected']} rejected"
        if said
        else ""
    )
    told = f", told in {row['bundles']} ways (notes, rules or examples changed beside it)" if row["bundles"] > 1 else ""
    return f"{row['engine_id']}: {row['drafted']} drafted, {row['held']} held{told}{judged}"
