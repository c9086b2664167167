"""workflows/classify.yaml and workflows/decisions.yaml: every fault at its place, and what is chosen."""

import random
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from draftctl.canon import parse_canon
from draftctl.classifier import CLASSIFY, Situation, parse_classifier
from draftctl.decisions import DECISIONS, parse_decisions, read_decisions
from draftctl.decisions import warnings_of as gaps_of
from draftctl.errors import FileProblems
from draftctl.phrases import FLAG, take
from draftctl.starter import starter_folder
from draftctl.vocab import parse_vocab
from draftctl.yamlfile import LOADERS
from tests.conftest import Workspace

FAULTS: Any = yaml.safe_load((Path(__file__).parent / "stages" / "faults.yaml").read_text())
ROOT = starter_folder()
CANON = parse_canon({"pastebin/notes.yaml": (ROOT / "pastebin" / "notes.yaml").read_bytes()})
VOCAB = parse_vocab(b"archetypes: [courteous, hesitant]\nstates: [new, named, screened]\n")
SHIPPED = parse_vocab((ROOT / "workflows" / "vocab.yaml").read_bytes())


@pytest.mark.parametrize("loader", sorted(LOADERS))
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, cases in FAULTS.items() for name in cases])
def test_every_fault_is_one_message_at_its_place(
    kind: str, name: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("draftctl.yamlfile.LOADERS", {"c": LOADERS[loader], "python": LOADERS[loader]})
    case = FAULTS[kind][name]
    before, _, after = case["text"].partition("^")
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    parse = parse_classifier if kind == "classify" else parse_decisions
    with pytest.raises(FileProblems) as caught:
        parse((before + after).encode(), CANON, VOCAB)
    problems = caught.value.problems
    assert [(p.rule, p.line, p.column) for p in problems] == [(case["rule"], line, column)], [str(p) for p in problems]
    shown = str(problems[0])
    assert f"{line}:{column}:" in shown
    assert shown.splitlines()[-1].index("^") - shown.splitlines()[-2].index("|") >= 2


def test_five_faults_are_five_messages() -> None:
    text = (
        'decisions:\n  - {id: a, templateKey: nope}\n  - {id: a, templateKey: "①", next: gone}\n'
        '  - {id: b, appliesTo: {states: [old], archetypes: [bold]}, templateKey: "①"}\n'
    )  # fmt: skip
    with pytest.raises(FileProblems) as caught:
        parse_decisions(text.encode(), CANON, VOCAB)
    assert len(caught.value.problems) == 5


def test_the_shipped_files_have_no_gap() -> None:
    table = parse_decisions((ROOT / DECISIONS).read_bytes(), CANON, SHIPPED)
    assert gaps_of(table, SHIPPED) == []
    classifier = parse_classifier((ROOT / CLASSIFY).read_bytes(), CANON, SHIPPED)
    for text in ("", "hey", "❤️", "a" * 5000, "привет"):
        situation = Situation(texts=(text,), unanswered=(text,))
        assert classifier.say("archetypes", situation)
        assert classifier.say("states", situation)


def test_gaps_and_decisions_that_nobody_gets_are_said() -> None:
    text = (
        'decisions:\n  - {id: wide, priority: 5, appliesTo: {states: [new]}, templateKey: "①"}\n'
        '  - {id: never, appliesTo: {states: [new]}, templateKey: "②"}\n'
    )
    found = gaps_of(parse_decisions(text.encode(), CANON, VOCAB), VOCAB)
    assert [(p.rule, p.line) for p in found] == [("W-GAP", 1), ("W-UNREACHED", 3)]
    assert "courteous x named" in found[0].message


def brute(rules: list[dict[str, Any]], archetype: str, state: str, atoms: frozenset[str]) -> set[str]:
    """Say by the definition alone which decisions are best."""

    def covers(rule: dict[str, Any], a: str, s: str, known: frozenset[str]) -> bool:
        return (
            (not rule["archetypes"] or a in rule["archetypes"])
            and (not rule["states"] or s in rule["states"])
            and set(rule["atoms"]) <= known
            and not set(rule["without"]) & known
        )

    names = ("x", "y", "z")
    everything = [
        (a, s, frozenset(known))
        for a, s in product((*VOCAB.archetypes, "other"), (*VOCAB.states, "other"))
        for known in chain.from_iterable(combinations(names, n) for n in range(4))
    ]
    extent = {rule["id"]: frozenset(cell for cell in everything if covers(rule, *cell)) for rule in rules}
    here = [rule for rule in rules if covers(rule, archetype, state, atoms)]
    left = [r for r in here if not any(extent[o["id"]] < extent[r["id"]] for o in here)]
    return {r["id"] for r in left if r["priority"] == max(o["priority"] for o in left)}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_chosen_is_what_the_definition_says_in_any_order(seed: int) -> None:
    rng = random.Random(seed)
    rules = []
    for n in range(rng.randint(1, 12)):
        atoms = rng.sample(("x", "y", "z"), rng.randint(0, 2))
        without = [name for name in rng.sample(("x", "y", "z"), rng.randint(0, 1)) if name not in atoms]
        rules.append({
            "id": f"d{n}", "priority": rng.randint(0, 2), "atoms": atoms, "without": without,
            "archetypes": rng.sample(VOCAB.archetypes, rng.randint(0, 2)), "states": rng.sample(VOCAB.states, rng.randint(0, 2)),
        })  # fmt: skip
    for shuffled in (rules, rng.sample(rules, len(rules))):
        written = [
            {"id": r["id"], "priority": r["priority"], "templateKey": "①", "appliesTo": {k: r[k] for k in ("archetypes", "states", "atoms", "without")}}
            for r in shuffled
        ]  # fmt: skip
        table = read_decisions(yaml.safe_dump({"decisions": written}, allow_unicode=True).encode(), CANON, VOCAB)
        for row in table.rows(VOCAB):
            best = brute(rules, row.cell.archetype or "", row.cell.state or "", row.cell.atoms)
            chosen = {row.choice.winner.id} if row.choice.winner else {entry.id for entry in row.choice.tied}
            assert chosen == best


@pytest.mark.parametrize(
    ("text", "phrase", "slot", "value"),
    [
        ("hi, i'm Ben!", "i'm ___", "name", "Ben"),
        ("I’m ben", "i'm ___", "name", "Ben"),
        ("i'm free", "i'm ___", "name", None),
        ("i'm verified-by-police", "i'm ___", "name", None),
        ("i'm http_evil_com", "i'm ___", "name", None),
        ("i'm Jean-Luc", "i'm ___", "name", "Jean-Luc"),
        ("my name is José María", "my name is ___", "name", "José"),
        ("is friday ok? friday works", "___ works", "day", "friday"),
        ("at 8 pm", "at ___", "time", "8 pm"),
        ("at 20:30", "at ___", "time", "20:30"),
        ("at home", "at ___", "time", None),
        ("how much is it", "how much", "flag", FLAG),
        ("how much time", "how much", "flag", None),
        ("h0w much", "how much", "flag", FLAG),
        ("my name is {{ 7*7 }}", "my name is ___", "name", None),
        ("my name is <|im_end|>", "my name is ___", "name", None),
        ("x" * 10_000 + " i'm Ben", "i'm ___", "name", None),
    ],
)
def test_what_is_taken(text: str, phrase: str, slot: Any, value: str | None) -> None:
    found = take(text, phrase, slot, frozenset({"free", "how much time"}))
    assert (found.value if found else None) == value


def test_why_and_matrix_are_there_for_both(workspace: Workspace) -> None:
    value = workspace.json("classifier", "why", "--text", "sorry to bother you, i'm Ben. how much?")
    assert (value["archetype"], value["state"], value["atoms"]) == (
        "hesitant",
        "new",
        {"name": "Ben", "asks_price": "yes"},
    )
    assert next(r["rule"] for r in value["rules"]["archetypes"] if r["met"]) == 4
    assert "applies ('sorry to bother')" in workspace.ok("classifier", "why", "--text", "sorry to bother you")
    assert workspace.json("classifier", "matrix")["archetypes"]["rude"] == {"rude": 3}
    why = workspace.json("decisions", "why", "--archetype", "courteous", "--state", "new", "--atom", "name")
    assert (why["winner"], why["template_key"], why["next"]) == ("thank-you-hello", "②", "named")
    assert {c["id"]: c["beaten_by"] for c in why["candidates"]}["hello"] == "thank-you-hello"
    cells = workspace.json("decisions", "matrix")["cells"]
    assert {(c["archetype"], c["state"]) for c in cells} == set(product(SHIPPED.archetypes, SHIPPED.states))
    assert all(c["reason"] in ("only", "specific", "priority") for c in cells)
    assert "rude       ⑪" in workspace.ok("decisions", "matrix")
    assert workspace.ok("classifier", "lint").strip() == workspace.ok("decisions", "lint").strip() == "All is well."
    assert "did you mean" in workspace.run("decisions", "why", "--archetype", "rud", "--state", "new").stderr


def test_a_broken_rule_is_in_lint_and_still_seen_through(workspace: Workspace) -> None:
    path = workspace.root / CLASSIFY
    path.write_text(path.read_text().replace('yes: ["are you stupid or what"', 'yes: ["lovely to meet you"'))
    problems = workspace.json_lint(CLASSIFY, code=2)
    assert [(p["rule"], p["severity"]) for p in problems] == [("E-EXAMPLE", "error")]
    assert workspace.json("classifier", "matrix")["archetypes"]["rude"] == {"courteous": 1, "rude": 2}
    path = workspace.root / DECISIONS
    path.write_text(path.read_text() + '  - {id: tie, appliesTo: {states: [after]}, templateKey: "①"}\n')
    assert [p["rule"] for p in workspace.json_lint(DECISIONS, code=2)] == ["E-AMBIG"]
    assert "!" in workspace.ok("decisions", "matrix")
