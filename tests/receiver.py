"""The far side of a dispatch: a receiver that keeps what it accepts, and answers as it is told, also as none should."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


class Receiver:
    """A receiver on loopback. `plan(n)` says how the n-th POST is answered; `arrived` is what it has accepted, by key.

    Plans: `ok`, `500` and `409` accept nothing new or say so; `500 kept`, `late` (answers after the client has given up) and
    `reset` accept the text and spoil the answer; `reset before` accepts nothing. `posts` counts every POST by key.
    """

    def __init__(
        self, plan: Callable[[int], str] = lambda _n: "ok", *, answers_questions: bool = True, late_s: float = 2.0
    ) -> None:
        self.plan = plan
        self.answers_questions = answers_questions
        self.late_s = late_s
        self.arrived: dict[str, dict[str, Any]] = {}
        self.posts: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.alerts: list[Any] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                value = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.take(self, value)

            def do_GET(self) -> None:
                key = parse_qs(urlsplit(self.path).query)["key"][0]
                if not receiver.answers_questions:
                    self.answer(404, {"error": "no such page"})
                else:
                    self.answer(200, {"key": key, "found": key in receiver.arrived})

            def answer(self, code: int, value: Any) -> None:
                body = json.dumps(value).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def reset(self) -> None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign, assignment]
        self.url = f"http://127.0.0.1:{self._server.server_port}/messages"

    def take(self, handler: Any, value: dict[str, Any]) -> None:
        """Answer one POST by the plan."""
        if "key" not in value:
            self.alerts.append(value)
            handler.answer(200, {})
            return
        with self._lock:
            n = len(self.posts)
            self.posts.append(value["key"])
            self.headers.append(dict(handler.headers))
            plan = self.plan(n)
            if plan == "ok" and value["key"] in self.arrived:
                plan = "409"
            if plan in ("ok", "500 kept", "late", "reset"):
                assert value["key"] not in self.arrived, "the same text twice"
                self.arrived[value["key"]] = value
        try:
            match plan:
                case "ok":
                    handler.answer(201, {"taken": value["key"]})
                case "late":
                    time.sleep(self.late_s)
                    handler.answer(201, {})
                case "reset" | "reset before":
                    handler.reset()
                case _:
                    handler.answer(int(plan.split()[0]), {"said": plan})
        except OSError:
            pass  # the client has gone

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
