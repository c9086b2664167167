"""One candidate -> Drafted | Held, with engines and gates that misbehave; and a batch around them."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from draftctl.batch import Batch, Breaker, Limits, Report
from draftctl.canon import Canon, Note, PatternFile
from draftctl.engines.base import Completion, Engine, EngineRefused, Request
from draftctl.engines.template import TemplateEngine
from draftctl.errors import EngineUnreachable
from draftctl.gates import GATES
from draftctl.gates.base import Gate
from draftctl.inbox import Accepted, parse_line
from draftctl.models import Alert, Drafted, Held, Outcome, Person, sha256_text
from draftctl.runner import Deps, draft_one
from draftctl.store.db import open_database, transaction
from draftctl.store.jobs import add_candidate
from draftctl.store.results import Provenance
from tests.conftest import candidate, line

CANON = Canon(
    notes={
        "①": Note(key="①", name="greeting", text="Hello, which day?"),
        "②": Note(key="②", name="short", text="Hello you", max_chars=5),
    },
    patterns=(
        PatternFile(id="press", words="journalis*", on="inbound"),
        PatternFile(id="hall", words="town hall", on="body"),
    ),
)
GOOD = Completion(text="Hello, which day?", model="template", finish_reason="stop")


class Scripted:
    """An engine that answers, or raises, as it was told."""

    id = "template"

    def __init__(self, *answers: Completion | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    @property
    def sent(self) -> int:
        return self.asked

    async def close(self) -> None:
        pass

    async def complete(self, request: Request) -> Completion:  # noqa: ARG002
        self.asked += 1
        answer = self.answers[min(self.asked, len(self.answers)) - 1]
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def decide(
    engine: Engine, *texts: str, person: Person | None = None, gates: tuple[Gate, ...] = GATES, **more: object
) -> Outcome:
    one = candidate(*texts, **more)
    return asyncio.run(draft_one(one, person or Person(), Deps(engine=engine, canon=CANON, gates=gates))).outcome


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (replace(GOOD, model="other"), "wrong_build"),
        (replace(GOOD, model=""), "wrong_build"),
        (replace(GOOD, finish_reason="length"), "truncated"),
        (replace(GOOD, finish_reason="content_filter"), "truncated"),
        (replace(GOOD, text=" \n"), "empty"),
        (replace(GOOD, text="a word " * 200), "over_length"),
        (replace(GOOD, text="It is $300."), "gate:price"),
        (replace(GOOD, text="<think>hm</think> Hello"), "gate:think_leak"),
        (replace(GOOD, text="See you at the town hall."), "gate:owner"),
        (EngineUnreachable("down"), "engine_unavailable"),
        (EngineRefused("truncated", "cut"), "truncated"),
    ],
)
def test_only_a_whole_answer_of_the_right_build_past_every_gate_is_a_draft(
    answer: Completion | Exception, reason: str
) -> None:
    outcome = decide(Scripted(answer))
    assert isinstance(outcome, Held)
    assert outcome.reason == reason
    assert isinstance(decide(Scripted(GOOD)), Drafted)


@pytest.mark.parametrize(
    ("person", "texts", "more", "reason"),
    [
        (Person(opted_out=True), ("hello",), {}, "opted_out"),
        (Person(opted_out=True), ("STOP",), {}, "opted_out"),
        (Person(opted_out=True), ("i want to die",), {}, "gate:self_harm"),
        (Person(flagged=True), ("hello",), {}, "person_flagged"),
        (Person(flagged=True), ("im 15",), {}, "gate:minor"),
        (Person(), ("hello",), {"mode": "hold"}, "mode_hold"),
        (Person(), ("im 15",), {"mode": "hold"}, "gate:minor"),
        (Person(), ("hello",), {"key": None}, "unclassified"),
        (Person(), ("hello",), {"key": "⑨"}, "missing_note"),
        (Person(), ("hello",), {"key": "②"}, "over_length"),
        (Person(), ("I am a journalist",), {}, "gate:owner"),
        (Person(), ("im 15", "just kidding", "hello"), {}, "gate:minor"),
    ],
)
def test_the_order_of_what_comes_first(
    person: Person, texts: tuple[str, ...], more: dict[str, object], reason: str
) -> None:
    outcome = decide(TemplateEngine(), *texts, person=person, **more)
    assert isinstance(outcome, Held)
    assert outcome.reason == reason


def test_no_engine_is_asked_when_the_inbound_holds() -> None:
    engine = Scripted(GOOD)
    decide(engine, "im 15")
    assert engine.asked == 0


def test_a_message_that_a_person_has_cleared_does_not_stop_again_but_a_new_one_does() -> None:
    cleared = Person(cleared=frozenset({Alert(gate="minor", message_sha256=sha256_text("im 15"))}))
    assert isinstance(decide(TemplateEngine(), "im 15", "hello", person=cleared), Drafted)
    assert isinstance(decide(TemplateEngine(), "im 15", "im really 15", person=cleared), Held)


@pytest.mark.parametrize("side", ["inbound", "body"])
def test_a_gate_that_fails_holds(side: str) -> None:
    def broken(*_: object) -> str | None:
        raise ZeroDivisionError

    gate = Gate(name="price", version=1, why="", sides=frozenset({side}), check=broken)  # type: ignore[arg-type]
    outcome = decide(TemplateEngine(), gates=(gate,))
    assert isinstance(outcome, Held)
    assert outcome.reason == "gate:price"
    assert "ZeroDivisionError" in outcome.detail


def run_batch(path: Path, engine: Engine, count: int, **limits: int) -> Report:
    connection = open_database(path)
    with transaction(connection):
        for n in range(count):
            read = parse_line(line(f"m{n}", *(["im 15"] if n == count - 1 else [])).strip().encode())
            assert isinstance(read, Accepted)
            add_candidate(connection, read, "r")
    connection.close()
    provenance = Provenance(run_id="r", engine_id="template", git_commit=None, git_state="unknown", reopen_key="k")
    alerts: list[str] = []
    batch = Batch(
        path,
        Deps(engine=engine, canon=CANON),
        provenance,
        Limits(**{"max_in_flight": 4, **limits}),
        watch=lambda _report: None,
        alert=lambda _candidate, _person, gate: alerts.append(gate),
    )
    report = asyncio.run(batch.run())
    assert alerts == (["minor"] if report.holds["gate:minor"] else [])
    return report


def test_an_engine_that_is_down_is_given_up_and_the_rest_still_passes_the_inbound_gates(tmp_path: Path) -> None:
    engine = Scripted(EngineUnreachable("down"))
    report = run_batch(tmp_path / "a.db", engine, 40)
    assert report.holds == {"engine_unavailable": 39, "gate:minor": 1}
    assert report.unreachable
    assert engine.asked < 15


def test_a_bug_in_one_candidate_holds_it_and_the_others_go_on(tmp_path: Path) -> None:
    report = run_batch(tmp_path / "a.db", Scripted(GOOD, ZeroDivisionError("secret text"), GOOD), 10, max_in_flight=1)
    assert report.holds == {"internal_error": 1, "gate:minor": 1}
    assert report.drafted == 8
    connection = sqlite3.connect(tmp_path / "a.db")
    detail = connection.execute("SELECT hold_detail FROM candidates WHERE hold_reason = 'internal_error'").fetchone()[0]
    connection.close()
    assert detail.startswith("ZeroDivisionError at test_runner.py")
    assert "secret" not in detail


def test_the_breaker_counts_failures_in_a_row() -> None:
    breaker = Breaker()
    down, up = Held(reason="engine_unavailable"), Drafted(body="x")
    for outcome, asked, is_open in (
        [(down, False, False)] * 4 + [(up, True, False)] + [(down, False, False)] * 4 + [(down, False, True)]
    ):
        breaker.note(outcome, asked=asked)
        assert breaker.open is is_open


def test_a_time_budget_ends_a_run_and_gives_the_rest_back(tmp_path: Path) -> None:
    class Slow(Scripted):
        async def complete(self, request: Request) -> Completion:
            await asyncio.sleep(0.2)
            return await super().complete(request)

    report = run_batch(tmp_path / "a.db", Slow(GOOD), 200, time_budget_s=0)
    assert report.stopped == "time"
    connection = sqlite3.connect(tmp_path / "a.db")
    states = dict(connection.execute("SELECT status, count(*) FROM candidates GROUP BY 1").fetchall())
    connection.close()
    assert states["waiting"] > 100
    assert "drafting" not in states
