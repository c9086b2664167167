"""Writing a workflow: new, matrix, diff, save, history, schema, tests and trials, as the person at the keyboard has them."""

import asyncio
import json
import os
import random
import subprocess
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from draftctl import control_tokens, prompt
from draftctl.canon import parse_canon
from draftctl.hostile import breaches, corpus
from draftctl.json_schemas import KINDS, schema_texts
from draftctl.lint import lint_workspace
from draftctl.loading import load_chains
from draftctl.manifest import parse_manifest
from draftctl.matrix import Matrix
from draftctl.routing import Entry, Grid
from draftctl.rule_cases import err_cases, ok_cases
from draftctl.rules import BY_ID, RULES
from draftctl.samples import cells_of, sample
from draftctl.starter import starter_folder
from draftctl.trial import Bench
from draftctl.vocab import Vocab, parse_vocab
from draftctl.workflow import MatchSet
from tests.conftest import BUILD, REPOSITORY, Workspace, line
from tests.played_server import PlayedServer, completion, step_of
from tests.test_workflows import shipped

FIRST = "workflows/first-reply.yaml"
SMALL = {path: content for path, content in ok_cases(BY_ID["W-LOCK"])[0].files.items() if not path.endswith(".lock")}


def edit(workspace: Workspace, path: str, old: str, new: str) -> None:
    text = (workspace.root / path).read_text()
    assert old in text
    (workspace.root / path).write_text(text.replace(old, new, 1))


# -- the grid -----------------------------------------------------------------------------------------------------------------------------

AXES = tuple(tuple(f"{letter}{n}" for n in range(size)) for letter, size in (("a", 5), ("s", 4), ("k", 7)))


def brute(rules: list[dict[str, Any]]) -> dict[tuple[str, ...], tuple[str, set[str]]]:
    """Decide every cell by the definition: list each workflow's cells, drop what a smaller set beats, then compare priorities."""
    extent = {
        r["id"]: {c for c in product(*AXES) if all(not s or w in s for w, s in zip(c, r["sets"], strict=True))}
        for r in rules
    }
    decided = {}
    for cell in product(*AXES):
        here = [r for r in rules if cell in extent[r["id"]]]
        left = [r for r in here if not any(_smaller(o, r) for o in here)]
        best = {r["id"] for r in left if r["priority"] == max(o["priority"] for o in left)}
        decided[cell] = ("gap" if not here else "winner" if len(best) == 1 else "ambiguous", best)
    return decided


def _smaller(one: dict[str, Any], other: dict[str, Any]) -> bool:
    within = all(not b or (a and set(a) <= set(b)) for a, b in zip(one["sets"], other["sets"], strict=True))
    return within and [set(s) for s in one["sets"]] != [set(s) for s in other["sets"]]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_the_matrix_is_what_the_definition_says_for_60_workflows_in_any_order(seed: int) -> None:
    rng = random.Random(seed)
    rules = [
        {
            "id": f"w{n}",
            "priority": rng.choice((0, 0, 0, 1)),
            "sets": [rng.sample(axis, rng.choice((0, 1, 1, 2, 3))) for axis in AXES],
        }
        for n in range(60)
    ]
    wanted = brute(rules)
    for shuffled in (rules, rng.sample(rules, len(rules))):
        entries = [
            Entry(id=r["id"], priority=r["priority"], applies=MatchSet(**{
                name: frozenset(words) or None for name, words in zip(("archetypes", "states", "template_keys"), r["sets"], strict=True)
            }))
            for r in shuffled
        ]  # fmt: skip
        grid = Grid.of(entries, *AXES)
        matrix = Matrix(grid=grid, notes={}, versions={}, broken=frozenset(), signs={})
        for cell, choice in grid.choices.items():
            found = {choice.winner.id} if choice.winner else {entry.id for entry in choice.tied}
            key = (str(cell.archetype), str(cell.state), str(cell.template_key))
            assert (matrix.state_of(choice), found) == wanted[key]


def test_the_matrix_is_a_table_a_value_and_a_page(workspace: Workspace) -> None:
    value = workspace.json("workflow", "matrix")
    assert len(value["cells"]) == 7 * 7 * 17
    assert value["counts"] == {"winner": 833, "gap": 0, "ambiguous": 0, "broken": 0}
    assert sum(row["wins"] for row in value["workflows"]) == 833
    text = (workspace.root / FIRST).read_text()
    (workspace.root / "workflows/twin.yaml").write_text(text.replace("id: first-reply", "id: twin"))
    (workspace.root / "workflows/any-reply.yaml").unlink()
    edit(workspace, "workflows/goodbye.yaml", "steps:", "stepz:")
    (workspace.root / "pastebin/notes.yaml").write_text(
        (workspace.root / "pastebin/notes.yaml")
        .read_text()
        .replace("name: thanks\n", "name: <script>alert(1)</script>\n")
    )
    counts = workspace.json("workflow", "matrix")["counts"]
    assert counts["gap"] > 0
    assert counts["ambiguous"] == 30
    assert counts["broken"] == 49
    table = workspace.ok("workflow", "matrix", "--html", "m.html") + workspace.ok("workflow", "matrix")
    assert "!  first-reply, twin: courteous x new x ① and 29 more" in table
    page = (workspace.root / "m.html").read_text()
    assert page.count("<td ") == 833
    assert page.count('class="ambiguous"') == 30
    assert page.count('class="broken"') == 49
    assert "<script>alert" not in page


