"""`status`, `show`, `drafts list`, `holds`, `rejects`: what there is, in plain words. These only read."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from draftctl.cli.context import JsonFlag, bold, database, emit, indent, settings_of

if TYPE_CHECKING:
    import sqlite3

drafts_app = typer.Typer(help="The drafts.", no_args_is_help=True)
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(status)
    app.command()(show)
    app.command()(holds)
    app.command()(rejects)
    drafts_app.command("list")(drafts_list)
    app.add_typer(drafts_app, name="drafts")


def status(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Say how things stand, and what needs a person.

    Example: draftctl status
    """
    from draftctl.store import views
    from draftctl.store.db import lock_holder

    with database(ctx) as connection:
        value = {**views.status(connection), "at_work": lock_holder(settings_of(ctx).database)}
    emit(value, as_json=as_json, text=_status_text(value))


def _status_text(value: dict[str, Any]) -> str:
    counts, last = value["candidates"], value["last_run"]
    lines = []
    if value["paused"]:
        lines.append(f"PAUSED: {value['paused']}. `draftctl resume --by NAME` goes on.")
    if value["alerts"]:
        lines.append(
            f"{value['alerts']} ALERT{'S' if value['alerts'] > 1 else ''} that a person must read now: `draftctl alerts`."
        )
    if last is None:
        lines.append("Nothing has run yet: `draftctl draft --batch -i FILE` takes an inbox in and drafts it.")
    elif last["finished_at"] is None and value["at_work"]:
        lines.append(f"A run is at work: {value['at_work']}.")
    elif last["finished_at"] is None:
        lines.append(
            f"The last run, begun at {_time(last['started_at'])}, was killed. Nothing is lost: the next run tidies up."
        )
    else:
        done = last["counts"]
        lines.append(
            f"Last run: {_time(last['finished_at'])}, {last['engine_id']}, {done.get('drafted', 0)} drafted, {done.get('held', 0)} held ({last['outcome']})."
        )
    waiting = counts.get("waiting", 0) + counts.get("drafting", 0)
    lines.append(
        f"Waiting to be drafted: {waiting}"
        + (f", the oldest since {_time(value['oldest_waiting_at'])}." if value["oldest_waiting_at"] else ".")
    )
    lines.append(
        f"For you to read: {counts.get('drafted', 0)} drafts (`draftctl drafts list --status drafted`), {counts.get('held', 0)} holds (`draftctl holds`)."
    )
    lines.append(f"Approved and not yet sent: {value['to_send']}. Sent so far: {counts.get('sent', 0)}.")
    if value["rejects"]:
        lines.append(f"Input lines that could not be read: {value['rejects']} (`draftctl rejects`).")
    return "\n".join(lines)


