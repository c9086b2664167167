"""Reviewing: every word of a person is a row, is undone by a row, survives a kill, and no two people decide about one draft."""

import asyncio
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from draftctl.cli.plain_review import plain_review
from draftctl.corrections import Given, standing
from draftctl.errors import UsageError
from draftctl.gates.base import Around
from draftctl.review_session import ActiveTime, ReviewSession
from draftctl.store import audit
from draftctl.store.db import open_database
from draftctl.store.reviewing import Filters
from draftctl.tui import ReviewApp
from tests.conftest import Workspace, line


def no_hits(text: str, _around: Around) -> list[tuple[str, str]]:
    return [("price", "test")] if "200" in text else []


@pytest.fixture(scope="module")
def drafted(laid_out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six drafts and two holds, made once."""
    root = tmp_path_factory.mktemp("drafted") / "workspace"
    shutil.copytree(laid_out, root)
    lines = "".join(line(f"c{n}", f"hello, are you free on friday? {n}") for n in range(6))
    lines += line("h1", "hi there", key=None) + line("h2", "are you a bot?")
    Workspace(root).ok("draft", "--batch", "-i", "-", stdin=lines)
    return root


@pytest.fixture
def inbox(tmp_path: Path, drafted: Path) -> Workspace:
    shutil.copytree(drafted, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def session(inbox: Workspace) -> Iterator[ReviewSession]:
    connection = open_database(inbox.database)
    yield ReviewSession(connection, reviewer="ann", body_hits=no_hits)
    assert audit.verify(connection).ok
    connection.close()


def test_verdicts_stack_and_undo_pops_them() -> None:
    rows = [Given(1, "rejected", None), Given(2, "edited", None), Given(3, "undone", 2), Given(4, "undone", 1)]
    assert [standing(rows[:n]) for n in range(5)] == [None, 1, 2, 1, None]


def test_every_word_is_a_row_and_undo_is_one_too(session: ReviewSession) -> None:
    item = session.next()
    assert item is not None
    assert (item.candidate_id, item.seen) == ("c0", 0)
    session.tags = {"voice"}
    session.edit("Hello, and thank you. Friday suits me.")
    assert _status(session, "c0") == "approved"
    assert _outbox(session, "c0") == ["pending"]
    back = session.undo()
    assert (back.candidate_id, back.standing) == ("c0", None)
    assert _status(session, "c0") == "drafted"
    assert _outbox(session, "c0") == ["void"]
    session.reject("not her voice")
    assert _status(session, "c0") == "rejected"
    rows = _rows(
        session,
        "SELECT verdict, undoes, tags, author, active_ms, opened_at, edit_share, prompt_hash FROM prospect_corrections",
    )
    assert [row["verdict"] for row in rows] == ["edited", "undone", "rejected"]
    assert rows[1]["undoes"] == 1
    assert (rows[0]["tags"], rows[0]["author"]) == ('["voice"]', "ann")
    assert 0 < rows[0]["edit_share"] < 1
    assert rows[0]["opened_at"]
    assert rows[0]["active_ms"] >= 0


def test_undo_gives_back_what_stood_before(session: ReviewSession) -> None:
    session.next()
    session.approve()
    session.undo()
    session.approve()
    first = session.item
    assert first is not None
    session.item = session.undo()
    session.approve()
    session.undo()
    session.edit("Hello you.")
    session.undo()
    assert _status(session, "c0") == "drafted"


def test_undoing_an_edit_brings_the_approval_back(inbox: Workspace) -> None:
    inbox.ok("correct", "c1", "--verdict", "approved")
    inbox.ok("correct", "c1", "--verdict", "edited", "--body", "Hello again, Friday is fine.")
    assert (
        inbox.one("SELECT body FROM outbox WHERE candidate_id = 'c1' AND status = 'pending'")
        == "Hello again, Friday is fine."
    )
    done = inbox.json("correct", "c1", "--undo")
    assert done["verdict"] == "undone"
    body = inbox.one("SELECT body FROM drafts WHERE candidate_id = 'c1'")
    assert inbox.one("SELECT body FROM outbox WHERE candidate_id = 'c1' AND status = 'pending'") == body
    inbox.ok("dispatch", "--to", "file:out.jsonl")
    gone = inbox.run("correct", "c1", "--undo")
    assert gone.returncode == 2
    assert "has left already" in gone.stderr
    assert inbox.json("audit", "verify")["ok"]


def test_a_text_that_breaks_a_rule_is_kept_and_does_not_leave(inbox: Workspace) -> None:
    done = inbox.run("correct", "c0", "--verdict", "edited", "--body", "It is 200 dollars an hour")
    assert done.returncode == 1
    assert "gate:price" in done.stderr
    assert inbox.one("SELECT count(*) FROM outbox") == 0
    assert inbox.one("SELECT count(*) FROM few_shot_pool") == 0
    assert inbox.one("SELECT body FROM prospect_corrections") == "It is 200 dollars an hour"
    assert inbox.one("SELECT status FROM candidates WHERE id = 'c0'") == "drafted"


def test_a_hold_is_answered_by_a_person_through_the_gates(inbox: Workspace) -> None:
    item = inbox.json("review", "--next", "--status", "held")["item"]
    assert (item["candidate_id"], item["hold_reason"], item["body"]) == ("h1", "unclassified", None)
    assert "classify h1" in item["next_step"]
    assert inbox.run("reply", "h2", "--body", "I am 100 % human, 200 dollars").returncode == 1
    assert inbox.one("SELECT status FROM candidates WHERE id = 'h2'") == "held"
    done = inbox.json("reply", "h2", "--body", "A person reads every message, and answers it.")
    assert done["stopped_by"] is None
    assert inbox.one("SELECT status FROM candidates WHERE id = 'h2'") == "approved"
    inbox.ok("dispatch", "--to", "file:out.jsonl")
    sent = json.loads((inbox.root / "out.jsonl").read_text())
    assert sent["text"] == "A person reads every message, and answers it."
    assert inbox.run("reply", "h2", "--body", "again").returncode == 2


def test_nobody_who_is_flagged_is_answered(inbox: Workspace) -> None:
    inbox.ok("draft", "--batch", "-i", "-", stdin=line("m", "im 16 btw"))
    done = inbox.run("reply", "m", "--body", "Hello.")
    assert done.returncode == 2
    assert "person_flagged" in done.stderr


def test_a_rejection_is_overturned_only_with_a_reason(session: ReviewSession) -> None:
    session.next()
    session.reject()
    session.undo()
    session.reject("no")
    session.filters = Filters(statuses=("rejected",))
    session._after = None
    item = session.next()
    assert item is not None
    assert item.standing == "rejected"
    with pytest.raises(UsageError, match="was rejected"):
        session.approve()
    session.approve(why="I misread it")
    assert _status(session, "c0") == "approved"


@pytest.mark.parametrize("sort", ["oldest", "newest", "key"])
def test_every_order_shows_everything_once(session: ReviewSession, sort: str) -> None:
    session.filters = Filters(sort=sort)
    seen = []
    while (item := session.next()) is not None:
        seen.append(item.candidate_id)
    assert sorted(seen) == ["c0", "c1", "c2", "c3", "c4", "c5", "h1", "h2"]


def test_an_answer_that_is_taken_back_leaves_the_hold_as_it_was(session: ReviewSession) -> None:
    columns = "SELECT status, hold_reason, hold_detail, reopen FROM candidates WHERE id = 'h2'"
    before = _rows(session, columns)
    session.filters = Filters(reason="gate:identity", statuses=("held",))
    session.next()
    session.edit("A person reads every message.")
    assert _status(session, "h2") == "approved"
    session.undo()
    assert _rows(session, columns) == before


def test_two_reviewers_never_see_the_same_item(session: ReviewSession, inbox: Workspace) -> None:
    other = ReviewSession(open_database(inbox.database), reviewer="bob", body_hits=no_hits)
    mine, theirs = session.next(), other.next()
    assert mine is not None
    assert theirs is not None
    assert mine.candidate_id != theirs.candidate_id
    done = inbox.run("correct", mine.candidate_id, "--verdict", "approved", "--author", "carol")
    assert done.returncode == 2
    assert "ann is reading" in done.stderr
    other.item = mine
    with pytest.raises(UsageError, match="ann is reading"):
        other.approve()
    other.close()
    other.connection.close()


def test_undo_takes_back_nobody_elses_word(session: ReviewSession, inbox: Workspace) -> None:
    session.next()
    session.approve()
    inbox.ok("correct", "c0", "--verdict", "rejected", "--author", "bob")
    with pytest.raises(UsageError, match="decided meanwhile: rejected by bob"):
        session.undo()
    assert _status(session, "c0") == "rejected"


def test_what_is_shown_is_what_goes(session: ReviewSession) -> None:
    """An edit that stands is what the screen shows, so it is what `a` lets go."""
    session.next()
    session.edit("My own words.")
    session.filters, session._after = Filters(statuses=("approved",)), None
    session.next()
    session.hold("not yet")
    session.filters, session._after = Filters(statuses=("held",), reason="held_by_person"), None
    session.next()
    session.approve()
    assert _rows(session, "SELECT body FROM outbox WHERE status = 'pending'") == [{"body": "My own words."}]


def test_a_withdrawn_text_does_not_leave_after_a_crash(inbox: Workspace) -> None:
    inbox.ok("correct", "c0", "--verdict", "approved")
    inbox.run("dispatch", "--to", "file:out.jsonl", DRAFTCTL_FAILPOINT="dispatch.after_intent")
    draft_id = inbox.one("SELECT id FROM drafts WHERE candidate_id = 'c0'")
    said = json.dumps({"draft_id": draft_id, "verdict": "rejected", "note": "no"})
    inbox.ok("correct", "--import", "-", stdin=said)
    inbox.ok("dispatch", "--to", "file:out.jsonl")
    assert not (inbox.root / "out.jsonl").read_text()
    assert inbox.one("SELECT status FROM candidates WHERE id = 'c0'") == "rejected"
    assert inbox.json("audit", "verify")["ok"]


def test_what_was_decided_meanwhile_is_not_decided_again(session: ReviewSession, inbox: Workspace) -> None:
    item = session.next()
    assert item is not None
    inbox.ok("correct", item.candidate_id, "--verdict", "rejected", "--author", "ann")
    with pytest.raises(UsageError, match="decided meanwhile: rejected"):
        session.approve()


def test_the_lease_of_a_killed_review_is_free_at_once(session: ReviewSession, inbox: Workspace) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    other = ReviewSession(open_database(inbox.database), reviewer="bob", body_hits=no_hits)
    other.token = other.token.replace(f":{os.getpid()}:", f":{dead.pid}:")
    first = other.next()
    mine = session.next()
    assert first is not None
    assert mine is not None
    assert mine.candidate_id == first.candidate_id
    other.connection.close()


def test_active_time_leaves_out_idle_time() -> None:
    now = [100.0]
    active = ActiveTime(30.0, clock=lambda: now[0])
    active.open()
    for gap in (5.0, 600.0, 2.5):
        now[0] += gap
        active.touch()
    assert active.ms == 37_500


def test_a_draft_is_held_back_and_taken_up_again(session: ReviewSession) -> None:
    session.next()
    session.hold("she called")
    assert _rows(session, "SELECT hold_reason, hold_detail FROM candidates WHERE id = 'c0'") == [
        {"hold_reason": "held_by_person", "hold_detail": "she called"}
    ]
    session.undo()
    assert _status(session, "c0") == "drafted"
    session.requeue("shorter")
    assert _status(session, "c0") == "waiting"
    session.undo()
    assert _status(session, "c0") == "drafted"
    assert _rows(session, "SELECT redraft_note FROM candidates WHERE id = 'c0'") == [{"redraft_note": None}]


def test_an_edit_that_came_too_late_is_still_a_lesson(inbox: Workspace) -> None:
    inbox.ok("ingest", "-", stdin=line("c0b", "actually saturday?", thread="t-c0"))
    assert inbox.run("correct", "c0", "--verdict", "approved").returncode == 2
    done = inbox.run("correct", "c0", "--verdict", "edited", "--body", "Friday suits me well.")
    assert done.returncode == 1
    assert "newer message" in done.stderr
    assert inbox.one("SELECT stopped_by FROM prospect_corrections") == "stale"
    assert inbox.one("SELECT count(*) FROM few_shot_pool") == 1
    assert inbox.one("SELECT count(*) FROM outbox") == 0


def test_verdicts_come_from_a_file_each_once(inbox: Workspace) -> None:
    drafts = {row["candidate_id"]: row["id"] for row in inbox.rows("SELECT id, candidate_id FROM drafts")}
    good = [
        {"draft_id": drafts["c0"], "verdict": "approved", "at": "2026-11-01T10:00:00+00:00"},
        {"draft_id": drafts["c1"], "verdict": "edited", "body": "Friday it is.", "tags": ["voice"], "author": "eve"},
        {"verdict": "rejected", "draft_id": drafts["c2"], "note": "no"},
    ]
    bad = [
        "{",
        '{"draft_id": "nope", "verdict": "approved"}',
        '{"draft_id": "x", "verdict": "fine"}',
        '{"draft_id": "x", "verdict": "edited"}',
    ]
    text = "\n".join([*map(json.dumps, good), *bad, json.dumps(dict(reversed(list(good[0].items()))))])
    done = inbox.json("correct", "--import", "-", stdin=text, code=3)
    assert done == {"imported": 3, "duplicates": 1, "rejected": 4}
    assert inbox.json("correct", "--import", "-", stdin=text, code=3)["imported"] == 0
    rows = inbox.rows("SELECT verdict, author, created_at FROM prospect_corrections ORDER BY id")
    assert [row["verdict"] for row in rows] == ["approved", "edited", "rejected"]
    assert rows[0]["created_at"] == "2026-11-01T10:00:00+00:00"
    assert rows[1]["author"] == "eve"
    assert inbox.one("SELECT count(*) FROM rejects") == 4


def test_a_correction_remembers_what_its_draft_knew(inbox: Workspace) -> None:
    inbox.ok(
        "correct",
        "c0",
        "--verdict",
        "edited",
        "--body",
        "Friday, yes. Call 416-555-0123? No: just come by at eight.",
        code=1,
    )
    inbox.ok("correct", "c0", "--verdict", "edited", "--body", "Friday suits me.")
    row = inbox.rows("SELECT * FROM prospect_corrections ORDER BY id DESC LIMIT 1")[0]
    draft = inbox.rows("SELECT * FROM drafts WHERE id = ?", row["draft_id"])[0]
    for name in ("engine_id", "bundle_hash", "git_commit", "template_key", "candidate_id", "thread_id"):
        assert row[name] == draft[name]
    assert row["inbound"] == "hello, are you free on friday? 0"
    texts = inbox.rows("SELECT * FROM training_texts ORDER BY correction_id")
    assert "[phone]" in texts[0]["final"]
    assert texts[1]["final"] == "Friday suits me."
    with pytest.raises(Exception, match="never changed"):
        inbox.rows("UPDATE prospect_corrections SET body = 'x'")


# the screen


def press(
    session: ReviewSession,
    *keys: str,
    size: tuple[int, int] = (80, 24),
    look: Callable[[ReviewApp], None] | None = None,
) -> None:
    async def drive() -> None:
        app = ReviewApp(session)
        async with app.run_test(size=size) as pilot:
            for key in keys:
                await pilot.press(key)
            await pilot.pause()
            if look is not None:
                look(app)

    asyncio.run(drive())


def test_the_keyboard_alone_reviews_everything(session: ReviewSession) -> None:
    press(
        session, "a", "4", "a", "r", "2", "enter", "r", "n", "o", "enter", "s", "e", "ctrl+s", "e", *"Write.", "ctrl+s"
    )
    rows = _rows(session, "SELECT candidate_id, verdict, body, tags, note FROM prospect_corrections ORDER BY id")
    assert [(row["candidate_id"], row["verdict"]) for row in rows] == [
        ("c0", "approved"),
        ("c1", "approved"),
        ("c2", "rejected"),
        ("c3", "rejected"),
        ("c5", "edited"),
        ("h1", "edited"),
    ]
    assert json.loads(rows[1]["tags"]) == ["too-long"]
    assert json.loads(rows[2]["tags"]) == ["fact"]
    assert rows[3]["note"] == "no"
    assert rows[5]["body"] == "Write."
    assert _status(session, "h1") == "approved"


def test_undo_help_diff_and_hold_by_key(session: ReviewSession) -> None:
    def helped(app: ReviewApp) -> None:
        assert len(app.screen_stack) == 2

    press(session, "?", look=helped)
    session._after = None
    press(session, "a", "u", "h", *"later", "enter", "d", "d", "n", *"shorter", "enter")
    assert _rows(session, "SELECT redraft_note FROM candidates WHERE id = 'c1'") == [{"redraft_note": "shorter"}]
    assert _rows(session, "SELECT hold_detail FROM candidates WHERE id = 'c0'") == [{"hold_detail": "later"}]


def test_what_was_typed_is_never_lost(session: ReviewSession) -> None:
    def look(app: ReviewApp) -> None:
        assert "and more" in app.query_one("#editor").text  # type: ignore[attr-defined]

    press(session, "e", *" and more", "escape", "e", look=look)
    assert not _rows(session, "SELECT 1 FROM prospect_corrections")


def test_a_text_that_is_not_sent_is_in_the_way_of_every_other_key(session: ReviewSession) -> None:
    def look(app: ReviewApp) -> None:
        assert "not sent yet" in app._problem
        assert "and more" in str(app.query_one("#draft").render())

    press(session, "e", *" and more", "escape", "a", "s", "r", look=look)
    assert not _rows(session, "SELECT 1 FROM prospect_corrections")


def test_a_newer_message_is_said_at_once(session: ReviewSession, inbox: Workspace) -> None:
    async def drive() -> None:
        app = ReviewApp(session)
        async with app.run_test(size=(40, 20)) as pilot:
            inbox.ok("ingest", "-", stdin=line("c0b", "or saturday?", thread="t-c0"))
            app._refresh()
            await pilot.pause()
            assert "STALE" in str(app.query_one("#head").render())
            await pilot.press("a")
            assert "cannot be released (stale)" in app._problem
            await pilot.press("s", "s", "s", "s", "s", "s", "s", "s", "s", "a", "e", "q")
        assert session.item is None

    asyncio.run(drive())


def test_plain_prompts_do_the_same(session: ReviewSession, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(
        ["?", "x", "4", "a", "u", "r", "too stiff", "e", "Friday, gladly.", "h", "later", "s", "d", "n", "shorter", "q"]
    )
    console = Console(file=io.StringIO(), highlight=False, markup=False)
    monkeypatch.setattr(console, "input", lambda _prompt: next(answers))
    plain_review(session, console)
    rows = _rows(session, "SELECT candidate_id, verdict FROM prospect_corrections ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        ("c0", "approved"),
        ("c0", "undone"),
        ("c0", "rejected"),
        ("c1", "edited"),
    ]
    assert [_status(session, f"c{n}") for n in range(5)] == ["rejected", "approved", "held", "drafted", "waiting"]


def test_without_a_terminal_it_says_what_to_use(inbox: Workspace) -> None:
    done = inbox.run("review")
    assert done.returncode == 2
    assert "--next --json" in done.stderr


@pytest.mark.slow
def test_a_kill_after_a_key_loses_no_decision(workspace: Workspace) -> None:
    """Twenty drafts in a real terminal (a pty) beside a running batch, each sitting killed as soon as the next item is drawn."""
    import pty

    workspace.ok("draft", "--batch", "-i", "-", stdin="".join(line(f"c{n}", f"free on friday? {n}") for n in range(30)))
    many = workspace.root / "many.jsonl"
    many.write_text("".join(line(f"m{n}", f"free on friday? {n}") for n in range(40_000)))
    batch = workspace.start("draft", "--batch", "-i", str(many))
    for n in range(20):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(workspace.root)
            environment = {**os.environ, "TERM": "xterm-256color", "USER": "ann", "COLUMNS": "80", "LINES": "24"}
            os.execve(sys.executable, workspace.command("review"), environment)
        seen = _until(terminal, f"c{n} ")
        os.write(terminal, b"a")
        seen += _until(terminal, f"c{n + 1} ")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
        assert workspace.one("SELECT count(*) FROM prospect_corrections") == n + 1
    assert batch.poll() is None, "the batch was to run all the while"
    batch.terminate()
    batch.communicate()
    assert workspace.json("audit", "verify")["ok"]


def _until(terminal: int, word: str) -> str:
    """Read a terminal until a word has been drawn."""
    seen, deadline = "", time.monotonic() + 20
    while word not in seen:
        assert time.monotonic() < deadline, seen[-500:]
        seen += os.read(terminal, 65536).decode(errors="replace")
    return seen


def _rows(session: ReviewSession, query: str) -> list[dict[str, Any]]:
    return [dict(row) for row in session.connection.execute(query)]


def _status(session: ReviewSession, candidate_id: str) -> str:
    return str(_rows(session, f"SELECT status FROM candidates WHERE id = '{candidate_id}'")[0]["status"])


def _outbox(session: ReviewSession, candidate_id: str) -> list[str]:
    return [
        row["status"]
        for row in _rows(session, f"SELECT status FROM outbox WHERE candidate_id = '{candidate_id}' ORDER BY seq")
    ]
