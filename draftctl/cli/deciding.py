"""`classify`, `requeue`: who writes and which move follows, set by hand or by the workspace's own files; and back into the queue."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.adapters import engine_maker
from draftctl.cli.context import (
    Who,
    author,
    committed_canon,
    database,
    root_of,
    settings_of,
    writing,
)
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from draftctl.canon import Canon
    from draftctl.stages import Filled


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(classify)
    app.command()(requeue)


def classify(
    ctx: typer.Context,
    candidate: Annotated[str, typer.Argument(metavar="ID", help="The candidate.")],
    archetype: Annotated[str | None, typer.Option(help="Who writes: one of workflows/vocab.yaml.")] = None,
    state: Annotated[str | None, typer.Option(help="Where the thread stands: one of workflows/vocab.yaml.")] = None,
    key: Annotated[str | None, typer.Option(help="The note: its key, its name, or its number (17).")] = None,
    atom: Annotated[
        list[str] | None, typer.Option("--atom", metavar="NAME=VALUE", help="A fact, as in screened=true.")
    ] = None,
    by: Who = None,
) -> None:
    """Set what a candidate came without: by hand, or with no option by the workspace's own rules.

    Example: draftctl classify m-012 --key availability
    """
    from draftctl.models import Staged
    from draftctl.store import people
    from draftctl.vocab import VOCAB, parse_vocab
    from draftctl.workspace import take_snapshot

    if not (archetype or state or key or atom):
        typer.echo(_by_the_files(ctx, candidate, author(by)))
        return
    vocab = parse_vocab(take_snapshot(root_of(ctx)).files.get(VOCAB)) if archetype or state else None
    if vocab:
        _ = archetype and vocab.check("archetype", archetype), state and vocab.check("state", state)
    note = committed_canon(ctx).ask(key) if key else None
    atoms = dict(_atom(text) for text in atom or ())
    staged = Staged(archetype=archetype, state=state, template_key=note.key if note else None, atoms=atoms)
    with writing(ctx) as connection:
        done = people.classify(connection, candidate, staged, by=author(by))
    said = [archetype, state, f"{note.key} {note.name}" if note else None, *(f"{n}={v}" for n, v in atoms.items())]
    typer.echo(f"{done}: {' '.join(word for word in said if word)}")


def _atom(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not (sign and name.strip() and value.strip()):
        raise UsageError(f"--atom {text!r} is no NAME=VALUE.", hint="It reads like --atom screened=true.")
    return name.strip(), {"true": True, "false": False}.get(value.strip(), value.strip())


def _by_the_files(ctx: typer.Context, word: str, by: str) -> str:
    """Classify and decide by what is committed, gates first; return what a person reads."""
    import asyncio

    from draftctl.screening import inbound_hits
    from draftctl.store import people

    canon = committed_canon(ctx)
    with database(ctx) as connection:
        row, candidate, person, thread = people.situation(connection, word)
    from draftctl.gates import GATES

    hits = inbound_hits(candidate, person, GATES, canon)
    if hits:
        raise UsageError(f"{candidate.id} is stopped by the gate {hits[0].gate}, so nobody classifies it.")
    filled: Filled = asyncio.run(_filled(ctx, canon, candidate, thread))
    if filled.held is not None:
        raise UsageError(f"{candidate.id} cannot be classified ({filled.held.reason}): {filled.held.detail}")
    with writing(ctx) as connection:
        people.classify(connection, row["id"], filled.staged, by=by, findings=filled.findings)
    return f"{candidate.id}: " + "; ".join(f"{f.kind} {f.detail or f.outcome}" for f in filled.findings)


async def _filled(ctx: typer.Context, canon: "Canon", candidate: Any, thread: Any) -> "Filled":
    from draftctl.engines.template import TemplateEngine
    from draftctl.memory import NoMemory
    from draftctl.runner import note_facts
    from draftctl.service import persona_of
    from draftctl.stage_files import Reading, read_stages
    from draftctl.stages import fill
    from draftctl.workspace import take_snapshot

    settings = settings_of(ctx)
    snapshot = take_snapshot(root_of(ctx))
    reading = Reading(
        files=snapshot.files,
        canon=canon,
        persona=persona_of(snapshot, root_of(ctx), settings.values.persona.name),
        notes=note_facts(canon),
        versioned=snapshot.commit is not None,
        engine=TemplateEngine(),
        make_engine=engine_maker(settings),
    )
    stages = read_stages(reading)
    try:
        return await fill(candidate, thread, stages, NoMemory())
    finally:
        if stages.asking is not None:
            await stages.asking.deps.engine.close()


def requeue(
    ctx: typer.Context,
    candidates: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Held or drafted candidates.")] = None,
    reason: Annotated[str | None, typer.Option(help="All that hold for this reason.")] = None,
    by: Who = None,
) -> None:
    """Put candidates back to be drafted anew.

    Example: draftctl requeue m-012
    """
    from draftctl.store import people, views

    with writing(ctx) as connection:
        words = [
            *(candidates or []),
            *(row["id"] for row in (views.holds(connection, reason=reason, limit=1_000_000) if reason else [])),
        ]
        if not words and not reason:
            raise UsageError("Say which: IDs, or --reason REASON.")
        done = [people.requeue(connection, word, by=author(by)) for word in words]
    typer.echo(f"{len(done)} back in the queue: {', '.join(done)}" if done else "Nothing holds for that reason.")
