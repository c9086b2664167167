"""The docs fail when they lie: README's walk is run, generated pages are compared, every command has help with an example."""

import re
import shlex
import subprocess
import sys
import textwrap
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest
import typer

from draftctl import __version__
from draftctl.cli.main import app
from draftctl.gates import GATES
from draftctl.holds import HOLDS, holds_page
from draftctl.starter import starter_folder
from tests.conftest import BUILD, REPOSITORY, Workspace
from tests.played_server import PlayedServer

README = (REPOSITORY / "README.md").read_text()
# The cloud and the hub are what the program is for; the last is the name of SVG, and nothing is fetched from it.
THERE = r"127\.0\.0\.1|localhost|example\.(?:com|org)|(?:api|cloud)\.digitalocean\.com|huggingface\.co|www\.w3\.org/2000/svg"
HOSTS = re.compile(rf"https?://(?!{THERE})[\w.-]+")


def commands() -> list[tuple[str, ...]]:
    def walk(group: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        children = getattr(group, "commands", {})
        return [found for name, child in children.items() for found in walk(child, (*path, name))] or [path]

    return walk(typer.main.get_command(app), ())


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example_that_names_it(command: tuple[str, ...]) -> None:
    group: object = typer.main.get_command(app)
    for name in command:
        group = group.commands[name]  # type: ignore[attr-defined]
    text = group.help or ""  # type: ignore[attr-defined]
    assert f"Example: draftctl {' '.join(command)}" in text


def test_the_readme_says_the_two_commands_in_its_first_25_lines_and_stays_short() -> None:
    head = "\n".join(README.splitlines()[:25])
    assert "make demo" in head
    assert "make test" in head
    assert len(README.splitlines()) <= 110


def test_the_readmes_walk_ends_with_a_text_in_a_file(tmp_path: Path) -> None:
    block = README.split("as the operator:")[1].split("```")[1]
    lines = [line.removeprefix("$ ").split("  #")[0].strip() for line in block.splitlines() if line.startswith("$ ")]
    assert len(lines) + 2 <= 12, "with git clone and cd"
    root = Workspace(tmp_path)
    for text in lines:
        words = shlex.split(text.replace("~", str(tmp_path)))
        if words[0] == "cd":
            root = Workspace(Path(words[1]))
        elif words[0] == "draftctl":
            root.ok(*words[1:])
    assert (tmp_path / "quinn" / "outgoing.jsonl").read_text().count("\n") == 1


def test_the_pipelines_walk_works_and_its_pieces_are_files(workspace: Workspace) -> None:
    page = (REPOSITORY / "docs" / "pipeline.md").read_text()
    for text in page.split("```console")[1].split("```")[0].strip().splitlines():
        words = shlex.split(text.removeprefix("$ ").split("  #")[0])
        assert words.pop(0) == "draftctl"
        workspace.ok(*words)
    assert (workspace.root / "outgoing.jsonl").read_text().count("\n") == 1
    blocks = [textwrap.dedent(block) for block in re.findall(r"\n\n((?:    .*\n|\n(?=    ))+)", page)]
    files = {"archetypes:": "workflows/classify.yaml", "decisions:": "workflows/decisions.yaml"}
    for start, name in files.items():
        workspace.commit(name, next(block for block in blocks if block.startswith(start)))
    (workspace.root / "draftctl.yaml").write_text(next(block for block in blocks if block.startswith("dispatch:")))
    assert {p["rule"] for p in workspace.json_lint("draftctl.yaml", *files.values())} <= {"W-GAP", "W-EXAMPLE"}
    rules = next(block for block in blocks if block.startswith("archetypes:"))
    asked = next(block for block in blocks if block.startswith("engine:"))
    workspace.commit("workflows/classify.yaml", asked + rules)
    assert {p["rule"] for p in workspace.json_lint("workflows/classify.yaml")} <= {"W-EXAMPLE"}


def test_the_demo_shows_drafts_holds_and_a_story() -> None:
    done = subprocess.run([sys.executable, "-m", "draftctl", "demo"], capture_output=True, text=True, check=True)
    for words in ("Drafts, each beside", "Holds: nobody gets", "The trail of", "every one verifies", "gate:minor"):
        assert words in done.stdout


def test_generated_pages_are_fresh() -> None:
    assert (REPOSITORY / "docs" / "holds.md").read_text() == holds_page(), "run `make docs`"


def test_the_gates_page_names_every_gate() -> None:
    page = (REPOSITORY / "docs" / "gates.md").read_text()
    assert [gate.name for gate in GATES if f"`{gate.name}`" not in page] == []


def test_every_hold_reason_is_in_use() -> None:
    source = "".join(path.read_text() for path in (REPOSITORY / "draftctl").rglob("*.py") if path.name != "holds.py")
    assert [name for name in HOLDS if f'"{name}"' not in source] == []


def test_no_host_of_anyones_and_no_path_of_a_machine_is_shipped() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split():
        text = (REPOSITORY / name).read_text(errors="replace")
        assert not HOSTS.findall(text), name
        assert str(REPOSITORY) not in text, name


def test_the_version_stands_once_and_is_cheap() -> None:
    assert f'version = "{__version__}"' in (REPOSITORY / "pyproject.toml").read_text()
    for flag in ("--version", "--help"):
        code = (
            f"import sys; sys.argv = ['draftctl', '{flag}']\nfrom draftctl.__main__ import main\n"
            "try: main()\nexcept SystemExit: pass\n"
            "print(sorted({'httpx', 'sqlite_utils', 'jinja2', 'sqlite3', 'pydantic'} & set(sys.modules)), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stderr.strip() == "[]"
        assert flag != "--version" or done.stdout == f"draftctl {__version__}\n"


def test_what_init_lays_out_is_what_the_repository_has() -> None:
    assert starter_folder() == REPOSITORY


@pytest.mark.slow
def test_the_wheel_carries_what_init_lays_out(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    assert {"draftctl/rules/cases/E-KEY.yaml", "draftctl/starter/schema/workflow.schema.json"} <= names
    assert {
        f"draftctl/starter/{name}"
        for name in (
            "draftctl.yaml",
            "pastebin/notes.yaml",
            "workflows/vocab.yaml",
            "examples/inbox.jsonl",
            "scripts/provision-raw-gpu-droplet.sh",
        )
    } <= names


def apply_edit(root: Path, block: str) -> None:
    """Do what a diff block of a page says: the lines with `-` are in the file once, and become those with `+`."""
    name, *lines = block.strip("\n").split("\n")
    old = "\n".join(line[1:] for line in lines if line.startswith("-"))
    new = "\n".join(line[1:] for line in lines if line.startswith("+"))
    text = (root / name).read_text()
    assert text.count(old) == 1, (name, old)
    (root / name).write_text(text.replace(old, new))


def in_order(expected: list[str], output: str) -> bool:
    """Say whether the lines stand in an output in this order; `...` stands for any lines, at a line's end for any more of it."""
    lines = iter(line.strip() for line in output.splitlines())
    wanted = [line.strip() for line in expected if line.strip() not in ("", "...")]
    return all(
        any(line.startswith(one.removesuffix("...").strip()) if one.endswith("...") else line == one for line in lines)
        for one in wanted
    )


def test_the_workflow_walk_works_from_new_to_a_second_version(workspace: Workspace) -> None:
    page = (REPOSITORY / "docs" / "workflows.md").read_text().split("## The file")[0]
    for kind, block in re.findall(r"```(console|diff)\n(.*?)```", page, re.DOTALL):
        if kind == "diff":
            apply_edit(workspace.root, block)
            continue
        for part in block.split("$ draftctl ")[1:]:
            command, *expected = part.rstrip("\n").split("\n")
            words, _, aside = command.partition("  # exit ")
            with PlayedServer(BUILD) if " try " in words else nullcontext() as server:
                environment = {"GPU_INFERENCE_URL": server.url} if server else {}
                done = workspace.run(*shlex.split(words), **environment)
            assert done.returncode == int(aside or 0), (words, done.stdout, done.stderr)
            assert in_order(expected, done.stdout), (expected, done.stdout)
    assert workspace.json_lint() == []
    assert (workspace.root / "workflows/late-regular.yaml").read_text().count("version: 2") == 1
    assert workspace.git("status", "--short") == ""
