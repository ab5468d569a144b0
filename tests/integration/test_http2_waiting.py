"""Calls over HTTP/2 of our own that wait for a connection, where more is known of them than over grpcio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest

from callahead.consumer import CallTimeout, Consumer
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry.memory import MemoryRegistry, MemorySpace

SOON = 20.0

Greeting = Callable[..., Consumer]


@pytest.fixture
def carrier() -> str:
    """The carrier of all of them."""
    return "http2"


@pytest.fixture
def space() -> Iterator[MemorySpace]:
    """An empty memory registry."""
    with MemoryRegistry.named("http2-waiting") as made:
        yield made


def waiting(consumer: Consumer, **options: Any) -> Any:
    """Begin a call that waits for its provider."""
    stub = pb_grpc.GreeterStub(consumer.channel("greeter"))
    return stub.SayHello.future(pb.HelloRequest(name="Ann"), wait_for_ready=True, **options)


def test_a_call_that_has_waited_in_vain_was_not_sent(greeting: Greeting, closed_port: str) -> None:
    """Its error says why there was no connection."""
    with pytest.raises(CallTimeout, match="there is no connection: Connection refused") as caught:
        waiting(greeting(closed_port), timeout=0.4).result()
    assert caught.value.not_sent


def test_the_provider_leaves_while_a_call_waits(
    consume: Greeting, space: MemorySpace, closed_port: str, provider: EmbeddedProvider
) -> None:
    """The call goes to another, where it may be repeated: this one was not sent."""
    space.publish("helloworld.Greeter", [closed_port])
    reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "registry": "main", "retries": 1}
    registries = {"main": {"address": "memory://http2-waiting"}}
    consumer = consume({"registries": registries, "references": {"greeter": reference}})
    future = waiting(consumer, timeout=SOON)
    with pytest.raises(grpc.FutureTimeoutError):
        future.result(timeout=0.3)
    space.publish("helloworld.Greeter", [provider.url])
    assert future.result(SOON).message == "Hello, Ann"
