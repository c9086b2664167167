"""What an engine is: one request in, one completion out. Pure; the adapters stand above."""

from dataclasses import dataclass
from typing import Protocol

from draftctl.errors import DraftctlError
from draftctl.models import PromptPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: for which engine id, with which messages."""

    engine_id: str
    messages: tuple[PromptPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What an engine answered: the text, which model says so (`model`), why it stopped, and what it counted (tokens)."""

    text: str
    model: str
    finish_reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class EngineRefused(DraftctlError):
    """The engine gave no usable completion; `reason` is the hold reason that says why."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Engine(Protocol):
    """An engine id and a way to complete one request.

    `complete` raises EngineUnreachable when nothing answers, EngineRefused when the answer is no completion.
    """

    @property
    def id(self) -> str:
        """Return the engine id that is written on every draft."""
        ...

    @property
    def sends_requests(self) -> bool:
        """Say whether a completion is a request on a wire (the template engine's is not)."""
        ...

    async def complete(self, request: Request) -> Completion:
        """Answer one request."""
        ...
