"""A file against its schema: what it must hold, every error at its place, with what was probably meant. Pure.

`validate` refuses a file with anything wrong in it; `salvage` reads the rest of it too, so that the rules can say all that is wrong at once.
"""

import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from draftctl.errors import FileProblems, Problem
from draftctl.spelling import did_you_mean
from draftctl.yamlfile import ABSENT, MAX_PROBLEMS, NULLS, Document, Path, spoil

Model = TypeVar("Model", bound="Strict")
_ROUNDS = 12


class Strict(BaseModel):
    """The base of every file's schema: frozen, nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


def salvage(document: Document, model: type[Model]) -> Model | None:
    """Check a document against its schema; what is wrong joins its problems, and the rest is read as if that were not there.

    Returns None where nothing can be read of it.
    """
    # A version is nearly always written as a number: knowing that here saves the second look at nearly every file.
    written = document.raw(("version",)) if "version" in model.model_fields else None
    as_text: frozenset[Path] = frozenset() if written in (None, *NULLS) else frozenset({("version",)})
    data = document.build(as_text)
    if data is None:
        document.problems.append(document.problem((), "the file is empty", "E-MISSING"))
        return None
    if not isinstance(data, dict):
        document.problems.append(document.problem((), "the file wants keys with values (`key: value`)", "E-TYPE"))
        return None
    for _ in range(_ROUNDS):
        error = _try(model, data)
        if not isinstance(error, ValidationError):
            return error
        more = _as_text(document, error) - as_text
        if more:
            as_text |= more
            data = document.build(as_text)
            continue
        for item in sorted(error.errors(include_url=False), key=lambda one: -len(_known_path(document, one["loc"]))):
            _repair(document, model, item)
        data = document.build(as_text)
    return None


def _repair(document: Document, model: type[BaseModel], item: Mapping[str, Any]) -> None:
    """Report one error, and put something harmless where it is."""
    loc, kind = item["loc"], item["type"]
    path = _known_path(document, loc)
    if kind == "missing" or (kind == "extra_forbidden" and path[-1:] != loc[-1:]):
        path = (*path, loc[-1])
    if not path or any(one != path and one[: len(path)] == path for one in document.spoiled):
        return  # of a choice of shapes, what is wrong deeper down says more
    if not document.is_spoiled(path):
        document.problems.append(_model_problem(document, model, item))
    field_at = _field_at(model, path)
    required = isinstance(path[-1], int) or (field_at is not None and field_at[1])
    spoil(document, path, _harmless(field_at[0]) if field_at and required else ABSENT)


def _field_at(model: type[BaseModel], path: Path) -> tuple[Any, bool] | None:
    """Return what a place of a file should hold, and whether it must be there; None for a place that has no name."""
    kind: Any = model
    required = True
    for part in path:
        if isinstance(part, int):
            kind, required = _item_of(kind), True
            continue
        fields = {name: info for each in _models_in(kind) for name, info in _infos(each).items()}
        if part not in fields:
            return None
        kind, required = fields[part].annotation, fields[part].is_required()
    return kind, required


def _item_of(kind: Any) -> Any:
    if get_origin(kind) is tuple:
        return get_args(kind)[0]
    return next((found for arg in get_args(kind) if (found := _item_of(arg)) is not None), None)


def _infos(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _harmless(kind: Any) -> Any:
    kinds = [kind, *get_args(kind)]
    if str in kinds:
        return ""
    if any(get_origin(one) is tuple for one in kinds):
        return ()
    return {}


def validate(document: Document, model: type[Model]) -> Model:
    """Check a document against its schema and return the value.

    Raises FileProblems with every error at its place.
    """
    data = document.data if document.data is not None else {}
    error = _try(model, data)
    if isinstance(error, ValidationError):
        as_text = _as_text(document, error)
        error = _try(model, document.build(as_text)) if as_text else error
    if not isinstance(error, ValidationError):
        return error
    problems = [_model_problem(document, model, item) for item in error.errors(include_url=False)]
    raise FileProblems(problems[:MAX_PROBLEMS])


def _as_text(document: Document, error: ValidationError) -> frozenset[Path]:
    """Return where a field wants text: it gets what was written, 1.10 stays 1.10 and NO stays NO."""
    return frozenset(
        path
        for item in error.errors(include_url=False)
        if item["type"] == "string_type"
        and (path := _known_path(document, item["loc"]))
        and document.raw(path) not in (None, *NULLS)
    )


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
    if kind == "int_type" and isinstance(item["input"], str) and item["input"].isdecimal():
        return document.problem(path, f"{name} wants a number: write {item['input']} without quotes", "E-TYPE")
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
    return {name: info.annotation for name, info in _infos(model).items()}


def _models_in(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    if get_origin(kind) in (Union, types.UnionType, tuple, dict, list) or get_args(kind):
        return [model for arg in get_args(kind) for model in _models_in(arg)]
    return []
