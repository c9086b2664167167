"""What a cloud is to us: droplets with tags, sizes with prices; and the names and tags that say which droplets are ours. Pure.

Facts about DigitalOcean's API that shape this (its OpenAPI document, and docs/gpu.md): a create call has no idempotency key and names
are not unique, so a lost answer is resolved by looking for the lease's tag; a tag may hold letters, digits, `_`, `-` and `:`, a name no
underscore, so neither can hold an engine id.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from draftctl.errors import DraftctlError, UsageError

TAG = "draftctl"
_OWNER = re.compile(r"[a-zA-Z0-9_-]{1,100}")
Refusal = Literal["capacity", "entitlement", "limit", "invalid"]


class CloudError(DraftctlError):
    """The cloud refused, or could not be reached.

    `status` is the HTTP status (None: no answer), `said` what the body says, `unknown_outcome` that the call may have been
    carried out all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        said: str = "",
        request_id: str | None = None,
        retry_after_s: float | None = None,
        unknown_outcome: bool = False,
        lost: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.said = said
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.unknown_outcome = unknown_outcome
        self.lost = lost


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudDroplet:
    """A droplet as the cloud reports it. `created_at` is in unix seconds by the cloud's own clock, `address` its public IPv4."""

    id: int
    name: str
    status: str
    tags: tuple[str, ...] = ()
    address: str | None = None
    size: str = ""
    region: str = ""
    created_at: float | None = None
    price_per_hour: float | None = None

    @property
    def is_off(self) -> bool:
        """Say whether it is switched off: it serves nothing, and costs all the same."""
        return self.status in ("off", "archive")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSize:
    """A droplet size: its price in US dollars an hour (None: not said), where it can be had, and whether it is on offer at all."""

    slug: str
    price_per_hour: float | None
    regions: tuple[str, ...]
    available: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A droplet to be made."""

    name: str
    size: str
    region: str
    image: str
    tags: tuple[str, ...]
    user_data: str = field(repr=False)


class Cloud(Protocol):
    """The calls that we make. Each raises CloudError; a list is whole or an error."""

    def create(self, wanted: Wanted) -> CloudDroplet:
        """Make a droplet; the answer comes while it is still `new`."""
        ...

    def get(self, droplet_id: int) -> CloudDroplet | None:
        """Return a droplet; None when there is none of that id."""
        ...

    def list_tagged(self, tag: str) -> list[CloudDroplet]:
        """Return every droplet that bears a tag, GPU droplets too."""
        ...

    def list_all(self) -> list[CloudDroplet]:
        """Return every droplet of the account."""
        ...

    def destroy(self, droplet_id: int) -> None:
        """Ask for a droplet to be destroyed; one that is gone already is fine."""
        ...

    def sizes(self) -> dict[str, CloudSize]:
        """Return the sizes on offer, by slug."""
        ...

    def add_tags(self, droplet_id: int, tags: Sequence[str]) -> None:
        """Tag a droplet that somebody else has made for us."""
        ...

    def drop_tags(self, tags: Iterable[str]) -> None:
        """Remove tags from the account; whoever bears one loses it, so only what nothing bears."""
        ...

    def idle_tags(self) -> list[str]:
        """Return the account's tags that nothing bears."""
        ...

    def protect(self, owner: str, port: int, sources: Sequence[str]) -> None:
        """See to it that the owner's droplets can be reached on this one TCP port alone."""
        ...

    @property
    def time(self) -> float | None:
        """Return the cloud's time (unix seconds) as of its last answer."""
        ...


def check_owner(owner: str) -> str:
    """Return the owner's name as it stands in a tag. Raises UsageError for one that a tag cannot hold."""
    if not _OWNER.fullmatch(owner):
        raise UsageError(
            f"gpu.owner is {owner!r}, which cannot stand in a droplet's tag.",
            hint="Letters, digits, - and _ alone; `draftctl init` writes a random one.",
        )
    return owner


def owner_tag(owner: str) -> str:
    """Return the tag of an owner's droplets."""
    return f"{TAG}-owner-{check_owner(owner)}"


