"""`workflows/<id>.yaml`: one chain of steps, for whom, with which context, on which builds. `parse_workflow` is pure.

The semantic hash covers what the file says: applies, context, steps, sampling, examples, priority, engine, and the partials that it
includes. It is blind to comments, id, version, name, description, tests, key order, line ends, values equal to defaults and the
order inside match sets.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from draftctl.errors import FileProblems, Problem, UsageError
from draftctl.jinja_check import included
from draftctl.models import canonical_json, sha256_text
from draftctl.spelling import did_you_mean
from draftctl.workflow_file import AppliesToFile, ContextFile, ExamplesFile, StepFile, TestFile, WorkflowFile, verbs_of
from draftctl.yamlfile import Document, parse_yaml

_KNOWN_KEYS = frozenset(info.alias or name for name, info in WorkflowFile.model_fields.items())
DEFAULT_MAX_CHARS = 640  # four segments of an SMS
DEFAULT_MAX_TOKENS = {"think": 256, "choose": 32, "extract": 256, "critique": 256}
DEFAULT_REDRAFTS = {"draft": 2, "check": 2, "critique": 1}
_IS_WORKFLOW = re.compile(r"workflows/(?P<stem>[^/]+)\.yaml")
NOT_WORKFLOWS = frozenset({"vocab", "classify", "decisions"})
_LIMIT = re.compile(r"(?:<=|≤)\s*([0-9]{1,4})\s*(?:chars?|characters?)\b", re.IGNORECASE)
_ANY_LIMIT = re.compile(_LIMIT.pattern.replace("{1,4}", "{1,9}"), re.IGNORECASE)
_PARTIAL = re.compile(r"workflows/partials/(?P<name>[^/]+\.j2)")
_PHRASES = {
    "canon": re.compile(r"pastebin canon(?: snippets)?", re.IGNORECASE),
    "voice": re.compile(r"(?:[\w'’. -]{1,40} )?voice rules", re.IGNORECASE),
    "safety": re.compile(r"safety rules", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchSet:
    """For whom a workflow or a decision is: sets, of which None stands for any, and the atoms that must be there, or must not."""

    archetypes: frozenset[str] | None = None
    states: frozenset[str] | None = None
    template_keys: frozenset[str] | None = None
    atoms: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextItem:
    """One thing of the context: a kind (canon, voice, rules, safety), and which: notes' keys, or a file's NAME ('' = the default)."""

    kind: str
    name: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: its verb, its text, the name of what it leaves, and its limits (tokens, characters)."""

    verb: str
    name: str
    text: str = ""
    when: str | None = None
    max_tokens: int = 0
    max_chars: int = 0
    sampling: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    options: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    redrafts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesRule:
    """Which corrections a workflow shows: the fields that must be the same, how many at most, and the characters of their replies."""

    match: tuple[str, ...]
    most: int
    max_chars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One workflow, read. `engine` is an engine id or a glob; `partials` are the names that its texts include."""

    id: str
    name: str
    version: str
    path: str
    applies: MatchSet
    context: tuple[ContextItem, ...]
    steps: tuple[Step, ...]
    engine: str
    priority: int
    sampling: Mapping[str, Any]
    partials: tuple[str, ...]
    semantic: str
    semantic_hash: str
    description: str = ""
    tests: tuple[TestFile, ...] = ()
    test_problems: tuple[Problem, ...] = ()
    examples: ExamplesRule | None = None
    auto: bool = False
    document: Document

    @property
    def draft(self) -> int:
        """Return the index of the draft step."""
        return next(n for n, step in enumerate(self.steps) if step.verb == "draft")

    @property
    def max_chars(self) -> int:
        """Return how long the reply may be; 0 where there is none, as with the classifier's steps."""
        return next((step.max_chars for step in self.steps if step.verb == "draft"), 0)


def workflow_paths(paths: Mapping[str, object]) -> list[str]:
    """Return the workspace paths that are workflow files, in order."""
    return sorted(
        path for path in paths if (found := _IS_WORKFLOW.fullmatch(path)) and found["stem"] not in NOT_WORKFLOWS
    )


def stem(path: str) -> str:
    """Return the id that a workflow file's name gives it."""
    return path.removeprefix("workflows/").removesuffix(".yaml")


