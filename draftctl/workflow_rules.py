"""What may be wrong in a workflow file beyond its shape: its id, its verbs and their siblings, their order, their texts. Pure.

What needs more than the one file (vocabulary, notes, ties) stands in `chainset`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from draftctl.engine_id import parse_build
from draftctl.errors import Problem, UsageError
from draftctl.models import canonical_json
from draftctl.rendering import condition_problems, included, prompt_problems
from draftctl.workflow_file import VERBS, StepFile, WorkflowFile, verbs_of
from draftctl.yamlfile import Document

CANDIDATE_FIELDS = ("id", "archetype", "state", "template_key", "mode", "received_at")
THREAD_FIELDS = ("id", "messages", "last")
_REDRAFTING = ("draft", "check", "critique")
_KEBAB = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GLOB = re.compile(r"do-gpu-[a-z0-9.*?_\[\]-]+")
_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
# No `pattern`: an expression can take hours over one answer. No `$ref`: a schema stands whole where it is used.
_KEYWORDS = frozenset(
    [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "enum",
        "const",
        "items",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "title",
        "description",
    ]
)
_ROOT = 3  # a schema's own path: steps, n, schema


def problems_of(document: Document, file: WorkflowFile, path: str, partials: Mapping[str, str]) -> Iterator[Problem]:
    """Yield everything that is wrong in one file, `path` being its place in the workspace."""
    yield from _head_problems(document, file, path)
    yield from _step_problems(document, file)
    yield from _text_problems(document, file.steps, partials)


def _head_problems(document: Document, file: WorkflowFile, path: str) -> Iterator[Problem]:
    if not _KEBAB.fullmatch(file.id):
        yield document.problem(("id",), f"the id '{file.id}' is not kebab-case (first-reply)", "E-ID")
    elif path.removeprefix("workflows/").removesuffix(".yaml") != file.id:
        yield document.problem(("id",), f"the id is {file.id}, but the file is {path}", "E-ID")
    if not file.version.strip() or len(file.version) > 64:  # noqa: PLR2004
        yield document.problem(("version",), "a version is a number or a short word", "E-VALUE")
    yield from engine_problem(document, file.engine)
    for kind, path_name in (("archetypes", "archetypes"), ("states", "states"), ("template_keys", "templateKeys")):
        words = getattr(file.applies_to, kind)
        for n, word in enumerate(words):
            if word in words[:n]:
                yield document.problem(("appliesTo", path_name, n), f"'{word}' stands twice", "E-DUP")


def engine_problem(document: Document, engine: str) -> Iterator[Problem]:
    """Yield what is wrong with `engine:`, which is a build's id or a pattern of one."""
    if not _GLOB.fullmatch(engine):
        yield document.problem(
            ("engine",), f"'{engine}' is no do-gpu build (do-gpu-<model>_<YYYY-MM-DD>.<n>) and no pattern of one (do-gpu-<model>_*)", "E-ENGINE"
        )  # fmt: skip
    elif not any(char in engine for char in "*?["):
        try:
            parse_build(engine)
        except UsageError as error:
            yield document.problem(("engine",), f"{error.message} {error.hint}", "E-ENGINE")


