"""The provisioning script run for real: stand-ins on the PATH for docker, systemd and nvidia-smi, and a hub on loopback."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.conftest import BUILD, REPOSITORY
from tests.sshd import free_port

SCRIPT = REPOSITORY / "scripts" / "provision-raw-gpu-droplet.sh"
STAND_INS = REPOSITORY / "tests" / "sandbox"
REPO, REVISION = "example/tiny", "0123456789abcdef0123456789abcdef01234567"
IMAGE = "vllm/vllm-openai@sha256:" + "cd" * 32


class Hub:
    """A model hub on loopback: files by repository and revision, resumable."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[tuple[str, str | None]] = []
        self.cut_after: int | None = None
        self.tokens: set[str] = set()

    def __enter__(self) -> Self:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None: ...
            def do_HEAD(self) -> None:
                self.do_GET(body=False)

            def do_GET(self, *, body: bool = True) -> None:
                hub.answer(self, body=body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: Any, *, body: bool) -> None:
        """Answer one request: a file, or (for `engine pin`) the record of the repository."""
        self.tokens.add(handler.headers.get("Authorization") or "")
        if handler.path.startswith("/api/models/"):
            return self._send(
                handler, 200, json.dumps(self._record()).encode(), {"Content-Type": "application/json"}, body=body
            )
        match = re.fullmatch(rf"/{REPO}/resolve/(\w+)/([^?]+)", handler.path)
        name = match[2] if match else ""
        span = handler.headers.get("Range")
        self.asked.append((name, span))
        if match is None or match[1] not in (REVISION, "main") or name not in self.files:
            return self._send(handler, 404, b"", {}, body=body)
        content = self.files[name]
        start = int(re.fullmatch(r"bytes=(\d+)-\d*", span)[1]) if span else 0  # type: ignore[index]
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": REVISION,
            "Accept-Ranges": "bytes",
        }
        if span:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(handler, 206 if span else 200, content[start:], headers, body=body)

    def _record(self) -> dict[str, Any]:
        siblings = []
        for name, content in self.files.items():
            entry: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": "b"}
            if name.endswith(".safetensors"):
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        return {
            "id": REPO,
            "modelId": REPO,
            "sha": REVISION,
            "private": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": siblings,
        }

    def _send(self, handler: Any, status: int, content: bytes, headers: dict[str, str], *, body: bool) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if body:
            cut = self.cut_after if self.cut_after is not None and len(content) > self.cut_after else None
            self.cut_after = self.cut_after if cut is None else None
            handler.wfile.write(content if cut is None else content[:cut])
            if cut is not None:
                handler.connection.close()


class Sandbox:
    """One droplet's worth of folders for the script, and its environment."""

    def __init__(
        self, folder: Path, hub: Hub, *, server: str | None = None, args: list[str] | None = None, **manifest: Any
    ) -> None:
        self.home, self.state, self.units = folder / "home", folder / "state", folder / "units"
        for path in (self.home, self.state, self.units):
            path.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.hub = hub
        self.manifest: dict[str, Any] = {
            "id": BUILD,
            "files": [
                {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in hub.files.items()
            ],
            "serve": {"image": IMAGE, "args": args or ["--max-model-len", "8192"]},
            "adapter": None,
            **manifest,
        }
        (self.state / "manifest.json").write_text(json.dumps(self.manifest))
        (self.state / "api.key").write_text("sk-sandbox-1")
        self.server = server or str(REPOSITORY / "tests" / "played_server.py")

    @property
    def stand_ins(self) -> dict[str, str]:
        """Return what the stand-ins need to know."""
        return {
            "PATH": f"{STAND_INS}:{os.environ['PATH']}", "SANDBOX_DIR": str(self.home), "UNIT_DIR": str(self.units), "SANDBOX_SERVER": self.server,
            "HF_ENDPOINT": self.hub.url, "READY_TIMEOUT_S": "90", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def run(self, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run the script as `gpu up` starts it."""
        environment = {
            **self.stand_ins, "HOME": str(self.home), "ENGINE_ID": BUILD, "MODEL_REPO": REPO, "MODEL_REVISION": REVISION,
            "MANIFEST": str(self.state / "manifest.json"), "VLLM_IMAGE": IMAGE, "VLLM_PORT": str(self.port),
            "VLLM_API_KEY_FILE": str(self.state / "api.key"), "STATE_DIR": str(self.state), **changed,
        }  # fmt: skip
        return subprocess.run(
            ["bash", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    def phases(self) -> list[dict[str, Any]]:
        """Return the report."""
        path = self.state / "phases.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def stop(self) -> None:
        """Stop the server."""
        subprocess.run(
            [sys.executable, str(STAND_INS / "systemctl"), "stop", "draftctl-vllm.service"],
            env={**os.environ, **self.stand_ins},
            check=False,
        )