def _time(text: str) -> str:
    from datetime import datetime

    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def show(
    ctx: typer.Context,
    word: Annotated[str, typer.Argument(metavar="DRAFT|CANDIDATE", help="A draft's or a candidate's id.")],
    prompt: Annotated[
        bool, typer.Option("--prompt", help="Add the exact messages, rebuilt from the database and verified.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show a draft whole: thread, reply, steps, every decision.

    Example: draftctl show m-001 --prompt
    """
    with database(ctx) as connection:
        show_whole(connection, word, prompt=prompt, as_json=as_json)


def show_whole(connection: "sqlite3.Connection", word: str, *, prompt: bool, as_json: bool) -> None:
    """Print a draft or a candidate whole."""
    from draftctl.errors import UsageError
    from draftctl.store import standing, views

    candidate = standing.find_candidate(connection, word)
    try:
        draft = standing.find_draft(connection, word)
    except UsageError:
        draft = None
    value = views.draft_whole(connection, candidate, draft, prompt=prompt)
    emit(value, as_json=as_json, text=_whole_text(value))


def _whole_text(value: dict[str, Any]) -> str:
    candidate, draft = value["candidate"], value["draft"]
    lines = [
        bold(f"{candidate['id']}")
        + f"  thread {candidate['thread_id']}, person {candidate['person_id']}, {candidate['status']}"
    ]
    lines += [indent(m["text"], "  them: " if m["role"] == "prospect" else "  us:   ") for m in candidate["messages"]]
    lines += hold_lines(candidate) if candidate["hold_reason"] else []
    if draft and draft["body"]:
        lines.append(
            bold(f"{draft['id']}")
            + f"  {draft['engine_id']}, note {draft['template_key']}, commit {(draft['git_commit'] or 'none')[:12]} ({draft['git_state']})"
        )
        lines.append(indent(draft["body"], "  draft: "))
    if draft and draft["workflow_id"]:
        lines.append(
            f"  by workflow {draft['workflow_id']} version {draft['workflow_version']} ({draft['semantic_hash'][:12]}), "
            f"bundle {draft['bundle_hash'][:12]}, served as {draft['engine_served']} ({draft['fingerprint'] or 'no fingerprint'}), attested by {draft['attested']}"
        )
    lines += _step_lines(value["steps"], with_workflow=bool(draft and draft["workflow_id"]))
    for given in value["corrections"]:
        stopped = f", kept here but stopped by {given['stopped_by']}" if given["stopped_by"] else ""
        lines.append(
            f"  {given['verdict']} by {given['author']}{stopped}{': ' + given['note'] if given['note'] else ''}"
        )
        lines += [indent(given["body"], "    text: ")] if given["verdict"] == "edited" else []
    lines.append("  decisions:")
    lines += [
        f"    {_time(d['at'])}  {d['kind']}: {d['outcome']} {d['reason'] or ''} {'(' + d['detail'] + ')' if d['detail'] else ''}".rstrip()
        for d in value["decisions"]
    ]
    return "\n".join(lines)


def _step_lines(steps: list[dict[str, Any]], *, with_workflow: bool) -> list[str]:
    """Print a chain: of each step the messages that it added (what went before stands above), and what came back."""
    lines: list[str] = []
    before: list[dict[str, str]] = []
    for step in steps:
        again = f", attempt {step['attempt']}" if step["attempt"] > 1 or not with_workflow else ""
        lines.append(
            f"  step {step['n']} {step['verb']} ({step['name']}){again}: {step['finish_reason']}, prompt {step['prompt_hash'][:12]}"
        )
        messages = step.get("messages", [])
        new = messages[len(before) :] if messages[: len(before)] == before else messages
        lines += [indent(m["content"], f"    {m['role']}: ") for m in new]
        before = messages
        lines += [indent(step["output"], "    -> ")] if with_workflow else []
    return lines


def hold_lines(row: dict[str, Any]) -> list[str]:
    """Say why a candidate holds and what to do next."""
    from draftctl.holds import hold_kind, next_step

    reason, detail, on_body = row["hold_reason"], row["hold_detail"], row["reopen"] == "change"
    meaning = hold_kind(reason, on_body=on_body).meaning
    return [
        indent(f"{meaning}{' (' + detail + ')' if detail else ''}", f"  held, {reason}: "),
        indent(next_step(reason, on_body=on_body, candidate_id=row["id"], person_id=row["person_id"]), "    next: "),
    ]


def drafts_list(
    ctx: typer.Context,
    status: Annotated[
        Literal["drafted", "approved", "rejected", "sent"] | None, typer.Option(help="[default: all of them]")
    ] = None,
    limit: Limit = 100,
    as_json: JsonFlag = False,
) -> None:
    """List the drafts beside what they answer.

    Example: draftctl drafts list --status drafted
    """
    from draftctl.store import views

    with database(ctx) as connection:
        rows = views.drafts(connection, status=status, limit=limit)
    emit({"drafts": rows}, as_json=as_json, text=drafts_text(rows))


def drafts_text(rows: list[dict[str, Any]]) -> str:
    """Lay drafts out for reading."""
    blocks = [
        "\n".join(
            [
                bold(row["id"]) + f"  {row['candidate_id']}  {row['template_key']}  {row['status']}",
                indent(row["inbound"], "  them: "),
                indent(row["outgoing"] or row["body"], "  us:   "),
            ]
        )
        for row in rows
    ]
    return "\n".join(blocks) if blocks else "No drafts."


def holds(
    ctx: typer.Context,
    reason: Annotated[str | None, typer.Option(help="Only this reason, as in gate:minor.")] = None,
    limit: Limit = 100,
    as_json: JsonFlag = False,
) -> None:
    """List what holds, why, and what to do next.

    Example: draftctl holds
    """
    from draftctl.store import views

    with database(ctx) as connection:
        rows = views.holds(connection, reason=reason, limit=limit)
    emit({"holds": rows}, as_json=as_json, text=holds_text(rows))


def holds_text(rows: list[dict[str, Any]]) -> str:
    """Lay holds out for reading."""
    blocks = [
        "\n".join(
            [
                bold(row["id"]) + f"  person {row['person_id']}",
                indent(row["inbound"], "  them: "),
                *hold_lines(row),
            ]
        )
        for row in rows
    ]
    return "\n".join(blocks) if blocks else "Nothing holds."


def rejects(ctx: typer.Context, limit: Limit = 100, as_json: JsonFlag = False) -> None:
    """List the input lines that could not be taken, and why.

    Example: draftctl rejects
    """
    with database(ctx) as connection:
        rows = [dict(row) for row in connection.execute("SELECT * FROM rejects ORDER BY at, line LIMIT ?", (limit,))]
    text = "\n".join(
        f"{row['source']}:{row['line']}: {row['reason']}\n  {json.dumps(row['text'][:160], ensure_ascii=False)}"
        for row in rows
    )
    emit({"rejects": rows}, as_json=as_json, text=text or "No line was rejected.")


def story_text(candidate_id: str, rows: list[dict[str, object]]) -> str:
    """Lay the trail's rows about a candidate out for reading."""
    lines = [bold(f"The trail of {candidate_id}")]
    for row in rows:
        detail = row["detail"] if isinstance(row["detail"], dict) else {}
        facts = ", ".join(f"{key} {str(value)[:44]}" for key, value in detail.items() if value not in (None, ""))
        lines.append(
            f"  {row['seq']:>5}  {str(row['at'])[:19]}  {row['kind']:<13} by {row['actor']}: {facts}\n         hash {str(row['hash'])[:16]}..."
        )
    return "\n".join(lines)
