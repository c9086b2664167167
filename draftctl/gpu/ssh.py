"""SSH to a host whose key is known beforehand: no agent, no keys from elsewhere, nothing trusted on first use."""

import base64
import contextlib
import io
import logging
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import paramiko

from draftctl.errors import DraftctlError

CONNECT_S = 10.0
COMMAND_S = 60.0
KEEPALIVE_S = 15
MAX_OUTPUT = 4 * 1024 * 1024
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class SshError(DraftctlError):
    """The host could not be reached, or a command could not be run. Worth another try."""


class HostKeyMismatch(DraftctlError):
    """The host that answers is not the one that was made: nothing was sent to it, no login was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a host is, who logs in there with which key, and which host keys (public, OpenSSH's format) it may show."""

    host: str
    port: int
    user: str
    key: str = field(repr=False)
    pins: tuple[str, ...] = ()


class Ssh:
    """One connection."""

    def __init__(self, address: Address, client: paramiko.SSHClient, pin: str) -> None:
        self.address = address
        self.pin = pin
        self._client = client

    @property
    def transport(self) -> paramiko.Transport:
        """Return the live transport. Raises SshError when the connection is gone."""
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise SshError(f"The SSH connection to {self.address.host} is gone.")
        return transport

    @property
    def alive(self) -> bool:
        """Say whether the connection still stands."""
        transport = self._client.get_transport()
        return transport is not None and transport.is_active()

    def run(self, command: str, *, stdin: bytes = b"", timeout_s: float = COMMAND_S) -> Ran:
        """Run a command in the host's shell and wait for it. Raises SshError when it does not end in time."""
        try:
            channel = self.transport.open_session(timeout=timeout_s)
            with contextlib.closing(channel):
                channel.settimeout(timeout_s)
                channel.exec_command(command)
                channel.sendall(stdin)
                channel.shutdown_write()
                return _collect(channel, time.monotonic() + timeout_s)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise SshError(f"The SSH connection to {self.address.host} broke off ({_kind(error)}).") from error

    def check(self, command: str, *, stdin: bytes = b"", timeout_s: float = COMMAND_S) -> str:
        """Run a command that must succeed; return what it printed. Raises SshError otherwise."""
        ran = self.run(command, stdin=stdin, timeout_s=timeout_s)
        if ran.code != 0:
            raise SshError(f"{self.address.host}: exit {ran.code} from {command[:80]!r}: {ran.err.strip()[-300:]}")
        return ran.out

    def put(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        """Write a file whole or not at all. It goes over stdin: the host needs no SFTP, and nothing stands in a command line."""
        beside, final = shlex.quote(f"{path}.new"), shlex.quote(path)
        self.check(f"umask 077 && cat > {beside} && chmod {mode:o} {beside} && mv -f {beside} {final}", stdin=content)

    def close(self) -> None:
        """End the connection."""
        self._client.close()


def connect(address: Address) -> Ssh:
    """Log in. Raises HostKeyMismatch before any login is tried, SshError when nothing answers or the login is refused."""
    if not address.pins:
        raise HostKeyMismatch(f"No host key is known for {address.host}, so it is not connected to.")
    mismatch: HostKeyMismatch | None = None
    for pin in address.pins:
        try:
            return Ssh(address, _connect(address, pin), pin)
        except HostKeyMismatch as error:
            mismatch = error
    raise mismatch or HostKeyMismatch(address.host)


def _connect(address: Address, pin: str) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    kind, key = _parse_public(pin)
    for name in (address.host, f"[{address.host}]:{address.port}"):
        client.get_host_keys().add(name, kind, key)
    try:
        client.connect(
            address.host,
            port=address.port,
            username=address.user,
            pkey=_private(address),
            look_for_keys=False,
            allow_agent=False,
            timeout=CONNECT_S,
            banner_timeout=CONNECT_S,
            auth_timeout=CONNECT_S,
        )
    except paramiko.BadHostKeyException as error:
        client.close()
        raise _mismatch(address) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        client.close()
        if "not found in known_hosts" in str(error):
            raise _mismatch(address) from error
        raise SshError(f"{address.host}, port {address.port}: no SSH login ({_kind(error)}).") from error
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(KEEPALIVE_S)
    return client


def _private(address: Address) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with contextlib.suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(io.StringIO(address.key))
    raise SshError(
        f"The key for {address.user}@{address.host} cannot be read: it must be an OpenSSH key without a password."
    )


def _mismatch(address: Address) -> HostKeyMismatch:
    return HostKeyMismatch(
        f"The host that answers at {address.host}, port {address.port}, does not have the key that was given to the droplet.",
        hint="Somebody may stand between, or the image ignores cloud-init's ssh_keys. Nothing was sent there.",
    )


def _parse_public(text: str) -> tuple[str, paramiko.PKey]:
    try:
        kind, encoded, *_ = text.split()
        return kind, paramiko.PKey.from_type_string(kind, base64.b64decode(encoded))
    except (ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        raise HostKeyMismatch(f"{text[:40]!r} is no host key in OpenSSH's format.") from error


def _collect(channel: paramiko.Channel, deadline: float) -> Ran:
    """Read both streams until the command ends; a stream that nobody reads would stop it."""
    out, err = io.BytesIO(), io.BytesIO()
    while True:
        idle = True
        while channel.recv_ready():
            _keep(out, channel.recv(65536))
            idle = False
        while channel.recv_stderr_ready():
            _keep(err, channel.recv_stderr(65536))
            idle = False
        if idle and channel.exit_status_ready() and (channel.eof_received or channel.closed):
            code = channel.recv_exit_status()
            return Ran(
                code=code, out=out.getvalue().decode(errors="replace"), err=err.getvalue().decode(errors="replace")
            )
        if idle:
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.01)


def _keep(buffer: io.BytesIO, data: bytes) -> None:
    if buffer.tell() < MAX_OUTPUT:
        buffer.write(data)


def _kind(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200] if str(error) else type(error).__name__


def shell_environment(values: Sequence[tuple[str, str]]) -> str:
    """Return assignments for the start of a shell command."""
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in values)
