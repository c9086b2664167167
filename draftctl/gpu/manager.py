"""One lease, step by step: each step looks, does one thing, and writes it down before the next, so that a kill at any point is resumed.

A droplet is asked for only after its lease is committed (`gpu.making`), and counts as gone only after two reads of 404 and a list without
it. Whoever calls holds the GPU lock: one owner at a time.
"""

import contextlib
import time
from collections.abc import Sequence

from draftctl.failpoints import reach
from draftctl.gpu import node
from draftctl.gpu.cloud import CloudError, Offer, dearest
from draftctl.gpu.desk import Build, Desk
from draftctl.gpu.hosted import begin_on_host, follow_host, host_address, stop_on_host
from draftctl.gpu.keys import new_key
from draftctl.gpu.making import SETTLE_S, Asked, begin, create, look_for
from draftctl.gpu.readiness import not_ready
from draftctl.gpu.script import send_and_start
from draftctl.gpu.ssh import HostKeyMismatch, Ssh, SshError, connect
from draftctl.store import leases
from draftctl.store.leases import Lease

VANISH_S = 60.0  # how long a droplet that was promised may be missing before it counts as gone
START_S = 300.0
SWEEP_S = 900.0  # within how long of its expiry the sweep takes a droplet
RECONNECT_S = 20.0  # how long the SSH server may take to come back with its new key


