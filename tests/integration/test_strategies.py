"""Clusters on real sockets: what nothing is over each transport, what streams refuse, who is cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from callahead.consumer import ConfigError, Consumer
from callahead.consumer.codec.hessian2 import Long
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]


class Stock(Protocol):
    """A Java interface."""

    def count(self, article_id: Long) -> int: ...
    def articles(self) -> list[str]: ...
    def name(self) -> str: ...
    def find(self) -> object: ...


@pytest.mark.parametrize("cluster", ["failsafe", "failback"])
def test_nothing_over_tri_is_an_empty_message(greeting: Greeting, closed_port: str, cluster: str) -> None:
    """So that what reads a field of the answer goes on."""
    consumer = greeting(closed_port, methods={"SayHello": {"cluster": cluster}})
    assert consumer.reference("greeter").say_hello(name="Ann").message == ""


@pytest.mark.parametrize("cluster", ["failsafe", "failback"])
def test_nothing_over_dubbo_is_the_empty_value_of_the_type(
    consume: Callable[..., Consumer], closed_port: str, cluster: str
) -> None:
    """As Dubbo answers; None for an object."""
    url = closed_port.replace("tri:", "dubbo:")
    stock = {"interface": "a.Stock", "url": url, "stub": f"{__name__}:Stock", "cluster": cluster}
    foo = consume({"references": {"stock": stock}}).reference("stock")
    assert (foo.count(1), foo.articles(), foo.name(), foo.find()) == (0, [], "", None)


def test_nothing_of_a_client_of_this_process_is_none(consume: Callable[..., Consumer]) -> None:
    """What it listed as a failure; anything else that it raises is its answer."""

    class Client:
        def get(self) -> str:
            raise OSError("down")

        def put(self) -> str:
            raise KeyError("no")

    settings = {"protocol": "python", "cluster": "failsafe", "retry_on": "builtins:OSError"}
    client = consume({"references": {"s": settings}}).wrap("s", Client())
    assert client.get() is None
    with pytest.raises(KeyError):
        client.put()


@pytest.mark.parametrize("cluster", ["failsafe", "failback", "forking", "broadcast", "mergeable"])
def test_a_stream_is_refused_when_the_reference_is_made(
    greeting: Greeting, provider: EmbeddedProvider, cluster: str
) -> None:
    """With file and line, and what to do."""
    consumer = greeting(provider.url, cluster=cluster, idempotent=True)
    with pytest.raises(ConfigError, match=rf"yml:\d+: .*{cluster} cannot serve \w+, which streams .*failover for"):
        consumer.reference("greeter")


def test_streams_go_on_beside_methods_with_such_a_cluster(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """It is a matter of each method."""
    consumer = greeting(provider.url, methods={"SayHello": {"cluster": "failsafe"}})
    greeter = consumer.reference("greeter")
    assert "".join(answer.message for answer in greeter.spell_hello(name="Ann")) == "Ann"
    assert greeter.say_hello(name="Ann").message == "Hello, Ann"


def test_forking_takes_the_quick_answer(
    greeting: Greeting, provider: EmbeddedProvider, other_provider: EmbeddedProvider
) -> None:
    """The slow one's attempt is cancelled, and its connection lives on."""
    provider.script("SayHello", delay="3s", times=1)
    methods = {"SayHello": {"cluster": "forking", "forks": 0, "idempotent": True}}
    consumer = greeting(provider.url, other_provider.url, methods=methods)
    began = time.monotonic()
    assert consumer.reference("greeter").say_hello(name="Ann").message == "Hello, Ann"
    assert time.monotonic() - began < 2.5
    assert consumer.counts()["greeter"]["SayHello"].cluster["cancelled"] == 1
    assert consumer.reference("greeter").say_hello(name="Bob").message == "Hello, Bob"


@pytest.mark.parametrize("settings", [{}, {"async": True}])
def test_a_hedge_answers_for_a_slow_provider(
    greeting: Greeting, provider: EmbeddedProvider, other_provider: EmbeddedProvider, settings: dict[str, Any]
) -> None:
    """Whichever of the two is asked first."""
    for slow in (provider, other_provider):
        slow.script("SayHello", delay="3s", times=1)
    methods = {"SayHello": {"idempotent": True, "hedge": {"after": "50ms"}, **settings}}
    consumer = greeting(provider.url, other_provider.url, methods=methods)
    method = consumer.reference("greeter").say_hello
    futures = [method.future(name="Ann") for _ in range(4)]
    assert {future.result(10).message for future in futures} == {"Hello, Ann"}
    counts = consumer.counts()["greeter"]["SayHello"]
    assert counts.attempts == 4 + counts.cluster["hedges"]
    assert counts.cluster["hedges"] >= 1
