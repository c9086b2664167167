"""The other reading of "provision": the script runs on a host that creates the droplet itself (`gpu.provision_on: host`).

The lease, and the droplets that exist, are written down first. The script gets, beside its usual environment, `DROPLET_NAME`, `DROPLET_TAGS`
(comma-separated), `USER_DATA_FILE` (our cloud-init: host key and client key) and `SSH_PUBLIC_KEY`, and its last line names the droplet: its
number, its name, or JSON with `droplet_id` and, where it did not use our user_data, `host_key`. That droplet is tagged and adopted
only if it was not there before and was created after our intent; anything else raises an alarm, and nothing is deleted.
"""

import contextlib
import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import paramiko

from draftctl.errors import UsageError
from draftctl.gpu import node
from draftctl.gpu.cloud import CloudDroplet, droplet_name, is_ours, lease_of, lease_tags
from draftctl.gpu.desk import Build, Desk
from draftctl.gpu.making import NoDroplet
from draftctl.gpu.script import send_and_start
from draftctl.gpu.ssh import Address, HostKeyMismatch, Ssh, SshError, connect
from draftctl.store.leases import Lease

CLOCK_SLACK_S = 5.0  # the cloud rounds a droplet's time to the second, and its clock is not ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The droplet that a script's last line names: by number or by name, and its host key where it says one."""

    droplet_id: int | None = None
    name: str | None = None
    host_key: str | None = None


def read_last_line(line: str) -> Named | None:
    """Read the last line of a script; None where it names nothing."""
    text = line.strip()
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, dict):
            number, name, key = value.get("droplet_id", value.get("id")), value.get("name"), value.get("host_key")
            named = Named(
                droplet_id=number if isinstance(number, int) and not isinstance(number, bool) else None,
                name=name if isinstance(name, str) else None,
                host_key=key if isinstance(key, str) else None,
            )
            return named if named.droplet_id or named.name else None
        if isinstance(value, int) and not isinstance(value, bool):
            return Named(droplet_id=value)
        return None
    return Named(name=text) if text and len(text.split()) == 1 else None


def not_adoptable(droplet: CloudDroplet | None, before: Iterable[int], intent_at: float) -> str | None:
    """Return why a droplet is not adopted, or None."""
    if droplet is None:
        return "the script's last line names no droplet of the account"
    if droplet.id in set(before):
        return f"droplet {droplet.id} was there before the script ran"
    if droplet.created_at is None or droplet.created_at < intent_at - CLOCK_SLACK_S:
        return f"droplet {droplet.id} was created before we asked for one"
    return None


def begin_on_host(
    desk: Desk, lease: Lease, build: Build, user_data: str, client_public: str, *, price: float | None
) -> Lease:
    """Write down what exists, then run the script on the host. Raises NoDroplet when the host cannot be used.

    `price` is what the dearest candidate costs an hour; it counts until the droplet's own is known.
    """
    before = sorted({droplet.id for droplet in desk.cloud.list_all()})
    now = desk.clock()
    cloud_now = desk.cloud.time or now
    lease = desk.change(lease, before=json.dumps([before, cloud_now]), created_at=now, price_per_hour=price)
    place = _place(desk, lease)
    tags = lease_tags(desk.settings.owner, lease.id, lease.expires_at)
    more = [
        ("DROPLET_NAME", droplet_name(lease.id)),
        ("DROPLET_TAGS", ",".join(tags)),
        ("USER_DATA_FILE", f"{place}/user_data"),
        ("SSH_PUBLIC_KEY", client_public),
    ]
    try:
        with contextlib.closing(_login(desk)) as ssh:
            node.upload(ssh, place, {"user_data": user_data.encode()}, api_key=desk.files(lease).api_key)
            lease = desk.move(lease, "provisioning")  # from here on the script may have run
            send_and_start(desk, lease, ssh, place, build, more)
    except (SshError, HostKeyMismatch) as error:
        if lease.state == "creating":
            desk.close(lease, "failed", error.message)
            raise NoDroplet(f"The provisioning host cannot be used: {error.message}", hint=error.hint) from error
    return desk.lease(lease.id)


def stop_on_host(desk: Desk, lease: Lease) -> None:
    """End the script on the host; where that cannot be done, a droplet that it makes is found by its tags."""
    desk.warn(
        "The script on the host is stopped. If it has asked for a droplet without our tags, only the console shows it."
    )
    with contextlib.suppress(SshError, HostKeyMismatch, UsageError), contextlib.closing(_login(desk)) as ssh:
        node.stop(ssh, _place(desk, lease), lease=lease.id)