class Manager:
    """Takes leases from the asking to the end."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def begin(self, build: Build, asked: Asked, offers: Sequence[Offer]) -> Lease:
        """Write a lease down and ask for its droplet. Raises NoDroplet, and CloudError when the cloud cannot be asked."""
        if self.desk.settings.provision_on == "host":
            host_address(self.desk)  # what is missing there is said before anything is written down
        lease, user_data, client_public = begin(self.desk, build, asked)
        if self.desk.settings.provision_on == "host":
            return begin_on_host(self.desk, lease, build, user_data, client_public, price=dearest(offers))
        return create(self.desk, lease, build, offers, user_data)

    def advance(self, lease: Lease) -> Lease:
        """Take the lease one step on. Raises CloudError when the cloud cannot be asked (then nothing is known, and nothing is done)."""
        match lease.state:
            case "creating":
                return look_for(self.desk, lease)
            case "booting":
                return self._boot(lease)
            case "provisioning":
                return self._provision(lease)
            case "warming":
                return self._warm(lease)
            case "ready":
                return self._gone(lease) or lease
            case "releasing":
                return self._confirm(lease)
            case _:
                return lease

    def release(self, lease: Lease, outcome: str, detail: str) -> Lease:
        """Decide that the droplet goes, and ask for it."""
        desk = self.desk
        desk.unlink()
        if lease.state == "provisioning" and lease.droplet_id is None:
            stop_on_host(desk, lease)
        now = desk.clock()
        lease = desk.move(
            lease, "releasing", release_at=now, release_reason=detail[:500], outcome=outcome, detail=detail[:500]
        )
        reach("gpu.after_releasing")
        with contextlib.suppress(CloudError):  # asked again with every step until it is gone
            desk.destroy_all(lease)
        return lease

    def fail(self, lease: Lease, why: str) -> Lease:
        """Let go of a droplet that is of no use."""
        self.desk.warn(f"{why[0].upper()}{why[1:].rstrip('.')}. The droplet goes.")
        return self.release(lease, "failed", why)

    def not_ready(self, lease: Lease) -> str | None:
        """Return why the lease's server cannot be used, or None."""
        return not_ready(self.desk.link(lease).url, lease.engine_id, self.desk.files(lease).api_key)

    def _boot(self, lease: Lease) -> Lease:
        desk = self.desk
        droplet = desk.get(lease)
        if droplet is None:
            return self._vanished(lease)
        if droplet.status != "active" or not droplet.address:
            if droplet.is_off:
                return self.fail(lease, f"the droplet is {droplet.status}")
            return lease
        if lease.address != droplet.address:
            lease = desk.change(lease, address=droplet.address)
        try:
            with contextlib.closing(connect(desk.address_of(lease))) as ssh:
                return self._first_login(lease, ssh)
        except SshError:
            return lease  # not yet; the boot's deadline is the policy's
        except HostKeyMismatch as error:
            desk.warn(f"ALARM: {error.message} {error.hint}")
            return self.fail(lease, error.message)

    def _first_login(self, lease: Lease, ssh: Ssh) -> Lease:
        """Replace the injected host key over the connection that it has verified. Both keys are good until the new one is seen."""
        desk, seen = self.desk, ssh.pin
        *_, injected = (lease.host_key or "").split("\n")
        if seen == injected:
            new = new_key()
            lease = desk.change(lease, host_key=f"{new.public}\n{injected}")
            reach("gpu.before_rotate")
            why = node.rotate_host_key(ssh, new)
            reach("gpu.after_rotate")
            seen = self._seen_key(lease)
            if seen == injected:
                desk.event(lease, "host_key_kept", {"why": why or "the server still shows the injected key"})
                desk.warn("The droplet keeps the host key that was injected: it would not take another.")
        done_already = lease.provision_on == "host"
        lease = desk.move(lease, "warming" if done_already else "provisioning", host_key=seen, ssh_at=desk.clock())
        reach("gpu.after_ssh")
        desk.say("SSH answers.")
        return lease

    def _seen_key(self, lease: Lease) -> str:
        """Return which of the lease's keys the host shows now; it is away for a moment while it reads its keys again."""
        deadline = time.monotonic() + RECONNECT_S
        while True:
            try:
                with contextlib.closing(connect(self.desk.address_of(lease))) as ssh:
                    return ssh.pin
            except SshError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _provision(self, lease: Lease) -> Lease:
        desk = self.desk
        if lease.droplet_id is None:
            return follow_host(desk, lease)
        if (gone := self._gone(lease)) is not None:
            return gone
        place = desk.settings.state_dir
        try:
            ssh = desk.link(lease).ssh()
            state = node.progress(ssh, place, lease=lease.id)
            if not state.running and state.exit_code is None:
                # Never started, or the droplet was rebooted: it goes on where it was.
                send_and_start(desk, lease, ssh, place)
                return lease
        except SshError as error:
            return self._not_started(lease, error)
        except HostKeyMismatch as error:
            return self.fail(lease, error.message)
        desk.tell(state)
        if state.failed:
            desk.keep_log(lease, ssh)
            return self.fail(lease, f"provisioning failed in {state.failed}")
        if not state.ready:
            return lease
        desk.event(lease, "phases", {p.phase: p.seconds for p in state.phases if p.status == "ok"})
        lease = desk.move(lease, "warming", attested=state.attested)
        reach("gpu.after_provisioned")
        return lease

    def _not_started(self, lease: Lease, error: SshError) -> Lease:
        """Bear with a connection that breaks off; a script that cannot even be sent in five minutes is given up."""
        desk = self.desk
        if desk.event_once(lease, "ssh_trouble", {"why": error.message[:300]}):
            desk.say(error.message)
        sent = any(event["kind"] == "script_started" for event in leases.events(desk.connection, lease.id))
        if sent or desk.clock() - (lease.ssh_at or desk.clock()) < START_S:
            return lease
        return self.fail(lease, f"the provisioning script could not be started: {error.message}")

    def _warm(self, lease: Lease) -> Lease:
        desk = self.desk
        if (gone := self._gone(lease)) is not None:
            return gone
        why = self.not_ready(lease)
        if why is not None:
            desk.event_once(lease, "not_ready", {"why": why})
            return lease
        now = desk.clock()
        lease = desk.move(lease, "ready", ready_at=now, last_work_at=now)
        reach("gpu.after_ready")
        desk.say("Ready.")
        return lease

    def _confirm(self, lease: Lease) -> Lease:
        """Ask again while it is there; close the lease only after two reads of 404 and a list without it."""
        desk = self.desk
        if desk.destroy_all(lease) or desk.get(lease) is not None:
            return lease
        if lease.droplet_id is None and desk.clock() - (lease.release_at or 0) < SETTLE_S:
            return lease  # a script on a host may have asked for one just before it was stopped
        gone_at = desk.clock()
        desk.sleep(min(1.0, desk.settings.poll_interval))
        if desk.get(lease) is not None or desk.tagged(lease):
            return lease
        reach("gpu.after_gone")
        return desk.close(lease, lease.outcome or "failed", lease.detail or "", at=gone_at)

    def _vanished(self, lease: Lease) -> Lease:
        """Deal with a droplet that the cloud no longer knows: a list may be behind, or it was accepted and then dropped."""
        desk = self.desk
        young = desk.clock() - lease.since < VANISH_S
        if (young and lease.state == "booting") or desk.tagged(lease):
            return lease
        now = desk.clock()
        if now >= lease.expires_at:  # the sweep has taken it; when, is known to its next turn
            outcome = "served" if lease.ready_at is not None else "failed"
            return desk.close(lease, outcome, "its time was up", at=min(now, lease.expires_at + SWEEP_S))
        desk.warn("The cloud no longer knows the droplet.")
        return desk.close(lease, "failed", "the droplet vanished")

    def _gone(self, lease: Lease) -> Lease | None:
        """Return what becomes of a lease whose droplet the cloud no longer has or has switched off; None where it stands."""
        droplet = self.desk.get(lease)
        if droplet is None:
            return self._vanished(lease) if self.desk.get(lease) is None else None
        if droplet.is_off:
            return self.fail(lease, f"the droplet is {droplet.status}")
        return None
