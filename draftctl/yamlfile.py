"""The one YAML reader: a strict subset of YAML 1.2, every value with its place, every problem at once, each with a caret.

What it refuses, because each has cost somebody a lost half of a file or a silently changed value: duplicate keys, aliases,
anchors and merge keys, explicit tags, tabs before the text of a line, a byte order mark, several documents, more than 256 KiB,
nesting deeper than 20. What it resolves: `true false null`, integers and decimal fractions; all else is text, and a field that
wants text gets the text as it was written (`1.10`, `NO`, `010`, `2026-06-29`).
"""

import difflib
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from draftctl.errors import FileProblems, Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_PROBLEMS = 20

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound="Strict")

_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_NULLS = ("null", "~", "")
_CONSTANTS = {"true": True, "false": False} | dict.fromkeys(_NULLS)
_QUOTE_JINJA = "a text that starts with {{ or {% needs quotes, or a | block"
_PLAIN, _QUOTED, _COLLECTION = "!plain", "!quoted", "!collection"


class Strict(BaseModel):
    """The base of every file's schema: frozen, nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a value stands (line and column from 0), how it was written, and whether it is a `|` block."""

    line: int
    column: int
    style: str
    raw: str | None


@dataclass(slots=True, kw_only=True)
class Document:
    """A parsed file: its data, and the place of every value and key."""

    path: str
    lines: list[str]
    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    _values: dict[Path, _Place] = field(default_factory=dict)
    _keys: dict[Path, _Place] = field(default_factory=dict)
    _root: Any = None

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

    def problem_in_text(self, path: Path, line: int, message: str, rule: str) -> Problem:
        """Make a problem on a line (from 1) of a text value: exact inside a `|` block, else at the value's start."""
        place = self._values.get(path)
        if place is None or place.style != "|":
            return self.problem(path, message, rule)
        at = place.line + line
        source = self.lines[at] if at < len(self.lines) else ""
        return self.problem_at(at, len(source) - len(source.lstrip()), message, rule)

    def places(self) -> Iterator[tuple[Path, int, int]]:
        """Yield every value's path, line and column (from 0)."""
        for path, place in self._values.items():
            yield path, place.line, place.column

    def place(self, path: Path) -> tuple[int, int]:
        """Return a value's line and column, from 0. Raises KeyError where there is none."""
        place = self._values[path]
        return place.line, place.column

    def raw(self, path: Path) -> str | None:
        """Return the text of a plain scalar as it was written."""
        place = self._values.get(path)
        return place.raw if place else None

    def build(self, as_text: frozenset[Path]) -> Any:
        """Build the data again, with the plain scalars at these paths as the text that was written."""
        return self._value(self._root, (), as_text)

    def _value(self, node: Any, path: Path, as_text: frozenset[Path]) -> Any:
        if isinstance(node, yaml.MappingNode):
            return {key.value: self._value(value, (*path, key.value), as_text) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._value(value, (*path, n), as_text) for n, value in enumerate(node.value))
        return node.value if path in as_text else _scalar(node)


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
    document = Document(path=path, lines=[])
    text = _decode(content, document)
    document.lines = text.split("\n")
    _stop_on(document)
    _check_lines(document)
    _stop_on(document)
    chosen = LOADERS[loader or ("c" if "c" in LOADERS else "python")]
    try:
        if "&" in text or "*" in text:
            _refuse_aliases(document, text, chosen)
        _stop_on(document)
        root = yaml.compose(text, Loader=chosen)
    except yaml.MarkedYAMLError as error:
        raise FileProblems([_syntax_problem(document, error)]) from error
    except RecursionError as error:
        raise FileProblems([document.problem_at(0, 0, f"nested deeper than {MAX_DEPTH}", "E-YAML")]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        column = error.position - (text.rfind("\n", 0, error.position) + 1)
        message = f"the character U+{int(error.character):04X} may not stand in a YAML file"
        raise FileProblems([document.problem_at(line, column, message, "E-YAML")]) from error
    document._root = root  # noqa: SLF001  (the reader fills its own value)
    if root is not None:
        _walk(document, root, (), 0)
    _stop_on(document)
    document.data = document.build(frozenset()) if root is not None else None
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


def _syntax_problem(document: Document, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if line >= len(document.lines) or (line == len(document.lines) - 1 and not document.lines[line] and line > 0):
        line = max(n for n, text in enumerate(document.lines) if text.strip() or n == 0)
        column = len(document.lines[line])
    message = " ".join(part for part in (error.context, error.problem) if part)
    if "single document" in message:
        message = "a second document starts here (`---`); one file holds one"
    elif "mapping values are not allowed" in message:
        message = "a `:` stands where none may; quote the text, or check the indentation"
    elif line < len(document.lines) and _starts_like_jinja(document.lines[line]):
        message = _QUOTE_JINJA
    elif "expected key" in message or "expected <block end>" in message:
        message += "; check the indentation"
    return document.problem_at(line, column, f"this is not YAML: {message}", "E-YAML")


def _starts_like_jinja(line: str) -> bool:
    return re.match(r"\s*(?:- )?\s*(?:[\w]+:)?\s*\{[{%]", line) is not None


def _walk(document: Document, node: Any, path: Path, depth: int) -> None:
    """Record every value's place; report what the subset refuses."""
    mark = node.start_mark
    style = getattr(node, "style", None) or ""
    raw = node.value if node.tag == _PLAIN else None
    place = _Place(line=mark.line, column=mark.column, style=style, raw=raw)
    document._values[path] = place  # noqa: SLF001
    if depth > MAX_DEPTH:
        document.problems.append(document.problem(path, f"nested deeper than {MAX_DEPTH}", "E-YAML"))
    elif node.tag not in (_PLAIN, _QUOTED, _COLLECTION):
        document.problems.append(document.problem(path, f"the tag {node.tag} is not used here; leave it out", "E-YAML"))
    elif isinstance(node, yaml.SequenceNode):
        for n, child in enumerate(node.value):
            _walk(document, child, (*path, n), depth + 1)
    elif isinstance(node, yaml.MappingNode):
        _walk_mapping(document, node, path, depth)


def _walk_mapping(document: Document, node: Any, path: Path, depth: int) -> None:
    first: dict[str, int] = {}
    for key, value in node.value:
        line, column = key.start_mark.line, key.start_mark.column
        if not isinstance(key, yaml.ScalarNode):
            jinja = _starts_like_jinja(document.lines[line])
            message = _QUOTE_JINJA if jinja else "a key must be one word or text"
            document.problems.append(document.problem_at(line, column, message, "E-YAML"))
            continue
        if key.tag == _PLAIN and key.value == "<<":
            message = "merge keys (<<) are not used here; write it out"
            document.problems.append(document.problem_at(line, column, message, "E-ALIAS"))
        if key.value in first:
            message = f"duplicate key '{key.value}' (first on line {first[key.value] + 1})"
            document.problems.append(document.problem_at(line, column, message, "E-DUP"))
            continue
        first[key.value] = line
        document._keys[(*path, key.value)] = _Place(line=line, column=column, style="", raw=None)  # noqa: SLF001
        _walk(document, value, (*path, key.value), depth + 1)


def validate(document: Document, model: type[Model]) -> Model:
    """Check a document against its schema and return the value.

    Raises FileProblems with every error at its place.
    """
    data = document.data if document.data is not None else {}
    error = _try(model, data)
    if isinstance(error, ValidationError):
        # A field that wants text gets what was written: 1.10 stays 1.10 and NO stays NO.
        as_text = frozenset(
            path
            for item in error.errors(include_url=False)
            if item["type"] == "string_type"
            and (path := _known_path(document, item["loc"]))
            and document.raw(path) not in (None, *_NULLS)
        )
        error = _try(model, document.build(as_text)) if as_text else error
    if not isinstance(error, ValidationError):
        return error
    problems = [_model_problem(document, model, item) for item in error.errors(include_url=False)]
    raise FileProblems(problems[:MAX_PROBLEMS])


def _try(model: type[Model], data: Any) -> Model | ValidationError:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        return error


def _known_path(document: Document, loc: tuple[int | str, ...]) -> Path:
    """Drop what pydantic adds to a location (names of unions and validators) and what the file does not have."""
    path: Path = ()
    for part in loc:
        if (*path, part) in document._values:  # noqa: SLF001
            path = (*path, part)
    return path


def _model_problem(document: Document, model: type[BaseModel], item: Mapping[str, Any]) -> Problem:
    loc, kind = item["loc"], item["type"]
    path = _known_path(document, loc)
    name = ".".join(map(str, path)) or "the file"
    if kind == "extra_forbidden":
        allowed = _allowed_keys(model, loc[:-1])
        return document.problem(
            path, f"unknown key '{loc[-1]}'{did_you_mean(str(loc[-1]), allowed)}", "E-KEY", at_key=True
        )
    if kind == "missing":
        return document.problem(path, f"'{loc[-1]}' is missing", "E-MISSING")
    if kind == "string_type":
        return document.problem(path, f"{name} wants text", "E-TYPE")
    if kind in ("model_type", "dict_type", "mapping_type"):
        return document.problem(path, f"{name} wants keys with values (`key: value`)", "E-TYPE")
    if kind == "tuple_type":
        return document.problem(path, f"{name} wants a list (`[a, b]`)", "E-TYPE")
    message = str(item["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    rule = "E-TYPE" if kind.endswith("_type") else "E-VALUE"
    return document.problem(
        path, f"{name}: expected {message}" if "Input should be" in item["msg"] else f"{name}: {message}", rule
    )


def _allowed_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that a model allows at a location."""
    kind: Any = model
    for part in loc:
        found = _models_in(kind)
        if found and isinstance(part, str) and part in (fields := _by_alias(found[0])):
            kind = fields[part]
    found = _models_in(kind)
    return sorted({name for each in found for name in _by_alias(each)})


def _by_alias(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _models_in(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    if get_origin(kind) in (Union, types.UnionType, tuple, dict, list) or get_args(kind):
        return [model for arg in get_args(kind) for model in _models_in(arg)]
    return []


def did_you_mean(word: str, allowed: list[str]) -> str:
    """Return `; did you mean 'x'?` for a near miss, else what is allowed, else nothing."""
    close = difflib.get_close_matches(word, allowed, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; allowed: {', '.join(allowed)}" if allowed and len(allowed) <= 20 else ""  # noqa: PLR2004  (fits a screen)
