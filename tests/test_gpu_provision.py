"""The provisioning script, run for real in a sandbox: every phase, twice, resumed, and what makes each phase fail."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import BUILD
from tests.provisioned import REVISION, SCRIPT, Hub, Sandbox

pytestmark = pytest.mark.slow
FILES = {"model.safetensors": os.urandom(300_000), "config.json": b"{}", "tokenizer.json": b'{"a": 1}'}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Hub(dict(FILES)) as hub:
        place = Sandbox(tmp_path, hub)
        yield place
        place.stop()


def statuses(sandbox: Sandbox) -> list[tuple[str, str]]:
    return [(line["phase"], line["status"]) for line in sandbox.phases()]


def test_shellcheck_is_content() -> None:
    own = Path(sys.executable).with_name("shellcheck")  # the environment's, whatever is on the PATH
    done = subprocess.run([str(own), str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_all_phases_then_ready_and_a_second_run_does_no_harm(sandbox: Sandbox) -> None:
    done = sandbox.run()
    assert done.returncode == 0, done.stderr
    names = ["driver", "runtime", "weights", "verify", "serve", "ready"]
    assert statuses(sandbox) == [(name, status) for name in names for status in ("start", "ok")]
    assert all(line["seconds"] >= 0 for line in sandbox.phases())
    models = httpx.get(f"http://127.0.0.1:{sandbox.port}/v1/models", headers={"Authorization": "Bearer sk-sandbox-1"})
    assert models.json()["data"][0]["id"] == BUILD
    assert httpx.get(f"http://127.0.0.1:{sandbox.port}/v1/models").status_code == 401
    asked = len(sandbox.hub.asked)
    again = sandbox.run()
    assert again.returncode == 0, again.stderr
    assert len(sandbox.hub.asked) == asked, "nothing is fetched twice"
    assert (sandbox.home / "restarts").read_text() == "x", "a server that runs is left alone"
    assert statuses(sandbox)[12:] == statuses(sandbox)[:12]


def test_what_is_served_and_how(sandbox: Sandbox) -> None:
    assert sandbox.run().returncode == 0
    unit = (sandbox.units / "draftctl-vllm.service").read_text()
    for words in ('"--host" "127.0.0.1"', f'"--served-model-name" "{BUILD}"', '"--enable-prefix-caching"', '"--enable-prompt-tokens-details"',
                  '"--max-num-queued-reqs"', "disable_any_whitespace", '"--max-model-len" "8192"', "Restart=on-failure", "RuntimeMaxSec="):  # fmt: skip
        assert words in unit, words
    assert "sk-sandbox-1" not in unit, "the key stands in a root-only file"
    assert (sandbox.state / "vllm.env").stat().st_mode & 0o077 == 0
    log = (sandbox.home / "docker.log").read_text()
    assert "sk-sandbox-1" not in log
    assert "HF_HUB_OFFLINE=1" in (sandbox.state / "vllm.env").read_text()


def test_a_download_that_breaks_off_goes_on_where_it_was(sandbox: Sandbox) -> None:
    sandbox.hub.cut_after = 100_000
    done = sandbox.run()
    assert done.returncode == 0, done.stderr
    assert ("model.safetensors", "bytes=100000-") in sandbox.hub.asked


def test_other_bytes_are_refused_and_fetched_anew(sandbox: Sandbox) -> None:
    good = sandbox.hub.files["model.safetensors"]
    sandbox.hub.files["model.safetensors"] = b"x" + good[1:]
    done = sandbox.run()
    assert done.returncode == 1
    assert statuses(sandbox)[-1] == ("verify", "fail")
    assert "not the bytes that the manifest pins: model.safetensors" in sandbox.phases()[-1]["detail"]
    assert not (sandbox.home / "restarts").exists(), "nothing is served"
    sandbox.hub.files["model.safetensors"] = good
    assert sandbox.run().returncode == 0


def test_a_file_that_nobody_pinned_is_refused(sandbox: Sandbox) -> None:
    stray = sandbox.state / "models" / REVISION / "modeling_evil.py"
    stray.parent.mkdir(parents=True)
    stray.write_text("import os")
    assert sandbox.run().returncode == 1
    assert "modeling_evil.py" in sandbox.phases()[-1]["detail"]


@pytest.mark.parametrize(
    ("changed", "phase", "words"),
    [
        ({"MODEL_REVISION": "main"}, "driver", "40-hex"),
        ({"SANDBOX_GPU": "NVIDIA RTX, 0"}, "driver", "has less"),
        ({"VLLM_IMAGE": "vllm/vllm-openai:latest"}, "runtime", "not pinned by digest"),
        ({"VLLM_IMAGE": "", "VLLM_VENV": "/nowhere"}, "runtime", "no /nowhere/bin/vllm"),
        ({"PLAYED_VERSION": "0.31.2"}, "ready", "known holes"),
    ],
)
def test_what_makes_a_phase_fail(sandbox: Sandbox, changed: dict[str, str], phase: str, words: str) -> None:
    done = sandbox.run(**changed)
    assert done.returncode == 1
    assert statuses(sandbox)[-1] == (phase, "fail")
    assert words in sandbox.phases()[-1]["detail"], sandbox.phases()[-1]


@pytest.mark.parametrize(
    "flag",
    [
        "--host=0.0.0.0",
        "--trust-remote-code",
        "--api-key=x",
        "--served-model-name",
        "--trust_remote_code",
        "--trust-remote",
        "--served_model",
        "--config=x",
    ],
)
def test_flags_that_are_not_the_manifests_to_set(sandbox: Sandbox, flag: str) -> None:
    place = Sandbox(sandbox.home.parent / "other", sandbox.hub, args=[flag])
    assert place.run().returncode == 1
    assert "not the manifest's to set" in place.phases()[-1]["detail"]


def test_an_adapter_bears_the_engine_id(sandbox: Sandbox) -> None:
    weights = b"lora"
    digest = hashlib.sha256(weights).hexdigest()
    place = Sandbox(sandbox.home.parent / "lora", sandbox.hub, adapter={"path": "adapters/x", "sha256": digest})
    folder = place.state / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(weights)
    (folder / "adapter_config.json").write_text('{"r": 32}')
    done = place.run()
    assert done.returncode == 0, done.stderr
    unit = (place.units / "draftctl-vllm.service").read_text()
    assert f'"{BUILD}-base"' in unit
    assert f'"--lora-modules" "{BUILD}=/adapter"' in unit
    assert '"--max-lora-rank" "32"' in unit
    (folder / "adapter_model.safetensors").write_bytes(b"evil")
    assert place.run().returncode == 1
    assert "adapter is not the one" in place.phases()[-1]["detail"]
    place.stop()


def test_a_hub_token_goes_along_and_is_thrown_away(sandbox: Sandbox) -> None:
    token = sandbox.state / "hf.header"
    token.write_text("Authorization: Bearer hf_secret\n")
    done = sandbox.run(HF_TOKEN_FILE=str(token))
    assert done.returncode == 0
    assert "Bearer hf_secret" in sandbox.hub.tokens
    assert not token.exists()
    assert "hf_secret" not in done.stderr + done.stdout


def test_hashing_that_dies_verifies_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    killed = tmp_path / "killed" / "sha256sum"
    killed.parent.mkdir()
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    done = sandbox.run(PATH=f"{killed.parent}:{sandbox.stand_ins['PATH']}")
    assert done.returncode == 1
    assert sandbox.phases()[-1]["phase"] == "verify"
    assert not (sandbox.home / "restarts").exists()


def test_names_that_leave_the_folder_are_refused(sandbox: Sandbox) -> None:
    files: Any = [{"name": "../../etc/x.safetensors", "bytes": 1, "sha256": "00" * 32}]
    place = Sandbox(sandbox.home.parent / "names", sandbox.hub, files=files)
    assert place.run().returncode == 1
    assert place.phases()[-1]["status"] == "fail"
