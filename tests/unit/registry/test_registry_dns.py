"""The registry ``dns``: what a name stands for, how long that holds, and what outages cost."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from support.dns_server import DnsServer
from support.forked import WARNING, in_child

from callahead.config.errors import ConfigError
from callahead.config.policy import RegistryPolicy
from callahead.registry import RecordingListener, ServiceKey
from callahead.registry.dns import DnsRegistry
from callahead.registry.dns.resolving import Answer, LookupFailed, Place, by_system
from callahead.registry.dns.settings import Settings

KEY = ServiceKey("a.B")
NAME = "shop.test"


def policy(address: str, **parameters: str) -> RegistryPolicy:
    return RegistryPolicy(id="dns", address=address, parameters=parameters)


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer() as one:
        yield one


@pytest.fixture
def opened(server: DnsServer) -> Iterator[Callable[..., DnsRegistry]]:
    made: list[DnsRegistry] = []

    def opening(address: str = f"dns://{NAME}:50051", **parameters: str) -> DnsRegistry:
        given = {"server": server.address, "refresh": "10", "timeout": "300", **parameters}
        made.append(DnsRegistry(policy(address, **given)))
        return made[-1]

    yield opening
    for registry in made:
        registry.close()


def test_each_address_of_the_name_is_a_provider(server: DnsServer, opened: Callable[..., DnsRegistry]) -> None:
    """Of both families, with the port and the protocol that the address says."""
    server.put(NAME, "A", "10.0.0.1", "10.0.0.2")
    server.put(NAME, "AAAA", "fd00::1")
    heard = RecordingListener()
    opened(protocol="dubbo").subscribe(KEY, heard)
    assert sorted(map(str, heard.snapshots[0].endpoints)) == [
        "dubbo://10.0.0.1:50051",
        "dubbo://10.0.0.2:50051",
        "dubbo://[fd00::1]:50051",
    ]
    assert heard.snapshots[0].reason == f"dns://{NAME}:50051: 3 providers of a.B"


@pytest.mark.parametrize(("family", "kinds"), [("ipv4", {"A"}), ("ipv6", {"AAAA"}), ("any", {"A", "AAAA"})])
def test_only_the_family_is_asked_for(
    server: DnsServer, opened: Callable[..., DnsRegistry], family: str, kinds: set[str]
) -> None:
    """In clusters with both families a pod would be two providers else."""
    opened(family=family).subscribe(KEY, RecordingListener())
    assert {kind for _, kind in server.asked} == kinds


def test_a_pod_that_goes_leaves_the_list_and_one_that_comes_joins_it(
    server: DnsServer, opened: Callable[..., DnsRegistry]
) -> None:
    """As Kubernetes tells it of a headless service."""
    server.put(NAME, "A", "10.0.0.1", "10.0.0.2")
    heard = RecordingListener()
    opened().subscribe(KEY, heard)
    server.put(NAME, "A", "10.0.0.2", "10.0.0.3")
    heard.wait_for("10.0.0.2:50051", "10.0.0.3:50051")


def test_services_tell_names_ports_and_weights(server: DnsServer, opened: Callable[..., DnsRegistry]) -> None:
    """Of the lowest priority; the others are for when these are gone."""
    server.put(
        "_grpc._tcp.shop.test", "SRV", "1 20 7001 a.shop.test.", "1 0 7002 b.shop.test.", "2 9 7003 c.shop.test."
    )
    heard = RecordingListener()
    opened("dns://_grpc._tcp.shop.test").subscribe(KEY, heard)
    assert sorted((one.host, one.port, one.weight) for one in heard.snapshots[0].endpoints) == [
        ("a.shop.test", 7001, 20),
        ("b.shop.test", 7002, 0),
    ]
    server.put("_grpc._tcp.shop.test", "SRV", "2 0 7003 c.shop.test.")
    snapshot = heard.wait_for("c.shop.test:7003")
    assert [one.weight for one in snapshot.endpoints] == [100]


def test_an_srv_record_of_no_address_costs_no_other(server: DnsServer, opened: Callable[..., DnsRegistry]) -> None:
    """Such as one with the port 0, or with a name that is no host; the reason says what is wrong with it."""
    server.put("_grpc._tcp.shop.test", "SRV", "1 0 0 a.shop.test.", "1 0 7002 b.test.", "1 0 7003 c\\032d.test.")
    heard = RecordingListener()
    opened("dns://_grpc._tcp.shop.test").subscribe(KEY, heard)
    assert heard.addresses == ["b.test:7002"]
    assert '; 2 passed over, such as a.shop.test:0: "tri://a.shop.test": it has no port' in heard.snapshots[0].reason


@pytest.mark.parametrize("mode", ["failing", "mute", "senseless"])
def test_an_outage_of_any_length_costs_no_provider(
    server: DnsServer, opened: Callable[..., DnsRegistry], mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The last list stays, the reason says why, and the log says it once."""
    server.put(NAME, "A", "10.0.0.1")
    heard = RecordingListener()
    registry = opened()
    registry.subscribe(KEY, heard)
    server.mode = mode
    told = heard.wait(lambda snapshot: "not renewed" in snapshot.reason)
    assert [one.address for one in told.endpoints] == ["10.0.0.1:50051"]
    assert "it cannot be looked up: " in str(registry.problem)
    server.put(NAME, "A", "10.0.0.2")
    server.mode = "up"
    heard.wait_for("10.0.0.2:50051")
    assert registry.problem is None
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 1


