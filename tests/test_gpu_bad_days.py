"""Bad days of a rental, one test each: killed, unanswered, twice at once, asleep, undying, lying, sold out, never ready, dying, misjudged.

After each: never more than one live droplet, nothing left in the end, no candidate lost or drafted twice, the bill within bounds.
"""

import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from draftctl.gpu.cloud import Offer, lease_tags
from draftctl.gpu.desk import Build, Desk
from draftctl.gpu.digitalocean import DigitalOcean
from draftctl.gpu.hosted import not_adoptable, read_last_line
from draftctl.gpu.making import SETTLE_S, Asked, NoDroplet
from draftctl.gpu.manager import Manager
from draftctl.gpu.node import read_progress
from draftctl.gpu.transport import Transport
from draftctl.manifest import parse_manifest
from draftctl.store import leases
from draftctl.store.db import open_database
from tests.cloud_server import TOKEN
from tests.conftest import BUILD, Workspace
from tests.rented import MANIFEST, Rented
from tests.sshd import needs_sshd

pytestmark = pytest.mark.slow
OFFERS = [
    Offer(size="gpu-l40sx1-48gb", region="tor1", price_per_hour=1.57),
    Offer(size="gpu-h100x1-80gb", region="nyc2", price_per_hour=3.39),
]


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1_795_560_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def away(workspace: Workspace, tmp_path: Path) -> Iterator[Rented]:
    """Rent droplets that are nothing but an entry at the cloud."""
    place = Rented(workspace, tmp_path, nodes=False)
    with place.cloud:
        yield place
        assert place.cloud.violations == []
        assert place.cloud.most_live <= 1


@contextmanager
def managing(place: Rented, clock: Clock | None = None) -> Iterator[Manager]:
    """Hand out a manager in this process."""
    from draftctl.workspace import load_settings

    clock = clock or Clock()
    place.cloud.clock = clock
    settings = load_settings(place.workspace.root, {})
    connection = open_database(settings.database)
    transport = Transport(place.cloud.url, sleep=lambda _: None)
    try:
        yield Manager(
            Desk(
                connection, settings.database, settings.values.gpu, DigitalOcean(TOKEN, place.cloud.url, transport=transport),
                lambda _lease: build(), clock=clock, sleep=clock.sleep,
            )
        )  # fmt: skip
    finally:
        connection.close()


def build() -> Build:
    return Build(engine_id=BUILD, manifest=parse_manifest(MANIFEST.encode(), f"engines/{BUILD}.yaml"), script=b"true")


def ask(clock: Clock | Any) -> Asked:
    return Asked(by="test", reason="work waits", expires_at=clock() + 7200)


def to_the_end(manager: Manager, lease: leases.Lease, steps: int = 40) -> leases.Lease:
    for _ in range(steps):
        if lease.state == "closed":
            break
        lease = manager.advance(lease)
        manager.desk.sleep(5)
    return lease


# -- 1. killed between the create call and what is written down -------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["kill_before", "kill_after"])
def test_killed_around_the_create_call(away: Rented, point: str) -> None:
    away.take()
    process = away.workspace.start("draft", "--batch", "--gpu", "auto", "--engine", BUILD, **away.environment)
    away.cloud.fault("POST", "/v2/droplets", point, seconds=process.pid)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(away.cloud.live) == (1 if point == "kill_after" else 0)
    away.tick()
    state = away.workspace.rows("SELECT state, droplet_id FROM gpu_leases")
    assert len(state) == 1, "no second lease while it is not known what became of the first"
    if point == "kill_after":
        assert state[0]["state"] == "booting", "adopted"
        assert away.cloud.creates() == 1
        away.ok("gpu", "down")
        assert away.cloud.live == []
    else:
        assert state[0]["state"] == "creating"
        assert away.json("gpu", "status")["state"] == "creating"


