"""What every step of a lease works with: the database, the cloud, the SSH connection, the clock, and a way to say what happens."""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from draftctl.errors import DraftctlError
from draftctl.failpoints import reach
from draftctl.gpu import node
from draftctl.gpu.cloud import Cloud, CloudDroplet, CloudError, lease_of, lease_tag, lease_tags, ours
from draftctl.gpu.forward import Forward
from draftctl.gpu.keys import LeaseFiles
from draftctl.gpu.ssh import Address, HostKeyMismatch, Ssh, SshError, connect
from draftctl.manifest import Manifest
from draftctl.models import canonical_json
from draftctl.settings import Gpu
from draftctl.store import leases
from draftctl.store.db import transaction
from draftctl.store.leases import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What is to be served: the engine id, its manifest, the adapter's files, and the provisioning script (bytes)."""

    engine_id: str
    manifest: Manifest
    script: bytes
    adapter: dict[str, bytes] = field(default_factory=dict)

    @property
    def manifest_json(self) -> str:
        """Return the manifest as the script gets it."""
        return canonical_json(self.manifest.model_dump(mode="json"))


class Desk:
    """The things at hand. `build_of` returns what a lease was made for, as it was written down then."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        database: Path,
        settings: Gpu,
        cloud: Cloud,
        build_of: Callable[[Lease], Build],
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = lambda _text: None,
        warn: Callable[[str], None] = lambda _text: None,
        hf_token: str | None = None,
    ) -> None:
        self.connection = connection
        self.database = database
        self.settings = settings
        self.cloud = cloud
        self.build_of = build_of
        self.clock = clock
        self.sleep = sleep
        self.say = say  # what a person who watches wants to hear
        self.warn = warn  # what a person must hear, also from cron
        self.hf_token = hf_token
        self._forward: Forward | None = None
        self._told = 0  # how many of the script's phases were told

    def files(self, lease: Lease) -> LeaseFiles:
        """Return the lease's keys."""
        return LeaseFiles(self.database, lease.id)

    # -- the record ---------------------------------------------------------------------------------------------------------------

    def lease(self, lease_id: str) -> Lease:
        """Return a lease as it stands now."""
        found = leases.find(self.connection, lease_id)
        if found is None:
            raise DraftctlError(f"The lease {lease_id} is gone from the database.")
        return found

    def change(self, lease: Lease, **values: object) -> Lease:
        """Change columns of a lease."""
        with transaction(self.connection):
            leases.change(self.connection, lease.id, **values)
        return self.lease(lease.id)

    def move(self, lease: Lease, state: str, **values: object) -> Lease:
        """Bring a lease into its next state."""
        with transaction(self.connection):
            leases.move(self.connection, lease.id, state, **values)
        return self.lease(lease.id)

    def event(self, lease: Lease | None, kind: str, detail: dict[str, object]) -> None:
        """Note that something happened."""
        with transaction(self.connection):
            leases.event(self.connection, lease.id if lease else None, kind, detail)

    def event_once(self, lease: Lease | None, kind: str, detail: dict[str, object]) -> bool:
        """Note something unless it was the last of its kind; say whether it is new."""
        with transaction(self.connection):
            return leases.event_once(self.connection, lease.id if lease else None, kind, detail)

    def tell(self, state: node.Progress) -> None:
        """Say those of the script's phases that are new."""
        for phase in state.phases[self._told :]:
            seconds = f" ({phase.seconds:.0f} s)" if phase.status != "start" and phase.seconds is not None else ""
            self.say(f"{phase.phase}: {phase.status}{seconds}{' ' + phase.detail if phase.detail else ''}")
        self._told = len(state.phases)

    # -- the cloud ----------------------------------------------------------------------------------------------------------------

    def get(self, lease: Lease) -> CloudDroplet | None:
        """Return the lease's droplet."""
        return None if lease.droplet_id is None else self.cloud.get(lease.droplet_id)

    def tagged(self, lease: Lease) -> list[CloudDroplet]:
        """Return the droplets of a lease. The tag's own list and the whole list are both asked: each is known to hide some."""
        found = {droplet.id: droplet for droplet in self.cloud.list_tagged(lease_tag(lease.id))}
        found |= {droplet.id: droplet for droplet in ours(self.cloud, self.settings.owner)}
        return sorted((d for d in found.values() if lease_of(d) == lease.id), key=lambda droplet: droplet.id)

    def destroy_all(self, lease: Lease) -> bool:
        """Ask for everything that bears the lease to be destroyed; say whether there was anything."""
        there = {droplet.id for droplet in self.tagged(lease)}
        if lease.droplet_id is not None and self.get(lease) is not None:
            there.add(lease.droplet_id)
        for droplet_id in sorted(there):
            self.cloud.destroy(droplet_id)
        reach("gpu.after_destroy")
        return bool(there)

    def close(self, lease: Lease, outcome: str, detail: str, *, at: float | None = None) -> Lease:
        """Close a lease whose droplet is seen to be gone, or was never made: its tags, its cost, its keys."""
        made = lease.droplet_id is not None
        end = self.clock() if at is None else at
        if made:
            try:
                _, _, own, expiry = lease_tags(self.settings.owner, lease.id, lease.expires_at)
                shared = bool(self.cloud.list_tagged(expiry))  # another owner's droplet may end in the same second
                self.cloud.drop_tags([own] if shared else [own, expiry])
            except CloudError as error:
                self.event(lease, "tags_left", {"why": error.message})
        cost = lease.cost_until(end) if made else 0.0
        values: dict[str, object] = {} if made else {"created_at": None}
        lease = self.move(lease, "closed", closed_at=end, outcome=outcome, detail=detail[:500], cost_usd=cost, **values)
        reach("gpu.after_closed")
        self.unlink()
        self.files(lease).remove()
        if made:
            self.say(f"The droplet is gone. It cost ${cost:.2f}.")
        return lease

    # -- the way to the droplet ---------------------------------------------------------------------------------------------------

    def link(self, lease: Lease) -> Forward:
        """Return the port forward to the lease's server; its SSH connection is made when it is needed."""
        if self._forward is None:
            self._forward = Forward(lambda: connect(self.address_of(lease)), self.settings.remote_port)
        return self._forward

    def endpoint(self, lease: Lease) -> tuple[str, str]:
        """Return the local address that leads to the lease's server, and the server's key."""
        return self.link(lease).url, self.files(lease).api_key

    def unlink(self) -> None:
        """End the SSH connection."""
        if self._forward is not None:
            self._forward.close()
            self._forward = None

    def address_of(self, lease: Lease) -> Address:
        """Return where a lease's droplet is and how to log in. Raises SshError where that is not known."""
        return lease_address(self.database, self.settings, lease)

    def keep_log(self, lease: Lease, ssh: Ssh | None = None, *, place: str | None = None) -> None:
        """Fetch the end of the logs while the droplet is there; the server's key does not go into the record."""
        with contextlib.suppress(SshError, HostKeyMismatch, OSError):
            text = node.log(ssh or self.link(lease).ssh(), place or self.settings.state_dir)
            self.event(lease, "log", {"text": text.replace(self.files(lease).api_key, "[key]")[-20_000:]})


def lease_address(database: Path, settings: Gpu, lease: Lease) -> Address:
    """Return where a lease's droplet is and how to log in. Raises SshError where that is not known."""
    if lease.address is None:
        raise SshError("The droplet has no address yet.")
    try:
        key = LeaseFiles(database, lease.id).client_key
    except OSError as error:
        raise SshError(f"The lease's SSH key cannot be read: {error.strerror}.") from error
    pins = tuple(filter(None, (lease.host_key or "").split("\n")))
    return Address(host=lease.address, port=settings.ssh_port, user=settings.ssh_user, key=key, pins=pins)