def lease_tag(lease_id: str) -> str:
    """Return the tag of a lease's droplet."""
    return f"{TAG}-lease-{lease_id}"


def droplet_name(lease_id: str) -> str:
    """Return the name of a lease's droplet."""
    return f"{TAG}-{lease_id}"


def lease_tags(owner: str, lease_id: str, expires_at: float) -> tuple[str, ...]:
    """Return every tag of a lease's droplet; they go into the create call itself."""
    return TAG, owner_tag(owner), lease_tag(lease_id), f"{TAG}-exp-{int(expires_at)}"


def is_ours(droplet: CloudDroplet, owner: str) -> bool:
    """Say whether a droplet is this owner's."""
    return TAG in droplet.tags and owner_tag(owner) in droplet.tags


def lease_of(droplet: CloudDroplet) -> str | None:
    """Return the lease that a droplet was made for."""
    prefix = lease_tag("")
    return next((tag.removeprefix(prefix) for tag in droplet.tags if tag.startswith(prefix)), None)


def expiry_of(tags: Iterable[str]) -> float | None:
    """Return when a droplet is to be gone (unix seconds), as its tags say; the latest where it was given more time."""
    found = [expiry for tag in tags if (expiry := tag_expiry(tag)) is not None]
    return max(found, default=None)


def tag_expiry(tag: str) -> float | None:
    """Return the moment that an expiry tag names; None for any other tag."""
    digits = tag.removeprefix(f"{TAG}-exp-")
    return float(digits) if digits != tag and digits.isascii() and digits.isdigit() and len(digits) <= 12 else None  # noqa: PLR2004


def ours(cloud: Cloud, owner: str) -> list[CloudDroplet]:
    """Return this owner's droplets: from the list by tag and from the whole list, because each of them is known to hide some."""
    found = {droplet.id: droplet for droplet in (*cloud.list_tagged(TAG), *cloud.list_all())}
    return sorted((droplet for droplet in found.values() if is_ours(droplet, owner)), key=lambda droplet: droplet.id)


_CAPACITY = ("not available", "unavailable", "capacity", "out of stock", "sold out", "try again", "temporarily")
_LIMIT = ("droplet limit", "exceed your", "limit reached", "will exceed")
_ENTITLEMENT = (
    "not have access",
    "not authorized",
    "not enabled",
    "contact support",
    "contact sales",
    "request access",
    "not permitted",
    "verify",
)


def refusal_of(error: CloudError) -> Refusal:
    """Tell the refusals of a create call apart: no stock here and now, no right to such a GPU, the account's own limit, a wrong request.

    Only the first is worth another size or region.
    """
    said = error.said.lower()
    if any(word in said for word in _LIMIT):
        return "limit"
    if error.status == 403 or any(word in said for word in _ENTITLEMENT):  # noqa: PLR2004
        return "entitlement"
    if any(word in said for word in _CAPACITY):
        return "capacity"
    return "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One candidate of a build's list that can be had, with its price (US dollars an hour)."""

    size: str
    region: str
    price_per_hour: float


def dearest(offered: Iterable[Offer]) -> float | None:
    """Return what the dearest of these costs an hour; None where there is none."""
    return max((offer.price_per_hour for offer in offered), default=None)


def offers(candidates: Sequence[tuple[str, str]], sizes: Mapping[str, CloudSize]) -> tuple[list[Offer], list[str]]:
    """Return the candidates (size, region) that can be had, in their order, and why each of the others cannot."""
    usable, not_usable = [], []
    for size, region in candidates:
        known = sizes.get(size)
        if known is None:
            not_usable.append(f"{size} in {region}: the account is not offered this size")
        elif known.price_per_hour is None:
            not_usable.append(f"{size} in {region}: the cloud does not say what it costs, so it is not started")
        elif not known.available or region not in known.regions:
            where = f"it is to be had in {', '.join(known.regions)}" if known.regions else "no region has it now"
            not_usable.append(f"{size} in {region}: not available there; {where}")
        else:
            usable.append(Offer(size=size, region=region, price_per_hour=known.price_per_hour))
    return usable, not_usable