# -- 2. the answer lost, and a list that is behind -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [0, 3, 20])
def test_an_answer_that_was_lost_is_resolved_by_looking(away: Rented, hidden: int) -> None:
    clock = Clock()
    with managing(away, clock) as manager:
        away.cloud.hide_lists = hidden
        away.cloud.fault("POST", "/v2/droplets", "drop_after")
        lease = manager.begin(build(), ask(clock), OFFERS)
        assert lease.state == "creating"
        for _ in range(60):
            if lease.state != "creating":
                break
            lease = manager.advance(lease)
            clock.sleep(5)
        assert lease.state == "booting"
        assert away.cloud.creates() == 1
        lease = to_the_end(manager, manager.release(lease, "not_needed", "test"))
    assert away.cloud.live == []
    assert not [tag for tag in away.cloud.tags if "-lease-" in tag]


def test_a_create_that_was_never_carried_out_ends_after_the_settling_time(away: Rented) -> None:
    clock = Clock()
    with managing(away, clock) as manager:
        away.cloud.fault("POST", "/v2/droplets", "drop_before")
        lease = manager.begin(build(), ask(clock), OFFERS)
        started = clock()
        while lease.state == "creating":
            assert clock() - started < SETTLE_S + 30
            lease = manager.advance(lease)
            clock.sleep(10)
        assert (lease.state, lease.outcome, lease.cost_usd) == ("closed", "never_made", 0.0)
    assert away.cloud.creates() == 1


def test_two_droplets_of_one_lease_are_brought_down_to_one(away: Rented) -> None:
    clock = Clock()
    with managing(away, clock) as manager:
        away.cloud.fault("POST", "/v2/droplets", "drop_before")
        lease = manager.begin(build(), ask(clock), OFFERS)
        for _ in range(2):
            away.cloud.add("x", tags=[*lease_tags("test-1", lease.id, lease.expires_at)])
        lease = manager.advance(lease)
        assert (lease.state, [d.id for d in away.cloud.live]) == ("booting", [lease.droplet_id])
        to_the_end(manager, manager.release(lease, "not_needed", "test"))
    assert away.cloud.live == []
    away.cloud.most_live = 1


# -- 3. two controllers at once -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [15, pytest.param(100, marks=pytest.mark.soak)])
def test_two_controllers_at_once(away: Rented, record_property: Any, pairs: int) -> None:
    away.take()
    dice, refused = random.Random(3), 0
    for _ in range(pairs):
        pair = []
        for _ in range(2):
            pair.append(
                away.workspace.start("draft", "--batch", "--gpu", "auto", "--engine", BUILD, **away.environment)
            )
            time.sleep(dice.random() * 0.3)
        codes = [(process.communicate(), process.returncode)[1] for process in pair]
        assert set(codes) <= {0, 75}, codes
        refused += codes.count(75)
        assert away.cloud.creates() == 1
        assert len(away.cloud.live) == 1
    away.ok("gpu", "down")
    record_property("figure", f"gpu: {2 * pairs} starts of two controllers, {refused} refused, 1 create call")


# -- 4. the controller asleep, the database gone --------------------------------------------------------------------------------------------


def test_asleep_past_the_expiry_the_sweep_ends_it_without_a_database(away: Rented) -> None:
    foreign = away.cloud.add("theirs", tags=["draftctl", "draftctl-owner-other", "draftctl-exp-5"])
    away.cloud.most_live = 0
    away.take()
    away.tick()
    assert len(away.cloud.live) == 2
    shutil.rmtree(away.workspace.database.parent)
    assert away.json("gpu", "reap")["deleted"] == []
    away.cloud.clock = lambda: time.time() + 8000
    swept = away.json("gpu", "reap")
    assert len(swept["deleted"]) == 1
    assert [droplet.id for droplet in away.cloud.live] == [foreign.id]
    assert not away.workspace.database.exists(), "the sweep makes no database"
    assert not [tag for tag in away.cloud.tags if tag.startswith("draftctl-lease-")]
    away.cloud.most_live = 1


def test_with_the_database_gone_no_second_droplet_is_made(away: Rented) -> None:
    away.take()
    away.tick()
    shutil.rmtree(away.workspace.database.parent)
    away.take()
    done = away.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
    assert "knows nothing of" in done.stderr
    assert away.cloud.creates() == 1
    assert len(away.json("gpu", "reap", "--all")["deleted"]) == 1


