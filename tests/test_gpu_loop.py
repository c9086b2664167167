"""The whole way on loopback: rent, provision over a real sshd, draft through the port forward, give back."""

import time

import pytest

from tests.conftest import BUILD
from tests.rented import Rented
from tests.sshd import needs_sshd

pytestmark = needs_sshd


def test_cron_does_the_whole_cycle_alone(rented: Rented) -> None:
    rented.take(5)
    first = rented.tick()
    assert first["gpu"]["state"] in ("booting", "off")
    for _ in range(20):
        last = rented.tick()
        if last["gpu"]["state"] == "off":
            break
        time.sleep(0.5)
    assert rented.workspace.one("SELECT count(*) FROM drafts WHERE status = 'drafted'") == 5
    rented.check_clean()
    assert rented.workspace.one("SELECT DISTINCT attested FROM drafts") == "weights"
    costs = rented.json("gpu", "costs")
    assert costs["leases"][0]["drafts"] == 5
    assert costs["leases"][0]["usd_per_draft"] > 0
    assert rented.cloud.creates() == 1


@pytest.mark.slow
def test_up_a_batch_and_down(rented: Rented) -> None:
    up = rented.json("gpu", "up", "--engine", BUILD, "--yes", "--for", "30m")
    assert up["state"] == "ready"
    rented.take(3)
    done = rented.json("draft", "--batch", "--engine", BUILD)
    assert done["drafted"] == 3
    assert rented.json("gpu", "status")["cost_usd"] > 0
    assert rented.json("gpu", "down")["state"] == "off"
    rented.check_clean()
