"""SIGKILL in the middle of chains: nothing lost or twice, no committed step asked again, repeats at most what was in flight."""

import random
import signal
import time
from collections import Counter
from typing import Any

import pytest

from draftctl.models import PromptPart, prompt_hash
from tests.conftest import BUILD, Workspace, line
from tests.played_server import PlayedServer

IN_FLIGHT = 16


def storm(workspace: Workspace, *, chains: int, kills: int, seed: int) -> str:
    """Kill a batch of chains at random moments until it ends by itself; return what happened."""
    rng = random.Random(seed)
    lines = "".join(
        line(f"c{n}", f"hello, friday? number {n}", archetype="courteous", state="new") for n in range(chains)
    )
    workspace.ok("ingest", "-", stdin=lines)
    killed, committed_again, uncommitted, worst = 0, 0, 0, 0
    with PlayedServer(BUILD, latency_s=0.03) as server:
        while True:
            before = len(server.asked)
            known = committed_requests(workspace)
            process = workspace.start(
                "draft", "--batch", "--engine", BUILD, "--max-in-flight", str(IN_FLIGHT), GPU_INFERENCE_URL=server.url
            )
            if killed < kills:
                # Not on the clock but on the work: a run is killed after so many requests, at whatever it is doing then.
                left_to_ask = 3 * chains - len(known)
                goal = before + rng.randint(1, max(1, min(3 * chains // kills * 2, left_to_ask // 2)))
                while len(server.asked) < goal and process.poll() is None:
                    time.sleep(rng.random() * 0.004)
                time.sleep(rng.random() * 0.02)
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    killed += 1
            process.communicate()
            asked = [request_of(request) for request in server.asked[before:]]
            committed_again += sum(request in known for request in asked)
            if process.returncode == 0:
                break
            left = [request for request in asked if request not in committed_requests(workspace)]
            uncommitted += len(left)
            worst = max(worst, len(left))
        repeats = len(server.asked) - len({request_of(request) for request in server.asked})
    assert killed == kills
    assert committed_again == 0
    assert repeats <= uncommitted
    assert workspace.one("SELECT count(*) FROM candidates WHERE status = 'drafted'") == chains
    assert workspace.one("SELECT count(*) FROM drafts WHERE status = 'drafted'") == chains
    assert workspace.one("SELECT count(*) FROM checkpoints") == 0
    assert workspace.json("audit", "verify")["ok"] is True
    assert Counter(row["n"] for row in workspace.rows("SELECT n FROM draft_steps")) == {1: chains, 2: chains, 3: chains}
    return (
        f"chains killed {killed} times: {chains} drafted once each, 0 committed steps asked again, {repeats} of {3 * chains} requests "
        f"repeated; {worst} at most were open at a kill ({IN_FLIGHT} in flight)"
    )


def request_of(asked: dict[str, Any]) -> str:
    """Return a request's prompt hash, as the program records it."""
    settings = {key: value for key, value in asked.items() if key not in ("model", "messages")}
    return prompt_hash([PromptPart.of(m["role"], m["content"]) for m in asked["messages"]], settings)


def committed_requests(workspace: Workspace) -> set[str]:
    """Return every request whose answer is in the database: of drafts, and of chains that are not at their end."""
    query = "SELECT prompt_hash FROM draft_steps UNION SELECT prompt_hash FROM checkpoints"
    return {row["prompt_hash"] for row in workspace.rows(query)}


@pytest.mark.slow
def test_chains_killed_a_few_times(workspace: Workspace, record_property: Any) -> None:
    record_property("figure", storm(workspace, chains=60, kills=4, seed=3))


@pytest.mark.slow
def test_chains_killed_thirty_times(workspace: Workspace, record_property: Any) -> None:
    record_property("figure", storm(workspace, chains=300, kills=30, seed=11))
