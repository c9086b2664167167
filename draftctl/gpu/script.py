"""The provisioning script and what it needs, sent to the host and started there. Its contract: `gpu.node`, docs/gpu.md."""

import os
from collections.abc import Sequence

from draftctl.failpoints import reach
from draftctl.gpu import node
from draftctl.gpu.desk import Build, Desk
from draftctl.gpu.ssh import Ssh
from draftctl.models import sha256_text
from draftctl.store.leases import Lease

SCRIPT = "provision.sh"


def send_and_start(
    desk: Desk, lease: Lease, ssh: Ssh, place: str, build: Build | None = None, more: Sequence[tuple[str, str]] = ()
) -> None:
    """Send the script, the manifest, an adapter's files and the keys into `place`, and start the script detached."""
    build = build or desk.build_of(lease)
    manifest = build.manifest
    files = {SCRIPT: build.script, "manifest.json": build.manifest_json.encode()}
    files |= {f"adapter/{name}": content for name, content in build.adapter.items()}
    environment = [
        ("ENGINE_ID", build.engine_id),
        ("MODEL_REPO", manifest.base.repo),
        ("MODEL_REVISION", manifest.base.revision),
        ("MANIFEST", f"{place}/manifest.json"),
        ("VLLM_IMAGE", manifest.serve.image or ""),
        ("VLLM_PORT", str(desk.settings.remote_port)),
        ("VLLM_API_KEY_FILE", f"{place}/api.key"),
        ("STATE_DIR", place),
        ("MAX_LIFETIME_S", str(desk.settings.max_lifetime)),
        ("EXPIRES_AT", str(int(lease.since + desk.settings.max_lifetime))),
        *more,
    ]
    if os.environ.get("HF_ENDPOINT"):
        environment.append(("HF_ENDPOINT", os.environ["HF_ENDPOINT"]))
    if desk.hf_token:
        files["hf.header"] = f"Authorization: Bearer {desk.hf_token}\n".encode()
        environment.append(("HF_TOKEN_FILE", f"{place}/hf.header"))
    node.upload(ssh, place, files, api_key=desk.files(lease).api_key)
    reach("gpu.after_upload")
    node.start(ssh, place, SCRIPT, environment, lease=lease.id)
    desk.event(lease, "script_started", {"sha256": sha256_text(build.script.hex())})
    reach("gpu.after_start")
