"""Texts to a receiver over HTTP: one POST each, never repeated by itself; what is unclear stays unclear until the receiver says.

POST URL        header Idempotency-Key, JSON {"key", "candidate_id", "draft_id", "thread_id", "text"}
2xx: sent; 409: there already; 400, 413, 415, 422: this text is refused; 401, 403, 404, 405, 429 and
redirects: nothing was taken, and nothing more is tried now; anything else, or no answer: unclear
GET URL?key=K   optional, for `reconcile`: 200 and JSON {"key": K, "found": true|false}; any other answer says nothing
"""

import contextlib
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from draftctl.outlets.base import Delivery, Text

TIMEOUT_S = 30.0
CONNECT_S = 5.0
ANSWER_CHARS = 2000  # of the receiver's answer that are kept
SETTLED_S = 600.0  # a receiver that does not know a key may still be taking it, for so long after it was sent
_REFUSED = (400, 413, 415, 422)
_NOT_NOW = (401, 403, 404, 405, 429)


class HttpOutlet:
    """Posts to one URL."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S), trust_env=False, follow_redirects=False
        )

    def holds(self, _key: str) -> bool:
        """Say no: the receiver itself answers 409 for what it has."""
        return False

    def intend(self) -> Mapping[str, Any]:
        """Return the URL, and when."""
        return {"url": self._url, "at": datetime.now(UTC).isoformat(timespec="seconds")}

    def deliver(self, text: Text, _intent: Mapping[str, Any]) -> Delivery:
        """Post the text."""
        try:
            with self._client.stream(
                "POST", self._url, json=text.value, headers={"Idempotency-Key": text.key}
            ) as response:
                return _read(response, self._url, _answer(response, self._timeout_s))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            return Delivery(what="later", why=f"{self._url} cannot be reached ({_name(error)})")
        except httpx.HTTPError as error:
            return Delivery(what="unclear", why=f"{self._url} gave no whole answer ({_name(error)})")

    def ask(self, text: Text, intent: Mapping[str, Any]) -> Delivery:
        """Ask the receiver whether it has the text; one that cannot say leaves it unclear."""
        unclear = Delivery(what="unclear", why=f"{self._url} does not say")
        if intent.get("url") != self._url:
            return Delivery(
                what="unclear", why=f"it went to {intent.get('url') or intent.get('path')}, and not to {self._url}"
            )
        try:
            with self._client.stream("GET", httpx.URL(self._url).copy_merge_params({"key": text.key})) as response:
                answer = _answer(response, self._timeout_s)
            value = json.loads(answer) if response.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, ValueError, RecursionError):
            return unclear
        if not isinstance(value, dict) or value.get("key") != text.key:
            return unclear
        if value.get("found") is True:
            return Delivery(what="sent", answer=answer)
        age_s = (datetime.now(UTC) - datetime.fromisoformat(intent["at"])).total_seconds()
        if value.get("found") is False and age_s > SETTLED_S:
            return Delivery(what="not_sent")
        return unclear

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _answer(response: httpx.Response, timeout_s: float) -> str:
    """Return the beginning of an answer; one that drips or never ends is not waited for, its status has said it all."""
    deadline = time.monotonic() + timeout_s
    kept = b""
    with contextlib.suppress(httpx.HTTPError):
        for chunk in response.iter_bytes(ANSWER_CHARS):
            kept += chunk
            if len(kept) >= ANSWER_CHARS or time.monotonic() > deadline:
                break
    return kept[:ANSWER_CHARS].decode(errors="replace")


def _read(response: httpx.Response, url: str, said: str) -> Delivery:
    code = response.status_code
    answer = f"{code} {said}".strip()
    if response.is_success or code == httpx.codes.CONFLICT:
        return Delivery(what="sent", answer=answer)
    if code in _REFUSED:
        return Delivery(what="refused", why=f"{url} answered {code}", answer=answer)
    if code in _NOT_NOW or response.is_redirect:
        return Delivery(what="later", why=f"{url} answered {code}, so nothing was taken", answer=answer)
    return Delivery(what="unclear", why=f"{url} answered {code}", answer=answer)


def _name(error: Exception) -> str:
    return type(error).__name__
