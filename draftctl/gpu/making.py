"""A droplet is asked for: the lease first, then the candidates in order, and what to do when the answer is lost."""

from collections.abc import Sequence
from dataclasses import dataclass

from draftctl.errors import DraftctlError
from draftctl.failpoints import reach
from draftctl.gpu.cloud import (
    CloudDroplet,
    CloudError,
    Offer,
    Refusal,
    Wanted,
    droplet_name,
    lease_tags,
    ours,
    refusal_of,
)
from draftctl.gpu.desk import Build, Desk
from draftctl.gpu.keys import KeyPair, LeaseFiles, cloud_init, new_key
from draftctl.models import sha256_text
from draftctl.store import leases
from draftctl.store.db import transaction
from draftctl.store.leases import Lease

_TOO_MANY = 429
SETTLE_S = 120.0  # how long a create call whose answer was lost may take to show in a list


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for a droplet, why, when it must be gone (unix seconds), and until when it is held for them."""

    by: str
    reason: str
    expires_at: float
    held_until: float | None = None


class NoDroplet(DraftctlError):
    """No droplet was made, and no lease is open. The candidates wait."""


def begin(desk: Desk, build: Build, asked: Asked) -> tuple[Lease, str, str]:
    """Write a lease down, with its keys; return it, the user_data of its droplet, and our public key.

    Raises NoDroplet when a droplet of this owner is up that the database does not know: a second one is never made.
    """
    strangers = ours(desk.cloud, desk.settings.owner)
    if strangers:
        raise NoDroplet(
            f"A droplet of this owner is up that this database knows nothing of: {strangers[0].name} ({strangers[0].id}). "
            "No second one is made.",
            hint="`draftctl gpu reap --all` ends it; another workspace needs another gpu.owner.",
        )
    lease_id, host = leases.new_lease_id(desk.settings.owner), new_key()
    client_public = LeaseFiles(desk.database, lease_id).make()
    user_data = cloud_init(desk.settings.ssh_user, client_public, host)
    _intend(desk, build, asked, lease_id, host)
    reach("gpu.after_intent")
    _protect(desk)
    return desk.lease(lease_id), user_data, client_public


def _intend(desk: Desk, build: Build, asked: Asked, lease_id: str, host: KeyPair) -> None:
    digest = sha256_text(build.manifest_json)
    with transaction(desk.connection):
        desk.connection.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (digest, build.manifest_json))
        leases.intend(
            desk.connection,
            lease_id=lease_id,
            engine_id=build.engine_id,
            manifest_sha256=digest,
            asked_by=asked.by,
            reason=asked.reason,
            provision_on=desk.settings.provision_on,
            host_key=host.public,
            now=desk.clock(),
            expires_at=asked.expires_at,
            held_until=asked.held_until,
            minimum_s=desk.settings.billing_minimum,
            quantum_s=desk.settings.billing_quantum,
        )


def create(desk: Desk, lease: Lease, build: Build, offers: Sequence[Offer], user_data: str) -> Lease:
    """Ask for a droplet, one candidate after the other.

    An answer that was lost is no error: the lease stays `creating`, and the next step looks for the droplet. Raises NoDroplet when none
    can be had.
    """
    refused = []
    for offer in offers:
        lease = desk.change(
            lease, size=offer.size, region=offer.region, price_per_hour=offer.price_per_hour, created_at=desk.clock()
        )
        reach("gpu.after_price")
        wanted = Wanted(
            name=droplet_name(lease.id),
            size=offer.size,
            region=offer.region,
            image=build.manifest.droplet.image or "",
            tags=lease_tags(desk.settings.owner, lease.id, lease.expires_at),
            user_data=user_data,
        )
        try:
            droplet = desk.cloud.create(wanted)
        except CloudError as error:
            if error.unknown_outcome:
                desk.event(lease, "answer_lost", {"why": error.message})
                return lease
            refused.append(f"{offer.size} in {offer.region}: {error.said or error.message}")
            _refused(desk, lease, offer, error, refused[-1])
        else:
            reach("gpu.after_create")
            return adopt(desk, lease, droplet)
    desk.close(lease, "no_capacity", "; ".join(refused))
    raise NoDroplet(f"None of the sizes can be had now: {'; '.join(refused)}.", hint=_HINTS["capacity"])


def _refused(desk: Desk, lease: Lease, offer: Offer, error: CloudError, line: str) -> None:
    """Note a refusal. Only where another size or region may be had does it go on; else raises NoDroplet."""
    kind = refusal_of(error)
    desk.event(lease, "refused", {"size": offer.size, "region": offer.region, "kind": kind, "said": error.said})
    if error.status in (None, _TOO_MANY):
        desk.close(lease, "unreachable", line)
        raise NoDroplet(
            f"The cloud cannot be reached: {error.message}", hint="Nothing was made; it is tried again."
        ) from error
    if kind != "capacity":
        desk.close(lease, "failed", line)
        raise NoDroplet(f"The cloud refuses the droplet: {error.message}.", hint=_HINTS[kind]) from error


def adopt(desk: Desk, lease: Lease, droplet: CloudDroplet) -> Lease:
    """Write down which droplet is the lease's."""
    lease = desk.move(
        lease,
        "booting",
        droplet_id=droplet.id,
        size=droplet.size or lease.size,
        region=droplet.region or lease.region,
        price_per_hour=droplet.price_per_hour or lease.price_per_hour,
    )
    reach("gpu.after_booting")
    desk.say(f"Droplet {droplet.id} ({lease.size} in {lease.region}) is being made.")
    return lease


def look_for(desk: Desk, lease: Lease) -> Lease:
    """Find the droplet whose create call was not answered, or learn that there is none. Extra ones go."""
    found = desk.tagged(lease)
    if found:
        for extra in found[1:]:
            desk.event(lease, "extra", {"droplet": extra.id})
            desk.cloud.destroy(extra.id)
        desk.event(lease, "adopted", {"droplet": found[0].id})
        return adopt(desk, lease, found[0])
    if desk.clock() - lease.since > SETTLE_S:
        desk.warn(
            "The cloud did not answer when it was asked for a droplet, and none has appeared. It is asked again later."
        )
        return desk.close(
            lease, "never_made", "the create call was not answered, and no droplet of this lease appeared"
        )
    return lease


def _protect(desk: Desk) -> None:
    """See to the firewall. It is the second wall (the server listens on the droplet's loopback alone), so it stops no start."""
    try:
        desk.cloud.protect(desk.settings.owner, desk.settings.ssh_port, desk.settings.ssh_from)
    except CloudError as error:
        if desk.event_once(None, "no_firewall", {"why": error.message}):
            desk.warn(f"The firewall is not as it should be: {error.message} {error.hint}".rstrip())


_HINTS: dict[Refusal, str] = {
    "capacity": "The cloud has none of these now. The candidates wait, and it is tried again by itself; more sizes and regions under "
    "droplet.candidates help.",
    "entitlement": "The account may not have this GPU: ask for access in the console, or name a size that it may have.",
    "limit": "The account's droplet limit is reached: destroy what is not needed, or ask for a higher limit in the console.",
    "invalid": "Compare the build's droplet.image and droplet.candidates with what the cloud offers (`draftctl gpu plan`).",
}