def question_problems(document: Document, steps: Sequence[StepFile], partials: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong in the classifier's steps: those of a workflow's that make no reply."""
    yield from _verb_problems(document, steps)
    yield from _text_problems(document, steps, partials)
    for n, step in enumerate(steps):
        for verb in verbs_of(step):
            if verb in ("draft", "check", "critique"):
                yield document.problem(
                    ("steps", n), f"a {verb} is about a reply; classifying has think, choose and extract", "E-VERB"
                )


def _step_problems(document: Document, file: WorkflowFile) -> Iterator[Problem]:
    yield from _verb_problems(document, file.steps)
    yield from _order_problems(document, file)


def _verb_problems(document: Document, steps: Sequence[StepFile]) -> Iterator[Problem]:
    names: set[str] = set()
    for n, step in enumerate(steps):
        verbs, here = verbs_of(step), ("steps", n)
        if len(verbs) != 1:
            message = f"a step has exactly one of {', '.join(VERBS)}" + (
                f"; this one has {', '.join(verbs)}" if verbs else ""
            )
            yield document.problem(here, message, "E-VERB")
            continue
        verb = verbs[0]
        if verb != "check" and not getattr(step, verb).strip():
            yield document.problem((*here, verb), f"the {verb} has no text", "E-VALUE")
        name = step.name or f"{verb}{n + 1}"
        if not _NAME.fullmatch(name):
            yield document.problem((*here, "as"), f"'{name}' is no name (letters, digits, _)", "E-STEPREF")
        if name in names:
            yield document.problem((*here, "as"), f"a step before this one is '{name}' too", "E-STEPREF")
        names.add(name)
        yield from _siblings(document, step, verb, here)


def _siblings(document: Document, step: StepFile, verb: str, here: tuple[str | int, ...]) -> Iterator[Problem]:
    """Find siblings that a verb does not have, or lacks."""
    allowed = {
        "options": ("choose",),
        "schema": ("extract",),
        "max_chars": ("draft",),
        "on_fail": _REDRAFTING,
    }
    given = {"options": step.options, "schema": step.json_schema, "max_chars": step.max_chars, "on_fail": step.on_fail}
    for key, verbs in allowed.items():
        if given[key] is not None and verb not in verbs:
            yield document.problem(
                (*here, key), f"`{key}` belongs to {' or '.join(verbs)}, not to {verb}", "E-KEY", at_key=True
            )
    for key in ("max_tokens", "sampling"):
        if verb == "check" and getattr(step, key) is not None:
            yield document.problem((*here, key), f"a check asks no model, so it has no `{key}`", "E-KEY", at_key=True)
    if verb == "choose":
        options = step.options or ()
        if len(options) < 2 or len(set(options)) < len(options) or not all(o.strip() == o and o for o in options):  # noqa: PLR2004
            message = "a choose needs `options`: two or more different words, without blanks around them"
            yield document.problem((*here, "options"), message, "E-OPTIONS")
    if verb == "extract":
        if step.json_schema is None:
            yield document.problem(here, "an extract needs a `schema`", "E-SCHEMA")
        else:
            yield from _schema_problems(document, step.json_schema, (*here, "schema"))
            wrong = _no_schema(step.json_schema)
            if wrong:
                yield document.problem((*here, "schema"), wrong, "E-SCHEMA")


def _no_schema(schema: Mapping[str, Any]) -> str:
    """Say why this is no JSON Schema at all (a `maxLength` that is a word), or nothing."""
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415  (70 ms that only an extract pays)

    try:
        Draft202012Validator.check_schema(json.loads(canonical_json(schema)))
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path)) or "the schema"
        return f"{place} is no JSON Schema: {error.message[:120]}"
    return ""


def _schema_problems(document: Document, schema: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """Ask for bounds: without them a constrained model can run on to its last token."""
    kinds = schema.get("type") if isinstance(schema, Mapping) else None
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds or ())
    if not isinstance(schema, Mapping) or not (kinds or "enum" in schema or "const" in schema):
        yield document.problem(path, "every part of a schema needs a `type` (or an `enum`)", "E-SCHEMA")
        return
    for kind in kinds:
        if kind not in _TYPES:
            message = f"'{kind}' is no type; there are {', '.join(sorted(_TYPES))}"
            yield document.problem((*path, "type"), message, "E-SCHEMA")
    for keyword in schema:
        if keyword not in _KEYWORDS:
            message = f"'{keyword}' is not used here; there are {', '.join(sorted(_KEYWORDS))}"
            yield document.problem((*path, keyword), message, "E-SCHEMA", at_key=True)
    for message in _unbounded(schema, kinds, root=len(path) == _ROOT):
        yield document.problem(path, message, "E-SCHEMA")
    if "array" in kinds:
        yield from _schema_problems(document, schema.get("items"), (*path, "items"))
    properties = schema.get("properties")
    if "object" in kinds and isinstance(properties, Mapping):
        for name, part in properties.items():
            yield from _schema_problems(document, part, (*path, "properties", name))


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


def _order_problems(document: Document, file: WorkflowFile) -> Iterator[Problem]:
    drafts = [n for n, step in enumerate(file.steps) if step.draft is not None]
    if len(drafts) != 1:
        at = ("steps", drafts[1]) if drafts else ("steps",)
        yield document.problem(at, f"a workflow has exactly one draft; this one has {len(drafts)}", "E-DRAFT")
        return
    if file.steps[drafts[0]].when is not None:
        yield document.problem(
            ("steps", drafts[0], "when"), "the draft is never left out, so it has no `when`", "E-DRAFT", at_key=True
        )
    for n, step in enumerate(file.steps):
        if n < drafts[0] and (step.check is not None or step.critique is not None):
            yield document.problem(
                ("steps", n), "a check or a critique stands after the draft that it looks at", "E-DRAFT"
            )
        if n > drafts[0] and step.check is None and step.critique is None and verbs_of(step):
            yield document.problem(("steps", n), "after the draft only check and critique may stand", "E-DRAFT")


def _text_problems(document: Document, steps: Sequence[StepFile], partials: Mapping[str, str]) -> Iterator[Problem]:
    names: list[str] = []
    left: dict[str, tuple[str, ...]] = {}
    for n, step in enumerate(steps):
        verbs = verbs_of(step)
        if len(verbs) != 1:
            continue
        verb = verbs[0]
        known: dict[str, Any] = {
            "candidate": CANDIDATE_FIELDS, "thread": THREAD_FIELDS, "steps": tuple(names), "atoms": None, "pastebin": None, **left
        }  # fmt: skip
        if verb != "check":
            path = ("steps", n, verb)
            texts = [(getattr(step, verb), "")]
            texts += [(partials[name], name) for name in included(texts[0][0]) if name in partials]
            for text, partial in texts:
                for line, message in prompt_problems(text, known=known, partials=() if partial else tuple(partials)):
                    where = f"workflows/partials/{partial}:{line}: " if partial else ""
                    at = document.problem_in_text(path, 1 if partial else line, where + message, _rule(message))
                    yield at
        if step.when is not None:
            for _, message in condition_problems(step.when, known=known):
                yield document.problem(("steps", n, "when"), message, _rule(message))
            if re.search(r"\bthread\b", step.when):
                message = "what a person wrote must not decide which steps run; extract or choose first, and use that"
                yield document.problem(("steps", n, "when"), message, "E-UNTRUSTED")
        if verb not in ("draft", "check"):
            names.append(step.name or f"{verb}{n + 1}")
            left |= {f"steps.{names[-1]}": fields for fields in [_fields(step)] if fields is not None}


def _fields(step: StepFile) -> tuple[str, ...] | None:
    """Return what an extract leaves by name; None where that is not known."""
    properties = (step.json_schema or {}).get("properties")
    return tuple(properties) if isinstance(properties, Mapping) else None


def _rule(message: str) -> str:
    if "steps." in message:
        return "E-STEPREF"
    return "E-UNDEF" if "is not known here" in message else "E-JINJA"
