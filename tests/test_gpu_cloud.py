"""DigitalOcean behind its interface: the hardened transport, lists that lie, refusals told apart, the sweep."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from draftctl.engine_id import parse_build
from draftctl.errors import UsageError
from draftctl.gpu.cloud import (
    CloudError,
    CloudSize,
    Wanted,
    droplet_name,
    expiry_of,
    lease_tags,
    offers,
    ours,
    owner_tag,
    refusal_of,
)
from draftctl.gpu.digitalocean import DigitalOcean
from draftctl.gpu.keys import USER_DATA_LIMIT, cloud_init, new_key
from draftctl.gpu.reap import sweep
from draftctl.gpu.scopes import scopes
from draftctl.gpu.transport import Transport
from draftctl.store.leases import new_lease_id
from tests.cloud_server import SPEC, TOKEN, CloudServer

OWNER = "mine-1"


@pytest.fixture
def cloud() -> Iterator[CloudServer]:
    with CloudServer() as server:
        yield server
        assert server.violations == []


def account(server: CloudServer, **more: Any) -> DigitalOcean:
    return DigitalOcean(TOKEN, server.url, transport=Transport(server.url, sleep=lambda _: None, **more))


def wanted(lease: str = "ab-1", expires: float = 2e9) -> Wanted:
    return Wanted(
        name=droplet_name(lease), size="gpu-l40sx1-48gb", region="tor1", image="gpu-h100x1-base",
        tags=lease_tags(OWNER, lease, expires), user_data="#cloud-config\n{}",
    )  # fmt: skip


def test_a_droplets_life(cloud: CloudServer) -> None:
    do = account(cloud)
    assert do.sizes()["gpu-l40sx1-48gb"].price_per_hour == 1.57
    made = do.create(wanted())
    assert (made.size, made.price_per_hour) == ("gpu-l40sx1-48gb", 1.57)
    assert [droplet.id for droplet in ours(do, OWNER)] == [made.id]
    found = do.get(made.id)
    assert found is not None
    assert found.address == "127.0.0.1"
    do.destroy(made.id)
    do.destroy(made.id)  # gone already is fine
    assert do.get(made.id) is None
    assert do.time is not None
    assert {path for method, path in cloud.requests if method == "DELETE"} == {f"/v2/droplets/{made.id}"}


@pytest.mark.skipif(not SPEC.exists(), reason="DigitalOcean's document is not here")
def test_the_document_catches_what_does_not_fit() -> None:
    with CloudServer() as server:
        account(server).probe("droplets", "POST", {"name": "under_score", "size": "gpu-l40sx1-48gb", "image": "x"})
        account(server).probe("droplets", "GET", {"type": "gpu"})
        assert len(server.violations) == 2, server.violations


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_lost_answer_to_a_create_is_unknown_and_never_sent_twice(cloud: CloudServer, kind: str) -> None:
    cloud.fault("POST", "/v2/droplets", kind)
    with pytest.raises(CloudError) as caught:
        account(cloud).create(wanted())
    assert caught.value.unknown_outcome
    assert cloud.creates() == 1


def test_a_create_that_never_left_is_known_not_to_have_happened() -> None:
    with CloudServer() as server:
        url = server.url
    with pytest.raises(CloudError) as caught:
        DigitalOcean(TOKEN, url, transport=Transport(url, sleep=lambda _: None)).create(wanted())
    assert not caught.value.unknown_outcome


@pytest.mark.parametrize("body", [{}, {"droplet": {"id": None}}, b"<html>", {"droplet": []}])
def test_a_202_that_is_no_droplet_is_unknown(cloud: CloudServer, body: Any) -> None:
    cloud.fault("POST", "/v2/droplets", "answer", status=202, body=body)
    with pytest.raises(CloudError) as caught:
        account(cloud).create(wanted())
    assert caught.value.unknown_outcome


@pytest.mark.parametrize(("status", "tries"), [(429, 4), (500, 1), (502, 1)])
def test_which_answers_to_a_post_are_tried_again(cloud: CloudServer, status: int, tries: int) -> None:
    cloud.fault("POST", "/v2/droplets", "answer", times=9, status=status, body={"id": "x", "message": "no"})
    with pytest.raises(CloudError) as caught:
        account(cloud).create(wanted())
    assert (caught.value.status, caught.value.unknown_outcome) == (status, status >= 500)
    assert cloud.creates() == tries


def test_retry_after_is_kept_to_and_a_get_is_tried_again(cloud: CloudServer) -> None:
    waits: list[float] = []
    do = DigitalOcean(TOKEN, cloud.url, transport=Transport(cloud.url, sleep=waits.append))
    cloud.fault(
        "GET",
        "/v2/sizes",
        "answer",
        status=429,
        body={"id": "too_many_requests", "message": "slow"},
        headers={"Retry-After": "7"},
    )
    cloud.fault("GET", "/v2/sizes", "answer", status=503, body={})
    cloud.fault("GET", "/v2/sizes", "drop_before")
    assert do.sizes()
    assert waits[0] == 7.0
    assert len(waits) == 3


def test_an_error_keeps_its_status_and_request_id_and_never_the_token(cloud: CloudServer) -> None:
    cloud.fault(
        "GET",
        "/v2/sizes",
        "answer",
        times=9,
        status=500,
        body={"id": "server_error", "message": "oops", "request_id": "abc-1"},
    )
    with pytest.raises(CloudError) as caught:
        account(cloud).sizes()
    assert (caught.value.status, caught.value.request_id) == (500, "abc-1")
    assert "abc-1" in caught.value.message
    for error in (caught.value, caught.value.__cause__, caught.value.__context__):
        assert TOKEN not in repr(error)


@pytest.mark.parametrize("body", [b"<html>502</html>", b"", {"message": "no id"}, {"id": "x"}, [], b"null"])
def test_strange_bodies_are_errors_with_a_status(cloud: CloudServer, body: Any) -> None:
    cloud.fault("GET", "/v2/sizes", "answer", times=9, status=502, body=body)
    with pytest.raises(CloudError) as caught:
        account(cloud).sizes()
    assert caught.value.status == 502


def test_gpu_droplets_are_really_listed_over_all_pages(cloud: CloudServer) -> None:
    for n in range(250):
        cloud.add(f"d{n}", tags=["draftctl", owner_tag(OWNER)] if n % 2 else [], gpu=n % 5 != 0)
    assert len(account(cloud).list_all()) == 250
    assert len(ours(account(cloud), OWNER)) == 125


def test_a_failed_page_fails_the_list(cloud: CloudServer) -> None:
    for n in range(250):
        cloud.add(f"d{n}", tags=["draftctl", owner_tag(OWNER)])
    cloud.fault("GET", "/v2/droplets", "pass", times=1)
    cloud.fault(
        "GET", "/v2/droplets", "answer", times=99, status=429, body={"id": "too_many_requests", "message": "slow"}
    )
    with pytest.raises(CloudError):
        account(cloud).list_all()


def test_a_list_that_is_not_whole_is_an_error(cloud: CloudServer) -> None:
    cloud.add("one")
    cloud.fault("GET", "/v2/droplets", "change", times=9, body={"change": lambda body: {**body, "meta": {"total": 7}}})
    with pytest.raises(CloudError, match="not whole"):
        account(cloud).list_all()


def test_the_token_goes_to_no_other_host(cloud: CloudServer) -> None:
    with CloudServer() as other:
        elsewhere = {"links": {"pages": {"next": f"{other.url}droplets?page=2"}}}
        cloud.fault("GET", "/v2/droplets", "change", times=9, body={"change": lambda body: {**body, **elsewhere}})
        with pytest.raises(CloudError, match="another host"):
            account(cloud).list_all()
        assert other.requests == []
    cloud.faults.clear()
    cloud.fault("GET", "/v2/sizes", "answer", status=302, body={}, headers={"Location": "http://example.org/"})
    with pytest.raises(CloudError):
        account(cloud).sizes()


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (422, "Size is not available in this region.", "capacity"),
        (422, "The size you selected is temporarily unavailable in this region", "capacity"),
        (422, "creating this/these droplet(s) will exceed your droplet limit", "limit"),
        (403, "You are not authorized to perform this operation", "entitlement"),
        (422, "Your account does not have access to GPU Droplets, contact support", "entitlement"),
        (422, "You specified an invalid image for Droplet creation.", "invalid"),
        (422, "Region is not available", "capacity"),
    ],
)
def test_refusals_are_told_apart(status: int, said: str, kind: str) -> None:
    assert refusal_of(CloudError("x", status=status, said=said)) == kind


def test_only_what_can_be_had_and_has_a_price_is_offered() -> None:
    sizes = {
        "a": CloudSize(slug="a", price_per_hour=1.0, regions=("tor1",)),
        "b": CloudSize(slug="b", price_per_hour=None, regions=("tor1",)),
        "c": CloudSize(slug="c", price_per_hour=2.0, regions=()),
    }
    usable, reasons = offers([("a", "tor1"), ("a", "nyc2"), ("b", "tor1"), ("c", "tor1"), ("d", "tor1")], sizes)
    assert [(offer.size, offer.region) for offer in usable] == [("a", "tor1")]
    assert len(reasons) == 4
    assert "does not say what it costs" in reasons[1]


def test_names_and_tags_are_legal_for_every_engine_and_owner() -> None:
    import re

    parse_build("do-gpu-mistral-nemo-12b-uncensored_2026-06-29.1")
    lease = new_lease_id("any owner's name")
    assert re.fullmatch(r"[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]", droplet_name(lease))
    for tag in lease_tags("o_1-x", lease, 1795560162.7):
        assert re.fullmatch(r"[a-zA-Z0-9_\-:]+", tag)
        assert len(tag) <= 255
    for owner in ("", "a b", "do-gpu-x_2026-06-29.1", "ö", "a" * 200):
        with pytest.raises(UsageError):
            lease_tags(owner, lease, 1)
    assert expiry_of(["draftctl-exp-5", "draftctl-exp-x", "draftctl-exp-9", "draftctl-exp-²"]) == 9


def test_user_data_is_small_and_refused_when_it_is_not() -> None:
    host, client = new_key(), new_key()
    text = cloud_init("root", client.public, host)
    assert len(text.encode()) < 4096
    assert client.private not in text
    value = json.loads(text.removeprefix("#cloud-config\n"))
    assert value["ssh_keys"]["ed25519_private"] == host.private
    with pytest.raises(UsageError, match="takes 65536"):
        cloud_init("root", "x" * USER_DATA_LIMIT, host)


def test_the_firewall_opens_port_22_and_nothing_else(cloud: CloudServer) -> None:
    do = account(cloud)
    do.protect(OWNER, 22, ["203.0.113.7/32"])
    do.protect(OWNER, 22, ["203.0.113.7/32"])
    assert len(cloud.firewalls) == 1
    rules = cloud.firewalls[0]["inbound_rules"]
    assert rules == [{"protocol": "tcp", "ports": "22", "sources": {"addresses": ["203.0.113.7/32"]}}]
    assert cloud.firewalls[0]["tags"] == [owner_tag(OWNER)]
    cloud.firewalls[0]["inbound_rules"].append(
        {"protocol": "tcp", "ports": "8000", "sources": {"addresses": ["0.0.0.0/0"]}}
    )
    with pytest.raises(CloudError, match="inbound rules"):
        do.protect(OWNER, 22, ["203.0.113.7/32"])


def test_missing_scopes_are_found_without_changing_anything(cloud: CloudServer) -> None:
    assert [scope.name for scope in scopes(account(cloud)) if not scope.there] == []
    assert cloud.live == []
    assert all("no tag!" in text or "firewalls" in text for text in cloud.violations), (
        "only what is meant to be refused"
    )
    cloud.violations.clear()
    cloud.denied = {("POST", "droplets"), ("DELETE", "tags"), ("GET", "firewalls")}
    assert [scope.name for scope in scopes(account(cloud)) if not scope.there] == [
        "droplet:create",
        "tag:delete",
        "firewall:read",
    ]
    cloud.violations.clear()


# -- the sweep -------------------------------------------------------------------------------------------------------------------------


def reap(server: CloudServer, **more: Any) -> Any:
    return sweep(account(server), OWNER, max_lifetime_s=7200, sleep=lambda _: None, **more)


def test_the_sweep_takes_what_is_past_and_nothing_of_others(cloud: CloudServer) -> None:
    now = cloud.clock()
    past = cloud.add("past", tags=[*lease_tags(OWNER, "l-1", now - 5)])
    young = cloud.add("young", tags=[*lease_tags(OWNER, "l-2", now + 600)])
    unmarked = cloud.add("unmarked", tags=["draftctl", owner_tag(OWNER)], age_s=8000)
    fresh = cloud.add("fresh", tags=["draftctl", owner_tag(OWNER)])
    off = cloud.add("off", tags=[*lease_tags(OWNER, "l-3", now + 600)])
    off.status = "off"
    small = cloud.add("small", tags=[*lease_tags(OWNER, "l-4", now - 5)], gpu=False)
    foreign = [
        cloud.add("theirs", tags=[*lease_tags("other", "l-5", now - 5)]),
        cloud.add("no tag"),
        cloud.add("half", tags=[owner_tag(OWNER)]),
        cloud.add("half too", tags=["draftctl", f"draftctl-exp-{int(now - 5)}"]),
        cloud.add("longer", tags=["draftctl", f"{owner_tag(OWNER)}-2", f"draftctl-exp-{int(now - 5)}"]),
    ]
    dry = reap(cloud, dry_run=True)
    assert (dry.deleted, len(cloud.live)) == ([], 11)
    done = reap(cloud)
    assert sorted(done.deleted) == sorted(d.id for d in (past, unmarked, off, small))
    assert {kept.id for kept in done.kept} == {young.id, fresh.id}
    assert done.errors == []
    assert {droplet.id for droplet in cloud.live} == {d.id for d in (young, fresh, *foreign)}
    everything = reap(cloud, everything=True)
    assert sorted(everything.deleted) == sorted([young.id, fresh.id])
    assert {droplet.id for droplet in cloud.live} == {droplet.id for droplet in foreign}
    assert {tag for tag in cloud.tags if tag.startswith("draftctl-lease-")} == {"draftctl-lease-l-5"}


def test_the_sweep_knows_orphans_where_there_is_a_database(cloud: CloudServer) -> None:
    now = cloud.clock()
    closed = cloud.add("closed", tags=[*lease_tags(OWNER, "l-1", now + 600)])
    opened = cloud.add("open", tags=[*lease_tags(OWNER, "l-2", now + 600)])
    unknown = cloud.add("unknown", tags=[*lease_tags(OWNER, "l-3", now + 600)], age_s=1000)
    young = cloud.add("young", tags=[*lease_tags(OWNER, "l-4", now + 600)])
    done = reap(cloud, open_leases={"l-1": False, "l-2": True})
    assert sorted(done.deleted) == sorted([closed.id, unknown.id])
    assert {kept.id for kept in done.kept} == {opened.id, young.id}


def test_the_sweep_fails_closed(cloud: CloudServer) -> None:
    cloud.add("past", tags=[*lease_tags(OWNER, "l-1", 5)])
    for fault in (
        {"kind": "answer", "status": 500, "body": {}},
        {"kind": "answer", "status": 403, "body": {"id": "forbidden", "message": "no"}},
        {"kind": "change", "body": {"change": lambda body: {**body, "meta": {"total": 3}}}},
        {
            "kind": "change",
            "body": {
                "change": lambda body: {**body, "links": {"pages": {"next": "http://example.org/v2/droplets?page=2"}}}
            },
        },
    ):
        cloud.faults.clear()
        cloud.fault("GET", "/v2/droplets", times=99, **fault)
        with pytest.raises(CloudError):
            reap(cloud)
    assert len(cloud.live) == 1


def test_the_sweep_says_what_would_not_go_and_tries_the_others(cloud: CloudServer) -> None:
    stubborn = cloud.add("stubborn", tags=[*lease_tags(OWNER, "l-1", 5)])
    refused = cloud.add("refused", tags=[*lease_tags(OWNER, "l-2", 5)])
    fine = cloud.add("fine", tags=[*lease_tags(OWNER, "l-3", 5)])
    stubborn.dies_after = 10**6
    cloud.fault(
        "DELETE", f"/v2/droplets/{refused.id}", "answer", times=9, status=500, body={"id": "x", "message": "no"}
    )
    done = reap(cloud)
    assert done.deleted == [fine.id]
    assert len(done.errors) == 2
    assert any("still there" in error for error in done.errors)


def test_the_sweep_goes_by_the_clouds_clock(cloud: CloudServer) -> None:
    cloud.add("past", tags=[*lease_tags(OWNER, "l-1", cloud.clock() - 100)])
    assert reap(cloud, clock=lambda: 0.0).deleted
