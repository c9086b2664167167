"""The far side of the wire: an OpenAI-compatible server that plays what it is told, also what a healthy vLLM never does.

As a program it serves benchmarks: played_server.py MODEL LATENCY_S [PORT] prints its address and runs until it is killed.
"""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Self

REPLY = "Happy to find a time. Which day would suit you?"
NOTE = "They are asking about a day; answer warmly, and ask which one."


def sensible(asked: dict[str, Any], n: int = 0) -> str:
    """Answer a step as a sensible model would."""
    if "structured_outputs" in asked:
        return str(asked["structured_outputs"]["choice"][0])
    if "response_format" in asked:
        return json.dumps(_instance(asked["response_format"]["json_schema"]["schema"]))
    last = step_of(asked)
    return f"{NOTE} ({n})" if last.startswith("Think: ") else REPLY


def step_of(asked: dict[str, Any]) -> str:
    """Return the turn of the step that is asked for; the first stands after the thread."""
    return str(asked["messages"][-1]["content"].rpartition(">>>\n\n")[2])


def _instance(schema: dict[str, Any]) -> Any:
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    match kind:
        case "object":
            return {key: _instance(part) for key, part in schema["properties"].items()}
        case "array":
            return []
        case "boolean":
            return True
        case "string":
            return "friday"
        case _:
            return 1


def completion(asked: dict[str, Any], text: str | None, **changed: Any) -> dict[str, Any]:
    """Make a whole completion."""
    value: dict[str, Any] = {
        "id": "c", "object": "chat.completion", "model": asked["model"], "system_fingerprint": "played-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, "prompt_tokens_details": {"cached_tokens": 80}},
    }  # fmt: skip
    value["choices"][0] |= {key: changed.pop(key) for key in ("finish_reason", "message") if key in changed}
    return {**value, **changed}


Behaviour = Callable[["Connection", dict[str, Any]], None]


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, server: "PlayedServer") -> None:
        self.server = server
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.server.connections += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            path = self._buffer.split(b" ", 2)[1].decode()
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self.server.on_request(self, path, body, head)

    def send(self, status: int, body: bytes | dict[str, Any], *headers: str, kind: str = "application/json") -> None:
        """Send a whole answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = (f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(content)}", *headers)
        self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        if not self.transport.is_closing():
            self.transport.write(data)


class PlayedServer:
    """Serves one model id; `script` is what the next completion requests get, `always` what all after them get."""

    def __init__(
        self, model: str, *, latency_s: float = 0.0, max_model_len: int = 100_000, remember: bool = True
    ) -> None:
        self.model = model
        self.latency_s = latency_s
        self.max_model_len = max_model_len
        self.script: list[Behaviour] = []
        self.always: Behaviour = good
        self.asked: list[dict[str, Any]] = []
        self.sent = 0
        self.connections = 0
        self.in_flight = self.most_in_flight = 0
        self.key: bytes | None = None
        self.version = "0.33.0"
        self._remember = remember
        self.url = ""

    def on_request(self, connection: Connection, path: str, body: bytes, head: bytes) -> None:
        """Answer one request."""
        if self.key is not None and b"bearer " + self.key not in head:
            connection.send(401, {"error": "Unauthorized"})
        elif path == "/version":
            connection.send(200, {"version": self.version})
        elif path == "/health":
            connection.send(200, b"")
        elif path == "/v1/models":
            connection.send(200, {"data": [{"id": self.model, "max_model_len": self.max_model_len}]})
        elif path == "/tokenize":
            text = "".join(m["content"] for m in json.loads(body)["messages"])
            connection.send(200, {"count": len(text) // 3, "max_model_len": self.max_model_len})
        elif path == "/v1/chat/completions":
            self._complete(connection, json.loads(body))
        else:
            connection.send(404, {"detail": "Not Found"})

    def _complete(self, connection: Connection, asked: dict[str, Any]) -> None:
        self.sent += 1
        if self._remember:
            self.asked.append(asked)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        behaviour = self.script.pop(0) if self.script else self.always
        if self.latency_s:
            asyncio.get_running_loop().call_later(self.latency_s, self._answer, connection, asked, behaviour)
        else:
            self._answer(connection, asked, behaviour)

    def _answer(self, connection: Connection, asked: dict[str, Any], behaviour: Behaviour) -> None:
        self.in_flight -= 1
        behaviour(connection, asked)

    async def listen(self, port: int = 0) -> asyncio.Server:
        """Start to listen on loopback."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self), "127.0.0.1", port, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        async def main() -> None:
            self._server = await self.listen()
            ready.set()

        def run() -> None:
            self._loop.create_task(main())
            self._loop.run_forever()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


def good(connection: Connection, asked: dict[str, Any]) -> None:
    """Answer as a healthy server does."""
    if asked["model"] != connection.server.model:
        message = f"The model `{asked['model']}` does not exist."
        connection.send(404, {"error": {"message": message, "type": "NotFoundError", "param": "model", "code": 404}})
        return
    connection.send(200, completion(asked, sensible(asked, connection.server.sent)))


def main() -> None:
    model, latency_s, port = sys.argv[1], float(sys.argv[2]), int([*sys.argv, "0"][3])

    async def serve() -> None:
        played = PlayedServer(model, latency_s=latency_s, remember=False)
        played.key = os.environ["VLLM_API_KEY"].lower().encode() if "VLLM_API_KEY" in os.environ else None
        played.version = os.environ.get("PLAYED_VERSION", played.version)
        server = await played.listen(port)
        print(played.url, flush=True)
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
