"""Where a server may be: loopback, a private address, or a host that the owner has listed. Pure.

Plain HTTP leaves the machine for private addresses only; a name is never looked up, so a listed name needs https.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from draftctl.addresses import is_near
from draftctl.errors import UsageError

_WHERE = "GPU_INFERENCE_URL (or inference.url in draftctl.yaml)"


def parse_endpoints(text: str, allowed_hosts: Sequence[str]) -> tuple[str, ...]:
    """Return the base URLs in a comma-separated list, each without a trailing `/v1`, each once.

    Raises UsageError for one that is not allowed, before anything is sent to any of them.
    """
    found = tuple(dict.fromkeys(_endpoint(part.strip(), allowed_hosts) for part in text.split(",") if part.strip()))
    if not found:
        raise UsageError(f"{_WHERE} names no endpoint.", hint="It reads like http://127.0.0.1:8000.")
    return found


def check_key(text: str | None) -> str | None:
    """Return the key that goes along, or None. Raises UsageError for one that cannot stand in a header."""
    key = (text or "").strip()
    if not key.isascii() or not key.isprintable():
        raise UsageError(
            "GPU_INFERENCE_API_KEY has characters in it that a key cannot have.",
            hint="Set it again, alone on its line.",
        )
    return key or None


def _endpoint(text: str, allowed_hosts: Sequence[str]) -> str:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise UsageError(f"{_WHERE}: {text!r} is no URL: {error}.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{_WHERE}: {text!r} is no http or https URL.", hint="It reads like http://127.0.0.1:8000.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"{_WHERE}: the URL of {host} has more in it than an address.",
            hint="A key belongs in GPU_INFERENCE_API_KEY.",
        )
    near = is_near(host)
    listed = host in {name.lower().rstrip(".") for name in allowed_hosts}
    if not (near or listed):
        raise UsageError(
            f"{host} is neither this machine, nor a private address, nor listed, so nothing is sent there.",
            hint="If it is yours, add it to inference.allowed_hosts in draftctl.yaml. Hosted models are never used.",
        )
    if parts.scheme == "http" and not near:
        raise UsageError(
            f"http://{host} would send conversations in the clear, so it is not used.",
            hint="Use https, or an SSH tunnel.",
        )
    shown = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{path}"