def test_a_name_that_has_gone_empties_nothing(server: DnsServer, opened: Callable[..., DnsRegistry]) -> None:
    """Since a name server that has just started shows the same; unless the configuration says otherwise."""
    server.put(NAME, "A", "10.0.0.1")
    protected, heard = RecordingListener(), RecordingListener()
    opened().subscribe(KEY, protected)
    opened(empty_protection="false").subscribe(KEY, heard)
    server.put(NAME, "A")
    assert heard.wait_for().endpoints == ()
    told = protected.wait(lambda snapshot: "empty_protection" in snapshot.reason)
    assert [one.address for one in told.endpoints] == ["10.0.0.1:50051"]


def test_without_an_answer_at_the_start_the_list_is_empty_and_says_why(
    server: DnsServer, opened: Callable[..., DnsRegistry]
) -> None:
    """A consumer whose ``check`` is false may start, and gets its providers later."""
    server.mode = "failing"
    heard = RecordingListener()
    opened().subscribe(KEY, heard)
    assert heard.snapshots[0].endpoints == ()
    assert "not renewed: it cannot be looked up: " in heard.snapshots[0].reason
    server.put(NAME, "A", "10.0.0.1")
    server.mode = "up"
    heard.wait_for("10.0.0.1:50051")


def test_a_name_that_does_not_exist_is_an_answer(server: DnsServer) -> None:
    """No error, but no provider either; the reason says so, and where the name was written."""
    heard = RecordingListener()
    parameters = {"server": server.address}
    named = RegistryPolicy(
        id="dns", address=f"dns://{NAME}:50051", parameters=parameters, origins={"address": "conf/x.yml:3"}
    )
    registry = DnsRegistry(named)
    registry.subscribe(KEY, heard)
    registry.close()
    why = "the name does not exist, or has no such records (registries.dns.address, conf/x.yml:3)"
    assert heard.snapshots[0].reason == f"dns://{NAME}:50051: no provider of a.B; {why}"
    assert registry.problem is None


@pytest.mark.parametrize(
    ("ttl_s", "refresh", "least", "most"),
    [(30.0, "5000", 4.5, 5.0), (2.0, "5000", 1.8, 2.0), (0.0, "5000", 0.9, 1.0), (None, "7000", 6.3, 7.0)],
)
def test_the_next_look_is_due_as_the_ttl_says(ttl_s: float | None, refresh: str, least: float, most: float) -> None:
    """At least every ``refresh``, at most once a second, and never at the same moment as everybody else's."""
    answer = Answer((Place("10.0.0.1", 1),), ttl_s)
    made = [
        DnsRegistry(policy("dns://h:1", refresh=refresh), resolve=lambda _: lambda: answer, random=Random(seed))
        for seed in range(20)
    ]
    for registry in made:
        registry._look()
    pauses = [registry._pause() for registry in made]
    assert least <= min(pauses) < max(pauses) <= most


