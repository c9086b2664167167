"""`why`: the whole story of one candidate on one screen: every stage, what it decided and on what, and what comes next."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.context import JsonFlag, bold, database, emit, indent

if TYPE_CHECKING:
    from draftctl.store.story import Story

_MAX_EARLIER = 4


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(why)


def why(
    ctx: typer.Context,
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE|DRAFT")],
    as_json: JsonFlag = False,
) -> None:
    """Say why a candidate stands where it stands: every stage, what it decided and on what, and what comes next.

    Example: draftctl why m-012
    """
    from draftctl.store.story import story

    with database(ctx) as connection:
        told = story(connection, candidate)
    emit(_value(told), as_json=as_json, text=_text(told))


def _value(told: "Story") -> dict[str, Any]:
    row = told.candidate
    return {
        "candidate": {name: row[name] for name in _SHOWN},
        "meaning": told.meaning,
        "next": told.next_step,
        "stages": list(told.decisions),
        "earlier": list(told.earlier),
        "draft": {name: told.draft[name] for name in _OF_DRAFT} if told.draft else None,
        "outbox": {name: told.outbox[name] for name in ("id", "status", "answer", "updated_at")}
        if told.outbox
        else None,
    }


_SHOWN = (
    "id", "thread_id", "person_id", "archetype", "state", "template_key", "next_state", "mode", "status", "hold_reason", "hold_detail",
    "attempts", "received_at", "ingested_at",
)  # fmt: skip
_OF_DRAFT = (
    "id", "engine_id", "workflow_id", "workflow_version", "git_commit", "git_state", "mode", "status", "hold_reason", "body", "created_at"
)  # fmt: skip


def _text(told: "Story") -> str:
    row = told.candidate
    status = f"held, {row['hold_reason']}" if row["hold_reason"] else row["status"]
    lines = [bold(f"{row['id']}: {status}") + f"   person {row['person_id']}, thread {row['thread_id']}"]
    lines.append(indent(told.inbound[:600] + ("..." if len(told.inbound) > 600 else ""), "  them: "))  # noqa: PLR2004
    if told.draft is not None and told.draft["body"]:
        text = told.outbox["body"] if told.outbox and told.outbox["status"] != "void" else told.draft["body"]
        lines.append(indent(text, "  us:   "))
    lines.append("")
    if told.earlier:
        shown = [f"{e['kind']} {e['outcome']}{' ' + e['reason'] if e['reason'] else ''}" for e in told.earlier]
        more = f"{len(shown) - _MAX_EARLIER} more, then " if len(shown) > _MAX_EARLIER else ""
        lines.append(indent(more + "; ".join(shown[-_MAX_EARLIER:]), "  before   "))
    lines += [
        indent(_said(stage, told), f"  {stage['at'][5:16].replace('T', ' ')}  {stage['kind']:<9}")
        for stage in told.decisions
    ]
    lines += ["", indent(told.meaning + (f" ({row['hold_detail']})" if row["hold_detail"] else ""), "  now:  ")]
    if told.next_step:
        lines.append(indent(told.next_step, "  next: "))
    return "\n".join(lines)


def _said(stage: dict[str, Any], told: "Story") -> str:
    """Return one stage's line: what it decided, then on what."""
    outcome, reason, detail = stage["outcome"], stage["reason"] or "", stage["detail"] or ""
    match stage["kind"]:
        case "classify" if outcome in ("set", "disagree"):
            by = f" (asked {stage['engine_id']})" if str(stage["engine_id"]).startswith("do-gpu") else ""
            return ("" if outcome == "set" else "the rules disagree: ") + detail + by
        case "decide" if outcome != "held":
            return f"{outcome}, by {reason} ({detail})"
        case "mode":
            return f"{outcome}, {detail}" if reason == "not_auto" else f"{outcome} (said by the {reason})"
        case "gate" if outcome == "pass":
            return f"{'what they wrote' if detail.startswith('inbound') else 'the reply'} passes"
        case "draft" if outcome == "drafted" and told.draft is not None:
            return f"by {_maker(told.draft)}, as {told.draft['id']}"
    return " ".join(part for part in (outcome, reason, f"({detail})" if detail else "") if part)


def _maker(draft: Any) -> str:
    workflow = f"{draft['workflow_id']} version {draft['workflow_version']} on " if draft["workflow_id"] else ""
    commit = f", commit {draft['git_commit'][:8]}" if draft["git_commit"] else ""
    return f"{workflow}{draft['engine_id']}{commit}" + (
        "" if draft["git_state"] == "clean" else f" ({draft['git_state']})"
    )
