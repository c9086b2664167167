"""`workflow lint`: everything that is wrong in the workspace, for a person, for a program, for a pull request; and what a rule is about."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from draftctl.cli.context import emit, narrate, root_of
from draftctl.cli.workflow import workflow_app
from draftctl.errors import FileProblems, Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = ("text", "json", "github")
_FIELDS = ("path", "line", "column", "rule", "severity", "message")


def register(_app: typer.Typer) -> None:
    """Add this command to the `workflow` group."""
    workflow_app.command()(lint)


def lint(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH...]", help="[default: the whole workspace]")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="REF", help="Also refuse a version that says something else there."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    format_: Annotated[
        str,
        typer.Option(
            "--format", metavar="text|json|github", help="How to print: github marks the lines of a pull request."
        ),
    ] = "text",
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="RULE", help="Say what a rule is about, with an example.")
    ] = None,
) -> None:
    """Check everything that a run reads, as it lies there; every error at once.

    Example: draftctl workflow lint --against HEAD
    """
    if explain is not None:
        _explain(explain)
        return
    lint_paths(ctx, paths or [], against=against, strict=strict, format_=format_)


def _explain(word: str) -> None:
    from draftctl.rule_cases import explain
    from draftctl.rules import BY_ID
    from draftctl.spelling import did_you_mean

    rule = BY_ID.get(word.upper())
    if rule is None:
        raise UsageError(
            f"There is no rule {word!r}{did_you_mean(word.upper(), sorted(BY_ID))}", hint="docs/lint.md lists them."
        )
    typer.echo(explain(rule))


def lint_paths(
    ctx: typer.Context, paths: list[str], *, against: str | None = None, strict: bool = False, format_: str = "text"
) -> None:
    """Check the workspace, and print what is wrong in these files (none: in all of them)."""
    if format_ not in FORMATS:
        raise UsageError(f"--format is {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, not {format_!r}.")
    root = root_of(ctx)
    problems = find_problems(root, against)
    if paths:
        wanted = {_inside(root, path) for path in paths}
        problems = [p for p in problems if any(w in (".", p.path) or p.path.startswith(f"{w}/") for w in wanted)]
    _print(root, problems, format_)
    if any(problem.severity == "error" or strict for problem in problems):
        raise typer.Exit(FileProblems.exit_code)


def _print(root: Path, problems: list[Problem], format_: str) -> None:
    if format_ == "github":
        from draftctl.workspace import prefix_of

        prefix = prefix_of(root)
        for problem in problems:
            typer.echo(_github(problem, prefix))
        return
    value = [{name: getattr(problem, name) for name in _FIELDS} for problem in problems]
    emit(value, as_json=format_ == "json", text="\n".join(map(str, problems)) or "All is well.")
    if problems and format_ == "text":
        narrate(_summary(problems))


def _summary(problems: list[Problem]) -> str:
    errors = sum(1 for problem in problems if problem.severity == "error")
    counts = [(errors, "error"), (len(problems) - errors, "warning")]
    said = " and ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts if n)
    return f"{said}. `draftctl workflow lint --explain {problems[0].rule}` says what a rule is about."


def _github(problem: Problem, prefix: str) -> str:
    """Return a workflow command of GitHub's (docs: Workflow commands for GitHub Actions, setting an error message)."""
    place = f"file={_escaped(prefix + problem.path, ',:')},line={problem.line},col={problem.column}"
    return f"::{problem.severity} {place},title={problem.rule}::{_escaped(problem.message)}"


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in "%\r\n" + more else char for char in text)


def _inside(root: Path, path: str) -> str:
    """Return a path that was typed, relative to the workspace. Raises UsageError for one that is not there, or not in it."""
    full = Path(path).resolve()
    if not full.exists():
        full = (root / path).resolve()
    if not full.is_relative_to(root.resolve()):
        raise UsageError(f"{path} is not in this workspace.")
    if not full.exists():
        raise UsageError(f"There is no {path} here.")
    return full.relative_to(root.resolve()).as_posix()


def find_problems(
    root: Path, against: str | None = None, *, files: "Mapping[str, bytes] | None" = None
) -> list[Problem]:
    """Return everything that is wrong in the working tree, or in what was read of it already, in order."""
    from draftctl.lint import lint_workspace
    from draftctl.workspace import files_at, load_settings, take_snapshot

    files = take_snapshot(root, working_tree=True).files if files is None else files
    problems: list[Problem] = []
    try:
        load_settings(root)
    except FileProblems as error:
        problems += error.problems
    before = files_at(root, against) if against is not None else None
    problems += lint_workspace(files, before=before, ref=against or "")
    return sorted(problems, key=lambda p: (p.path, p.line, p.column))
