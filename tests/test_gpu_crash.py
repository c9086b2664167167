"""SIGKILL at every named point of a rental and at random moments: never two droplets, none left, nothing of others touched."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from draftctl.failpoints import POINTS
from tests.cloud_server import FakeDroplet
from tests.conftest import BUILD, Workspace
from tests.rented import Rented
from tests.sshd import needs_sshd

pytestmark = needs_sshd
Figure = Callable[[str, object], None]
GPU_POINTS = [point for point in POINTS if point.startswith("gpu.")]


@pytest.fixture
def rental(workspace: Workspace, tmp_path: Path) -> Iterator[Rented]:
    """Rent with quick settings, beside droplets of other people."""
    place = Rented(workspace, tmp_path, max_lifetime="20m")
    with place.cloud:
        place.cloud.add("theirs", tags=["draftctl", "draftctl-owner-other", "draftctl-exp-5"])
        place.cloud.add("nobody's")
        place.cloud.most_live = 0
        yield place


def ours(place: Rented) -> list[FakeDroplet]:
    return [droplet for droplet in place.cloud.live if "draftctl-owner-test-1" in droplet.tags]


def foreign_untouched(place: Rented) -> bool:
    return sorted(d.name for d in place.cloud.live if d.name in ("theirs", "nobody's")) == ["nobody's", "theirs"]


def tick(place: Rented, **environment: str) -> subprocess.Popen[bytes]:
    return place.workspace.start(
        "draft", "--batch", "--gpu", "auto", "--engine", BUILD, **place.environment, **environment
    )


def settle(place: Rented, *, ticks: int = 12) -> None:
    for _ in range(ticks):
        place.skip_back_off()
        process = tick(place)
        process.communicate(timeout=60)
        if not ours(place) and not place.workspace.rows("SELECT 1 FROM gpu_leases WHERE state <> 'closed'"):
            return
        time.sleep(0.3)


@pytest.mark.slow
@pytest.mark.parametrize("point", GPU_POINTS)
def test_killed_at_a_named_point(rental: Rented, point: str) -> None:
    rental.take(3)
    killed = tick(rental, DRAFTCTL_FAILPOINT=point)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, (point, killed.returncode)
    assert len(ours(rental)) <= 1
    if not ours(rental):
        rental.age_leases(
            180
        )  # whether the call was made is not known; it settles in two minutes, which are made to have passed
    settle(rental)
    assert ours(rental) == []
    assert rental.workspace.one("SELECT count(*) FROM drafts WHERE status = 'drafted'") == 3
    assert rental.workspace.json("audit", "verify")["ok"]
    assert rental.cloud.most_live <= 1
    assert foreign_untouched(rental)
    assert rental.cloud.violations == []
    assert not [tag for tag in rental.cloud.tags if tag.startswith("draftctl-lease-")]


OFTEN = ("gpu.after_create", "gpu.after_rotate", "gpu.after_start", "gpu.after_releasing")
BEFORE_OR_AFTER = ("gpu.after_intent", "gpu.after_price", "gpu.after_closed")  # there is no droplet then


@pytest.mark.slow
@pytest.mark.parametrize(
    "point",
    [
        pytest.param(point, marks=[] if point in OFTEN else pytest.mark.soak)
        for point in GPU_POINTS
        if point not in BEFORE_OR_AFTER
    ],
)
def test_killed_with_the_database_gone_the_sweep_is_enough(rental: Rented, point: str) -> None:
    rental.take()
    tick(rental, DRAFTCTL_FAILPOINT=point).communicate(timeout=60)
    shutil.rmtree(rental.workspace.database.parent)
    rental.cloud.clock = lambda: time.time() + 1800
    swept = rental.json("gpu", "reap")
    assert swept["errors"] == []
    assert ours(rental) == []
    assert foreign_untouched(rental)
    assert not [tag for tag in rental.cloud.tags if tag.startswith("draftctl-lease-")]


@pytest.mark.slow
def test_killed_at_random_moments(rental: Rented, record_property: Figure) -> None:
    kill_at_random(rental, record_property, 15)


@pytest.mark.soak
def test_killed_at_a_hundred_random_moments(rental: Rented, record_property: Figure) -> None:
    kill_at_random(rental, record_property, 100)


def kill_at_random(rental: Rented, record_property: Figure, wanted: int) -> None:
    dice = random.Random(11)
    kills = most = 0
    created = rental.cloud.creates()
    number = 0
    while kills < wanted:
        rental.take(2, f"r{number}-")
        number += 1
        process = tick(rental)
        time.sleep(0.3 + dice.random() * 4.0)
        if process.poll() is None:
            process.kill()
            kills += 1
        process.communicate()
        most = max(most, len(ours(rental)))
        rental.age_leases(180, state="creating")
        if kills % 10 == 5:
            rental.run("gpu", "reap")
    settle(rental, ticks=20)
    left = len(ours(rental))
    sessions = rental.workspace.one("SELECT count(*) FROM gpu_leases WHERE droplet_id IS NOT NULL")
    billed = sum(
        (d.destroyed or time.time()) - d.created
        for d in rental.cloud.droplets.values()
        if "draftctl-owner-test-1" in d.tags
    )
    ledger = rental.workspace.one("SELECT sum(cost_usd) FROM gpu_leases") * 3600 / 1.57
    record_property(
        "figure",
        f"gpu: {kills} random SIGKILLs, {rental.cloud.creates() - created} create calls, {sessions} leases with a droplet, most alive at once {most}, left {left}, "
        f"{billed:.0f} s billed by the cloud, {ledger:.0f} s in the ledger",
    )
    assert most <= 1
    assert rental.cloud.most_live <= 1
    assert left == 0
    assert foreign_untouched(rental)
    assert rental.workspace.rows("SELECT id FROM candidates WHERE status NOT IN ('drafted', 'held')") == []
    assert (
        rental.workspace.rows("SELECT candidate_id FROM drafts WHERE status = 'drafted' GROUP BY 1 HAVING count(*) > 1")
        == []
    )
    assert ledger >= billed - sessions, "what the cloud bills is in the ledger"
    assert rental.workspace.json("audit", "verify")["ok"]
    assert not [tag for tag in rental.cloud.tags if tag.startswith("draftctl-lease-")]