def read_partials(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the partials' texts by name, with one kind of line end. Raises FileProblems for one that is not UTF-8."""
    partials = {}
    for path, content in sorted(files.items()):
        found = _PARTIAL.fullmatch(path)
        if found:
            try:
                partials[found["name"]] = content.decode().replace("\r\n", "\n").replace("\r", "\n").strip()
            except UnicodeDecodeError as error:
                problem = Problem(path=path, line=1, column=1, message="the file is not UTF-8", rule="E-YAML")
                raise FileProblems([problem]) from error
    return partials


def parse_applies(content: bytes, path: str) -> tuple[MatchSet, int] | None:
    """Read what can still be read of a broken file: for whom it is, and its priority; None where that cannot be read."""
    try:
        data = parse_yaml(content, path).data
        if not isinstance(data, dict):
            return None
        if "appliesTo" not in data and not set(data) <= _KNOWN_KEYS:
            return None  # one of the unknown keys may be a misspelt appliesTo
        applies = AppliesToFile.model_validate(data.get("appliesTo") or {})
    except (FileProblems, ValueError, AttributeError):
        return None
    priority = data.get("priority", 0)
    return _match_set(applies), priority if isinstance(priority, int) else 0


def with_version(text: str, workflow: Workflow, version: str) -> str:
    """Return a file's text with another version in it, and nothing else changed. Raises UsageError for one that takes several lines."""
    if workflow.document.written(("version",)) not in ("", "'", '"'):
        raise UsageError(f"The version in {workflow.path} takes several lines; write it on one.")
    line, column = workflow.document.place(("version",))
    parts = re.split(r"(\r\n|\r|\n)", text)  # lines, and between them their own ends
    head, tail = parts[2 * line][:column], parts[2 * line][column:]
    raw = workflow.document.raw(("version",))
    quoted = re.match(r"\"[^\"]*\"|'[^']*'", tail)
    end = len(raw) if raw is not None else quoted.end() if quoted else 0
    new = version if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", version) else f'"{version}"'
    parts[2 * line] = head + new + tail[end:]
    return "".join(parts)


def _match_set(applies: AppliesToFile) -> MatchSet:
    return MatchSet(
        archetypes=frozenset(applies.archetypes) or None,
        states=frozenset(applies.states) or None,
        template_keys=frozenset(applies.template_keys) or None,
    )


def read_workflow(document: Document, file: WorkflowFile, partials: Mapping[str, str]) -> Workflow:
    """Return a file that breaks no rule as a workflow; `partials` are the texts that it may include."""
    context = read_context(document, file.context)[0]
    steps = tuple(read_step(n, step) for n, step in enumerate(file.steps, start=1))
    used = tuple(sorted({name for step in steps for name in included(step.text)}))
    semantic = canonical_json(_semantic(file, context, steps, {name: partials[name] for name in used}))
    return Workflow(
        id=file.id,
        name=file.name,
        version=file.version,
        path=document.path,
        applies=_match_set(file.applies_to),
        context=context,
        steps=steps,
        engine=file.engine,
        priority=file.priority,
        sampling=file.sampling.model_dump(exclude_none=True),
        partials=used,
        semantic=semantic,
        semantic_hash=sha256_text(semantic),
        description=file.description,
        tests=file.tests,
        examples=_examples(file.examples),
        auto=file.auto,
        document=document,
    )


def read_context(
    document: Document, entries: Sequence[str | ContextFile]
) -> tuple[tuple[ContextItem, ...], list[Problem]]:
    """Read the entries of `context`, and what is wrong with them."""
    items: list[ContextItem] = []
    problems = []
    for n, entry in enumerate(entries):
        if isinstance(entry, ContextFile):
            given = entry.model_dump(exclude_none=True)
            if len(given) != 1:
                message = "an entry has exactly one of pastebin, voice, rules, safety"
                problems.append(document.problem(("context", n), message, "E-CONTEXT"))
                continue
            kind, value = next(iter(given.items()))
            item = (
                ContextItem(kind="canon", keys=tuple(value))
                if kind == "pastebin"
                else ContextItem(kind=kind, name=value)
            )
            items.append(item)
            continue
        words = " ".join(entry.split())
        kinds = [kind for kind, pattern in _PHRASES.items() if pattern.fullmatch(words)]
        if not kinds:
            message = f"'{entry}' is not known{_meant(words)}; there are 'pastebin canon', 'voice rules', 'safety rules', or pastebin:, voice:, rules:, safety:"
            problems.append(document.problem(("context", n), message, "E-CONTEXT"))
        items += [ContextItem(kind=kind) for kind in kinds]
        items += [ContextItem(kind="rules")] if kinds == ["voice"] else []
    return tuple(dict.fromkeys(items)), problems


def _meant(words: str) -> str:
    said = did_you_mean(words, ("pastebin canon", "pastebin canon snippets", "voice rules", "safety rules"))
    return said if said.startswith("; did you mean") else ""


def _examples(file: ExamplesFile | None) -> ExamplesRule | None:
    if file is None or not file.max:
        return None
    return ExamplesRule(match=file.match, most=file.max, max_chars=file.max_chars)


def read_step(n: int, file: StepFile) -> Step:
    """Return one step as it is run, its defaults filled in; `n` counts from 1."""
    verb = verbs_of(file)[0]
    text = "" if verb == "check" else getattr(file, verb).strip()
    max_chars = (file.max_chars or _limit_in(text)) if verb == "draft" else 0
    # A character is at most one token for nearly every text: a reply that fits is never cut by its token limit.
    default_tokens = max(64, max_chars) if verb == "draft" else DEFAULT_MAX_TOKENS.get(verb, 0)
    redraft = file.on_fail.redraft if file.on_fail else None
    return Step(
        verb=verb,
        name=file.name or f"{verb}{n}",
        text=text,
        when=file.when.strip() if file.when else None,
        max_tokens=file.max_tokens or default_tokens,
        max_chars=max_chars,
        sampling=file.sampling.model_dump(exclude_none=True) if file.sampling else {},
        schema=_plain(file.json_schema) if file.json_schema is not None else None,
        options=file.options or (),
        gates=file.check or (),
        redrafts=DEFAULT_REDRAFTS.get(verb, 0) if redraft is None else redraft,
    )


def has_limit(text: str) -> bool:
    """Say whether a text has a limit in it (`<=320 chars`)."""
    return _LIMIT.search(text) is not None


def limits_in(text: str) -> list[tuple[int, int]]:
    """Return every limit that a text says: where it stands, and its characters."""
    return [(found.start(), int(found[1])) for found in _ANY_LIMIT.finditer(text)]


def _limit_in(text: str) -> int:
    found = _LIMIT.findall(text)
    return int(found[-1]) if found and int(found[-1]) > 0 else DEFAULT_MAX_CHARS


def _plain(value: Any) -> Any:
    """Turn the reader's tuples into lists, which is what JSON Schema and JSON mean."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _semantic(
    file: WorkflowFile, context: tuple[ContextItem, ...], steps: tuple[Step, ...], partials: Mapping[str, str]
) -> dict[str, Any]:
    applies = file.applies_to
    value: dict[str, Any] = {
        "appliesTo": {
            key: sorted(words)
            for key, words in (
                ("archetypes", applies.archetypes),
                ("states", applies.states),
                ("templateKeys", applies.template_keys),
            )
            if words
        },
        "context": [[item.kind, item.name, list(item.keys)] for item in context],
        "steps": [_semantic_step(n, step) for n, step in enumerate(steps, start=1)],
        "engine": file.engine,
        "sampling": file.sampling.model_dump(exclude_none=True),
        "examples": file.examples.model_dump(mode="json") if file.examples and file.examples.max else None,
        "priority": file.priority,
        "auto": file.auto,
        "partials": dict(partials),
    }
    return {key: item for key, item in value.items() if item}


def _semantic_step(n: int, step: Step) -> dict[str, Any]:
    default_tokens = max(64, step.max_chars) if step.verb == "draft" else DEFAULT_MAX_TOKENS.get(step.verb, 0)
    kept = {
        "as": step.name if step.name != f"{step.verb}{n}" else None,
        "when": step.when,
        "max_tokens": step.max_tokens if step.max_tokens != default_tokens else None,
        "max_chars": step.max_chars if step.verb == "draft" and step.max_chars != _limit_in(step.text) else None,
        "sampling": dict(step.sampling),
        "schema": step.schema,
        "options": list(step.options),
        "redraft": step.redrafts if step.redrafts != DEFAULT_REDRAFTS.get(step.verb, 0) else None,
    }
    given = {key: item for key, item in kept.items() if item is not None and item not in ({}, [])}
    return {step.verb: list(step.gates) if step.verb == "check" else step.text, **given}
