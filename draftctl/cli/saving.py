"""`save`: what lies there becomes what runs: checked, shown, versioned, locked and committed, in one command."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.context import JsonFlag, bold, database, emit, narrate, root_of, settings_of, visible
from draftctl.cli.linting import find_problems
from draftctl.cli.versions import replace_file
from draftctl.errors import DraftctlError, FileProblems, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from draftctl.canon import Canon
    from draftctl.chainset import ChainSet
    from draftctl.saving import Save
    from draftctl.workflow import Workflow
    from draftctl.workspace import Lying, Snapshot

_SHOWN = 40


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(save)


def save(
    ctx: typer.Context,
    message: Annotated[str, typer.Option("-m", "--message", metavar="TEXT", help="What you changed, in a few words.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be saved, and save nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make what lies in the folder what the next run uses: check it, show the change, count versions up, lock, commit.

    Example: draftctl save -m "softer hello"
    """
    from draftctl.loading import load_chains
    from draftctl.service import load_canon, load_vocab

    if not message.strip():
        raise UsageError("-m is empty; say in a few words what you changed.")
    root = root_of(ctx)
    lying = _look(root)
    changed = lying.changed
    snapshot = _as_committed(root, lying)
    problems = find_problems(root, files=snapshot.files)
    errors = [p for p in problems if p.severity == "error" and p.rule != "E-VERSION-LOCK"]
    if errors:
        failure = FileProblems(errors)
        failure.hint = "Nothing was saved. What is wrong stands above; `draftctl workflow lint` checks again."
        raise failure
    canon = load_canon(snapshot)
    chains = load_chains(snapshot.files, canon, load_vocab(snapshot))
    plan = _plan(ctx, snapshot, chains)
    plan = _with_schemas(root, plan, snapshot, canon, lying)
    if not changed and not plan.files:
        emit(
            {"commit": None, "changed": [], "bumped": {}, "changes": [], "warnings": 0},
            as_json=as_json,
            text="Nothing has changed since the last commit.",
        )
        return
    _check_tests(ctx, lying, (snapshot, canon, chains))
    shown = _changes(ctx, root, snapshot, chains, plan, changed)
    if not as_json:
        typer.echo("\n".join(line for part in shown for line in part["lines"]))
    commit = None if dry_run else _write(root, plan, snapshot, changed, message)
    if commit:
        from draftctl.failpoints import reach

        reach("save.committed")
    warnings = sum(1 for p in problems if p.severity == "warning" and p.rule != "W-LOCK")
    value = {
        "commit": commit, "changed": sorted({*changed, *plan.files}), "bumped": {id_: new for id_, (_, new) in plan.bumps.items()},
        "changes": [{"path": part["path"], "lines": part["lines"]} for part in shown], "warnings": warnings,
    }  # fmt: skip
    if lying.others:
        narrate(f"Left alone, as nothing that draftctl reads: {', '.join(map(visible, lying.others))}")
    said = f"Saved as {commit[:9]}: the next run uses it." if commit else "Nothing was saved (--dry-run)."
    aside = f" {warnings} warning{'' if warnings == 1 else 's'}: `draftctl workflow lint`." if warnings else ""
    emit(value, as_json=as_json, text=f"\n{said}{aside}")


def _look(root: Path) -> "Lying":
    """Look at what lies there. Raises UsageError where nothing can be committed now."""
    from draftctl.workspace import lying_there, why_not_now

    problem = why_not_now(root)
    if problem:
        first = "no commit" in problem or "not a git repository" in problem
        hint = (
            "`git init && git add -A && git commit -m 'first'` in the workspace makes the first commit."
            if first
            else "Nothing was touched."
        )
        raise UsageError(f"Nothing can be saved here: {problem}.", hint=hint)
    lying = lying_there(root)
    if lying.links:
        raise UsageError(
            f"{lying.links[0]} is a symbolic link, which no run reads, so nothing was saved.",
            hint="Put the file itself there.",
        )
    return lying


def _as_committed(root: Path, lying: "Lying") -> "Snapshot":
    """Read the working tree once, as a commit of it would be: without what Git ignores."""
    from dataclasses import replace

    from draftctl.workspace import take_snapshot

    whole = take_snapshot(root, working_tree=True)
    return replace(whole, files={path: text for path, text in whole.files.items() if not lying.is_ignored(path)})


