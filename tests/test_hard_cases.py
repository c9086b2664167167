"""What an enemy, or a bad day, has once got past us."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from draftctl.canon import NOTES
from tests.conftest import Workspace, line


def approved(workspace: Workspace, *lines: str) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin="".join(lines))
    for text in lines:
        workspace.ok("correct", json.loads(text)["id"], "--verdict", "approved")


def sent(workspace: Workspace, name: str = "out.jsonl") -> list[str]:
    path = workspace.root / name
    return [json.loads(text)["candidate_id"] for text in path.read_text().splitlines()] if path.exists() else []


def test_a_stop_during_a_send_settles_and_the_others_still_leave(workspace: Workspace) -> None:
    approved(workspace, line("x1", thread="t1", person_id="P"), line("z", thread="t2"))
    workspace.run("dispatch", "--to", "file:out.jsonl", DRAFTCTL_FAILPOINT="dispatch.after_write")
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("x2", "STOP", thread="t3", person_id="P"))
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == {"sent": 2, "held": 0, "unknown": 0, "skipped": 0}
    assert sent(workspace) == ["x1", "z"]


def test_two_names_of_one_database_are_one_lock(workspace: Workspace) -> None:
    approved(workspace, line("a"))
    link = workspace.root / "var" / "link.db"
    link.symlink_to("draftctl.db")
    first = workspace.start("dispatch", "--to", "file:out.jsonl", DRAFTCTL_FAILPOINT="none")
    workspace.run("dispatch", "--to", "file:out.jsonl", DRAFTCTL_DB="var/link.db")
    first.communicate(timeout=30)
    assert sent(workspace) == ["a"]
    assert {p.name for p in (workspace.root / "var").glob("*.lock")} == {
        "draftctl.db.lock",
        "draftctl.db.dispatch.lock",
    }


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-05:00"])
def test_a_time_outside_the_calendar_is_rejected(workspace: Workspace, when: str) -> None:
    assert workspace.json("ingest", "-", stdin=line("a", received_at=when), code=3)["rejected"] == 1


def test_a_control_character_in_an_atom_holds_its_candidate_alone(workspace: Workspace) -> None:
    value = workspace.json(
        "draft", "--batch", "-i", "-",
        stdin=line("a", atoms={"name": "\u0000"}) + line("b", atoms={"name": "x\u202ey"}) + line("c"),
    )  # fmt: skip
    assert value["holds"] == {"gate:placeholder": 2}
    assert value["drafted"] == 1


@pytest.mark.parametrize(("text", "reason"), [("STOP", "opted_out"), ("i am 15 years old", "person_flagged")])
def test_a_person_who_gets_a_name_later_is_the_same_person(workspace: Workspace, text: str, reason: str) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a", text, thread="t"))
    later = line("b", "hello again", thread="t", person_id="P9") + line("c", "and here", thread="t2", person_id="P9")
    assert workspace.json("draft", "--batch", "-i", "-", stdin=later)["holds"] == {reason: 2}
    if reason == "opted_out":
        workspace.ok("unsuppress", "P9", "--by", "Ana", "--reason", "wrote and asked")
    else:
        workspace.ok("alerts", "clear", "1", "--by", "Ana", "--reason", "she is 34")
    assert workspace.json("draft", "--batch")["drafted"] == 2


def test_a_message_without_a_time_is_newer_than_what_came_before_it(workspace: Workspace) -> None:
    approved(workspace, line("a", thread="t", received_at="2027-06-01T00:00:00Z"))
    workspace.ok("ingest", "-", stdin=line("b", "one more thing", thread="t"))
    assert workspace.json("dispatch", "--to", "file:out.jsonl")["sent"] == 0
    workspace.ok("draft", "--batch")
    workspace.ok("correct", "b", "--verdict", "approved")
    assert workspace.json("dispatch", "--to", "file:out.jsonl")["sent"] == 1


def test_a_stop_that_was_lifted_does_not_suppress_again(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a", "STOP", thread="t"))
    workspace.ok("unsuppress", "t", "--by", "Ana", "--reason", "came back")
    value = workspace.json("draft", "--batch", "-i", "-", stdin=line("b", "STOP", "sorry, i am back", thread="t"))
    assert value["drafted"] == 1
    again = workspace.json(
        "draft", "--batch", "-i", "-", stdin=line("c", "STOP", "back", "please stop writing me", thread="t")
    )
    assert again["holds"] == {"gate:opt_out": 1}


def test_a_restored_backup_does_not_send_again(workspace: Workspace) -> None:
    approved(workspace, line("a"))
    backup = Path(workspace.json("backup")["path"])
    workspace.ok("dispatch", "--to", "file:out.jsonl")
    shutil.copy(backup, workspace.database)
    workspace.ok("dispatch", "--to", "file:out.jsonl")
    assert sent(workspace) == ["a"]
    assert workspace.json("dispatch", "--to", "file:out.jsonl")["sent"] == 0


def test_only_an_ordinary_file_is_written_to(workspace: Workspace) -> None:
    approved(workspace, line("a"))
    os.mkfifo(workspace.root / "pipe")
    for place in ("pipe", "pastebin", "/dev/full", "nowhere/out.jsonl", "var/draftctl.db"):
        done = workspace.run("dispatch", "--to", f"file:{place}")
        assert done.returncode in (1, 2), place
        assert "othing was sent" in done.stderr
    assert workspace.json("dispatch", "--to", "file:out.jsonl")["sent"] == 1


def test_a_relative_place_is_the_same_place_from_elsewhere(workspace: Workspace) -> None:
    approved(workspace, line("a"))
    workspace.run("dispatch", "--to", "file:out.jsonl", DRAFTCTL_FAILPOINT="dispatch.after_intent")
    command = workspace.command(
        "--workspace", str(workspace.root), "dispatch", "--to", f"file:{workspace.root}/out.jsonl", "--json"
    )
    done = subprocess.run(command, cwd="/", capture_output=True, check=True, text=True)
    assert json.loads(done.stdout)["sent"] == 1


def test_suppress_understands_a_candidates_id_and_refuses_blanks(workspace: Workspace) -> None:
    workspace.ok("ingest", "-", stdin=line("a", thread="t1", person_id="P"))
    assert workspace.ok("suppress", "a").startswith("P is written to no more")
    assert workspace.run("suppress", " ").returncode == 2
    assert workspace.run("unsuppress", "P", "--by", "", "--reason", "x").returncode == 2


def test_a_refused_draft_of_one_candidate_changes_nothing(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("h", key="nope"))
    assert workspace.run("draft", "h", "--engine", "do-gpu-x_2026-01-01.1").returncode == 2
    workspace.ok("pause", "--reason", "wait")
    workspace.run("draft", "h")
    assert workspace.one("SELECT hold_reason FROM candidates") == "missing_note"


def test_a_hold_for_a_note_reopens_after_any_number_of_commits(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("h", key="hush"))
    for n in range(7):
        workspace.commit("note.txt", str(n))
        workspace.ok("draft", "--batch")
    notes = (
        (workspace.root / NOTES)
        .read_text()
        .replace("aliases:", '  "⑳": {name: hush, text: "Quiet evening."}\naliases:')
    )
    workspace.commit(NOTES, notes)
    assert workspace.json("draft", "--batch")["drafted"] == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_closed_streams_are_no_bug(workspace: Workspace, closed: str) -> None:
    workspace.ok("ingest", "-", stdin=line("a"))
    program = " ".join(workspace.command("draft", "--batch"))
    done = subprocess.run(
        ["bash", "-c", f"{program} {closed}"], cwd=workspace.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "bug" not in done.stderr


def test_a_message_cannot_play_with_the_terminal(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a", "\x1b]0;pwn\x07 hello \u202e you"))
    for command in (("show", "a"), ("drafts", "list"), ("holds",)):
        assert not set("\x1b\x07\u202e") & set(workspace.ok(*command))


def test_wrong_input_is_usage_not_a_bug(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a"))
    (workspace.root / "latin.txt").write_bytes(b"caf\xe9")
    for arguments in (
        ("correct", "a", "--verdict", "edited", "--body-file", "latin.txt"), ("correct", "a", "--verdict", "edited", "--body", "x" * 3000),
        ("holds", "--limit", "9" * 20), ("alerts", "clear", "9" * 20, "--by", "a", "--reason", "b"), ("draft", "--batch", "--dry-run", "-i", "nowhere"),
    ):  # fmt: skip
        assert workspace.run(*arguments).returncode == 2, arguments
    (workspace.root / "draftctl.yaml").write_text('database: "~nosuch/x"\n')
    assert workspace.run("status").returncode == 2


def test_a_broken_git_is_told_and_template_drafts(workspace: Workspace) -> None:
    (workspace.root / ".git" / "index").write_bytes(b"broken")
    done = workspace.run("draft", "--batch", "-i", "-", stdin=line("a"))
    assert done.returncode == 0
    assert "Git could not be asked" in done.stderr
    assert workspace.run("doctor").returncode == 1


def test_an_edit_that_is_refused_withdraws_what_was_approved_and_says_so(workspace: Workspace) -> None:
    approved(workspace, line("a"))
    done = workspace.run("correct", "a", "--verdict", "edited", "--body", "It is $300.")
    assert "withdrawn" in done.stderr
    assert workspace.json("dispatch", "--to", "file:out.jsonl")["sent"] == 0
    workspace.ok("correct", "a", "--verdict", "edited", "--body", "Which day suits you?")
    assert "Which day suits you?" in workspace.ok("drafts", "list")
    workspace.ok("dispatch", "--to", "file:out.jsonl")
    assert "Which day suits you?" in workspace.ok("show", "a")


def test_a_frozen_dispatcher_and_a_second_one_send_once(workspace: Workspace) -> None:
    approved(workspace, *(line(f"m{n}") for n in range(8)))
    frozen = workspace.start("dispatch", "--to", "file:out.jsonl")
    os.kill(frozen.pid, signal.SIGSTOP)
    assert workspace.run("dispatch", "--to", "file:out.jsonl").returncode in (0, 75)
    os.kill(frozen.pid, signal.SIGCONT)
    frozen.communicate(timeout=60)
    workspace.ok("dispatch", "--to", "file:out.jsonl")
    assert sorted(sent(workspace)) == sorted(f"m{n}" for n in range(8))


def test_an_alert_that_a_kill_kept_quiet_is_said_by_the_next_run(workspace: Workspace) -> None:
    killed = workspace.run(
        "draft",
        "--batch",
        "-i",
        "-",
        stdin=line("a", "im 16", person_id="p"),
        DRAFTCTL_FAILPOINT="write.after_commit:2",
    )
    assert killed.returncode == -signal.SIGKILL
    assert "ALERT" not in killed.stderr
    while workspace.one("SELECT count(*) FROM alerts") == 0:
        workspace.run("draft", "--batch", DRAFTCTL_FAILPOINT="write.after_commit:2")
    assert "ALERT minor: candidate a, person p" in workspace.run("draft", "--batch").stderr
    assert "ALERT" not in workspace.run("draft", "--batch").stderr
