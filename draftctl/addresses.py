"""Which hosts are near: this machine, or one with a private address. A name is never looked up. Pure."""

import ipaddress

_PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)


def is_near(host: str) -> bool:
    """Say whether a host is this machine or has a private address."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return any(address in net for net in _PRIVATE if net.version == address.version)