def _check_tests(ctx: typer.Context, lying: "Lying", tree: "tuple[Snapshot, Canon, ChainSet]") -> None:
    """Run the tests of what has changed, offline; without any build that it means a workflow has none. Raises UsageError for one that fails."""
    from draftctl.chainset import engine_matches
    from draftctl.cli.trying import Picked, test_all
    from draftctl.manifest import engine_ids

    builds = engine_ids(tree[0].files)
    touched = any(path.startswith(("pastebin/", "workflows/partials/")) for path in lying.changed)
    changed = [w for w in tree[2].workflows.values() if touched or w.path in lying.changed]
    workflows = [w for w in changed if any(engine_matches(w, build) for build in builds)]
    done = test_all(ctx, workflows, tree, Picked(matching="", live=False, fresh=False, engine=None, quiet=True))
    failed = [
        f"{one['workflow']}: {one['name']}: {one['failures'][0]}" for one in done["tests"] if one["verdict"] == "failed"
    ]
    failed += [f"{one['workflow']}: a hostile message ({one['text']}): {one['why']}" for one in done["breaches"]]
    if failed:
        more = f" And {len(failed) - 1} more." if len(failed) > 1 else ""
        raise UsageError(
            f"A test fails, so nothing was saved. {visible(failed[0])}.{more}",
            hint="Correct the text, or the test if it asks for what nobody wants any more; `draftctl workflow test` shows all.",
        )


def _plan(ctx: typer.Context, snapshot: "Snapshot", chains: "ChainSet") -> "Save":
    from draftctl.saving import plan_save
    from draftctl.store import workflows
    from draftctl.workflowlock import LOCK, read_lock
    from draftctl.workspace import files_at

    committed = files_at(root_of(ctx), "HEAD")
    with database(ctx) as connection:
        used = workflows.used(connection)
    texts = {w.path: snapshot.files[w.path].decode() for w in chains.workflows.values()}
    locks = (_committed_lock(committed), read_lock(snapshot.files.get(LOCK)))
    return plan_save(chains.workflows, texts, locks, used)


def _with_schemas(root: Path, plan: "Save", snapshot: "Snapshot", canon: "Canon", lying: "Lying") -> "Save":
    """Bring the editors' schemas up to date where there are any: a new word of the vocabulary is one that editors know."""
    from dataclasses import replace

    from draftctl.json_schemas import schema_texts
    from draftctl.vocab import VOCAB, parse_vocab

    if not (root / "schema").is_dir():
        return plan
    texts = schema_texts(parse_vocab(snapshot.files.get(VOCAB)), canon)
    stale = {
        path: text for path, text in texts.items() if _lies_there(root / path) != text and not lying.is_ignored(path)
    }
    return replace(plan, files={**plan.files, **stale})


