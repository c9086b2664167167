"""`provision_on: host`: the script runs on a host (a real sshd) and makes the droplet itself; only what is surely ours is taken over."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from draftctl.gpu.keys import new_key
from tests.cloud_server import TOKEN
from tests.conftest import BUILD, Workspace
from tests.rented import SCRIPT, Rented
from tests.sshd import Sshd, free_port, needs_sshd

pytestmark = [pytest.mark.slow, needs_sshd]
CREATE = """
python3 - "$DROPLET_NAME" "$DROPLET_TAGS" "$USER_DATA_FILE" CLOUD TOKEN <<'PY' > "$STATE_DIR/made"
import json, sys, urllib.request
name, tags, user_data, cloud, token = sys.argv[1:]
body = {"name": name, "size": "gpu-l40sx1-48gb", "region": "tor1", "image": "gpu-h100x1-base", "user_data": open(user_data).read(), "tags": tags.split(",")}
request = urllib.request.Request(cloud + "droplets", json.dumps(body).encode(), {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
print(json.load(urllib.request.urlopen(request))["droplet"]["id"])
PY
"""


@pytest.fixture
def hosted(workspace: Workspace, tmp_path: Path) -> Iterator[Rented]:
    host_key, login, port = new_key(), new_key(), free_port()
    identity = tmp_path / "id"
    identity.write_text(login.private)
    sshd = Sshd(tmp_path / "host", port, host_private=host_key.private, authorized=[login.public])
    place = Rented(
        workspace, tmp_path, provision_on="host", provision_host=f"root@127.0.0.1:{port}", provision_identity=str(identity),
        provision_host_key=f'"{host_key.public}"',
    )  # fmt: skip
    with place.cloud:
        yield place
        sshd.stop()


def script(place: Rented, last: str, *, create: bool = True) -> None:
    made = CREATE.replace("CLOUD", place.cloud.url).replace("TOKEN", TOKEN) if create else ""
    (place.workspace.root / "scripts" / "provision.sh").write_text(f"{SCRIPT}\n{made}\n{last}\n")


def up(place: Rented) -> tuple[int, str]:
    done = place.run("gpu", "up", "--engine", BUILD, "--yes", "--for", "10m")
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "last",
    ['cat "$STATE_DIR/made"', 'printf \'{"droplet_id": %s}\' "$(cat "$STATE_DIR/made")"', 'echo "$DROPLET_NAME"'],
)
def test_the_droplet_that_the_last_line_names_is_taken_over(hosted: Rented, last: str) -> None:
    script(hosted, last)
    code, said = up(hosted)
    assert code == 0, said
    hosted.take(3)
    assert hosted.json("draft", "--batch", "--engine", BUILD)["drafted"] == 3
    hosted.ok("gpu", "down")
    hosted.check_clean()


def test_a_droplet_that_was_there_before_is_an_alarm_and_nothing_is_deleted(hosted: Rented) -> None:
    theirs = hosted.cloud.add("theirs")
    script(hosted, f"echo {theirs.id}", create=False)
    code, said = up(hosted)
    assert code == 1
    assert "ALARM" in said
    assert "was there before" in said
    assert [droplet.id for droplet in hosted.cloud.live] == [theirs.id]
    assert theirs.tags == []


@pytest.mark.parametrize(
    ("last", "words"),
    [("echo all went well", "names no droplet"), ("echo 4711", "names no droplet"), ("exit 7", "failed in the script ended with exit code 7"), ("", "names no droplet")],
)  # fmt: skip
def test_anything_else_is_an_alarm_and_nothing_is_deleted(hosted: Rented, last: str, words: str) -> None:
    script(hosted, last)
    code, said = up(hosted)
    assert code == 1
    assert "ALARM" in said
    assert words in said, said
    assert len(hosted.cloud.live) == 1, "it was made, and nobody said that it is ours"
    assert "DELETE" not in {method for method, path in hosted.cloud.requests if "droplets" in path}
    assert hosted.workspace.one("SELECT outcome FROM gpu_leases") == "alarm"
    hosted.take()
    again = hosted.run("draft", "--batch", "--gpu", "auto", "--engine", BUILD)
    assert "a start has ended in an alarm" in again.stderr, "nothing more until a person starts"
    assert len(hosted.cloud.live) == 1


def test_a_host_that_cannot_be_used(hosted: Rented) -> None:
    hosted.write_settings(provision_host_key=f'"{new_key().public}"')
    script(hosted, "true")
    code, said = up(hosted)
    assert code == 1
    assert "does not have the key" in said
    hosted.write_settings(provision_host='""')
    code, said = up(hosted)
    assert code == 2
    assert "gpu.provision_host" in said
    assert hosted.json("gpu", "status")["state"] == "off", "nothing is left open"
    assert hosted.cloud.live == []


def test_cron_does_it_too(hosted: Rented) -> None:
    script(hosted, 'cat "$STATE_DIR/made"')
    hosted.take(2)
    for _ in range(20):
        if hosted.tick()["gpu"]["state"] == "off" and not hosted.cloud.live:
            break
        time.sleep(0.5)
    assert hosted.workspace.one("SELECT count(*) FROM drafts WHERE status = 'drafted'") == 2
    hosted.check_clean()
