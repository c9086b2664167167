"""One input line (JSON) -> a candidate, or the reason why it is rejected. Pure.

The line: {"id", "thread_id", "person_id"?, "archetype"?, "state"?, "template_key"?, "mode"?, "received_at"?,
"messages": [{"role": "prospect"|"quinn", "text", "at"?}], "atoms"?: {}}; `templateKey` is taken for `template_key`.
"""

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from draftctl.models import Candidate, Message, Mode, Role, canonical_json, sha256_text

MAX_LINE_BYTES = 64 * 1024
_FORBIDDEN_IN_IDS = ("Cc", "Cf", "Zl", "Zp", "Cs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A good line: the candidate, and its content as canonical JSON (equal content has equal text) with its hash."""

    candidate: Candidate
    payload: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A bad line: why, in a sentence."""

    reason: str


def _identifier(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    if any(unicodedata.category(char) in _FORBIDDEN_IN_IDS for char in value):
        raise ValueError("holds a control character")
    return value


def _time(value: str) -> str:
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is no ISO 8601 time, as in 2026-11-24T09:30:00+01:00") from None
    if when.utcoffset() is None:
        raise ValueError("has no time zone; write 2026-11-24T09:30:00+01:00 or ...Z")
    try:
        when.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the calendar") from None
    return value


Identifier = Annotated[str, Field(max_length=256), AfterValidator(_identifier)]
Time = Annotated[str, AfterValidator(_time)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Message(_Line):
    role: Role
    text: str
    at: Time | None = None


class _Candidate(_Line):
    id: Identifier
    thread_id: Identifier
    person_id: Identifier | None = None
    archetype: str | None = None
    state: str | None = None
    template_key: str | None = Field(default=None, validation_alias=AliasChoices("template_key", "templateKey"))
    mode: Mode | None = None
    received_at: Time | None = None
    messages: list[_Message]
    atoms: dict[str, Any] = Field(default_factory=dict)


def parse_line(line: bytes) -> Accepted | Rejected:
    """Read one line, without its line end."""
    if len(line) > MAX_LINE_BYTES:
        return Rejected(reason=f"the line has {len(line):,} bytes; at most {MAX_LINE_BYTES:,} are taken")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return Rejected(reason=f"not UTF-8: byte {error.start + 1} is {line[error.start]:#04x}")
    if not text.strip():
        return Rejected(reason="not a JSON object: the line is empty")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        return Rejected(reason=f"not JSON: {error.msg} at character {error.pos + 1}")
    except RecursionError:
        return Rejected(reason="not a candidate: nested too deep")
    except ValueError as error:
        return Rejected(reason=f"not JSON: {error}")
    if not isinstance(value, dict):
        return Rejected(reason="not a JSON object")
    return parse_candidate(value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for n, key in enumerate(keys) if key in keys[:n])
        raise ValueError(f"the key {twice!r} stands twice")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def parse_candidate(value: Mapping[str, Any]) -> Accepted | Rejected:
    """Check one decoded line."""
    try:
        read = _Candidate.model_validate(value)
        payload = canonical_json(read.model_dump(exclude_none=True))
        digest = sha256_text(payload)
    except ValidationError as error:
        return Rejected(reason="; ".join(sentence_of(item) for item in error.errors(include_url=False)[:3]))
    except UnicodeEncodeError:
        return Rejected(reason="holds half a character (a lone surrogate), which is no text")
    if not any(m.role == "prospect" and m.text.strip() for m in read.messages):
        return Rejected(reason="the prospect has written nothing; no one is written to who has not written")
    return Accepted(candidate=_candidate(read), payload=payload, digest=digest)


def candidate_from_payload(payload: str, history: str | None = None, found: str | None = None) -> Candidate:
    """Build the candidate again from what the database keeps: its line, what was written before it, the atoms that were found since."""
    candidate = _candidate(_Candidate.model_validate(json.loads(payload)))
    if history:
        before = tuple(Message(**message) for message in json.loads(history))
        candidate = replace(candidate, messages=(*before, *candidate.messages), prior=len(before))
    if found:
        candidate = replace(candidate, atoms={**candidate.atoms, **json.loads(found)})
    return candidate


def _candidate(read: _Candidate) -> Candidate:
    times = [m.at for m in read.messages if m.role == "prospect" and m.at]
    return Candidate(
        id=read.id,
        thread_id=read.thread_id,
        person_id=read.person_id or read.thread_id,
        archetype=read.archetype,
        state=read.state,
        template_key=read.template_key,
        mode=read.mode,
        received_at=read.received_at or (times[-1] if times else None),
        messages=tuple(Message(role=m.role, text=m.text, at=m.at) for m in read.messages),
        atoms=read.atoms,
    )


def sentence_of(item: Mapping[str, Any]) -> str:
    """Say what is wrong with one value of a line, from what pydantic found."""
    where = ".".join(str(part) for part in item["loc"]) or "the line"
    kind = item["type"]
    if kind == "missing":
        return f"{where} is missing"
    if kind == "extra_forbidden":
        return f"unknown key {where}"
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]}"
