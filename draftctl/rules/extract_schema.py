"""E-SCHEMA: what an extract fills in is bounded."""

from collections.abc import Iterator, Mapping
from typing import Any

from draftctl.rules.base import Found, Rule, Written
from draftctl.spelling import did_you_mean
from draftctl.yamlfile import Path

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
# No `pattern`: an expression can take hours over one answer. No `$ref`: a schema stands whole where it is used.
_KEYWORDS = (
    "additionalProperties", "const", "description", "enum", "items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum",
    "properties", "required", "title", "type",
)  # fmt: skip
_COUNT = "a whole number from 0"
_KINDS = {
    "maxLength": _COUNT, "minLength": _COUNT, "maxItems": _COUNT, "minItems": _COUNT, "minimum": "a number", "maximum": "a number",
    "required": "a list of different words", "enum": "a list", "title": "text", "description": "text", "properties": "keys with values",
    "additionalProperties": "true or false", "items": "a schema", "type": "a type, or a list of different ones",
}  # fmt: skip
_ROOT = 3  # a schema's own path: steps, n, schema


def _check(written: Written) -> Found:
    for n, verb, step in written.one_verb:
        if verb != "extract":
            continue
        path: Path = ("steps", n, "schema")
        if step.json_schema is None:
            yield written.at(("steps", n), "an extract needs a `schema`", lacking=True)
            continue
        for place, message, key in _faults(step.json_schema, path):
            yield written.at(place, message, key=key)


def _faults(schema: Any, path: Path) -> Iterator[tuple[Path, str, bool]]:
    """Ask for bounds: without them a constrained model can run on to its last token."""
    kinds = schema.get("type", ()) if isinstance(schema, Mapping) else ()
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(schema, Mapping) or not (kinds or "enum" in schema or "const" in schema):
        yield path, "every part of a schema needs a `type` (or an `enum`)", False
        return
    misspelt = list(_misspelt(schema, kinds, path))
    yield from misspelt or ((path, message, False) for message in _unbounded(schema, kinds, root=len(path) == _ROOT))
    if "array" in kinds or "items" in schema:
        yield from _faults(schema.get("items"), (*path, "items"))
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        for name, part in properties.items():
            yield from _faults(part, (*path, "properties", name))


def _misspelt(schema: Mapping[str, Any], kinds: tuple[Any, ...], path: Path) -> Iterator[tuple[Path, str, bool]]:
    for kind in kinds:
        if kind is None:
            yield (*path, "type"), 'null is no type here; in quotes it is one: "null"', False
        elif kind not in _TYPES:
            yield (*path, "type"), f"'{kind}' is no type{did_you_mean(str(kind), _TYPES)}", False
    for keyword, value in schema.items():
        if keyword not in _KEYWORDS:
            yield (*path, keyword), f"'{keyword}' is not used here{did_you_mean(keyword, _KEYWORDS)}", True
        elif not _is(_KINDS.get(keyword, ""), value):
            yield (*path, keyword), f"`{keyword}` wants {_KINDS[keyword]}", False


def _is(kind: str, value: Any) -> bool:
    """Say whether a keyword's value is what JSON Schema (draft 2020-12) wants there; a test asks `jsonschema` the same."""
    if kind == _COUNT:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind == "a number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "a type, or a list of different ones":
        words = value if isinstance(value, tuple) else (value,)
        return bool(words) and len(set(map(str, words))) == len(words)
    if kind == "a list of different words":
        words = value if isinstance(value, tuple) else (0,)
        return all(isinstance(word, str) for word in words) and len(set(words)) == len(words)
    shapes = {"a list": tuple, "text": str, "keys with values": Mapping, "true or false": bool, "a schema": Mapping}
    return kind not in shapes or isinstance(value, shapes[kind])


def _unbounded(schema: Mapping[str, Any], kinds: tuple[Any, ...], *, root: bool) -> Iterator[str]:
    if root and kinds != ("object",):
        yield "the schema of an extract must be an object"
    if "string" in kinds and not {"maxLength", "enum", "const"} & set(schema):
        yield "a string needs a `maxLength`"
    if "array" in kinds and "maxItems" not in schema:
        yield "an array needs `maxItems`"
    if "object" in kinds and schema.get("additionalProperties") is not False:
        yield "an object needs `additionalProperties: false`"
    if "object" in kinds and not (isinstance(schema.get("properties"), Mapping) and schema["properties"]):
        yield "an object needs `properties`"


RULE = Rule(
    id="E-SCHEMA",
    title="An extract whose answer has no bounds",
    why="A model that may write an endless string or list does so, until its tokens run out and the candidate holds.",
    fix="type: object, additionalProperties: false, properties; `maxLength` on each string, `maxItems` on each array.",
    of_steps=_check,
)