# -- what lint says is right, renders --------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from([
    "reply", "{{ atoms.name }}", "{{ steps.tone }}", "{{ steps.when.day }}", "{% if steps.when.day %}a{% else %}b{% endif %}", '{{ pastebin["①"] }}',
    "{{ pastebin.greeting }}", "{{ thread.last }}", "{{ candidate.state }}", "{% include 'short.j2' %}", "{{ steps.when }}", "{{ 'a' ~ atoms.name }}",
    "{% for m in thread.messages %}{{ m.text }}{% endfor %}", "{{ atoms.day | default('one day') | title }}", "{{ atoms }}", "{{ thread.messages[0].text }}",
    "{% if atoms.age > 30 %}{{ steps.tone | upper }}{% endif %}", "{{ [1] | join(', ') }}", "{% if candidate.state == 'new' %}{{ atoms.x }}{% endif %}",
    "{{ steps.tone | length }}", "{{ steps.nope }}", "{{ candidate.sate }}", "{% endfor %}", "{{ 1 / 0 }}", "{{ thread.messages[3].text }}",
    "{{ candidate.state | round }}", "{% if atoms.x is odd %}o{% endif %}", "{{ candidate.archetype.x }}",
])  # fmt: skip
TEXTS = st.lists(PIECES, min_size=1, max_size=2).map(" ".join)
WHENS = st.sampled_from(
    [
        None,
        "steps.tone == 'warm'",
        "steps.when.day",
        "atoms.name is defined",
        "steps.later",
        "atoms.age > 3",
        "thread.last",
    ]
)


@settings(max_examples=120, deadline=None)
@given(
    TEXTS,
    TEXTS,
    WHENS,
    st.sampled_from([[], ["courteous"], ["rude", "hesitant"]]),
    st.sampled_from([[], ["①", "thanks"]]),
)
def test_what_lint_lets_pass_can_be_rendered_for_every_cell(
    think: str, draft: str, when: str | None, archetypes: list[str], keys: list[str]
) -> None:
    day = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"day": {"type": ["string", "null"], "maxLength": 9}},
    }
    steps: list[dict[str, Any]] = [
        {"choose": "how", "as": "tone", "options": ["warm", "brisk"]},
        {"extract": "the day", "as": "when", "schema": day},
        {"think": think, **({"when": when} if when else {})},
        {"draft": f"reply <=320 chars {draft}"},
    ]
    file = {
        "id": "hello", "name": "Hello", "version": 1, "appliesTo": {"archetypes": archetypes, "templateKeys": keys}, "steps": steps,
        "context": ["pastebin canon", "voice rules"], "engine": "do-gpu-tiny_*",
    }  # fmt: skip
    files = {**SMALL, "workflows/hello.yaml": yaml.safe_dump(file, allow_unicode=True).encode()}
    if any(
        p.path == "workflows/hello.yaml" and p.severity == "error" and p.rule != "E-AMBIG"
        for p in lint_workspace(files)
    ):
        event("refused")
        return
    event("rendered")
    canon, vocab = (
        parse_canon({p: c for p, c in files.items() if p.startswith("pastebin/")}),
        parse_vocab(files["workflows/vocab.yaml"]),
    )
    chains = load_chains(files, canon, vocab)
    path = "engines/do-gpu-tiny_2026-01-01.1.yaml"
    bench = Bench(canon=canon, partials=chains.partials, manifest=parse_manifest(files[path], path), persona="Quinn")
    workflow = chains.workflows["hello"]
    for cell in cells_of(workflow, canon, vocab):
        requests = bench.preview(workflow, sample(cell, workflow, canon, chains.partials))
        assert [one.verb for one in requests] == ["choose", "extract", "think", "draft"]


# -- new, schema ---------------------------------------------------------------------------------------------------------------------------


def test_a_new_workflow_lints_clean_and_is_for_one_situation(workspace: Workspace) -> None:
    said = workspace.ok("workflow", "new", "late", "--archetype", "regular", "--state", "booked", "--key", "8")
    assert "lints clean" in said
    assert [p["rule"] for p in workspace.json_lint()] == ["W-LOCK"]
    why = workspace.json("workflow", "why", "--archetype", "regular", "--state", "booked", "--key", "8")
    assert why["winner"] == "late"
    copy = workspace.ok(
        "workflow",
        "new",
        "late-rude",
        "--from",
        "booked",
        "--archetype",
        "rude",
        "--key",
        "running-late",
        "--name",
        "Late: and rude",
    )
    assert "lints clean" in copy
    old, new = ((workspace.root / f"workflows/{n}.yaml").read_text().split("\n") for n in ("booked", "late-rude"))
    assert new[:4] == [
        "# yaml-language-server: $schema=../schema/workflow.schema.json", "id: late-rude", 'name: "Late: and rude"', "version: 1"
    ]  # fmt: skip
    assert new[5:] == old[4:]
    assert (workspace.root / "schema/workflow.schema.json").exists()
    assert workspace.json("workflow", "test", "late", "late-rude")["failed"] == 0


def test_a_new_workflow_takes_the_first_gap_and_refuses_what_it_cannot_be(workspace: Workspace) -> None:
    refused = [
        (("workflow", "new", "First_Reply"), "no id"),
        (("workflow", "new", "first-reply", "--archetype", "rude"), "is there already"),
        (("workflow", "new", "x", "--archetype", "rud"), "did you mean 'rude'"),
        (("workflow", "new", "x", "--key", "❶"), "U+2776"),
        (("workflow", "new", "x", "--from", "frist-reply"), "did you mean 'first-reply'"),
        (("workflow", "new", "x"), "Every situation has a workflow"),
    ]
    for command, words in refused:
        done = workspace.run(*command)
        assert done.returncode == 2
        assert words in done.stderr
    assert workspace.git("status", "--short") == ""
    (workspace.root / "workflows/any-reply.yaml").unlink()
    assert "For courteous x screening x ①, the first of 105" in workspace.ok("workflow", "new", "gap")
    done = workspace.run("workflow", "new", "twin", "--from", "goodbye")
    assert done.returncode == 2
    assert "would tie with goodbye" in done.stderr


