"""A connection that was lost comes about again before a call asks for it, over `dubbo` and HTTP/2 of our own."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from support.dubbo_peer import wait_until
from support.http2_frames import goaway
from support.http2_peer import Line, answering, http2_peer

from callahead.consumer import ConnectFailed, Consumer
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry.memory import MemoryRegistry, MemorySpace

NAME = "com.alibaba.bar.BarService"
PROTOCOLS: tuple[Literal["dubbo", "tri"], ...] = ("dubbo", "tri")
SETTINGS: dict[str, dict[str, Any]] = {
    "dubbo": {"protocol": "dubbo", "methods": {"touch": {"parameter_types": []}}},
    "tri": {"protocol": "tri", "carrier": "http2", "module": "callahead.conf.bar_pb2"},
}


def served(protocol: Literal["dubbo", "tri"]) -> EmbeddedProvider:
    """Make a provider of that protocol, whose one method answers."""
    provider = EmbeddedProvider(protocol=protocol)
    if protocol == "dubbo":
        provider.serve(NAME, touch="touched")
    else:
        provider.serve(NAME, module="callahead.conf.bar_pb2", touch={})
    return provider


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> Literal["dubbo", "tri"]:
    """Each protocol that connects by itself."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def provider(protocol: Literal["dubbo", "tri"]) -> Iterator[EmbeddedProvider]:
    """One that runs."""
    with served(protocol) as made:
        yield made


@pytest.fixture
def calling(consume: Callable[..., Consumer], protocol: str) -> Callable[..., Consumer]:
    """Make a consumer with the one reference ``bar``; keywords are settings of it."""

    def make(*urls: str, registries: dict[str, Any] | None = None, **more: Any) -> Consumer:
        where = {"url": list(urls)} if urls else {"registry": "main"}
        bar = {"interface": NAME, "timeout": 10_000, "retries": 0, **SETTINGS[protocol], **where, **more}
        return consume({"references": {"bar": bar}, **({"registries": registries} if registries else {})})

    return make


def touch(consumer: Consumer) -> None:
    """Call once."""
    consumer.reference("bar").touch()


def is_open(consumer: Consumer) -> list[bool]:
    return [counts.is_open for counts in consumer.connections()]


def connects(consumer: Consumer) -> int:
    return sum(counts.connects for counts in consumer.connections())


def test_the_first_call_after_a_restart_finds_a_connection(
    calling: Callable[..., Consumer], provider: EmbeddedProvider
) -> None:
    """The provider, which was killed, has it though nobody has called since."""
    consumer = calling(provider.url)
    touch(consumer)
    provider.kill()
    wait_until(lambda: is_open(consumer) == [False])
    provider.restart()
    wait_until(lambda: is_open(consumer) == [True])
    touch(consumer)
    assert (connects(consumer), provider.count("touch")) == (2, 2)


def test_a_provider_that_is_back_is_passed_over_no_longer(
    calling: Callable[..., Consumer], provider: EmbeddedProvider
) -> None:
    """No call has to try it."""
    consumer = calling(provider.url)
    touch(consumer)
    provider.kill()
    wait_until(lambda: is_open(consumer) == [False])
    with pytest.raises(ConnectFailed):
        touch(consumer)
    (kept,) = consumer._pipelines["bar"].directory.providers
    assert kept.unhealthy_until > 0
    provider.restart()
    wait_until(lambda: kept.unhealthy_until == 0.0)
    assert is_open(consumer) == [True]


def test_a_provider_that_could_not_be_reached_is_dialled_until_it_is(
    calling: Callable[..., Consumer], provider: EmbeddedProvider
) -> None:
    """Though the one call that has asked for it failed."""
    provider.kill()
    consumer = calling(provider.url)
    with pytest.raises(ConnectFailed):
        touch(consumer)
    provider.restart()
    wait_until(lambda: (is_open(consumer), connects(consumer)) == ([True], 1))
    assert provider.count("touch") == 0


def test_what_no_call_has_used_is_not_dialled(calling: Callable[..., Consumer], provider: EmbeddedProvider) -> None:
    """A reference alone makes no connection, and of two connections a call makes its own."""
    consumer = calling(provider.url, connections=2)
    consumer.reference("bar")
    assert consumer.connections() == ()
    touch(consumer)
    provider.kill()
    wait_until(lambda: not any(is_open(consumer)))
    provider.restart()
    wait_until(lambda: any(is_open(consumer)))
    assert sorted(is_open(consumer)) == [False, True]


@pytest.fixture
def space() -> Iterator[MemorySpace]:
    """An empty memory registry."""
    with MemoryRegistry.named("redial") as made:
        yield made


def test_a_provider_that_has_left_is_not_dialled(
    calling: Callable[..., Consumer], provider: EmbeddedProvider, space: MemorySpace
) -> None:
    """Though its connection was lost before, and something listens there again."""
    space.publish(NAME, [provider.url])
    consumer = calling(registries={"main": {"address": "memory://redial"}})
    touch(consumer)
    provider.kill()
    wait_until(lambda: is_open(consumer) == [False])
    space.publish(NAME, [])
    wait_until(lambda: consumer.connections() == ())
    host, _, port = provider.address.rpartition(":")
    with socket.create_server((host, int(port))) as listener:
        listener.settimeout(0.5)  # of waits that begin with a tenth of a second
        with pytest.raises(TimeoutError):
            listener.accept()


def test_after_a_goodbye_there_is_a_new_connection(consume: Callable[..., Consumer]) -> None:
    """One that ends while no call runs, as a provider that stops does; the next call is the first on the new one."""
    lines = itertools.count(1)

    def serve(line: Line) -> None:
        if next(lines) > 1:
            answering(line)
        line.answer(line.request())
        line.send(goaway(1))
        line.wait_closed()

    reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "carrier": "http2", "timeout": 10_000}
    with http2_peer(serve) as peer:
        consumer = consume({"references": {"greeter": {**reference, "url": peer.url}}})
        assert consumer.reference("greeter").say_hello(name="Ann").message == "hello"
        wait_until(lambda: connects(consumer) == 2)
        assert consumer.reference("greeter").say_hello(name="Bob").message == "hello"
        assert connects(consumer) == 2
