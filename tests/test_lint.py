"""Every rule: what breaks it, at its very character and under both YAML loaders, and what only looks as if it did; as data beside the rules."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from draftctl import yamlfile
from draftctl.errors import FileProblems, Problem
from draftctl.lint import lint_workspace
from draftctl.loading import parse_workflow
from draftctl.rule_cases import Case, err_cases, explain, lint_page, ok_cases
from draftctl.rules import BY_ID, RULES
from tests.conftest import REPOSITORY

LOADERS = sorted(yamlfile.LOADERS)
ERR = [case for rule in RULES for case in err_cases(rule)]
OK = [case for rule in RULES for case in ok_cases(rule)]


def named(case: Case) -> str:
    return f"{case.rule}-{case.name}"


def found(case: Case, loader: str, monkeypatch: pytest.MonkeyPatch) -> list[Problem]:
    monkeypatch.setattr(yamlfile, "LOADERS", {loader: yamlfile.LOADERS[loader]})
    return case.problems()


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("case", ERR, ids=named)
def test_a_fault_is_one_message_at_its_character(case: Case, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = found(case, loader, monkeypatch)
    mine = [p for p in problems if (p.rule, p.path) == (case.rule, case.path)]
    assert [(p.line, p.column) for p in mine] == [(case.line, case.column)]
    if case.rule.startswith("E-"):
        assert [p.rule for p in problems if p.path == case.path and p.severity == "error"] == [case.rule]
    else:
        assert problems == mine
    assert case.says in mine[0].message
    assert mine[0].message[0].islower() or not mine[0].message[0].isalpha() or mine[0].message.startswith(("An ", "U+"))
    lines = str(mine[0]).splitlines()
    assert lines[0].startswith(f"{case.path}:{case.line}:{case.column}: ")
    assert lines[0].endswith(f"[{case.rule}]")
    if mine[0].source:
        source, caret = lines[2].partition(" | ")[2], lines[3].partition(" | ")[2]
        before = source[: case.column - 1]
        assert cell_len(caret.removesuffix("^").replace("\t", " ")) == cell_len(before.replace("\t", " "))


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("case", OK, ids=named)
def test_what_only_looks_like_a_fault_is_none(case: Case, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [p for p in found(case, loader, monkeypatch) if p.rule == case.rule or p.severity == "error"] == []


def test_there_are_enough_of_both() -> None:
    assert len(ERR) >= 90
    assert len(OK) >= 30


def test_every_rule_that_is_named_anywhere_is_in_the_list_and_has_cases() -> None:
    source = "".join(path.read_text() for path in (REPOSITORY / "draftctl").rglob("*.py"))
    assert set(re.findall(r'"([EW]-[A-Z][A-Z-]+)"', source)) == set(BY_ID)
    assert len(BY_ID) == len(RULES)
    for rule in RULES:
        assert err_cases(rule), rule.id
        assert ok_cases(rule), rule.id
        assert rule.id in explain(rule)
        assert rule.fix.endswith((".", "]")), rule.id


def test_what_makes_a_file_unusable_is_an_error() -> None:
    assert [rule.id for rule in RULES if (rule.of_steps or rule.of_file) and rule.severity == "warning"] == []


FIVE = """\
id: hello
name: Hello
^nmae: Hello
version: 1
appliesTo: {archetypes: [^curteous], states: [new], templateKeys: [^"❶"]}
steps:
  - think: |
      a 🌹 line
      🌹 then {{ ^prospect.name }}
    max_tokens: ^0
  - draft: reply, <=320 chars
engine: do-gpu-tiny_*
"""


@pytest.mark.parametrize("loader", LOADERS)
def test_five_faults_of_five_kinds_are_five_messages(loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ok_cases(BY_ID["W-LOCK"])[0]
    places = []
    text = FIVE
    while "^" in text:
        at = text.index("^")
        places.append((text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)))
        text = text.replace("^", "", 1)
    monkeypatch.setattr(yamlfile, "LOADERS", {loader: yamlfile.LOADERS[loader]})
    problems = lint_workspace({**case.files, case.path: text.encode()})
    mine = [(p.line, p.column) for p in problems if p.path == case.path]
    assert mine == places
    rules = [p.rule for p in problems if p.path == case.path]
    assert rules == ["E-KEY", "E-VOCAB", "E-NOTE", "E-UNDEF", "E-VALUE"]


@pytest.mark.parametrize("loader", LOADERS)
def test_what_follows_from_a_fault_is_not_told_again(loader: str) -> None:
    text = (
        FIVE.replace("^", "")
        .replace("  - draft: reply", "  - drat: reply")
        .replace("version: 1", "version: &a 1\ncontext: *a")
    )
    with pytest.raises(FileProblems) as caught:
        parse_workflow(text.encode(), "workflows/hello.yaml", {}, loader=loader)
    assert [p.rule for p in caught.value.problems] == ["E-KEY", "E-ALIAS", "E-ALIAS", "E-UNDEF", "E-VALUE", "E-KEY"]


def test_the_page_is_made_of_the_rules() -> None:
    assert (REPOSITORY / "docs" / "lint.md").read_text() == lint_page(), "run `make docs`"


WORDS = st.sampled_from(
    ["type", "maxLength", "required", "enum", "items", "properties", "minimum", "additionalProperties", "title"]
)
VALUES = st.recursive(
    st.one_of(st.sampled_from(["string", "object", "array", "integer", "day"]), st.integers(-2, 9), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_a_schema_without_a_fault_is_one_to_jsonschema_too(schema: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator

    schema = {"type": "object", "additionalProperties": False, "properties": {"day": schema}}
    step = {"extract": "the day", "as": "when", "schema": schema}
    text = json.dumps(
        {"id": "hello", "name": "h", "version": 1, "steps": [step, {"draft": "x, <=9 chars"}], "engine": "do-gpu-a_*"}
    )
    try:
        workflow = parse_workflow(text.encode(), "workflows/hello.yaml", {})
    except FileProblems:
        return
    Draft202012Validator.check_schema(workflow.steps[0].schema or {})
