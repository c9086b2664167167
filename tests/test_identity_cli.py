"""Which workflow made a draft stays true: after edits, branches, amended commits, without the repository; and no version means two things."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from draftctl.store import standing, views
from draftctl.store.db import open_database
from tests.conftest import BUILD, Workspace, line
from tests.played_server import PlayedServer

FIRST = "workflows/first-reply.yaml"


@pytest.fixture
def server() -> Iterator[PlayedServer]:
    with PlayedServer(BUILD) as played:
        yield played


def friday(id_: str, **more: Any) -> str:
    return line(id_, **{"archetype": "courteous", "state": "new", **more})


def draft(workspace: Workspace, server: PlayedServer, *arguments: str, stdin: str = "", code: int = 0) -> Any:
    takes = ("-i", "-") if stdin else ()
    return workspace.json(
        "draft", "--batch", "--engine", BUILD, *takes, *arguments, stdin=stdin, code=code, GPU_INFERENCE_URL=server.url
    )


def edit(workspace: Workspace, old: str, new: str, path: str = FIRST) -> None:
    file = workspace.root / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_any_drafts_prompt_is_rebuilt_byte_for_byte_whatever_became_of_the_files(
    workspace: Workspace, server: PlayedServer
) -> None:
    keys = ["greeting", "screening", "availability", "confirm", "boundary", "not-in-writing", "goodbye", "⓱"]
    lines = "".join(
        friday(f"c{n}", key=key, atoms={"name": "Ben", "day": "Friday", "time": "7"}) for n, key in enumerate(keys)
    )
    assert draft(workspace, server, stdin=lines)["drafted"] == len(keys)
    sent = {json.dumps(asked["messages"], sort_keys=True) for asked in server.asked}

    def rebuilt() -> set[str]:
        """Rebuild every prompt as `show --prompt` does; the command itself is asked for one of them."""
        assert workspace.json("show", "c0", "--prompt")["prompt_verified"] is True
        connection = open_database(workspace.database)
        try:
            wholes = [
                views.draft_whole(
                    connection,
                    standing.find_candidate(connection, f"c{n}"),
                    standing.find_draft(connection, f"c{n}"),
                    prompt=True,
                )
                for n in range(len(keys))
            ]
        finally:
            connection.close()
        return {json.dumps(step["messages"], sort_keys=True) for whole in wholes for step in whole["steps"]}

    assert rebuilt() == sent
    commit = workspace.git("rev-parse", "HEAD").strip()
    assert {row["git_commit"] for row in workspace.rows("SELECT git_commit FROM drafts")} == {commit}
    for path in ("pastebin/notes.yaml", "pastebin/voice.md", FIRST, f"engines/{BUILD}.yaml"):
        (workspace.root / path).write_text("now: another\n")
    assert rebuilt() == sent
    workspace.git("commit", "-qam", "other")
    workspace.git("checkout", "-qb", "elsewhere")
    assert rebuilt() == sent
    workspace.git("commit", "-q", "--amend", "-m", "amended")
    assert rebuilt() == sent
    shutil.rmtree(workspace.root / ".git")
    for folder in ("pastebin", "workflows", "engines"):
        shutil.rmtree(workspace.root / folder)
    assert rebuilt() == sent
    assert workspace.json("audit", "verify")["ok"] is True


def test_a_draft_carries_its_whole_identity(workspace: Workspace, server: PlayedServer) -> None:
    draft(workspace, server, stdin=friday("a"))
    row = workspace.rows("SELECT * FROM drafts")[0]
    shown = workspace.json("workflow", "show", "first-reply")
    assert (row["workflow_id"], row["workflow_version"], row["semantic_hash"]) == (
        "first-reply",
        "1",
        shown["semantic_hash"],
    )
    assert (row["engine_id"], row["engine_served"], row["git_state"]) == (BUILD, BUILD, "clean")
    members = json.loads(workspace.one("SELECT members FROM bundles WHERE bundle_hash = ?", row["bundle_hash"]))
    assert {kind for kind, _, _ in members} == {
        "workflow",
        "note",
        "text",
        "manifest",
        "persona",
        "renderer",
        "gates",
        "pattern",
    }
    assert all(workspace.one("SELECT count(*) FROM blobs WHERE sha256 = ?", sha) == 1 for _, _, sha in members)
    (workspace.root / "one.json").write_text(friday("a"))
    rendered = workspace.json("workflow", "render", "first-reply", "--candidate", "one.json")
    assert rendered["bundle_hash"] == row["bundle_hash"]
    steps = workspace.json("show", "a", "--prompt")["steps"]
    assert rendered["steps"][0]["prompt_hash"] == steps[0]["prompt_hash"]
    assert rendered["steps"][0]["messages"] == steps[0]["messages"]
    assert workspace.json("workflow", "show", "first-reply")["drafts"] == [
        {"version": "1", "engine_id": BUILD, "drafted": 1, "held": 0}
    ]


def test_a_changed_word_without_a_bump_is_refused_in_lint_and_at_run_time(
    workspace: Workspace, server: PlayedServer
) -> None:
    draft(workspace, server, stdin=friday("a"))
    edit(workspace, "what does this person want", "what does this person need")
    lint = workspace.run("workflow", "lint")
    assert lint.returncode == 2
    assert f"{FIRST}:3:10: first-reply version 1 stands in workflows/workflows.lock with other content" in lint.stdout
    against = workspace.json_lint("--against", "HEAD", code=2)
    assert {"E-VERSION-LOCK", "E-VERSION-REUSED"} <= {problem["rule"] for problem in against}
    workspace.git("commit", "-qam", "reworded")
    value = draft(workspace, server, stdin=friday("b"))
    assert value["holds"] == {"version_reused": 1}
    (workspace.root / "workflows/workflows.lock").write_text("")
    workspace.git("commit", "-qam", "no lock")
    done = workspace.run("draft", "--batch", "--engine", BUILD, GPU_INFERENCE_URL=server.url)
    assert "for 1 drafts" in done.stderr
    assert workspace.one("SELECT hold_reason FROM candidates WHERE id = 'b'") == "version_reused"
    assert "version 1 -> 2, locked" in workspace.ok("workflow", "bump", "first-reply")
    assert workspace.git("diff", "--stat", FIRST).count("|") == 1
    workspace.git("commit", "-qam", "bumped")
    assert draft(workspace, server)["drafted"] == 1
    assert workspace.one("SELECT workflow_version FROM drafts WHERE candidate_id = 'b' AND status = 'drafted'") == "2"


def test_a_comment_a_name_or_line_ends_are_no_change(workspace: Workspace, server: PlayedServer) -> None:
    draft(workspace, server, stdin=friday("a"))
    before = workspace.rows("SELECT semantic_hash, bundle_hash FROM drafts")
    edit(workspace, "name: First reply", "name: Another name  # and a comment")
    file = workspace.root / FIRST
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    workspace.git("commit", "-qam", "cosmetic")
    assert workspace.json_lint("--against", "HEAD~1") == []
    assert draft(workspace, server, stdin=friday("b"))["drafted"] == 1
    assert workspace.rows("SELECT DISTINCT semantic_hash, bundle_hash FROM drafts") == before


def test_an_unsaved_edit_changes_nothing_that_runs(workspace: Workspace, server: PlayedServer) -> None:
    edit(workspace, "what does this person want", "SAY SOMETHING ELSE")
    done = workspace.run(
        "draft", "--batch", "--engine", BUILD, "-i", "-", stdin=friday("a"), GPU_INFERENCE_URL=server.url
    )
    assert f"Not committed, so not used in this run: {FIRST}" in done.stderr
    assert "SAY SOMETHING ELSE" not in json.dumps(server.asked)
    assert workspace.one("SELECT git_state FROM drafts") == "clean"
    assert "SAY SOMETHING ELSE" in workspace.ok("workflow", "show", "first-reply")


def test_allow_dirty_reads_the_tree_and_says_so_of_the_drafts_that_read_the_edit(
    workspace: Workspace, server: PlayedServer
) -> None:
    edit(workspace, "version: 1", "version: trial")
    edit(workspace, "what does this person want", "SAY SOMETHING ELSE")
    draft(workspace, server, "--allow-dirty", stdin=friday("a") + friday("b", key="goodbye"))
    states = workspace.rows("SELECT candidate_id, workflow_version, git_state FROM drafts ORDER BY 1")
    assert states == [
        {"candidate_id": "a", "workflow_version": "trial", "git_state": "dirty"},
        {"candidate_id": "b", "workflow_version": "1", "git_state": "clean"},
    ]
    assert "SAY SOMETHING ELSE" in json.dumps(server.asked)


def test_outside_git_chains_hold_and_the_template_drafts(workspace: Workspace, server: PlayedServer) -> None:
    shutil.rmtree(workspace.root / ".git")
    assert draft(workspace, server, stdin=friday("a"))["holds"] == {"unversioned": 1}
    assert server.sent == 0
    assert draft(workspace, server, "--allow-dirty")["drafted"] == 1
    assert workspace.one("SELECT git_state FROM drafts WHERE status = 'drafted'") == "unknown"
    assert workspace.json("draft", "--batch", "-i", "-", stdin=friday("b"))["drafted"] == 1


def test_a_broken_file_holds_only_its_own_and_loudly_and_reopens_when_it_is_corrected(
    workspace: Workspace, server: PlayedServer
) -> None:
    draft(workspace, server, stdin=friday("a"))
    good = (workspace.root / FIRST).read_text()
    for broken in (good.replace("steps:", "stepz:"), "\tnot yaml at all: ["):
        workspace.commit(FIRST, broken)
        done = workspace.run(
            "draft",
            "--batch",
            "--engine",
            BUILD,
            "-i",
            "-",
            stdin=friday("b") + friday("c", key="goodbye"),
            GPU_INFERENCE_URL=server.url,
        )
        assert f"{FIRST}:" in done.stderr
        assert workspace.one("SELECT hold_reason FROM candidates WHERE id = 'b'") == "workflow_invalid"
        assert workspace.one("SELECT status FROM candidates WHERE id = 'c'") == "drafted"
    workspace.commit(FIRST, good)
    assert draft(workspace, server)["drafted"] == 1


def test_no_workflow_ambiguity_and_another_build_hold_with_their_reason(
    workspace: Workspace, server: PlayedServer
) -> None:
    twin = (workspace.root / FIRST).read_text().replace("id: first-reply", "id: twin")
    workspace.commit("workflows/twin.yaml", twin)
    assert draft(workspace, server, stdin=friday("a"))["holds"] == {"ambiguous_workflow": 1}
    assert "twin and others apply equally" in workspace.run("workflow", "lint").stdout
    assert workspace.json("workflow", "why", "--archetype", "courteous", "--state", "new", "--key", "1")[
        "reason"
    ].startswith("ambiguous")
    workspace.commit("workflows/twin.yaml", twin.replace("version: 1", "version: 1\npriority: 1"))
    assert draft(workspace, server)["drafted"] == 1
    assert workspace.one("SELECT workflow_id FROM drafts WHERE status = 'drafted'") == "twin"
    workspace.commit(
        "workflows/twin.yaml",
        twin.replace("version: 1", "version: 2\npriority: 1").replace("uncensored_*", "uncensored_2020-01-01.1"),
    )
    assert draft(workspace, server, stdin=friday("b"))["holds"] == {"engine_mismatch": 1}
    for path in (workspace.root / "workflows").glob("*.yaml"):
        if path.stem not in ("vocab", "goodbye"):
            path.unlink()
    workspace.git("commit", "-qam", "fewer")
    assert draft(workspace, server)["holds"] == {"no_workflow": 1}


def test_lint_reports_the_whole_workspace_in_json_with_places(workspace: Workspace) -> None:
    assert workspace.json_lint() == []
    (workspace.root / "workflows/partials/bad.j2").write_text("one\n{{ nobody }}\n")
    (workspace.root / f"engines/{BUILD}.yaml").write_text("id: x\n")
    (workspace.root / "draftctl.yaml").write_text("batch: {max_in_flight: many}\n")
    edit(workspace, "version: 1", "version: 9")
    found = workspace.json_lint(code=2)
    bad = [
        (p["line"], p["column"], p["rule"], p["severity"]) for p in found if p["path"] == "workflows/partials/bad.j2"
    ]
    assert bad == [(1, 1, "W-UNUSED", "warning"), (2, 4, "E-UNDEF", "error")]
    assert {p["path"] for p in found} >= {"draftctl.yaml", f"engines/{BUILD}.yaml", FIRST}
    assert found_at(found, FIRST)["rule"] == "W-LOCK"
    only = workspace.json_lint(FIRST)
    assert [p["rule"] for p in only] == ["W-LOCK"]
    assert workspace.run("workflow", "lint", FIRST, "--strict").returncode == 2
    assert workspace.run("workflow", "lint", "workflows/none.yaml").returncode == 2
    assert workspace.run("workflow", "lint", "--against", "nowhere").returncode == 2


def found_at(found: list[dict[str, Any]], path: str) -> dict[str, Any]:
    return next(problem for problem in found if problem["path"] == path)


def test_lock_and_bump_keep_everything_else(workspace: Workspace) -> None:
    assert "has every version already" in workspace.ok("workflow", "lock")
    edit(workspace, "<=320 chars", "<=300 chars")
    assert workspace.run("workflow", "lock").returncode == 2
    before = (workspace.root / FIRST).read_text()
    mode = os.stat(workspace.root / FIRST).st_mode  # noqa: PTH116
    workspace.ok("workflow", "bump", "first-reply")
    assert (workspace.root / FIRST).read_text() == before.replace("version: 1", "version: 2")
    assert os.stat(workspace.root / FIRST).st_mode == mode  # noqa: PTH116
    assert workspace.run("workflow", "bump", "first-reply", "--to", "1").returncode == 2
    workspace.ok("workflow", "bump", "first-reply", "--to", "spring")
    assert workspace.run("workflow", "bump", "first-reply").returncode == 2
    assert workspace.run("workflow", "bump", "nobody").returncode == 2
    assert workspace.json_lint() == []


def test_commands_read_well(workspace: Workspace) -> None:
    listed = workspace.ok("workflow", "list")
    assert "first-reply  version 1, think > think > draft" in listed
    why = workspace.ok("workflow", "why", "--archetype", "pushy", "--state", "new", "--key", "①")
    assert "first-reply: beaten by first-reply-firm" in why
    assert workspace.run("workflow", "why", "--archetype", "pushi", "--key", "1").returncode == 2
    (workspace.root / "one.json").write_text(friday("a"))
    assert "# Thread" in workspace.ok("workflow", "render", "first-reply", "--candidate", "one.json", "--step", "1")
    assert workspace.run("workflow", "render", "first-reply", "--candidate", "one.json", "--step", "9").returncode == 2
    assert workspace.run("workflow", "render", "first-reply", "--candidate", "none.json").returncode == 2
    Path(workspace.root / "one.json").write_text("{}")
    assert workspace.run("workflow", "render", "first-reply", "--candidate", "one.json").returncode == 2


def test_old_drafts_of_the_first_schema_still_verify(workspace: Workspace) -> None:
    workspace.ok("draft", "--batch", "-i", "-", stdin=friday("a"))
    assert workspace.json("show", "a", "--prompt")["prompt_verified"] is True
    workspace.rows("SELECT 1")
    row = workspace.rows("SELECT messages FROM draft_steps")[0]
    role, pieces = json.loads(row["messages"])[0]
    import sqlite3

    connection = sqlite3.connect(workspace.database)
    connection.execute("UPDATE draft_steps SET messages = ?", (json.dumps([[role, pieces[0]]]),))
    connection.commit()
    connection.close()
    assert workspace.json("show", "a", "--prompt")["prompt_verified"] is True