# -- 5. a delete that fails, hangs or lies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["survives", "refused", "in progress", "too many", "one wrong 404"])
def test_a_droplet_that_does_not_go_is_told_again_until_it_is_gone(away: Rented, bad: str) -> None:
    clock = Clock()
    with managing(away, clock) as manager:
        lease = manager.begin(build(), ask(clock), OFFERS)
        path = f"/v2/droplets/{lease.droplet_id}"
        droplet = away.cloud.droplets[lease.droplet_id or 0]
        if bad == "survives":
            droplet.dies_after = 50
        elif bad == "one wrong 404":
            droplet.dies_after = 3
            away.cloud.fault("GET", path, "answer", status=404, body={"id": "not_found", "message": "x"})
        else:
            message = "a destroy is already in progress" if bad == "in progress" else "no"
            status = {"refused": 500, "in progress": 422, "too many": 429}[bad]
            away.cloud.fault(
                "DELETE",
                path,
                "answer",
                times=30,
                status=status,
                body={"id": "x", "message": message},
                headers={"Retry-After": "1"},
            )
        lease = manager.release(lease, "served", "drained")
        for _ in range(300):
            if lease.state == "closed":
                break
            assert lease.state == "releasing"
            try:
                lease = manager.advance(lease)
            except Exception as error:  # noqa: BLE001
                assert type(error).__name__ == "CloudError"  # noqa: PT017
            clock.sleep(10)
        assert lease.state == "closed"
        assert away.cloud.live == []
        assert lease.cost_usd is not None
        assert lease.cost_usd >= away.cloud.billed_s() * 1.57 / 3600 - 0.01, (
            "what is billed until it is gone is in the ledger"
        )


