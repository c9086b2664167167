"""What builds the adapters: for an engine id (template, a server, a droplet, one that is not there), and for where texts go."""

from typing import TYPE_CHECKING

from draftctl.errors import UsageError

if TYPE_CHECKING:
    from draftctl.engines.base import Engine
    from draftctl.manifest import Manifest
    from draftctl.outlets.base import Outlet
    from draftctl.service import MakeEngine
    from draftctl.settings import Settings


def engine_maker(settings: "Settings") -> "MakeEngine":
    """Return what builds the adapter for an engine id: the one place that knows them all."""
    from functools import partial

    return partial(_make_engine, settings)


def _make_engine(settings: "Settings", engine_id: str, manifest: "Manifest | None") -> "Engine":
    inference = settings.values.inference
    if manifest is not None and not inference.url:
        from draftctl.engines.absent import AbsentEngine

        return AbsentEngine(engine_id, "there is no server: GPU_INFERENCE_URL is not set, and no droplet is up")
    import os

    from draftctl.engines.endpoints import check_key
    from draftctl.tokens import secret

    key = secret(settings.database, "GPU_INFERENCE_API_KEY", os.environ)[0] if manifest else None
    return served_engine(settings, engine_id, manifest, inference.url or "", check_key(key))


def served_engine(
    settings: "Settings", engine_id: str, manifest: "Manifest | None", url: str, key: str | None
) -> "Engine":
    """Return the engine of a build that is served at an address; template needs none."""
    if manifest is None:
        from draftctl.engines.template import TemplateEngine

        return TemplateEngine()
    from draftctl.engines.chat import ChatEngine
    from draftctl.engines.endpoints import parse_endpoints

    inference = settings.values.inference
    return ChatEngine(
        engine_id,
        parse_endpoints(url, inference.allowed_hosts),
        api_key=key,
        tries=inference.tries,
        request_timeout_s=inference.request_timeout,
        connect_timeout_s=inference.connect_timeout,
        max_model_len=manifest.serve.max_model_len,
    )


def make_outlet(settings: "Settings", to: str | None) -> "Outlet":
    """Return where texts go: `to`, else what the environment or draftctl.yaml says. Raises UsageError for no place to send to."""
    from pathlib import Path
    from urllib.parse import urlsplit

    from draftctl.addresses import is_near

    where = to or settings.values.dispatch.to
    if not where:
        raise UsageError(
            "Nothing says where texts go.",
            hint="--to file:PATH, or MACSYNC_URL, or dispatch.to in draftctl.yaml.",
        )
    scheme, _, rest = where.partition(":")
    if scheme == "file" and rest:
        from draftctl.outlets.file import FileOutlet

        path = Path(rest) if to else settings.root / rest
        if path.resolve() == settings.database:
            raise UsageError(f"{path} is the database itself, so nothing was sent.", hint="Name a file for the texts.")
        return FileOutlet(path.absolute())
    try:
        host = urlsplit(where).hostname or ""
    except ValueError:
        host = ""
    if scheme not in ("http", "https") or not host:
        raise UsageError(
            f"{where!r} is no place to send to.",
            hint="--to file:PATH appends to a file; a URL gets a POST for each text.",
        )
    if urlsplit(where).username or urlsplit(where).password:
        raise UsageError(
            f"The URL of {host} has a name or a password in it, which would be kept and shown.",
            hint="Give the receiver an address without one.",
        )
    if scheme == "http" and not is_near(host):
        raise UsageError(
            f"http://{host} would send texts in the clear, so it is not used.", hint="Use https, or a private address."
        )
    import httpx

    from draftctl.outlets.http import HttpOutlet

    try:
        httpx.URL(where)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise UsageError(f"{where!r} is no URL.", hint="It reads like https://example.org/messages.") from error
    return HttpOutlet(where, timeout_s=settings.values.dispatch.timeout)
