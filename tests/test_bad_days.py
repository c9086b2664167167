"""Every way in which a server can fail: a hold with its own reason and no body while it lasts, a draft when it is over."""

import io
import json
import time
from itertools import pairwise
from typing import Any

import pytest

from draftctl.batch import Limits
from draftctl.engines.chat import ChatEngine
from draftctl.engines.endpoints import parse_endpoints
from draftctl.errors import UsageError
from draftctl.service import RunOptions, RunResult, run, take_input
from draftctl.store import people
from draftctl.store.db import open_database, transaction
from tests.conftest import BUILD, Workspace, line
from tests.played_server import REPLY, Behaviour, Connection, PlayedServer, completion, good, sensible, step_of


def says(text: str | None, **changed: Any) -> Behaviour:
    def answer(connection: Connection, asked: dict[str, Any]) -> None:
        connection.send(200, completion(asked, text, **changed))

    return answer


def sends(status: int, body: bytes | dict[str, Any] = b"", *headers: str, kind: str = "application/json") -> Behaviour:
    return lambda connection, _asked: connection.send(status, body, *headers, kind=kind)


def in_draft(fault: Behaviour) -> Behaviour:
    """Play a fault in the draft step alone."""

    def answer(connection: Connection, asked: dict[str, Any]) -> None:
        last = step_of(asked)
        (fault if last.startswith(("Write the reply", "That reply cannot")) else good)(connection, asked)

    return answer


def reset(connection: Connection, _asked: dict[str, Any]) -> None:
    connection.transport.abort()


def hang(_connection: Connection, _asked: dict[str, Any]) -> None:
    pass


def drip(connection: Connection, _asked: dict[str, Any]) -> None:
    import asyncio

    connection.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")

    async def drop() -> None:
        for _ in range(200):
            connection.raw(b" ")
            await asyncio.sleep(0.02)

    connection.dripping = asyncio.get_running_loop().create_task(drop())  # type: ignore[attr-defined]


def half_a_body(connection: Connection, asked: dict[str, Any]) -> None:
    body = json.dumps(completion(asked, REPLY)).encode()
    connection.raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body[:40])
    )
    connection.transport.close()


def too_large(connection: Connection, _asked: dict[str, Any]) -> None:
    connection.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n")


def echo_of_thought(connection: Connection, asked: dict[str, Any]) -> None:
    thought = next(m["content"] for m in asked["messages"] if m["role"] == "assistant")
    connection.send(200, completion(asked, f"Well. {thought}"))


