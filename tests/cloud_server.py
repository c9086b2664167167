"""The far side of the wire: DigitalOcean's API on loopback, with a memory, and a script of what it does wrong.

Droplets become active after `boot_s`, can start a real sshd from their user_data, vanish, refuse to die, hide from lists. Every request
and every answer is checked against DigitalOcean's OpenAPI document, where that document is there; what does not fit is in `violations`.
"""

import functools
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

SPEC = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "do-openapi-droplets.yaml"
TOKEN = "dop_v1_" + "c0ffee" * 10
PRICES = {"gpu-l40sx1-48gb": 1.57, "gpu-h100x1-80gb": 3.39, "s-1vcpu-1gb": 0.00893}
REGIONS = {"gpu-l40sx1-48gb": ["tor1"], "gpu-h100x1-80gb": ["nyc2", "tor1"], "s-1vcpu-1gb": ["nyc2", "tor1"]}


@functools.cache
def openapi() -> Any:
    """Load DigitalOcean's document; None where it is not there."""
    if not SPEC.exists():
        return None
    import yaml
    from openapi_core import OpenAPI

    document = yaml.load(SPEC.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    document["servers"] = [{"url": "http://127.0.0.1"}]
    return OpenAPI.from_dict(document)


@dataclass
class FakeDroplet:
    id: int
    name: str
    size: str
    region: str
    image: Any
    tags: list[str]
    user_data: str
    created: float
    gpu: bool
    status: str = ""
    destroyed: float | None = None
    hidden_lists: int = 0
    dies_after: int = 0  # how many DELETEs it survives
    node: Any = None
    address: str = "127.0.0.1"


@dataclass
class Fault:
    """What is done to the next request that matches: `kind` says what, `times` how often."""

    method: str
    path: str
    kind: str
    times: int = 1
    status: int = 500
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class CloudServer:
    """The whole stand-in. `faults` are consumed in order; `node` starts what a droplet is."""

    def __init__(
        self, *, boot_s: float = 0.0, token: str = TOKEN, node: Callable[[FakeDroplet], Any] | None = None
    ) -> None:
        self.boot_s = boot_s
        self.token = token
        self.node = node
        self.droplets: dict[int, FakeDroplet] = {}
        self.tags: set[str] = set()
        self.firewalls: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[str] = []
        self.violations: list[str] = []
        self.tokens_seen: set[str] = set()
        self.prices = dict(PRICES)
        self.regions = {size: list(regions) for size, regions in REGIONS.items()}
        self.clock: Callable[[], float] = time.time
        self.most_live = 0
        self.dies_after = 0
        self.hide_lists = 0
        self.denied: set[tuple[str, str]] = set()  # (method, first path part) that the token may not do
        self.lock = threading.RLock()
        self._next = 1000

    # -- what tests ask -----------------------------------------------------------------------------------------------------------

    @property
    def live(self) -> list[FakeDroplet]:
        return [droplet for droplet in self.droplets.values() if droplet.destroyed is None]

    def creates(self) -> int:
        return sum(1 for method, path in self.requests if method == "POST" and path == "/v2/droplets")

    def add(
        self, name: str = "foreign", *, tags: list[str] | None = None, age_s: float = 0.0, gpu: bool = True
    ) -> FakeDroplet:
        """Put a droplet there that somebody else has made."""
        body = {
            "name": name,
            "size": "gpu-l40sx1-48gb" if gpu else "s-1vcpu-1gb",
            "region": "tor1",
            "image": "gpu-h100x1-base",
            "tags": tags or [],
        }
        return self._make(body, age_s=age_s)

    def fault(self, method: str, path: str, kind: str, **more: Any) -> None:
        self.faults.append(Fault(method, path, kind, **more))

    def billed_s(self) -> float:
        now = self.clock()
        return sum((d.destroyed or now) - d.created for d in self.droplets.values())

    # -- its life -------------------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None: ...
            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(timestamp or cloud.clock(), usegmt=True)

            def do_GET(self) -> None:
                cloud.handle(self)

            do_POST = do_DELETE = do_PUT = do_GET  # noqa: N815  (the names that http.server calls)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v2/"
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        for droplet in self.droplets.values():
            if droplet.node is not None:
                droplet.node.stop()

    # -- one request ----------------------------------------------------------------------------------------------------------------

    def handle(  # noqa: C901
        self, handler: BaseHTTPRequestHandler
    ) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        raw = handler.rfile.read(length).decode()
        parts = urlsplit(handler.path)
        method = str(handler.command)
        with self.lock:
            self.requests.append((method, parts.path))
            self.bodies.append(raw)
            bearer = (handler.headers.get("Authorization") or "").removeprefix("Bearer ")
            self.tokens_seen.add(bearer)
            self._check_request(method, handler.path, raw, bearer, handler.headers)
            fault = self._fault(method, parts.path)
            if fault is not None and fault.kind == "kill_before":
                os.kill(int(fault.seconds), signal.SIGKILL)
                return self._drop(handler)
            if fault is not None and fault.kind == "drop_before":
                return self._drop(handler)
            if fault is not None and fault.kind == "answer":
                return self._send(handler, fault.status, fault.body, fault.headers)
            if bearer != self.token:
                return self._send(handler, 401, {"id": "unauthorized", "message": "Unable to authenticate you"})
            if (method, parts.path.split("/")[2]) in self.denied:
                return self._send(
                    handler, 403, {"id": "forbidden", "message": "You are not authorized to perform this operation"}
                )
            status, body = self._answer(method, parts.path, parse_qs(parts.query), json.loads(raw) if raw else {})
            if fault is not None and fault.kind == "change":
                body = fault.body["change"](body)
        if fault is not None and fault.kind == "drop_after":
            return self._drop(handler)
        if fault is not None and fault.kind == "kill_after":
            os.kill(int(fault.seconds), signal.SIGKILL)
            return self._drop(handler)
        if fault is not None and fault.kind == "hang":
            time.sleep(fault.seconds)
        if fault is None:
            self._check_answer(method, handler.path, status, body)
        return self._send(handler, status, body)

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.method == method and re.fullmatch(fault.path, path) and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def _drop(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.connection.close()

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str] | None = None
    ) -> None:
        content = (
            b"" if status == 204 or body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(content)))
            for name, value in {"x-request-id": "req-1", "ratelimit-remaining": "4999", **(headers or {})}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(content)
        except OSError:
            pass

    # -- what it does -----------------------------------------------------------------------------------------------------------------

    def _answer(  # noqa: C901, PLR0912
        self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]
    ) -> tuple[int, Any]:
        parts = path.strip("/").split("/")[1:]
        match (method, *parts):
            case ("GET", "account"):
                return 200, {"account": _ACCOUNT}
            case ("GET", "sizes"):
                return 200, {
                    "sizes": [self._size(slug) for slug in self.prices],
                    **_links(),
                    "meta": {"total": len(self.prices)},
                }
            case ("GET", "droplets"):
                return self._list(query)
            case ("POST", "droplets"):
                if body.get("size") not in self.prices:
                    return 422, {
                        "id": "unprocessable_entity",
                        "message": "You specified an invalid size for Droplet creation.",
                    }
                made = self._make(body)
                return 202, {
                    "droplet": self._droplet(made),
                    "links": {"actions": [{"id": 1, "rel": "create", "href": f"{self.url}actions/1"}]},
                }
            case ("GET", "droplets", number):
                found = self._find(number)
                return (200, {"droplet": self._droplet(found)}) if found else (404, _NOT_FOUND)
            case ("DELETE", "droplets", number):
                return self._destroy(number)
            case ("GET", "tags"):
                tags = [self._tag(tag) for tag in sorted(self.tags)]
                return 200, {"tags": tags, **_links(), "meta": {"total": len(tags)}}
            case ("POST", "tags"):
                if not re.fullmatch(r"[a-zA-Z0-9_\-:]+", body["name"]):
                    return 422, {"id": "unprocessable_entity", "message": "Name contains invalid characters"}
                self.tags.add(body["name"])
                return 201, {"tag": self._tag(body["name"])}
            case ("POST", "tags", tag, "resources"):
                self.tags.add(tag)
                for resource in body["resources"]:
                    self.droplets[int(resource["resource_id"])].tags.append(tag)
                return 204, None
            case ("DELETE", "tags", tag):
                if tag not in self.tags:
                    return 404, _NOT_FOUND
                self.tags.discard(tag)
                for droplet in self.droplets.values():
                    droplet.tags = [name for name in droplet.tags if name != tag]
                return 204, None
            case ("GET", "firewalls"):
                return 200, {"firewalls": self.firewalls, **_links(), "meta": {"total": len(self.firewalls)}}
            case ("POST", "firewalls") if not body.get("name"):
                return 422, {"id": "unprocessable_entity", "message": "name is required"}
            case ("POST", "firewalls"):
                wall = {
                    "id": "bb4b2611-3d72-467b-8602-280330ecd65c",
                    "status": "waiting",
                    "created_at": _iso(self.clock()),
                    "droplet_ids": [],
                    "pending_changes": [],
                    **body,
                }
                self.firewalls.append(wall)
                return 202, {"firewall": wall}
            case _:
                return 404, _NOT_FOUND

    def _make(self, body: dict[str, Any], age_s: float = 0.0) -> FakeDroplet:
        self._next += 1
        made = FakeDroplet(
            id=self._next, name=body["name"], size=body["size"], region=body.get("region") or "tor1", image=body["image"],
            tags=list(body.get("tags") or []), user_data=body.get("user_data") or "", created=self.clock() - age_s,
            gpu=body["size"].startswith("gpu"), dies_after=self.dies_after, hidden_lists=self.hide_lists,
        )  # fmt: skip
        self.droplets[made.id] = made
        self.tags |= set(made.tags)
        self.most_live = max(self.most_live, sum(1 for d in self.live if "draftctl-owner-test-1" in d.tags))
        if self.node is not None and made.user_data:
            made.node = self.node(made)
        return made

    def _status(self, droplet: FakeDroplet) -> str:
        if droplet.status:
            return droplet.status
        return "active" if self.clock() >= droplet.created + self.boot_s else "new"

    def _find(self, number: str) -> FakeDroplet | None:
        found = self.droplets.get(int(number))
        return found if found is not None and found.destroyed is None else None

    def _list(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        tag, kind = query.get("tag_name", [None])[0], query.get("type", ["droplets"])[0]
        found = [d for d in self.live if (tag in d.tags if tag else d.gpu == (kind == "gpus"))]
        shown = []
        for droplet in found:
            if droplet.hidden_lists > 0:
                droplet.hidden_lists -= 1
            else:
                shown.append(droplet)
        per, page = int(query.get("per_page", ["20"])[0]), int(query.get("page", ["1"])[0])
        part = shown[(page - 1) * per : page * per]
        links: dict[str, Any] = {"links": {}}
        if page * per < len(shown):
            extra = f"tag_name={tag}" if tag else f"type={kind}"
            links = {"links": {"pages": {"next": f"{self.url}droplets?page={page + 1}&per_page={per}&{extra}"}}}
        return 200, {"droplets": [self._droplet(d) for d in part], **links, "meta": {"total": len(shown)}}

    def _destroy(self, number: str) -> tuple[int, Any]:
        found = self._find(number)
        if found is None:
            return 404, _NOT_FOUND
        if found.dies_after > 0:
            found.dies_after -= 1
            return 204, None
        found.destroyed = self.clock()
        if found.node is not None:
            found.node.stop()
        return 204, None

    def _tag(self, tag: str) -> dict[str, Any]:
        count = sum(1 for d in self.live if tag in d.tags)
        droplets = {"count": count}
        return {
            "name": tag,
            "resources": {
                "count": count,
                "droplets": droplets,
                "images": {"count": 0},
                "volumes": {"count": 0},
                "volume_snapshots": {"count": 0},
                "databases": {"count": 0},
            },
        }

    def _size(self, slug: str) -> dict[str, Any]:
        price = self.prices[slug]
        value = {"slug": slug, "memory": 65536, "vcpus": 8, "disk": 500, "transfer": 5.0, "price_monthly": round((price or 0) * 730, 2),
                 "regions": self.regions[slug], "available": True, "description": "GPU"}  # fmt: skip
        return value if price is None else {**value, "price_hourly": price}

    def _droplet(self, droplet: FakeDroplet) -> dict[str, Any]:
        active = self._status(droplet) != "new"
        v4 = (
            [{"ip_address": droplet.address, "netmask": "255.0.0.0", "gateway": "127.0.0.1", "type": "public"}]
            if active
            else []
        )
        return {
            "id": droplet.id, "name": droplet.name, "memory": 65536, "vcpus": 8, "disk": 500, "locked": False, "status": self._status(droplet),
            "kernel": None, "created_at": _iso(droplet.created), "features": [], "backup_ids": [], "next_backup_window": None, "snapshot_ids": [],
            "image": _IMAGE, "volume_ids": [], "size": self._size(droplet.size), "size_slug": droplet.size,
            "networks": {"v4": v4, "v6": []}, "region": {**_REGION, "slug": droplet.region}, "tags": droplet.tags, "vpc_uuid": "760e09ef-dc84-11e8-981e-3cfdfeaae000",
        }  # fmt: skip

    # -- DigitalOcean's own document ----------------------------------------------------------------------------------------------------

    def _check_request(self, method: str, target: str, raw: str, bearer: str, headers: Any) -> None:
        if openapi() is None or not bearer:
            return
        try:
            openapi().validate_request(_request(method, target, raw, headers))
        except Exception as error:  # noqa: BLE001
            self.violations.append(f"request {method} {target}: {_why(error)}")

    def _check_answer(self, method: str, target: str, status: int, body: Any) -> None:
        if openapi() is None or status >= 400:
            return
        from openapi_core.testing import MockResponse

        content = b"" if body is None else json.dumps(body).encode()
        try:
            openapi().validate_response(
                _request(method, target, "", {}),
                MockResponse(content, status_code=status, content_type="application/json"),
            )
        except Exception as error:  # noqa: BLE001
            self.violations.append(f"answer {method} {target} {status}: {_why(error)}")


def _request(method: str, target: str, raw: str, headers: Any) -> Any:
    from openapi_core.testing import MockRequest

    parts = urlsplit(target)
    args = {name: values[0] for name, values in parse_qs(parts.query).items()}
    kind = (headers.get("Content-Type") if headers else None) or "application/json"
    return MockRequest(
        "http://127.0.0.1",
        method.lower(),
        parts.path,
        args=args,
        headers={"Authorization": "Bearer x"},
        data=raw.encode() if raw else b"",
        content_type=kind,
    )


def _why(error: Exception) -> str:
    cause = error.__cause__ or error
    errors = getattr(cause, "schema_errors", None)
    return f"{error}: {list(errors)[:2] if errors else cause}"[:400]


def _iso(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _links() -> dict[str, Any]:
    return {"links": {}}


_NOT_FOUND = {"id": "not_found", "message": "The resource you requested could not be found."}
_ACCOUNT = {
    "droplet_limit": 25, "floating_ip_limit": 5, "email": "quinn@example.com", "name": "Q", "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef",
    "email_verified": True, "status": "active", "status_message": " ",
}  # fmt: skip
_IMAGE = {
    "id": 6918990, "name": "AI/ML Ready", "distribution": "Ubuntu", "slug": "gpu-h100x1-base", "public": True, "regions": ["tor1", "nyc2"],
    "created_at": "2025-06-01T00:00:00Z", "min_disk_size": 20, "type": "base", "size_gigabytes": 18.47, "tags": [], "status": "available", "description": "x", "error_message": "",
}  # fmt: skip
_REGION = {"name": "Toronto 1", "features": ["metadata"], "available": True, "sizes": ["gpu-l40sx1-48gb"]}
