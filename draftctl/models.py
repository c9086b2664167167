"""The frozen values that the whole program speaks in. Pure.

Times are ISO 8601 text with zone as they came in; hashes are lower-case hex sha256.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["prospect", "quinn"]
Mode = Literal["auto", "review", "hold"]
Atom = str | int | float | bool


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, real characters. What is hashed is always this."""
    return _CANONICAL.encode(value)


def sha256_text(text: str) -> str:
    """Return the hex sha256 of the text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a thread."""

    role: Role
    text: str
    at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redraft:
    """What a person asked for when they sent a draft back: their words, and the reply that these are about (if there was one)."""

    note: str
    body: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An inbound message that wants a reply: its thread so far, and what is known of it."""

    id: str
    thread_id: str
    person_id: str
    messages: tuple[Message, ...]
    archetype: str | None = None
    state: str | None = None
    template_key: str | None = None
    mode: Mode | None = None
    received_at: str | None = None
    atoms: Mapping[str, Any] = field(default_factory=dict)
    redraft: Redraft | None = None
    prior: int = 0

    @property
    def own(self) -> tuple[Message, ...]:
        """Return the messages that the line itself brought; the `prior` ones before them come from earlier lines of the thread."""
        return self.messages[self.prior :]

    @property
    def inbound(self) -> tuple[str, ...]:
        """Return the texts that the prospect wrote, oldest first."""
        return tuple(m.text for m in self.messages if m.role == "prospect")

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Return the prospect's texts since our last message."""
        ours = [n for n, m in enumerate(self.messages) if m.role == "quinn"]
        return tuple(m.text for m in self.messages[ours[-1] + 1 if ours else 0 :] if m.role == "prospect")

    @property
    def usable_atoms(self) -> dict[str, Atom]:
        """Return the atoms that say something: an atom that is null, blank or no scalar counts as missing."""
        return {
            key: value
            for key, value in self.atoms.items()
            if isinstance(value, (str, int, float)) and (not isinstance(value, str) or value.strip())
        }


def is_known(value: Any) -> bool:
    """Say whether an atom says so: it is there, and is not a no."""
    return str("" if value is None else value).strip().casefold() not in ("", "false", "no", "0", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPart:
    """One message of a prompt, as it is sent. `pieces` are what the content is put together from; each is stored once.

    `encoded` is its canonical JSON, made once: a chain sends its first message with every step.
    """

    role: str
    content: str
    pieces: tuple[str, ...]
    encoded: str

    @classmethod
    def of(cls, role: str, *pieces: str) -> "PromptPart":
        """Put a message together."""
        content = "".join(pieces)
        encoded = canonical_json({"content": content, "role": role})
        return cls(role=role, content=content, pieces=pieces, encoded=encoded)


def encoded_messages(messages: Iterable[PromptPart]) -> str:
    """Return the canonical JSON of messages."""
    return "[" + ",".join([message.encoded for message in messages]) + "]"


def prompt_hash(messages: Iterable[PromptPart], settings: Mapping[str, Any] | None = None) -> str:
    """Return the hash of the exact messages of one request, and of the settings that went with them (sampling, constraint)."""
    if not settings:
        return sha256_text(canonical_json([[m.role, m.content] for m in messages]))
    return sha256_text(f'{{"messages":{encoded_messages(messages)},"settings":{canonical_json(settings)}}}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a chain and what came back; `recalled` when it was paid for by an earlier run."""

    n: int
    verb: str
    name: str
    attempt: int
    messages: tuple[PromptPart, ...]
    output: str
    finish_reason: str
    prompt_hash: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    ms: int = 0
    recalled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A message that a person must look at: which gate, and the digest of the message (never its text)."""

    gate: str
    message_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is known of who writes: asked to stop, an open alert, and the messages that a person has already looked at."""

    opted_out: bool = False
    flagged: bool = False
    cleared: frozenset[Alert] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """What is known of a thread beside its messages.

    `superseded`: a newer message of it has come in; `state`: where our last sent reply left it; `unanswered`: how many of our texts
    stand at its end with no answer; `sent`: what went out in it before; `drafted`: what waits to, for other messages of it.
    """

    superseded: bool = False
    state: str | None = None
    unanswered: int = 0
    sent: tuple[str, ...] = ()
    drafted: tuple[str, ...] = ()

    @property
    def presses(self) -> bool:
        """Say whether one more text of ours would press: one may stand unanswered and be followed up, two may not."""
        return self.unanswered > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one stage decided about a candidate, for the `decisions` table: never any text of a message.

    `engine_id` is the one that decided, where that is another than the run's.
    """

    kind: str
    outcome: str
    reason: str = ""
    detail: str = ""
    engine_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What the stages before the draft filled in: who writes, where the thread stands, the move, and where that leads.

    `atoms` are those that were found; what came with the message is not among them.
    """

    archetype: str | None = None
    state: str | None = None
    template_key: str | None = None
    next_state: str | None = None
    mode: Mode | None = None
    atoms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A reply that is whole, from the right build and past every gate."""

    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """No reply, and why. There is no text in it, so none can be sent by mistake."""

    reason: str
    detail: str = ""
    on_body: bool = False


Outcome = Drafted | Held


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePart:
    """One thing that was read to make a draft: a note, a rules file, the program's own renderer."""

    kind: str
    key: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRef:
    """Which workflow made a draft: its id, the author's version, the hash of what it says."""

    id: str
    version: str
    semantic_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that `draft_one` found out about one candidate; the batch records it, nothing else needs to be asked."""

    candidate: Candidate
    outcome: Outcome
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    alerts: tuple[Alert, ...] = ()
    bundle: tuple[BundlePart, ...] = ()
    bundle_hash: str | None = None
    workflow: WorkflowRef | None = None
    note_key: str | None = None  # of the note that was chosen; the candidate may name it otherwise
    read: frozenset[str] = frozenset()  # the workspace paths of what the bundle was read from
    suppress_person: bool = False
    staged: Staged | None = None
    mode: Mode = "review"
    engine_served: str | None = None
    fingerprint: str | None = None
    answered: bool = False


def bundle_hash(parts: Iterable[BundlePart]) -> str:
    """Return the hash over every byte that a draft read."""
    return sha256_text(canonical_json(sorted([p.kind, p.key, sha256_text(p.content)] for p in parts)))