def test_down_says_loudly_what_does_not_go(away: Rented, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from draftctl.cli import gpu as commands
    from draftctl.cli.main import app

    away.take()
    away.tick()
    away.cloud.live[0].dies_after = 10**6
    monkeypatch.setattr(commands, "DOWN_S", 2.0)
    for name, value in away.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        app(["--workspace", str(away.workspace.root), "gpu", "down"])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "ALARM" in said
    assert f"https://cloud.digitalocean.com/droplets/{away.cloud.live[0].id}" in said
    assert "$1.57 an hour" in said
    away.cloud.live[0].dies_after = 0
    away.ok("gpu", "down")


# -- 6. lists that lie -----------------------------------------------------------------------------------------------------------------------


def test_a_cloud_that_cannot_be_asked_is_an_alarm_and_never_a_second_create(away: Rented) -> None:
    away.take()
    away.tick()
    for status in (500, 403, 401):
        away.cloud.fault("GET", "/v2/droplets.*", "answer", times=40, status=status, body={"id": "x", "message": "no"})
        done = away.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
        assert done.returncode == 4, done
        assert "cannot be asked" in done.stderr or "not known" in done.stderr
        away.cloud.faults.clear()
    assert away.cloud.creates() == 1
    away.ok("gpu", "down")


# -- 7. no capacity, no right, no such size, no price -----------------------------------------------------------------------------------------


def refuse(away: Rented, said: str, *, status: int = 422, times: int = 1) -> None:
    away.cloud.fault(
        "POST",
        "/v2/droplets",
        "answer",
        times=times,
        status=status,
        body={"id": "unprocessable_entity", "message": said},
    )


def test_sold_out_here_is_taken_there(away: Rented) -> None:
    refuse(away, "Size is not available in this region.")
    with managing(away) as manager:
        lease = manager.begin(build(), ask(manager.desk.clock), OFFERS)
        assert (lease.size, lease.price_per_hour) == ("gpu-h100x1-80gb", 3.39)
        to_the_end(manager, manager.release(lease, "not_needed", "x"))


def test_sold_out_everywhere_waits_longer_each_time_and_opens_no_breaker(away: Rented) -> None:
    away.take()
    refuse(away, "Size is not available in this region.", times=99)
    done = away.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
    assert done.returncode == 0
    assert "None of the sizes can be had now" in done.stderr
    calls = away.cloud.creates()
    assert calls == 2
    process = away.workspace.start("draft", "--batch", "--gpu", "auto", "--engine", BUILD, **away.environment)
    time.sleep(1.5)
    process.terminate()
    process.communicate()
    assert away.cloud.creates() == calls, "it backs off"
    assert away.json("gpu", "status")["failed_starts"] == 0
    assert away.workspace.one("SELECT status FROM candidates") == "waiting"


def test_no_right_to_a_gpu_stops_with_a_sentence_and_after_three_the_breaker(away: Rented) -> None:
    away.take()
    for n in range(3):
        refuse(away, "Your account does not have access to GPU Droplets, contact support")
        done = away.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
        assert done.returncode == 0, done
        assert "ask for access" in done.stderr or n, done
        away.skip_back_off()
    calls = away.cloud.creates()
    done = away.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
    assert done.returncode == 4
    assert "3 starts in a row have failed" in done.stderr
    assert away.cloud.creates() == calls == 3
    again = away.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
    assert again.stderr == "", "said once"
    assert away.workspace.one("SELECT status FROM candidates") == "waiting"
    assert "failed at" in away.ok("gpu", "status")


def test_a_price_that_is_not_known_starts_nothing(away: Rented) -> None:
    away.cloud.prices = dict.fromkeys(away.cloud.prices, None)  # type: ignore[arg-type]
    away.take()
    done = away.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
    assert "not known" in done.stderr
    assert done.returncode == 4
    up = away.run("gpu", "up", "--engine", BUILD, "--yes")
    assert up.returncode == 1
    assert "does not say what it costs" in up.stderr
    assert away.cloud.creates() == 0
    away.cloud.violations.clear()  # the answer without a price is not DigitalOcean's


def test_a_spent_budget_holds_the_candidates_once_and_lets_them_go_again(away: Rented) -> None:
    away.write_settings(daily_budget_usd=0.01)
    away.take(2)
    done = away.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
    assert done.returncode == 0
    assert "budget" in done.stderr
    assert away.workspace.one("SELECT DISTINCT hold_reason FROM candidates") == "budget"
    away.tick()
    away.tick()
    assert away.workspace.one("SELECT count(*) FROM drafts") == 2, "not held anew every minute"
    assert away.workspace.one("SELECT sum(attempts) FROM candidates") == 0
    assert away.cloud.creates() == 0
    up = away.run("gpu", "up", "--engine", BUILD, "--yes")
    assert up.returncode == 2
    assert "more than the budget allows" in up.stderr
    away.write_settings(daily_budget_usd=20)
    away.tick()
    assert away.cloud.creates() == 1
    away.ok("gpu", "down")


def test_no_token_wrong_scopes_unknown_size(away: Rented) -> None:
    done = away.workspace.run("gpu", "up", "--engine", BUILD, "--yes")
    assert done.returncode == 2
    assert "There is no DigitalOcean token" in done.stderr
    away.cloud.denied = {("POST", "droplets")}
    done = away.run("gpu", "up", "--engine", BUILD, "--yes")
    assert done.returncode == 1
    assert "403" in done.stderr
    doctor = away.json("gpu", "doctor", code=1)
    assert [check["name"] for check in doctor["checks"] if not check["ok"]] == ["droplet:create"]
    away.cloud.denied.clear()
    away.cloud.violations.clear()  # the probes are meant to be refused
    away.workspace.commit(
        f"engines/{BUILD}.yaml", MANIFEST.replace("gpu-l40sx1-48gb", "gpu-none").replace("gpu-h100x1-80gb", "gpu-nope")
    )
    done = away.run("gpu", "up", "--engine", BUILD, "--yes")
    assert "not offered this size" in done.stderr
    assert away.cloud.live == []


def test_a_manifest_that_pins_nothing_rents_nothing(away: Rented) -> None:
    away.workspace.commit(f"engines/{BUILD}.yaml", "\n".join(MANIFEST.splitlines()[:3]) + "\n")
    done = away.run("gpu", "up", "--engine", BUILD, "--yes")
    assert done.returncode == 2
    for word in ("files", "serve.image", "droplet.image", "droplet.candidates"):
        assert word in done.stderr


# -- 8. a node that never gets ready ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["stuck new", "no address", "off", "vanished", "no ssh"])
def test_a_droplet_that_never_gets_ready_goes_by_the_deadline(away: Rented, kind: str) -> None:
    clock = Clock()
    with managing(away, clock) as manager:
        lease = manager.begin(build(), ask(clock), OFFERS)
        droplet = away.cloud.droplets[lease.droplet_id or 0]
        droplet.status = {"stuck new": "new", "off": "off"}.get(kind, "active")
        droplet.address = "" if kind == "no address" else "127.0.0.1"
        if kind == "vanished":
            droplet.destroyed = clock()
        for _ in range(20):
            clock.sleep(10)
            lease = manager.advance(lease)
            if lease.state == "closed":
                break
        if kind in ("off", "vanished"):
            assert (lease.state, lease.outcome) == ("closed", "failed")
        else:
            assert lease.state == "booting"
            lease = to_the_end(manager, manager.fail(lease, "it did not come up"))
            assert leases.failed_starts(manager.desk.connection)[0] == 1
    assert away.cloud.live == []
    away.cloud.violations.clear()  # an address of no length is not DigitalOcean's


SCRIPTS = {
    "wrong GPU": 'echo \'{"phase":"driver","status":"fail","seconds":1,"detail":"no L40S"}\' > "$STATE_DIR/phases.jsonl"; exit 1',
    "hash mismatch": 'echo \'{"phase":"verify","status":"fail","seconds":1,"detail":"not the bytes"}\' > "$STATE_DIR/phases.jsonl"; exit 1',
    "killed": "kill -9 $$",
    "exit 0 without ready": 'echo \'{"phase":"driver","status":"ok","seconds":1}\' > "$STATE_DIR/phases.jsonl"; exit 0',
    "garbage": 'head -c 100000 /dev/urandom > "$STATE_DIR/phases.jsonl"; exit 3',
    "no bash": "if then fi (",
}


@needs_sshd
@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_script_that_fails_or_breaks_its_contract_ends_in_a_destroyed_droplet(rented: Rented, kind: str) -> None:
    (rented.workspace.root / "scripts" / "provision.sh").write_text(SCRIPTS[kind])
    done = rented.run("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m")
    assert done.returncode == 1
    assert "provisioning failed" in done.stderr.lower()
    rented.check_clean()
    assert rented.workspace.one("SELECT outcome FROM gpu_leases") == "failed"
    assert rented.workspace.one("SELECT cost_usd > 0 FROM gpu_leases")
    assert [event["kind"] for event in rented.json("gpu", "logs")["events"]].count("log") == 1


@needs_sshd
def test_a_server_that_says_ready_and_completes_nothing_is_not_ready(rented: Rented) -> None:
    rented.write_settings(boot_timeout="6s")
    script = rented.workspace.root / "scripts" / "provision.sh"
    script.write_text(script.read_text().replace("nohup", "true"))
    done = rented.run("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m")
    assert done.returncode == 1
    assert "did not come up" in done.stderr
    rented.check_clean()


# -- 9. a node that dies in the middle ---------------------------------------------------------------------------------------------------------


@needs_sshd
def test_a_droplet_that_dies_in_the_middle_costs_no_candidate(rented: Rented) -> None:
    rented.ok("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m")
    rented.take(2, "before")
    rented.ok("draft", "--batch", "--engine", BUILD)
    rented.take(6)
    droplet = rented.cloud.live[0]
    droplet.destroyed = time.time()
    droplet.node.stop()
    rented.tick()
    assert rented.workspace.one("SELECT outcome FROM gpu_leases ORDER BY seq LIMIT 1") == "failed"
    for _ in range(10):
        if rented.tick()["gpu"]["state"] == "off":
            break
    assert rented.workspace.one("SELECT count(*) FROM drafts WHERE status = 'drafted'") == 8
    assert rented.workspace.one("SELECT count(*) FROM drafts WHERE hold_reason NOT IN ('engine_unavailable')") == 0
    rented.check_clean()


@needs_sshd
def test_a_dropped_connection_is_made_anew_and_rebuilds_nothing(rented: Rented) -> None:
    rented.ok("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m")
    rented.take(400)
    process = rented.workspace.start(
        "draft", "--batch", "--engine", BUILD, "--max-in-flight", "4", **rented.environment
    )
    while not rented.workspace.one("SELECT count(*) FROM drafts"):
        time.sleep(0.05)
    rented.cloud.live[0].node.sshd.drop_connections()
    assert process.poll() is None, "it was in the middle"
    assert rented.workspace.one("SELECT count(*) FROM drafts") < 400
    process.communicate(timeout=120)
    rented.tick()
    assert rented.workspace.one("SELECT count(*) FROM drafts WHERE status = 'drafted'") == 400
    assert rented.cloud.creates() == 1
    rented.ok("gpu", "down")
    rented.check_clean()


@needs_sshd
def test_the_wrong_host_sees_no_login_and_ends_the_start(rented: Rented) -> None:
    from draftctl.gpu.keys import new_key
    from tests.sshd import Sshd

    fakes = []

    def imposter(droplet: Any) -> Any:
        from tests.sshd import read_user_data

        keys = read_user_data(droplet.user_data)["ssh_authorized_keys"]
        fakes.append(
            Sshd(rented.tmp_path / "imposter", rented.ssh_port, host_private=new_key().private, authorized=keys)
        )
        return fakes[-1]

    rented.cloud.node = imposter
    done = rented.run("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m")
    assert done.returncode == 1
    assert "does not have the key" in done.stderr
    assert fakes[0].logins() == 0
    rented.check_clean()


@needs_sshd
@pytest.mark.parametrize("broken", ["notes", "script", "keys"])
def test_what_keeps_a_run_from_drafting_does_not_keep_its_droplet(rented: Rented, broken: str) -> None:
    """A broken file, a script or keys that are gone: the run says so, and the droplet goes all the same."""
    rented.ok("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m")
    rented.take(2)
    connection = open_database(rented.workspace.database)
    connection.execute("UPDATE gpu_leases SET held_until = NULL")
    connection.close()
    if broken == "notes":
        rented.workspace.commit("pastebin/notes.yaml", "notes: [")
    elif broken == "script":
        (rented.workspace.root / "scripts" / "provision.sh").unlink()
    else:
        shutil.rmtree(rented.workspace.database.parent / "gpu")
    done = rented.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
    assert done.returncode == (0 if broken == "script" else 2 if broken == "notes" else 1), done
    assert rented.workspace.one("SELECT count(*) FROM candidates") == 2
    rented.check_clean()


def test_a_lifetime_below_a_boot_opens_the_breaker(away: Rented) -> None:
    away.cloud.boot_s = 3600
    away.write_settings(max_lifetime="2s")
    away.take()
    for _ in range(8):
        away.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
        away.skip_back_off()
        time.sleep(0.7)
    assert away.cloud.creates() == 3
    assert "3 starts in a row have failed" in away.ok("gpu", "status")


def test_a_snapshots_old_report_is_no_report(rented: Rented) -> None:
    """A snapshot carries the state of the lease that it was taken from: the script runs all the same."""
    rented.state_dir.mkdir()
    (rented.state_dir / "exit").write_text("0\n")
    (rented.state_dir / "pid").write_text("1\n")
    (rented.state_dir / "lease").write_text("another\n")
    (rented.state_dir / "phases.jsonl").write_text('{"phase":"ready","status":"ok","seconds":1}\n')
    done = rented.run("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m")
    assert done.returncode == 0, done.stderr
    assert "driver: ok" in done.stderr
    rented.ok("gpu", "down")
    rented.check_clean()


def test_a_url_that_is_set_does_not_abandon_a_droplet(away: Rented) -> None:
    away.take()
    away.tick()
    assert len(away.cloud.live) == 1
    away.write_settings(max_lifetime="0s")
    done = away.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD, GPU_INFERENCE_URL="http://127.0.0.1:9")
    assert done.returncode == 4, done
    assert away.cloud.live == []


