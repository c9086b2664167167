"""Who is not written to, what waits for a person, and what leaves: through the real command line."""

import json
import stat

import pytest

from tests.conftest import Workspace, line


def drafted(workspace: Workspace, *lines: str) -> dict[str, object]:
    value: dict[str, object] = workspace.json("draft", "--batch", "-i", "-", stdin="".join(lines))
    return value


def test_a_flagged_person_stays_flagged_in_a_new_thread_until_a_person_clears_it(workspace: Workspace) -> None:
    done = workspace.run("draft", "--batch", "-i", "-", stdin=line("a", "im 16", thread="t1", person_id="p"))
    assert "ALERT minor: candidate a, person p" in done.stderr
    assert "16" not in done.stderr
    assert drafted(workspace, line("b", "hello", thread="t2", person_id="p"))["holds"] == {"person_flagged": 1}
    assert workspace.json("status")["alerts"] == 1
    assert workspace.json("alerts")["alerts"][0]["person_id"] == "p"
    assert "them: im 16" in workspace.ok("alerts"), "a person who asks sees the message"
    workspace.ok("alerts", "clear", "1", "--by", "Ana", "--reason", "a joke, she is 34")
    assert workspace.json("draft", "--batch")["drafted"] == 1, "the other thread goes on by itself"
    assert workspace.one("SELECT hold_reason FROM candidates WHERE id = 'a'") == "gate:minor", (
        "this one only on purpose"
    )
    workspace.ok("requeue", "a")
    assert workspace.json("draft", "--batch")["drafted"] == 1


def test_an_alert_in_one_thread_stops_what_is_drafted_and_approved_in_another(workspace: Workspace) -> None:
    drafted(workspace, line("a", thread="t1", person_id="p"), line("b", thread="t2", person_id="p"))
    workspace.ok("correct", "a", "--verdict", "approved")
    drafted(workspace, line("c", "he keeps my passport", thread="t3", person_id="p"))
    assert {r["hold_reason"] for r in workspace.rows("SELECT hold_reason FROM candidates")} == {
        "person_flagged",
        "gate:coercion",
    }
    assert workspace.json("dispatch", "--to", "file:out.jsonl")["sent"] == 0
    assert workspace.run("correct", "b", "--verdict", "approved").returncode == 2
    assert not (workspace.root / "out.jsonl").exists()


def test_a_stop_word_suppresses_for_ever_and_a_phrase_holds(workspace: Workspace) -> None:
    value = drafted(
        workspace, line("a", "STOP", thread="t1", person_id="p"), line("b", "please dont text me again", thread="t9")
    )
    assert value["holds"] == {"gate:opt_out": 2}
    assert drafted(workspace, line("c", "hi again", thread="t2", person_id="p"))["holds"] == {"opted_out": 1}
    assert workspace.json("suppressions")["suppressions"][0]["person_id"] == "p"
    assert drafted(workspace, line("d", "i want to die", thread="t3", person_id="p"))["holds"] == {
        "gate:self_harm": 1
    }, "danger comes first"
    workspace.ok("alerts", "clear", "1", "--by", "Ana", "--reason", "called")
    workspace.ok("unsuppress", "p", "--by", "Ana", "--reason", "wrote and asked")
    assert workspace.json("draft", "--batch")["drafted"] == 1


def test_an_old_stop_before_our_last_message_does_not_count(workspace: Workspace) -> None:
    messages = [
        {"role": "prospect", "text": "stop it"},
        {"role": "quinn", "text": "Forgive me."},
        {"role": "prospect", "text": "no worries, friday?"},
    ]
    assert drafted(workspace, line("a", messages=messages))["drafted"] == 1


def test_identity_and_mode_hold_wait_for_a_person_without_an_alert(workspace: Workspace) -> None:
    value = drafted(workspace, line("a", "are you a bot?"), line("b", mode="hold"))
    assert value["holds"] == {"gate:identity": 1, "mode_hold": 1}
    assert workspace.json("alerts")["alerts"] == []


def test_the_body_gates_stop_a_note_that_breaks_the_rule(workspace: Workspace) -> None:
    workspace.commit(
        "pastebin/notes.yaml",
        'notes:\n  "①": {name: greeting, text: "It is $300 an hour."}\n  "②": {name: long, text: "'
        + "word and " * 90
        + '"}\n',
    )
    assert drafted(workspace, line("a"), line("b", key="②"))["holds"] == {"gate:price": 1, "over_length": 1}
    assert (
        workspace.ok("pastebin", "lint", code=2).count("E-")
        == 2 + workspace.ok("pastebin", "lint", code=2).count("E-GATE") - 1
    )
    assert workspace.rows("SELECT body FROM drafts WHERE body IS NOT NULL") == []


def test_an_atom_cannot_carry_a_price_or_a_template_into_a_reply(workspace: Workspace) -> None:
    value = drafted(
        workspace,
        line("a", atoms={"name": "$300"}),
        line("b", atoms={"name": "{{ 7*7 }}"}),
        line("c", atoms={"name": "  "}),
        line("d", atoms={"name": ["x"]}),
    )
    assert value["holds"] == {"gate:placeholder": 1, "gate:price": 1}
    assert "49" not in json.dumps(workspace.rows("SELECT body FROM drafts"))