def committed() -> tuple[Vocab, Any]:
    files = shipped(REPOSITORY)
    return parse_vocab(files["workflows/vocab.yaml"]), parse_canon(
        {p: c for p, c in files.items() if p.startswith("pastebin/")}
    )


def test_the_committed_schemas_are_those_of_the_models(workspace: Workspace) -> None:
    for path, text in schema_texts(*committed()).items():
        assert (REPOSITORY / path).read_text() == text, "run `draftctl workflow schema --write`"
    assert workspace.json("workflow", "schema", "--write") == {"written": []}
    edit(workspace, "workflows/vocab.yaml", "[courteous", "[shy, courteous")
    assert "schema/workflow.schema.json" in workspace.json("workflow", "schema", "--write")["written"]


def kind_of(path: str) -> str:
    names = {
        "workflows/vocab.yaml": "vocab",
        "workflows/classify.yaml": "classify",
        "workflows/decisions.yaml": "decisions",
    }
    names |= {"pastebin/notes.yaml": "notes", "pastebin/safety.yaml": "safety", "draftctl.yaml": "settings"}
    folders = {"workflows/experiments/": "experiment", "engines/": "engine", "workflows/": "workflow"}
    return names.get(path) or next((kind for start, kind in folders.items() if path.startswith(start)), "")


def validators(files: dict[str, bytes]) -> dict[str, Draft7Validator]:
    return _validators(files["workflows/vocab.yaml"], files["pastebin/notes.yaml"])


@cache
def _validators(words: bytes, notes: bytes) -> dict[str, Draft7Validator]:
    vocab, canon = parse_vocab(words), parse_canon({"pastebin/notes.yaml": notes})
    texts = schema_texts(vocab, canon)
    assert len(texts) == len(KINDS)
    return {kind: Draft7Validator(json.loads(texts[f"schema/{kind}.schema.json"])) for kind in KINDS}


class Core(yaml.SafeLoader):
    """What an editor reads: YAML 1.2's core schema, in which a day is text."""


Core.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in found
        if "timestamp" not in tag and not (tag.endswith("bool") and first not in "tTfF")
    ]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.mark.slow
def test_every_good_file_is_good_to_an_editor_and_a_misspelt_key_is_not() -> None:
    files = {**shipped(starter_folder()), "draftctl.yaml": (REPOSITORY / "draftctl.yaml").read_bytes()}
    checks = validators(files)
    for path, content in files.items():
        if path.endswith(".yaml"):
            assert list(checks[kind_of(path)].iter_errors(yaml.load(content, Core))) == [], path
    for rule in RULES:
        for case in ok_cases(rule):
            if case.path.endswith(".yaml") and "days and numbers" not in case.name:  # to an editor 1e3 is no word
                errors = list(
                    validators(dict(case.files))[kind_of(case.path)].iter_errors(yaml.load(case.source, Core))
                )
                assert errors == [], (rule.id, case.name, errors[0].message)
    for case in err_cases(BY_ID["E-KEY"]):
        if "belongs" not in case.says and "asks no model" not in case.says and "rendered" not in case.says:
            assert not validators(dict(SMALL))[kind_of(case.path)].is_valid(yaml.load(case.source, Core)), case.name


# -- diff, save, history -----------------------------------------------------------------------------------------------------------------------


def test_diff_says_what_changed_by_step_and_as_rendered_text(workspace: Workspace) -> None:
    (workspace.root / "one.json").write_text(line("a", "free on friday?", archetype="courteous", state="new"))
    path = "workflows/scheduling.yaml"
    edit(workspace, path, "options: [warm, brisk, playful]", "options: [warm, brisk]")
    edit(workspace, path, "Plan one", "Think of one")
    edit(workspace, path, '["⑤", "⑥"', '["①", "⑤", "⑥"')
    edit(workspace, path, "    max_tokens: 80", "    max_tokens: 90")
    edit(workspace, "workflows/partials/constraints.j2", "Two sentences", "One sentence")
    value = workspace.json("workflow", "diff", "scheduling", "--candidate", "one.json")
    assert not value["same"]
    said = {(change["where"], change["what"]) for change in value["changes"]}
    assert said == {
        ("templateKeys", "+ ①"), ("step 1 extract (wanted)", "max_tokens 80 -> 90"), ("step 2 choose (tone)", 'options ["warm","brisk","playful"] -> ["warm","brisk"]'),
        ("step 3 think (think3)", "text"), ("partial constraints.j2", "text"),
    }  # fmt: skip
    assert [part["step"] for part in value["rendered"]] == ["step 2 choose", "step 3 think", "step 4 draft"]
    assert (
        "+ One sentence, three at most, and one question. No price, no service, no place, no promise that is not in the thread."
        in str(value["rendered"][2]["lines"])
    )
    text = workspace.ok("workflow", "diff", "scheduling")
    assert "    - Plan one {{ steps.tone }} reply." in text
    assert workspace.run("workflow", "diff", "scheduling@7").returncode == 2
    assert workspace.run("workflow", "diff", "scheduling", "--against", "nowhere").returncode == 2
    assert "did you mean" in workspace.run("workflow", "diff", "schedulin").stderr
    assert "Nothing changed." in workspace.ok("workflow", "diff", "goodbye")


