"""`classifier`, `decisions`: the two files before the draft, seen through: what they say of a message or a situation, and why."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.context import JsonFlag, database, emit, root_of
from draftctl.cli.linting import lint_paths
from draftctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from draftctl.canon import Canon
    from draftctl.classifier import Classifier, Situation
    from draftctl.decisions import Decisions, Row
    from draftctl.vocab import Vocab

classifier_app = typer.Typer(help="Who writes, and where a thread stands: the rules of workflows/classify.yaml.", no_args_is_help=True)  # fmt: skip
decisions_app = typer.Typer(help="Which move follows: the table of workflows/decisions.yaml.", no_args_is_help=True)
Archetype = Annotated[str, typer.Option(help="Who writes: one of workflows/vocab.yaml.")]
State = Annotated[str, typer.Option(help="Where the thread stands: one of workflows/vocab.yaml.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    classifier_app.command("why")(classifier_why)
    classifier_app.command("matrix")(classifier_matrix)
    classifier_app.command("lint")(classifier_lint)
    app.add_typer(classifier_app, name="classifier")
    decisions_app.command("why")(decisions_why)
    decisions_app.command("matrix")(decisions_matrix)
    decisions_app.command("lint")(decisions_lint)
    app.add_typer(decisions_app, name="decisions")


# -- the classifier's rules --------------------------------------------------------------------------------------------------------------


def _read_tree(ctx: typer.Context) -> "tuple[Mapping[str, bytes], Canon, Vocab]":
    from draftctl.service import load_canon
    from draftctl.vocab import VOCAB, parse_vocab
    from draftctl.workspace import take_snapshot

    snapshot = take_snapshot(root_of(ctx), working_tree=True)
    return snapshot.files, load_canon(snapshot), parse_vocab(snapshot.files.get(VOCAB))


def _classifier(ctx: typer.Context) -> "tuple[Classifier, Vocab]":
    from draftctl.classifier import CLASSIFY, read_classifier
    from draftctl.workflow import read_partials

    files, canon, vocab = _read_tree(ctx)
    if CLASSIFY not in files:
        raise UsageError(f"There is no {CLASSIFY} here, so others classify.", hint="docs/pipeline.md shows one.")
    return read_classifier(files[CLASSIFY], canon, vocab, read_partials(files)), vocab


def classifier_why(
    ctx: typer.Context,
    candidate: Annotated[str | None, typer.Argument(metavar="[ID]", help="A candidate.")] = None,
    text: Annotated[str | None, typer.Option(help="Or a message, as it would come in.")] = None,
    was: Annotated[str | None, typer.Option(help="Where the thread stood.")] = None,
    replies: Annotated[int, typer.Option(min=0, help="How often we have answered.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Say what the rules make of a message: each rule in its order, the first that applies, and the facts that were found.

    Example: draftctl classifier why --text "hey, i'm Ben. free on friday?"
    """
    from draftctl.classifier import KINDS, Situation

    if (candidate is None) == (text is None):
        raise UsageError("Say either a candidate's ID or --text.")
    classifier, vocab = _classifier(ctx)
    if was is not None:
        vocab.check("state", was)
    if candidate is not None:
        from draftctl.store import people

        with database(ctx) as connection:
            _, value, _, thread = people.situation(connection, candidate)
        atoms: dict[str, Any] = {**classifier.found(value.inbound), **value.usable_atoms}
        situation = Situation.of(value, thread.state, atoms)
    else:
        atoms = dict(classifier.found([text or ""]))
        situation = Situation(
            texts=(text or "",), unanswered=(text or "",), was=was, replies=replies, atoms=frozenset(atoms)
        )
    traced = {kind: _trace(classifier, kind, situation) for kind, _ in KINDS}
    said = {one: said.value if (said := classifier.say(kind, situation)) else None for kind, one in KINDS}
    value_out = {**said, "atoms": atoms, "was": situation.was, "replies": situation.replies, "rules": traced}
    lines = [f"{said['archetype'] or 'nobody'} x {said['state'] or 'nowhere'}"]
    lines += [f"  atoms: {', '.join(f'{name} = {item}' for name, item in atoms.items()) or 'none'}"]
    for kind, _ in KINDS:
        lines.append(f"  {kind}:")
        lines += [f"    {row['rule']:>2} {row['is']}: {row['fate']}" for row in traced[kind]]
    if classifier.asks_model:
        lines.append(f"  In a run {classifier.engine} is asked instead of these rules.")
    emit(value_out, as_json=as_json, text="\n".join(lines))


