"""OpenSSH's own server on loopback, as the droplet: the host key and the authorised key come from a droplet's user_data."""

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
HAVE_SSHD = Path(SSHD).exists()
needs_sshd = pytest.mark.skipif(
    not HAVE_SSHD, reason="OpenSSH's sshd is not installed (Debian: apt install openssh-server)"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_user_data(text: str) -> dict[str, Any]:
    """Read cloud-init's text as a droplet would."""
    assert text.startswith("#cloud-config\n")
    value: dict[str, Any] = json.loads(text.removeprefix("#cloud-config\n"))
    return value


def _set_env(values: dict[str, str]) -> str:
    """Return what gives every session these variables."""
    return "SetEnv " + " ".join(f'"{name}={value}"' for name, value in values.items()) + "\n" if values else ""


class Sshd:
    """One running sshd."""

    def __init__(self, folder: Path, port: int, *, host_private: str, authorized: list[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, port
        self.host_key = folder / "host_key"
        self._write("host_key", host_private)
        self._write("authorized_keys", "\n".join(authorized) + "\n")
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._write(
            "config",
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\nAuthorizedKeysFile {folder}/authorized_keys\n"
            f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "PermitRootLogin prohibit-password\nLogLevel VERBOSE\nMaxStartups 200\nMaxSessions 100\n"
            + _set_env(json.loads(os.environ.get("TEST_NODE_ENV", "{}"))),
        )
        self.log = folder / "sshd.log"
        self.process = subprocess.Popen(
            [SSHD, "-D", "-E", str(self.log), "-f", str(folder / "config")], stdin=subprocess.DEVNULL
        )
        self._wait()

    @classmethod
    def from_user_data(cls, folder: Path, port: int, user_data: str) -> "Sshd":
        """Start what a droplet with this user_data would."""
        value = read_user_data(user_data)
        return cls(
            folder, port, host_private=value["ssh_keys"]["ed25519_private"], authorized=value["ssh_authorized_keys"]
        )

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)

    def _wait(self) -> None:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(self.log.read_text() if self.log.exists() else "sshd does not start")

    def logins(self) -> int:
        """Return how many logins were tried."""
        text = self.log.read_text()
        return text.count("Accepted publickey") + text.count("Failed publickey") + text.count("Postponed publickey")

    def drop_connections(self) -> None:
        """Kill every connection, and leave the server."""
        subprocess.run(["pkill", "-P", str(self.process.pid)], check=False)

    def stop(self) -> None:
        """Stop the server and its connections."""
        self.drop_connections()
        self.process.kill()
        self.process.wait()
