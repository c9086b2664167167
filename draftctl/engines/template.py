"""The `template` engine: the note, filled in, is the reply. No model, no wire; the baseline that is always safe."""

from draftctl.engine_id import TEMPLATE
from draftctl.engines.base import Completion, Request


class TemplateEngine:
    """Answers with the text that the runner rendered from the note."""

    id = TEMPLATE
    sent = 0

    async def complete(self, request: Request) -> Completion:
        """Return the request's own text."""
        return Completion(text=request.messages[-1].content, model=TEMPLATE, finish_reason="stop")

    async def close(self) -> None:
        """Hold nothing open."""