def test_approve_edit_reject_and_what_leaves(workspace: Workspace) -> None:
    drafted(workspace, *(line(c) for c in "abcde"))
    workspace.ok("correct", "a", "--verdict", "approved")
    workspace.ok("correct", "b", "--verdict", "edited", "--body", "Hello you. Which day?")
    workspace.ok("correct", "c", "--verdict", "rejected", "--tag", "tone", "--note", "too stiff")
    priced = workspace.run("correct", "d", "--verdict", "edited", "--body", "It is $300.")
    assert priced.returncode == 1
    assert "gate:price" in priced.stderr
    assert workspace.one("SELECT body FROM prospect_corrections WHERE stopped_by IS NOT NULL") == "It is $300.", (
        "the text is not lost"
    )
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == {"sent": 2, "held": 0, "unknown": 0, "skipped": 0}
    sent = [json.loads(text) for text in (workspace.root / "out.jsonl").read_text().splitlines()]
    assert [(s["candidate_id"], s["text"][:10]) for s in sent] == [("a", "Hello, and"), ("b", "Hello you.")]
    assert set(sent[0]) == {"key", "candidate_id", "draft_id", "thread_id", "text"}
    assert stat.S_IMODE((workspace.root / "out.jsonl").stat().st_mode) == 0o600
    assert workspace.json("dispatch", "--to", "file:out.jsonl")["sent"] == 0
    assert workspace.run("correct", "a", "--verdict", "rejected").returncode == 2, "it has left"
    assert workspace.run("correct", "c", "--verdict", "approved").returncode == 2
    workspace.ok("correct", "c", "--verdict", "approved", "--override", "--note", "it is fine after all")
    workspace.ok("correct", "e", "--verdict", "approved")
    workspace.ok("correct", "e", "--verdict", "rejected")
    assert workspace.json("dispatch", "--to", "file:out.jsonl")["sent"] == 1, "the last verdict counts"
    assert workspace.json("audit", "verify")["ok"]


def test_a_newer_message_makes_a_draft_stale(workspace: Workspace) -> None:
    drafted(workspace, line("a", thread="t", received_at="2026-11-24T10:00:00Z"), line("b", thread="u"))
    workspace.ok("correct", "a", "--verdict", "approved")
    workspace.ok("ingest", "-", stdin=line("a2", "one more thing", thread="t", received_at="2026-11-24T10:05:00Z"))
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == {"sent": 0, "held": 1, "unknown": 0, "skipped": 0}
    assert workspace.one("SELECT hold_reason FROM candidates WHERE id = 'a'") == "stale"
    assert "stale" in workspace.run("correct", "a", "--verdict", "approved").stderr


@pytest.mark.parametrize(
    "persona", ["{name: Quinn}", "{name: Q, consented_by: A, consented_at: 2026-01-01, review_by: 2026-02-01}"]
)
def test_nothing_is_sent_without_consent(workspace: Workspace, persona: str) -> None:
    (workspace.root / "draftctl.yaml").write_text(f"persona: {persona}\n")
    drafted(workspace, line("a"))
    workspace.ok("correct", "a", "--verdict", "approved")
    done = workspace.run("dispatch", "--to", "file:out.jsonl", "--json")
    assert json.loads(done.stdout) == {"sent": 0, "held": 1, "unknown": 0, "skipped": 0}
    assert "no_consent" in done.stderr
    assert workspace.one("SELECT reason FROM decisions WHERE kind = 'dispatch'") == "no_consent"


def test_suppressing_by_hand_voids_what_is_approved_and_pause_stops_sending(workspace: Workspace) -> None:
    drafted(workspace, line("a", thread="t1", person_id="p"), line("b"))
    workspace.ok("correct", "a", "--verdict", "approved")
    workspace.ok("correct", "b", "--verdict", "approved")
    workspace.ok("suppress", "p", "--reason", "asked by phone")
    workspace.ok("pause", "--reason", "wait")
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == {"sent": 0, "held": 0, "unknown": 0, "skipped": 1}
    workspace.ok("resume", "--by", "Ana")
    assert workspace.json("dispatch", "--to", "file:out.jsonl") == {"sent": 1, "held": 0, "unknown": 0, "skipped": 0}


def test_nobody_is_drafted_who_has_not_written(workspace: Workspace) -> None:
    quiet = '{"id":"q","thread_id":"t","template_key":"①","messages":[{"role":"quinn","text":"hello?"},{"role":"prospect","text":"  "}]}\n'
    assert workspace.json("draft", "--batch", "-i", "-", stdin=quiet, code=3)["drafted"] == 0


def test_engine_use_is_audited_and_goes_back(workspace: Workspace) -> None:
    engine = "do-gpu-mistral-nemo-12b-uncensored_2026-08-01.1"
    workspace.commit(
        f"engines/{engine}.yaml", f'id: {engine}\nbase: {{repo: a/b, revision: "{"0" * 40}"}}\nstatus: live\n'
    )
    assert workspace.run("engine", "use", engine).returncode == 2
    workspace.ok("engine", "use", engine, "--force", "--reason", "trial", "--by", "Ana")
    active = {row["id"]: row["active"] for row in workspace.json("engine", "list")["engines"]}
    assert active["template"] is False
    assert active[engine] is True
    assert drafted_code(workspace) == 4
    workspace.ok("engine", "use", "--back")
    assert workspace.json("engine", "show")["id"] == "template"
    assert workspace.rows("SELECT actor, subject FROM audit WHERE kind = 'engine' ORDER BY seq")[0] == {
        "actor": "Ana",
        "subject": engine,
    }


def drafted_code(workspace: Workspace) -> int:
    return workspace.run("draft", "--batch", "-i", "-", stdin=line("x")).returncode
