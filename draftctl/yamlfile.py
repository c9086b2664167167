"""The one YAML reader: a strict subset of YAML 1.2, every value with its place, every problem at once, each with a caret.

What it refuses, because each has cost somebody a lost half of a file or a silently changed value: duplicate keys, aliases,
anchors and merge keys, explicit tags, tabs before the text of a line, a byte order mark, several documents, more than 256 KiB,
nesting deeper than 20. What it resolves: `true false null`, integers and decimal fractions; all else is text, and a field that
wants text gets the text as it was written (`1.10`, `NO`, `010`, `2026-06-29`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import yaml

from draftctl.errors import FileProblems, Problem
from draftctl.yaml_faults import QUOTE_JINJA, explain_yaml, starts_like_jinja

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_PROBLEMS = 20

Path = tuple[str | int, ...]

_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?")
NULLS = ("null", "~", "")
_CONSTANTS = {"true": True, "false": False} | dict.fromkeys(NULLS)
_MAYBE_ALIAS = re.compile(
    r"(?:^|[\s\[\]{},:])[&*]\S", re.MULTILINE
)  # only then are the tokens looked at, which costs as much as reading
_PLAIN, _QUOTED, _COLLECTION = "!plain", "!quoted", "!collection"


def _loader(base: type) -> type:
    """Make a loader that marks how a scalar was written, instead of guessing its type (the C and the Python loader differ there)."""

    def resolve(_self: object, kind: type, _value: object, implicit: object) -> str:
        if kind is not yaml.ScalarNode:
            return _COLLECTION
        return _PLAIN if isinstance(implicit, tuple) and implicit[0] else _QUOTED

    return type("Loader", (base,), {"resolve": resolve})


LOADERS: dict[str, type] = {"python": _loader(yaml.SafeLoader)}
if hasattr(yaml, "CSafeLoader"):
    LOADERS["c"] = _loader(yaml.CSafeLoader)


class _Place(NamedTuple):
    """Where a value stands (line and column from 0), how it was written, its plain text, and its last line. There is one for every node."""

    line: int
    column: int
    style: str
    raw: str | None
    end: int = 0


@dataclass(slots=True, kw_only=True)
class Document:
    """A parsed file: its data, and the place of every value and key.

    `spoiled` are the places where something is wrong that is already reported: nothing that follows from it is reported again.
    """

    path: str
    lines: list[str]
    problems: list[Problem] = field(default_factory=list)
    spoiled: set[Path] = field(default_factory=set)
    _values: dict[Path, _Place] = field(default_factory=dict)
    _keys: dict[Path, _Place] = field(default_factory=dict)
    _root: Any = None
    _patched: dict[Path, Any] = field(default_factory=dict)
    _data: Any = None

    @property
    def data(self) -> Any:
        """Return the data, its plain scalars resolved; once a schema was asked, as that wants them."""
        if self._data is None and self._root is not None:
            self._data = self._value(self._root, (), frozenset())
        return self._data

    def problem_at(self, line: int, column: int, message: str, rule: str) -> Problem:
        """Make a problem at a line and column that count from 0."""
        source = self.lines[line] if line < len(self.lines) else ""
        column = min(column, len(source))
        return Problem(
            path=self.path, line=line + 1, column=column + 1, message=message, rule=rule, source=source[: column + 100]
        )

    def problem(self, path: Path, message: str, rule: str, *, at_key: bool = False) -> Problem:
        """Make a problem at a value (or its key), or at the nearest thing above it that exists."""
        place = self._keys.get(path) if at_key else None
        while place is None:
            place = self._values.get(path)
            if place is None and not path:
                return self.problem_at(0, 0, message, rule)
            path = path[:-1]
        return self.problem_at(place.line, place.column, message, rule)

    def problem_in_text(self, path: Path, text: str, offset: int, message: str, rule: str) -> Problem:
        """Make a problem at a character (from 0) of a text value, where that stands in the file, however it is written there."""
        place = self._values.get(path)
        if place is None:
            return self.problem(path, message, rule)
        before = sum(1 for char in text[:offset] if not char.isspace())
        line, column = next(islice(self._shown(place), before, None), (place.line, place.column))
        return self.problem_at(line, column, message, rule)

    def _shown(self, place: _Place) -> Iterator[tuple[int, int]]:
        """Yield the place of every character of a scalar that is no blank: folding and indentation change blanks alone."""
        block = place.style in ("|", ">")
        quote = place.style if place.style in ("'", '"') else ""
        line, column = (place.line + 1, 0) if block else (place.line, place.column + len(quote))
        for number in range(line, len(self.lines)):
            source = self.lines[number]
            while column < len(source):
                width = _width(source, column, quote)
                if not _is_blank(source[column : column + width], quote):
                    yield number, column
                column += width
            column = 0

    def is_spoiled(self, path: Path, *, below: bool = False) -> bool:
        """Say whether something is reported already at a place or above it, or (`below`) of what stands directly in it."""
        above = any(path[:n] in self.spoiled for n in range(1, len(path) + 1))
        return above or (below and any(one[:-1] == path for one in self.spoiled))

    def written(self, path: Path) -> str:
        """Return how a scalar is written: `|`, `>`, a quotation mark, or nothing (plain); `+` follows where it takes several lines."""
        place = self._values[path]
        return place.style + ("+" if place.end > place.line else "")

    def places(self) -> Iterator[tuple[Path, int, int]]:
        """Yield every value's path, line and column (from 0)."""
        for path, place in self._values.items():
            yield path, place.line, place.column

    def place(self, path: Path) -> tuple[int, int]:
        """Return a value's line and column, from 0. Raises KeyError where there is none."""
        place = self._values[path]
        return place.line, place.column

    def span(self, path: Path) -> tuple[int, int]:
        """Return the lines (from 0) that a key and its value take. Raises KeyError where there is none."""
        inside = [place.end for one, place in self._values.items() if one[: len(path)] == path]
        return self._keys[path].line, max(self._keys[path].line, *inside)

    def is_within(self, problem: Problem, path: Path) -> bool:
        """Say whether a problem stands in the lines of a key and its value."""
        if path not in self._keys:
            return False
        first, last = self.span(path)
        return first + 1 < problem.line <= last + 1

    def raw(self, path: Path) -> str | None:
        """Return the text of a plain scalar as it was written."""
        place = self._values.get(path)
        return place.raw if place else None

    def build(self, as_text: frozenset[Path]) -> Any:
        """Build the data with the plain scalars at these paths as the text that was written, and without what is reported."""
        self._data = self._value(self._root, (), as_text) if self._root is not None else None
        return self._data

    def _value(self, node: Any, path: Path, as_text: frozenset[Path]) -> Any:
        if path in self._patched:
            return self._patched[path]
        if isinstance(node, yaml.MappingNode):
            found = {
                key.value: self._value(value, (*path, key.value), as_text)
                for key, value in reversed(node.value)
                if isinstance(key, yaml.ScalarNode)
            }
            found |= {
                one[-1]: value
                for one, value in self._patched.items()
                if one and one[:-1] == path and isinstance(one[-1], str)
            }
            return {key: found[key] for key in reversed(found) if found[key] is not ABSENT}
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._value(value, (*path, n), as_text) for n, value in enumerate(node.value))
        return node.value if path in as_text else _scalar(node)


