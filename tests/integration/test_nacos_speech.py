"""How the nacos registry speaks with a server, beside one that is scripted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from support.nacos_peer import NacosPeer, listing

from callahead.config.policy import RegistryPolicy, SslPolicy
from callahead.registry import RecordingListener, ServiceKey, open_registry
from callahead.registry.nacos import NacosRegistry

KEY = ServiceKey("a.B")


@pytest.fixture
def peer() -> Iterator[NacosPeer]:
    with NacosPeer() as one:
        one.answers["SubscribeService"] = lambda _: listing("h")
        yield one


Open = Callable[..., NacosRegistry]


@pytest.fixture
def opened(peer: NacosPeer) -> Iterator[Open]:
    """Make a registry at the peer; closed at the end of the test."""
    made: list[NacosRegistry] = []

    def make(**settings: str) -> NacosRegistry:
        address = f"nacos://{peer.address}"
        registry = open_registry(RegistryPolicy(id="main", address=address, parameters=settings))
        assert isinstance(registry, NacosRegistry)
        made.append(registry)
        return registry

    yield make
    for registry in made:
        registry.close()


def heard_from(registry: NacosRegistry) -> RecordingListener:
    heard = RecordingListener()
    registry.subscribe(KEY, heard)
    return heard


def test_a_client_says_who_it_is_before_it_asks(peer: NacosPeer, opened: Open) -> None:
    """In Nacos' own order; then it hears what there is."""
    heard = heard_from(opened(namespace="live", group="shop"))
    assert heard.addresses == ["h:1"]
    assert [each.kind for each in peer.heard] == [
        "ServerCheckRequest",
        "ConnectionSetupRequest",
        "SubscribeServiceRequest",
    ]
    assert peer.heard[1].body["tenant"] == "live"
    assert {**peer.heard[2].body, "clusters": ""} == {
        "namespace": "live",
        "groupName": "shop",
        "serviceName": "providers:a.B::",
        "subscribe": True,
        "clusters": "",
    }


def test_what_is_pushed_is_acknowledged_and_taken(peer: NacosPeer, opened: Open) -> None:
    """Whoever does not acknowledge is given up by a server."""
    heard = heard_from(opened())
    peer.push("NotifySubscriberRequest", requestId="7", **listing("h", "i"))
    heard.wait_for("h:1", "i:1")
    assert peer.wait_for("NotifySubscriberResponse") == {"requestId": "7", "resultCode": 200}


def test_a_server_that_asks_whether_there_is_somebody_is_answered(peer: NacosPeer, opened: Open) -> None:
    """And so is one that asks what is not known here."""
    heard_from(opened())
    for kind in ("ClientDetection", "SetupAck"):
        peer.push(f"{kind}Request", requestId=kind)
        assert peer.wait_for(f"{kind}Response") == {"requestId": kind, "resultCode": 200}


def test_what_is_pushed_of_others_changes_nothing(peer: NacosPeer, opened: Open) -> None:
    """Services and texts that nobody watches, and what makes no sense."""
    heard = heard_from(opened())
    peer.push("NotifySubscriberRequest", serviceInfo={"name": "providers:a.C::", "hosts": []})
    peer.push("NotifySubscriberRequest", serviceInfo=7)
    peer.push("ConfigChangeNotifyRequest", dataId="a", group="b")
    peer.push("NotifySubscriberRequest", **listing("i"))
    heard.wait_for("i:1")
    assert len(heard.snapshots) == 2


@pytest.mark.parametrize("name", ["providers:a.B::", "DEFAULT_GROUP@@providers:a.B::"])
def test_a_service_is_known_with_and_without_its_group(peer: NacosPeer, opened: Open, name: str) -> None:
    """Servers differ in what they call it."""
    heard = heard_from(opened())
    said = listing("i")["serviceInfo"]
    peer.push("NotifySubscriberRequest", serviceInfo={**said, "name": name})
    heard.wait_for("i:1")


def test_a_client_that_is_sent_away_connects_again(peer: NacosPeer, opened: Open) -> None:
    """As servers do that share their load; all is asked for again."""
    heard = heard_from(opened())
    peer.answers["SubscribeService"] = lambda _: listing("i")
    peer.push("ConnectResetRequest", requestId="1")
    heard.wait_for("i:1")
    assert peer.count("ServerCheckRequest") == 2


def test_a_client_that_the_server_does_not_know_connects_again(peer: NacosPeer, opened: Open) -> None:
    """It was forgotten, or has come too early."""
    refusals = [{"resultCode": 500, "errorCode": 301, "message": "Connection is unregistered."}]
    peer.answers["SubscribeService"] = lambda _: refusals.pop() if refusals else listing("i")
    heard_from(opened()).wait_for("i:1")
    assert peer.count("ServerCheckRequest") == 2


def test_a_server_that_ends_each_connection_is_asked_less_and_less_often(peer: NacosPeer, opened: Open) -> None:
    """As one may that is overloaded, or what stands before it; the reason says what happens."""
    peer.ends_streams = True
    registry = opened(timeout="100ms")
    heard_from(registry)
    peer.wait_for("ServerCheckRequest", 3)
    until = time.monotonic() + 1
    while time.monotonic() < until:
        assert peer.count("ServerCheckRequest") < 8
        time.sleep(0.05)
    assert registry.problem is not None
    assert "takes connections, but this was lost at once: the server ended it" in registry.problem


