"""`run`: a raw inbox through every stage, by rules and by a model; who hears of trouble; the whole story of each candidate."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from draftctl.notices import Runs, away, ended
from draftctl.store.db import open_database, run_lock
from tests.conftest import BUILD, Workspace, line
from tests.played_server import Connection, PlayedServer, completion, good
from tests.receiver import Receiver

RAW = "examples/raw-inbox.jsonl"
ASKS = f"""\
engine: {BUILD}
compare: true
archetypes:
  - {{is: rude, any: [stupid], yes: ["are you stupid?"]}}
  - {{is: hurried}}
states:
  - {{is: named, was: [named]}}
  - {{is: new}}
steps:
  - think: who is this, and what do they want
  - choose: which kind of person writes
    as: archetype
  - choose: where does the thread stand
    as: state
  - extract: what is known of them
    as: known
    schema:
      type: object
      additionalProperties: false
      required: [day]
      properties: {{day: {{type: string, maxLength: 20}}}}
"""


def raw(id_: str, text: str, thread: str = "", **more: Any) -> str:
    return line(id_, text, thread=thread, key=None, **more)


def test_a_raw_inbox_goes_all_the_way(workspace: Workspace) -> None:
    value = workspace.json("run", "-i", RAW, "--to", "file:out.jsonl")
    assert value["ingested"] == value["claimed"] == value["drafted"] + value["held"] == 30
    assert value["drafted"] >= 14
    assert value["dispatch"] == {"sent": 0, "unknown": 0, "held": 0, "skipped": 0}, "nothing leaves without a person"
    assert "unclassified" not in value["holds"]
    for row in workspace.rows("SELECT id, status, archetype, state, template_key FROM candidates"):
        told = workspace.json("why", row["id"])
        kinds = [stage["kind"] for stage in told["stages"]]
        assert kinds[0] == "gate"
        assert kinds[-1] == "draft"
        assert told["meaning"]
        assert told["next"]
        assert len(workspace.ok("why", row["id"]).splitlines()) < 40, "one screen"
        if row["status"] == "drafted":
            assert kinds == ["gate", "classify", "decide", "mode", "gate", "draft"]
            assert row["archetype"]
            assert row["state"]
            assert row["template_key"]
    again = workspace.json("run", "-i", RAW, "--to", "file:out.jsonl")
    assert (again["duplicates"], again["claimed"]) == (30, 0)


def test_a_thread_walks_from_state_to_state_as_its_texts_are_sent(workspace: Workspace) -> None:
    def turn(id_: str, text: str, *, send: bool = True) -> tuple[str, str, str]:
        workspace.ok("run", "-i", "-", "--to", "file:out.jsonl", stdin=raw(id_, text, thread="t"))
        row = workspace.json("show", id_)["candidate"]
        if send and row["status"] == "drafted":
            workspace.ok("correct", id_, "--verdict", "approved")
            workspace.ok("run", "--to", "file:out.jsonl")
        return row["archetype"], row["state"], row["template_key"] or row["hold_reason"]

    assert turn("a", "good evening, i'm Ben") == ("courteous", "new", "②")
    assert turn("b", "i found your page through a friend") == ("courteous", "named", "④")
    assert turn("c", "i work at a bank, Anna can vouch for me") == ("courteous", "screening", "mode_hold")
    workspace.ok("classify", "c", "--atom", "screened=true")
    workspace.ok("run", "--to", "file:out.jsonl")
    assert workspace.json("show", "c")["candidate"]["template_key"] == "⑤"
    workspace.ok("correct", "c", "--verdict", "approved")
    workspace.ok("run", "--to", "file:out.jsonl")
    assert turn("d", "friday at 8pm?") == ("courteous", "scheduling", "⑥")
    texts = [json.loads(text)["text"] for text in (workspace.root / "out.jsonl").read_text().splitlines()]
    assert texts[-1] == "Friday at 8pm would suit me well. Does it suit you too?".replace("Friday", "friday")
    said = workspace.json("show", "d")["candidate"]["messages"]
    assert [m["role"] for m in said] == ["prospect", "quinn"] * 3 + ["prospect"]


def test_what_upstream_says_stands(workspace: Workspace) -> None:
    lines = [
        raw("a", "are you stupid?", archetype="courteous", state="new"),
        raw("b", "hello", atoms={"name": "Zoe", "screened": True}),
        line("c", "hello", key="⑰"),
    ]
    workspace.ok("run", "-i", "-", stdin="".join(lines))
    rows = {row["id"]: row for row in workspace.rows("SELECT id, archetype, state, template_key FROM candidates")}
    assert rows["a"] == {"id": "a", "archetype": "courteous", "state": "new", "template_key": "①"}
    assert rows["b"]["state"] == "screened"
    assert rows["c"]["template_key"] == "⑰"
    assert rows["c"]["archetype"] == "hurried"


def test_drafting_alone_leaves_the_other_stages_to_others(workspace: Workspace) -> None:
    assert workspace.json("draft", "--batch", "-i", "-", stdin=raw("a", "hello"))["holds"] == {"unclassified": 1}
    assert workspace.json("run")["drafted"] == 1, "a run takes it up"


def test_a_broken_file_holds_what_needs_it_and_nothing_else(workspace: Workspace) -> None:
    workspace.commit("workflows/classify.yaml", "archetypes: [{is: nobody}]\nstates: [{is: new}]\n")
    value = workspace.json(
        "run", "-i", "-", stdin=raw("a", "hello") + line("b", "hello", archetype="rude", state="new")
    )
    assert (value["drafted"], value["holds"]) == (1, {"workflow_invalid": 1})
    assert "workflows/classify.yaml:1:19: E-VOCAB" in workspace.json("why", "a")["candidate"]["hold_detail"]
    workspace.git("revert", "--no-edit", "HEAD")
    assert workspace.json("run")["drafted"] == 1


def test_a_situation_without_a_decision_holds_and_says_where(workspace: Workspace) -> None:
    workspace.commit(
        "workflows/decisions.yaml", 'decisions:\n  - {id: a, appliesTo: {states: [named]}, templateKey: "①"}\n'
    )
    assert workspace.json("run", "-i", "-", stdin=raw("a", "hey"))["holds"] == {"no_decision": 1}
    told = workspace.ok("why", "a")
    assert "hurried x new" in told
    assert "classify a --key" in told
    workspace.commit("workflows/decisions.yaml", 'decisions:\n  - {id: a, templateKey: "①"}\n')
    assert workspace.json("run")["drafted"] == 1


def test_a_decision_can_leave_it_to_a_person(workspace: Workspace) -> None:
    workspace.commit("workflows/decisions.yaml", "decisions:\n  - {id: a, mode: hold}\n")
    assert workspace.json("run", "-i", "-", stdin=raw("a", "hey"))["holds"] == {"mode_hold": 1}


def test_classify_by_the_workspaces_own_files(workspace: Workspace) -> None:
    workspace.ok("ingest", "-", stdin=raw("a", "good evening, i'm Ben") + raw("b", "im 15"))
    assert "courteous" in workspace.ok("classify", "a")
    row = workspace.json("show", "a")["candidate"]
    assert (row["archetype"], row["state"], row["template_key"], row["next_state"]) == (
        "courteous",
        "new",
        "②",
        "named",
    )
    assert row["atoms"] == {"name": "Ben"}
    done = workspace.run("classify", "b")
    assert done.returncode == 2
    assert "minor" in done.stderr
    assert workspace.json("draft", "--batch")["drafted"] == 1


@pytest.mark.parametrize("bad", ["screened", "=x", "x=", "a b"])
def test_an_atom_by_hand_is_name_and_value(workspace: Workspace, bad: str) -> None:
    workspace.ok("ingest", "-", stdin=raw("a", "hello"))
    assert workspace.run("classify", "a", "--atom", bad).returncode == 2


def test_nobody_can_say_of_themselves_that_they_are_screened(workspace: Workspace) -> None:
    workspace.ok("run", "-i", "-", stdin=raw("a", "i am verified, screened=true, references: yes. friday at 8pm?"))
    assert workspace.json("show", "a")["candidate"]["state"] == "new"
    assert "screened" not in workspace.json("show", "a")["candidate"]["atoms"]


def test_what_a_decision_says_of_the_mode_holds_on_a_second_look_too(workspace: Workspace) -> None:
    workspace.commit("workflows/decisions.yaml", 'decisions:\n  - {id: a, templateKey: "①", mode: review}\n')
    notes = workspace.root / "pastebin" / "notes.yaml"
    workspace.commit(
        "pastebin/notes.yaml", notes.read_text().replace("name: greeting\n", "name: greeting\n    auto: true\n")
    )
    settings = workspace.root / "draftctl.yaml"
    workspace.commit("draftctl.yaml", settings.read_text() + "mode: auto\n")
    workspace.ok("run", "-i", "-", "--to", "file:out.jsonl", stdin=raw("a", "hello") + raw("b", "hello"))
    workspace.ok("requeue", "a")
    workspace.ok("requeue", "b")
    workspace.ok("draft", "b")
    assert workspace.json("run", "--to", "file:out.jsonl")["dispatch"]["sent"] == 0
    assert workspace.json("status")["candidates"] == {"drafted": 2}


def test_stages_are_done_anew_and_what_a_person_set_stays(workspace: Workspace) -> None:
    workspace.commit(
        "workflows/decisions.yaml", "decisions:\n  - {id: a, appliesTo: {archetypes: [rude]}, mode: hold}\n"
    )
    workspace.ok("run", "-i", "-", stdin=raw("a", "hey") + raw("b", "hey"))
    workspace.ok("classify", "b", "--archetype", "chatty")
    path = workspace.root / "workflows" / "classify.yaml"
    workspace.commit(
        "workflows/classify.yaml",
        path.read_text()
        .replace("  - is: hurried ", "  - is: courteous ")
        .replace('yes: ["hey", "u up?", "free tonight"]', "yes: []"),
    )
    workspace.commit("workflows/decisions.yaml", 'decisions:\n  - {id: a, templateKey: "①"}\n')
    assert workspace.json("run")["drafted"] == 2
    assert {r["id"]: r["archetype"] for r in workspace.rows("SELECT id, archetype FROM candidates")} == {
        "a": "courteous",
        "b": "chatty",
    }


@pytest.mark.parametrize("value", [False, "no", 0, None, ""])
def test_a_fact_that_says_no_is_not_known(workspace: Workspace, value: Any) -> None:
    workspace.ok("run", "-i", "-", stdin=raw("a", "hello", atoms={"screened": value}))
    assert workspace.json("show", "a")["candidate"]["state"] == "new"


@pytest.mark.parametrize("text", ["stop writing me please", "are you a bot?", "i am a journalist", "im 15"])
def test_what_stopped_in_an_earlier_line_is_not_answered_by_the_way(workspace: Workspace, text: str) -> None:
    workspace.ok("run", "-i", "-", stdin=raw("a", text, thread="t"))
    assert workspace.json("run", "-i", "-", stdin=raw("b", "hello?", thread="t"))["drafted"] == 0
    assert workspace.json("run", "-i", "-", stdin=raw("c", "hello", thread="u"))["drafted"] == 1


# -- asked of a model ---------------------------------------------------------------------------------------------------------------------


def test_a_model_classifies_and_a_difference_is_recorded(workspace: Workspace) -> None:
    workspace.commit("workflows/classify.yaml", ASKS)
    with PlayedServer(BUILD) as server:
        value = workspace.json("run", "-i", "-", stdin=raw("a", "are you stupid?"), GPU_INFERENCE_URL=server.url)
    assert (value["drafted"], value["engine"], value["requests"]) == (1, "template", 4)
    stages = {s["outcome"]: s for s in workspace.json("why", "a")["stages"] if s["kind"] == "classify"}
    assert stages["set"]["engine_id"] == BUILD
    assert "archetype courteous (asked)" in stages["set"]["detail"]
    assert "rule 1, 'stupid' says rude, the model courteous" in stages["disagree"]["detail"]
    assert workspace.json("show", "a")["candidate"]["atoms"] == {"day": "friday"}
    steps = workspace.json("show", "a", "--prompt")
    assert steps["prompt_verified"]
    assert [s["verb"] for s in steps["steps"]] == ["think", "choose", "choose", "extract", "draft"]


def test_the_classifier_and_the_chain_share_one_build_and_its_steps_are_kept_apart(workspace: Workspace) -> None:
    workspace.commit("workflows/classify.yaml", ASKS)
    with PlayedServer(BUILD) as server:
        value = workspace.json(
            "run", "-i", "-", "--engine", BUILD, stdin=raw("a", "hello there"), GPU_INFERENCE_URL=server.url
        )
    assert value["drafted"] == 1
    steps = workspace.json("show", "a", "--prompt")["steps"]
    assert len({s["n"] for s in steps}) == len(steps)
    assert [s["verb"] for s in steps][:4] == ["think", "choose", "choose", "extract"]
    assert steps[-1]["verb"] in ("draft", "critique")


def test_an_answer_that_is_none_of_the_options_holds(workspace: Workspace) -> None:
    workspace.commit("workflows/classify.yaml", ASKS)

    def wrong(connection: Connection, asked: dict[str, Any]) -> None:
        if "structured_outputs" in asked:
            connection.send(200, completion(asked, "nobody"))
        else:
            good(connection, asked)

    with PlayedServer(BUILD) as server:
        server.always = wrong
        value = workspace.json("run", "-i", "-", stdin=raw("a", "hello"), GPU_INFERENCE_URL=server.url)
    assert value["holds"] == {"invalid_step": 1}
    assert "archetype" in workspace.json("why", "a")["candidate"]["hold_detail"]


def test_a_model_that_is_not_there_holds_only_what_needs_it(workspace: Workspace) -> None:
    workspace.commit("workflows/classify.yaml", ASKS)
    done = workspace.run("run", "-i", "-", "--json", stdin=raw("a", "hello") + line("b", archetype="rude", state="new"))
    value = json.loads(done.stdout)
    assert (value["drafted"], value["holds"]) == (1, {"engine_unavailable": 1})
    with PlayedServer(BUILD) as server:
        assert workspace.json("run", GPU_INFERENCE_URL=server.url)["drafted"] == 1


def test_no_model_is_asked_about_what_a_gate_stops(workspace: Workspace) -> None:
    workspace.commit("workflows/classify.yaml", ASKS)
    with PlayedServer(BUILD) as server:
        lines = (
            raw("k", "im 15", thread="k")
            + raw("l", "hello?", thread="k")
            + raw("a", "im 15")
            + raw("b", "STOP")
            + raw("c", "older", thread="t")
            + raw("d", "stop writing me please", thread="t")
        )
        value = workspace.json("run", "-i", "-", stdin=lines, GPU_INFERENCE_URL=server.url)
        assert (value["drafted"], value["requests"], server.sent) == (0, 0, 0)


def test_a_classifier_that_is_down_is_given_up_and_what_needs_none_is_drafted(workspace: Workspace) -> None:
    workspace.commit("workflows/classify.yaml", ASKS)
    path = workspace.root / "draftctl.yaml"
    path.write_text(path.read_text().replace("max_in_flight: 64", "max_in_flight: 2") + "inference:\n  tries: 1\n")
    with PlayedServer(BUILD) as server:
        server.always = lambda connection, _asked: connection.send(503, {})
        lines = "".join(raw(f"r{n}", "hello") for n in range(30)) + line("b", archetype="rude", state="new")
        value = json.loads(workspace.run("run", "-i", "-", "--json", stdin=lines, GPU_INFERENCE_URL=server.url).stdout)
    assert (value["drafted"], value["holds"]) == (1, {"engine_unavailable": 30})
    assert server.sent < 15


# -- the one line of cron -------------------------------------------------------------------------------------------------------------------


def test_approved_texts_leave_though_another_run_drafts(workspace: Workspace) -> None:
    workspace.ok("run", "-i", "-", "--to", "file:out.jsonl", stdin=line("a"))
    workspace.ok("correct", "a", "--verdict", "approved")
    with run_lock(workspace.database, "somebody"):
        assert workspace.run("run", "--to", "file:out.jsonl").returncode == 75
    assert len((workspace.root / "out.jsonl").read_text().splitlines()) == 1


def test_a_run_sends_where_the_settings_say(workspace: Workspace) -> None:
    path = workspace.root / "draftctl.yaml"
    workspace.commit("draftctl.yaml", path.read_text() + "dispatch:\n  to: file:sent/out.jsonl\n")
    (workspace.root / "sent").mkdir()
    workspace.ok("run", "-i", "-", stdin=line("a"))
    workspace.ok("correct", "a", "--verdict", "approved")
    assert workspace.json("run")["dispatch"]["sent"] == 1
    with Receiver() as receiver:
        workspace.ok("draft", "--batch", "-i", "-", stdin=line("b"))
        workspace.ok("correct", "b", "--verdict", "approved")
        assert workspace.json("run", MACSYNC_URL=receiver.url)["dispatch"]["sent"] == 1
        assert len(receiver.arrived) == 1


def test_a_receiver_that_is_down_fails_the_run_after_its_work(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a"))
    workspace.ok("correct", "a", "--verdict", "approved")
    done = workspace.run("run", "-i", "-", "--json", stdin=line("b"), MACSYNC_URL="http://127.0.0.1:9/x")
    assert done.returncode == 1
    assert json.loads(done.stdout)["drafted"] == 1
    assert "cannot be reached" in done.stderr


def test_a_file_of_the_settings_lies_in_the_workspace_wherever_a_run_is_started(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = workspace.root / "draftctl.yaml"
    path.write_text(path.read_text() + "dispatch:\n  to: file:out.jsonl\n")
    workspace.ok("draft", "--batch", "-i", "-", stdin=line("a"))
    workspace.ok("correct", "a", "--verdict", "approved")
    elsewhere = Workspace(tmp_path)
    assert elsewhere.json("--workspace", str(workspace.root), "run")["dispatch"]["sent"] == 1
    assert (workspace.root / "out.jsonl").exists()


def test_input_is_taken_whatever_is_wrong_and_a_place_that_is_none_stops_before_the_work(workspace: Workspace) -> None:
    assert workspace.run("run", "-i", "-", "--to", "nowhere", stdin=line("a")).returncode == 2
    assert workspace.json("status")["candidates"] == {"waiting": 1}
    (workspace.root / "draftctl.yaml").write_text("nonsense: 1\n")
    assert workspace.run("run", "-i", "-", stdin=line("b")).returncode == 2
    assert workspace.one("SELECT count(*) FROM candidates") == 2


@pytest.mark.parametrize("key", ["notify:\n  url", "alerts:\n  webhook"])
def test_ids_leave_in_the_clear_for_nobody_else(workspace: Workspace, key: str) -> None:
    (workspace.root / "draftctl.yaml").write_text(f"{key}: http://example.org/x\n")
    done = workspace.run("watch")
    assert done.returncode == 2
    assert "in the clear" in done.stderr


def test_pause_and_resume(workspace: Workspace) -> None:
    workspace.ok("pause", "--reason", "x")
    value = workspace.json("run", "-i", "-", "--to", "file:out.jsonl", stdin=line("a"))
    assert (value["ingested"], value["claimed"], value["stopped"]) == (1, 0, "paused")
    workspace.ok("resume", "--by", "Ana")
    assert workspace.json("run")["drafted"] == 1


def notifying(workspace: Workspace, text: str) -> Path:
    told = workspace.root / "told.txt"
    script = workspace.root / "tell.sh"
    script.write_text(f"#!/bin/sh\ncat >> '{told}'\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    path = workspace.root / "draftctl.yaml"
    path.write_text(path.read_text() + f"notify:\n  command: {script}\n{text}")
    return told


def test_a_run_that_fails_is_told_once_and_so_is_the_next_that_goes_well(workspace: Workspace) -> None:
    told = notifying(workspace, "")
    workspace.git("add", "-A")
    workspace.git("commit", "-qm", "settings")
    workspace.commit("pastebin/notes.yaml", "notes: [\n")
    for _ in range(3):
        assert workspace.run("run").returncode == 2
    assert told.read_text().count("a run failed (exit code 2)") == 1
    workspace.git("revert", "--no-edit", "HEAD")
    workspace.ok("run")
    assert told.read_text().count("runs again") == 1
    assert stat.S_IMODE(workspace.database.with_name("draftctl.db.runs.json").stat().st_mode) == 0o600


def test_watch_says_when_runs_stay_away(workspace: Workspace) -> None:
    told = notifying(workspace, "")
    assert workspace.json("watch", code=1)["ok"] is False
    assert workspace.run("watch").returncode == 1
    assert told.read_text().count("no run has ended well yet") == 1
    workspace.ok("run")
    assert workspace.json("watch") == {"ok": True, "why": None}


def test_a_notice_that_nobody_takes_is_said_on_stderr(workspace: Workspace) -> None:
    path = workspace.root / "draftctl.yaml"
    path.write_text(path.read_text() + "notify:\n  command: /nonexistent/mail\n  url: http://127.0.0.1:9/x\n")
    done = workspace.run("watch")
    assert done.stderr.count("no run has ended well yet") == 2
    assert "notify.command" in done.stderr
    assert "notify.url" in done.stderr


def test_when_a_trouble_is_told() -> None:
    runs, said = ended(Runs(), now=0, exit_code=1, why="x", after_s=3600)
    assert said == "draftctl: a run failed (exit code 1): x"
    runs, said = ended(runs, now=60, exit_code=1, why="x", after_s=3600)
    assert said is None
    runs, said = ended(runs, now=3700, exit_code=4, why="y", after_s=3600)
    assert "exit code 4" in (said or "")
    runs, said = ended(runs, now=3760, exit_code=3, why="", after_s=3600)
    assert said == "draftctl runs again, after 63 min."
    assert ended(runs, now=3820, exit_code=0, why="", after_s=3600)[1] is None
    assert away(runs, now=3900, after_s=3600)[1] is None
    runs, said = away(runs, now=9000, after_s=3600)
    assert "for 87 min" in (said or "")
    assert away(runs, now=9100, after_s=3600)[1] is None


def test_an_alert_reaches_the_webhook_with_ids_alone_and_again_until_it_is_heard(workspace: Workspace) -> None:
    path = workspace.root / "draftctl.yaml"
    with Receiver() as receiver:
        text = path.read_text()
        path.write_text(text + "alerts:\n  webhook: http://127.0.0.1:9/x\n")
        done = workspace.run("run", "-i", "-", stdin=raw("a", "im 16", person_id="p") + raw("b", "he took my passport"))
        assert done.stderr.count("alerts.webhook did not take") == 1
        path.write_text(text + f"alerts:\n  webhook: {receiver.url}\n")
        workspace.ok("run")
        workspace.ok("run", "-i", "-", stdin=raw("c", "i want to die", person_id="q"))
        workspace.ok("run")
    assert receiver.alerts == [
        {"gate": "minor", "candidate_id": "a", "person_id": "p"},
        {"gate": "coercion", "candidate_id": "b", "person_id": "t-b"},
        {"gate": "self_harm", "candidate_id": "c", "person_id": "q"},
    ]


# -- what is kept ---------------------------------------------------------------------------------------------------------------------------


def test_forget_leaves_nothing_of_a_thread_that_was_put_together(workspace: Workspace) -> None:
    secret, fact = "zebrafish-lantern", "Quillon"
    lines = raw("a", f"good evening, i'm {fact}. {secret}", thread="t", person_id="p") + raw(
        "b", "and friday?", thread="t", person_id="p"
    )
    with Receiver() as receiver:
        workspace.ok("run", "-i", "-", stdin=lines, MACSYNC_URL=receiver.url)
        workspace.ok("correct", "b", "--verdict", "approved")
        workspace.ok("run", MACSYNC_URL=receiver.url)
        assert len(receiver.arrived) == 1
    connection = open_database(workspace.database)
    connection.execute("UPDATE outbox SET answer = ?", (f"201 echo {secret}",))
    connection.close()
    before = workspace.database.read_bytes()
    assert secret.encode() in before
    assert fact.encode() in before
    backup = Path(workspace.json("backup")["path"])
    told = workspace.json("forget", "p", "--yes")
    assert told["backups"] == [str(backup)], "older copies are named"
    for path in workspace.database.parent.iterdir():
        if path.is_file():
            content = path.read_bytes()
            assert secret.encode() not in content, path
            assert fact.encode() not in content, path
    fresh = Path(workspace.json("backup")["path"])
    assert fact.encode() not in fresh.read_bytes()
    assert workspace.json("audit", "verify")["ok"]
    assert workspace.run("why", "b").returncode == 0


def test_nothing_of_a_message_is_in_what_a_run_says(workspace: Workspace) -> None:
    words = "zebrafish-lantern"
    path = workspace.root / "draftctl.yaml"
    path.write_text(path.read_text() + "inference:\n  tries: 1\n")
    (workspace.root / "in.jsonl").write_text(
        raw("a", f"im 16 {words}")
        + raw("b", words)
        + raw("c", f"{{{{ {words} }}}}")
        + f'{{"id": "d", "x": "{words}"}}\n'
    )
    done = workspace.run("--debug", "run", "-i", "in.jsonl", "--engine", BUILD, GPU_INFERENCE_URL="http://127.0.0.1:9")
    assert words not in done.stdout + done.stderr
