"""A build that nothing serves: every request says so, so every candidate holds as `engine_unavailable`."""

from draftctl.engines.base import Completion, Request
from draftctl.errors import EngineUnreachable


class AbsentEngine:
    """Bears a build's id and refuses every request with the reason it was made with."""

    sent = 0

    def __init__(self, engine_id: str, why: str) -> None:
        self.id = engine_id
        self._why = why

    async def complete(self, request: Request) -> Completion:
        """Raise EngineUnreachable."""
        raise EngineUnreachable(f"{request.engine_id}: {self._why}")

    async def close(self) -> None:
        """Hold nothing open."""