def test_of_several_servers_one_that_answers_is_used_and_all_that_fail_are_named() -> None:
    """Whichever is tried first."""
    with NacosPeer() as peer:
        peer.answers["SubscribeService"] = lambda _: listing("h")
        address, heard = f"nacos://127.0.0.1:1?backup={peer.address}", RecordingListener()
        registry = open_registry(RegistryPolicy(id="main", address=address))
        registry.subscribe(KEY, heard)
        assert heard.addresses == ["h:1"]
    told = heard.wait(lambda one: f"port {peer.port + 1000}" in one.reason)
    registry.close()
    assert "127.0.0.1 cannot be reached at port 1001" in told.reason
    assert [each.address for each in told.endpoints] == ["h:1"]


def test_a_list_that_is_refused_is_not_known(peer: NacosPeer, opened: Open) -> None:
    """So that what a cache keeps is not replaced by nothing."""
    peer.answers["SubscribeService"] = lambda _: {"resultCode": 500, "errorCode": 403, "message": "no"}
    (snapshot,) = heard_from(opened()).snapshots
    assert "the server refuses SubscribeServiceRequest: no (error 403)" in snapshot.reason
    assert not snapshot.is_known


@pytest.mark.parametrize(
    ("ca", "server_name", "addresses"),
    [
        ("ca", None, ["h:1"]),
        ("ca", "foo.internal", ["h:1"]),
        ("ca", "bar.internal", []),
        ("other_ca", None, []),
    ],
)
def test_tls_is_spoken_where_ssl_says_so(
    certificates: Path, ca: str, server_name: str | None, addresses: list[str]
) -> None:
    """With a server whose certificate is trusted and has its name; no list comes from another."""
    key, certificate = ((certificates / f"server.{part}").read_bytes() for part in ("key", "pem"))
    policy = SslPolicy(ca=str(certificates / f"{ca}.pem"), server_name=server_name)
    with NacosPeer(grpc.ssl_server_credentials([(key, certificate)])) as peer:
        peer.answers["SubscribeService"] = lambda _: listing("h")
        assert heard_over(policy, peer, "5s" if addresses else "300ms").addresses == addresses


def heard_over(ssl: SslPolicy, peer: NacosPeer, timeout: str) -> RecordingListener:
    """What a registry hears within that time, or sooner."""
    address = f"nacos://{peer.address}?timeout={timeout}"
    registry, heard = open_registry(RegistryPolicy(id="main", address=address, ssl=ssl)), RecordingListener()
    registry.subscribe(KEY, heard)
    registry.close()
    return heard


def test_a_certificate_that_cannot_be_read_is_named(peer: NacosPeer) -> None:
    """It may come later, so the registry goes on trying."""
    address = f"nacos://{peer.address}?timeout=10ms"
    registry = open_registry(RegistryPolicy(id="main", address=address, ssl=SslPolicy(ca="/nowhere.pem")))
    heard = RecordingListener()
    registry.subscribe(KEY, heard)
    heard.wait(lambda one: "/nowhere.pem cannot be read: no such file or directory" in one.reason)
    registry.close()


def test_services_that_come_later_are_found_by_who_wants_any(peer: NacosPeer, opened: Open) -> None:
    """Only those that are wanted are asked for."""
    peer.answers["ServiceList"] = lambda _: {"serviceNames": ["shop", "providers:a.B::", "providers:a.C::"]}
    heard = RecordingListener()
    opened().subscribe(ServiceKey("a.B", "*", "*"), heard)
    assert heard.addresses == ["h:1"]
    assert peer.count("SubscribeServiceRequest") == 1


def test_an_instance_that_makes_no_sense_costs_no_other(peer: NacosPeer, opened: Open) -> None:
    """Its neighbours are told, and the reason says what is wrong with it."""
    said = listing("h", "no host")
    peer.answers["SubscribeService"] = lambda _: said
    heard = heard_from(opened())
    assert heard.addresses == ["h:1"]
    assert heard.snapshots[0].reason.endswith(
        "1 provider of a.B; 1 passed over, such as no host:1: its host holds a character that no host has"
    )


def test_a_list_that_is_too_large_costs_no_other_service(peer: NacosPeer, opened: Open) -> None:
    """The connection stays, and the reason has the numbers."""
    large = {"serviceInfo": {"hosts": ["x" * 33 * 1024 * 1024]}}
    peer.answers["SubscribeService"] = lambda body: large if "a.Large" in body["serviceName"] else listing("h")
    registry, much = opened(), RecordingListener()
    registry.subscribe(ServiceKey("a.Large"), much)
    assert "the server refuses SubscribeServiceRequest" in much.snapshots[0].reason
    assert "Received message larger than max (34603113 vs. 33554432)" in much.snapshots[0].reason
    assert heard_from(registry).addresses == ["h:1"]
    assert peer.count("ConnectionSetupRequest") == 1
