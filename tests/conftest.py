"""Fixtures: a real workspace under Git, the real command line, a real database."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from draftctl.models import Candidate, Message
from draftctl.starter import make_workspace
from draftctl.store.db import open_database
from tests import forked

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = "do-gpu-mistral-nemo-12b-uncensored_2026-06-29.1"  # a shipped one
MACHINE = {
    k: v
    for k, v in os.environ.items()
    if not k.startswith(("DRAFTCTL_", "GPU_", "DIGITALOCEAN_", "GIT_")) and k != "MACSYNC_URL"
}


class Workspace:
    """A workspace and the command line in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "var" / "draftctl.db"

    def command(self, *arguments: str) -> list[str]:
        """Return the command line as a list."""
        return [sys.executable, "-m", "draftctl", *arguments]

    def run(self, *arguments: str, stdin: str | bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the program as a person does; output as text."""
        code, out, err = forked.run(
            list(arguments),
            self.root,
            {**MACHINE, "USER": "tester", **environment},
            stdin.encode() if isinstance(stdin, str) else stdin,
        )
        assert b"Traceback" not in err, err.decode()
        return subprocess.CompletedProcess(self.command(*arguments), code, out.decode(), err.decode())

    def ok(self, *arguments: str, stdin: str | bytes = b"", code: int = 0, **environment: str) -> str:
        """Run it, expect an exit code, return stdout."""
        done = self.run(*arguments, stdin=stdin, **environment)
        assert done.returncode == code, (done.args, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def json(self, *arguments: str, stdin: str | bytes = b"", code: int = 0, **environment: str) -> Any:
        """Run it with --json and return the one object on stdout."""
        return json.loads(self.ok(*arguments, "--json", stdin=stdin, code=code, **environment))

    def json_lint(self, *arguments: str, code: int = 0) -> Any:
        """Run `workflow lint --format json` and return the list."""
        return json.loads(self.ok("workflow", "lint", *arguments, "--format", "json", code=code))

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start it in the background."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**MACHINE, "USER": "tester", **environment},
        )

    def fork(self, *arguments: str, **environment: str) -> Any:
        """Start it in the background, forked from one that has loaded it: for tests that kill it often."""
        return forked.start(list(arguments), self.root, {**MACHINE, "USER": "tester", **environment})

    def git(self, *arguments: str) -> str:
        """Run git in the workspace."""
        identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, check=True, capture_output=True, env=MACHINE
        ).stdout.decode()

    def commit(self, path: str, text: str) -> None:
        """Write a file and commit it."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", "change")

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Query the database."""
        connection = open_database(self.database)
        try:
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            connection.close()

    def one(self, query: str, *values: Any) -> Any:
        """Return the first column of the first row."""
        return next(iter(self.rows(query, *values)[0].values()))


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out one workspace, its database made; tests get copies, which costs a tenth of a fresh one with its Git repository."""
    root = tmp_path_factory.mktemp("laid-out") / "workspace"
    make_workspace(root, persona="Quinn", consented_by="Q. Adams", consented_at="2026-11-24")
    shutil.rmtree(root / ".git" / "hooks")
    open_database(root / "var" / "draftctl.db").close()
    return root


@pytest.fixture
def workspace(tmp_path: Path, laid_out: Path) -> Workspace:
    root = tmp_path / "workspace"
    shutil.copytree(laid_out, root)
    return Workspace(root)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Any]:
    opened = open_database(tmp_path / "store" / "test.db")
    yield opened
    opened.close()


@pytest.fixture
def rented(workspace: Workspace, tmp_path: Path) -> Iterator[Any]:
    """A workspace that rents its GPU at the stand-in cloud."""
    from tests.rented import Rented

    place = Rented(workspace, tmp_path)
    with place.cloud:
        yield place


def line(id_: str, *texts: str, thread: str = "", key: str | None = "greeting", **more: Any) -> str:
    """Make one input line."""
    value = {
        "id": id_,
        "thread_id": thread or f"t-{id_}",
        "messages": [{"role": "prospect", "text": text} for text in (texts or ("hello, are you free on friday?",))],
        **({"template_key": key} if key else {}),
        **more,
    }
    return json.dumps(value, ensure_ascii=False) + "\n"


def candidate(*texts: str, key: str | None = "①", **more: Any) -> Candidate:
    """Make a candidate value."""
    messages = tuple(Message(role="prospect", text=text) for text in (texts or ("hello",)))
    values: dict[str, Any] = {
        "id": "c1",
        "thread_id": "t1",
        "person_id": "p1",
        "messages": messages,
        "template_key": key,
        **more,
    }
    return Candidate(**values)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures that tests recorded (`record_property("figure", ...)`), whoever ran them."""
    figures = [
        text
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, text in getattr(report, "user_properties", [])
        if name == "figure"
    ]
    if figures:
        terminalreporter.section("figures")
        for text in sorted(figures):
            terminalreporter.line(f"  {text}")
