"""The sweep: which of the cloud's droplets go, decided from the cloud's own list and tags. Pure, and a thin shell around it.

It needs a token and an owner, no database; with one it also knows which droplets no open lease stands for. What is not this owner's is not
touched, and a list that is not whole ends it before anything is destroyed.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from draftctl.gpu.cloud import TAG, Cloud, CloudDroplet, CloudError, expiry_of, lease_of, lease_tag, ours, tag_expiry
from draftctl.settings import span
from draftctl.store.leases import owner_mark

# A droplet that no lease stands for is left alone so long: the row may be in another copy of the database.
ORPHAN_AFTER_S = 900.0
CONFIRM_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A droplet that stays, and why."""

    id: int
    why: str


@dataclass(slots=True, kw_only=True)
class Swept:
    """What a sweep found and did; `errors` are whole sentences."""

    found: int = 0
    deleted: list[int] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def doom_of(
    droplet: CloudDroplet,
    *,
    now: float,
    max_lifetime_s: float,
    everything: bool = False,
    open_leases: Mapping[str, bool] | None = None,
) -> tuple[bool, str]:
    """Say whether one of our droplets goes, and why or why not.

    `open_leases` says of each lease that the database knows whether it is open; None without a database.
    """
    if everything:
        return True, "everything of this owner goes"
    if droplet.is_off:
        return True, f"it is {droplet.status}, and costs all the same"
    expiry = expiry_of(droplet.tags)
    if expiry is not None and now >= expiry:
        return True, "its time is up"
    if expiry is None:
        if droplet.created_at is None or now >= droplet.created_at + max_lifetime_s:
            return True, "it bears no expiry, and is older than gpu.max_lifetime"
        return False, "it bears no expiry yet"
    lease = lease_of(droplet)
    if open_leases and lease is not None and open_leases.get(lease) is False:
        return True, "its lease is closed"
    old = droplet.created_at is not None and now >= droplet.created_at + ORPHAN_AFTER_S
    if open_leases and old and open_leases.get(lease or "") is None:
        return True, "no lease stands for it"
    return False, f"its time is up in {span(expiry - now)}"


def sweep(
    cloud: Cloud,
    owner: str,
    *,
    max_lifetime_s: float,
    everything: bool = False,
    dry_run: bool = False,
    open_leases: Mapping[str, bool] | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Swept:
    """Destroy what is to go, and see it gone. Raises CloudError where the list cannot be had whole: then nothing was destroyed."""
    listed = ours(cloud, owner)
    now = cloud.time if cloud.time is not None else clock()
    swept = Swept(found=len(listed))
    doomed = []
    for droplet in listed:
        goes, why = doom_of(
            droplet, now=now, max_lifetime_s=max_lifetime_s, everything=everything, open_leases=open_leases
        )
        if goes and not dry_run:
            doomed.append(droplet)
        elif goes:
            swept.kept.append(Kept(id=droplet.id, why=f"would go: {why} (dry run)"))
        else:
            swept.kept.append(Kept(id=droplet.id, why=why))
    for droplet in doomed:
        _destroy(cloud, droplet, swept)
    _see_gone(cloud, [d for d in doomed if d.id in swept.deleted], swept, sleep)
    if not dry_run:
        gone = [droplet for droplet in doomed if droplet.id in swept.deleted]
        known = {lease_tag(lease) for lease, is_open in (open_leases or {}).items() if is_open}
        _tidy_tags(cloud, owner, gone, swept, now, known)
    return swept


def _destroy(cloud: Cloud, droplet: CloudDroplet, swept: Swept) -> None:
    try:
        cloud.destroy(droplet.id)
    except CloudError as error:
        swept.errors.append(f"Droplet {droplet.id} could not be destroyed: {error.message}")
    else:
        swept.deleted.append(droplet.id)


def _see_gone(cloud: Cloud, asked: Sequence[CloudDroplet], swept: Swept, sleep: Callable[[float], None]) -> None:
    """Look until each is gone; what is still there at the end is an error, and the next sweep asks again."""
    there, waited = list(asked), 0.0
    while there and waited < CONFIRM_S:
        there = [droplet for droplet in there if _is_there(cloud, droplet)]
        if there:
            pause = 1.0 if waited < 10 else 5.0  # noqa: PLR2004  (at first it is soon gone)
            sleep(pause)
            waited += pause
    for droplet in there:
        swept.deleted.remove(droplet.id)
        swept.errors.append(f"Droplet {droplet.id} was told to go and is still there; it costs money until it is gone.")


def _is_there(cloud: Cloud, droplet: CloudDroplet) -> bool:
    try:
        found = cloud.get(droplet.id)
    except CloudError:
        return True
    return found is not None


def _tidy_tags(
    cloud: Cloud, owner: str, gone: Sequence[CloudDroplet], swept: Swept, now: float, known: set[str]
) -> None:
    """Remove the tags of what is gone, and those of ours that a killed run has left; none that a droplet bears or an open lease needs."""
    own = [
        tag for droplet in gone for tag in droplet.tags if tag_expiry(tag) is not None or tag.startswith(lease_tag(""))
    ]
    try:
        there = (*cloud.list_all(), *cloud.list_tagged(TAG))
        in_use = known | {tag for droplet in there for tag in droplet.tags}
        cloud.drop_tags(tag for tag in dict.fromkeys(own) if tag not in in_use)
    except CloudError as error:
        swept.errors.append(f"Tags were left: {error.message}")
        return
    mark = lease_tag(f"{owner_mark(owner)}-")
    with contextlib.suppress(CloudError):  # what an earlier run has left costs nothing; the next sweep tries again
        idle = [tag for tag in cloud.idle_tags() if tag not in in_use]
        cloud.drop_tags(tag for tag in idle if tag.startswith(mark) or (tag_expiry(tag) or now + 1) <= now)