def _trace(classifier: "Classifier", kind: Any, situation: "Situation") -> "list[dict[str, Any]]":
    from draftctl.classifier import meets

    rows: list[dict[str, Any]] = []
    taken = False
    for n, rule in enumerate(classifier.rules(kind), start=1):
        met = meets(rule, situation, kind)
        by = f" ({met!r})" if met else ""
        fate = "does not apply" if met is None else f"would apply{by}, but comes after" if taken else f"applies{by}"
        rows.append({"rule": n, "is": rule.says, "met": met is not None, "phrase": met or None, "fate": fate})
        taken = taken or met is not None
    return rows


def classifier_matrix(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Show what the rules make of their own examples: what each should be, and what it is.

    Example: draftctl classifier matrix
    """
    from draftctl.classifier import KINDS, tried

    classifier, _ = _classifier(ctx)
    value: dict[str, Any] = {}
    lines: list[str] = []
    for kind, _one in KINDS:
        counts: dict[str, dict[str, int]] = {}
        for one in tried(classifier, kind):
            if one.want:
                row = counts.setdefault(classifier.rules(kind)[one.rule - 1].says, {})
                said = one.said.value if one.said else "none"
                row[said] = row.get(said, 0) + 1
        value[kind] = counts
        lines += [kind, *_counts_table(counts), ""]
    emit(value, as_json=as_json, text="\n".join(lines).rstrip())


def _counts_table(counts: "Mapping[str, Mapping[str, int]]") -> list[str]:
    columns = sorted({name for row in counts.values() for name in row})
    head = ["should be", *columns]
    rows = [[name, *(_count(name, column, row) for column in columns)] for name, row in counts.items()]
    return _aligned([head, *rows]) if rows else ["  no examples"]


def _count(name: str, column: str, row: "Mapping[str, int]") -> str:
    n = row.get(column, 0)
    return "." if not n else str(n) if name == column else f"{n} !"


def _aligned(rows: "Sequence[Sequence[str]]") -> list[str]:
    from rich.cells import cell_len

    widths = [max(cell_len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return ["  " + "  ".join(cell + " " * (widths[n] - cell_len(cell)) for n, cell in enumerate(row)).rstrip() for row in rows]  # fmt: skip


def classifier_lint(ctx: typer.Context) -> None:
    """Check the rules, and run their examples.

    Example: draftctl classifier lint
    """
    from draftctl.classifier import CLASSIFY

    lint_paths(ctx, [CLASSIFY])


# -- the table of decisions ---------------------------------------------------------------------------------------------------------------


def _decisions(ctx: typer.Context) -> "tuple[Decisions, Canon, Vocab]":
    from draftctl.decisions import DECISIONS, read_decisions

    files, canon, vocab = _read_tree(ctx)
    if DECISIONS not in files:
        raise UsageError(f"There is no {DECISIONS} here, so others decide.", hint="docs/pipeline.md shows one.")
    return read_decisions(files[DECISIONS], canon, vocab), canon, vocab


def decisions_why(
    ctx: typer.Context,
    archetype: Archetype,
    state: State,
    atom: Annotated[list[str] | None, typer.Option("--atom", metavar="NAME", help="A fact that is known.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say which decision a situation gets, and what beat the others.

    Example: draftctl decisions why --archetype courteous --state new --atom name
    """
    from draftctl.routing import Cell

    table, canon, vocab = _decisions(ctx)
    vocab.check("archetype", archetype)
    vocab.check("state", state)
    choice = table.choose(Cell(archetype=archetype, state=state, atoms=frozenset(atom or ())))
    decision = table.by_id[choice.winner.id] if choice.winner else None
    value = {
        "winner": decision.id if decision else None,
        "template_key": decision.template_key if decision else None,
        "next": decision.next_state if decision else None,
        "mode": decision.mode if decision else None,
        "reason": choice.detail,
        "candidates": [{"id": c.id, "matched": c.matched, "beaten_by": c.beaten_by} for c in choice.candidates],
    }
    lines = [f"{decision.id if decision else 'none'}  ({choice.detail})"]
    if decision:
        lines.append(
            f"  {_move(decision.template_key, canon)}"
            + (f", then {decision.next_state}" if decision.next_state else "")
        )
    lines += [
        f"  {c.id}: {'beaten by ' + c.beaten_by if c.beaten_by else 'wins' if c.id == value['winner'] else 'ties'}"
        for c in choice.candidates
        if c.matched
    ]
    others = [c.id for c in choice.candidates if not c.matched]
    lines += [f"  not for this situation: {', '.join(others)}"] if others else []
    emit(value, as_json=as_json, text="\n".join(lines))


def _move(template_key: str | None, canon: "Canon") -> str:
    note = canon.find(template_key) if template_key else None
    return f"{note.key} {note.name}" if note else "a person answers"


def decisions_matrix(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Show the whole table: archetype x state, the note that follows, gaps and ties, and where facts decide.

    Example: draftctl decisions matrix
    """
    table, canon, vocab = _decisions(ctx)
    rows = list(table.rows(vocab))
    cells = [_cell_value(table, row) for row in rows]
    if as_json:
        emit({"cells": cells}, as_json=True, text="")
        return
    by_place: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_place.setdefault((row.cell.archetype or "", row.cell.state or ""), []).append(row)
    grid = [["", *vocab.states]]
    grid += [[a, *(_shown(table, by_place[a, s]) for s in vocab.states)] for a in vocab.archetypes]
    lines = _aligned(grid)
    lines += ["", "  . nothing is decided    ! several decisions tie    - a person answers    + facts decide (below)"]
    lines += _by_facts(table, by_place, canon)
    emit({}, as_json=False, text="\n".join(lines))


def _cell_value(table: "Decisions", row: "Row") -> dict[str, Any]:
    winner = row.choice.winner
    decision = table.by_id[winner.id] if winner else None
    return {
        "archetype": row.cell.archetype,
        "state": row.cell.state,
        "atoms": sorted(row.cell.atoms),
        "decision": decision.id if decision else None,
        "template_key": decision.template_key if decision else None,
        "next": decision.next_state if decision else None,
        "mode": decision.mode if decision else None,
        "reason": row.choice.reason,
        "tied": [entry.id for entry in row.choice.tied],
    }


def _sign(table: "Decisions", row: "Row") -> str:
    if row.choice.winner is None:
        return "!" if row.choice.reason == "ambiguous" else "."
    return table.by_id[row.choice.winner.id].template_key or "-"


def _shown(table: "Decisions", rows: "Sequence[Row]") -> str:
    signs = list(dict.fromkeys(_sign(table, row) for row in rows))
    return signs[0] if len(signs) == 1 else f"{signs[0]}+"


def _by_facts(table: "Decisions", by_place: "Mapping[tuple[str, str], Sequence[Row]]", canon: "Canon") -> list[str]:
    """Say once for each pattern where facts decide: which decisions win there, and on what."""
    patterns: dict[tuple[str, ...], list[str]] = {}
    for (archetype, state), rows in by_place.items():
        winners = list(dict.fromkeys(row.choice.winner.id if row.choice.winner else "" for row in rows))
        if len(winners) > 1:
            lines = tuple(_on_what(table, id_, canon) for id_ in winners if id_)
            patterns.setdefault(lines + (("nothing is decided: otherwise",) if "" in winners else ()), []).append(
                f"{archetype} x {state}"
            )
    found: list[str] = []
    for lines, places in patterns.items():
        shown = ", ".join(places[:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "")  # noqa: PLR2004
        found += ["", f"  {shown}", *(f"    {line}" for line in lines)]
    return found


def _on_what(table: "Decisions", id_: str, canon: "Canon") -> str:
    applies = next(entry.applies for entry in table.entries if entry.id == id_)
    on = [f"with {', '.join(sorted(applies.atoms))}"] if applies.atoms else []
    on += [f"without {', '.join(sorted(applies.without))}"] if applies.without else []
    return f"{_move(table.by_id[id_].template_key, canon)}: {' and '.join(on) or 'otherwise'} ({id_})"


def decisions_lint(ctx: typer.Context) -> None:
    """Check the table: words, notes, ties, gaps.

    Example: draftctl decisions lint
    """
    from draftctl.decisions import DECISIONS

    lint_paths(ctx, [DECISIONS])
