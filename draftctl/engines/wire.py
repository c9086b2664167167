"""OpenAI's chat completions on the wire, as vLLM speaks it: a request's bytes, and what an answer means. Pure.

An answer counts only if it is 200, JSON, and has a choice with a text. What can pass by itself (429, 5xx, a reply that is no
completion) may be tried again; other 4xx are final. vLLM's errors come in three shapes: `{"error": {...}}`, `{"error": "..."}`,
`{"detail": "..."}`. Nothing of a body is quoted: it may repeat a message.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from draftctl.engines.base import Completion, EngineRefused, Request
from draftctl.errors import EngineUnreachable
from draftctl.models import canonical_json, encoded_messages

_TOO_LONG = re.compile(
    r"maximum context length|context.{0,20}(?:length|window)|max_model_len|too (?:long|many tokens)|longer than the maximum",
    re.IGNORECASE,
)
_OK, _REDIRECT, _CLIENT, _SERVER = 200, 300, 400, 500
_MOST_TOKENS = 2**31
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer: its status, its body, and how long the server asks us to wait (seconds, None: it does not say)."""

    status: int
    body: bytes
    retry_after_s: float | None = None


class TryAgain(Exception):
    """This try failed in a way that may pass; `last` is what it means when no further try is left, `wait_s` what the server asks."""

    def __init__(self, last: EngineUnreachable | EngineRefused, wait_s: float | None = None) -> None:
        super().__init__(last.message)
        self.last = last
        self.wait_s = wait_s


def request_bytes(request: Request) -> bytes:
    """Return the body of a request. It never streams."""
    rest = canonical_json({**request.settings, "model": request.engine_id})
    return f'{{"messages":{encoded_messages(request.messages)},{rest[1:]}'.encode()


def read_completion(answer: Answer, ms: int) -> Completion:
    """Return the completion in an answer.

    Raises TryAgain, EngineUnreachable (401, 403: nobody lets us in), or EngineRefused with the hold reason.
    """
    if answer.status != _OK:
        raise _refusal(answer)
    try:
        value = json.loads(answer.body)
        choice = value["choices"][0]
        message = choice["message"]
        content = message.get("content")
        model, finish = value.get("model"), choice.get("finish_reason")
        fingerprint = value.get("system_fingerprint")
        usage = value.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        counts = [usage.get("prompt_tokens"), usage.get("completion_tokens"), details.get("cached_tokens")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise TryAgain(_bad("a reply that is no completion")) from error
    if content is not None and not isinstance(content, str):
        raise TryAgain(_bad("a completion whose content is no text"))
    try:
        "".join(text for text in (content, model, finish, fingerprint) if isinstance(text, str)).encode()
    except UnicodeEncodeError as error:
        raise TryAgain(_bad("a completion with half a character")) from error
    prompt, completion, cached = (n if type(n) is int and 0 <= n < _MOST_TOKENS else 0 for n in counts)
    return Completion(
        text=content or "",
        model=model if isinstance(model, str) else "",
        finish_reason=finish if isinstance(finish, str) else "missing",
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        ms=ms,
        fingerprint=fingerprint if isinstance(fingerprint, str) else None,
    )


def _refusal(answer: Answer) -> Exception:
    status = answer.status
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return EngineUnreachable(f"the server does not let us in (HTTP {status}); check GPU_INFERENCE_API_KEY")
    if status == _TOO_MANY or status >= _SERVER:
        return TryAgain(EngineUnreachable(f"the server answered HTTP {status}"), answer.retry_after_s)
    said = _error_text(answer.body)
    if status == _NOT_FOUND:
        if said == "Not Found":
            return EngineUnreachable("the server has no chat completions at this address (HTTP 404)")
        return EngineRefused("wrong_build", "the server does not serve this build (HTTP 404)")
    if _REDIRECT <= status < _CLIENT:
        return TryAgain(_bad(f"a redirect (HTTP {status}), which is not followed"))
    if _CLIENT <= status < _SERVER:
        if _TOO_LONG.search(said):
            return EngineRefused("prompt_too_long", f"the server says that the prompt is too long (HTTP {status})")
        return _bad(f"HTTP {status}")
    return TryAgain(_bad(f"HTTP {status}"))


def _bad(what: str) -> EngineRefused:
    return EngineRefused("bad_response", f"the server sent {what}")


def _error_text(body: bytes) -> str:
    """Return the message of any of the three shapes of error, for our own decisions only."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, Mapping):
        return ""
    error = value.get("error", value.get("detail", value.get("message", "")))
    text = error.get("message", "") if isinstance(error, Mapping) else error
    return text if isinstance(text, str) else ""
