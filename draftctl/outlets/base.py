"""What an outlet is: it delivers one text at most once, says what became of it, and can be asked again later. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

What = Literal["sent", "refused", "later", "not_sent", "unclear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text to deliver, under a key that stays its own for ever."""

    key: str
    candidate_id: str
    draft_id: str
    thread_id: str
    text: str

    @property
    def value(self) -> dict[str, str]:
        """Return what is delivered, as JSON holds it."""
        return {
            "key": self.key,
            "candidate_id": self.candidate_id,
            "draft_id": self.draft_id,
            "thread_id": self.thread_id,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a text.

    `sent`; `refused`: not taken, and never will be; `later`: not taken, nothing more can be delivered now; `not_sent`: it never
    arrived; `unclear`. `answer` is what the receiver said, `why` a sentence for a person.
    """

    what: What
    why: str = ""
    answer: str | None = None


class Outlet(Protocol):
    """One place that texts are delivered to."""

    def holds(self, key: str) -> bool:
        """Say whether a text is known to be there already."""
        ...

    def intend(self) -> Mapping[str, Any]:
        """Return what a later run needs to find out what became of the next text. Raises DraftctlError when nothing can be delivered."""
        ...

    def deliver(self, text: Text, intent: Mapping[str, Any]) -> Delivery:
        """Deliver one text, once. Raises nothing that the far side may do."""
        ...

    def ask(self, text: Text, intent: Mapping[str, Any]) -> Delivery:
        """Find out what became of a text that was intended earlier: `sent`, `not_sent` or `unclear`."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