ERROR = {"error": {"message": "boom", "type": "InternalServerError", "param": None, "code": 500}}
LONG = {
    "error": {
        "message": "This model's maximum context length is 2048 tokens.",
        "type": "BadRequestError",
        "param": "input_text",
        "code": 400,
    }
}
FAULTS: dict[str, tuple[Behaviour, str]] = {
    "500": (sends(500, ERROR), "engine_unavailable"),
    "503": (sends(503, ERROR), "engine_unavailable"),
    "429 with Retry-After": (sends(429, ERROR, "Retry-After: 0"), "engine_unavailable"),
    "reset": (reset, "engine_unavailable"),
    "hang": (hang, "engine_unavailable"),
    "drip-feed": (drip, "engine_unavailable"),
    "half a body": (half_a_body, "engine_unavailable"),
    "no HTTP": (lambda c, _: c.raw(b"\x16\x03\x01 not http\r\n\r\n"), "bad_response"),
    "HTML": (sends(200, b"<html>hello</html>", kind="text/html"), "bad_response"),
    "truncated JSON": (sends(200, b'{"choices": [{"mess'), "bad_response"),
    "bad UTF-8": (sends(200, b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'), "bad_response"),
    "half a surrogate": (sends(200, b'{"model": "x", "choices": [{"finish_reason": "stop", "message": {"content": "\\ud83d"}}]}'), "bad_response"),
    "redirect": (sends(302, b"", "Location: http://127.0.0.1:1/"), "bad_response"),
    "a list": (sends(200, b"[]"), "bad_response"),
    "too large": (too_large, "bad_response"),
    "no choices": (lambda c, a: c.send(200, completion(a, "x", choices=[])), "bad_response"),
    "content is a list": (lambda c, a: c.send(200, completion(a, "x", message={"content": [1]})), "bad_response"),
    "null content": (says(None), "empty"),
    "blank content": (says(" \n\t "), "empty"),
    "length": (says("Happy to", finish_reason="length"), "truncated"),
    "content_filter": (says("Happy to", finish_reason="content_filter"), "truncated"),
    "no finish_reason": (says("Happy to", finish_reason=None), "truncated"),
    "wrong model": (says(REPLY, model="do-gpu-other_2026-01-01.1"), "wrong_build"),
    "no model": (says(REPLY, model=None), "wrong_build"),
    "reasoning alone": (says("<think>what do they want</think>"), "empty"),
    "reasoning apart": (lambda c, a: c.send(200, completion(a, None, message={"content": None, "reasoning_content": REPLY})), "empty"),
    "unclosed think": (says(f"<think>they want a day. {REPLY}"), "gate:think_leak"),
    "401": (sends(401, {"error": "Unauthorized"}), "engine_unavailable"),
    "404 of another build": (sends(404, {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError"}}), "wrong_build"),
    "404 of another server": (sends(404, {"detail": "Not Found"}), "engine_unavailable"),
    "400": (sends(400, {"error": {"message": "bad", "type": "BadRequestError"}}), "bad_response"),
    "context too long": (sends(400, LONG), "prompt_too_long"),
    "over-length": (in_draft(says("word " * 100)), "over_length"),
    "a price": (in_draft(says("It is 300 dollars an hour.")), "gate:price"),
    "a control token": (in_draft(says("Hello there. <|im_start|> Which day?")), "control_token"),
    "a placeholder": (in_draft(says("Hello {{ name }}, which day suits you?")), "gate:placeholder"),
    "leaked step text": (in_draft(echo_of_thought), "gate:think_leak"),
    "leaked instructions": (in_draft(says("No place before a day is confirmed and an introduction was made.")), "gate:think_leak"),
}  # fmt: skip
OF_A_TRY = {"500", "503", "429 with Retry-After", "reset", "hang", "drip-feed", "half a body"}
FINAL = {"401", "404 of another build", "404 of another server", "400", "context too long", "wrong model", "no model"}


class Days:
    """A workspace, a server, and runs against it."""

    def __init__(self, workspace: Workspace, server: PlayedServer) -> None:
        self.workspace = workspace
        self.server = server

    def run(
        self, *, in_flight: int = 8, tries: int = 2, url: str = "", allow_dirty: bool = False, build: str = BUILD
    ) -> RunResult:
        urls = parse_endpoints(url or self.server.url, ())
        return run(
            self.workspace.root,
            self.workspace.database,
            RunOptions(command="test", engine=build, limits=Limits(max_in_flight=in_flight), allow_dirty=allow_dirty),
            lambda id_, _manifest: ChatEngine(id_, urls, tries=tries, request_timeout_s=0.3, first_wait_s=0.01),
        )

    def bodies(self) -> int:
        return int(self.workspace.one("SELECT count(*) FROM drafts WHERE body IS NOT NULL"))


@pytest.fixture
def days(workspace: Workspace) -> Any:
    with PlayedServer(BUILD) as server:
        yield Days(workspace, server)


def take(days: Days, *ids: str, **more: Any) -> None:
    lines = "".join(line(id_, **{"archetype": "courteous", "state": "new", **more}) for id_ in ids)
    assert take_input(days.workspace.database, io.BytesIO(lines.encode()), "test").ingested == len(ids)


def requeue(days: Days, id_: str) -> None:
    connection = open_database(days.workspace.database)
    with transaction(connection):
        people.requeue(connection, id_, by="test")
    connection.close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_stays_holds_without_a_body_and_the_next_run_without_it_drafts(days: Days, name: str) -> None:
    fault, reason = FAULTS[name]
    take(days, "a")
    days.server.always = fault
    counts = days.run().counts
    assert (counts["drafted"], counts["holds"]) == (0, {reason: 1})
    assert days.bodies() == 0
    assert days.workspace.one("SELECT attempts FROM candidates") == (reason in ("bad_response", "empty", "truncated"))
    if name in OF_A_TRY:
        assert counts["requests"] == 2
    if name in FINAL:
        assert counts["requests"] == 1
    days.server.always = good
    requeue(days, "a")
    assert days.run().counts["drafted"] == 1


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in FINAL])
def test_a_fault_that_passes_is_cured_by_a_retry(days: Days, name: str) -> None:
    fault, _ = FAULTS[name]
    take(days, "a")
    played = {"left": 1}

    def once(connection: Connection, asked: dict[str, Any]) -> None:
        last = step_of(asked)
        here = last.startswith("Write the reply") or name not in IN_DRAFT
        if here and played["left"]:
            played["left"] = 0
            fault(connection, asked)
        else:
            good(connection, asked)

    days.server.always = once
    counts = days.run().counts
    assert counts["drafted"] == 1, counts
    assert days.workspace.one("SELECT body FROM drafts") == REPLY
    assert counts["requests"] == 4


IN_DRAFT = {"over-length", "a price", "a control token", "a placeholder", "leaked step text", "leaked instructions"}


def test_holds_of_an_outage_and_of_another_build_are_asked_again_by_the_next_run_and_cost_no_attempt(
    days: Days,
) -> None:
    take(days, "a", "b", "c")
    for fault in ("500", "401", "404 of another build"):
        days.server.always = FAULTS[fault][0]
        for _ in range(7):  # more often than max_attempts
            assert days.run(tries=1).counts["held"] == 3
    days.server.always = good
    assert days.run().counts["drafted"] == 3


def test_the_breaker_opens_and_the_rest_is_not_asked(days: Days) -> None:
    take(days, *(f"c{n}" for n in range(40)))
    days.server.always = FAULTS["reset"][0]
    counts = days.run(in_flight=1, tries=1).counts
    assert counts["holds"] == {"engine_unavailable": 40}
    assert counts["requests"] == 5
    assert days.run(url="http://127.0.0.1:9").exit_code == 4


def test_a_server_that_dies_in_the_middle_and_comes_back_loses_nothing(days: Days) -> None:
    take(days, *(f"c{n}" for n in range(30)))
    days.server.always = lambda c, a: (reset if 20 < c.server.sent <= 60 else good)(c, a)
    runs = [days.run(in_flight=4).counts for _ in range(6)]
    assert runs[0]["drafted"] + runs[0]["held"] == 30
    assert {reason for counts in runs for reason in counts["holds"]} == {"engine_unavailable"}
    assert sum(counts["drafted"] for counts in runs) == 30
    assert days.workspace.one("SELECT count(DISTINCT candidate_id) FROM drafts WHERE status = 'drafted'") == 30


def test_what_a_step_was_answered_is_not_asked_again_after_an_outage(days: Days) -> None:
    take(days, "a")
    days.server.always = in_draft(sends(503))
    assert days.run().counts["holds"] == {"engine_unavailable": 1}
    days.server.always = good
    before = days.server.sent
    assert days.run().counts["drafted"] == 1
    assert days.server.sent - before == 1
    assert (
        days.workspace.one("SELECT count(*) FROM draft_steps JOIN drafts ON id = draft_id WHERE status = 'drafted'")
        == 3
    )
    assert days.workspace.one("SELECT count(*) FROM checkpoints") == 0


def test_a_reply_that_does_not_pass_is_drafted_anew_with_the_reason_and_then_holds(days: Days) -> None:
    take(days, "a")
    days.server.always = in_draft(says("word " * 100))
    days.run()
    asked = [a["messages"] for a in days.server.asked]
    assert [len(m) for m in asked] == [1, 3, 5, 7, 9]
    assert "it is 179 characters over 320" in asked[-1][-1]["content"]
    for before, after in pairwise(asked):
        assert after[: len(before)] == before  # turns are only ever appended
    steps = days.workspace.rows("SELECT n, attempt, finish_reason FROM draft_steps ORDER BY n, attempt")
    assert [(s["n"], s["attempt"]) for s in steps] == [(1, 1), (2, 1), (3, 1), (3, 2), (3, 3)]


def test_a_closed_think_is_cut_away_and_the_rest_serves(days: Days) -> None:
    take(days, "a")
    days.server.always = in_draft(says(f"<think>they want a day</think>\n{REPLY}"))
    days.run()
    assert days.workspace.one("SELECT body FROM drafts") == REPLY
    assert "<think>" in days.workspace.one("SELECT output FROM draft_steps WHERE verb = 'draft'")


def test_reasoning_never_goes_back_into_the_conversation(days: Days) -> None:
    take(days, "a")
    days.server.always = lambda c, a: c.send(200, completion(a, f"<think>secret</think>{sensible(a)}"))
    days.run()
    assert "secret" not in json.dumps([a["messages"] for a in days.server.asked])


def test_a_prompt_that_cannot_fit_is_not_sent(days: Days) -> None:
    take(days, "a")
    days.server.max_model_len = 600
    counts = days.run().counts
    assert counts["holds"] == {"prompt_too_long": 1}
    assert days.server.sent == counts["requests"] == 0


def test_choose_extract_and_critique_are_checked_here_whatever_the_server_constrains(days: Days) -> None:
    take(days, "a", key="availability", state="scheduling")
    days.server.always = lambda c, a: c.send(200, completion(a, "no idea"))
    assert days.run().counts["holds"] == {"invalid_step": 1}
    assert days.server.sent == 2
    days.server.always = lambda c, a: c.send(200, completion(a, '{"day": "friday", "time": 7}'))
    assert days.run().counts["holds"] == {"invalid_step": 1}
    days.server.always = good
    assert days.run().counts["drafted"] == 1
    assert "They named friday." in days.server.asked[-1]["messages"][4]["content"]


def test_a_critique_that_says_no_asks_for_another_draft_with_its_reasons(days: Days) -> None:
    take(days, "a", key="not-in-writing")

    def critical(connection: Connection, asked: dict[str, Any]) -> None:
        text = json.dumps({"ok": False, "reasons": ["too cold"]}) if "response_format" in asked else sensible(asked)
        connection.send(200, completion(asked, text))

    days.server.always = critical
    assert days.run().counts["holds"] == {"critique": 1}
    assert "too cold" in days.server.asked[-2]["messages"][-1]["content"]
    assert days.workspace.rows("SELECT verb, attempt FROM draft_steps ORDER BY n, attempt")[-1] == {
        "verb": "critique",
        "attempt": 2,
    }


def test_a_chain_stays_on_one_endpoint_and_moves_when_it_fails(days: Days) -> None:
    take(days, *(f"c{n}" for n in range(24)))
    with PlayedServer(BUILD) as other:
        assert days.run(url=f"{days.server.url},{other.url}/v1/").counts["drafted"] == 24
        assert days.server.sent + other.sent == 72
        assert days.server.sent % 3 == other.sent % 3 == 0
        assert min(days.server.sent, other.sent) > 0
        take(days, *(f"d{n}" for n in range(12)))
        other.always = reset
        assert days.run(url=f"{days.server.url},{other.url}").counts["drafted"] == 12


def test_the_first_request_of_each_prefix_goes_ahead(days: Days) -> None:
    take(days, *(f"c{n}" for n in range(16)))
    days.server.latency_s = 0.1
    seen: list[int] = []
    days.server.always = lambda c, a: (seen.append(c.server.most_in_flight), good(c, a))[1]
    days.run(in_flight=16)
    assert seen[0] == 1  # alone until it was answered
    assert max(seen) > 8


def test_connections_are_as_many_as_requests_in_flight(days: Days) -> None:
    take(days, *(f"c{n}" for n in range(60)))
    days.server.latency_s = 0.01
    days.run(in_flight=8)
    assert days.server.connections <= 8 + 1  # and the one that asked for the model list


@pytest.mark.parametrize(
    ("scheme", "host", "allowed", "result"),
    [
        ("http", "127.0.0.1:8000/v1", (), "127.0.0.1:8000"),
        ("http", "localhost:8000/", (), "localhost:8000"),
        ("http", "10.1.2.3", (), "10.1.2.3"),
        ("http", "[::1]:8000/v1/", (), "[::1]:8000"),
        ("http", "[fd00::1]:8000", (), "[fd00::1]:8000"),
        ("http", "[::ffff:10.0.0.1]:1", (), "[::ffff:10.0.0.1]:1"),
        ("https", "gpu.example", ("gpu.example",), "gpu.example"),
        ("http", "gpu.example", ("gpu.example",), None),
        ("https", "gpu.example", (), None),
        ("https", "gpu.example.evil", ("gpu.example",), None),
        ("http", "172.32.0.1", (), None),
        ("http", "169.254.169.254", (), None),
        ("http", "0.0.0.0:8000", (), None),
        ("http", "8.8.8.8", ("8.8.8.8",), None),
        ("http", "[::ffff:8.8.8.8]", (), None),
        ("https", "127.0.0.1@evil.example", (), None),
        ("http", "127.0.0.1.evil.example", (), None),
        ("http", "user:pw@127.0.0.1", (), None),
        ("http", "127.0.0.1/?key=x", (), None),
        ("http", "127.0.0.1:99999", (), None),
        ("ftp", "127.0.0.1", (), None),
    ],
)
def test_only_loopback_private_and_listed_endpoints(
    scheme: str, host: str, allowed: tuple[str, ...], result: str | None
) -> None:
    url = f"{scheme}://{host}"
    if result is None:
        with pytest.raises(UsageError):
            parse_endpoints(url, allowed)
    else:
        assert parse_endpoints(url, allowed) == (f"{scheme}://{result}",)


@pytest.mark.parametrize("text", ["127.0.0.1:8000", " , ", "", "localhost"])
def test_an_endpoint_is_a_url(text: str) -> None:
    with pytest.raises(UsageError):
        parse_endpoints(text, ())


def test_an_endpoint_that_is_not_allowed_ends_the_run_with_2_and_the_input_is_kept(days: Days) -> None:
    done = days.workspace.run(
        "draft",
        "--batch",
        "-i",
        "-",
        "--engine",
        BUILD,
        stdin=line("a"),
        GPU_INFERENCE_URL="https://example.com/v1",
    )
    assert done.returncode == 2
    assert "allowed_hosts" in done.stderr
    assert days.workspace.one("SELECT status FROM candidates") == "waiting"


def test_the_key_goes_along_and_is_kept_nowhere(days: Days) -> None:
    take(days, "a")
    days.server.key = b"sk-very-secret"
    environment = {"GPU_INFERENCE_URL": f"{days.server.url}/v1", "GPU_INFERENCE_API_KEY": "sk-very-secret"}
    value = days.workspace.json("draft", "--batch", "--engine", BUILD, **environment)
    assert (value["drafted"], value["requests"], value["prompt_tokens"], value["cached_tokens"]) == (1, 3, 300, 240)
    assert b"very-secret" not in days.workspace.database.read_bytes()
    draft = days.workspace.json("show", "a", "--prompt")
    assert draft["draft"]["attested"] == "name"
    assert draft["draft"]["fingerprint"] == "played-1"


def test_a_pause_ends_a_hanging_batch_within_a_second(days: Days) -> None:
    take(days, *(f"c{n}" for n in range(4)))
    days.server.always = hang
    process = days.workspace.start("draft", "--batch", "--engine", BUILD, "--json", GPU_INFERENCE_URL=days.server.url)
    deadline = time.monotonic() + 10
    while days.server.sent == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    days.workspace.ok("pause", "--reason", "test")
    paused = time.monotonic()
    out, _ = process.communicate(timeout=10)
    assert time.monotonic() - paused < 2
    assert json.loads(out)["stopped"] == "paused"
    assert days.workspace.one("SELECT count(*) FROM candidates WHERE status = 'waiting'") == 4
