"""A `do-gpu` engine: one build behind one or several OpenAI-compatible endpoints, over aiohttp.

aiohttp, because at 256 requests in flight one shared httpx client costs 5 to 13 ms of CPU a request where aiohttp costs 0.18.
A chain stays on one endpoint (its prefix cache holds the chain), and moves only when that one fails. The first request of each
prefix goes ahead, and the others of that prefix wait for it, so that the server reads what they share once.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import tenacity

from draftctl.engines.base import Completion, EngineRefused, Request
from draftctl.engines.wire import Answer, TryAgain, read_completion, request_bytes
from draftctl.errors import EngineUnreachable

MAX_REPLY_BYTES = 4 * 1024 * 1024
COOL_DOWN_S = 5.0  # how long an endpoint that failed comes last
MAX_WAIT_S = 30.0
STAGGER_S = 0.002  # between those that were let go: chains that start together would end together, wave after wave
OK = 200


class ChatEngine:
    """Completes requests at the endpoints of one build."""

    def __init__(
        self,
        engine_id: str,
        endpoints: Sequence[str],
        *,
        api_key: str | None = None,
        tries: int = 4,
        request_timeout_s: float = 120,
        connect_timeout_s: float = 5,
        max_model_len: int | None = None,
        first_wait_s: float = 0.25,
    ) -> None:
        self.id = engine_id
        self.sent = 0
        self._endpoints = tuple(endpoints)
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"} | (
            {"Authorization": f"Bearer {api_key}"} if api_key else {}
        )
        self._tries = tries
        self._backoff = tenacity.wait_exponential(multiplier=first_wait_s, max=MAX_WAIT_S) + tenacity.wait_random(
            0, first_wait_s
        )
        self._timeout = aiohttp.ClientTimeout(total=request_timeout_s, connect=connect_timeout_s)
        self._max_model_len = max_model_len
        self._lengths: dict[str, int | None] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        self._cool_until: dict[str, float] = {}
        self._warming: dict[tuple[str, str], asyncio.Event] = {}
        self._waiting = 0
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, request: Request) -> Completion:
        """Answer one request, trying again where that may help."""
        body = request_bytes(request)
        await self._check_length(request, body)
        endpoint = self._choose(request.chain)
        warming = self._warming.get((endpoint, request.prefix))
        if warming is None and request.prefix:
            warming = self._warming[endpoint, request.prefix] = asyncio.Event()
            try:
                return await self._with_tries(request, body)
            finally:
                warming.set()
        if warming is not None and not warming.is_set():
            place = self._waiting = self._waiting + 1
            await warming.wait()
            self._waiting -= 1
            await asyncio.sleep(STAGGER_S * place)
        return await self._with_tries(request, body)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _with_tries(self, request: Request, body: bytes) -> Completion:
        """Try once as it is, which nearly always does: the machinery for more costs a third of a request's CPU."""
        try:
            return await self._try(request, body)
        except TryAgain as failed:
            first = [failed]

        async def attempt() -> Completion:
            if first:
                raise first.pop()  # what has failed already counts as the first try
            return await self._try(request, body)

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(TryAgain),
            stop=tenacity.stop_after_attempt(self._tries),
            wait=self._wait,
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except TryAgain as failed:
            raise failed.last from failed

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Wait as long as the server asks, up to a limit, else twice as long each time, with jitter."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TryAgain) and error.wait_s is not None:
            return min(error.wait_s, MAX_WAIT_S)
        return self._backoff(state)

    async def _try(self, request: Request, body: bytes) -> Completion:
        endpoint = self._choose(request.chain)
        self.sent += 1
        started = time.monotonic()
        try:
            answer = await self._post(f"{endpoint}/v1/chat/completions", body)
            return read_completion(answer, round(1000 * (time.monotonic() - started)))
        except TryAgain as failed:
            if isinstance(failed.last, EngineUnreachable):
                self._cool_until[endpoint] = time.monotonic() + COOL_DOWN_S
                failed.last = EngineUnreachable(f"{endpoint}: {failed.last.message}")
            raise
        except EngineUnreachable as error:
            raise EngineUnreachable(f"{endpoint}: {error.message}") from error

    def _choose(self, chain: str) -> str:
        """Return the chain's endpoint: always the same one while it works, else the next in the chain's own order."""
        if len(self._endpoints) == 1:
            return self._endpoints[0]
        now = time.monotonic()
        return min(
            self._endpoints,
            key=lambda endpoint: (
                self._cool_until.get(endpoint, 0.0) > now,
                hashlib.sha256(f"{endpoint}\0{chain}".encode()).digest(),
            ),
        )

    async def _post(self, url: str, body: bytes) -> Answer:
        try:
            async with self._client().post(url, data=body, allow_redirects=False) as response:
                content = await _body(response)
                wait_s = _retry_after(response.headers.get("Retry-After")) if response.status != OK else None
                return Answer(status=response.status, body=content, retry_after_s=wait_s)
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise TryAgain(EngineUnreachable(f"the connection failed ({type(error).__name__})")) from error
        except TimeoutError as error:
            raise TryAgain(EngineUnreachable(f"no answer in {self._timeout.total:.0f} s")) from error
        except (aiohttp.ClientError, ValueError) as error:
            refused = EngineRefused("bad_response", f"the server sent what is no HTTP ({type(error).__name__})")
            raise TryAgain(refused) from error

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                headers=self._headers,
                trust_env=False,
                auto_decompress=False,  # nothing packed was asked for, and a small body can unpack to gigabytes
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def _check_length(self, request: Request, body: bytes) -> None:
        """Refuse what cannot fit before anything is sent; what surely fits (a token has at least one byte) is not counted."""
        wanted = int(request.settings.get("max_tokens") or 0)
        endpoint = self._choose(request.chain)
        limit = await self._length_of(endpoint)
        if limit is None or len(body) + wanted <= limit:
            return
        count = await self._count(endpoint, request)
        if count is None:
            return  # the server counts for itself, and says so
        if count + wanted > limit:
            message = f"{count} tokens and {wanted} for the answer are more than the {limit} that the server reads"
            raise EngineRefused("prompt_too_long", message)

    async def _length_of(self, endpoint: str) -> int | None:
        """Return how many tokens the server reads; asked once for each endpoint, and the manifest's own limit counts too."""
        if endpoint not in self._lengths:
            async with self._asking.setdefault(endpoint, asyncio.Lock()):
                if endpoint not in self._lengths:
                    try:
                        served = await self._ask_length(endpoint)
                    except _NotAnsweredError:
                        return self._max_model_len  # asked again with the next request
                    known = [n for n in (served, self._max_model_len) if n]
                    self._lengths[endpoint] = min(known) if known else None
        return self._lengths[endpoint]

    async def _ask_length(self, endpoint: str) -> int | None:
        value = await self._json("GET", f"{endpoint}/v1/models")
        listed = value.get("data") if isinstance(value, Mapping) else None
        for model in listed if isinstance(listed, list) else ():
            if (
                isinstance(model, Mapping)
                and model.get("id") == self.id
                and isinstance(model.get("max_model_len"), int)
            ):
                return int(model["max_model_len"])
        return None

    async def _count(self, endpoint: str, request: Request) -> int | None:
        messages = [{"role": part.role, "content": part.content} for part in request.messages]
        body = {"model": self.id, "messages": messages, "add_generation_prompt": True}
        try:
            value = await self._json("POST", f"{endpoint}/tokenize", body)
        except _NotAnsweredError:
            return None
        count = value.get("count") if isinstance(value, Mapping) else None
        return count if isinstance(count, int) else None

    async def _json(self, method: str, url: str, body: Any = None) -> Any:
        """Ask what only helps us decide; None where the answer says nothing. Raises _NotAnsweredError."""
        try:
            async with self._client().request(method, url, json=body, allow_redirects=False) as response:
                return json.loads(await _body(response)) if response.status == OK else None
        except (ValueError, RecursionError):
            return None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _NotAnsweredError from error


class _NotAnsweredError(Exception):
    pass


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Read a body, up to the cap. Raises ValueError above it."""
    length = response.content_length
    if length is not None:
        if length > MAX_REPLY_BYTES:
            raise ValueError(f"more than {MAX_REPLY_BYTES} bytes")
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_REPLY_BYTES:
            raise ValueError(f"more than {MAX_REPLY_BYTES} bytes")
    return b"".join(chunks)


def _retry_after(value: str | None) -> float | None:
    """Read a Retry-After: seconds, or a date."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
