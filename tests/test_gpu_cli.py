"""What a person sees and what scripts read: simulate, advise, audit, plan, status, pin, keys, cron, doctor; and no secret anywhere."""

import csv
import hashlib
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from draftctl.errors import UsageError
from draftctl.gpu.cloud import expiry_of
from draftctl.gpu.keys import LeaseFiles
from draftctl.manifest import WeightFile, parse_manifest
from draftctl.pin import Pinned, with_files
from draftctl.schedule import crontab_lines, merged, systemd_units, without
from tests.cloud_server import TOKEN
from tests.conftest import BUILD, MACHINE, Workspace, line
from tests.provisioned import REPO, REVISION, Hub
from tests.rented import MANIFEST, Rented
from tests.sshd import needs_sshd


def write_trace(path: Path, arrivals: list[float]) -> str:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["arrival_second"])
        writer.writerows([[at] for at in arrivals])
    return str(path)


# -- simulate, advise, audit ------------------------------------------------------------------------------------------------------------


def test_simulate_has_the_fields_that_scripts_read(workspace: Workspace, tmp_path: Path) -> None:
    trace = write_trace(tmp_path / "t.csv", [10.0, 20.0, 5000.0])
    value = workspace.json(
        "gpu", "simulate", "--trace", trace, "--max-wait", "30m", "--idle-grace", "0s", "--extend", "120s", "--tick", "60s", "--provision", "300s",
        "--service", "15s", "--slots", "16", "--price", "1.57",
    )  # fmt: skip
    assert value["messages"] == 3
    assert value["sessions"] == 2
    assert value["gpu_seconds"] == 630.0
    assert value["clairvoyant_cost_usd"] == value["cost_usd"] == pytest.approx(630 / 3600 * 1.57, abs=1e-5)
    assert value["ratio"] == 1.0
    assert value["wait_max_s"] <= 1800
    assert {"gpu_seconds", "wait_p50_s", "wait_p95_s", "late", "starts_per_day"} <= set(value)
    assert workspace.json("gpu", "simulate", "--trace", write_trace(tmp_path / "e.csv", []))["messages"] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [("time\n1\n", "no column arrival_second"), ("arrival_second\n1\nx\n", "t.csv:3: arrival_second is 'x'"), ("arrival_second\nnan\n", "t.csv:2"),
     ("arrival_second\n1e99\n", "t.csv:2"), ("", "no column"), ("arrival_second,b\n\n5\n", ""), ("\x00\xff", "no CSV")],
)  # fmt: skip
def test_a_bad_trace_is_told_with_its_line(workspace: Workspace, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    done = workspace.run("gpu", "simulate", "--trace", str(tmp_path / "t.csv"))
    assert done.returncode == (2 if words else 0), done
    assert words in done.stderr
    assert workspace.run("gpu", "simulate", "--trace", str(tmp_path / "none.csv")).returncode == 2
    assert (
        "duration" in workspace.run("gpu", "simulate", "--trace", str(tmp_path / "t.csv"), "--max-wait", "30").stderr
        or not words
    )


def test_advise_draws_the_curve_for_this_inbox(workspace: Workspace, tmp_path: Path) -> None:
    assert workspace.run("gpu", "advise").returncode == 2
    texts = [
        line(f"c{n}", received_at=f"2026-11-{n % 20 + 1:02d}T{n % 12 + 8:02d}:{n % 60:02d}:00+00:00")
        for n in range(120)
    ]
    workspace.ok("ingest", "-", stdin="".join(texts))
    page, drawing = tmp_path / "advice.html", tmp_path / "curve.svg"
    value = workspace.json("gpu", "advise", "--html", str(page), "--svg", str(drawing))
    assert value["messages"] == 120
    assert [choice["max_wait_s"] for choice in value["choices"]] == [0, 300, 900, 1800, 3600, 7200, 14400, 28800]
    costs = [choice["usd_per_month"] for choice in value["choices"]]
    assert costs[0] > costs[-1] > 0
    text = page.read_text()
    assert text.count("<tr") == 9
    assert "<svg" in text
    from xml.etree import ElementTree as ET

    assert ET.parse(drawing).getroot().tag.endswith("svg")
    assert "<- now" in workspace.ok("gpu", "advise")


@needs_sshd
@pytest.mark.slow
def test_audit_says_what_was_paid_beside_what_a_clairvoyant_would_have(rented: Rented) -> None:
    rented.take(4)
    for _ in range(10):
        if rented.tick()["gpu"]["state"] == "off":
            break
    value = rented.json("gpu", "audit")
    assert value["messages"] == 4
    assert value["leases"] == 1
    assert value["paid_usd"] > 0
    assert value["ratio"] is not None
    assert value["ratio"] > 0


# -- plan, status, up's question ----------------------------------------------------------------------------------------------------------


def test_plan_and_status_before_anything(rented: Rented) -> None:
    rented.take(2)
    status = rented.json("gpu", "status")
    assert (status["state"], status["lease"], status["backlog"]) == ("off", None, 2)
    assert {"oldest_wait_s", "spent_today_usd", "spent_month_usd"} <= set(status)
    plan = rented.json("gpu", "plan", "--engine", BUILD)
    assert plan["action"] == "create"
    assert [offer["price_per_hour"] for offer in plan["offers"]] == [1.57, 3.39]
    assert "No GPU is up" in rented.ok("gpu", "status")
    assert rented.cloud.creates() == 0


def test_up_asks_and_takes_no_for_an_answer(rented: Rented) -> None:
    done = rented.run("gpu", "up", "--engine", BUILD)
    assert done.returncode == 2
    assert "--yes" in done.stderr
    for words in ("$1.57 an hour", "at the latest", "costs at most $3.39", "$20.00 may still be spent"):
        assert words in done.stderr
    too_long = rented.run("gpu", "up", "--engine", BUILD, "--yes", "--for", "3h")
    assert too_long.returncode == 2
    assert "gpu.max_lifetime" in too_long.stderr
    assert rented.run("gpu", "up", "--engine", "template").returncode == 2
    assert rented.run("gpu", "hold").returncode == 2
    assert rented.run("gpu", "down").returncode == 0
    assert rented.run("draft", "--batch", "--gpu", "maybe").returncode == 2
    assert rented.cloud.creates() == 0


def test_an_owner_that_no_tag_can_hold(rented: Rented) -> None:
    rented.write_settings(owner='"quinn & co"')
    done = rented.run("gpu", "up", "--engine", BUILD, "--yes")
    assert done.returncode == 2
    assert "cannot stand in a droplet's tag" in done.stderr
    assert rented.cloud.creates() == 0


@needs_sshd
@pytest.mark.slow
def test_hold_moves_the_end_on_the_droplet_too(rented: Rented) -> None:
    rented.ok("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m")
    before = rented.json("gpu", "status")["expires_at"]
    rented.ok("gpu", "hold", "--for", "30m")
    after = rented.json("gpu", "status")
    assert after["expires_at"] > before
    tags = [tag for tag in rented.cloud.live[0].tags if "-exp-" in tag]
    assert (expiry_of(tags) or 0) > time.time() + 1700
    assert "gpu.max_lifetime ends it" in rented.ok("gpu", "hold", "--for", "9h")
    rented.ok("gpu", "down")
    rented.cloud.clock = lambda: time.time() + 9000
    rented.ok("gpu", "reap")  # what the earlier expiry has left
    rented.check_clean()


# -- no secret anywhere ---------------------------------------------------------------------------------------------------------------------


@needs_sshd
@pytest.mark.slow
def test_no_secret_in_any_file_argument_or_trace(rented: Rented, record_property: Any) -> None:
    """The token, the API key, the SSH key and the injected host key: looked for in everything that a rental leaves behind."""
    arguments: set[str] = set()

    def watch() -> None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                arguments.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue

    rented.take(2)
    process = rented.workspace.start("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m", **rented.environment)
    keys: dict[str, str] = {}
    while process.poll() is None:
        watch()
        for lease in (rented.workspace.database.parent / "gpu").glob("*"):
            files = LeaseFiles(rented.workspace.database, lease.name)
            try:
                keys = {"client": files.client_key.splitlines()[3], "api": files.api_key}
                assert stat.S_IMODE((lease / "api.key").stat().st_mode) == 0o600
                assert stat.S_IMODE((lease / "id_ed25519").stat().st_mode) == 0o600
            except (OSError, IndexError):
                continue
        time.sleep(0.02)
    out, err = process.communicate()
    assert process.returncode == 0, err
    rented.ok("draft", "--batch", "--engine", BUILD)
    user_data = rented.cloud.live[0].user_data
    injected = json.loads(user_data.removeprefix("#cloud-config\n"))["ssh_keys"]["ed25519_private"].splitlines()[3]
    node = rented.cloud.live[0].node
    assert injected not in node.sshd.host_key.read_text(), "rotated at the first login"
    assert TOKEN not in user_data
    assert keys["api"] not in user_data
    assert keys["client"] not in user_data
    lease_folder = next((rented.workspace.database.parent / "gpu").glob("*"))
    texts = {"stdout": out.decode(), "stderr": err.decode(), "arguments": "\n".join(arguments), "bodies": "\n".join(b for b in rented.cloud.bodies if "user_data" not in b)}  # fmt: skip
    for path in rented.workspace.root.rglob("*"):
        if path.is_file() and path.parent != lease_folder:
            texts[str(path)] = path.read_bytes().decode("latin-1")
    texts["events"] = rented.ok("gpu", "logs", "--json")
    for name, secret in {"token": TOKEN, "injected host key": injected, **keys}.items():
        found = [place for place, text in texts.items() if secret in text]
        assert found == [], (name, found)
    rented.ok("gpu", "down")
    assert not lease_folder.exists(), "unlinked with the lease"
    rented.check_clean()
    record_property(
        "figure", f"gpu: 4 secrets looked for in {len(texts)} files, streams and argument lists of a rental: 0 found"
    )


def test_no_token_in_a_traceback(rented: Rented) -> None:
    command = [sys.executable, "-m", "draftctl", "--debug", "gpu", "reap"]
    environment = {**MACHINE, "DIGITALOCEAN_TOKEN": TOKEN, "DIGITALOCEAN_END_POINT": "http://127.0.0.1:9/v2/"}
    done = subprocess.run(
        command, cwd=rented.workspace.root, capture_output=True, text=True, check=False, env=environment
    )
    assert "Traceback" in done.stderr
    assert TOKEN not in done.stderr


# -- keys, pin, cron -----------------------------------------------------------------------------------------------------------------------


def test_keys_are_kept_for_cron_and_shown_to_nobody(rented: Rented) -> None:
    rented.workspace.ok("keys", "set", "DIGITALOCEAN_TOKEN", stdin=TOKEN + "\n")
    path = rented.workspace.database.parent / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    listed = rented.workspace.ok("keys", "list")
    assert TOKEN not in listed
    assert str(path) in listed
    assert json.loads(
        rented.workspace.run("gpu", "plan", "--engine", BUILD, "--json", DIGITALOCEAN_END_POINT=rented.cloud.url).stdout
    )["offers"]
    checks = rented.workspace.run("doctor", "--as-cron", "--json", PATH=os.environ["PATH"])
    found = {check["name"]: check for check in json.loads(checks.stdout)["checks"]}
    assert found["gpu token"]["ok"]
    assert str(path) in found["gpu token"]["detail"]
    for bad in ("", "two words", "ö", "\x07"):
        assert rented.workspace.run("keys", "set", "HF_TOKEN", stdin=bad + "\n").returncode == 2
    assert rented.workspace.run("keys", "set", "OTHER", stdin="x\n").returncode == 2
    path.chmod(0o644)
    assert "can be read by others" in rented.workspace.run("gpu", "plan", "--engine", BUILD).stderr
    path.chmod(0o600)
    rented.workspace.ok("keys", "set", "DIGITALOCEAN_TOKEN", "--forget")
    assert TOKEN not in path.read_text()


def test_pin_writes_names_sizes_and_hashes_from_a_hub(workspace: Workspace, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    files = {"model-00001-of-00001.safetensors": b"w" * 5000, "config.json": b"{}", "tokenizer.json": b"[]", "README.md": b"x", "pytorch_model.bin": b"x",
             "modeling_x.py": b"evil"}  # fmt: skip
    workspace.commit(f"engines/{BUILD}.yaml", MANIFEST + "# kept\n")
    with Hub(files) as hub:
        said = workspace.ok("engine", "pin", f"{REPO}@main", HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path))
        assert "3 files" in said
        content = (workspace.root / "engines" / f"{BUILD}.yaml").read_bytes()
        manifest = parse_manifest(content, f"engines/{BUILD}.yaml")
        assert manifest.base.revision == REVISION
        assert {file.name: (file.bytes, file.sha256) for file in manifest.files} == {
            name: (len(files[name]), hashlib.sha256(files[name]).hexdigest()) for name in ("model-00001-of-00001.safetensors", "config.json", "tokenizer.json")
        }  # fmt: skip
        assert b"# kept" in content
        assert manifest.droplet.candidates
        missing = workspace.run("engine", "pin", "example/none@main", HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path))
        assert missing.returncode in (1, 2)
    unreachable = workspace.run("engine", "pin", f"{REPO}@main", HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path))
    assert unreachable.returncode == 1, unreachable


