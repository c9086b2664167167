"""The one YAML reader: the same under both loaders, every refusal with its place, what was written kept as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftctl.errors import FileProblems
from draftctl.file_model import Strict, validate
from draftctl.yamlfile import LOADERS, parse_yaml


class Item(Strict):
    name: str
    n: int = 1
    tags: tuple[str, ...] = ()


class File(Strict):
    id: str
    items: dict[str, Item] = {}  # noqa: RUF012
    ratio: float = 0


def read(text: str | bytes, loader: str) -> File:
    return validate(parse_yaml(text if isinstance(text, bytes) else text.encode(), "f.yaml", loader=loader), File)


@pytest.mark.parametrize("loader", sorted(LOADERS))
def test_text_stays_as_it_was_written(loader: str) -> None:
    file = read(
        'id: 1.10\nitems:\n  "①": {name: NO, tags: [no, 010, 2026-06-29, 1e3, on, 12:30:00, true]}\nratio: 2\n', loader
    )
    assert file.id == "1.10"
    assert file.items["①"].tags == ("no", "010", "2026-06-29", "1e3", "on", "12:30:00", "true")


BAD = {
    "id: 1\nid: 2\n": "f.yaml:2:1: duplicate key 'id' (first on line 1) [E-DUP]",
    "id: &x 1\n": "f.yaml:1:5: anchors and aliases",
    "<<: {a: 1}\nid: x\n": "f.yaml:1:1: merge keys",
    "id: a\n\titems: {}\n": "f.yaml:2:1: a tab stands before the text",
    "\ufeffid: a\n": "f.yaml:1:1: the file starts with a byte order mark",
    "id: a\n---\nid: b\n": "f.yaml:2:1: this is not YAML: a second document",
    "id: [\n": "f.yaml:1:6: this is not YAML",
    "id: !!str 5\n": "f.yaml:1:5: the tag",
    "id: a\nitems:\n  🌹①: {nam: x, name: y}\n": "f.yaml:3:8: unknown key 'nam'; did you mean 'name'? [E-KEY]",
    "id: a\nitems:\n  b: 3\n": "f.yaml:3:6: items.b wants keys with values",
    "id: a\nitems:\n  b: {name: c, n: q}\n": "f.yaml:3:19: items.b.n: expected a valid integer",
    "id: a\nitems:\n  b: {name: c, tags: x}\n": "f.yaml:3:22: items.b.tags wants a list",
    "items: {}\n": "f.yaml:1:1: 'id' is missing [E-MISSING]",
    "id: null\n": "f.yaml:1:5: id wants text",
    "- a\n": "f.yaml:1:1: the file wants keys",
    "": "f.yaml:1:1: 'id' is missing",
    "id: a\nx: \x07\n": "f.yaml:2:4: the character U+0007",
    "id: " + "[" * 300 + "\n": "f.yaml:1:1: nested deeper than 20",
    "? [a]\n: b\n": "f.yaml:1:3: a key must be one word",
    "id: a: b\n": "f.yaml:1:6: this is not YAML: a `:` stands",
}


@pytest.mark.parametrize("loader", sorted(LOADERS))
@pytest.mark.parametrize("text", BAD)
def test_a_fault_is_told_with_its_place(text: str, loader: str) -> None:
    with pytest.raises(FileProblems) as caught:
        read(text, loader)
    assert BAD[text] in str(caught.value)
    for problem in caught.value.problems:
        if problem.source:
            assert str(problem).splitlines()[-1].endswith("^")


def test_not_utf8_and_too_large() -> None:
    with pytest.raises(FileProblems, match=r"f\.yaml:2:4: byte 0xff is not UTF-8"):
        read(b"id: a\nx: \xff\n", "python")
    with pytest.raises(FileProblems, match="larger than 256 KiB"):
        read(b"#" * 300_000, "python")


def test_five_faults_are_five_messages() -> None:
    with pytest.raises(FileProblems) as caught:
        read("idd: a\nitems:\n  a: {n: x}\n  b: {name: 1, tag: [a]}\n  c: 5\n", "python")
    assert len(caught.value.problems) == 6
    assert [p.line for p in caught.value.problems] == sorted(p.line for p in caught.value.problems)


@given(st.text(max_size=200))
def test_any_text_is_a_value_or_problems_under_both_loaders(text: str) -> None:
    seen = []
    for loader in sorted(LOADERS):
        try:
            seen.append(repr(read(text.encode(errors="replace"), loader)))
        except FileProblems as error:
            seen.append("problems" if error.problems else "nothing said")
    assert len(set(seen)) == 1
    assert seen[0] != "nothing said"
