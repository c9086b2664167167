"""What a chain was answered before, so that nothing is asked and paid for twice. Pure; the batch keeps it in the database."""

from typing import Protocol

from draftctl.engines.base import Completion


class Memory(Protocol):
    """What was answered before, and where to keep what is answered now."""

    def recall(self, n: int, attempt: int, prompt: str) -> Completion | None:
        """Return the completion of this very request, if an earlier run of the chain has it."""
        ...

    def keep(self, n: int, attempt: int, prompt: str, completion: Completion) -> None:
        """Keep a completion; nobody waits for it."""
        ...


class NoMemory:
    """Remembers nothing."""

    def recall(self, _n: int, _attempt: int, _prompt: str) -> Completion | None:
        """Return None."""
        return None

    def keep(self, _n: int, _attempt: int, _prompt: str, _completion: Completion) -> None:
        """Do nothing."""
