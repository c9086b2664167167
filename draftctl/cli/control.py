"""`pause`, `resume`, `alerts`, `suppress`, `unsuppress`: the brakes, and who is not written to."""

from typing import Annotated, Any

import typer

from draftctl.cli.context import JsonFlag, Who, author, database, emit, indent, said, writing

alerts_app = typer.Typer(help="What a person must read now; `clear` settles one.", invoke_without_command=True)
Reason = Annotated[str, typer.Option(help="Why, in a sentence.")]
Name = Annotated[str, typer.Option("--by", help="Your name.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(pause)
    app.command()(resume)
    app.command()(suppress)
    app.command()(unsuppress)
    app.command()(suppressions)
    alerts_app.callback()(alerts)
    alerts_app.command("clear")(alerts_clear)
    app.add_typer(alerts_app, name="alerts")


def pause(ctx: typer.Context, reason: Reason, by: Who = None) -> None:
    """Stop all drafting and sending within a second.

    Example: draftctl pause --reason "checking the notes"
    """
    from draftctl.store import audit, jobs

    with writing(ctx) as connection:
        jobs.set_setting(connection, "paused", f"{said(reason, '--reason')} ({author(by)})")
        audit.append(connection, kind="pause", subject=None, actor=author(by), detail={"reason": reason})
    typer.echo("Paused. Nothing is drafted or sent until `draftctl resume --by NAME`.")


def resume(ctx: typer.Context, by: Name) -> None:
    """Go on after a pause.

    Example: draftctl resume --by Ana
    """
    from draftctl.store import audit, jobs

    with writing(ctx) as connection:
        why = jobs.paused(connection)
        if why is not None:
            jobs.set_setting(connection, "paused", None)
            audit.append(connection, kind="resume", subject=None, actor=said(by, "--by"), detail={"was": why})
    typer.echo("Nothing was paused." if why is None else "Going on: the next run drafts again.")


def alerts(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="The settled ones too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the alerts that are open.

    Example: draftctl alerts
    """
    from draftctl.store import views

    if ctx.invoked_subcommand:
        return
    with database(ctx) as connection:
        rows = views.alerts(connection, everything=everything)
    emit({"alerts": rows}, as_json=as_json, text="\n".join(map(_alert_line, rows)) or "No alert is open.")


def _alert_line(row: dict[str, Any]) -> str:
    head = f"{row['id']:>4} {row['gate']}: person {row['person_id']}, candidate {row['candidate_id']}, {row['created_at'][:16]}"
    settled = f"     settled by {row['acknowledged_by']}: {row['reason']}"
    to_settle = f"     settle it: draftctl alerts clear {row['id']} --by NAME --reason WHY"
    return "\n".join([head, indent(row["message"], "     them: "), settled if row["acknowledged_at"] else to_settle])


def alerts_clear(
    ctx: typer.Context,
    alert: Annotated[int, typer.Argument(metavar="ALERT", min=1, max=2**53)],
    by: Name,
    reason: Reason,
) -> None:
    """Settle an alert by name and with a reason.

    Example: draftctl alerts clear 3 --by Ana --reason "spoke to her, she is 34"
    """
    from draftctl.store import people

    with writing(ctx) as connection:
        back = people.clear_alert(connection, alert, by=said(by, "--by"), reason=said(reason, "--reason"))
    typer.echo(f"Alert {alert} is settled; {back} other candidates of that person are back in the queue.")


def suppress(
    ctx: typer.Context,
    person: Annotated[str, typer.Argument(metavar="PERSON")],
    reason: Annotated[str, typer.Option(help="Why.")] = "by hand",
    by: Who = None,
) -> None:
    """Never write to a person again.

    Example: draftctl suppress p-17 --reason "asked by phone"
    """
    from draftctl.store import people, persons

    with writing(ctx) as connection:
        person = people.person_meant(connection, said(person, "PERSON"))
        new = persons.suppress(connection, person, by=author(by), reason=reason)
        persons.stop_unsent(connection, person, "opted_out")
    typer.echo(f"{person} is written to no more." if new else f"{person} was suppressed already.")


def suppressions(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List who is written to no more, since when, and why.

    Example: draftctl suppressions
    """
    from draftctl.store import views

    with database(ctx) as connection:
        rows = views.suppressed(connection)
    lines = [f"{row['person_id']}  since {row['created_at'][:10]}, {row['by']}: {row['reason']}" for row in rows]
    emit({"suppressions": rows}, as_json=as_json, text="\n".join(lines) or "Nobody is suppressed.")


def unsuppress(
    ctx: typer.Context, person: Annotated[str, typer.Argument(metavar="PERSON")], by: Name, reason: Reason
) -> None:
    """Let a person be written to again.

    Example: draftctl unsuppress p-17 --by Ana --reason "she wrote and asked"
    """
    from draftctl.store import people

    with writing(ctx) as connection:
        back = people.unsuppress(
            connection, said(person, "PERSON"), by=said(by, "--by"), reason=said(reason, "--reason")
        )
    typer.echo(f"{person} may be written to again; {back} candidates are back in the queue.")
