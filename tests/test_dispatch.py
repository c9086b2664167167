"""Texts over HTTP, by themselves, and at the right time: what arrives, what holds, what is never sent twice."""

import json
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from draftctl.outlets.base import Text
from draftctl.outlets.http import HttpOutlet
from draftctl.pacing import parse_quiet_hours
from draftctl.store.db import open_database
from tests.conftest import Workspace, line
from tests.receiver import Receiver

GONE = {"sent": 0, "held": 0, "unknown": 0, "skipped": 0}


def approved(workspace: Workspace, *lines: str) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin="".join(lines))
    for text in lines:
        workspace.ok("correct", json.loads(text)["id"], "--verdict", "approved")


def set_up(workspace: Workspace, text: str) -> None:
    path = workspace.root / "draftctl.yaml"
    workspace.commit("draftctl.yaml", path.read_text() + text)


def test_a_text_arrives_once_with_its_key(workspace: Workspace) -> None:
    approved(workspace, line("a"), line("b"))
    with Receiver() as receiver:
        assert workspace.json("dispatch", MACSYNC_URL=receiver.url) == {**GONE, "sent": 2}
        assert workspace.json("dispatch", MACSYNC_URL=receiver.url) == GONE
    assert [h["Idempotency-Key"] for h in receiver.headers] == receiver.posts
    value = next(iter(receiver.arrived.values()))
    assert sorted(value) == ["candidate_id", "draft_id", "key", "text", "thread_id"]
    assert "201" in workspace.one("SELECT answer FROM outbox ORDER BY seq LIMIT 1")


@pytest.mark.parametrize(
    ("plan", "count", "status", "reason"),
    [
        ("ok", {"sent": 1}, "sent", None),
        ("409", {"sent": 1}, "sent", None),
        ("500", {"unknown": 1}, "held", "dispatch_unknown"),
        ("500 kept", {"unknown": 1}, "held", "dispatch_unknown"),
        ("reset", {"unknown": 1}, "held", "dispatch_unknown"),
        ("late", {"unknown": 1}, "held", "dispatch_unknown"),
        ("reset before", {"unknown": 1}, "held", "dispatch_unknown"),
        ("422", {"held": 1}, "held", "dispatch_refused"),
        ("301", {"skipped": 1}, "approved", None),
        ("429", {"skipped": 1}, "approved", None),
        ("401", {"skipped": 1}, "approved", None),
    ],
)
def test_every_answer_has_one_meaning(
    workspace: Workspace, plan: str, count: dict[str, int], status: str, reason: str | None
) -> None:
    set_up(workspace, "dispatch:\n  timeout: 1s\n")
    approved(workspace, line("a"))
    with Receiver(lambda _n: plan, late_s=1.5) as receiver:
        done = workspace.run("dispatch", "--json", MACSYNC_URL=receiver.url)
        assert json.loads(done.stdout) == {**GONE, **count}
        assert (done.returncode == 1) == ("skipped" in count), "nothing is wrong but a receiver that takes nothing"
        row = workspace.rows("SELECT status, hold_reason FROM candidates")[0]
        assert (row["status"], row["hold_reason"]) == (status, reason)
        receiver.plan = lambda _n: "ok"
        again = workspace.run("dispatch", "--json", MACSYNC_URL=receiver.url)
    expected = {"sent": 1} if status == "approved" else {}
    assert json.loads(again.stdout) == {**GONE, **expected}, "what is unclear or refused is not sent again"
    assert len(receiver.arrived) <= 1


def test_a_receiver_that_is_not_there_keeps_everything_waiting(workspace: Workspace) -> None:
    approved(workspace, line("a"), line("b"))
    done = workspace.run("dispatch", "--to", "http://127.0.0.1:9/x")
    assert done.returncode == 1
    assert "2 texts wait" in done.stderr
    assert workspace.json("dispatch", "--to", "file:out.jsonl")["sent"] == 2


@pytest.mark.parametrize(
    "where",
    [
        "http://example.org/x",
        "ftp://127.0.0.1/x",
        "nowhere",
        "http://",
        "file:",
        "https://localhost:secret@127.0.0.1/x",
        "http://127.0.0.1:abc/",
    ],
)
def test_a_place_that_is_none_is_refused(workspace: Workspace, where: str) -> None:
    assert workspace.run("dispatch", "--to", where).returncode == 2