ABSENT = object()
_ESCAPES = {"x": 4, "u": 6, "U": 10}


def _width(source: str, column: int, quote: str) -> int:
    """Return how many characters of a line stand for one of a quoted text."""
    if quote == "'" and source.startswith("''", column):
        return 2
    if quote == '"' and source[column] == "\\" and column + 1 < len(source):
        return _ESCAPES.get(source[column + 1], 2)
    return 1


def _is_blank(piece: str, quote: str) -> bool:
    """Say whether a piece of a text as it is written is a blank of what it says; a backslash alone folds two lines of a quoted text."""
    if quote != '"' or piece[0] != "\\":
        return piece.isspace()
    if piece[1:2] in _ESCAPES:
        return chr(int(piece[2:], 16)).isspace()  # noqa: FURB166  (\x and \u are no prefixes of Python's)
    return piece == "\\" or piece[1] in "nrtvf NLP_"


def _scalar(node: Any) -> Any:
    if node.tag != _PLAIN:
        return node.value
    if node.value in _CONSTANTS:
        return _CONSTANTS[node.value]
    if _INT.fullmatch(node.value):
        return int(node.value)
    if _FLOAT.fullmatch(node.value):
        return float(node.value)
    return node.value


def parse_yaml(content: bytes, path: str, *, loader: str = "") -> Document:
    """Read one file's bytes; `path` is for messages.

    Raises FileProblems with all that is wrong in the file, at most 20 of them.
    """
    document = read_yaml(content, path, loader=loader)
    _stop_on(document)
    return document


