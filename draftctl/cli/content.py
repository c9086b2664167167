"""`engine` and `pastebin`: what replies are made with and from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from draftctl.cli.context import JsonFlag, Who, author, bold, database, emit, indent, root_of, settings_of, writing
from draftctl.errors import EngineUnreachable, FileProblems, UsageError

if TYPE_CHECKING:
    from draftctl.canon import Canon
    from draftctl.workspace import Snapshot

engine_app = typer.Typer(help="The engines: list, show, use, probe.", no_args_is_help=True)
pastebin_app = typer.Typer(help="The notes: list, show, lint.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    engine_app.command("list")(engine_list)
    engine_app.command("show")(engine_show)
    engine_app.command("use")(engine_use)
    engine_app.command("probe")(engine_probe)
    pastebin_app.command("list")(pastebin_list)
    pastebin_app.command("show")(pastebin_show)
    pastebin_app.command("lint")(pastebin_lint)
    app.add_typer(engine_app, name="engine")
    app.add_typer(pastebin_app, name="pastebin")


def _working_tree(ctx: typer.Context) -> "Snapshot":
    from draftctl.workspace import take_snapshot

    return take_snapshot(root_of(ctx), working_tree=True)


def _working_canon(ctx: typer.Context) -> "Canon":
    from draftctl.service import load_canon

    return load_canon(_working_tree(ctx))


def _active(ctx: typer.Context) -> str:
    from draftctl.engine_id import TEMPLATE
    from draftctl.store import jobs

    with database(ctx) as connection:
        return jobs.setting(connection, "draft_engine") or TEMPLATE


def engine_list(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List the engines; * marks the active one.

    Example: draftctl engine list
    """
    from draftctl.engine_id import TEMPLATE
    from draftctl.manifest import engine_ids

    active = _active(ctx)
    engines = [TEMPLATE, *engine_ids(_working_tree(ctx).files)]
    rows = [{"id": engine, "active": engine == active} for engine in engines]
    emit(
        {"engines": rows},
        as_json=as_json,
        text="\n".join(f"{'*' if row['active'] else ' '} {row['id']}" for row in rows),
    )