# -- 10. idle misjudged, and the small print ----------------------------------------------------------------------------------------------------


@needs_sshd
def test_pause_ends_the_droplet_and_starts_none(rented: Rented) -> None:
    rented.take()
    rented.workspace.ok("pause", "--reason", "holiday")
    rented.tick()
    assert rented.cloud.creates() == 0
    up = rented.run("gpu", "up", "--engine", BUILD, "--yes")
    assert up.returncode == 2
    rented.workspace.ok("resume", "--by", "Ana")
    rented.ok("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m")
    rented.workspace.ok("pause", "--reason", "holiday")
    assert rented.tick()["gpu"]["state"] == "ready", "held by a person's word"
    rented.ok("gpu", "down")
    rented.check_clean()


@needs_sshd
def test_down_is_heard_by_the_run_that_is_at_work(rented: Rented) -> None:
    rented.write_settings(idle_grace="10m", extend="10m")
    rented.take()
    process = rented.workspace.start("draft", "--batch", "--gpu", "auto", "--engine", BUILD, **rented.environment)
    while rented.json("gpu", "status")["state"] != "ready" or rented.json("gpu", "status")["backlog"]:
        time.sleep(0.2)
    assert process.poll() is None, "it stays beside its droplet"
    assert rented.json("gpu", "down")["state"] == "off"
    assert process.communicate(timeout=30)
    rented.check_clean()