def test_save_makes_one_commit_of_a_voice_and_a_workflow_that_the_next_run_uses(workspace: Workspace) -> None:
    (workspace.root / "mine.txt").write_text("not ours\n")
    workspace.git("add", "mine.txt")
    edit(workspace, "pastebin/voice.md", "a little dry", "a little wry")
    edit(workspace, FIRST, "what does this person want", "what does this person need")
    before = workspace.git("rev-list", "--count", "HEAD")
    shown = workspace.ok("save", "-m", "softer hello")
    for words in (
        "first-reply  version 1 -> 2",
        "+ what does this person need",
        "told to the model, for courteous x new x ①",
        "a little wry",
        "read by 9 workflows",
    ):
        assert words in shown
    assert int(workspace.git("rev-list", "--count", "HEAD")) == int(before) + 1
    assert workspace.git("show", "--format=%s", "--name-only").split("\n\n")[0] == "softer hello"
    assert workspace.git("show", "--format=", "--name-only").split() == [
        "pastebin/voice.md",
        FIRST,
        "workflows/workflows.lock",
    ]
    assert workspace.git("status", "--short") == "A  mine.txt\n"
    assert workspace.json_lint("--against", "HEAD~1") == []
    with PlayedServer(BUILD) as server:
        message = line("a", "are you free on friday?", archetype="courteous", state="new")
        done = workspace.json(
            "draft", "--batch", "--engine", BUILD, "-i", "-", stdin=message, GPU_INFERENCE_URL=server.url
        )
        assert done["drafted"] == 1
        first = server.asked[0]["messages"][0]["content"]
    assert "a little wry" in first
    assert "what does this person need" in first
    row = workspace.rows("SELECT workflow_version, git_commit, git_state FROM drafts")[0]
    assert row == {
        "workflow_version": "2",
        "git_commit": workspace.git("rev-parse", "HEAD").strip(),
        "git_state": "clean",
    }
    assert workspace.ok("save", "-m", "again").strip() == "Nothing has changed since the last commit."


@pytest.mark.slow
def test_save_counts_up_only_what_was_committed_or_used(workspace: Workspace) -> None:
    edit(workspace, "workflows/goodbye.yaml", "name: A warm goodbye", "name: A warm farewell")
    assert workspace.json("save", "-m", "a name")["bumped"] == {}
    edit(workspace, FIRST, "what does this person want", "what do they want")
    workspace.ok("workflow", "bump", "first-reply")
    edit(
        workspace, FIRST, "what do they want", "what is it that they want"
    )  # version 2 is in no commit and made no draft
    assert workspace.json("save", "-m", "two edits, one version")["bumped"] == {}
    assert [p["rule"] for p in workspace.json_lint()] == []
    edit(workspace, "workflows/partials/constraints.j2", "Two sentences", "One sentence")
    assert set(workspace.json("save", "-m", "shorter")["bumped"]) == {"scheduling", "screening"}
    with PlayedServer(BUILD) as server:
        edit(workspace, FIRST, "version: 2", "version: 3")
        edit(workspace, FIRST, "what is it that they want", "what could they want")
        message = line("a", "are you free on friday?", archetype="courteous", state="new")
        workspace.ok(
            "draft",
            "--batch",
            "--allow-dirty",
            "--engine",
            BUILD,
            "-i",
            "-",
            stdin=message,
            GPU_INFERENCE_URL=server.url,
        )
        edit(workspace, FIRST, "what could they want", "what might they want")
    assert workspace.json("save", "-m", "used already")["bumped"] == {"first-reply": "4"}


@pytest.mark.slow
def test_save_refuses_and_leaves_everything_as_it_was(workspace: Workspace, tmp_path: Path) -> None:
    edit(workspace, "pastebin/notes.yaml", "I am Quinn.", "I am she.")
    edit(workspace, FIRST, "contains_any: [day, when]", "contains_any: [month, year]")
    done = workspace.run("save", "-m", "a failing test")
    assert done.returncode == 2
    assert "A test fails, so nothing was saved. first-reply: a first hello" in done.stderr
    workspace.git("checkout", "-q", ".")
    edit(workspace, FIRST, "what does this person want", "what does {{ nobody }} want")
    before = workspace.git("diff")
    done = workspace.run("save", "-m", "broken")
    assert done.returncode == 2
    assert f"{FIRST}:7:25: `nobody` is not known here" in done.stderr
    assert "Nothing was saved" in done.stderr
    assert workspace.git("diff") == before
    workspace.git("checkout", "-q", ".")
    edit(workspace, FIRST, "version: 1", "version: spring")
    assert workspace.json("save", "-m", "a word")["bumped"] == {}
    edit(workspace, FIRST, "what does", "what might")
    assert "is no number" in workspace.run("save", "-m", "x").stderr
    assert workspace.run("save", "-m", " ").returncode == 2
    workspace.git("checkout", "-q", ".")
    edit(workspace, "workflows/goodbye.yaml", "what was good", "what was best")
    before = workspace.git("diff"), workspace.git("rev-parse", "HEAD")
    assert "goodbye  version 1 -> 2" in workspace.ok("save", "-m", "x", "--dry-run")
    assert (workspace.git("diff"), workspace.git("rev-parse", "HEAD")) == before
    workspace.git("checkout", "-q", ".")
    alone = Workspace(tmp_path / "alone")
    for path, content in SMALL.items():
        (alone.root / path).parent.mkdir(parents=True, exist_ok=True)
        (alone.root / path).write_bytes(content)
    done = alone.run("save", "-m", "x")
    assert done.returncode == 2
    assert "git init" in done.stderr


