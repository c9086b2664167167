"""What the commands that rent a GPU start from: the token, the build, the lease's manager. The one place that builds those adapters."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from draftctl.cli.context import narrate
from draftctl.errors import UsageError

if TYPE_CHECKING:
    import sqlite3

    from draftctl.gpu.desk import Build
    from draftctl.gpu.digitalocean import DigitalOcean
    from draftctl.gpu.manager import Manager
    from draftctl.manifest import Manifest
    from draftctl.settings import Settings
    from draftctl.store.leases import Lease

LOCK = "gpu.lock"


def open_cloud(settings: "Settings") -> "DigitalOcean":
    """Return the account. Raises UsageError when there is no token."""
    from draftctl.gpu.digitalocean import DigitalOcean
    from draftctl.tokens import secret

    token, where = secret(settings.database, "DIGITALOCEAN_TOKEN", os.environ)
    if token is None:
        raise UsageError(
            f"There is no DigitalOcean token: {where}.",
            hint="`draftctl keys set DIGITALOCEAN_TOKEN`; docs/gpu.md says which scopes it needs.",
        )
    return DigitalOcean(token, os.environ.get("DIGITALOCEAN_END_POINT"))


@contextmanager
def managing(settings: "Settings", command: str, say: Callable[[str], None] | None = None) -> Iterator["Manager"]:
    """Hold the GPU lock and hand out the manager, which tells `say` what happens. Raises LockHeld when somebody else does."""
    from draftctl.gpu.desk import Desk
    from draftctl.gpu.manager import Manager
    from draftctl.store.db import open_database, run_lock, store_errors
    from draftctl.tokens import secret

    path = settings.database
    cloud = open_cloud(settings)
    connection = open_database(path)
    try:
        with store_errors(path), run_lock(path, command, suffix=LOCK):
            desk = Desk(
                connection,
                path,
                settings.values.gpu,
                cloud,
                lambda lease: build_of(settings, connection, lease),
                say=say or (lambda _text: None),
                warn=narrate,
                hf_token=secret(path, "HF_TOKEN", os.environ)[0],
            )
            try:
                yield Manager(desk)
            finally:
                desk.unlink()
    finally:
        connection.close()


def load_build(settings: "Settings", engine_id: str, *, allow_dirty: bool = False) -> "Build":
    """Read what a build is served from. Raises UsageError that names everything which the manifest lacks."""
    from draftctl.service import load_manifest
    from draftctl.workspace import take_snapshot

    manifest = load_manifest(take_snapshot(settings.root, working_tree=allow_dirty), engine_id)
    if manifest is None:
        raise UsageError("The template engine needs no GPU.")
    on_host = settings.values.gpu.provision_on == "host"
    lacking = [
        what
        for there, what in (
            (manifest.files, "files (names, sizes and hashes: `draftctl engine pin` writes them)"),
            (manifest.serve.image, "serve.image (vllm/vllm-openai@sha256:...)"),
            (manifest.droplet.image, "droplet.image"),
            (manifest.droplet.candidates, "droplet.candidates"),
        )
        if not there
    ]
    if on_host:  # the host's script has its own ways; what it will cost must be known all the same
        lacking = [] if manifest.droplet.candidates else lacking[-1:]
    if lacking:
        raise UsageError(
            f"engines/{engine_id}.yaml lacks what a GPU is rented for: {'; '.join(lacking)}.",
            hint="Add it and commit. Nothing was rented.",
        )
    return _build(settings, engine_id, manifest)


def _build(settings: "Settings", engine_id: str, manifest: "Manifest") -> "Build":
    from draftctl.gpu.desk import Build

    return Build(
        engine_id=engine_id, manifest=manifest, script=_script(settings), adapter=_adapter(settings.root, manifest)
    )


def build_of(settings: "Settings", connection: "sqlite3.Connection", lease: "Lease") -> "Build":
    """Return what a lease was made for: the manifest as it was then."""
    from draftctl.manifest import Manifest

    row = connection.execute("SELECT content FROM blobs WHERE sha256 = ?", (lease.manifest_sha256,)).fetchone()
    return _build(settings, lease.engine_id, Manifest.model_validate_json(row["content"]))


def _script(settings: "Settings") -> bytes:
    """Return the provisioning script: the workspace's own, else (for the default one) the one that came with draftctl."""
    from draftctl.settings import Gpu
    from draftctl.starter import starter_folder

    wanted, ours = settings.values.gpu.provision_script, Gpu().provision_script
    places = [settings.root / Path(wanted).expanduser(), *([starter_folder() / ours] if wanted == ours else [])]
    for place in places:
        if place.is_file():
            return place.read_bytes()
    raise UsageError(f"gpu.provision_script: there is no {places[0]}.")


def _adapter(root: Path, manifest: "Manifest") -> dict[str, bytes]:
    if manifest.adapter is None or manifest.adapter.path is None:
        return {}
    folder = root / manifest.adapter.path
    if not folder.is_dir():
        raise UsageError(f"The adapter's folder {folder} is not there.")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