@needs_sshd
def test_what_comes_in_while_it_stays_is_drafted_and_a_stop_needs_no_gpu(rented: Rented) -> None:
    from tests.conftest import line

    rented.workspace.ok("ingest", "-", stdin=line("s", "STOP"))
    done = rented.tick()
    assert done["holds"] == {"gate:opt_out": 1}
    assert rented.cloud.creates() == 0
    rented.write_settings(idle_grace="3s", extend="60s")
    rented.take(2, "a")
    late = threading.Timer(5.0, rented.take, (2, "b"))
    late.start()
    for _ in range(10):
        if rented.tick()["gpu"]["state"] == "off":
            break
    late.join()
    rented.check_clean()


def test_the_time_of_a_lease_started_by_hand_ends(away: Rented) -> None:
    clock = Clock()
    with managing(away, clock) as manager:
        asked = Asked(by="Ana", reason="by hand", expires_at=clock() + 600, held_until=clock() + 600)
        lease = manager.begin(build(), asked, OFFERS)
    assert lease.by_hand
    away.cloud.clock = time.time
    assert away.workspace.run("draft", "--batch", **away.environment).returncode == 0
    assert away.cloud.live == []


def test_begin_never_makes_a_second_one(away: Rented) -> None:
    with managing(away) as manager:
        lease = manager.begin(build(), ask(manager.desk.clock), OFFERS)
        with pytest.raises(NoDroplet):
            manager.begin(build(), ask(manager.desk.clock), OFFERS)
        to_the_end(manager, manager.release(lease, "not_needed", "x"))