def test_reconcile_settles_what_the_receiver_knows_and_a_person_the_rest(workspace: Workspace) -> None:
    approved(workspace, line("a"), line("b"), line("c"))
    plans = ["500 kept", "500", "500"]
    with Receiver(lambda n: plans[n]) as receiver:
        assert workspace.json("dispatch", MACSYNC_URL=receiver.url)["unknown"] == 3
        told = workspace.json("reconcile", MACSYNC_URL=receiver.url)
        assert told == {**GONE, "sent": 1, "unknown": 2}, "what it does not have may still be on its way"
        receiver.answers_questions = False
        assert workspace.json("reconcile", MACSYNC_URL=receiver.url)["unknown"] == 2
        workspace.ok("reconcile", "b", "--arrived", "--by", "Ana")
        workspace.ok("reconcile", "c", "--lost", "--by", "Ana")
        assert workspace.run("reconcile", "c", "--arrived").returncode == 2, "it is not unclear any more"
        receiver.plan = lambda _n: "ok"
        assert workspace.json("dispatch", MACSYNC_URL=receiver.url)["sent"] == 1
    assert receiver.posts[2] == receiver.posts[3], "under its own key"
    assert workspace.json("status")["candidates"] == {"sent": 3}
    assert workspace.json("audit", "verify")["ok"]


def test_a_text_that_never_arrived_goes_out_again_once_it_is_old_enough(workspace: Workspace) -> None:
    approved(workspace, line("a"))
    with Receiver(lambda n: ["500", "ok"][n]) as receiver:
        workspace.ok("dispatch", MACSYNC_URL=receiver.url)
        old = (
            datetime.fromisoformat(workspace.one("SELECT json_extract(intent, '$.at') FROM outbox"))
            - timedelta(hours=1)
        ).isoformat()
        connection = open_database(workspace.database)
        connection.execute("UPDATE outbox SET intent = json_set(intent, '$.at', ?)", (old,))
        connection.close()
        assert workspace.json("reconcile", MACSYNC_URL=receiver.url) == {**GONE, "skipped": 1}
        assert workspace.json("dispatch", MACSYNC_URL=receiver.url)["sent"] == 1
    assert len(set(receiver.posts)) == 1


