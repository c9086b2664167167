"""The shipped chains on a real vLLM (CPU build, tiny model): what no stand-in can prove."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import httpx
import pytest

from draftctl.batch import Limits
from draftctl.control_tokens import known_tokens, neutralise
from draftctl.engines.base import EngineRefused, Request
from draftctl.engines.chat import ChatEngine
from draftctl.models import PromptPart
from draftctl.service import RunOptions, RunResult, run
from tests.conftest import BUILD, MACHINE, Workspace, line

pytestmark = pytest.mark.real
HERE = Path(__file__).parent
KEY = "sk-test"
OTHER_BUILD = "do-gpu-mistral-nemo-12b-uncensored_2026-07-10.1"
QUEUE = 24


def serve(port: int, *flags: str) -> Iterator[str]:
    done = subprocess.run(
        ["bash", str(HERE / "start.sh"), BUILD, str(port), *flags],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env=dict(os.environ),
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(int(done.stdout.split()[-1]), signal.SIGTERM)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    yield from serve(8921, "--max-num-queued-reqs", str(QUEUE))


@pytest.fixture(scope="module")
def mistral_style() -> Iterator[str]:
    yield from serve(8922, "--chat-template", str(HERE / "mistral-style.jinja"))


def environment(url: str) -> dict[str, str]:
    return {"GPU_INFERENCE_URL": url, "GPU_INFERENCE_API_KEY": KEY}


def draft(workspace: Workspace, url: str, *, in_flight: int = 16, tries: int = 4, build: str = BUILD) -> RunResult:
    return run(
        workspace.root,
        workspace.database,
        RunOptions(command="test", engine=build, limits=Limits(max_in_flight=in_flight)),
        lambda id_, _manifest: ChatEngine(id_, [url], api_key=KEY, tries=tries),
    )


def take(workspace: Workspace, *lines: str) -> None:
    workspace.ok("ingest", "-", stdin="".join(lines))


def friday(n: int, **more: Any) -> str:
    return line(
        f"c{n}", f"hello, can i book a time on friday? it is number {n}", archetype="courteous", state="new", **more
    )


def edit(workspace: Workspace, path: str, old: str, new: str) -> None:
    text = (workspace.root / path).read_text()
    assert old in text
    workspace.commit(path, text.replace(old, new))


def test_the_sample_inbox_ends_whole_and_again_changes_nothing(
    server: str, workspace: Workspace, record_property: Any
) -> None:
    first = workspace.json("draft", "--batch", "-i", "examples/inbox.jsonl", "--engine", BUILD, **environment(server))
    assert first["claimed"] == first["ingested"] == 42
    assert first["drafted"] + first["held"] == 42
    assert first["drafted"] > 15
    assert not {"engine_unavailable", "wrong_build", "bad_response", "internal_error", "prompt_too_long"} & set(
        first["holds"]
    )
    assert workspace.one("SELECT count(*) FROM candidates WHERE status = 'held' AND hold_reason IS NULL") == 0
    verbs = {row["verb"] for row in workspace.rows("SELECT DISTINCT verb FROM draft_steps")}
    assert verbs == {"think", "choose", "extract", "draft", "critique"}
    before = workspace.rows("SELECT id, status, hold_reason FROM candidates ORDER BY id")
    again = workspace.json("draft", "--batch", "-i", "examples/inbox.jsonl", "--engine", BUILD, **environment(server))
    assert again["duplicates"] == 42
    left = sum(first["holds"].get(reason, 0) for reason in ("empty", "truncated", "invalid_step"))
    assert again["claimed"] == left  # what a next run asks again by itself, if the model was at a loss
    if not left:
        assert workspace.rows("SELECT id, status, hold_reason FROM candidates ORDER BY id") == before
    for row in workspace.rows("SELECT DISTINCT d.id FROM drafts d JOIN draft_steps ON draft_id = d.id"):
        assert workspace.json("show", row["id"], "--prompt")["prompt_verified"] is True
    assert workspace.json("audit", "verify")["ok"] is True
    record_property(
        "figure",
        f"real vLLM, sample inbox: {first['drafted']} drafted, {first['held']} held {first['holds']}, {first['requests']} requests in {first['elapsed_s']} s",
    )


def test_a_choice_and_an_extract_come_constrained(server: str, workspace: Workspace) -> None:
    take(
        workspace,
        *(
            line(f"s{n}", "is tomorrow free to book?", key="availability", archetype="courteous", state="scheduling")
            for n in range(4)
        ),
    )
    draft(workspace, server)
    answers = workspace.rows("SELECT verb, output FROM draft_steps WHERE verb IN ('choose', 'extract')")
    assert {row["output"] for row in answers if row["verb"] == "choose"} <= {"warm", "brisk", "playful"}
    assert all(set(json.loads(row["output"])) == {"day", "time"} for row in answers if row["verb"] == "extract")


def test_a_reply_that_is_too_long_is_drafted_anew_on_the_same_conversation_and_then_holds(
    server: str, workspace: Workspace
) -> None:
    edit(workspace, "workflows/first-reply.yaml", "version: 1", "version: 2")
    edit(workspace, "workflows/first-reply.yaml", "<=320 chars", "<=3 chars")
    take(workspace, friday(1))
    assert draft(workspace, server).counts["holds"] == {"over_length": 1}
    steps = workspace.json("show", "c1", "--prompt")["steps"]
    assert [(step["n"], step["attempt"]) for step in steps] == [(1, 1), (2, 1), (3, 1), (3, 2), (3, 3)]
    for before, after in pairwise(steps):
        assert after["messages"][: len(before["messages"])] == before["messages"]


def test_another_build_is_a_404_and_a_hold(server: str, workspace: Workspace) -> None:
    take(workspace, friday(1))
    counts = draft(workspace, server, build=OTHER_BUILD).counts
    assert (counts["holds"], counts["requests"]) == ({"wrong_build": 1}, 1)
    assert workspace.one("SELECT attempts FROM candidates") == 0


def test_what_is_too_long_is_not_sent_and_the_server_says_so_too(server: str, workspace: Workspace) -> None:
    texts = [f"and one more thing, number {n}: the weather was lovely, was it not" for n in range(120)]
    take(workspace, line("long", *texts, archetype="courteous", state="new"))
    counts = draft(workspace, server).counts
    assert (counts["holds"], counts["requests"]) == ({"prompt_too_long": 1}, 0)

    async def without_counting() -> None:
        engine = ChatEngine(BUILD, [server], api_key=KEY)
        engine._lengths[server] = None
        try:
            await engine.complete(
                Request(engine_id=BUILD, messages=(PromptPart.of("user", "hello " * 5000),), settings={"max_tokens": 8})
            )
        finally:
            await engine.close()

    with pytest.raises(EngineRefused) as refused:
        asyncio.run(without_counting())
    assert refused.value.reason == "prompt_too_long"


def test_overload_holds_at_no_cost_and_the_next_run_goes_on(
    server: str, workspace: Workspace, record_property: Any
) -> None:
    count = 160
    take(workspace, *(friday(n) for n in range(count)))
    first = draft(workspace, server, in_flight=count, tries=1).counts
    assert set(first["holds"]) <= {"engine_unavailable", "gate:think_leak", "gate:repetition"}
    assert first["holds"].get("engine_unavailable", 0) > 0
    assert workspace.one("SELECT sum(attempts) FROM candidates WHERE hold_reason = 'engine_unavailable'") == 0
    second = draft(workspace, server, in_flight=16).counts
    assert second["holds"].get("engine_unavailable", 0) == 0
    assert (
        first["drafted"] + second["drafted"] + first["held"] - first["holds"]["engine_unavailable"] + second["held"]
        == count
    )
    record_property(
        "figure",
        f"real vLLM, overload: {first['holds']['engine_unavailable']} of {count} held at 503, then all drafted or held for a reason of their own",
    )


def test_temperature_0_is_deterministic_alone_and_together(server: str, workspace: Workspace, tmp_path: Path) -> None:
    edit(workspace, f"engines/{BUILD}.yaml", "temperature: 0.7, top_p: 0.9", "temperature: 0.0")
    lines = [friday(n) for n in range(12)]
    other = Workspace(tmp_path / "other")
    subprocess.run(["cp", "-r", str(workspace.root), str(other.root)], check=True, env=MACHINE)
    take(workspace, *lines)
    take(other, *lines)
    draft(workspace, server, in_flight=12)
    draft(other, server, in_flight=1)
    query = "SELECT candidate_id, n, attempt, output FROM draft_steps JOIN drafts ON id = draft_id ORDER BY 1, 2, 3"
    assert workspace.rows(query) == other.rows(query)
    assert len(workspace.rows(query)) >= 36


def test_the_prefix_cache_pays_for_what_chains_share(server: str, workspace: Workspace, record_property: Any) -> None:
    take(workspace, *(friday(n) for n in range(3)))
    draft(workspace, server)
    take(workspace, *(friday(n) for n in range(3, 53)))
    counts = draft(workspace, server).counts
    share = counts["cached_tokens"] / counts["prompt_tokens"]
    record_property(
        "figure",
        f"real vLLM, 50 candidates: {share:.0%} of {counts['prompt_tokens']:,} prompt tokens from the prefix cache",
    )
    assert share >= 0.8


def test_probe_finds_the_role_that_keeps_the_prefix(
    server: str, mistral_style: str, workspace: Workspace, record_property: Any
) -> None:
    value = workspace.json("engine", "probe", BUILD, **environment(server))
    found = value["endpoints"][0]
    assert found["prefix_stable"] == {"system": True, "user": True}
    assert found["right_build"] is found["constrains_choice"] is found["constrains_schema"] is True
    assert "<|end|>" in found["injectable"]
    assert found["leaking"] == []
    moved = workspace.json("engine", "probe", BUILD, **environment(mistral_style))["endpoints"][0]
    assert moved["prefix_stable"] == {"system": False, "user": True}
    assert moved["best_role"] == "user"
    assert "injectable (" in workspace.ok("engine", "show", BUILD)
    edit(workspace, f"engines/{BUILD}.yaml", "context_role: user ", "context_role: system ")
    wrong = workspace.run("engine", "probe", BUILD, **environment(mistral_style))
    assert wrong.returncode == 1
    assert "set serve.context_role to user" in wrong.stdout
    workspace.ok("engine", "use", BUILD, "--force", "--reason", "test")
    checks = {check["name"]: check for check in workspace.json("doctor", code=1)["checks"]}
    assert checks["engine"]["ok"] is False
    assert workspace.run("engine", "probe", OTHER_BUILD, **environment(server)).returncode == 1
    record_property(
        "figure",
        f"real vLLM, probe: injectable {' '.join(found['injectable'])}; Mistral-style template keeps the prefix as {moved['best_role']} only",
    )


def nested(tokens: tuple[str, ...]) -> Iterator[str]:
    """Yield tokens put into tokens, to depth 3, so that deleting one would put another together."""
    for a, b in product(tokens, repeat=2):
        half = len(a) // 2
        yield a[:half] + b + a[half:]
        yield a[:half] + b[: len(b) // 2] + a + b[len(b) // 2 :] + a[half:]


@pytest.mark.parametrize("which", ["server", "mistral_style"])
def test_no_text_adds_a_control_token_to_the_tokenised_prompt(
    which: str, request: pytest.FixtureRequest, record_property: Any
) -> None:
    url = request.getfixturevalue(which)
    client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
    request.addfinalizer(client.close)

    def tokens(text: str) -> list[int]:
        body = {"model": BUILD, "messages": [{"role": "user", "content": text}], "add_generation_prompt": True}
        return list(client.post("/tokenize", json=body).raise_for_status().json()["tokens"])

    special = json.loads((model_folder() / "tokenizer_config.json").read_text())["extra_special_tokens"]
    mine = (*special, "<|end|>", "<|pad|>")
    control = {
        client.post("/tokenize", json={"model": BUILD, "prompt": t, "add_special_tokens": False}).json()["tokens"][0]
        for t in mine
    }
    own = [t for t in tokens("hello there") if t in control]
    texts = [*known_tokens(), *nested(mine), "".join(mine), *("\u200b".join(t) for t in mine)]
    assert any([t for t in tokens(text) if t in control] != own for text in texts)  # as they are, they do
    for at in range(0, len(texts), 20):
        together = "\n".join(neutralise(text) for text in texts[at : at + 20])[:3500]
        assert [t for t in tokens(together) if t in control] == own
    record_property(
        "figure", f"real vLLM, {which}: {len(texts)} hostile texts, 0 control tokens beyond the template's own"
    )


def model_folder() -> Path:
    done = subprocess.run(
        ["bash", str(HERE / "setup.sh")], stdout=subprocess.PIPE, check=True, text=True, env=dict(os.environ)
    )
    return Path(next(row.removeprefix("MODEL=") for row in done.stdout.splitlines() if row.startswith("MODEL=")))


def test_a_correction_is_in_the_next_batch_and_the_prefix_is_still_cached(workspace: Workspace, server: str) -> None:
    """Made after one batch, shown in the next; and the context with it is paid for once."""
    from draftctl.split import in_training

    people = [n for n in range(60) if in_training(f"t-c{n}", salt="", test_share=0.1)][:12]
    take(workspace, *(friday(n) for n in people[:6]))
    first = draft(workspace, server, in_flight=4)
    drafts = workspace.rows("SELECT candidate_id FROM drafts WHERE status = 'drafted'")
    judged = drafts[0]["candidate_id"] if drafts else f"c{people[0]}"
    asked = ("--body", "Friday is a good day for me. Which hour suits you?")
    workspace.ok(*(("correct", judged, "--verdict", "edited") if drafts else ("reply", judged)), *asked)
    take(workspace, *(friday(n) for n in people[6:]))
    second = draft(workspace, server, in_flight=4)
    ids = ",".join(f"'c{n}'" for n in people[6:])
    shown = workspace.rows(
        "SELECT DISTINCT b.content FROM drafts d JOIN draft_steps s ON s.draft_id = d.id "
        f"JOIN blobs b ON b.sha256 = json_extract(s.messages, '$[0][1][0]') WHERE d.candidate_id IN ({ids})"
    )
    assert len(shown) == 1
    assert "us> Friday is a good day for me. Which hour suits you?" in shown[0]["content"]
    share = [run.counts["cached_tokens"] / run.counts["prompt_tokens"] for run in (first, second)]
    print(f"cached share of prompt tokens: {share[0]:.2f} before the correction, {share[1]:.2f} with it")
    assert share[1] > 0.5


CLASSIFY = f"""\
engine: {BUILD}
compare: true
archetypes: [{{is: rude, any: [stupid]}}, {{is: hurried}}]
states: [{{is: new}}]
context: [safety rules]
steps:
  - think: who writes here, and what do they want
  - choose: which kind of person writes
    as: archetype
  - choose: where does the thread stand
    as: state
    options: [new, named]
  - extract: what is known of them
    as: known
    schema:
      type: object
      additionalProperties: false
      required: [name, wants]
      properties:
        name: {{type: string, maxLength: 24}}
        wants: {{enum: [a day, a chat, nothing]}}
