"""Engines that answer nothing: a build that nothing serves, one that is not there yet, one that there is no money for."""

from typing import NoReturn

from draftctl.engines.base import Completion, EngineRefused, NotYet, Request
from draftctl.errors import EngineUnreachable


class AbsentEngine:
    """Bears a build's id and refuses every request with the reason it was made with: every candidate holds as `engine_unavailable`."""

    sent = 0

    def __init__(self, engine_id: str, why: str) -> None:
        self.id = engine_id
        self._why = why

    async def complete(self, request: Request) -> Completion:
        """Raise EngineUnreachable."""
        self._refuse(request)

    async def close(self) -> None:
        """Hold nothing open."""

    def _refuse(self, request: Request) -> NoReturn:
        raise EngineUnreachable(f"{request.engine_id}: {self._why}")


class WaitingEngine(AbsentEngine):
    """Stands for a GPU that is not up: what can be decided without a model is decided, all else waits on."""

    def _refuse(self, request: Request) -> NoReturn:
        raise NotYet(request.engine_id)


class UnpaidEngine(AbsentEngine):
    """Stands for a GPU that the budget does not allow: candidates hold as `budget`."""

    def _refuse(self, request: Request) -> NoReturn:
        raise EngineRefused("budget", f"{request.engine_id}: {self._why}")