def engine_show(
    ctx: typer.Context,
    engine: Annotated[str | None, typer.Argument(metavar="ID", help="[default: the active one]")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show an engine and its manifest.

    Example: draftctl engine show template
    """
    from draftctl.service import load_manifest
    from draftctl.store.engines import last_probe

    active = _active(ctx)
    engine_id = engine or active
    manifest = load_manifest(_working_tree(ctx), engine_id)
    with database(ctx) as connection:
        probed = last_probe(connection, engine_id) if manifest else None
    value: dict[str, Any] = {
        "id": engine_id,
        "active": engine_id == active,
        "manifest": manifest.model_dump() if manifest else None,
        "probe": probed,
    }
    lines = [f"{engine_id}{' (active)' if value['active'] else ''}"]
    facts = value["manifest"]
    lines += (
        [f"  {key}: {_plain(item)}" for key, item in facts.items() if item not in (None, (), {})]
        if facts
        else ["  the note, filled in, is the reply; no model"]
    )
    if manifest:
        lines += (
            [f"  probed at {probed['at']}:", *_probe_lines(probed["result"])]
            if probed
            else ["  never probed: `draftctl engine probe`"]
        )
    emit(value, as_json=as_json, text="\n".join(lines))


def engine_use(
    ctx: typer.Context,
    engine: Annotated[str | None, typer.Argument(metavar="ID")] = None,
    back: Annotated[bool, typer.Option("--back", help="Return to the one before.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Use a build that has no passing evaluation.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; needed with --force.")] = None,
    by: Who = None,
) -> None:
    """Make an engine the active one.

    Example: draftctl engine use template
    """
    from draftctl.service import load_manifest
    from draftctl.store.engines import use_engine
    from draftctl.workspace import take_snapshot

    if back == (engine is not None):
        raise UsageError("Say which engine, or --back.")
    snapshot = take_snapshot(root_of(ctx))
    with writing(ctx) as connection:
        now, before = use_engine(
            connection,
            engine,
            lambda engine_id: load_manifest(snapshot, engine_id),
            force=force,
            reason=reason,
            by=author(by),
        )
    typer.echo(f"{now} drafts from now on (before: {before}).")


def engine_probe(
    ctx: typer.Context,
    engine: Annotated[str | None, typer.Argument(metavar="ID", help="[default: the active one]")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure what stands at GPU_INFERENCE_URL: the build, prefixes, control tokens, constraints.

    Example: draftctl engine probe do-gpu-mistral-nemo-12b-uncensored_2026-06-29.1
    """
    import os

    from draftctl.engines.endpoints import check_key, parse_endpoints
    from draftctl.engines.probe import as_value, probe
    from draftctl.service import load_manifest
    from draftctl.store.engines import record_probe

    engine_id = engine or _active(ctx)
    manifest = load_manifest(_working_tree(ctx), engine_id)
    if manifest is None:
        raise UsageError("The template engine has no server to probe.", hint="Name a build.")
    inference = settings_of(ctx).values.inference
    if not inference.url:
        raise EngineUnreachable("There is no server to probe: GPU_INFERENCE_URL is not set.")
    key = check_key(os.environ.get("GPU_INFERENCE_API_KEY"))
    results: list[dict[str, Any]] = []
    requests = 0
    for endpoint in parse_endpoints(inference.url, inference.allowed_hosts):
        try:
            found, sent = probe(endpoint, engine_id, api_key=key, special_tokens=manifest.special_tokens)
        except EngineUnreachable as error:
            results.append(
                {"endpoint": endpoint, "reached": False, "troubles": [f"{error.message} {error.hint}".strip()]}
            )
            continue
        results.append({**as_value(found), "reached": True, "troubles": found.troubles(manifest.serve.context_role)})
        requests += sent
    ok = not any(result["troubles"] for result in results)
    value = {
        "engine": engine_id,
        "ok": ok,
        "context_role": manifest.serve.context_role,
        "requests": requests,
        "endpoints": results,
    }
    with writing(ctx) as connection:
        record_probe(connection, engine_id, value, ok=ok)
    emit(value, as_json=as_json, text="\n".join([engine_id, *_probe_lines(value)]))
    if not all(result["reached"] for result in results):
        raise typer.Exit(EngineUnreachable.exit_code)
    raise typer.Exit(0 if ok else 1)


def _plain(item: Any) -> str:
    """Write a manifest's value as a person would."""
    if isinstance(item, dict):
        return ", ".join(f"{key} {_plain(value)}" for key, value in item.items() if value not in (None, (), {}))
    return " ".join(map(_plain, item)) if isinstance(item, tuple) else str(item)


_MARKS = {True: "yes", False: "NO", None: "could not be measured"}


def _probe_lines(value: dict[str, Any]) -> list[str]:
    lines = []
    for found in value["endpoints"]:
        if not found["reached"]:
            lines.append(f"  {found['troubles'][0]}")
            continue
        stable = ", ".join(f"as {role}: {_MARKS[kept]}" for role, kept in found["prefix_stable"].items())
        injectable = found["injectable"]
        lines += [
            f"  {found['endpoint']}  {'vLLM ' + found['version'] if found['version'] else ''}".rstrip(),
            f"    the right build: {_MARKS[found['right_build']]}; reads {found['max_model_len'] or '?'} tokens",
            f"    each step a prefix of the next, with the context {stable} (the manifest says {value['context_role']})",
            "    control tokens in a message: "
            + (
                _MARKS[None]
                if injectable is None
                else f"injectable ({' '.join(injectable)})"
                if injectable
                else "read as text"
            )
            + (
                ""
                if found["leaking"] is None
                else f"; neutralised: {'STILL ' + ' '.join(found['leaking']) if found['leaking'] else 'harmless'}"
            ),
            f"    constraints hold: choice {_MARKS[found['constrains_choice']]}, schema {_MARKS[found['constrains_schema']]}",
            *(f"    {trouble}" for trouble in found["troubles"]),
        ]
    return lines


def pastebin_list(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """List the notes.

    Example: draftctl pastebin list
    """
    canon = _working_canon(ctx)
    rows = [
        {"key": n.key, "name": n.name, "description": n.description, "atoms": list(n.atoms), "chars": len(n.text)}
        for n in canon.notes.values()
    ]
    text = "\n".join(f"{row['key']}  {row['name']:<22} {row['description']}" for row in rows)
    emit({"notes": rows, "aliases": dict(canon.aliases)}, as_json=as_json, text=text)


def pastebin_show(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="A key, an alias, a name, or a number (17).")],
    as_json: JsonFlag = False,
) -> None:
    """Show one note with its code points.

    Example: draftctl pastebin show 17
    """
    from draftctl.canon import spell

    note = _working_canon(ctx).ask(key)
    value = {
        "key": note.key,
        "name": note.name,
        "text": note.text,
        "description": note.description,
        "max_chars": note.max_chars,
        "atoms": list(note.atoms),
    }
    needs = f"\n  needs: {', '.join(note.atoms)}" if note.atoms else ""
    emit(value, as_json=as_json, text=f"{bold(spell(note.key))}  {note.name}\n{indent(note.text.strip(), '  ')}{needs}")


def pastebin_lint(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Check every note, pattern and the vocabulary as they lie there.

    Example: draftctl pastebin lint
    """
    from draftctl.lint import lint_pastebin

    problems = lint_pastebin(_working_tree(ctx).files)
    fields = ("path", "line", "column", "rule", "severity", "message")
    value = [{name: getattr(problem, name) for name in fields} for problem in problems]
    emit(value, as_json=as_json, text="\n".join(map(str, problems)) or "All is well.")
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(FileProblems.exit_code)
