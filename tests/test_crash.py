"""SIGKILL at named points and at random moments: nothing lost, nothing twice, the trail whole."""

import json
import random
import shutil
import signal
import time
from collections.abc import Callable

import pytest

from draftctl.failpoints import POINTS
from tests.conftest import Workspace, line


def check_nothing_lost_nothing_twice(workspace: Workspace, expected: int) -> None:
    assert workspace.one("SELECT count(*) FROM candidates") == expected
    assert workspace.rows("SELECT id FROM candidates WHERE status NOT IN ('drafted', 'held')") == []
    assert workspace.rows("SELECT candidate_id FROM drafts GROUP BY 1 HAVING count(*) > 1") == [], (
        "nothing is decided twice"
    )
    assert workspace.one("SELECT count(*) FROM drafts") == expected
    assert workspace.json("audit", "verify")["ok"]


RUN_POINTS = [p for p in POINTS if p.split(".")[0] in ("ingest", "claim", "write", "run", "migrate")]


@pytest.mark.parametrize("point", RUN_POINTS)
def test_killed_at_a_named_point_of_a_run(workspace: Workspace, point: str) -> None:
    inbox = workspace.root / "in.jsonl"
    inbox.write_text("".join(line(f"m{n}", *(["STOP"] if n % 50 == 7 else [])) for n in range(300)))
    shutil.rmtree(workspace.root / "var")  # a database that is made by the run itself
    nth = {"write": 2}.get(point.split(".", maxsplit=1)[0], 1)
    killed = workspace.run("draft", "--batch", "-i", "in.jsonl", DRAFTCTL_FAILPOINT=f"{point}:{nth}")
    assert killed.returncode == -signal.SIGKILL
    workspace.ok("draft", "--batch", "-i", "in.jsonl")
    check_nothing_lost_nothing_twice(workspace, 300)


@pytest.mark.parametrize(
    ("point", "sent"), [("dispatch.after_intent", 1), ("dispatch.after_write", 1), ("correct.in_transaction", 1)]
)
def test_killed_while_a_text_leaves(workspace: Workspace, point: str, sent: int) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a"))
    command = ("correct", "a", "--verdict", "approved")
    if point.startswith("dispatch"):
        workspace.ok(*command)
        command = ("dispatch", "--to", "file:out.jsonl")
    assert workspace.run(*command, DRAFTCTL_FAILPOINT=point).returncode == -signal.SIGKILL
    if point.startswith("correct"):
        workspace.ok(*command)
    workspace.ok("dispatch", "--to", "file:out.jsonl")
    texts = [json.loads(text)["candidate_id"] for text in (workspace.root / "out.jsonl").read_text().splitlines()]
    assert texts == ["a"] * sent
    assert workspace.one("SELECT status FROM outbox WHERE status <> 'void'") == "sent"


def test_what_is_unclear_is_held_and_never_sent_again(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a"))
    workspace.ok("correct", "a", "--verdict", "approved")
    workspace.run("dispatch", "--to", "file:out.jsonl", DRAFTCTL_FAILPOINT="dispatch.after_write")
    (workspace.root / "out.jsonl").rename(workspace.root / "taken.jsonl")  # the messages app has taken the file away
    done = workspace.json("dispatch", "--to", "file:out.jsonl")
    assert done == {"sent": 0, "held": 0, "unknown": 1, "skipped": 0}
    assert workspace.one("SELECT hold_reason FROM candidates") == "dispatch_unknown"
    assert workspace.run("requeue", "a").returncode == 2


def test_a_half_line_of_somebody_else_is_not_joined(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a"))
    workspace.ok("correct", "a", "--verdict", "approved")
    (workspace.root / "out.jsonl").write_text('{"half')
    workspace.ok("dispatch", "--to", "file:out.jsonl")
    assert json.loads((workspace.root / "out.jsonl").read_text().splitlines()[-1])["candidate_id"] == "a"


def test_killed_while_a_backup_is_made(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a"))
    assert workspace.run("backup", DRAFTCTL_FAILPOINT="backup.before_rename").returncode == -signal.SIGKILL
    workspace.ok("backup")
    assert len(list((workspace.database.parent / "backups").glob("draftctl-*.db"))) == 1


def storm(workspace: Workspace, *, kills: int, per_inbox: int, seed: int) -> str:
    """Kill runs at random moments, with overlapping starts; fill the queue again whenever it runs empty. Return what happened."""
    dice = random.Random(seed)
    killed = refused = total = 0
    while killed < kills:
        inbox = "".join(line(f"m{total + n}", "hello, are you free? " * 5) for n in range(per_inbox))
        (workspace.root / "in.jsonl").write_text(inbox)
        total += per_inbox
        while killed < kills:
            first = workspace.start("draft", "--batch", "-i", "in.jsonl")
            time.sleep(dice.uniform(0.25, 1.2))
            second = workspace.start("draft", "--batch", "-i", "in.jsonl")
            time.sleep(dice.uniform(0.0, 1.2))
            killed += first.poll() is None
            first.kill()
            first.communicate()
            if dice.random() < 0.7:
                time.sleep(dice.uniform(0.0, 0.5))
                killed += second.poll() is None
                second.kill()
            second.communicate(timeout=300)
            assert second.returncode in (0, 75, -signal.SIGKILL)
            refused += second.returncode == 75
            open_now = workspace.one("SELECT count(*) FROM candidates WHERE status IN ('waiting', 'drafting')")
            if open_now == 0 and workspace.one("SELECT count(*) FROM candidates") == total:
                break  # only then: an inbox that nobody has read yet must not be written over
    workspace.ok("draft", "--batch", "-i", "in.jsonl")
    check_nothing_lost_nothing_twice(workspace, total)
    return f"{killed} kills at random moments, {refused} starts refused, {total} candidates, 0 lost, 0 twice"


@pytest.mark.slow
def test_killed_at_a_few_random_moments(workspace: Workspace, record_property: Callable[[str, object], None]) -> None:
    record_property("figure", storm(workspace, kills=3, per_inbox=200, seed=1))


@pytest.mark.slow
def test_killed_at_fifty_random_moments(workspace: Workspace, record_property: Callable[[str, object], None]) -> None:
    record_property("figure", storm(workspace, kills=50, per_inbox=1000, seed=2))