"""


def test_a_raw_inbox_goes_all_the_way_with_a_model_that_classifies(
    server: str, workspace: Workspace, record_property: Any
) -> None:
    workspace.commit("workflows/classify.yaml", CLASSIFY)
    for attempt in range(3):  # what the model was at a loss about is asked again
        value = workspace.json(
            "run", "-i", "examples/raw-inbox.jsonl", "--engine", BUILD, "--to", "file:out.jsonl", **environment(server)
        )
        if attempt == 0:
            first = value
    assert first["ingested"] == first["claimed"] == 30
    assert not {"engine_unavailable", "wrong_build", "internal_error", "unclassified"} & set(first["holds"])
    rows = workspace.rows("SELECT id, status, hold_reason, archetype, state FROM candidates")
    assert {row["status"] for row in rows} <= {"drafted", "held"}
    asked = {
        row["candidate_id"]: row["engine_id"]
        for row in workspace.rows(
            "SELECT candidate_id, engine_id FROM decisions WHERE kind = 'classify' AND outcome = 'set'"
        )
    }
    assert len(asked) >= 10
    assert set(asked.values()) == {BUILD}
    for row in rows:
        told = workspace.json("why", row["id"])
        assert told["meaning"]
        assert told["next"]
        if row["id"] in asked:
            assert row["archetype"]
            assert row["state"]
            assert workspace.json("show", row["id"], "--prompt")["prompt_verified"] is True
    gates = {
        row["id"] for row in rows if str(row["hold_reason"]).startswith(("gate:minor", "gate:opt_out", "gate:coercion"))
    }
    assert not gates & set(asked), "no model is asked about what a gate stops"
    differ = workspace.one("SELECT count(*) FROM decisions WHERE kind = 'classify' AND outcome = 'disagree'")
    for row in rows:
        if row["status"] == "drafted":
            workspace.ok("correct", row["id"], "--verdict", "approved")
    sent = workspace.json("run", "--engine", BUILD, "--to", "file:out.jsonl", **environment(server))["dispatch"]["sent"]
    assert sent == sum(row["status"] == "drafted" for row in rows) > 0
    assert workspace.json("audit", "verify")["ok"] is True
    record_property(
        "figure",
        f"real vLLM, raw inbox classified by the model: {len(asked)} of 30 asked, {differ} otherwise than by the rules, {sent} drafted and sent, "
        f"{first['holds']} after the first run, {first['requests']} requests",
    )


def test_a_trial_answers_for_real_and_a_live_test_is_remembered_offline(server: str, workspace: Workspace) -> None:
    (workspace.root / "one.json").write_text(friday(1))
    command = ("workflow", "try", "first-reply", "--candidate", "one.json", "-n", "3", "--engine", BUILD)
    value = workspace.json(*command, **environment(server))
    assert len(value["tries"]) == 3
    assert all(one["body"] or one["held"] for one in value["tries"])
    assert len({one["steps"][0]["output"] for one in value["tries"]}) > 1, "each sample has a seed of its own"
    asked = sum(one["asked"] for one in value["tries"])
    again = workspace.json(*command, **environment(server))
    whole = [one for one, other in zip(value["tries"], again["tries"], strict=True) if other["asked"] == 0]
    assert sum(one["asked"] for one in again["tries"]) < asked
    assert whole, "what was answered whole is not asked again"
    assert workspace.one("SELECT count(*) FROM drafts") == 0
    path = workspace.root / "workflows/first-reply.yaml"
    path.write_text(
        path.read_text()
        + "  - {name: asked, inbound: are you free on friday, expect: {steps.think1: nobody says this}}\n"
    )
    live = workspace.json(
        "workflow", "test", "first-reply", "-k", "asked", "--live", "--engine", BUILD, code=1, **environment(server)
    )
    assert live["tests"][0]["failures"][0].startswith("steps.think1 is ")
    offline = json.loads(
        workspace.run("workflow", "test", "first-reply", "-k", "asked", "--engine", BUILD, "--json").stdout
    )
    assert offline["tests"][0]["failures"] == live["tests"][0]["failures"], "what was said whole is remembered"