def test_pin_reads_a_folder(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"abc")
    done = workspace.run("engine", "pin", str(folder), "--engine", "do-gpu-new_2026-11-24.1")
    assert done.returncode == 2
    assert "--repo REPO@REV" in done.stderr
    workspace.ok("engine", "pin", str(folder), "--engine", "do-gpu-new_2026-11-24.1", "--repo", f"{REPO}@{REVISION}")
    path = "engines/do-gpu-new_2026-11-24.1.yaml"
    assert (
        parse_manifest((workspace.root / path).read_bytes(), path).files[0].sha256 == hashlib.sha256(b"abc").hexdigest()
    )
    (folder / "model.safetensors").unlink()
    assert (
        "no .safetensors"
        in workspace.run("engine", "pin", str(folder), "--engine", BUILD, "--repo", f"{REPO}@{REVISION}").stderr
    )


@pytest.mark.parametrize("text", [MANIFEST, MANIFEST.replace("\n", "\n# note\n"), f"id: {BUILD}\nfiles:\n  - {{name: a, bytes: 1, sha256: \"{'0' * 64}\"}}\n\n# end\nstatus: live\nbase:\n  repo: a/b\n  revision: \"{'1' * 40}\"\n"])  # fmt: skip
def test_a_pinned_manifest_keeps_the_rest_as_it_is_written(text: str) -> None:
    pinned = Pinned(repo="c/d", revision="2" * 40, files=(WeightFile(name="m.safetensors", bytes=5, sha256="3" * 64),))
    new = with_files(text, BUILD, pinned)
    manifest = parse_manifest(new.encode(), f"engines/{BUILD}.yaml")
    assert (manifest.base.repo, manifest.files) == ("c/d", pinned.files)
    assert manifest.status == "live"
    assert new.count("#") == text.count("#")
    assert with_files(new, BUILD, pinned) == new


