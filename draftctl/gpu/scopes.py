"""What the token may do, found out with calls that change nothing: each scope that is needed, and which are not there.

A custom token's missing scope is a plain 403. What can only be written is asked with a request that is refused for another reason:
a droplet of a size that does not exist, a droplet number that nobody has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from draftctl.gpu.cloud import TAG, CloudError

NOWHERE = 1  # no droplet has this number
_FORBIDDEN, _UNAUTHORIZED = 403, 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One scope, and whether the token has it (None: that could not be found out)."""

    name: str
    there: bool | None
    why: str
    detail: str = ""


class Asks(Protocol):
    """Makes a call and returns its refusal."""

    def probe(self, path: str, method: str, body: Mapping[str, Any] | None = None) -> CloudError | None:
        """Make a call that changes nothing."""
        ...


_BAD_DROPLET = {"name": f"{TAG}-probe", "region": "none", "size": "none", "image": "none"}
_PROBES: tuple[tuple[str, str, str, dict[str, Any] | None, str], ...] = (
    ("account:read", "account", "GET", None, "says that the token works"),
    ("sizes:read", "sizes", "GET", None, "what a GPU costs is read before every start"),
    ("droplet:read", "droplets", "GET", {"type": "gpus"}, "which droplets are up"),
    ("droplet:create", "droplets", "POST", _BAD_DROPLET, "renting"),
    ("droplet:delete", f"droplets/{NOWHERE}", "DELETE", None, "giving back"),
    ("tag:read", "tags", "GET", None, "which droplets are ours"),
    ("tag:create", "tags", "POST", {"name": "no tag!"}, "owner, lease and expiry stand in tags"),
    ("tag:delete", f"tags/{TAG}-lease-none", "DELETE", None, "the tags of what is gone are removed"),
    ("firewall:read", "firewalls", "GET", None, "the second wall around the droplet"),
    ("firewall:create", "firewalls", "POST", {}, "the second wall around the droplet"),
)


def scopes(cloud: Asks) -> list[Scope]:
    """Find out what a token may do."""
    return [_scope(name, cloud.probe(path, method, body), why) for name, path, method, body, why in _PROBES]


def _scope(name: str, refusal: CloudError | None, why: str) -> Scope:
    if refusal is None:
        return Scope(name=name, there=True, why=why)
    if refusal.status in (_FORBIDDEN, _UNAUTHORIZED):
        return Scope(name=name, there=False, why=why, detail=refusal.message)
    if refusal.status is None or refusal.status >= 500:  # noqa: PLR2004
        return Scope(name=name, there=None, why=why, detail=refusal.message)
    return Scope(name=name, there=True, why=why)
