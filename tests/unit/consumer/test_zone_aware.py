"""Several registries: which of them a call goes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.cluster import Bench, endpoints

from callahead.consumer import ConnectFailed, Consumer, RpcContext
from callahead.consumer.cluster.zoneaware import ZoneAwareCluster
from callahead.consumer.testing import ScriptedTransport
from callahead.registry import MemoryRegistry
from callahead.registry.models import Origin

CONTEXT = RpcContext.get_context()
EAST, WEST = Origin("east", zone="east"), Origin("west", zone="west")


def bench_of(*origins: Origin) -> Bench:
    """Give each registry two providers."""
    bench = Bench(ZoneAwareCluster, 0)
    listed = endpoints(2 * len(origins))
    bench.publish(*(replace(one, origin=origins[place // 2]) for place, one in enumerate(listed)))
    return bench


def asked(bench: Bench, calls: int = 100, **attachments: str) -> Counter[str]:
    """Count the registries of the providers that so many calls go to."""
    found: Counter[str] = Counter()
    for _ in range(calls):
        invocation = bench.invocation()
        invocation.attachments = attachments
        bench.call(invocation)
        origin = bench.attempts.pop()[0].provider.endpoint.origin
        found[origin.registry if origin else ""] += 1
    return found


def test_a_preferred_registry_goes_first() -> None:
    """Before zone and weight."""
    bench = bench_of(EAST, replace(WEST, preferred=True))
    assert asked(bench, registry_zone="east") == {"west": 100}


def test_a_call_stays_in_its_zone() -> None:
    """Which its attachment tells; one that is nowhere decides nothing."""
    bench = bench_of(EAST, WEST)
    assert asked(bench, registry_zone="west") == {"west": 100}
    assert set(asked(bench, registry_zone="north")) == {"east", "west"}


def test_registries_have_weights() -> None:
    """Whatever the number of their providers; all zero are all equal."""
    heavy = asked(bench_of(EAST, replace(WEST, weight=300)), calls=1000)
    assert 200 < heavy["east"] < 300
    assert asked(bench_of(EAST, replace(WEST, weight=0))) == {"east": 100}
    assert set(asked(bench_of(replace(EAST, weight=0), replace(WEST, weight=0)))) == {"east", "west"}


def test_a_failure_leaves_the_zone_where_it_has_no_other() -> None:
    """Providers that were not tried go before zones."""
    bench = bench_of(EAST, WEST)
    invocation = bench.invocation(retries=3)
    invocation.attachments = {"registry_zone": "east"}
    bench.call(invocation)
    for _ in range(3):
        bench.end(ConnectFailed("refused", not_sent=True))
    first, second, *others = bench.asked
    assert {first, second} == {"tri://h1:1", "tri://h2:1"}
    assert set(others) <= {"tri://h3:1", "tri://h4:1"}


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    """One provider in each of two registries, and one in both."""
    config = {
        "registries": {
            "east": {"address": "memory://zone-east", "zone": "east"},
            "west": {"address": "memory://zone-west", "zone": "west"},
        },
        "references": {"foo": {"interface": "a.Foo", "registry": ["east", "west"], "cluster": "zone-aware"}},
    }
    with MemoryRegistry.named("zone-east") as east, MemoryRegistry.named("zone-west") as west:
        east.publish("a.Foo", ["tri://e:1", "tri://both:1"])
        west.publish("a.Foo", ["tri://w:1", "tri://both:1"])
        transport = ScriptedTransport(lambda attempt: attempt.provider.endpoint.host)
        with Consumer(config, transports={"tri": transport}) as made:
            yield made


def test_providers_know_the_registry_that_told_of_them(consumer: Consumer) -> None:
    """One that both list is the first one's."""
    hosts = set()
    for _ in range(50):
        CONTEXT.attachments["registry_zone"] = "east"
        hosts.add(consumer.reference("foo").find())
    assert hosts == {"e", "both"}
    CONTEXT.attachments["registry_zone"] = "west"
    assert consumer.reference("foo").find() == "w"
