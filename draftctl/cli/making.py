"""`workflow new`, `schema`: a first file that is right, and what an editor needs to help with it."""

from typing import TYPE_CHECKING, Annotated

import typer

from draftctl.cli.context import JsonFlag, emit, root_of, settings_of
from draftctl.cli.versions import replace_file
from draftctl.cli.workflow import find_workflow, read_tree, workflow_app
from draftctl.errors import FileProblems, UsageError

if TYPE_CHECKING:
    from draftctl.canon import Canon
    from draftctl.chainset import ChainSet
    from draftctl.new_workflow import Situation
    from draftctl.vocab import Vocab
    from draftctl.workflow import Workflow
    from draftctl.workspace import Snapshot

_ANY_BUILD = "do-gpu-MODEL_*"


def register(_app: typer.Typer) -> None:
    """Add these commands to the `workflow` group."""
    workflow_app.command()(new)
    workflow_app.command()(schema)


def new(
    ctx: typer.Context,
    workflow_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, which is the file's name: late-friday.")],
    copy: Annotated[str | None, typer.Option("--from", metavar="ID", help="Start from a copy of this one.")] = None,
    archetype: Annotated[
        list[str] | None, typer.Option("--archetype", help="Who writes; several with several options.")
    ] = None,
    state: Annotated[list[str] | None, typer.Option("--state", help="Where the thread stands.")] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", help="The note: its key, its name, or its number (17).")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What people call it. [default: its id]")] = None,
    engine: Annotated[
        str | None, typer.Option(help="The build, or a pattern of builds. [default: all of the first model here]")
    ] = None,
) -> None:
    """Write a new workflow: for a situation or as a copy, with a first test; it lints clean and is for nobody else.

    Example: draftctl workflow new late-friday --archetype courteous --state booked --key running-late
    """
    from draftctl.lint import lint_workspace
    from draftctl.new_workflow import check_id, copied_text, fresh_text, narrowed
    from draftctl.vocab import VOCAB, parse_vocab

    check_id(workflow_id)
    snapshot, canon, chains = read_tree(ctx)
    path = f"workflows/{workflow_id}.yaml"
    target = root_of(ctx) / path
    if target.exists():
        raise UsageError(f"{path} is there already, so nothing was written.", hint="Take another id.")
    vocab = parse_vocab(snapshot.files.get(VOCAB))
    asked = _asked(canon, vocab, archetype or [], state or [], key or [])
    called = name or workflow_id.replace("-", " ").capitalize()
    if copy is not None:
        other = find_workflow(chains, copy)
        text = copied_text(snapshot.files[other.path].decode(), other, workflow_id, called, narrowed(asked, other))
        _check_copy(other, text, path, chains)
    else:
        situation = asked or _first_gap(canon, vocab, chains)
        persona = settings_of(ctx).values.persona.name
        text = fresh_text(workflow_id, called, situation, _checked(engine) or _builds(snapshot), persona)
    problems = lint_workspace({**snapshot.files, path: text.encode()})
    broken = [p for p in problems if p.path == path and p.severity == "error" and p.rule != "E-AMBIG"]
    if broken:
        raise FileProblems(broken)  # nothing was written
    replace_file(target, text)
    serious = [p for p in problems if (workflow_id in p.message or p.path == path) and p.rule != "W-LOCK"]
    typer.echo(f"{path} is written." + ("" if serious else " It lints clean."))
    for problem in serious:
        typer.echo(str(problem))
    typer.echo(f'Next: edit it, `draftctl workflow test {workflow_id}`, `draftctl save -m "{called}"`.')


def _check_copy(other: "Workflow", text: str, path: str, chains: "ChainSet") -> None:
    """Refuse a copy that says something else than the original, but for whom it is."""
    from draftctl.differ import changes
    from draftctl.loading import parse_workflow

    allowed = {"name", "version", "archetypes", "states", "templateKeys"}
    try:
        copy = parse_workflow(text.encode(), path, chains.partials)
        otherwise = [
            c.where for c in changes(other, copy, (chains.partials, chains.partials)) if c.where not in allowed
        ]
    except FileProblems as error:
        otherwise = [str(error.problems[0]).splitlines()[0]]
    if otherwise:
        raise UsageError(
            f"{other.path} is written in a way that cannot be copied by itself ({otherwise[0]}), so nothing was written.",
            hint="Put each key on a line of its own there, or copy the file by hand.",
        )


def _asked(
    canon: "Canon", vocab: "Vocab", archetypes: list[str], states: list[str], keys: list[str]
) -> "Situation | None":
    """Return for whom the new one is to be; None where nothing says so. Raises UsageError for words that nobody knows."""
    from draftctl.new_workflow import Situation

    for kind, words in (("archetype", archetypes), ("state", states)):
        for word in words:
            vocab.check(kind, word)
    notes = [canon.ask(word).key for word in keys]
    return (
        Situation(archetypes=archetypes, states=states, template_keys=notes) if archetypes or states or notes else None
    )


def _first_gap(canon: "Canon", vocab: "Vocab", chains: "ChainSet") -> "Situation":
    """Return the first situation that no workflow is for. Raises UsageError where there is none."""
    from draftctl.new_workflow import Situation
    from draftctl.routing import Grid

    gaps = Grid.of(chains.entries, vocab.archetypes, vocab.states, tuple(canon.notes)).where("none")
    if not gaps:
        raise UsageError(
            "Every situation has a workflow already, so say for which this one is.",
            hint="--archetype, --state, --key; `draftctl workflow matrix` shows what is there.",
        )
    first = gaps[0]
    typer.echo(f"For {first.spelled}, the first of {len(gaps)} situations that no workflow is for.")
    return Situation(
        archetypes=[first.archetype or ""], states=[first.state or ""], template_keys=[first.template_key or ""]
    )


def _checked(engine: str | None) -> str | None:
    """Return the build or pattern that was typed. Raises UsageError for one that is none."""
    from draftctl.rules.engine import engine_fault

    fault = engine_fault(engine) if engine is not None else ""
    if fault:
        raise UsageError(fault)
    return engine


def _builds(snapshot: "Snapshot") -> str:
    """Return the pattern of all builds of the first model that has a manifest."""
    from draftctl.manifest import engine_ids

    ids = engine_ids(snapshot.files)
    return f"{ids[0].rpartition('_')[0]}_*" if ids else _ANY_BUILD


def schema(
    ctx: typer.Context,
    write: Annotated[
        bool, typer.Option("--write", help="Write them to schema/, where the files' first line finds them.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Give editors the JSON Schema of every file that you write, with the words of your vocabulary and the keys of your notes.

    Example: draftctl workflow schema --write
    """
    from draftctl.json_schemas import KINDS, schema_texts, schemas
    from draftctl.vocab import VOCAB, parse_vocab

    snapshot, canon, _ = read_tree(ctx)
    vocab = parse_vocab(snapshot.files.get(VOCAB))
    if not write:
        lines = [f"schema/{kind}.schema.json  for {where}" for kind, (_, where) in KINDS.items()]
        emit(schemas(vocab, canon), as_json=as_json, text="\n".join([*lines, "--write writes them."]))
        return
    root = root_of(ctx)
    written = []
    for path, text in schema_texts(vocab, canon).items():
        target = root / path
        target.parent.mkdir(exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            replace_file(target, text)
            written.append(path)
    emit(
        {"written": written},
        as_json=as_json,
        text=f"Written: {', '.join(written)}." if written else "They are up to date already.",
    )
