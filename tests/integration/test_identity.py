"""The group and version of the chosen provider, on real sockets, where the reference accepts several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from callahead.consumer import Consumer
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry.memory import MemoryRegistry, MemorySpace

CARRIERS = ("grpcio", "http2")

FOO = "com.alibaba.foo.FooService"
Consume = Callable[..., Consumer]


@pytest.fixture
def space() -> Iterator[MemorySpace]:
    with MemoryRegistry.named("identity") as made:
        yield made


def reference(interface: str, **settings: Any) -> dict[str, Any]:
    one = {"interface": interface, "registry": "main", "timeout": "5s", **settings}
    return {"registries": {"main": {"address": "memory://identity"}}, "references": {"foo": one}}


@pytest.mark.parametrize(("group", "version"), [("*", "*"), ("blue,green", "1.0,2.0")])
def test_a_dubbo_provider_is_asked_for_its_own_group_and_version(
    space: MemorySpace, consume: Consume, group: str, version: str
) -> None:
    """By a wildcard or a list it would not find its service."""
    with EmbeddedProvider(protocol="dubbo") as provider:
        provider.serve(FOO, {"findFoo": "found"}, group="green", version="2.0")
        space.publish(f"green/{FOO}:2.0", [provider.url])
        foo = consume(reference(FOO, protocol="dubbo", group=group, version=version)).reference("foo")

        assert "found" == foo.findFoo("x")


def test_a_tri_provider_is_told_its_own_group_and_version(space: MemorySpace, consume: Consume) -> None:
    """As headers, beside the name of the method."""
    with EmbeddedProvider() as provider:
        provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=lambda *_: None)
        space.publish(f"green/{FOO}:2.0", [f"{provider.url}?group=green&version=2.0"])
        settings = {"module": "callahead.conf.foo_pb2", "group": "*", "version": "1.0,2.0"}
        consume(reference(FOO, protocol="tri", **settings)).reference("foo").findFoo()

        told = dict(provider.calls[0].metadata)
        assert ("green", "2.0") == (told["tri-service-group"], told["tri-service-version"])


def test_a_dubbo_provider_that_changes_its_group_is_told_the_new_one(space: MemorySpace, consume: Consume) -> None:
    """What was made of the old one is made anew, over the same connection."""
    with EmbeddedProvider(protocol="dubbo") as provider:
        provider.serve(FOO, {"findFoo": "found"}, group="green")
        provider.serve(FOO, {"findFoo": "found, too"}, group="blue")
        space.publish(f"green/{FOO}", [provider.url])
        consumer = consume(reference(FOO, protocol="dubbo", group="*"))
        foo = consumer.reference("foo")
        assert "found" == foo.findFoo("x")
        space.publish(f"blue/{FOO}", [f"{provider.url}?group=blue"])
        space.withdraw(f"green/{FOO}")

        assert "found, too" == foo.findFoo("x")
        assert [1] == [one.connects for one in consumer.connections()]


def test_a_tri_provider_that_changes_its_group_is_told_the_new_one(space: MemorySpace, consume: Consume) -> None:
    """Likewise, over the same channel."""
    with EmbeddedProvider() as provider:
        provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=lambda *_: None)
        settings = {"module": "callahead.conf.foo_pb2", "group": "*"}
        space.publish(FOO, [f"{provider.url}?group=green"])
        foo = consume(reference(FOO, protocol="tri", **settings)).reference("foo")
        foo.findFoo()
        space.publish(FOO, [f"{provider.url}?group=blue"])
        foo.findFoo()

        assert ["green", "blue"] == [dict(call.metadata)["tri-service-group"] for call in provider.calls]
