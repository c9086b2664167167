"""Workflow files: the seed's shape, every error at its place, what a hash sees, which workflow wins."""

import random
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

from draftctl.canon import Canon, Note, parse_canon
from draftctl.errors import FileProblems
from draftctl.lint import lint_workspace
from draftctl.loading import load_chains, parse_workflow
from draftctl.preview import preview
from draftctl.rendering import Facts, Prompts, RenderError
from draftctl.routing import Cell, Entry, choose
from draftctl.starter import starter_folder
from draftctl.vocab import Vocab
from draftctl.workflow import MatchSet, Workflow, with_version
from draftctl.workflowlock import read_lock, write_lock

SEED = """\
id: first-reply            # kebab-case, = file stem
name: First reply
version: 1
appliesTo: {archetypes: [courteous], states: [new], templateKeys: ["①"]}      # absent or empty list = any
context: [pastebin canon, voice rules, safety rules]
steps:
  - think: what does this person want
  - think: pick the move; check the constraints
  - draft: reply in Quinn's voice, <=320 chars
engine: do-gpu-mistral-nemo-12b-uncensored_2026-06-29.1
"""
PATH = "workflows/first-reply.yaml"
CANON = Canon(
    notes={
        "①": Note(key="①", name="greeting", text="Hello {{ name }}, which day?"),
        "⑰": Note(key="⑰", name="goodbye", text="Goodbye"),
    }
)
VOCAB = Vocab(archetypes=("courteous", "hesitant", "rude"), states=("new", "screened"))


def parse(text: str, path: str = PATH, partials: dict[str, str] | None = None) -> Workflow:
    return parse_workflow(text.encode(), path, partials or {})


def problems(text: str, **files: bytes) -> list[tuple[str, int, int]]:
    chains = load_chains({PATH: text.encode(), **files}, CANON, VOCAB)
    broken = chains.broken.get("first-reply")
    return [(p.rule, p.line, p.column) for p in broken.problems] if broken else []


def test_the_seeds_own_shape_is_valid() -> None:
    workflow = parse(SEED)
    assert [(s.verb, s.name) for s in workflow.steps] == [("think", "think1"), ("think", "think2"), ("draft", "draft3")]
    assert workflow.steps[2].max_chars == 320
    assert [(c.kind, c.name) for c in workflow.context] == [("canon", ""), ("voice", ""), ("rules", ""), ("safety", "")]
    assert problems(SEED) == []


@pytest.mark.parametrize("phrase", ["pastebin canon snippets", "Quinn voice rules", "pastebin canon", "voice  rules"])
def test_the_seeds_phrases(phrase: str) -> None:
    assert parse(SEED.replace("pastebin canon, voice rules", phrase))


@pytest.mark.parametrize(
    ("written", "limit"), [("<=320 chars", 320), ("≤200 chars", 200), ("<= 90 characters", 90), ("short", 640)]
)
def test_a_limit_in_the_text(written: str, limit: int) -> None:
    assert parse(SEED.replace("<=320 chars", written)).steps[2].max_chars == limit


@pytest.mark.parametrize("version", ["1.10", '"1.10"', "NO", "2026-01-01", "010"])
def test_a_version_is_compared_as_it_is_written(version: str) -> None:
    assert parse(SEED.replace("version: 1", f"version: {version}")).version == version.strip('"')