def test_only_a_text_that_passed_can_stand_in_the_outbox(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a") + line("b", "im 15"))
    workspace.ok("correct", "a", "--verdict", "rejected")
    workspace.run("reply", "a", "--body", "It is $300.", "--override", "--note", "x")
    drafts = {row["candidate_id"]: row for row in workspace.rows("SELECT * FROM drafts")}
    connection = open_database(workspace.database)
    insert = (
        "INSERT OR REPLACE INTO outbox (id, draft_id, correction_id, candidate_id, thread_id, body, status, created_at, updated_at) "
        "VALUES ('k', ?, ?, ?, 't', ?, 'pending', 'x', 'x')"
    )
    corrections = [row["id"] for row in workspace.rows("SELECT id FROM prospect_corrections")]
    for draft_id, correction, body in (
        (drafts["a"]["id"], None, drafts["a"]["body"]),  # nobody said so, and it is not for mode auto
        (drafts["b"]["id"], None, "hello"),  # held by a gate
        *((drafts["a"]["id"], n, "It is $300.") for n in corrections),  # a price, in a person's own words
        *((drafts["a"]["id"], n, drafts["a"]["body"]) for n in corrections),
    ):
        with pytest.raises(sqlite3.IntegrityError, match="past every gate"):
            connection.execute(insert, (draft_id, correction, "a", body))
    connection.close()


def test_what_waits_to_be_sent_is_never_changed(workspace: Workspace) -> None:
    approved(workspace, line("a"))
    connection = open_database(workspace.database)
    for change in ("body = 'other'", "id = 'x'", "candidate_id = 'z'", "thread_id = 'z'"):
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            connection.execute(f"UPDATE outbox SET {change}")
    connection.close()


# -- mode auto --------------------------------------------------------------------------------------------------------------------------


def opt_in(workspace: Workspace, name: str = "greeting") -> None:
    notes = (workspace.root / "pastebin" / "notes.yaml").read_text()
    workspace.commit("pastebin/notes.yaml", notes.replace(f"name: {name}\n", f"name: {name}\n    auto: true\n"))


def test_auto_leaves_by_itself_only_where_the_note_says_so(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a", mode="auto") + line("r"))
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == GONE
    stages = workspace.json("why", "a")["stages"]
    assert [s["detail"] for s in stages if s["kind"] == "mode"] == ["note ① does not say `auto: true`"]
    opt_in(workspace)
    workspace.ok(
        "draft", "--batch", "-i", "-", stdin=line("b", mode="auto") + line("c", mode="review") + line("d", mode="hold")
    )
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == {**GONE, "sent": 1}
    assert workspace.json("show", "b")["candidate"]["status"] == "sent"
    assert workspace.json("show", "d")["candidate"]["hold_reason"] == "mode_hold"
    assert workspace.json("audit", "verify")["ok"]


def test_nothing_is_sent_to_whoever_has_written_what_nobody_has_read(workspace: Workspace) -> None:
    approved(workspace, line("a", thread="t1", person_id="p"))
    lines = line("b", "STOP", thread="t2", person_id="p")
    assert workspace.json("run", "-i", "-", "--to", "file:out.jsonl", stdin=lines)["dispatch"]["sent"] == 0
    assert workspace.one("SELECT count(*) FROM outbox WHERE status = 'sent'") == 0


def test_a_stop_reaches_whoever_is_the_same_person_by_way_of_another(workspace: Workspace) -> None:
    lines = [line("a1", thread="T1"), line("a2", thread="T1", person_id="Ben"), line("b1", thread="T2")]
    lines += [line("b2", thread="T2", person_id="Ben"), line("b3", "STOP", thread="T2")]
    workspace.ok("draft", "--batch", "-i", "-", stdin="".join(lines))
    assert workspace.json("draft", "--batch", "-i", "-", stdin=line("a3", thread="T1"))["holds"] == {"opted_out": 1}


def test_a_person_comes_before_what_leaves_by_itself(workspace: Workspace) -> None:
    opt_in(workspace)
    workspace.ok("draft", "--batch", "-i", "-", stdin="".join(line(c, mode="auto") for c in "abcd"))
    workspace.ok("correct", "a", "--verdict", "rejected")
    workspace.ok("correct", "b", "--verdict", "edited", "--body", "Hello there. Which day?")
    workspace.ok("hold", "c", "--reason", "not now")
    workspace.ok("correct", "d", "--verdict", "rejected")
    workspace.ok("correct", "d", "--undo")
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == {**GONE, "sent": 1}
    texts = {
        v["candidate_id"]: v["text"] for v in map(json.loads, (workspace.root / "out.jsonl").read_text().splitlines())
    }
    assert texts["b"] == "Hello there. Which day?"
    assert set(texts) == {"b"}, "what somebody has judged, and taken that back, waits for a person"


@pytest.mark.parametrize("text", ["im 16", "he took my passport", "i want to die", "my lawyer will call you", "STOP"])
def test_no_danger_is_answered_by_itself(workspace: Workspace, text: str) -> None:
    opt_in(workspace)
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a", text, mode="auto", person_id="p"))
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("b", "hello", mode="auto", person_id="p"))
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == GONE


def test_the_workspace_and_its_mode(workspace: Workspace) -> None:
    opt_in(workspace)
    set_up(workspace, "mode: auto\n")
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a"))
    assert workspace.json("dispatch", "--to", "file:out.jsonl")["sent"] == 1


def test_undo_does_not_release_what_a_person_holds_back(workspace: Workspace) -> None:
    opt_in(workspace)
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a", mode="auto"))
    workspace.ok("correct", "a", "--verdict", "edited", "--body", "Hello there. Which day?")
    workspace.ok("hold", "a", "--reason", "not now")
    workspace.ok("correct", "a", "--undo")
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == GONE
    assert workspace.json("show", "a")["candidate"]["hold_reason"] == "held_by_person"


def test_who_is_forgotten_while_a_text_is_on_its_way_is_forgotten_all_the_same(workspace: Workspace) -> None:
    approved(workspace, line("a", "zebrafish", person_id="p"))
    body = workspace.one("SELECT body FROM drafts")
    with Receiver(answers_questions=False) as receiver:
        workspace.run("dispatch", DRAFTCTL_FAILPOINT="dispatch.after_intent", MACSYNC_URL=receiver.url)
        workspace.ok("forget", "p", "--yes")
        assert workspace.json("dispatch", MACSYNC_URL=receiver.url)["unknown"] == 1
    assert body.encode() not in workspace.database.read_bytes()
    assert workspace.json("audit", "verify")["ok"]


def test_two_words_about_one_text_send_it_once(workspace: Workspace) -> None:
    approved(workspace, line("a"))
    with Receiver(lambda n: ["500 kept", "ok"][n]) as receiver:
        workspace.ok("dispatch", MACSYNC_URL=receiver.url)
        workspace.ok("reconcile", "a", "--arrived")
        assert workspace.run("reconcile", "a", "--lost").returncode == 2
        connection = open_database(workspace.database)
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            connection.execute("UPDATE outbox SET status = 'pending'")
        connection.close()
        assert workspace.json("dispatch", MACSYNC_URL=receiver.url) == GONE


def test_a_file_that_was_emptied_meanwhile_says_nothing(workspace: Workspace) -> None:
    approved(workspace, line("a"))
    workspace.run("dispatch", "--to", "file:out.jsonl", DRAFTCTL_FAILPOINT="dispatch.after_write")
    (workspace.root / "out.jsonl").write_text("")  # the messages app has taken what was there
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == {**GONE, "unknown": 1}


# -- pacing -----------------------------------------------------------------------------------------------------------------------------


def test_nobody_gets_more_than_their_share_of_a_day(workspace: Workspace) -> None:
    set_up(workspace, "dispatch:\n  max_per_person_day: 2\n")
    approved(workspace, *(line(c, person_id="p") for c in "abc"), line("z", person_id="q"))
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == {**GONE, "sent": 3, "skipped": 1}
    assert workspace.one("SELECT reason FROM decisions WHERE kind = 'dispatch' AND outcome = 'waits'") == "rate_limited"


def test_nothing_leaves_in_quiet_hours(workspace: Workspace) -> None:
    set_up(workspace, 'dispatch:\n  quiet_hours: "00:00-23:59"\n  timezone: Europe/Berlin\n')
    approved(workspace, line("a"))
    for _ in range(2):
        assert workspace.json("dispatch", "--to", "file:out.jsonl") == {**GONE, "skipped": 1}
    assert len(workspace.rows("SELECT 1 FROM decisions WHERE reason = 'quiet_hours'")) == 1, "said once"


def test_quiet_hours_over_midnight() -> None:
    quiet = parse_quiet_hours("22:00-08:00")
    assert [hour for hour in range(24) if quiet.at(datetime(2026, 1, 1, hour, tzinfo=UTC))] == [*range(8), 22, 23]
    assert [
        hour for hour in range(24) if parse_quiet_hours("9:30-12:00").at(datetime(2026, 1, 1, hour, tzinfo=UTC))
    ] == [10, 11]
    for bad in ("22-8", "25:00-01:00", "08:00-08:00", ""):
        with pytest.raises(ValueError, match="hours"):
            parse_quiet_hours(bad)


@pytest.mark.parametrize(
    ("key", "value"), [("quiet_hours", "night"), ("timezone", "Mars/Base"), ("max_per_person_day", "0")]
)
def test_bad_settings_are_refused_with_their_place(workspace: Workspace, key: str, value: str) -> None:
    (workspace.root / "draftctl.yaml").write_text(f"dispatch:\n  {key}: {value}\n")
    done = workspace.run("dispatch", "--to", "file:out.jsonl")
    assert done.returncode == 2
    assert "draftctl.yaml:2:" in done.stderr


# -- threads ----------------------------------------------------------------------------------------------------------------------------


def test_of_several_waiting_messages_of_a_thread_only_the_newest_is_drafted(workspace: Workspace) -> None:
    lines = [line(c, f"hello {n}", thread="t", received_at=f"2026-11-20T10:0{n}:00Z") for n, c in enumerate("abc")]
    value = workspace.json("draft", "--batch", "-i", "-", stdin="".join([lines[2], lines[0], lines[1]]))
    assert (value["drafted"], value["holds"]) == (1, {"superseded": 2})
    assert workspace.json("show", "c")["candidate"]["status"] == "drafted"
    texts = [m["text"] for m in workspace.json("show", "c")["candidate"]["messages"]]
    assert texts == ["hello 0", "hello 1", "hello 2"], "what came before is part of the thread"


def test_a_thread_has_one_newest_message_whatever_its_lines_say_of_their_time(workspace: Workspace) -> None:
    lines = [
        line("b", "second", thread="t", received_at="2026-11-20T11:00:00Z"),
        line("c", "without a time", thread="t"),
        line("a", "first", thread="t", received_at="2026-11-20T10:00:00Z"),
    ]
    value = workspace.json("draft", "--batch", "-i", "-", stdin="".join(lines))
    assert (value["drafted"], value["holds"]) == (1, {"superseded": 2})
    assert workspace.json("show", "c")["candidate"]["status"] == "drafted"


def test_what_was_written_before_has_its_bounds_and_goes_with_what_is_purged(workspace: Workspace) -> None:
    long = [line(f"m{n}", f"zebrafish {n} " + "well " * 2000, thread="t") for n in range(6)]
    workspace.ok("draft", "--batch", "-i", "-", stdin="".join(long))
    lengths = workspace.rows("SELECT id, length(history) AS n FROM candidates WHERE history IS NOT NULL")
    assert [row["id"] for row in lengths] == ["m5"], "for the one that is answered alone"
    assert lengths[0]["n"] < 17_000
    connection = open_database(workspace.database)
    connection.execute("UPDATE candidates SET ingested_at = '2020-01-01T00:00:00.000+00:00' WHERE id <> 'm5'")
    connection.close()
    workspace.ok("purge", "--older-than", "90d")
    assert workspace.one("SELECT count(*) FROM candidates WHERE history LIKE '%zebrafish%'") == 0


def test_the_gates_read_a_message_that_a_newer_one_supersedes(workspace: Workspace) -> None:
    done = workspace.json(
        "draft", "--batch", "-i", "-", stdin=line("a", "im 15", thread="t") + line("b", "hello?", thread="t")
    )
    assert done["drafted"] == 0
    assert workspace.json("status")["alerts"] == 1


def test_a_draft_is_void_once_a_newer_message_is_decided_on(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a", thread="t"))
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("b", "and saturday?", thread="t", key="availability"))
    assert workspace.json("show", "a")["candidate"]["hold_reason"] == "stale"
    assert workspace.json("show", "b")["candidate"]["status"] == "drafted"


def test_the_same_text_does_not_leave_twice_in_a_thread(workspace: Workspace) -> None:
    approved(workspace, line("a", thread="t"))
    workspace.ok("dispatch", "--to", "file:out.jsonl")
    value = workspace.json(
        "draft", "--batch", "-i", "-", stdin=line("b", "hello again", thread="t") + line("c", thread="u")
    )
    assert value["holds"] == {"gate:duplicate": 1}
    body = workspace.one("SELECT body FROM drafts WHERE candidate_id = 'a'")
    done = workspace.run("reply", "b", "--body", body.upper())
    assert "gate:duplicate" in done.stderr + done.stdout
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == GONE


def test_a_text_that_only_waits_is_a_duplicate_until_it_is_void(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a", thread="t"))
    first = workspace.json("draft", "--batch", "-i", "-", stdin=line("b", "still there?", thread="t"))
    assert first["holds"] == {"gate:duplicate": 1}
    assert workspace.json("draft", "--batch")["drafted"] == 1, "the older draft is void by now"


def test_two_texts_without_an_answer_are_enough(workspace: Workspace) -> None:
    def thread(*ours: str) -> list[dict[str, str]]:
        return [{"role": "prospect", "text": "hello"}, *({"role": "quinn", "text": text} for text in ours)]

    lines = [
        {"id": "one", "thread_id": "t1", "template_key": "follow-up", "messages": thread("Which day?")},
        {"id": "two", "thread_id": "t2", "template_key": "follow-up", "messages": thread("Which day?", "Still there?")},
    ]
    value = workspace.json("draft", "--batch", "-i", "-", stdin="".join(json.dumps(v) + "\n" for v in lines))
    assert (value["drafted"], value["holds"]) == (1, {"follow_up_limit": 1})
    workspace.ok("correct", "one", "--verdict", "approved")
    workspace.ok("dispatch", "--to", "file:out.jsonl")
    lines[0] |= {"id": "three", "template_key": "slow-reply"}
    value = workspace.json("draft", "--batch", "-i", "-", stdin=json.dumps(lines[0]) + "\n")
    assert value["holds"] == {"follow_up_limit": 1}, "also where the line does not know of our follow-up yet"


# -- killed -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_fifty_kills_against_a_receiver_that_spoils_its_answers(
    workspace: Workspace, record_property: Callable[[str, object], None]
) -> None:
    rng = random.Random(6)
    set_up(workspace, "dispatch:\n  timeout: 1s\n  max_per_person_day: 1000\n")
    count = 450
    fine = [line(f"f{n}", f"hello {n}", person_id=f"p{n}") for n in range(count)]
    never = [
        line(f"{kind}{n}", person_id=f"{kind}{n}", thread=f"{kind}{n}")
        for kind in ("rejected", "stopped", "stale", "waiting")
        for n in range(5)
    ]
    workspace.ok("draft", "--batch", "-i", "-", stdin="".join([*fine, *never]))
    verdicts = [{"draft_id": f"f{n}", "verdict": "approved"} for n in range(count)]
    verdicts += [{"draft_id": f"{kind}{n}", "verdict": "approved"} for kind in ("stopped", "stale") for n in range(5)]
    verdicts += [{"draft_id": f"rejected{n}", "verdict": "rejected"} for n in range(5)]
    ids = {row["candidate_id"]: row["id"] for row in workspace.rows("SELECT id, candidate_id FROM drafts")}
    workspace.ok(
        "correct",
        "--import",
        "-",
        stdin="".join(json.dumps({**v, "draft_id": ids[v["draft_id"]]}) + "\n" for v in verdicts),
    )
    after = [line(f"x{n}", "STOP", person_id=f"stopped{n}", thread=f"y{n}") for n in range(5)]
    after += [line(f"w{n}", "one more thing", person_id=f"stale{n}", thread=f"stale{n}") for n in range(5)]
    workspace.ok("ingest", "-", stdin="".join(after))
    workspace.ok("draft", "--batch", "--limit", "5")
    plans = ["ok"] * 12 + ["500", "500 kept", "409", "reset", "reset before"]
    kills = 0
    with Receiver(lambda n: "late" if n % 97 == 5 else rng.choice(plans), late_s=1.5) as receiver:
        while kills < 50:
            process = workspace.fork("dispatch", MACSYNC_URL=receiver.url)
            before = len(receiver.posts)
            while len(receiver.posts) == before and process.is_alive():
                time.sleep(0.001)
            time.sleep(rng.random() * 0.2)
            process.kill()
            process.join()
            kills += process.exitcode == -signal.SIGKILL
        receiver.plan = lambda _n: "ok"
        workspace.ok("dispatch", MACSYNC_URL=receiver.url)
        unknown = {
            row["candidate_id"] for row in workspace.rows("SELECT candidate_id FROM outbox WHERE status = 'unknown'")
        }
        held = {row["id"] for row in workspace.rows("SELECT id FROM candidates WHERE hold_reason = 'dispatch_unknown'")}
        assert unknown == held
        told = workspace.json("reconcile", MACSYNC_URL=receiver.url)
    arrived = [value["candidate_id"] for value in receiver.arrived.values()]
    assert len(arrived) == len(set(arrived)), "no text twice under two keys"
    assert max(receiver.posts.count(key) for key in receiver.arrived) == 1, "and none asked twice by itself"
    assert all(id_.startswith("f") for id_ in arrived), "nothing that is held, rejected, suppressed or stale"
    status = {
        row["id"]: row["status"] for row in workspace.rows("SELECT id, status FROM candidates WHERE id LIKE 'f%'")
    }
    assert {id_ for id_, value in status.items() if value != "sent"} <= unknown
    assert set(arrived) & unknown <= {id_ for id_, value in status.items() if value == "sent"}, (
        "reconcile knows what arrived"
    )
    assert workspace.json("audit", "verify")["ok"]
    assert len(unknown) > 20  # else the kills and the spoilt answers met nothing
    record_property(
        "figure",
        f"dispatch over HTTP: {kills} kills, {len(receiver.posts)} posts, {len(arrived)} arrived, 0 twice; {len(unknown)} unclear, {told['sent']} settled by reconcile",
    )


def test_an_old_outlet_is_asked_only_about_its_own(tmp_path: Path) -> None:
    text = Text(key="k", candidate_id="c", draft_id="d", thread_id="t", text="hello")
    outlet = HttpOutlet("http://127.0.0.1:9/x")
    assert outlet.ask(text, {"url": "http://127.0.0.1:9/other", "at": "2020-01-01T00:00:00+00:00"}).what == "unclear"
    assert outlet.ask(text, {"path": str(tmp_path)}).what == "unclear"
    outlet.close()
