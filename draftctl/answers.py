"""What counts as an answer of a step: reasoning cut away, constraints checked again here, the reply's body checked whole. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from draftctl.control_tokens import find_control_token
from draftctl.models import canonical_json
from draftctl.workflow import Step

_THINK = re.compile(r"<(/)?think>", re.IGNORECASE)
_TRANSCRIPT = re.compile(r"^\s*(?:them|us|fact)>|^\s*(?:<<<|>>>)\s*$", re.MULTILINE)
_TALKS = re.compile(r"\b(?:i|i'm|me|my|mine|we|us|our|you|your|yours|u|ur|let's)\b")
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0")
_MARK = re.compile(r"</?think\b", re.IGNORECASE)
_LEAK_CHARS = 40
_THOUGHT_CHARS = 20
_WHOLE_CHARS = 200
_ENDS = " .!?-*:"
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
CRITIQUE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["ok", "reasons"],
    "properties": {
        "ok": {"type": "boolean"},
        "reasons": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 160}},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why an answer does not count: the hold reason, a detail without any text of a message, and what the model is told."""

    reason: str
    detail: str = ""
    told: str = ""


def without_reasoning(text: str) -> str:
    """Return the text outside `<think>...</think>`; an unclosed mark stays and is a fault."""
    return apart(text)[0]


def apart(text: str) -> tuple[str, str]:
    """Return the text outside `<think>...</think>`, and what was inside (also after a mark that is never closed)."""
    kept, hidden = [], []
    at, opened = 0, -1
    for mark in _THINK.finditer(text):
        if mark[1] and opened >= 0:
            kept.append(text[at:opened])
            hidden.append(text[opened : mark.start()])
            at, opened = mark.end(), -1
        elif not mark[1] and opened < 0:
            opened = mark.start()
    if opened >= 0:
        hidden.append(text[opened:])
    return ("".join(kept) + text[at:]).strip(), "\n".join(_THINK.sub("", part) for part in hidden).strip()


def whole(text: str, finish_reason: str) -> Fault | None:
    """Say why a completion is no whole answer, whatever its step."""
    visible = without_reasoning(text)
    if finish_reason != "stop" and _MARK.search(visible):
        return Fault(reason="truncated", detail="in the middle of its reasoning")
    if finish_reason != "stop":
        told = "it was cut off before its end; write it shorter" if finish_reason == "length" else ""
        return Fault(reason="truncated", detail=f"finish_reason {finish_reason!r}", told=told)
    if not has_words(visible):
        return Fault(reason="empty", detail="reasoning alone" if text.strip() else "")
    if _MARK.search(visible):
        return Fault(reason="gate:think_leak", detail="reply, rule unclosed <think>")
    return None


def has_words(text: str) -> bool:
    """Say whether a text has anything to read in it: a letter or a digit that can be seen."""
    return any(char.isalnum() and char not in _BLANKS for char in text)


def read_value(step: Step, text: str) -> Any | Fault:
    """Return what a step leaves for later ones: text, the option, or the object; a Fault when it is not what was asked for."""
    visible = without_reasoning(text)
    match step.verb:
        case "choose":
            return visible if visible in step.options else Fault(reason="invalid_step", detail="not one of the options")
        case "extract":
            return _object(visible, step.schema or {})
        case "critique":
            return _object(visible, CRITIQUE_SCHEMA)
        case _:
            return visible


def _object(text: str, schema: Mapping[str, Any]) -> Any | Fault:
    try:
        value = json.loads(text)
        canonical_json(value).encode()
    except (ValueError, RecursionError):
        return Fault(reason="invalid_step", detail="not JSON")
    error = next(_validator(canonical_json(schema)).iter_errors(value), None)
    if error is not None:
        place = ".".join(map(str, error.absolute_path)) or "the object"
        return Fault(reason="invalid_step", detail=f"{place}: breaks `{error.validator}` of the schema")
    return value


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  (70 ms that only a chain with a schema pays)

    return Draft202012Validator(json.loads(schema))


def body_fault(body: str, max_chars: int, extra: tuple[str, ...]) -> Fault | None:
    """Say why a reply's body cannot serve, before the gates look: too long, or a control token in it."""
    over = len(body) - max_chars
    if over > 0:
        return Fault(
            reason="over_length",
            detail=f"{over} characters over {max_chars}",
            told=f"it is {over} characters over {max_chars}",
        )
    if find_control_token(body, extra):
        return Fault(reason="control_token", detail="in the reply", told="it had a program's marks in it")
    return None


def leaks(body: str, told: Iterable[str], thoughts: Iterable[str], allowed: Iterable[str]) -> bool:
    """Say whether the body repeats a private text: what the model was told, what it thought, or the transcript's own marks.

    Of what it was told: a long sentence, or all of a short text. Of what it thought: a whole line, or a sentence that talks to
    nobody (with an `I` or a `you` in it, it may well be the reply itself). What also stands in an allowed text (the thread, the canon)
    is no leak; case and blanks count for nothing.
    """
    if _TRANSCRIPT.search(body):
        return True
    flat = _flat(body)
    found = {part for text in told for part in _sentences(text) if part in flat}
    found |= {part for text in thoughts for part in _thoughts(text) if part in flat}
    return bool(found) and any(all(part not in _flat(text) for text in allowed) for part in found)


def _thoughts(text: str) -> list[str]:
    """Return a thought's lines and its sentences that talk to nobody; a short one may be anybody's words."""
    lines = [_flat(line).strip(_ENDS) for line in text.splitlines()]
    spoken = [_flat(match[0]).strip(_ENDS) for match in _SENTENCE.finditer(text)]
    return [part for part in (*lines, *(s for s in spoken if not _TALKS.search(s))) if len(part) >= _THOUGHT_CHARS]


@lru_cache(maxsize=1024)
def _sentences(text: str) -> tuple[str, ...]:
    found = (_flat(match[0]).strip(_ENDS) for match in _SENTENCE.finditer(text))
    long = tuple(sentence for sentence in found if len(sentence) >= _LEAK_CHARS)
    whole_text = _flat(text).strip(_ENDS)
    return (*long, whole_text) if _THOUGHT_CHARS <= len(whole_text) < _WHOLE_CHARS else long


def _flat(text: str) -> str:
    return " ".join(text.casefold().split())