@pytest.mark.slow
def test_save_that_is_killed_or_refused_by_git_goes_on_the_next_time(workspace: Workspace) -> None:
    edit(workspace, FIRST, "what does this person want", "what do they want")
    killed = subprocess.run(
        workspace.command("save", "-m", "x"),
        cwd=workspace.root,
        env={**os.environ, "DRAFTCTL_FAILPOINT": "save.written"},
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -9
    hook = workspace.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    done = workspace.run("save", "-m", "x")
    assert done.returncode == 1
    assert "not today" in done.stderr
    assert "What you wrote is there" in done.stderr
    assert workspace.git("status", "--short").split() == ["M", FIRST, "M", "workflows/workflows.lock"]
    hook.unlink()
    assert workspace.json("save", "-m", "x")["bumped"] == {}
    assert "version: 2" in (workspace.root / FIRST).read_text()
    assert workspace.json_lint("--against", "HEAD~1") == []


@pytest.mark.slow
def test_history_says_what_each_version_was_worth(workspace: Workspace) -> None:
    with PlayedServer(BUILD) as server:

        def run(id_: str) -> None:
            message = line(id_, "are you free on friday?", thread=f"t{id_}", archetype="courteous", state="new")
            workspace.ok("draft", "--batch", "--engine", BUILD, "-i", "-", stdin=message, GPU_INFERENCE_URL=server.url)

        run("a")
        run("b")
        edit(workspace, "pastebin/voice.md", "a little dry", "a little wry")
        workspace.ok("save", "-m", "voice")
        run("c")
        edit(workspace, FIRST, "what does this person want", "what do they want")
        workspace.ok("save", "-m", "shorter question")
        run("d")
    drafts = {row["candidate_id"]: row["id"] for row in workspace.rows("SELECT id, candidate_id FROM drafts")}
    workspace.ok("correct", drafts["a"], "--verdict", "approved")
    workspace.ok("correct", drafts["b"], "--verdict", "edited", "--body", "Which day would suit you best?")
    value = workspace.json("workflow", "history", "first-reply")
    assert [(row["version"], row["subject"]) for row in value["versions"]] == [
        ("2", "shorter question"),
        ("1", "A fresh draftctl workspace"),
    ]
    results = {row["version"]: row for row in value["results"]}
    assert (results["1"]["drafted"], results["1"]["bundles"], results["1"]["unedited"], results["1"]["edited"]) == (
        3,
        2,
        1,
        1,
    )
    text = workspace.ok("workflow", "history", "first-reply")
    assert "of 2 judged 1 went as they were (50%)" in text
    assert "told in 2 ways" in text
    assert workspace.run("workflow", "history", "nobody").returncode == 2


# -- test, try --------------------------------------------------------------------------------------------------------------------------------


WORDS = ("my dear", "perhaps", "then", "do you think", "roughly", "this week", "next week")


def add_test(workspace: Workspace, text: str, path: str = FIRST) -> None:
    (workspace.root / path).write_text((workspace.root / path).read_text() + text)


def test_the_shipped_workflows_pass_their_tests_and_the_hostile_messages(workspace: Workspace) -> None:
    value = workspace.json("workflow", "test")
    assert value["failed"] == value["unchecked"] == 0
    assert value["passed"] >= 9
    assert value["hostile"] == 9 * len(corpus())
    assert value["breaches"] == []


def test_a_test_that_fails_or_expects_nothing_fails(workspace: Workspace) -> None:
    add_test(workspace, """  - {name: no expectations, inbound: hello}
  - {name: a wrong word, inbound: hello, expect: {rendered: {contains: goodbye}}}
  - {name: a reply with a price, inbound: hello, replies: {draft3: "It is $300."}, expect: {draft: {contains: day}}}
  - {name: no hold, inbound: hello, replies: {draft3: "Which day?"}, expect: {held: "gate:price"}}
  - {name: a wrong step, inbound: hello, replies: {think1: a, draft3: "Which day?"}, expect: {steps.think1: b}}
  - {name: many ways, inbound: hello, replies: {draft3: "Which day?"}, expect: {draft: {contains_any: [a1, b1], not_contains: day, matches: "^x", not_matches: "D|d", max_chars: 3}}}
  - {name: a minor, inbound: "i am 16", replies: {draft3: "Which day?"}, expect: {held: "gate:minor"}}
""")  # fmt: skip
    value = workspace.json("workflow", "test", "first-reply", code=1)
    failures = {one["name"]: " ".join(one["failures"]) for one in value["tests"] if one["verdict"] == "failed"}
    assert set(failures) == {
        "no expectations",
        "a wrong word",
        "a reply with a price",
        "no hold",
        "a wrong step",
        "many ways",
    }
    assert "could not fail" in failures["no expectations"]
    assert "lacks 'goodbye'" in failures["a wrong word"]
    assert "gate:price" in failures["a reply with a price"]
    assert "it drafted 'Which day?'" in failures["no hold"]
    assert 'steps.think1 is "a", not "b"' in failures["a wrong step"]
    for words in ("none of 'a1', 'b1'", "has 'day'", "does not match '^x'", "matches 'D|d'", "has 10 characters"):
        assert words in failures["many ways"]
    assert "FAIL a wrong word" in workspace.ok("workflow", "test", "first-reply", "-k", "wrong word", code=1)
    assert {p["rule"] for p in workspace.json_lint(code=2)} == {"E-TEST"}
    assert "first-reply: a minor" in workspace.ok("workflow", "test", "--list")
    add_test(workspace, "  - {nmae: a misspelt key, inbound: hello, archetype: rud}\n")
    assert {p["rule"] for p in workspace.json_lint(code=2)} == {"E-TEST", "E-KEY", "E-MISSING", "E-VOCAB"}
    assert "did you mean 'name'" in workspace.run("workflow", "test", "first-reply").stderr
    with PlayedServer(BUILD) as server:  # a test's fault is no reason for candidates to hold
        workspace.commit("x", "")
        message = line("a", "are you free on friday?", archetype="courteous", state="new")
        assert (
            workspace.json(
                "draft", "--batch", "--engine", BUILD, "-i", "-", stdin=message, GPU_INFERENCE_URL=server.url
            )["drafted"]
            == 1
        )


@pytest.mark.slow
def test_live_asks_once_and_offline_remembers(workspace: Workspace) -> None:
    add_test(workspace, "  - {name: asked, inbound: are you free, expect: {draft: {contains: Which day}}}\n")
    value = workspace.json("workflow", "test", "first-reply", "-k", "asked")
    assert [one["verdict"] for one in value["tests"]] == ["unchecked"]
    assert value["tests"][0]["unchecked"] == ["draft"]
    assert "or ask with --live" in workspace.ok("workflow", "test", "first-reply", "-k", "asked")
    with PlayedServer(BUILD) as server:
        url = {"GPU_INFERENCE_URL": server.url}
        assert workspace.json("workflow", "test", "first-reply", "-k", "asked", "--live", **url)["passed"] == 1
        assert len(server.asked) == 3
        assert workspace.json("workflow", "test", "first-reply", "-k", "asked", "--live", **url)["passed"] == 1
        assert len(server.asked) == 3
        assert (
            workspace.json("workflow", "test", "first-reply", "-k", "asked", "--live", "--fresh", **url)["passed"] == 1
        )
        assert len(server.asked) == 6
    assert workspace.json("workflow", "test", "first-reply", "-k", "asked")["passed"] == 1
    edit(workspace, "pastebin/voice.md", "a little dry", "a little wry")  # another prompt: nobody was asked that
    assert workspace.json("workflow", "test", "first-reply", "-k", "asked")["unchecked"] == 1
    assert workspace.run("workflow", "test", "first-reply", "--live").returncode == 2


@pytest.mark.slow
def test_a_thread_from_a_file_stays_in_the_workspace(workspace: Workspace) -> None:
    add_test(
        workspace,
        "  - {name: from a file, thread: examples/late.json, expect: {rendered: {contains: the train is stuck}}}\n",
    )
    assert workspace.json("workflow", "test", "first-reply", "-k", "file")["passed"] == 1
    edit(workspace, FIRST, "examples/late.json", "../outside.json")
    assert workspace.run("workflow", "test", "first-reply").returncode == 2
    edit(workspace, FIRST, "../outside.json", "examples/none.json")
    assert "cannot be read" in workspace.run("workflow", "test", "first-reply").stderr


def test_the_hostile_messages_are_noticed_where_nothing_makes_them_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    files = shipped(starter_folder())
    canon = parse_canon({p: c for p, c in files.items() if p.startswith("pastebin/")})
    chains = load_chains(files, canon, parse_vocab(files["workflows/vocab.yaml"]))
    path = f"engines/{BUILD}.yaml"
    bench = Bench(canon=canon, partials=chains.partials, manifest=parse_manifest(files[path], path), persona="Quinn")
    workflow = chains.workflows["booked"]
    calm = sample(next(iter(cells_of(workflow, canon, None))), workflow, canon, chains.partials)
    assert asyncio.run(breaches(workflow, bench, calm)) == []
    monkeypatch.setattr(prompt, "neutralise", lambda text, _extra=(): text)
    found = {breach.text for breach in asyncio.run(breaches(workflow, bench, calm))}
    assert {f"control tokens of {family}" for family in control_tokens.FAMILIES} <= found
    monkeypatch.setattr(prompt, "lines_of", lambda text: [text])
    assert "the fence, closed" in {breach.text for breach in asyncio.run(breaches(workflow, bench, calm))}


def test_a_trial_is_asked_once_shown_side_by_side_and_can_never_be_sent(workspace: Workspace) -> None:
    (workspace.root / "one.json").write_text(
        line("a", "are you free on friday?", thread="t-one", person_id="p-one", archetype="courteous", state="new")
    )
    command = ("workflow", "try", "first-reply", "--candidate", "one.json", "-n", "3")
    with PlayedServer(BUILD) as server:
        server.always = lambda connection, asked: connection.send(
            200,
            completion(
                asked,
                f"Which day, {WORDS[asked.get('seed', 0) % 7]}?" if "Write the reply" in step_of(asked) else "ask",
                model=BUILD,
            ),
        )
        url = {"GPU_INFERENCE_URL": server.url}
        value = workspace.json(*command, **url)
        assert value["dispatchable"] is False
        assert len({one["body"] for one in value["tries"]}) == 3
        assert len(server.asked) == 9
        again = workspace.json(*command, **url)
        assert [one["body"] for one in again["tries"]] == [one["body"] for one in value["tries"]]
        assert len(server.asked) == 9
        shown = workspace.ok(*command, **url)
        assert BUILD in shown
        assert "the note ① greeting" in shown
        assert "Nothing of this can be sent" in workspace.run(*command, **url).stderr
        other = BUILD.replace("2026-06-29", "2026-07-10")
        assert {one["held"] for one in workspace.json(*command, "--engine", other, **url)["tries"]} == {"wrong_build"}
        (workspace.root / "minor.json").write_text(line("m", "i am 16"))
        asked = len(server.asked)
        stopped = workspace.json("workflow", "try", "first-reply", "--candidate", "minor.json", **url)
        assert stopped["tries"][0]["held"] == "gate:minor"
        assert len(server.asked) == asked
    assert workspace.run(*command, "--fresh", **url).returncode == 4
    with PlayedServer(BUILD) as server:
        url = {"GPU_INFERENCE_URL": server.url}
        workspace.ok("pause", "--reason", "checking")
        assert "paused" in workspace.run(*command, **url).stderr
    for table in ("candidates", "drafts", "draft_steps", "outbox", "alerts"):
        assert workspace.one(f"SELECT count(*) FROM {table}") == 0
    assert workspace.one("SELECT count(*) FROM tried_answers") == 9
    workspace.ok("forget", "p-one", "--by", "Ana", "--yes")
    assert workspace.one("SELECT count(*) FROM tried_answers") == 0


# -- lint, as it is printed ---------------------------------------------------------------------------------------------------------------------


def test_lint_marks_the_lines_of_a_pull_request(workspace: Workspace) -> None:
    edit(workspace, FIRST, "what does this person want", "100% {{ nobody }}, right")
    out = workspace.ok("workflow", "lint", "--format", "github", code=2)
    assert out.startswith(f"::error file={FIRST},line=7,col=20,title=E-UNDEF::`nobody` is not known here")
    edit(workspace, FIRST, "100% {{ nobody }}, right", "$300 is 50%")
    assert "::warning file=" in workspace.ok("workflow", "lint", "--format", "github", code=2)
    assert workspace.run("workflow", "lint", "--format", "xml").returncode == 2


def test_a_rule_is_explained_with_an_example(workspace: Workspace) -> None:
    said = workspace.ok("workflow", "lint", "--explain", "e-undef")
    for words in ("E-UNDEF: ", "What to do:", "workflows/hello.yaml:", "^"):
        assert words in said
    assert "did you mean 'E-UNDEF'" in workspace.run("workflow", "lint", "--explain", "E-UNDEFF").stderr


@pytest.mark.slow
def test_the_hooks_stop_a_commit_that_lint_refuses(workspace: Workspace) -> None:
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["draftctl-lint", "draftctl-test"]
    hook = workspace.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    lines = [" ".join(workspace.command(*one["entry"].split()[1:])) for one in hooks]
    hook.write_text("#!/bin/sh\nset -e\n" + "\n".join(lines) + "\n")
    hook.chmod(0o755)
    for old, new, words in (
        ("id: first-reply", "id: first", "E-ID"),
        ("contains: good evening", "contains: good morning", "lacks 'good morning'"),
    ):
        edit(workspace, FIRST, old, new)
        with pytest.raises(subprocess.CalledProcessError) as caught:
            workspace.git("commit", "-qam", "x")
        assert words in (caught.value.stdout + caught.value.stderr).decode()
        edit(workspace, FIRST, new, old)
    edit(workspace, FIRST, "name: First reply", "name: The first reply")
    workspace.git("commit", "-qam", "x")


@pytest.mark.slow
def test_save_leaves_alone_what_is_not_ours_and_refuses_what_a_commit_cannot_hold(workspace: Workspace) -> None:
    (workspace.root / "pastebin/.env").write_text("SECRET=1\n")
    (workspace.root / "workflows/booked.yaml~").write_text("old\n")
    (workspace.root / "workflows/.booked.yaml.new").write_text("")
    edit(workspace, "pastebin/voice.md", "a little dry", "a little wry")
    done = workspace.run("save", "-m", "voice")
    assert done.returncode == 0
    assert (
        "Left alone, as nothing that draftctl reads: pastebin/.env, workflows/.booked.yaml.new, workflows/booked.yaml~"
        in done.stderr
    )
    assert workspace.git("show", "--format=", "--name-only").split() == ["pastebin/voice.md"]
    for path in ("pastebin/.env", "workflows/booked.yaml~", "workflows/.booked.yaml.new"):
        (workspace.root / path).unlink()
    workspace.commit(".gitignore", "var/\npastebin/voice-*.md\n")
    (workspace.root / "pastebin/voice-formal.md").write_text("Whole sentences.\n")
    edit(workspace, "workflows/goodbye.yaml", "[pastebin canon, voice rules,", "[pastebin canon, {voice: formal},")
    assert workspace.json_lint(code=2)[0]["rule"] == "E-VERSION-LOCK"  # it lies there, so lint is content with it
    assert "there is no pastebin/voice-formal.md" in workspace.run("save", "-m", "x").stderr
    workspace.git("checkout", "-q", ".")
    (workspace.root / "workflows/goodbye.yaml").unlink()
    (workspace.root / "workflows/goodbye.yaml").symlink_to(workspace.root / "workflows/booked.yaml")
    assert "symbolic link" in workspace.run("save", "-m", "x").stderr


def test_save_needs_no_build_and_looks_away_from_ignored_folders(workspace: Workspace) -> None:
    for path in (workspace.root / "engines").glob("*.yaml"):
        path.unlink()
    workspace.commit(".gitignore", "var/\nschema/\n")
    workspace.git("rm", "-rq", "--cached", "schema")
    workspace.git("commit", "-qm", "no schema")
    edit(workspace, FIRST, "what does", "what might")
    edit(workspace, "workflows/vocab.yaml", "[courteous", "[shy, courteous")
    assert workspace.json("save", "-m", "x")["changed"] == [FIRST, "workflows/vocab.yaml", "workflows/workflows.lock"]


@pytest.mark.slow
def test_save_takes_deletions_and_renames_however_they_are_staged(workspace: Workspace) -> None:
    workspace.git("rm", "-q", "workflows/goodbye.yaml")
    workspace.git("mv", "workflows/booked.yaml", "workflows/plans.yaml")
    edit(workspace, "workflows/plans.yaml", "id: booked", "id: plans")
    (workspace.root / "workflows/screening.yaml").unlink()
    (workspace.root / "pastebin/voice-new.md").write_text("x\n")
    workspace.git("add", "pastebin/voice-new.md")
    (workspace.root / "pastebin/voice-new.md").unlink()
    shown = workspace.ok("save", "-m", "fewer")
    assert "goodbye  taken out" in shown
    assert "plans  new, version 1" in shown
    names = workspace.git("show", "--format=", "--name-status", "--no-renames").split("\n")
    assert {tuple(name.split("\t")) for name in names if name} == {
        ("D", "workflows/booked.yaml"), ("D", "workflows/goodbye.yaml"), ("A", "workflows/plans.yaml"), ("D", "workflows/screening.yaml"),
        ("M", "workflows/workflows.lock"),
    }  # fmt: skip
    assert workspace.git("status", "--short") == ""


@pytest.mark.slow
def test_save_waits_until_a_merge_is_done_and_no_marker_is_left(workspace: Workspace) -> None:
    workspace.git("checkout", "-qb", "other")
    workspace.commit("pastebin/voice.md", "Warm and wry.\n")
    workspace.git("checkout", "-q", "-")
    workspace.commit("pastebin/voice.md", "Warm and dry.\n")
    with pytest.raises(subprocess.CalledProcessError):
        workspace.git("merge", "other")
    before = workspace.git("status", "--short")
    done = workspace.run("save", "-m", "x")
    assert done.returncode == 2
    assert "in the middle of" in done.stderr
    assert workspace.git("status", "--short") == before
    workspace.git("add", "-A")
    workspace.git("commit", "-qm", "markers and all")
    assert [p["rule"] for p in workspace.json_lint(code=2)] == ["E-MARKER"]


def test_a_copy_keeps_all_that_it_is_not_told_to_change_or_is_refused(workspace: Workspace) -> None:
    text = (workspace.root / "workflows/goodbye.yaml").read_text()
    block = text.replace(
        'appliesTo: {templateKeys: ["⑰"]}\n',
        'appliesTo:\n  templateKeys:\n    - "⑰"   # the last one\n# what it is told\n',
    ).replace("name: A warm goodbye", "name: >-\n  A warm\n  goodbye")
    workspace.commit("workflows/goodbye.yaml", block)
    workspace.ok(
        "workflow", "new", "late", "--from", "goodbye", "--archetype", "rude", "--state", "after", "--key", "17"
    )
    copied = (workspace.root / "workflows/late.yaml").read_text()
    assert "context: [pastebin canon, voice rules, safety rules]" in copied
    assert "# what it is told" in copied
    open_ended = text.replace('appliesTo: {templateKeys: ["⑰"]}\n', "")
    workspace.commit("workflows/any-reply.yaml", open_ended.replace("id: goodbye", "id: any-reply"))
    workspace.ok("workflow", "new", "any-rude", "--from", "any-reply", "--archetype", "rude")
    assert "version: 1\nappliesTo: {archetypes: [rude]}\n" in (workspace.root / "workflows/any-rude.yaml").read_text()
    flow = json.dumps(yaml.safe_load(text.replace("version: 1", 'version: "1"')), ensure_ascii=False)
    workspace.commit("workflows/goodbye.yaml", flow)
    done = workspace.run("workflow", "new", "later", "--from", "goodbye", "--archetype", "rude")
    assert done.returncode == 2
    assert "cannot be copied by itself" in done.stderr
    assert not (workspace.root / "workflows/later.yaml").exists()


@pytest.mark.slow
def test_odd_versions_are_counted_on_or_refused(workspace: Workspace) -> None:
    for version, words in (("²", "is no number"), ("|-\n  1", "takes several lines")):
        workspace.git("checkout", "-q", ".")
        text = (
            (workspace.root / FIRST)
            .read_text()
            .replace("id: first-reply", "id: odd")
            .replace("states:", "archetypes: [rude], states:")
        )
        (workspace.root / "workflows/odd.yaml").write_text(text.replace("version: 1", f"version: {version}"))
        (workspace.root / "workflows/first-reply-firm.yaml").unlink(missing_ok=True)
        workspace.json("save", "-m", "odd")
        edit(workspace, "workflows/odd.yaml", "what does", "what might")
        done = workspace.run("save", "-m", "x")
        assert done.returncode == 2
        assert words in done.stderr


@pytest.mark.slow
def test_a_test_ends_whatever_its_regular_expression_does(workspace: Workspace) -> None:
    text = "a" * 34 + "b"
    add_test(workspace, f'  - {{name: slow, inbound: "{text}", expect: {{rendered: {{not_matches: "(a+)+!$"}}}}}}\n')
    add_test(
        workspace,
        '  - {name: cannot be rendered, inbound: hello, replies: {draft3: "Which day?"}, expect: {draft: {contains: day}}}\n',
    )
    edit(workspace, FIRST, "pick the move;", "pick {{ candidate.state.name }} the move;")
    value = workspace.json("workflow", "test", "first-reply", code=1)
    failures = {one["name"]: one["failures"] for one in value["tests"] if one["verdict"] == "failed"}
    assert "cannot be rendered" in failures["cannot be rendered"][0]
    assert value["breaches"][0]["text"] == "a harmless one"
    edit(workspace, FIRST, " {{ candidate.state.name }}", "")
    value = workspace.json("workflow", "test", "first-reply", "-k", "slow", code=1)
    assert "had not ended" in value["tests"][0]["failures"][0]
    assert workspace.run("workflow", "test", "-k", "zzz").returncode == 2