def test_cron_lines_are_put_in_once_and_taken_out_whole() -> None:
    block = crontab_lines("/opt/x y/draftctl", "/home/q/100% mine", "ab")
    assert block[1].startswith(
        "* * * * * '/opt/x y/draftctl' --workspace '/home/q/100\\% mine' run --gpu auto > /dev/null"
    )
    mine = "MAILTO=q\n5 5 * * * true\n"
    once = merged(mine, block, "ab")
    assert merged(once, block, "ab") == once
    assert without(once, "ab") == mine
    assert without(mine, "ab") == mine
    units = systemd_units("/opt/draftctl", "/home/q/100% mine", "ab")
    assert '"/home/q/100%% mine"' in units["draftctl-ab-run.service"]
    assert "OnCalendar=" in units["draftctl-ab-reap.timer"]


def test_cron_install_leaves_other_lines_alone(workspace: Workspace, tmp_path: Path) -> None:
    stand_in = tmp_path / "bin" / "crontab"
    stand_in.parent.mkdir()
    store = tmp_path / "crontab.txt"
    stand_in.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ]; then cat {store} 2>/dev/null || {{ echo "no crontab for q" >&2; exit 1; }}; else cat > {store}; fi\n'
    )
    stand_in.chmod(0o755)
    path = f"{stand_in.parent}:{os.environ['PATH']}"
    workspace.ok("cron", "install", PATH=path)
    store.write_text("1 1 * * * other\n" + store.read_text())
    workspace.ok("cron", "install", PATH=path)
    assert store.read_text().count("gpu auto") == 1
    assert "other" in store.read_text()
    workspace.ok("cron", "install", "--remove", PATH=path)
    assert store.read_text() == "1 1 * * * other\n"
    stand_in.write_text("#!/bin/sh\necho broken >&2; exit 1\n")
    assert "left alone" in workspace.run("cron", "install", PATH=path).stderr
    shown = workspace.ok("cron", "show")
    for words in ("run --gpu auto", "watch", "gpu reap", "backup"):
        assert words in shown
    assert "[Timer]" in workspace.ok("cron", "show", "--systemd")


def test_a_heartbeat_says_start_success_and_failure(rented: Rented) -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/ping"
    path = rented.workspace.root / "draftctl.yaml"
    path.write_text(path.read_text() + f"heartbeat: {{draft: {url}, reap: {url}}}\n")
    rented.ok("gpu", "reap")
    rented.cloud.fault("GET", "/v2/droplets", "answer", times=99, status=403, body={"id": "forbidden", "message": "no"})
    rented.ok("gpu", "reap", code=1)
    rented.workspace.ok("draft", "--batch")
    server.shutdown()
    server.server_close()
    assert heard == ["/ping/start", "/ping", "/ping/start", "/ping/fail", "/ping/start", "/ping"]
    done = rented.workspace.run("draft", "--batch")
    assert done.returncode == 0
    assert "heartbeat could not be sent" in done.stderr


def test_the_defaults_are_legal() -> None:
    from draftctl.gpu.cloud import check_owner
    from draftctl.settings import Gpu

    assert check_owner(Gpu().owner)
    with pytest.raises(UsageError):
        check_owner("a.b")