def _lies_there(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _committed_lock(files: "Mapping[str, bytes]") -> dict[tuple[str, str], str]:
    """Return what the last commit's versions stand for: its lock, and what its files say."""
    from draftctl.loading import readable
    from draftctl.workflowlock import LOCK, read_lock

    found = {(workflow.id, workflow.version): workflow.semantic_hash for workflow in readable(files).values()}
    try:
        return found | read_lock(files.get(LOCK))
    except FileProblems:
        return found


# -- what is shown ------------------------------------------------------------------------------------------------------------------------


def _changes(
    ctx: typer.Context,
    root: Path,
    snapshot: "Snapshot",
    chains: "ChainSet",
    plan: "Save",
    changed: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Say what changed: of workflows step by step and as rendered text, of other files line by line, and who reads them."""
    from draftctl.differ import text_diff
    from draftctl.workflow import stem, workflow_paths
    from draftctl.workflowlock import LOCK
    from draftctl.workspace import files_at

    before = files_at(root, "HEAD")
    ours = {path: stem(path) for path in workflow_paths(dict.fromkeys((*changed, *plan.files)))}
    parts = []
    for path, id_ in sorted(ours.items()):
        parts.append({"path": path, "lines": _of_workflow(ctx, before, snapshot, chains, id_, plan)})
    for path in changed:
        if path in ours or path == LOCK or path.startswith("schema/"):
            continue
        old, new = (_text_of(files, path) for files in (before, snapshot.files))
        state = "new" if path not in before else "gone" if path not in snapshot.files else "changed"
        diff = [f"    {visible(line)}" for line in text_diff(old.splitlines(), new.splitlines())]
        more = [f"    ... and {len(diff) - _SHOWN} more lines"] if len(diff) > _SHOWN else []
        lines = [bold(path) + f"  {state}{_readers(path, chains)}", *diff[:_SHOWN], *more]
        parts.append({"path": path, "lines": lines})
    return parts


def _text_of(files: "Mapping[str, bytes]", path: str) -> str:
    return files.get(path, b"").decode(errors="replace")


def _readers(path: str, chains: "ChainSet") -> str:
    """Say which workflows read a file of the pastebin."""
    from draftctl.canon import NOTES
    from draftctl.chainset import text_path

    readers = [
        workflow.id
        for workflow in chains.workflows.values()
        if any(path == (NOTES if item.kind == "canon" else text_path(item)) for item in workflow.context)
    ]
    return (
        f"; read by {len(readers)} workflow{'' if len(readers) == 1 else 's'}, whose versions stay" if readers else ""
    )


def _of_workflow(
    ctx: typer.Context, before: "Mapping[str, bytes]", snapshot: "Snapshot", chains: "ChainSet", id_: str, plan: "Save"
) -> list[str]:
    from draftctl.differ import change_lines, changes
    from draftctl.earlier import workflow_in
    from draftctl.workflow import read_partials

    old, new = workflow_in(before, id_), chains.workflows.get(id_)
    if new is None:
        return [bold(id_) + "  taken out"]
    if old is None:
        return [
            bold(id_) + f"  new, version {plan.bumps[id_][1] if id_ in plan.bumps else new.version}",
            f"    {new.name}: {' > '.join(step.verb for step in new.steps)}",
        ]
    versions = plan.bumps.get(id_)
    head = (
        f"version {versions[0]} -> {versions[1]}"
        if versions
        else f"version {new.version} stays: what it stands for has not changed"
    )
    if not versions and old.version != new.version:
        head = f"version {old.version} -> {new.version}"
    found = changes(old, new, (read_partials(before), chains.partials))
    lines = [bold(id_) + f"  {head}", *(f"  {visible(line)}" for line in change_lines(found))]
    if old.semantic_hash != new.semantic_hash:
        lines += [f"  {visible(line)}" for line in _told_otherwise(ctx, before, snapshot, old, new)]
    return lines


def _told_otherwise(
    ctx: typer.Context, before: "Mapping[str, bytes]", snapshot: "Snapshot", old: "Workflow", new: "Workflow"
) -> list[str]:
    """Return what the model is told otherwise, for a made-up candidate of the workflow's first situation."""
    from dataclasses import replace

    from draftctl.differ import rendered_diff
    from draftctl.rendering import RenderError
    from draftctl.samples import cells_of, sample
    from draftctl.service import load_vocab
    from draftctl.trial import bench_of

    persona = settings_of(ctx).values.persona.name
    now, was = bench_of(snapshot.files, new, persona), bench_of(before, old, persona)
    if now is None or was is None:
        return []
    cell = next(iter(cells_of(new, now.canon, load_vocab(snapshot))))
    who = sample(cell, new, now.canon, now.partials)
    who = replace(who, atoms={**sample(cell, old, was.canon, was.partials).atoms, **who.atoms})
    try:
        rendered = rendered_diff(was.preview(old, who), now.preview(new, who))
    except RenderError as error:
        return [f"for {cell.spelled} it cannot be rendered: {error}"]
    lines = [f"told to the model, for {cell.spelled}:"] if rendered else []
    return lines + [line for step, text in rendered for line in (f"  {step}:", *(f"    {one}" for one in text))]


# -- what is written ----------------------------------------------------------------------------------------------------------------------


def _write(root: Path, plan: "Save", snapshot: "Snapshot", changed: tuple[str, ...], message: str) -> str:
    """Write the new versions and the lock, and commit these files and no others, as they were looked at."""
    from draftctl.failpoints import reach
    from draftctl.workspace import commit_files

    for path in (*changed, *plan.files):
        looked_at, now = snapshot.files.get(path), (root / path).read_bytes() if (root / path).is_file() else None
        if not path.startswith("schema/") and looked_at != now:
            raise DraftctlError(
                f"{path} was changed while it was looked at, so nothing was saved.", hint="`draftctl save` again."
            )
    for path, text in plan.files.items():
        replace_file(root / path, text)
        reach("save.written")
    try:
        return commit_files(root, sorted({*changed, *plan.files}), message)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).decode(errors="replace").strip()
        narrate(f"  {visible(said)}")
        raise DraftctlError(
            "Git did not take the commit, so the next run still uses the last one. What you wrote is there; new version numbers and the lock are written, "
            "and the files are staged.",
            hint="Correct what Git says above, and `draftctl save` again: nothing is counted up twice.",
        ) from error
