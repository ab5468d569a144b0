"""What comes beside an answer, and how much of it there may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callahead.config.errors import ConfigError
from callahead.consumer import Consumer, LimitExceeded, RemoteError, RpcContext
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]
VIEWS: dict[str, Callable[[Any], Any]] = {
    "sync": lambda method: method.sync(name="a"),
    "future": lambda method: method.future(name="a").result(5),
}


def answer(size: int) -> Callable[..., Any]:
    """Make a handler that sends *size* bytes beside its answer."""

    def hello(request: Any, call: Any) -> dict[str, str]:
        call.response_attachments["big"] = "x" * size
        return {"message": request.name}

    return hello


@pytest.mark.parametrize("view", VIEWS)
def test_large_response_attachments(greeting: Greeting, view: str) -> None:
    """60 kB arrive by default, every time; grpcio's own limit is 8 kB, beyond which it refuses some."""
    with EmbeddedProvider() as provider:
        provider.serve("helloworld.Greeter", module="helloworld_pb2", SayHello=answer(60_000))
        method = greeting(provider.url).reference("greeter").say_hello
        for _ in range(5):
            VIEWS[view](method)
            assert len(RpcContext.get_context().response_attachments["big"]) == 60_000


@pytest.mark.parametrize("view", VIEWS)
def test_response_attachments_over_the_limit(greeting: Greeting, view: str) -> None:
    """Are this side's refusal, with the setting; the method has run."""
    with EmbeddedProvider() as provider:
        provider.serve("helloworld.Greeter", module="helloworld_pb2", SayHello=answer(5_000))
        method = greeting(provider.url, max_metadata_bytes="4KB").reference("greeter").say_hello
        with pytest.raises(
            LimitExceeded, match=r"the metadata of the answer have \d+ bytes, more than the 4\d+"
        ) as caught:
            VIEWS[view](method)
    assert (caught.value.is_remote, caught.value.not_sent, caught.value.in_doubt) == (False, False, True)
    assert "max_metadata_bytes allows (" in caught.value.message


def test_a_long_status_text(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """It comes whole, as the status that it is."""
    provider.script("SayHello", error=("NOT_FOUND", "x" * 30_000))
    with pytest.raises(RemoteError) as caught:
        greeting(provider.url).reference("greeter").say_hello(name="a")
    assert caught.value.status_text == "x" * 30_000


@pytest.mark.parametrize("attribute", ["group", "version"])
def test_a_name_that_is_not_ascii(greeting: Greeting, provider: EmbeddedProvider, attribute: str) -> None:
    """Is refused when the reference is made, at its line."""
    consumer = greeting(provider.url, **{attribute: "blå"})
    for make in (consumer.reference, consumer.channel):
        with pytest.raises(ConfigError, match=rf'yml:\d+: references\.greeter\.{attribute}: "blå" is not printable'):
            make("greeter")


def test_an_application_that_is_not_ascii(consume: Greeting, provider: EmbeddedProvider) -> None:
    """Likewise."""
    reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": provider.url}
    consumer = consume({"application": {"name": "bücher"}, "references": {"greeter": reference}})
    with pytest.raises(ConfigError, match='application.name: "bücher" is not printable ASCII'):
        consumer.reference("greeter")
