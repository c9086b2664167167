"""A batch through the real command line: an inbox in, drafts and holds out, every row traceable."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Workspace, line


def test_the_sample_inbox_ends_drafted_or_held_and_again_changes_nothing(workspace: Workspace) -> None:
    first = workspace.json("draft", "--batch", "-i", "examples/inbox.jsonl")
    lines = (workspace.root / "examples" / "inbox.jsonl").read_text().count("\n")
    assert first["ingested"] == lines == first["claimed"] == first["drafted"] + first["held"]
    assert sum(first["holds"].values()) == first["held"] > 5
    assert first["drafted"] > 20
    before = (
        workspace.rows("SELECT id, status, hold_reason, attempts FROM candidates"),
        workspace.one("SELECT count(*) FROM drafts"),
    )
    again = workspace.json("draft", "--batch", "-i", "examples/inbox.jsonl")
    assert (again["ingested"], again["duplicates"], again["claimed"]) == (0, lines, 0)
    assert before == (
        workspace.rows("SELECT id, status, hold_reason, attempts FROM candidates"),
        workspace.one("SELECT count(*) FROM drafts"),
    )
    assert workspace.json("audit", "verify")["ok"]


def test_every_draft_says_where_it_comes_from(workspace: Workspace) -> None:
    workspace.json("draft", "--batch", "-i", "-", stdin=line("a", key="①", atoms={"name": "Ben"}))
    shown = workspace.json("show", "a", "--prompt")
    draft, step = shown["draft"], shown["steps"][0]
    assert draft["engine_id"] == draft["engine_served"] == "template"
    assert draft["git_commit"] == workspace.git("rev-parse", "HEAD").strip()
    assert draft["git_state"] == "clean"
    assert "Ben" in draft["body"] == step["messages"][0]["content"]
    assert shown["prompt_verified"] is True
    assert [d["kind"] for d in shown["decisions"]] == ["gate", "gate", "draft"]
    members = json.loads(workspace.one("SELECT members FROM bundles WHERE bundle_hash = ?", draft["bundle_hash"]))
    assert {"note", "renderer", "gates", "pattern"} == {kind for kind, _, _ in members}


def test_a_prompt_is_rebuilt_after_the_note_was_changed_and_the_repository_deleted(workspace: Workspace) -> None:
    workspace.json("draft", "--batch", "-i", "-", stdin=line("a"))
    before = workspace.json("show", "a", "--prompt")["steps"]
    workspace.commit("pastebin/notes.yaml", 'notes:\n  "①": {name: greeting, text: "Changed."}\n')
    subprocess.run(["rm", "-rf", ".git", "pastebin"], cwd=workspace.root, check=True)
    assert workspace.json("show", "a", "--prompt")["steps"] == before


def test_an_unsaved_edit_changes_nothing_until_it_is_committed(workspace: Workspace) -> None:
    notes = workspace.root / "pastebin" / "notes.yaml"
    notes.write_text(notes.read_text().replace("Hello", "Good day"))
    done = workspace.run("draft", "--batch", "-i", "-", stdin=line("a"))
    assert "pastebin/notes.yaml" in done.stderr
    assert workspace.json("show", "a")["draft"]["body"].startswith("Hello")
    workspace.json("draft", "--batch", "--allow-dirty", "-i", "-", stdin=line("b"))
    dirty = workspace.json("show", "b")["draft"]
    assert dirty["body"].startswith("Good day")
    assert dirty["git_state"] == "dirty"


def test_outside_git_template_drafts_with_state_unknown(workspace: Workspace) -> None:
    subprocess.run(["rm", "-rf", ".git"], cwd=workspace.root, check=True)
    assert workspace.json("draft", "--batch", "-i", "-", stdin=line("a"))["drafted"] == 1
    assert workspace.json("show", "a")["draft"]["git_state"] == "unknown"


def test_bad_lines_are_kept_with_place_reason_and_text(workspace: Workspace) -> None:
    good = line("a") + line("b")
    bad = [
        b"not json\n", b"[1]\n", b"\xff\xfe\n", b"\n", line("a", "other content").encode(), b'{"id": "x"}\n',
        line("z1", mode="loud").encode(), line("z2", received_at="2026-11-24T10:00:00").encode(), line("z3", colour="red").encode(),
        b'{"id":"q","thread_id":"t","messages":[{"role":"quinn","text":"hi"}]}\n', line("z4", "x" * 70_000).encode(),
        b'{"id":"q","id":"q","thread_id":"t","messages":[{"role":"prospect","text":"hi"}]}\n', b'{"id":"q","atoms":{"a":NaN}}\n',
        ("[" * 30_000 + "\n").encode(),
    ]  # fmt: skip
    value = workspace.json("ingest", "-", stdin=good.encode() + b"".join(bad) + line("c").rstrip("\n").encode(), code=3)
    assert value == {"ingested": 3, "duplicates": 0, "rejected": len(bad)}
    rows = workspace.rows("SELECT line, reason, text FROM rejects ORDER BY line")
    assert [row["line"] for row in rows] == list(range(3, 3 + len(bad)))
    assert all(row["reason"] for row in rows)
    assert rows[0]["text"] == "not json"
    assert len(rows[10]["text"]) > 70_000
    workspace.json("ingest", "-", stdin=b"not json\n", code=3)
    assert workspace.one("SELECT count(*) FROM rejects WHERE text = 'not json'") == 2
    assert "not JSON" in workspace.ok("rejects")


def test_a_reordered_line_is_a_duplicate_and_windows_ends_are_fine(workspace: Workspace) -> None:
    value = json.loads(line("a"))
    turned = json.dumps(dict(reversed(value.items()))).replace("template_key", "templateKey")
    stdin = b"\xef\xbb\xbf" + line("a").replace("\n", "\r\n").encode() + turned.encode() + b"\r\n"
    assert workspace.json("ingest", "-", stdin=stdin) == {"ingested": 1, "duplicates": 1, "rejected": 0}


def test_a_bad_note_is_shown_with_caret_and_the_input_is_not_lost(workspace: Workspace) -> None:
    workspace.commit("pastebin/notes.yaml", 'notes:\n  "①": {nam: hi, text: "Hello {{ name"}\n  "②": {name: b}\n')
    done = workspace.run("draft", "--batch", "-i", "-", stdin=line("a"))
    assert done.returncode == 2
    assert "pastebin/notes.yaml:2:9: unknown key 'nam'; did you mean 'name'? [E-KEY]" in done.stderr
    assert "pastebin/notes.yaml:3:8: 'text' is missing" in done.stderr
    assert "^" in done.stderr
    assert workspace.rows("SELECT id, status FROM candidates") == [{"id": "a", "status": "waiting"}]


@pytest.mark.parametrize("text", ["persona: {nam: Q}\n", "persona: [\n", "batch: {time_budget: 90}\n"])
def test_bad_settings_are_told_and_the_input_is_not_lost(workspace: Workspace, text: str) -> None:
    (workspace.root / "draftctl.yaml").write_text(text)
    done = workspace.run("draft", "--batch", "-i", "-", stdin=line("a"))
    assert done.returncode == 2
    assert done.stderr.startswith("draftctl.yaml:1:")
    assert workspace.one("SELECT count(*) FROM candidates") == 1


def test_a_bad_manifest_is_shown_and_a_build_without_a_server_holds_at_no_cost(workspace: Workspace) -> None:
    engine = "do-gpu-mistral-nemo-12b-uncensored_2026-08-01.1"
    workspace.commit(f"engines/{engine}.yaml", f"id: {engine}\nbase: {{repo: a/b, revision: abc}}\n")
    done = workspace.run("draft", "--batch", "--engine", engine, "-i", "-", stdin=line("a"))
    assert done.returncode == 2
    assert f"engines/{engine}.yaml:2:" in done.stderr
    workspace.commit(f"engines/{engine}.yaml", f'id: {engine}\nbase: {{repo: a/b, revision: "{"0" * 40}"}}\n')
    for _ in range(3):
        value = workspace.json("draft", "--batch", "--engine", engine, code=4)
        assert value["holds"] == {"engine_unavailable": 1}
    assert workspace.one("SELECT attempts FROM candidates") == 0
    assert workspace.json("draft", "--batch")["drafted"] == 1


@pytest.mark.parametrize(
    "engine",
    ["gpt", "do-gpu-x_2026-02-30.1", "do-gpu-X_2026-01-01.1", "do-gpu-x_2026-01-01.0", "do-gpu-none_2026-01-01.1"],
)
def test_a_wrong_engine_is_refused(workspace: Workspace, engine: str) -> None:
    done = workspace.run("draft", "--batch", "--engine", engine)
    assert done.returncode == 2
    assert ".gitkeep" not in done.stderr


def test_configuration_holds_reopen_when_the_commit_changes(workspace: Workspace) -> None:
    value = workspace.json(
        "draft", "--batch", "-i", "-", stdin=line("a", key="hush") + line("b", key="⑥") + line("c", key=None)
    )
    assert value["holds"] == {"missing_atom": 1, "missing_note": 1, "unclassified": 1}
    assert workspace.json("draft", "--batch")["claimed"] == 0
    notes = (
        (workspace.root / "pastebin" / "notes.yaml")
        .read_text()
        .replace("aliases:", '  "⑳": {name: hush, text: "Quiet evening."}\naliases:')
    )
    workspace.commit("pastebin/notes.yaml", notes.replace("{{ day }} at {{ time }} would", "Saturday would"))
    assert workspace.json("draft", "--batch")["drafted"] == 2
    workspace.ok("classify", "c", "--archetype", "courteous", "--key", "17")
    assert workspace.json("draft", "--batch")["drafted"] == 1
    assert workspace.json("show", "c")["draft"]["template_key"] == "⑰"


def test_classify_says_what_is_allowed(workspace: Workspace) -> None:
    workspace.ok("ingest", "-", stdin=line("c", key=None))
    done = workspace.run("classify", "c", "--archetype", "courtious")
    assert done.returncode == 2
    assert "did you mean 'courteous'" in done.stderr
    done = workspace.run("classify", "c", "--key", "❶")
    assert "U+2776" in done.stderr
    assert "① (U+2460 CIRCLED DIGIT ONE)" in done.stderr


def test_a_dry_run_decides_everything_and_writes_nothing(workspace: Workspace) -> None:
    workspace.ok("ingest", "-", stdin=line("a"))
    value = workspace.json("draft", "--batch", "--dry-run", "-i", "-", stdin=line("b") + line("c", "im 16"))
    assert (value["drafted"], value["holds"], value["dry_run"]) == (2, {"gate:minor": 1}, True)
    assert workspace.rows("SELECT id, status FROM candidates") == [{"id": "a", "status": "waiting"}]


def test_limit_and_one_candidate_and_again(workspace: Workspace) -> None:
    value = workspace.json("draft", "--batch", "--limit", "2", "-i", "-", stdin="".join(line(c) for c in "abcd"))
    assert (value["claimed"], value["stopped"], value["waiting"]) == (2, "limit", 2)
    first = workspace.json("draft", "d")["draft"]["id"]
    assert workspace.json("draft", "d")["draft"]["id"] == first
    assert workspace.json("draft", "d", "--again")["draft"]["id"] != first
    assert workspace.one("SELECT count(*) FROM drafts WHERE candidate_id = 'd'") == 2
    assert workspace.run("draft").returncode == 2
    assert workspace.run("draft", "nobody").returncode == 2


def test_of_two_runs_one_leaves_with_75_and_its_input_is_taken(workspace: Workspace) -> None:
    workspace.ok("ingest", "-", stdin="".join(line(f"m{n}", "hello there " * 20) for n in range(700)))
    running = workspace.start("draft", "--batch")
    deadline = time.monotonic() + 20
    while not workspace.rows("SELECT 1 FROM runs") and time.monotonic() < deadline:
        time.sleep(0.02)
    codes: list[int] = []
    while running.poll() is None and time.monotonic() < deadline:
        done = workspace.run("draft", "--batch", "-i", "-", stdin=line(f"extra{len(codes)}"))
        codes.append(done.returncode)
        assert done.returncode in (0, 75)
        assert done.returncode == 0 or done.stderr == "", "cron must not be mailed"
    running.communicate()
    assert running.returncode == 0
    assert 75 in codes
    workspace.ok("draft", "--batch")
    assert workspace.rows("SELECT status, count(*) AS n FROM candidates GROUP BY 1") == [
        {"status": "drafted", "n": 700 + len(codes)}
    ]


def test_pause_stops_a_running_batch_within_a_second_and_resume_goes_on(workspace: Workspace) -> None:
    workspace.ok("ingest", "-", stdin="".join(line(f"m{n}", "hello there " * 20) for n in range(1600)))
    running = workspace.start("draft", "--batch", "--json")
    while workspace.one("SELECT count(*) FROM drafts") == 0:
        time.sleep(0.02)
    workspace.ok("pause", "--reason", "checking")
    paused_at = time.monotonic()
    out, _ = running.communicate(timeout=20)
    took = time.monotonic() - paused_at
    value = json.loads(out)
    assert value["stopped"] == "paused"
    assert took < 1.5, "one second, and the interpreter's own end"
    assert running.returncode == 0
    assert workspace.one("SELECT count(*) FROM candidates WHERE status = 'drafting'") == 0
    quiet = workspace.run("draft", "--batch", "-i", "-", stdin=line("late"))
    assert quiet.returncode == 0
    assert "checking" in quiet.stderr
    assert workspace.one("SELECT status FROM candidates WHERE id = 'late'") == "waiting"
    workspace.ok("resume", "--by", "Ana")
    workspace.ok("draft", "--batch")
    assert workspace.one("SELECT count(*) FROM candidates WHERE status = 'drafted'") == 1601


def test_interrupt_stops_cleanly_and_says_what_is_left(workspace: Workspace) -> None:
    workspace.ok("ingest", "-", stdin="".join(line(f"m{n}", "hello there " * 20) for n in range(1200)))
    running = workspace.start("draft", "--batch")
    while workspace.one("SELECT count(*) FROM drafts") == 0:
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(2)
    out, err = running.communicate(timeout=20)
    assert running.returncode == 1
    assert b"still wait" in out
    assert b"Traceback" not in err
    assert workspace.one("SELECT count(*) FROM candidates WHERE status = 'drafting'") == 0
    assert workspace.json("audit", "verify")["ok"]


def test_no_command_shows_a_traceback_for_a_wrong_file_or_place(workspace: Workspace) -> None:
    for arguments in (
        ("draft", "--batch", "-i", "nowhere.jsonl"), ("draft", "--batch", "-i", "."), ("ingest", "pastebin"), ("show", "x"), ("correct", "x", "--verdict", "approved"),
        ("alerts", "clear", "9", "--by", "a", "--reason", "b"), ("engine", "show", "nope"), ("pastebin", "show", "zzz"), ("unsuppress", "p", "--by", "a", "--reason", "b"),
        ("engine", "use"), ("engine", "use", "--back"), ("dispatch", "--to", "nowhere"), ("requeue",), ("init", "."), ("--workspace", "/nonexistent", "status"),
    ):  # fmt: skip
        done = workspace.run(*arguments)
        assert done.returncode == 2, arguments
        assert done.stderr.strip(), arguments


def test_the_repository_itself_is_a_workspace_with_a_clean_pastebin() -> None:
    assert Workspace(REPOSITORY).ok("pastebin", "lint").strip() == "All is well."


def test_the_smallest_workspace_of_the_contract_works(tmp_path: Path) -> None:
    small = Workspace(tmp_path)
    (tmp_path / "draftctl.yaml").write_text("")
    small.git("init", "-q")
    small.commit(
        "pastebin/notes.yaml",
        'notes:\n  "①": {name: thanks, text: "Thank you for writing, {{ name }}. Which day did you have in mind?"}\naliases: {"⓱": "⑰"}\n',
    )
    small.commit("workflows/vocab.yaml", "archetypes: [courteous, hesitant]\nstates: [new, screened]\n")
    engine = "do-gpu-tiny_2026-01-01.1"
    small.commit(
        f"engines/{engine}.yaml",
        f'id: {engine}\nbase: {{repo: example/tiny, revision: "0123456789abcdef0123456789abcdef01234567"}}\nstatus: live\n',
    )
    value = small.json(
        "draft", "--batch", "-i", "-", stdin=line("a", key="thanks", atoms={"name": "Ben"}) + line("b", key="①")
    )
    assert (value["drafted"], value["holds"]) == (1, {"missing_atom": 1})
    assert small.json("show", "a")["draft"]["body"] == "Thank you for writing, Ben. Which day did you have in mind?"
    assert "W-ALIAS" in small.ok("pastebin", "lint")
    assert small.json("engine", "show", engine)["manifest"]["status"] == "live"
