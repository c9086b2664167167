"""What stands at an endpoint, measured: the right build, a stable prefix, injectable control tokens, constraints that constrain.

The questions go to `/v1/models`, `/tokenize` and, twice, to the completions themselves. The conversation that is tokenised is
built by the same functions as a chain's, so what is measured is what will be sent.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, get_args

import httpx

from draftctl.control_tokens import known_tokens, neutralise
from draftctl.errors import EngineUnreachable
from draftctl.models import Candidate, Message, PromptPart
from draftctl.prompt import (
    ContextRole,
    ContextText,
    context_piece,
    first_messages,
    instruction,
    next_messages,
    thread_piece,
)

CONNECT_S = 5.0
TIMEOUT_S = 60.0  # the first constrained request of a fresh server takes up to 20 s
_OK = 200
_OPTIONS = ("violet-7", "copper-9")
_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["word", "sure"],
    "properties": {"word": {"type": "string", "enum": list(_OPTIONS)}, "sure": {"type": "boolean"}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What was found at one endpoint. None stands for what could not be measured there.

    `served` are the model ids that it lists; `prefix_stable` says for each context role whether every step's tokens begin the next
    step's; `injectable` are the texts that become control tokens in a message, `leaking` those that still do when neutralised.
    """

    endpoint: str
    right_build: bool
    served: tuple[str, ...]
    version: str | None
    max_model_len: int | None
    prefix_stable: dict[str, bool | None]
    injectable: tuple[str, ...] | None
    leaking: tuple[str, ...] | None
    constrains_choice: bool | None
    constrains_schema: bool | None

    @property
    def best_role(self) -> str | None:
        """Return the context role that keeps the prefix, `user` first: a system message is moved by several templates."""
        return next((role for role in ("user", "system") if self.prefix_stable.get(role)), None)

    def troubles(self, context_role: str) -> list[str]:
        """Return what a chain with this context role should not run into, each as a sentence; none means that all is well."""
        found = []
        if not self.right_build:
            found.append(f"It does not serve this build; it serves {', '.join(self.served) or 'nothing'}.")
        if self.prefix_stable.get(context_role) is False:
            better = f"; set serve.context_role to {self.best_role}" if self.best_role else ""
            found.append(
                f"With the context as {context_role}, a step is no prefix of the next, so nothing is cached{better}."
            )
        if self.leaking:
            found.append(
                f"Neutralised text still becomes {' '.join(self.leaking)}; add that to special_tokens of the manifest."
            )
        ignored = [
            name
            for name, holds in (("choice", self.constrains_choice), ("schema", self.constrains_schema))
            if holds is False
        ]
        if ignored:
            found.append(
                f"It ignores constraints ({', '.join(ignored)}): such steps hold where the model does not comply by itself."
            )
        return found


