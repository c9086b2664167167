"""A workspace that rents: the stand-in cloud, a real sshd as its droplet, and a provisioning script that starts the played server there."""

import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from draftctl.store.db import open_database
from tests.cloud_server import TOKEN, CloudServer, FakeDroplet
from tests.conftest import BUILD, REPOSITORY, Workspace, line
from tests.sshd import Sshd, free_port

MANIFEST = f"""id: {BUILD}
base: {{repo: example/tiny, revision: "0123456789abcdef0123456789abcdef01234567"}}
status: live
files: [{{name: model.safetensors, bytes: 24400000, sha256: "{"ab" * 32}"}}]
serve: {{image: "vllm/vllm-openai@sha256:{"cd" * 32}", args: [--max-model-len, "8192"], context_role: user}}
droplet:
  image: gpu-h100x1-base
  candidates: [{{size: gpu-l40sx1-48gb, region: tor1}}, {{size: gpu-h100x1-80gb, region: nyc2}}]
"""
SCRIPT = f"""set -eu
phase() {{ printf '{{"phase":"%s","status":"%s","seconds":0.1,"detail":"%s"}}\\n' "$1" "$2" "${{3:-}}" >> "$STATE_DIR/phases.jsonl"; }}
for name in driver runtime weights verify serve; do phase $name start; phase $name ok; done
if ! [ -s "$STATE_DIR/server.pid" ] || ! kill -0 "$(cat "$STATE_DIR/server.pid")" 2>/dev/null; then
  PYTHONPATH={REPOSITORY} nohup {sys.executable} -c "
import asyncio, sys
from tests.played_server import PlayedServer
async def main():
    server = PlayedServer(sys.argv[1], remember=False)
    server.key = open(sys.argv[3]).read().strip().lower().encode()
    await (await server.listen(int(sys.argv[2]))).serve_forever()
asyncio.run(main())" "$ENGINE_ID" "$VLLM_PORT" "$VLLM_API_KEY_FILE" > "$STATE_DIR/server.log" 2>&1 < /dev/null &
  echo $! > "$STATE_DIR/server.pid"
fi
sleep 0.3
phase ready ok
"""


class Node:
    """What one droplet is: a real sshd from its user_data, and whatever was started through it."""

    def __init__(self, folder: Path, state_dir: Path, port: int, user_data: str) -> None:
        self.state_dir = state_dir
        self.sshd = Sshd.from_user_data(folder, port, user_data)

    def stop(self) -> None:
        self.sshd.stop()
        pid = self.state_dir / "server.pid"
        if pid.exists():
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(pid.read_text() or 0), signal.SIGKILL)
        shutil.rmtree(self.state_dir, ignore_errors=True)


class Rented:
    """The workspace, the cloud, and the settings that let one find the other."""

    def __init__(
        self, workspace: Workspace, tmp_path: Path, *, boot_s: float = 0.0, nodes: bool = True, **gpu: Any
    ) -> None:
        self.workspace = workspace
        self.state_dir = tmp_path / "node-state"
        self.tmp_path = tmp_path
        self.ssh_port, self.remote_port = free_port(), free_port()
        self.cloud = CloudServer(boot_s=boot_s, node=self._node if nodes else None)
        self.token = TOKEN
        self.stop_server: Any = lambda: None
        self.settings: dict[str, Any] = {
            "owner": "test-1", "ssh_port": self.ssh_port, "remote_port": self.remote_port, "state_dir": str(self.state_dir),
            "provision_script": "scripts/provision.sh", "poll_interval": "1s", "max_wait": "0s", "idle_grace": "0s", "extend": "5s",
            "billing_minimum": "0s", **gpu,
        }  # fmt: skip
        self.write_settings()
        (workspace.root / "scripts").mkdir(exist_ok=True)
        (workspace.root / "scripts" / "provision.sh").write_text(SCRIPT)
        workspace.commit(f"engines/{BUILD}.yaml", MANIFEST)

    def write_settings(self, **gpu: Any) -> None:
        """Write draftctl.yaml anew with these gpu settings changed."""
        self.settings |= gpu
        lines = "".join(f"  {name}: {value}\n" for name, value in self.settings.items())
        path = self.workspace.root / "draftctl.yaml"
        path.write_text(path.read_text().split("gpu:\n")[0] + "gpu:\n" + lines)
        self.workspace.git("add", "-A")
        self.workspace.git("commit", "-qm", "settings")

    def _node(self, droplet: FakeDroplet) -> Node:
        return Node(self.tmp_path / f"sshd-{droplet.id}", self.state_dir, self.ssh_port, droplet.user_data)

    @property
    def environment(self) -> dict[str, str]:
        return {"DIGITALOCEAN_TOKEN": self.token, "DIGITALOCEAN_END_POINT": self.cloud.url}

    def json(self, *arguments: str, code: int = 0, **more: str) -> Any:
        return self.workspace.json(*arguments, code=code, **self.environment, **more)

    def run(self, *arguments: str, stdin: str = "", **more: str) -> Any:
        return self.workspace.run(*arguments, stdin=stdin, **{**self.environment, **more})

    def ok(self, *arguments: str, code: int = 0, **more: str) -> str:
        return self.workspace.ok(*arguments, code=code, **self.environment, **more)

    def take(self, count: int = 1, prefix: str = "c") -> None:
        """Take candidates in."""
        texts = [
            line(
                f"{prefix}{n}",
                f"hello, can i book a time on friday? it is number {n}",
                archetype="courteous",
                state="new",
            )
            for n in range(count)
        ]
        self.workspace.ok("ingest", "-", stdin="".join(texts))

    def tick(self, *more: str, code: int = 0, **environment: str) -> Any:
        """Do what cron does every minute."""
        return self.json("draft", "--batch", "--gpu", "auto", "--engine", BUILD, *more, code=code, **environment)

    def skip_back_off(self) -> None:
        """Make as if the last failure were an hour ago."""
        connection = open_database(self.workspace.database)
        connection.execute("UPDATE gpu_leases SET closed_at = '2026-01-01T00:00:00.000+00:00' WHERE state = 'closed'")
        connection.close()

    def age_leases(self, seconds: float, *, state: str = "creating") -> None:
        """Make as if the create call of an open lease were so long ago."""
        connection = open_database(self.workspace.database)
        for name in ("intent_at", "created_at"):
            connection.execute(
                f"UPDATE gpu_leases SET {name} = strftime('%Y-%m-%dT%H:%M:%fZ', {name}, ?) WHERE state = ?",
                (f"-{seconds} seconds", state),
            )
        connection.close()

    def check_clean(self) -> None:
        """Nothing is left that costs money, and DigitalOcean's document was kept to."""
        assert self.cloud.live == []
        assert self.cloud.violations == []
        assert not [tag for tag in self.cloud.tags if "lease" in tag or "exp" in tag], self.cloud.tags