def test_the_scripts_report_is_read_whatever_it_holds() -> None:
    assert (read_progress("").running, read_progress("").exit_code) == (False, None)
    bad = "none\nalive\n" + "\n".join(
        ['{"phase":"x"}', "[1]", "null", '{"phase":"ready","status":"ok"}', "{" * 100_000, ""]
    )
    state = read_progress(bad)
    assert (len(state.phases), len(state.strange), state.running, state.ready) == (1, 4, True, False)
    assert read_progress('0\ngone\n{"phase":"ready","status":"ok","seconds":true}').ready


@pytest.mark.parametrize(
    ("text", "number", "name"),
    [("4711", 4711, None), ('{"droplet_id": 5}', 5, None), ('{"id": 5, "name": "x"}', 5, "x"), ("draftctl-x", None, "draftctl-x"), ('{"a": 1}', None, None),
     ("", None, None), ("done, all well", None, None), ("true", None, None), ("[5]", None, None), ("1.5", None, None)],
)  # fmt: skip
def test_a_last_line_names_a_droplet_or_nothing(text: str, number: int | None, name: str | None) -> None:
    named = read_last_line(text)
    assert (named.droplet_id, named.name) == (number, name) if named else (number, name) == (None, None)


def test_not_adoptable_says_why() -> None:
    from draftctl.gpu.cloud import CloudDroplet

    made = CloudDroplet(id=7, name="x", status="active", created_at=100.0)
    assert not_adoptable(made, [], 100.0) is None
    assert "there before" in (not_adoptable(made, [7], 100.0) or "")
    assert "before we asked" in (not_adoptable(made, [], 200.0) or "")
    assert "no droplet" in (not_adoptable(None, [], 0.0) or "")
