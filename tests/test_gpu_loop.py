"""The whole way on loopback: rent, provision over a real sshd, draft through the port forward, give back."""

import time

import pytest

from tests.conftest import BUILD, line
from tests.rented import Rented
from tests.sshd import needs_sshd
from tests.test_pipeline import ASKS

pytestmark = needs_sshd


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_run_rents_for_the_classifier_alone_and_sends_what_was_approved_meanwhile(rented: Rented) -> None:
    """The notes are the replies, and a model only says who writes: it is rented for that, and for nothing else."""
    place = rented.workspace
    place.commit("workflows/classify.yaml", ASKS)
    place.ok(
        "ingest", "-", stdin=line("ready", archetype="rude", state="new", key=None) + line("raw", "hello", key=None)
    )
    for _ in range(20):
        last = rented.json("run", "--gpu", "auto", "--to", "file:out.jsonl")
        if last["gpu"]["state"] == "off":
            break
        time.sleep(0.5)
    place.ok("correct", "ready", "--verdict", "approved")
    assert rented.json("run", "--gpu", "auto", "--to", "file:out.jsonl")["dispatch"]["sent"] == 1
    ready = place.one("SELECT seq FROM drafts WHERE candidate_id = 'ready' AND status = 'drafted'")
    assert ready < place.one("SELECT seq FROM drafts WHERE candidate_id = 'raw' AND status = 'drafted'")
    row = place.json("show", "raw")["candidate"]
    assert (row["status"], row["archetype"]) == ("drafted", "courteous")
    assert place.one("SELECT engine_id FROM decisions WHERE kind = 'classify'") == BUILD
    assert place.one("SELECT DISTINCT engine_id FROM drafts WHERE status = 'drafted'") == "template"
    assert len((place.root / "out.jsonl").read_text().splitlines()) == 1
    assert rented.cloud.creates() == 1
    rented.check_clean()
