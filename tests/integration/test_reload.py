"""`Consumer.reload` with real servers: addresses, streams, stubs on a channel, and objects of this program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
import tri_providers
import yaml
from support.shop import Background

from callahead.config.errors import ConfigError
from callahead.consumer import Consumer
from callahead.consumer.testing import EmbeddedProvider


def edit(consumer: Consumer, **settings: Any) -> tuple[str, ...]:
    """Give the reference other settings in its file, and let the consumer read that again."""
    file = Path(consumer.config.source)
    config = yaml.safe_load(file.read_text())
    config["references"]["greeter"] |= settings
    file.write_text(yaml.safe_dump(config))
    return consumer.reload()


@pytest.fixture
def servers() -> Iterator[list[EmbeddedProvider]]:
    """Two of them; the first takes half a second for a greeting."""
    with ExitStack() as opened:
        yield [opened.enter_context(tri_providers.slow_greeter(delay)) for delay in ("500ms", "0ms")]


def test_addresses_move_and_no_call_fails(greeting: Callable[..., Consumer], servers: list[EmbeddedProvider]) -> None:
    """Those that run end where they are; those that begin go to the new address."""
    old, new = servers
    consumer = greeting(old.url)
    greeter = consumer.reference("greeter")
    running = [greeter.say_hello.future(name=str(number)) for number in range(20)]
    assert edit(consumer, url=[new.url]) == ("greeter",)
    late = [greeter.say_hello.future(name=str(number)) for number in range(20)]
    assert [future.result(20).message for future in late] == [f"Hello, {number}" for number in range(20)]
    assert not all(future.done() for future in running)
    assert [future.result(20).message for future in running] == [f"Hello, {number}" for number in range(20)]
    assert {future.record.endpoint for future in running} == {old.url}
    assert {future.record.endpoint for future in late} == {new.url}


def test_moving_to_and_fro_under_load_fails_no_call(greeting: Callable[..., Consumer]) -> None:
    """However the moment falls between the choice of a provider and the sending."""
    with tri_providers.greeter() as one, tri_providers.greeter() as two:
        consumer = greeting(one.url)
        hello, over = consumer.reference("greeter").say_hello, threading.Event()

        def call() -> int:
            made = 0
            while not over.is_set():
                assert hello(name="Ann").message == "Hello, Ann"
                made += 1
            return made

        callers = [Background(call) for _ in range(3)]
        for number in range(30):
            edit(consumer, url=[(two, one)[number % 2].url], timeout=5000 + number)
        over.set()
        assert sum(caller.join() for caller in callers) > 0


def test_stubs_and_streams_obey_the_other_configuration(
    greeting: Callable[..., Consumer], servers: list[EmbeddedProvider]
) -> None:
    """A generated stub that was made before goes by it, and so does a stream; what it cannot obey is refused."""
    slow, quick = servers
    consumer = greeting(slow.url)
    stub = pb_grpc.GreeterStub(consumer.channel("greeter"))
    greeter = consumer.reference("greeter")
    assert [one.message for one in stub.SpellHello(pb.HelloRequest(name="ab"))] == ["Hello, a", "Hello, b"]
    assert [one.message for one in greeter.spell_hello(name="ab")] == ["Hello, a", "Hello, b"]

    edit(consumer, url=[quick.url], timeout=4321)
    assert stub.SayHello(pb.HelloRequest(name="Ann")).message == "Hello, Ann"
    assert [one.message for one in greeter.spell_hello(name="a")] == ["Hello, a"]
    assert (greeter.say_hello.policy.timeout_ms, greeter.spell_hello.policy.timeout_ms) == (4321, 4321)

    with pytest.raises(ConfigError, match=r"consumer0\.yml:\d+: .*loadbalance: is read when a method that streams"):
        edit(consumer, loadbalance="roundrobin")
    edit(consumer, loadbalance="random")
    with pytest.raises(ConfigError, match='a streaming method cannot have "async: true"'):
        edit(consumer, methods={"SpellHello": {"async": True}})
    with pytest.raises(ConfigError, match='"say_hello" and "SayHello" are one method'):
        edit(consumer, methods={"SayHello": {"timeout": 5}, "say_hello": {"timeout": 6}})
    with pytest.raises(ConfigError, match="SayHelo"):
        edit(consumer, methods={"SayHelo": {"timeout": 5}})
    assert greeter.say_hello.policy.timeout_ms == 4321


class Shop:
    def greet(self, name: str) -> str:
        return f"Hello, {name}"


def test_a_wrapped_client_stays() -> None:
    """The configuration does not name it, and so cannot take it away."""
    config = {"references": {"shop": {"protocol": "python", "timeout": 1000}}}
    with Consumer(config) as consumer:
        shop = consumer.wrap("shop", Shop())
        assert shop.greet("Ann") == "Hello, Ann"
        config["references"]["shop"]["timeout"] = 2000
        assert consumer.reload(config) == ("shop",)
        assert (shop.greet("Bob"), shop.greet.policy.timeout_ms) == ("Hello, Bob", 2000)
        assert consumer.reference("shop") is shop