BAD = {
    "unknown key": (("appliesTo:", "appliesto:"), ("E-KEY", 4, 1)),
    "unknown step key": (("  - draft:", "  - colour: red\n    draft:"), ("E-KEY", 9, 5)),
    "two verbs": (("  - draft: reply", "  - think: x\n    draft: reply"), ("E-VERB", 9, 5)),
    "no draft": (("  - draft: reply", "  - think: reply"), ("E-DRAFT", 7, 3)),
    "two drafts": (("  - think: pick the move; check the constraints", "  - draft: x"), ("E-DRAFT", 9, 5)),
    "a think after the draft": (("engine:", "  - think: late\nengine:"), ("E-DRAFT", 10, 5)),
    "a critique before the draft": (("  - think: pick", "  - critique: pick"), ("E-DRAFT", 8, 5)),
    "a choose without options": (("  - think: pick", "  - choose: pick"), ("E-OPTIONS", 8, 5)),
    "an extract without a schema": (("  - think: pick", "  - extract: pick"), ("E-SCHEMA", 8, 5)),
    "missing steps": (("steps:", "context2:"), ("E-KEY", 6, 1)),
    "duplicate key": (("name: First reply", "name: First reply\nname: again"), ("E-DUP", 3, 1)),
    "unknown archetype": (("[courteous]", "[courtious]"), ("E-VOCAB", 4, 26)),
    "unknown note": (('["①"]', '["②"]'), ("E-NOTE", 4, 68)),
    "unknown context": (("safety rules", "safety rulez"), ("E-CONTEXT", 5, 40)),
    "wrong stem": (("id: first-reply", "id: second-reply"), ("E-ID", 1, 5)),
    "not kebab": (("id: first-reply", "id: First_Reply"), ("E-ID", 1, 5)),
    "no build": (("engine: do-gpu-mistral-nemo-12b-uncensored_2026-06-29.1", "engine: gpt-4"), ("E-ENGINE", 10, 9)),
    "no day": (("2026-06-29.1", "2026-06-31.1"), ("E-ENGINE", 10, 9)),
    "unknown name": (("what does this person want", "what does {{ prospect.name }} want"), ("E-UNDEF", 7, 25)),
    "unknown field": (("what does this person want", "what does {{ thread.nam }} want"), ("E-UNDEF", 7, 32)),
    "a later step": (("what does this person want", "see {{ steps.think2 }}"), ("E-STEPREF", 7, 25)),
    "an unknown note in a text": (("what does this person want", "see {{ pastebin['④'] }}"), ("E-NOTE", 7, 28)),
    "no Jinja": (("what does this person want", "see {{ thread.last"), ("E-JINJA", 7, 16)),
    "a call": (("what does this person want", "see {{ thread.last.upper() }}"), ("E-JINJA", 7, 36)),
    "an unknown include": (("what does this person want", "see {% include 'no.j2' %}"), ("E-JINJA", 7, 27)),
    "an include of a variable": (("what does this person want", "see {% include thread.last %}"), ("E-JINJA", 7, 19)),
    "a control token": (("what does this person want", "what </s> now"), ("E-TOKEN", 7, 17)),
    "an unknown gate": (("engine:", "  - check: [prise]\nengine:"), ("E-CHECK", 10, 13)),
    "options of a think": (("  - think: pick", "  - options: [a, b]\n    think: pick"), ("E-KEY", 8, 5)),
    "inbound decides": (("  - think: pick", "  - when: thread.last == 'x'\n    think: pick"), ("E-UNTRUSTED", 8, 11)),
    "a when for the draft": (("  - draft: reply", "  - when: atoms.x\n    draft: reply"), ("E-DRAFT", 9, 5)),
    "wild sampling": (("engine:", "sampling: {temperature: 9}\nengine:"), ("E-VALUE", 10, 25)),
    "an alias": (("name: First reply", "name: &x First reply"), ("E-ALIAS", 2, 7)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_every_error_at_its_place(name: str) -> None:
    (old, new), expected = BAD[name]
    assert old in SEED
    assert expected in problems(SEED.replace(old, new))


@pytest.mark.parametrize("text", ["{{ thread.last }}", '{% include "a.j2" %}'])
def test_a_text_that_starts_like_a_mapping_says_what_to_do(text: str) -> None:
    with pytest.raises(FileProblems, match="needs quotes, or a"):
        parse(SEED.replace("what does this person want", text))


def test_all_errors_at_once_also_inside_a_block() -> None:
    text = SEED.replace(
        "  - think: what does this person want", "  - think: |\n      line one\n      {{ nobody }}\n    max_tokens: 0"
    ).replace("rules]", "rulez]")
    assert problems(text) == [("E-CONTEXT", 5, 40), ("E-UNDEF", 9, 10), ("E-VALUE", 10, 17)]


@pytest.mark.parametrize(
    "schema",
    [
        "{type: string}",
        "{type: object, properties: {a: {type: string}}, additionalProperties: false}",
        "{type: object, properties: {a: {type: string, maxLength: 9}}}",
        "{type: object, properties: {a: {type: array, items: {type: boolean}}}, additionalProperties: false}",
        "{type: object, properties: {a: {}}, additionalProperties: false}",
        "{type: object, additionalProperties: false}",
        "{}",
        "{type: object, properties: {a: {type: strin}}, additionalProperties: false}",
    ],
)
def test_a_schema_has_bounds(schema: str) -> None:
    text = SEED.replace("  - think: pick the move; check the constraints", f"  - extract: read\n    schema: {schema}")
    assert "E-SCHEMA" in {rule for rule, _, _ in problems(text)}


SAME = {
    "a comment": ("steps:", "steps:  # the chain"),
    "the name": ("First reply", "Another name"),
    "the version": ("version: 1", "version: 2"),
    "a description": ("version: 1", "version: 1\ndescription: about it"),
    "tests": ("engine:", "tests: [{name: one}]\nengine:"),
    "a default": ("  - draft: reply", "  - max_chars: 320\n    on_fail: {redraft: 2, then: hold}\n    draft: reply"),
    "a default priority": ("version: 1", "version: 1\npriority: 0"),
    "a default name": ("  - think: pick", "  - as: think2\n    think: pick"),
    "order of keys": ("name: First reply\nversion: 1\n", "version: 1\nname: First reply\n"),
    "line ends": ("\n", "\r\n"),
    "quotes": ("think: what does this person want", "think: 'what does this person want'"),
    "a block": ("think: what does this person want", "think: |\n      what does this person want"),
    "blanks in a phrase": ("voice rules", "voice   rules"),
}
OTHER = {
    "a word": ("this person", "that person"),
    "for whom": ("[courteous]", "[courteous, hesitant]"),
    "the order of steps": ("what does this person want", "pick the move; check the constraints"),
    "the limit": ("<=320", "<=300"),
    "the build": ("2026-06-29.1", "2026-06-29.2"),
    "the context": (", safety rules", ""),
    "sampling": ("version: 1", "version: 1\nsampling: {temperature: 0.5}"),
    "a priority": ("version: 1", "version: 1\npriority: 1"),
    "redrafts": ("  - draft: reply", "  - on_fail: {redraft: 1}\n    draft: reply"),
}


@pytest.mark.parametrize("name", SAME)
def test_what_no_hash_sees(name: str) -> None:
    old, new = SAME[name]
    assert old in SEED
    assert parse(SEED.replace(old, new)).semantic_hash == parse(SEED).semantic_hash


def test_the_order_of_a_match_set_is_no_difference() -> None:
    one, other = SEED.replace("[courteous]", "[courteous, rude]"), SEED.replace("[courteous]", "[rude, courteous]")
    assert parse(one).semantic_hash == parse(other).semantic_hash


@pytest.mark.parametrize("name", OTHER)
def test_what_a_hash_sees(name: str) -> None:
    old, new = OTHER[name]
    assert parse(SEED.replace(old, new)).semantic_hash != parse(SEED).semantic_hash


def test_a_partial_belongs_to_the_hash_and_its_line_ends_do_not() -> None:
    text = SEED.replace("what does this person want", 'see {% include "a.j2" %}')
    assert parse(text, partials={"a.j2": "one"}).semantic_hash != parse(text, partials={"a.j2": "two"}).semantic_hash
    files = {PATH: text.encode(), "workflows/partials/a.j2": b"one\r\n"}
    unix = {**files, "workflows/partials/a.j2": b"one\n"}
    hashes = {load_chains(f, CANON, VOCAB).workflows["first-reply"].semantic_hash for f in (files, unix)}
    assert len(hashes) == 1


def test_hashes_stay_what_they_are() -> None:
    """A hash that changes by itself would refuse every version in use: if this fails, the format of the hash has changed."""
    assert parse(SEED).semantic_hash == "4c888fabcf3528a3b62f3a5ef57237583f634d968cf878cab14785e9a2fafe16"
    root = starter_folder()
    locked = read_lock((root / "workflows" / "workflows.lock").read_bytes())
    chains = load_chains(shipped(root), parse_canon(shipped(root)), None)
    assert {(w.id, w.version): w.semantic_hash for w in chains.workflows.values()} == locked


def shipped(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in ("pastebin", "workflows", "engines")
        for path in (root / folder).rglob("*")
        if path.is_file()
    }


def test_what_ships_is_clean_and_covers_every_cell() -> None:
    files = shipped(starter_folder())
    assert lint_workspace(files) == []
    canon = parse_canon(files)
    from draftctl.vocab import parse_vocab

    vocab = parse_vocab(files["workflows/vocab.yaml"])
    chains = load_chains(files, canon, vocab)
    assert len(chains.workflows) >= 6
    won = {
        chains.choose(Cell(archetype=a, state=s, template_key=k)).winner
        for a, s, k in product(vocab.archetypes, vocab.states, canon.notes)
    }
    assert None not in won
    assert {entry.id for entry in won if entry} == set(chains.workflows)
    verbs = {step.verb for w in chains.workflows.values() for step in w.steps}
    assert verbs == {"think", "choose", "extract", "draft", "check", "critique"}


def test_a_version_is_replaced_and_nothing_else() -> None:
    for text in (SEED, SEED.replace("version: 1", 'version: "1"  # one'), SEED.replace("\n", "\r\n")):
        new = with_version(text, parse(text), "2")
        changed = [(a, b) for a, b in zip(text.split("\n"), new.split("\n"), strict=True) if a != b]
        assert len(changed) == 1
        assert parse(new).version == "2"


def test_the_lock_is_read_as_it_was_written_and_a_conflict_in_it_is_named() -> None:
    locked = {("b", "1"): "f" * 64, ("a", "2"): "e" * 64}
    assert read_lock(write_lock(locked).encode()) == locked
    assert write_lock(locked).index('"a"') < write_lock(locked).index('"b"')
    for bad in ("<<<<<<< ours", '{"id": "a"}', write_lock(locked) + '{"id":"a","semantic_hash":"0","version":"2"}'):
        with pytest.raises(FileProblems):
            read_lock(bad.encode())


def brute_force(entries: list[Entry], cell: Cell) -> str:
    """Choose by listing every cell that each workflow stands for."""
    words = {"archetype": ("a", "b", "?"), "state": ("x", "y", "?"), "key": ("k", "l", "?")}

    def cells(entry: Entry) -> frozenset[tuple[str, ...]]:
        sets = (entry.applies.archetypes, entry.applies.states, entry.applies.template_keys)
        return frozenset(
            product(
                *(words[name] if chosen is None else tuple(chosen) for name, chosen in zip(words, sets, strict=True))
            )
        )

    here = (cell.archetype or "?", cell.state or "?", cell.template_key or "?")
    matching = [e for e in entries if here in cells(e)]
    left = [e for e in matching if not any(cells(o) < cells(e) for o in matching)]
    best = [e for e in left if e.priority == max(o.priority for o in left)]
    return best[0].id if len(best) == 1 else ("ambiguous" if best else "none")


def test_selection_is_what_brute_force_says_whatever_the_order() -> None:
    rng = random.Random(7)
    options: list[Any] = [None, {"a"}, {"b"}, {"a", "b"}]
    for _ in range(150):
        entries = [
            Entry(
                id=f"w{n}",
                applies=MatchSet(
                    archetypes=_set(rng.choice(options), "a", "b", "a", "b"),
                    states=_set(rng.choice(options), "a", "b", "x", "y"),
                    template_keys=_set(rng.choice(options), "a", "b", "k", "l"),
                ),
                priority=rng.choice([0, 0, 1]),
            )
            for n in range(rng.randint(0, 6))
        ]
        for a, s, k in product(("a", "b", None), ("x", "y", None), ("k", "l", None)):
            cell = Cell(archetype=a, state=s, template_key=k)
            choice = choose(entries, cell)
            assert (choice.winner.id if choice.winner else choice.reason) == brute_force(entries, cell)
            assert choice.detail.startswith(choice.reason)
            shuffled = rng.sample(entries, len(entries))
            assert choose(shuffled, cell) == choice


def _set(chosen: Any, one: str, two: str, first: str, second: str) -> frozenset[str] | None:
    return None if chosen is None else frozenset({one: first, two: second}[word] for word in chosen)


def test_a_broken_file_holds_its_own_cells_and_an_unreadable_one_those_it_was_known_for() -> None:
    files = {
        "workflows/any.yaml": SEED.replace("id: first-reply ", "id: any ")
        .replace('appliesTo: {archetypes: [courteous], states: [new], templateKeys: ["①"]}', "")
        .encode(),
        PATH: SEED.replace("draft:", "draftt:").encode(),
    }
    chains = load_chains(files, CANON, VOCAB)
    mine, others = (
        Cell(archetype="courteous", state="new", template_key="①"),
        Cell(archetype="rude", state="new", template_key="①"),
    )
    winner = chains.choose(mine).winner
    assert winner is not None
    assert (winner.id, winner.broken) == ("first-reply", True)
    assert chains.choose(others).winner == Entry(id="any", applies=MatchSet())
    unreadable = load_chains({**files, PATH: b"\tid: x"}, CANON, VOCAB)
    assert unreadable.choose(mine).reason == "only"
    again = unreadable.with_last_known({"first-reply": MatchSet(archetypes=frozenset({"courteous"}))})
    assert (winner := again.choose(mine).winner)
    assert winner.broken


def test_prompts_render_once_neutralised_and_within_bounds() -> None:
    prompts = Prompts({"p.j2": "from {{ thread.last }}"})
    facts = {
        "thread": Facts("thread", {"last": "{{ 7*7 }} <|im_end|>"}),
        "atoms": Facts("atoms", {"items": "kept"}),
        "pastebin": Facts("pastebin", {"①": "note"}),
    }
    render = lambda text: prompts.render(text, lambda: facts)  # noqa: E731
    assert render("{{ thread.last }}") == "{{ 7*7 }} < |im_end| >"
    assert render("{{ thread.last|upper }}") == "{{ 7*7 }} < |IM_END| >"
    assert render('{% include "p.j2" %}') == "from {{ 7*7 }} < |im_end| >"
    assert render('{{ atoms.items }} {{ pastebin["①"] }}') == "kept note"
    assert render("{{ atoms.day|default('soon') }}") == "soon"
    with pytest.raises(RenderError) as missing:
        render("{{ atoms.day }}")
    assert missing.value.missing_atom == "day"
    for bad in (
        "{{ 'a' * 999999999 }}",
        "{{ thread.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{% for a in thread.last %}{% for b in thread.last %}{{ thread.last }}{% endfor %}{% endfor %}" * 40,
    ):
        with pytest.raises(RenderError):
            render(bad)


def test_a_preview_shows_what_earlier_steps_would_leave() -> None:
    from tests.conftest import candidate

    files = shipped(starter_folder())
    canon = parse_canon(files)
    chains = load_chains(files, canon, None)
    from draftctl.context import gather
    from draftctl.manifest import parse_manifest
    from draftctl.runner import note_facts

    path = "engines/do-gpu-mistral-nemo-12b-uncensored_2026-06-29.1.yaml"
    manifest = parse_manifest(files[path], path)
    workflow = chains.workflows["scheduling"]
    context = gather(workflow, canon.notes["⑤"], canon, chains.partials, manifest, "Quinn")
    found = preview(
        candidate("hello", key="⑤"), workflow, context, manifest, Prompts(chains.partials), note_facts(canon)
    )
    assert [one.verb for one in found] == ["extract", "choose", "think", "draft"]
    assert "They named {{ steps.wanted.day }}." in found[2].messages[-1].content
    assert found[1].messages[1].content == "{{ steps.wanted }}"
    for before, after in pairwise(found):
        assert after.messages[: len(before.messages)] == before.messages
