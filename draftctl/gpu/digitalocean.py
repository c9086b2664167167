"""DigitalOcean, through python-digitalocean on our own transport."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import digitalocean
import digitalocean.baseapi

from draftctl.gpu.cloud import TAG, CloudDroplet, CloudError, CloudSize, Wanted, owner_tag
from draftctl.gpu.transport import Transport

END_POINT = "https://api.digitalocean.com/v2/"
_GONE_SOON = "already in progress"
_UNPROCESSABLE, _CONFLICT, _NOT_FOUND = 422, 409, 404


class DigitalOcean:
    """The account that a token opens."""

    def __init__(self, token: str, end_point: str | None = None, *, transport: Transport | None = None) -> None:
        address = (end_point or END_POINT).rstrip("/") + "/"
        self._transport = transport or Transport(address)
        # The library looks its transport up in its own module, and takes its address from the object it is asked through.
        digitalocean.baseapi.requests = self._transport
        self._api = digitalocean.Manager(token=token, end_point=address)

    @property
    def time(self) -> float | None:
        """Return the cloud's time as of its last answer."""
        return self._transport.date

    def create(self, wanted: Wanted) -> CloudDroplet:
        """Make a droplet."""
        body = {
            "name": wanted.name,
            "size": wanted.size,
            "region": wanted.region,
            "image": int(wanted.image) if wanted.image.isdigit() else wanted.image,
            "tags": list(wanted.tags),
            "user_data": wanted.user_data,
            "ipv6": False,
            "backups": False,
            "monitoring": False,
            "with_droplet_agent": False,
        }
        answer = self._call("droplets", "POST", body)
        try:
            return _droplet(_part(answer, "droplet", dict))
        except CloudError as error:
            raise CloudError(
                "The answer to the create call is no droplet; it may have been made all the same.", unknown_outcome=True
            ) from error

    def get(self, droplet_id: int) -> CloudDroplet | None:
        """Return a droplet; None when there is none."""
        try:
            return _droplet(_part(self._call(f"droplets/{int(droplet_id)}"), "droplet", dict))
        except CloudError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def list_tagged(self, tag: str) -> list[CloudDroplet]:
        """Return every droplet with a tag."""
        return self._droplets({"tag_name": tag})

    def list_all(self) -> list[CloudDroplet]:
        """Return every droplet; the plain list leaves GPU droplets out, so they are asked for too."""
        return [*self._droplets({"type": "gpus"}), *self._droplets({"type": "droplets"})]

    def destroy(self, droplet_id: int) -> None:
        """Ask for a droplet to be destroyed."""
        try:
            self._call(f"droplets/{int(droplet_id)}", "DELETE")
        except CloudError as error:
            if error.status == _NOT_FOUND or _GONE_SOON in error.said:
                return
            raise

    def sizes(self) -> dict[str, CloudSize]:
        """Return the sizes on offer, by slug."""
        return {size.slug: size for size in map(_size, self._list("sizes", "sizes", {}))}

    def add_tags(self, droplet_id: int, tags: Sequence[str]) -> None:
        """Tag a droplet."""
        for tag in tags:
            self._make_tag(tag)
            body = {"resources": [{"resource_id": str(droplet_id), "resource_type": "droplet"}]}
            self._call(f"tags/{tag}/resources", "POST", body)

    def drop_tags(self, tags: Iterable[str]) -> None:
        """Remove tags; one that is gone already is fine."""
        for tag in tags:
            try:
                self._call(f"tags/{tag}", "DELETE")
            except CloudError as error:
                if error.status != _NOT_FOUND:
                    raise

    def idle_tags(self) -> list[str]:
        """Return the tags that nothing bears."""
        return [
            str(tag["name"])
            for tag in self._list("tags", "tags", {})
            if _part(tag, "resources", dict).get("count") == 0 and isinstance(tag.get("name"), str)
        ]

    def protect(self, owner: str, port: int, sources: Sequence[str]) -> None:
        """Make the owner's firewall, once: inbound this one TCP port, outbound everything (weights and images are fetched)."""
        tag, name = owner_tag(owner), f"{TAG}-{owner}"
        there = [wall for wall in self._list("firewalls", "firewalls", {}) if wall.get("name") == name]
        inbound = [{"protocol": "tcp", "ports": str(port), "sources": {"addresses": list(sources)}}]
        if there:
            rules = there[0].get("inbound_rules")
            if not isinstance(rules, list) or [_rule(rule) for rule in rules] != [("tcp", str(port), sorted(sources))]:
                raise CloudError(
                    f"The firewall {name} is there, but its inbound rules are not what gpu.ssh_port and gpu.ssh_from say.",
                    hint="Delete it in the console (it is made anew), or make the two agree.",
                )
            if tag in (there[0].get("tags") or []):
                return
            raise CloudError(
                f"The firewall {name} is there, but not for the tag {tag}.", hint="Delete it in the console."
            )
        self._make_tag(tag)
        everywhere = {"addresses": ["0.0.0.0/0", "::/0"]}
        outbound = [{"protocol": protocol, "ports": "0", "destinations": everywhere} for protocol in ("tcp", "udp")] + [
            {"protocol": "icmp", "ports": "0", "destinations": everywhere}
        ]
        self._call(
            "firewalls", "POST", {"name": name, "inbound_rules": inbound, "outbound_rules": outbound, "tags": [tag]}
        )

    def probe(self, path: str, method: str, body: Mapping[str, Any] | None = None) -> CloudError | None:
        """Make a call that does nothing, to see whether the token may; return the refusal."""
        try:
            self._call(path, method, dict(body) if body is not None else None)
        except CloudError as error:
            return error
        return None

    def _make_tag(self, tag: str) -> None:
        try:
            self._call("tags", "POST", {"name": tag})
        except CloudError as error:
            if error.status not in (_UNPROCESSABLE, _CONFLICT):  # it is there already
                raise

    def _droplets(self, query: dict[str, str]) -> list[CloudDroplet]:
        return [_droplet(value) for value in self._list("droplets", "droplets", query)]

    def _list(self, path: str, name: str, query: dict[str, str]) -> list[dict[str, Any]]:
        """Return a whole list. Raises CloudError where the pages do not add up to what the first one promised."""
        answer = self._call(path, "GET", dict(query))
        found = _part(answer, name, list)
        total = _part(answer, "meta", dict).get("total")
        if total != len(found) or not all(isinstance(value, dict) for value in found):
            raise CloudError(f"The list of {name} is not whole: {len(found)} came, {total} are said to be there.")
        return list(found)

    def _call(self, path: str, method: str = "GET", values: dict[str, Any] | None = None) -> Any:
        """Call through the library; whatever it makes of a strange answer is a CloudError here."""
        try:
            return self._api.get_data(path, type=method, params=values if values is not None else {})
        except CloudError:
            raise
        except (digitalocean.Error, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise CloudError(
                f"{method} {path}: the answer cannot be read ({type(error).__name__}).",
                unknown_outcome=method == "POST",
            ) from None


def _part(value: Any, name: str, kind: type) -> Any:
    part = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(part, kind):
        raise CloudError(f"The cloud's answer has no {name} in it.")
    return part


def _droplet(value: Mapping[str, Any]) -> CloudDroplet:
    try:
        return _read_droplet(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CloudError("A droplet in the cloud's answer cannot be read.") from error


def _read_droplet(value: Mapping[str, Any]) -> CloudDroplet:
    networks = value.get("networks") or {}
    addresses = [net.get("ip_address") for net in networks.get("v4") or [] if net.get("type") == "public"]
    size, region = value.get("size") or {}, value.get("region") or {}
    price = size.get("price_hourly") if isinstance(size, Mapping) else None
    return CloudDroplet(
        id=int(value["id"]),
        name=str(value.get("name") or ""),
        status=str(value.get("status") or ""),
        tags=tuple(map(str, value.get("tags") or ())),
        address=addresses[0] if addresses else None,
        size=str(value.get("size_slug") or (size.get("slug") if isinstance(size, Mapping) else "") or ""),
        region=str(region.get("slug") or "") if isinstance(region, Mapping) else str(region),
        created_at=_time(value.get("created_at")),
        price_per_hour=_price(price),
    )


def _size(value: Mapping[str, Any]) -> CloudSize:
    return CloudSize(
        slug=str(value.get("slug") or ""),
        price_per_hour=_price(value.get("price_hourly")),
        regions=tuple(map(str, value.get("regions") or ())),
        available=value.get("available") is not False,
    )


def _price(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _time(value: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return None


def _rule(value: Any) -> tuple[str, str, list[str]]:
    sources = value.get("sources") if isinstance(value, Mapping) else None
    addresses = sources.get("addresses") if isinstance(sources, Mapping) else None
    return str(value.get("protocol")), str(value.get("ports")), sorted(map(str, addresses or []))
