"""A port on loopback that leads through SSH to the server on the droplet's own loopback; it connects anew when the connection drops."""

import contextlib
import resource
import selectors
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import paramiko

from draftctl.gpu.ssh import HostKeyMismatch, Ssh, SshError

RETRY_S = 2.0  # after a connection that failed, how long the next request is refused at once
CHUNK = 65536


class Forward:
    """Listens on a free port of 127.0.0.1; each connection becomes a channel to `127.0.0.1:remote_port` over there."""

    def __init__(self, connect: Callable[[], Ssh], remote_port: int) -> None:
        self._connect = connect
        self._remote = ("127.0.0.1", remote_port)
        self._ssh: Ssh | None = None
        self._lock = threading.Lock()
        self._failed_at = -RETRY_S
        self._closed = False
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # four descriptors a request, at hundreds of requests
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name="draftctl-forward", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and end the SSH connection."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            if self._ssh is not None:
                self._ssh.close()

    def ssh(self) -> Ssh:
        """Return the SSH connection, made anew where it is gone. Raises SshError, HostKeyMismatch."""
        with self._lock:
            if self._ssh is not None and self._ssh.alive:
                return self._ssh
            if self._closed or time.monotonic() - self._failed_at < RETRY_S:
                raise SshError("The SSH connection to the droplet is down.")
            try:
                self._ssh = self._connect()
            except (SshError, HostKeyMismatch):
                self._failed_at = time.monotonic()
                raise
            return self._ssh

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                time.sleep(0.05)  # closed, or no descriptor is left for now
                continue
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        """Carry one connection's bytes both ways until either end is done."""
        with client:
            try:
                channel = self.ssh().transport.open_channel(
                    "direct-tcpip", self._remote, client.getpeername(), timeout=10
                )
            except (SshError, HostKeyMismatch, paramiko.SSHException, OSError, EOFError):
                return  # the client sees a connection that ended, and tries again
            with contextlib.closing(channel), contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                _pump(client, channel)


def _pump(client: socket.socket, channel: paramiko.Channel) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ends = selectors.DefaultSelector()  # select() ends at 1,024 descriptors
    ends.register(client, selectors.EVENT_READ)
    ends.register(channel, selectors.EVENT_READ)
    with ends:
        while _pass_on(client, channel, {key.fileobj for key, _ in ends.select()}):
            pass


def _pass_on(client: socket.socket, channel: paramiko.Channel, ready: set[Any]) -> bool:
    """Pass on what has come; say whether both ends still stand."""
    if client in ready:
        data = client.recv(CHUNK)
        if not data:
            return False
        channel.sendall(data)
    if channel in ready:
        data = channel.recv(CHUNK)
        if not data:
            return False
        client.sendall(data)
    return True
