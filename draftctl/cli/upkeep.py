"""`init`, `demo`, `doctor`, `audit`, `backup`: making, checking and keeping a workspace."""

import os
from pathlib import Path
from typing import Annotated

import typer

from draftctl.cli.context import JsonFlag, database, emit, narrate, root_of, settings_of

audit_app = typer.Typer(help="The audit trail: verify, show, head.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(init)
    app.command()(demo)
    app.command()(doctor)
    app.command()(backup)
    for name, command in (("verify", audit_verify), ("show", audit_show), ("head", audit_head)):
        audit_app.command(name)(command)
    app.add_typer(audit_app, name="audit")


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    persona: Annotated[str, typer.Option(help="In whose voice texts are written.")] = "Quinn",
    consented_by: Annotated[
        str | None, typer.Option(help="Who agreed to that; nothing is sent without. [asked on a terminal]")
    ] = None,
) -> None:
    """Make a fresh workspace, with its first commit.

    Example: draftctl init ~/quinn --consented-by "Q. Adams"
    """
    import sys
    from datetime import UTC, datetime

    from draftctl.starter import make_workspace

    if consented_by is None and sys.stdin.isatty():
        consented_by = typer.prompt(
            f"Who agrees that texts are written in {persona}'s voice? (Enter: nobody yet, nothing is sent)",
            default="",
            show_default=False,
        )
    if not consented_by:
        narrate("Nobody is named who consents, so nothing will be sent; fill in persona in draftctl.yaml later.")
    today = datetime.now(UTC).date().isoformat() if consented_by else None
    commit = make_workspace(folder, persona=persona, consented_by=consented_by or None, consented_at=today)
    done = f"commit {commit[:12]}" if commit else "not under Git: install git, then commit it"
    typer.echo(
        f"{folder} is a workspace ({done}).\nNext: cd {folder} && draftctl draft --batch -i examples/inbox.jsonl"
    )


def demo(
    engine: Annotated[str, typer.Option(help="The engine; a build needs GPU_INFERENCE_URL.")] = "template",
) -> None:
    """Draft the sample inbox in a throw-away workspace.

    Example: draftctl demo
    """
    from draftctl.cli.demo import play

    play(engine)


def doctor(
    ctx: typer.Context,
    as_cron: Annotated[bool, typer.Option("--as-cron", help="With the environment that cron gives.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check the workspace and say where each setting came from.

    Example: draftctl doctor --as-cron
    """
    from draftctl.checkup import check_up

    if as_cron:
        raise typer.Exit(_as_cron(str(root_of(ctx)), as_json=as_json))
    checks = check_up(settings_of(ctx), os.environ)
    ok = all(check.ok for check in checks)
    looked = sorted((c for c in checks if not c.name.startswith(("setting ", "environment "))), key=lambda c: c.ok)
    lines = [f"{'ok  ' if c.ok else 'FIX '} {c.name}: {c.detail}" + ("" if c.ok else f"\n     {c.fix}") for c in looked]
    lines += ["where each setting came from:", *(f"     {c.name}: {c.detail}" for c in checks if c not in looked)]
    value = {
        "ok": ok,
        "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail, "fix": "" if c.ok else c.fix} for c in checks],
    }
    emit(value, as_json=as_json, text="\n".join(lines))
    raise typer.Exit(0 if ok else 1)


def _as_cron(root: str, *, as_json: bool) -> int:
    """Run doctor as cron would run it: nothing of this terminal's environment but HOME, LOGNAME and a short PATH."""
    import subprocess
    import sys

    kept = {name: os.environ[name] for name in ("HOME", "LOGNAME", "USER") if name in os.environ}
    environment = {"SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", **kept}
    command = [sys.executable, "-m", "draftctl", "--workspace", root, "doctor", *(["--json"] if as_json else [])]
    return subprocess.run(command, env=environment, cwd="/", check=False).returncode


def audit_verify(
    ctx: typer.Context,
    head: Annotated[str | None, typer.Option(help="A head hash noted earlier; finds a cut tail.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Re-derive the whole trail and compare it with the tables.

    Example: draftctl audit verify
    """
    from draftctl.store import audit

    with database(ctx) as connection:
        verdict = audit.verify(connection, head)
    value = {
        "ok": verdict.ok,
        "rows": verdict.rows,
        "first_bad": verdict.first_bad,
        "head": verdict.head,
        "reason": verdict.reason,
    }
    text = (
        f"ok: {verdict.rows} rows, head {verdict.head}"
        if verdict.ok
        else f"NOT ok at row {verdict.first_bad}: {verdict.reason}"
    )
    emit(value, as_json=as_json, text=text)
    raise typer.Exit(0 if verdict.ok else 1)


def audit_head(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Print the head hash, to be noted outside this machine.

    Example: draftctl audit head
    """
    from draftctl.store import audit

    with database(ctx) as connection:
        rows, head = audit.head(connection)
    emit({"rows": rows, "head": head}, as_json=as_json, text=head)


def audit_show(
    ctx: typer.Context, word: Annotated[str, typer.Argument(metavar="DRAFT|CANDIDATE")], as_json: JsonFlag = False
) -> None:
    """Show what the trail holds about a candidate.

    Example: draftctl audit show m-001
    """
    from draftctl.cli.look import story_text
    from draftctl.store import standing, views

    with database(ctx) as connection:
        candidate = standing.find_candidate(connection, word)
        rows = views.audit_story(connection, candidate["id"])
    emit({"candidate_id": candidate["id"], "audit": rows}, as_json=as_json, text=story_text(candidate["id"], rows))


def backup(
    ctx: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="[default: backups/ beside the database]")
    ] = None,
    keep: Annotated[int, typer.Option(min=1, help="Keep the newest so many.")] = 14,
    as_json: JsonFlag = False,
) -> None:
    """Copy the database and verify the copy.

    Example: draftctl backup
    """
    from draftctl.heartbeat import beating
    from draftctl.store.backup import back_up

    settings = settings_of(ctx)
    path = settings.database
    with beating(settings.values.heartbeat.backup), database(ctx) as connection:
        done = back_up(connection, folder or path.parent / "backups", keep=keep)
    value = {"path": str(done.path), "bytes": done.bytes, "rows": done.rows, "head": done.head}
    emit(
        value,
        as_json=as_json,
        text=f"{done.path} ({done.bytes:,} bytes, {done.rows} audit rows verify)\nhead {done.head}",
    )
    if not as_json:
        narrate("Copy it to another machine: a backup on the same disk is lost with it.")