def read_yaml(content: bytes, path: str, *, loader: str = "") -> Document:
    """Read one file's bytes as far as they can be read: what is wrong besides stands in the document's `problems`.

    Raises FileProblems for what is no YAML at all.
    """
    document = Document(path=path, lines=[])
    text = _decode(content, document)
    document.lines = text.split("\n")
    _stop_on(document)
    _check_lines(document)
    _stop_on(document)
    chosen = LOADERS[loader or ("c" if "c" in LOADERS else "python")]
    try:
        if _MAYBE_ALIAS.search(text):
            _refuse_aliases(document, text, chosen)
        root = yaml.compose(text, Loader=chosen)
    except yaml.MarkedYAMLError as error:
        raise FileProblems(
            [
                *document.problems[: MAX_PROBLEMS - 1],
                document.problem_at(*explain_yaml(document.lines, error), "E-YAML"),
            ]
        ) from error
    except RecursionError as error:
        raise FileProblems([document.problem_at(0, 0, f"nested deeper than {MAX_DEPTH}", "E-YAML")]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        column = error.position - (text.rfind("\n", 0, error.position) + 1)
        message = f"the character U+{int(error.character):04X} may not stand in a YAML file"
        raise FileProblems([document.problem_at(line, column, message, "E-YAML")]) from error
    document._root = root  # noqa: SLF001  (the reader fills its own value)
    if root is not None:
        _walk(document, root, (), 0, set())
    return document


def _stop_on(document: Document) -> None:
    if document.problems:
        raise FileProblems(document.problems[:MAX_PROBLEMS])


def _decode(content: bytes, document: Document) -> str:
    if len(content) > MAX_BYTES:
        document.problems.append(
            document.problem_at(0, 0, f"the file is larger than {MAX_BYTES // 1024} KiB", "E-YAML")
        )
        return ""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line = before.count("\n")
        message = f"byte {content[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        document.lines = content.decode(errors="replace").split("\n")
        document.problems.append(document.problem_at(line, len(before) - before.rfind("\n") - 1, message, "E-YAML"))
        return "\n".join(document.lines)
    if text.startswith("\ufeff"):
        document.lines = text.split("\n")
        document.problems.append(
            document.problem_at(0, 0, "the file starts with a byte order mark; save it as UTF-8 without one", "E-YAML")
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check_lines(document: Document) -> None:
    depth = 0
    for number, line in enumerate(document.lines):
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indent and line.strip():
            document.problems.append(
                document.problem_at(
                    number, indent.index("\t"), "a tab stands before the text; indent with spaces", "E-YAML"
                )
            )
        # Counting brackets without reading quotes may count too many, never too few: it only keeps the parser from deep recursion.
        depth += line.count("[") + line.count("{") - line.count("]") - line.count("}")
        if depth > 10 * MAX_DEPTH or line.count("- ") > 100 * MAX_DEPTH:
            document.problems.append(document.problem_at(number, 0, f"nested deeper than {MAX_DEPTH}", "E-YAML"))
            return


def _refuse_aliases(document: Document, text: str, loader: type) -> None:
    for token in yaml.scan(text, Loader=loader):
        if isinstance(token, (yaml.AliasToken, yaml.AnchorToken)):
            mark = token.start_mark
            message = "anchors and aliases (& and *) are not used here; write it out"
            document.problems.append(document.problem_at(mark.line, mark.column, message, "E-ALIAS"))


def _walk(document: Document, node: Any, path: Path, depth: int, seen: set[int]) -> None:
    """Record every value's place; report what the subset refuses. A node that stands a second time is an alias, and reported as such."""
    mark = node.start_mark
    style = getattr(node, "style", None) or ""
    raw = node.value if node.tag == _PLAIN else None
    end = _last_line(node, style)
    document._values[path] = _Place(line=mark.line, column=mark.column, style=style, raw=raw, end=end)  # noqa: SLF001
    if id(node) in seen:
        spoil(document, path, None)
        return
    seen.add(id(node))
    if depth > MAX_DEPTH:
        document.problems.append(document.problem(path, f"nested deeper than {MAX_DEPTH}", "E-YAML"))
        spoil(document, path, None)
    elif node.tag not in (_PLAIN, _QUOTED, _COLLECTION):
        document.problems.append(document.problem(path, f"the tag {node.tag} is not used here; leave it out", "E-YAML"))
        spoil(document, path, None)
    elif isinstance(node, yaml.SequenceNode):
        for n, child in enumerate(node.value):
            _walk(document, child, (*path, n), depth + 1, seen)
    elif isinstance(node, yaml.MappingNode):
        _walk_mapping(document, node, path, depth, seen)


def _last_line(node: Any, style: str) -> int:
    """Return a value's last line; of a block's keys or items that is known from what stands in it."""
    if isinstance(node, yaml.ScalarNode):
        return int(node.end_mark.line) - (1 if style in ("|", ">") else 0)
    return int(node.end_mark.line if node.flow_style else node.start_mark.line)


def spoil(document: Document, path: Path, instead: Any) -> None:
    """Take a value out of what is read, and put another in its place: what is wrong with it is reported."""
    document.spoiled.add(path)
    document._patched[path] = instead  # noqa: SLF001


def _walk_mapping(document: Document, node: Any, path: Path, depth: int, seen: set[int]) -> None:
    first: dict[str, int] = {}
    for key, value in node.value:
        line, column = key.start_mark.line, key.start_mark.column
        if not isinstance(key, yaml.ScalarNode):
            jinja = starts_like_jinja(document.lines[line])
            message = QUOTE_JINJA if jinja else "a key must be one word or text"
            column = document.lines[line].index("{") if jinja else column
            document.problems.append(document.problem_at(line, column, message, "E-YAML"))
            if jinja and path:
                spoil(document, path, "")
            continue
        if key.tag == _PLAIN and key.value == "<<":
            message = "merge keys (<<) are not used here; write it out"
            document.problems.append(document.problem_at(line, column, message, "E-ALIAS"))
            spoil(document, (*path, "<<"), ABSENT)
            continue
        if key.value in first:
            message = f"duplicate key '{key.value}' (first on line {first[key.value] + 1})"
            document.problems.append(document.problem_at(line, column, message, "E-DUP"))
            continue
        first[key.value] = line
        document._keys[(*path, key.value)] = _Place(line=line, column=column, style="", raw=None)  # noqa: SLF001
        _walk(document, value, (*path, key.value), depth + 1, seen)
