"""One export, as it is, into the trainers that people use: every row arrives, and three real steps are made on each."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BUILD, Workspace
from tests.corrected import SALT, draft_chains, inbound, judge
from tests.played_server import PlayedServer

pytestmark = pytest.mark.trainers
HERE = Path(__file__).parent
FORMATS = ("sft", "dpo", "kto", "openai", "llamafactory", "axolotl")
COUNT = 40


@pytest.fixture(scope="module")
def python() -> str:
    done = subprocess.run(["bash", str(HERE / "setup.sh")], check=True, capture_output=True, text=True)
    return done.stdout.split("VENV=")[1].strip() + "/bin/python"


def test_every_row_arrives_in_every_trainer(workspace: Workspace, python: str, tmp_path: Path) -> None:
    with PlayedServer(BUILD) as server:
        draft_chains(workspace, "".join(inbound(n) for n in range(COUNT)), server)
    edits = ("me", " hey you, friday it is", "A line.\n\nAnd another: “Friday”, ok? 😊", "Friday suits me. When?")
    verdicts = [
        (
            f"c{n}",
            ("approved", "edited", "edited", "rejected")[n % 4],
            f"{edits[n % 4]} {n}" if n % 4 in (1, 2) else None,
        )
        for n in range(COUNT)
    ]
    judge(workspace, *verdicts)
    folder = tmp_path / "exports"
    manifests = {name: _export(workspace, name, folder) for name in FORMATS}
    for name, manifest in manifests.items():
        assert manifest["splits"]["test"] > 0, name
        assert manifest["counts"]["input"] == COUNT
        assert manifest["counts"]["kept"] + sum(manifest["dropped"].values()) == COUNT
    assert manifests["dpo"]["counts"]["rows"] == COUNT // 2
    assert manifests["kto"]["counts"]["rows"] == COUNT // 4 + COUNT // 2 * 2 + COUNT // 4

    done = subprocess.run(
        [python, str(HERE / "train.py"), str(folder)], capture_output=True, text=True, check=False, timeout=540
    )
    assert "RESULT " in done.stdout, done.stderr[-3000:]
    found = json.loads(done.stdout.split("RESULT ")[1])
    for name in ("sft", "dpo", "kto"):
        seen = found["trl"][name]
        assert seen["rows"] == seen["after"] == manifests[name]["splits"]["train"], (name, seen)
        assert seen["test"] == manifests[name]["splits"]["test"]
        assert seen["steps"] == 3
        assert seen["loss"] > 0
    replies = found["trl"]["sft"]["replies"]
    assert all(
        label.removesuffix("\n").removesuffix("<|im_end|>") in replies for label in found["trl"]["sft"]["labels"]
    )
    assert all("<|im_end|>" in label for label in found["trl"]["sft"]["labels"])
    assert found["llamafactory"] == {
        "rows": manifests["llamafactory"]["splits"]["train"],
        "after": manifests["llamafactory"]["splits"]["train"],
        "mask_history": True,
    }
    axolotl = found["axolotl"]
    assert axolotl["rows"] == axolotl["after"] == manifests["axolotl"]["splits"]["train"]
    assert [text.removesuffix("\n").removesuffix("<|im_end|>") for text in axolotl["trained"]] == axolotl["replies"]
    assert axolotl["dpo_rows"] == axolotl["dpo_after"] == manifests["dpo"]["splits"]["train"]

    _check_the_tokenizer(workspace, folder, manifests["sft"])


def _check_the_tokenizer(workspace: Workspace, folder: Path, sft: dict[str, Any]) -> None:
    tokens = str(folder / "tokenizer")
    measured = _export(workspace, "sft", folder, "--tokenizer", tokens, to="measured")
    assert measured["splits"] == sft["splits"]
    assert measured["max_length"] < sft["max_length"]
    assert measured["tokenizer"]["problem"] == ""
    short = _export(workspace, "sft", folder, "--tokenizer", tokens, "--max-length", "10", to="short")
    assert short["dropped"]["too_long"] == sft["counts"]["kept"]
    exact = _export(workspace, "sft", folder, "--tokenizer", tokens, "--allow-raw", to="exact")
    assert exact["counts"] == sft["counts"]
    assert exact["tokenizer"]["serving_equals_training"] is True


def _export(workspace: Workspace, name: str, folder: Path, *more: str, to: str = "") -> dict[str, Any]:
    out = str(folder / (to or name))
    asked = (
        "export-corrections",
        "--engine",
        BUILD,
        "--format",
        name,
        "--out",
        out,
        "--salt",
        SALT,
        "--test-share",
        "0.2",
    )
    value: dict[str, Any] = workspace.json(*asked, *more)
    return value