def follow_host(desk: Desk, lease: Lease) -> Lease:
    """See how the script on the host stands; adopt the droplet that it names."""
    try:
        with contextlib.closing(_login(desk)) as ssh:
            state = node.progress(ssh, _place(desk, lease), lease=lease.id)
            line = node.last_line(ssh, _place(desk, lease)) if state.exit_code is not None else ""
            desk.tell(state)
            if state.exit_code is None:
                gone = not state.running and desk.clock() - lease.intent_at > desk.settings.poll_interval * 6
                return _alarm(desk, lease, "the script on the host is gone without an exit code") if gone else lease
            if state.failed:
                desk.keep_log(lease, ssh, place=_place(desk, lease))
                return _alarm(desk, lease, f"the script on the host failed in {state.failed}")
            ssh.run(f"rm -f {shlex.quote(_place(desk, lease))}/user_data")
            return _adopt(desk, lease, state, read_last_line(line))
    except SshError:
        return lease
    except HostKeyMismatch as error:
        return _alarm(desk, lease, error.message)


def _adopt(desk: Desk, lease: Lease, state: node.Progress, named: Named | None) -> Lease:
    before, asked_at = lease.before or ((), lease.intent_at)
    droplet = _find(desk, named)
    why = not_adoptable(droplet, before, asked_at)
    if droplet is None or why is not None:
        return _alarm(desk, lease, why or "no droplet")
    if not is_ours(droplet, desk.settings.owner) or lease_of(droplet) != lease.id:
        desk.cloud.add_tags(droplet.id, lease_tags(desk.settings.owner, lease.id, lease.expires_at))
    if droplet.address is None:
        return lease
    price = droplet.price_per_hour or getattr(desk.cloud.sizes().get(droplet.size), "price_per_hour", None)
    lease = desk.change(lease, host_key=named.host_key) if named and named.host_key else lease
    desk.event(lease, "adopted", {"droplet": droplet.id})
    return desk.move(  # the first login comes next, as with a droplet of our own making
        lease,
        "booting",
        droplet_id=droplet.id,
        size=droplet.size,
        region=droplet.region,
        address=droplet.address,
        price_per_hour=price or lease.price_per_hour,
        attested=state.attested,
    )


def _find(desk: Desk, named: Named | None) -> CloudDroplet | None:
    if named is None:
        return None
    if named.droplet_id is not None:
        return desk.cloud.get(named.droplet_id)
    found = [droplet for droplet in desk.cloud.list_all() if droplet.name == named.name]
    return found[0] if len(found) == 1 else None


def _alarm(desk: Desk, lease: Lease, why: str) -> Lease:
    """Give the lease up and say so; nothing is deleted, because nothing says that it is ours."""
    desk.event(lease, "alarm", {"why": why})
    desk.warn(
        f"ALARM: {why}. Nothing was adopted and nothing deleted: look into the console whether a droplet was made, and end it there. "
        "Nothing more is started until `draftctl gpu up`."
    )
    return desk.close(lease, "alarm", why)


def _place(desk: Desk, lease: Lease) -> str:
    return f"{desk.settings.state_dir}/{lease.id}"


def _login(desk: Desk) -> Ssh:
    return connect(host_address(desk))


def host_address(desk: Desk) -> Address:
    """Return where the provisioning host is. Raises UsageError where the settings do not say all of it."""
    settings = desk.settings
    user, _, host = (settings.provision_host or "").rpartition("@")
    host, _, port = host.partition(":")
    if not host:
        raise UsageError(
            "gpu.provision_on is host, but gpu.provision_host does not say which.", hint="As in root@192.0.2.7."
        )
    identity = Path(settings.provision_identity).expanduser()
    try:
        key = identity.read_text()
    except OSError as error:
        raise UsageError(f"gpu.provision_identity: {identity} cannot be read: {error.strerror}.") from error
    pins = (settings.provision_host_key,) if settings.provision_host_key else _known(host, port)
    return Address(host=host, port=int(port or 22), user=user or "root", key=key, pins=pins)


def _known(host: str, port: str) -> tuple[str, ...]:
    """Return the host's keys from the user's known_hosts: somebody has looked at them once."""
    name = f"[{host}]:{port}" if port and port != "22" else host
    known = paramiko.HostKeys()
    with contextlib.suppress(OSError):
        known.load(str(Path.home() / ".ssh" / "known_hosts"))
    return tuple(f"{kind} {key.get_base64()}" for kind, key in (known.lookup(name) or {}).items())
