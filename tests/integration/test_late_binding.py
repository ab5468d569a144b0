"""An attempt whose provider leaves the registry between the choice of it and the sending of the request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest
from support.dubbo_peer import wait_until

from callahead.consumer import Consumer, TransportError
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry.memory import MemoryRegistry, MemorySpace


class Leave:
    """An attempt observer in which the chosen provider leaves, and the directory hears of it."""

    scope = "attempt"
    inline = True
    leave: ClassVar[Callable[[], None]]

    def on_start(self, invocation: Any) -> None:
        Leave.leave()

    def on_end(self, token: Any, outcome: Any) -> None:
        return None


@pytest.fixture
def space() -> Iterator[MemorySpace]:
    """An empty memory registry."""
    with MemoryRegistry.named("late-binding") as made:
        yield made


def connections(consumer: Consumer, protocol: str) -> list[Any]:
    transport: Any = consumer._transports[protocol]
    pools = [transport._pool] if protocol == "dubbo" else transport._made()
    return [connection for pool in pools for connection in pool._shared.open()]


INTERFACE = "com.alibaba.foo.FooService"
MODULE = {"module": "callahead.conf.foo_pb2"}


@pytest.mark.parametrize(
    ("protocol", "settings"), [("dubbo", {}), ("tri", {}), ("tri", {"carrier": "http2"})], ids=["dubbo", "tri", "http2"]
)
def test_a_provider_that_has_left_gets_no_connection(
    space: MemorySpace, protocol: Any, settings: Mapping[str, Any]
) -> None:
    """The attempt ends as not sent, and nothing is kept for a provider that nobody would ever release."""
    types = {"generic": True} if protocol == "dubbo" else MODULE
    reference = {"interface": INTERFACE, "protocol": protocol, "registry": "main", "retries": 0, **types, **settings}
    with EmbeddedProvider(protocol=protocol) as provider:
        provider.serve(INTERFACE, **({} if protocol == "dubbo" else MODULE), findFoo=lambda *_: None)
        space.publish(INTERFACE, [provider.url])
        config = {
            "registries": {"main": {"address": "memory://late-binding"}},
            "references": {"foo": {**reference, "interceptors": [f"{__name__}:Leave"]}},
        }
        with Consumer(config) as consumer:
            foo = consumer.reference("foo")
            directory = consumer._pipelines["foo"].directory

            def leave() -> None:
                space.publish(INTERFACE, [])
                wait_until(lambda: not directory.providers)

            Leave.leave = leave
            with pytest.raises(TransportError) as caught:
                foo.findFoo(*((1,) if protocol == "dubbo" else ()))
            assert caught.value.not_sent
            assert connections(consumer, protocol) == []
