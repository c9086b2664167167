"""Engine ids, canon, settings, manifests, prompts, holds: small pure things."""

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftctl.canon import NOTES, SAFETY, Canon, parse_canon
from draftctl.engine_id import Build, check_engine_id, parse_build
from draftctl.errors import FileProblems, UsageError
from draftctl.holds import HOLDS
from draftctl.inbox import Accepted, candidate_from_payload, parse_line
from draftctl.jinja_check import syntax_error
from draftctl.manifest import parse_manifest
from draftctl.rendering import MissingAtom, render_note
from draftctl.settings import parse_settings
from tests.conftest import REPOSITORY, line

BUILD = "do-gpu-mistral-nemo-12b_2026-06-29.1"


@given(
    st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True),
    st.dates(min_value=date(1000, 1, 1)),
    st.integers(1, 999_999_999),
)
def test_an_engine_id_reads_as_it_was_written(model: str, day: date, number: int) -> None:
    build = Build(model=model, day=day, number=number)
    assert parse_build(str(build)) == build


def test_builds_of_a_model_order_by_day_then_number() -> None:
    names = ["do-gpu-m_2026-01-09.2", "do-gpu-m_2026-01-09.10", "do-gpu-m_2026-02-01.1"]
    assert sorted(map(parse_build, reversed(names))) == list(map(parse_build, names))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Template",
        "gpt-4",
        "do-gpu-_2026-01-01.1",
        "do-gpu-a_2026-1-1.1",
        "do-gpu-a_2026-01-01.01",
        "do-gpu-a_2026-02-29.1",
        "do-gpu-A_2026-01-01.1",
        BUILD + "\n",
    ],
)
def test_what_is_no_engine_id_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        check_engine_id(text)


def shipped() -> Canon:
    return parse_canon(
        {
            path: (REPOSITORY / path).read_bytes()
            for path in (NOTES, SAFETY, "pastebin/voice.md", "pastebin/rules.md", "pastebin/safety.md")
        }
    )


def test_the_shipped_canon_has_the_seventeen_notes_and_the_look_alike() -> None:
    canon = shipped()
    assert list(canon.notes) == list("①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰")
    assert canon.find("⓱") is canon.find("⑰") is canon.ask("17") is canon.find("goodbye")
    with pytest.raises(
        UsageError, match=r"❶ \(U\+2776 DINGBAT NEGATIVE CIRCLED DIGIT ONE\) is not a note; did you mean ① \(U\+2460"
    ):
        canon.ask("❶")
    with pytest.raises(UsageError, match="did you mean 'greeting'"):
        canon.ask("greting")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('notes:\n  "①":\n    name: a\n    text: |\n      Hello\n      {{ name\n', "pastebin/notes.yaml:6:7: note ①:"),
        ('notes:\n  "①": {name: a, text: " "}\n', "note ① has no text"),
        (
            'notes:\n  "①": {name: a, text: x}\n  "②": {name: a, text: y}\n',
            "3:15: the name 'a' is already that of note ①",
        ),
        ('notes:\n  "⑰": {name: a, text: x}\n  "⓱": {name: b, text: y}\n', "looks like"),
        ('notes:\n  "①": {name: a, text: x}\naliases: {"①": "②"}\n', "is a note already"),
        ('notes:\n  "①": {name: a, text: "{% include \'x\' %}"}\n', "may not be used in a note"),
        ("notes: {}\n", "there is no note"),
    ],
)
def test_a_bad_note_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(FileProblems) as caught:
        parse_canon({NOTES: text.encode()})
    assert message in str(caught.value)


def test_bad_notes_and_bad_patterns_are_told_together() -> None:
    with pytest.raises(FileProblems) as caught:
        parse_canon(
            {NOTES: b"notes: {a: 1}\n", SAFETY: b"patterns: [{id: A B, words: x}]\n", "pastebin/voice.md": b"a\xff"}
        )
    assert {p.path for p in caught.value.problems} == {NOTES, SAFETY, "pastebin/voice.md"}


def test_a_note_is_rendered_once_and_a_missing_atom_is_named() -> None:
    assert render_note("Hi {{ name }}.", {"name": "{{ 7*7 }}"}) == "Hi {{ 7*7 }}."
    assert render_note("Hi{% if name is defined %} {{ name }}{% endif %}.", {}) == "Hi."
    assert render_note("Hi {{ name|default('you') }}.", {}) == "Hi you."
    with pytest.raises(MissingAtom, match="day"):
        render_note("{{ day }}", {"name": "x"})


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ 'a' * 9 }}",
        "{{ 2 ** 9 }}",
        "{% for x in y %}{% endfor %}",
        "{{ range(9) }}",
        "{% include 'a' %}",
        "{{ x",
    ],
)
def test_what_a_note_may_not_do_is_refused(text: str) -> None:
    if syntax_error(text) is None:
        with pytest.raises(Exception, match=r"(?i)unsafe|may not|undefined|class"):
            render_note(text, {"y": "a"})


