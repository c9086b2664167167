"""The whole rental with nothing played but the cloud: a real sshd, the shipped provisioning script, a real vLLM behind the port forward."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import BUILD, Workspace
from tests.provisioned import IMAGE, REPO, REVISION, SCRIPT, STAND_INS, Hub
from tests.rented import Rented
from tests.sshd import needs_sshd

pytestmark = [pytest.mark.real, needs_sshd]
HERE = Path(__file__).parent
CPU = ["--dtype", "float32", "--enforce-eager", "--max-model-len", "2048", "--max-num-seqs", "32", "--block-size", "32"]


def real_parts() -> tuple[str, Path]:
    done = subprocess.run(["bash", str(HERE / "setup.sh")], capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    return found["VENV"], Path(found["MODEL"])


@pytest.fixture
def rental(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rented]:
    venv, model = real_parts()
    files = {path.name: path.read_bytes() for path in model.iterdir() if path.name != "ready"}
    with Hub(files) as hub:
        home = tmp_path / "sandbox"
        home.mkdir()
        stand_ins = {
            "PATH": f"{STAND_INS}:{os.environ['PATH']}", "SANDBOX_DIR": str(home), "UNIT_DIR": str(tmp_path / "units"), "SANDBOX_SERVER": "vllm",
            "SANDBOX_VLLM": f"{venv}/bin/vllm", "HF_ENDPOINT": hub.url, "VLLM_CPU_KVCACHE_SPACE": "1", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path),
        }  # fmt: skip
        monkeypatch.setenv("TEST_NODE_ENV", json.dumps(stand_ins))
        place = Rented(workspace, tmp_path)
        shutil.copy(SCRIPT, workspace.root / "scripts" / "provision.sh")
        place.stop_server = lambda: subprocess.run(["python3", str(STAND_INS / "systemctl"), "stop", "draftctl-vllm.service"], env={**os.environ, **stand_ins}, check=False)  # fmt: skip
        manifest = f'id: {BUILD}\nbase: {{repo: {REPO}, revision: "{REVISION}"}}\nstatus: live\n'
        manifest += f'serve: {{image: "{IMAGE}", args: {json.dumps(CPU)}}}\n'
        manifest += "droplet: {image: gpu-h100x1-base, candidates: [{size: gpu-l40sx1-48gb, region: tor1}]}\n"
        workspace.commit(f"engines/{BUILD}.yaml", manifest)
        workspace.ok("engine", "pin", f"{REPO}@{REVISION}", HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hf"))
        workspace.commit("note", "pinned")
        with place.cloud:
            yield place
        place.stop_server()


def test_up_a_batch_and_down_on_the_real_thing(rental: Rented) -> None:
    up = rental.run("gpu", "up", "--engine", BUILD, "--yes", "--for", "15m", "--json")
    assert up.returncode == 0, up.stderr
    assert json.loads(up.stdout)["state"] == "ready"
    for phase in ("driver", "runtime", "weights", "verify", "serve", "ready"):
        assert f"{phase}: ok" in up.stderr
    rental.take(8)
    done = rental.json("draft", "--batch", "--engine", BUILD)
    assert done["claimed"] == 8
    assert done["requests"] >= 8
    assert done["cached_tokens"] > 0
    assert rental.workspace.one("SELECT DISTINCT attested FROM drafts") == "weights"
    assert rental.json("gpu", "down")["state"] == "off"
    rental.stop_server()
    rental.check_clean()


def test_cron_alone_on_the_real_thing(rental: Rented) -> None:
    rental.take(4)
    for _ in range(60):
        done = rental.tick()
        if done["gpu"]["state"] == "off" and not rental.workspace.one(
            "SELECT count(*) FROM candidates WHERE status = 'waiting'"
        ):
            break
        time.sleep(2)
    assert rental.workspace.one("SELECT count(*) FROM drafts") == 4
    assert rental.workspace.one("SELECT count(*) FROM gpu_leases WHERE outcome = 'served'") == 1
    rental.stop_server()
    rental.check_clean()
