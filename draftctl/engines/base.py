"""What an engine is: one request in, one completion out. Pure; the adapters stand above."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from draftctl.errors import DraftctlError
from draftctl.models import PromptPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: for which engine id, with which messages and settings (sampling, token limit, constraint).

    `prefix` names what this request shares with others (one is sent ahead, so that the server's prefix cache is warm for the
    rest), `chain` the chain that it belongs to (it stays on one endpoint).
    """

    engine_id: str
    messages: tuple[PromptPart, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    chain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What an engine answered: the text, which model says so (`model`), why it stopped, what it counted (tokens), how long it took.

    `fingerprint` is what the server says of itself.
    """

    text: str
    model: str
    finish_reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    ms: int = 0
    fingerprint: str | None = None


class EngineRefused(DraftctlError):
    """The engine gave no usable completion; `reason` is the hold reason that says why."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotYet(Exception):
    """The engine is not there yet, and that is as it should be."""


class Engine(Protocol):
    """An engine id and a way to complete one request.

    `complete` raises EngineUnreachable when nothing answers, EngineRefused when the answer is no completion.
    """

    @property
    def id(self) -> str:
        """Return the engine id that is written on every draft."""
        ...

    @property
    def sent(self) -> int:
        """Return how many completion requests went out on a wire so far, every try counted."""
        ...

    async def complete(self, request: Request) -> Completion:
        """Answer one request."""
        ...

    async def close(self) -> None:
        """Let go of what the engine holds open."""
        ...