def test_settings_say_where_each_value_came_from() -> None:
    settings = parse_settings(
        b"batch:\n  max_in_flight: 8\n",
        root=Path("/w"),
        environment={"DRAFTCTL_DB": "/d.db", "GPU_INFERENCE_URL": "http://127.0.0.1:1"},
    )
    assert settings.values.batch.max_in_flight == 8
    assert settings.sources["batch.max_in_flight"] == "draftctl.yaml:2"
    assert settings.sources["batch.time_budget"] == "default"
    assert settings.sources["database"] == "environment DRAFTCTL_DB"
    assert settings.database == Path("/d.db")
    assert settings.values.batch.time_budget == 1800


def test_the_whole_contract_of_settings_is_read() -> None:
    text = """
persona:    {name: Quinn, consented_by: Ana, consented_at: 2026-01-02, review_by: null}
database: var/x.db
batch:      {max_in_flight: 64, time_budget: 30m, max_attempts: 5}
inference:  {url: null, request_timeout: 120s, connect_timeout: 5s, tries: 4, allowed_hosts: []}
gpu:        {ssh_user: root, ssh_port: 22, remote_port: 8000, state_dir: /var/lib/draftctl, owner: draftctl, poll_interval: 5s, provision_on: droplet,
             provision_host: null, deep_queue: 32, provision_script: scripts/provision-raw-gpu-droplet.sh,
             max_wait: 30m, idle_grace: 30s, extend: 120s, max_lifetime: 2h, max_failed_starts: 3,
             daily_budget_usd: 20, monthly_budget_usd: 200, billing_minimum: 300s, billing_quantum: 1s}
"""
    values = parse_settings(text.encode(), root=Path("/w"), environment={}).values
    assert values.persona.consented_at == date(2026, 1, 2)
    assert values.gpu.max_lifetime == 7200


@pytest.mark.parametrize(
    "text",
    [
        "batch: {time_budget: 90}",
        "batch: {max_in_flight: 0}",
        "persona: {consented_at: soon}",
        "datbase: x",
        "gpu: {provision_on: moon}",
    ],
)
def test_a_wrong_setting_is_told(text: str) -> None:
    with pytest.raises(FileProblems, match=r"draftctl\.yaml:1:"):
        parse_settings(text.encode(), root=Path("/w"), environment={})


def test_a_whole_manifest_reads_and_a_wrong_one_is_told() -> None:
    text = f"""
id: {BUILD}
base: {{repo: example/tiny, revision: "{"0" * 40}"}}
status: live
files: [{{name: model.safetensors, bytes: 24400000000, sha256: {"a" * 64}}}]
serve: {{image: "vllm/vllm-openai@sha256:{"b" * 64}", args: [--max-model-len, "8192"], context_role: user}}
droplet: {{image: gpu-h100x1-base, candidates: [{{size: gpu-l40sx1-48gb, region: tor1}}]}}
adapter: null
"""
    manifest = parse_manifest(text.encode(), f"engines/{BUILD}.yaml")
    assert manifest.serve.args == ("--max-model-len", "8192")
    with pytest.raises(FileProblems) as caught:
        parse_manifest(text.replace("live", "alive").replace("user}", "usr}").encode(), f"engines/{BUILD}.yaml")
    assert len(caught.value.problems) == 2
    with pytest.raises(FileProblems, match="but the file is"):
        parse_manifest(text.encode(), "engines/other.yaml")


def test_a_candidate_comes_back_from_its_payload() -> None:
    read = parse_line(line("a", "héllo 🌹", person_id="p", atoms={"name": "B", "n": 3}, mode="review").strip().encode())
    assert isinstance(read, Accepted)
    assert candidate_from_payload(read.payload) == read.candidate


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_rejected_with_a_reason(data: bytes) -> None:
    read = parse_line(data)
    assert isinstance(read, Accepted) or read.reason


def test_every_hold_reason_has_words_and_the_page_is_theirs() -> None:
    source = "".join(p.read_text() for p in (REPOSITORY / "draftctl").rglob("*.py"))
    used = set(re.findall(r'Held\(reason="([a-z_]+)"', source)) | {"stale", "dispatch_unknown"}
    assert used <= set(HOLDS)
    assert all(kind.meaning.endswith(".") and kind.next_step.endswith(".") for kind in HOLDS.values())
