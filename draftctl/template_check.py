"""A tokenizer's own view of a data set: how long each row is, and whether its chat template keeps what we mean.

`tokenizer.json` counts (the `tokenizers` library); the chat template of `tokenizer_config.json` or `chat_template.jinja` is rendered as
transformers renders it (huggingface.co/docs/transformers/chat_templating). A row counts only if the text that is trained on begins
with exactly what is served, the reply stands in it as it is, a stop token ends it, and a system message is there once.
"""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from draftctl.errors import UsageError
from draftctl.exports.base import Kept

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Messages = list[dict[str, str]]


class TemplateCheck:
    """Looks at rows with one tokenizer. Raises UsageError, as a sentence, when the folder holds no tokenizer that can be read."""

    def __init__(self, folder: Path, *, max_length: int | None, exact: bool) -> None:
        self._tokenizer = _tokenizer(folder)
        config = _config(folder)
        source = _template_source(folder, config)
        self._special = {name: _text(config.get(name)) for name in ("bos_token", "eos_token")}
        self._stops = _stops(config, self._tokenizer)
        self._template = _environment().from_string(source)
        self._max_length = max_length
        self.longest = 0
        self.problem = ""
        self.about: dict[str, Any] = {
            "tokenizer_sha256": hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest(),
            "chat_template_sha256": hashlib.sha256(source.encode()).hexdigest(),
            "max_length": max_length,
            "serving_equals_training": exact,
            "longest": 0,
            "problem": "",
        }

    def look(self, kept: Kept) -> str | None:
        """Return `too_long` or `template_mismatch`, or None for a row that can be trained on as it is served."""
        prompt: Messages = orjson.loads(kept.prompt)
        for text in (kept.final, kept.original):
            if text is None:
                continue
            reason = self._look(prompt, orjson.loads(text))
            if reason:
                return reason
        return None

    def _look(self, prompt: Messages, reply: str) -> str | None:
        whole = self.rendered([*prompt, {"role": "assistant", "content": reply}], generate=False)
        served = self.rendered(prompt, generate=True)
        problem = _problem(prompt, reply, served, whole, self._stops)
        if problem:
            self.problem = self.about["problem"] = self.problem or problem
            return "template_mismatch"
        tokens = self.count(whole)
        if self._max_length is not None and tokens > self._max_length:
            return "too_long"
        self.longest = self.about["longest"] = max(self.longest, tokens)
        return None

    def rendered(self, messages: Messages, *, generate: bool) -> str | None:
        """Return the messages as the template writes them; None where it refuses them."""
        try:
            return self._template.render(messages=messages, add_generation_prompt=generate, **self._special)
        except (TemplateError, ValueError) as error:
            self.problem = self.about["problem"] = self.problem or f"the chat template refuses the messages: {error}"
            return None

    def tokens(self, text: str) -> list[int]:
        """Return the token ids of a rendered text; the template has put the special ones in."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def count(self, text: str | None) -> int:
        """Return how many tokens a rendered text has."""
        return len(self.tokens(text or ""))


def _problem(prompt: Messages, reply: str, served: str | None, whole: str | None, stops: frozenset[str]) -> str | None:
    """Return what is wrong with a rendered conversation, or None. Pure."""
    if served is None or whole is None:
        return "the chat template refuses the messages"
    if not whole.startswith(served):
        return "what is trained on does not begin with what is served"
    tail = whole[len(served) :]
    if not tail.lstrip().startswith(reply):
        return "the reply does not stand in the text as it is"
    if not any(stop in tail[tail.index(reply) + len(reply) :] for stop in stops):
        return "no stop token ends the reply"
    system = [m["content"] for m in prompt if m["role"] == "system"]
    if any(whole.count(text.strip()) != 1 for text in system):
        return "the system message is not there once"
    return None


def _tokenizer(folder: Path) -> "Tokenizer":
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415  (an extra: only who measures needs it)
    except ModuleNotFoundError as error:
        raise UsageError(
            "--tokenizer needs the tokenizers library.", hint="pip install 'draftctl[tokenizer]'"
        ) from error
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise UsageError(
            f"{folder} holds no tokenizer.json.", hint="--tokenizer names the folder of the model's tokenizer."
        )
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}.") from error
    return value if isinstance(value, dict) else {}


def _template_source(folder: Path, config: dict[str, Any]) -> str:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    given = config.get("chat_template")
    if isinstance(given, list):
        given = next((item.get("template") for item in given if item.get("name") == "default"), None)
    if not isinstance(given, str):
        raise UsageError(
            f"{folder} has no chat template, so nobody can say what a conversation looks like to the model."
        )
    return given


def _stops(config: dict[str, Any], tokenizer: "Tokenizer") -> frozenset[str]:
    """Return the tokens that can end a reply: the end-of-text token, and the added ones whose names say so."""
    words = ("end", "eot", "eos", "/s", "im_end", "eom")
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    return frozenset({_text(config.get("eos_token")), *(t for t in added if any(w in t.lower() for w in words))} - {""})


def _text(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")


def _environment() -> ImmutableSandboxedEnvironment:
    """Return Jinja as transformers sets it up for chat templates."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def to_json(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now(UTC).strftime(form)
    return environment
