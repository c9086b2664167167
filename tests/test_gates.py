"""The gates against their cases (tests/gates/*.yaml), with the figures printed; and what holds for every gate."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from draftctl.gates import GATES
from draftctl.gates.base import Around, Gate, Side
from draftctl.gates.opt_out import is_bare_stop
from draftctl.gates.owner import check_owner

CASES = Path(__file__).parent / "gates"
BY_NAME = {gate.name: gate for gate in GATES}
NOTHING_MISSED = {"minor", "coercion", "self_harm", "opt_out", "price", "payment", "personal_data"}
MAX_FALSE_ALARMS = 0.05
MIN_BENIGN = 1 / 3
MIN_CASES = 40


def _cases(name: str) -> dict[str, dict[str, list[Any]]]:
    value: Any = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    return value


def _hit(gate: Gate, case: Any, side: Side) -> str | None:
    """Run a case: a text, or a text with what is around it."""
    if isinstance(case, str):
        return gate.check(case, side)
    around = Around(
        inbound=tuple(case.get("inbound", ())),
        sent=tuple(case.get("sent", ())),
        drafted=tuple(case.get("drafted", ())),
        atoms=case.get("atoms"),
    )
    return gate.check(case["text"], side, around)


def test_every_gate_has_cases_and_every_file_a_gate() -> None:
    assert {path.stem for path in CASES.glob("*.yaml")} == set(BY_NAME)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_gate(name: str, record_property: Callable[[str, object], None]) -> None:
    gate = BY_NAME[name]
    missed, false_alarms, stops, benign = [], [], 0, 0
    for side, kinds in _cases(name).items():
        assert side in gate.sides
        for kind, texts in kinds.items():
            for text in texts:
                hit = _hit(gate, text, side)  # type: ignore[arg-type]
                if kind == "benign":
                    benign += 1
                    false_alarms += [(text, hit)] if hit else []
                else:
                    stops += 1
                    missed += [] if hit else [(kind, text)]
    record_property(
        "figure", f"gate {name}: {len(missed)} of {stops} missed, {len(false_alarms)} of {benign} false alarms"
    )
    assert stops + benign >= MIN_CASES
    assert benign >= MIN_BENIGN * (stops + benign), "at least a third of the cases must be harmless"
    assert len(false_alarms) <= MAX_FALSE_ALARMS * benign, false_alarms
    assert not missed if name in NOTHING_MISSED else len(missed) <= MAX_FALSE_ALARMS * stops, missed


@given(st.text(max_size=400))
def test_no_text_makes_a_gate_raise(text: str) -> None:
    for gate in GATES:
        for side in gate.sides:
            gate.check(text, side)
            gate.check(text, side, Around(inbound=(text[:40],), sent=(text,), atoms={"name": text}))


def test_bare_stop_words() -> None:
    assert all(is_bare_stop(word) for word in ("STOP", "stop.", " Stop ", "unsubscribe", "STOP please", "ѕtор", "стоп"))
    assert not any(is_bare_stop(word) for word in ("stop by at 8", "bus stop", "please", "", "can't stop", "the end"))


def test_the_owners_patterns_meet_whole_words_and_wildcards() -> None:
    patterns = [("press", "journalis*", "inbound"), ("name", "grand hotel", "body")]
    assert check_owner("I am a JOURNALIST", "inbound", patterns) == "press"
    assert check_owner("the Grand-Hotel", "body", patterns) == "name"
    assert check_owner("grand hotel", "inbound", patterns) is None
    assert check_owner("grandhotels", "body", patterns) is None


@pytest.mark.parametrize(
    "text",
    [
        "Thank you for writing. Which day did you have in mind?",
        "Thank you for writing, Alex. Which day did you have in mind?",
    ],
)
def test_an_ordinary_reply_passes_every_gate(text: str) -> None:
    assert [gate.name for gate in GATES if "body" in gate.sides and gate.check(text, "body")] == []


@pytest.mark.parametrize("filler", ["\ufdfa", "\u2474", "\u337f", "\u00bd", "x", "\u2470"])
def test_nothing_hides_behind_a_long_text(filler: str) -> None:
    for length in (450, 3990, 20_000):
        assert BY_NAME["minor"].check(f"{filler * length} im 16, ok? {filler * length}", "inbound") == "own-age"
    assert not is_bare_stop("stop " * 40)