def test_the_systems_resolver_does_for_addresses() -> None:
    """Where dnspython is not installed; it knows the hosts file."""
    settings = Settings.of(policy("dns://localhost:50051", family="ipv4"))
    assert by_system(settings)() == Answer((Place("127.0.0.1", 50051),), None)


def test_what_the_systems_resolver_cannot_tell_is_a_failure() -> None:
    """But a name that does not exist is an answer."""
    too_long = Settings.of(policy(f"dns://{'a' * 70}.test:1"))
    with pytest.raises(LookupFailed):
        by_system(too_long)()


@pytest.mark.parametrize(
    ("address", "parameters", "needs"),
    [
        ("dns://_grpc._tcp.shop.test", {}, "registries.dns.address"),
        ("dns://shop.test:1", {"server": "127.0.0.1"}, "registries.dns.parameters.server"),
    ],
)
def test_without_dnspython_the_error_says_what_to_install(
    address: str, parameters: dict[str, str], needs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is needed; plain addresses are looked up without it."""
    monkeypatch.setitem(sys.modules, "dns", None)
    with pytest.raises(ConfigError) as failure:
        DnsRegistry(policy(address, **parameters))
    hint = 'pip install "callahead[dns]"'
    assert f"{needs}: needs dnspython, which is not installed ({hint})" in str(failure.value)
    registry, heard = DnsRegistry(policy("dns://localhost:50051", family="ipv4")), RecordingListener()
    registry.subscribe(KEY, heard)
    registry.close()
    assert heard.addresses == ["127.0.0.1:50051"]


@pytest.mark.filterwarnings(WARNING)
def test_a_child_looks_by_itself(server: DnsServer, opened: Callable[..., DnsRegistry]) -> None:
    """And hears of what changes after the fork."""
    server.put(NAME, "A", "10.0.0.1")
    heard = RecordingListener()
    opened().subscribe(KEY, heard)

    def work() -> None:
        heard.wait_for("10.0.0.2:50051")

    threading.Timer(0.2, server.put, (NAME, "A", "10.0.0.2")).start()
    assert in_child(work) == 0


@pytest.mark.parametrize(
    ("address", "parameters", "problem"),
    [
        ("dns://shop", {}, 'address: "dns://shop" names no port (write it like dns://shop.default'),
        ("dns://", {}, 'address: "dns://" names no host'),
        ("dns://shop:0", {}, "its port is not a number in 1..65535"),
        ("dns://shop:1", {"family": "ipx"}, 'parameters.family: must be any, ipv4 or ipv6, not "ipx"'),
        ("dns://shop:1", {"server": "1.1.1.1:x"}, "parameters.server"),
        ("dns://shop:1", {"refresh": "0"}, "parameters.refresh: must be from 1"),
        ("dns://shop:1", {"refrsh": "1"}, 'a dns registry has no setting "refrsh" (did you mean "refresh"?)'),
        ("dns://shop:1", {"empty_protection": "x"}, '"x" is neither true nor false'),
    ],
)
def test_a_wrong_setting_is_refused(address: str, parameters: dict[str, str], problem: str) -> None:
    """When the registry is made, before anything is looked up."""
    with pytest.raises(ConfigError) as failure:
        DnsRegistry(policy(address, **parameters))
    assert problem in str(failure.value)


def test_the_repr_says_what_is_looked_up() -> None:
    """And what is wrong."""
    registry = DnsRegistry(policy("dns://shop:1"), resolve=lambda _: _fails)
    assert repr(registry) == "<DnsRegistry dns://shop:1>"
    registry._look()
    assert repr(registry) == "<DnsRegistry dns://shop:1: it cannot be looked up: no answer>"


def _fails() -> Any:
    raise LookupFailed("no answer")