class _Client:
    def __init__(self, endpoint: str, engine_id: str, api_key: str | None) -> None:
        self.endpoint = endpoint
        self._engine_id = engine_id
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(
            base_url=endpoint,
            headers=headers,
            timeout=httpx.Timeout(TIMEOUT_S, connect=CONNECT_S),
            follow_redirects=False,
            trust_env=False,
        )
        self.requests = 0

    def close(self) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        response = self._ask("GET", path, None)
        return _json(response) if response.status_code == _OK else None

    def tokens(self, messages: Sequence[PromptPart]) -> list[int] | None:
        body = {
            "model": self._engine_id,
            "messages": [{"role": part.role, "content": part.content} for part in messages],
            "add_generation_prompt": True,
        }
        return self._tokens(body)

    def plain_tokens(self, text: str) -> list[int] | None:
        return self._tokens({"model": self._engine_id, "prompt": text, "add_special_tokens": False})

    def _tokens(self, body: dict[str, Any]) -> list[int] | None:
        response = self._ask("POST", "/tokenize", body)
        value = _json(response) if response.status_code == _OK else None
        tokens = value.get("tokens") if isinstance(value, dict) else None
        return [int(token) for token in tokens] if isinstance(tokens, list) else None

    def complete(self, text: str, **settings: Any) -> str | None:
        """Return what the build answers, or None where that is no completion."""
        self.requests += 1
        body = {
            "model": self._engine_id,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": 64,
            "temperature": 0,
            **settings,
        }
        response = self._ask("POST", "/v1/chat/completions", body)
        try:
            return str(_json(response)["choices"][0]["message"]["content"]) if response.status_code == _OK else None
        except (KeyError, IndexError, TypeError):
            return None

    def _ask(self, method: str, path: str, body: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise EngineUnreachable(
                f"{self.endpoint} does not answer ({type(error).__name__}).",
                hint="Is the server up, and the port right?",
            ) from error
        if response.status_code in (401, 403):
            raise EngineUnreachable(
                f"{self.endpoint} does not let us in (HTTP {response.status_code}).",
                hint="Check GPU_INFERENCE_API_KEY.",
            )
        return response


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def probe(
    endpoint: str, engine_id: str, *, api_key: str | None, special_tokens: tuple[str, ...] = ()
) -> tuple[Probed, int]:
    """Measure one endpoint; return what was found and how many completion requests that took. Raises EngineUnreachable."""
    client = _Client(endpoint, engine_id, api_key)
    try:
        models = client.get("/v1/models")
        if not isinstance(models, dict) or not isinstance(models.get("data"), list):
            raise EngineUnreachable(f"{endpoint} is no OpenAI-compatible server: it lists no models.")
        listed = [model for model in models["data"] if isinstance(model, dict)]
        mine = next((model for model in listed if model.get("id") == engine_id), None)
        injectable, leaking = _control_tokens(client, special_tokens) if mine else (None, None)
        version = client.get("/version")
        return Probed(
            endpoint=endpoint,
            right_build=mine is not None,
            served=tuple(str(model.get("id")) for model in listed),
            version=str(version["version"]) if isinstance(version, dict) and "version" in version else None,
            max_model_len=mine["max_model_len"] if mine and isinstance(mine.get("max_model_len"), int) else None,
            prefix_stable={role: _prefix_stable(client, role) if mine else None for role in get_args(ContextRole)},
            injectable=injectable,
            leaking=leaking,
            constrains_choice=_constrains_choice(client) if mine else None,
            constrains_schema=_constrains_schema(client) if mine else None,
        ), client.requests
    finally:
        client.close()


def conversation(role: ContextRole) -> list[tuple[PromptPart, ...]]:
    """Return the messages of a chain's three requests, as a chain builds them."""
    context = context_piece(
        "Quinn",
        [
            ContextText(kind="safety", key="s", text="Nobody under age."),
            ContextText(kind="voice", key="v", text="Warm and short."),
        ],
    )
    who = Candidate(
        id="probe", thread_id="probe", person_id="probe",
        messages=(Message(role="prospect", text="hello, are you free on friday?\nor saturday"), Message(role="quinn", text="Which time?"),
                  Message(role="prospect", text="around 7 👋 café")),
        atoms={"name": "Ben"},
    )  # fmt: skip
    first = first_messages(context, thread_piece(who), instruction("think", "what does this person want"), role)
    second = next_messages(
        first, "They want to meet on Friday around 7.", instruction("choose", "Which tone?", options=["warm", "brisk"])
    )
    third = next_messages(second, "warm", instruction("draft", "reply in Quinn's voice, <=320 chars", max_chars=320))
    return [first, second, third]


def _prefix_stable(client: _Client, role: ContextRole) -> bool | None:
    tokens = [client.tokens(messages) for messages in conversation(role)]
    steps = [step for step in tokens if step is not None]
    if len(steps) < len(tokens):
        return None
    return all(after[: len(before)] == before for before, after in pairwise(steps))


def _control_tokens(
    client: _Client, special_tokens: tuple[str, ...]
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Return which texts become a control token inside a message, as they are and neutralised."""
    quiet = client.tokens([PromptPart.of("user", "hello there")])
    if quiet is None:
        return None, None
    injectable, leaking = [], []
    for text in known_tokens(special_tokens):
        alone = client.plain_tokens(text)
        if alone is None or len(alone) != 1:
            continue  # to this tokenizer it is ordinary text
        if _counts(client, text, alone[0]) > quiet.count(alone[0]):
            injectable.append(text)
        if _counts(client, neutralise(text, special_tokens), alone[0]) > quiet.count(alone[0]):
            leaking.append(text)
    return tuple(injectable), tuple(leaking)


def _counts(client: _Client, text: str, token: int) -> int:
    return (client.tokens([PromptPart.of("user", f"hello {text} there")]) or []).count(token)


def _constrains_choice(client: _Client) -> bool:
    answer = client.complete("Say a colour.", structured_outputs={"choice": list(_OPTIONS)})
    return answer in _OPTIONS


def _constrains_schema(client: _Client) -> bool:
    named = {"name": "probe", "strict": True, "schema": _SCHEMA}
    answer = client.complete("Say a colour.", response_format={"type": "json_schema", "json_schema": named})
    try:
        value = json.loads(answer or "")
    except ValueError:
        return False
    return isinstance(value, dict) and set(value) == {"word", "sure"} and value["word"] in _OPTIONS


def as_value(probed: Probed) -> dict[str, Any]:
    """Return what was found as plain data."""
    return {**asdict(probed), "best_role": probed.best_role}
