"""Keys of one lease: made here, kept in 0600 files beside the database, gone with the lease; and the cloud-init text that injects them.

The droplet's host key is injected so that the first connection is already verified; it can be read on the droplet's metadata service
by any process there, so it is used once: after the first login it is replaced (`gpu.node`). No other secret goes into that text.
"""

import json
import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from draftctl.errors import UsageError

USER_DATA_LIMIT = 64 * 1024  # bytes; DigitalOcean's limit
CLIENT_KEY, API_KEY = "id_ed25519", "api.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """An ed25519 key in OpenSSH's format."""

    private: str = field(repr=False)
    public: str


def new_key() -> KeyPair:
    """Make a key pair."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return KeyPair(private=private.decode(), public=public.decode())


def cloud_init(user: str, client_public: str, host: KeyPair) -> str:
    """Return the user_data of a droplet: its host key, our client key, no passwords. JSON is YAML.

    Without an account key DigitalOcean gives root a password that is expired at once, which refuses every command: it is locked instead.
    Raises UsageError for a text over DigitalOcean's limit.
    """
    account: dict[str, object] = {"name": user, "ssh_authorized_keys": [client_public], "lock_passwd": True}
    if user != "root":
        account |= {"sudo": "ALL=(ALL) NOPASSWD:ALL", "shell": "/bin/bash"}
    value = {
        "ssh_pwauth": False,
        "disable_root": user != "root",
        "ssh_deletekeys": True,
        "ssh_genkeytypes": [],
        "ssh_keys": {"ed25519_private": host.private, "ed25519_public": host.public},
        "ssh_authorized_keys": [client_public],
        "users": [account],
        "chpasswd": {"expire": False},
        "runcmd": [["sh", "-c", f"usermod -p '*' {user}; chage -I -1 -m 0 -M 99999 -E -1 -d \"$(date +%F)\" {user}"]],
    }
    text = "#cloud-config\n" + json.dumps(value, indent=1) + "\n"
    if len(text.encode()) > USER_DATA_LIMIT:
        raise UsageError(
            f"The droplet's user_data is {len(text.encode())} bytes; DigitalOcean takes {USER_DATA_LIMIT}."
        )
    return text


class LeaseFiles:
    """The folder of one lease's keys."""

    def __init__(self, database: Path, lease_id: str) -> None:
        self.folder = database.parent / "gpu" / lease_id

    def make(self) -> str:
        """Make the client's key and the API key; return the client's public key. Both are there before anything is rented."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pair = new_key()
        _write(self.folder / CLIENT_KEY, pair.private)
        _write(self.folder / API_KEY, secrets.token_urlsafe(32))
        return pair.public

    @property
    def client_key(self) -> str:
        """Return the client's private key."""
        return (self.folder / CLIENT_KEY).read_text()

    @property
    def api_key(self) -> str:
        """Return the key of the server's API."""
        return (self.folder / API_KEY).read_text().strip()

    def remove(self) -> None:
        """Throw the keys away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
