"""What travels beside a call, and what never does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callahead.consumer import AllAttemptsFailed, Consumer, LocalProtocolError, RemoteError, RpcContext
from callahead.consumer.testing import EmbeddedProvider, ProviderCall, ProviderProcess

CARRIERS = ("grpcio", "http2")

Consume = Callable[..., Consumer]


def test_attachments_travel_as_metadata(greeting: Consume, provider: EmbeddedProvider) -> None:
    """Text goes under its lowered key, bytes and other text under key-bin, with one call only."""
    greeter = greeting(provider.url).reference("greeter")
    context = RpcContext.get_context()
    context.attachments.update({"Trace-Id": "abc", "raw": b"\0\xff", "city": "Zürich", "x-bin": b"1"})
    greeter.say_hello(name="a")
    greeter.say_hello(name="b")
    first, second = provider.calls
    sent = {key: value for key, value in first.metadata.items() if key != "user-agent"}
    assert sent == {"trace-id": "abc", "raw-bin": b"\0\xff", "city-bin": "Zürich".encode(), "x-bin": b"1"}
    assert set(second.metadata) == {"user-agent"}


@pytest.mark.parametrize("key", ["async", "sent", "return", "retries", "tri-service-version", "grpc-timeout", "a b"])
def test_keys_that_never_travel(greeting: Consume, provider: EmbeddedProvider, key: str) -> None:
    """Call modes and the protocol's own keys are refused as attachments, before anything is sent."""
    greeter = greeting(provider.url).reference("greeter")
    RpcContext.get_context().attachments[key] = "1"
    with pytest.raises(LocalProtocolError, match=f'attachment "{key}" cannot travel as metadata') as caught:
        greeter.say_hello(name="a")
    assert caught.value.not_sent
    assert provider.count() == 0


def test_the_modes_of_a_call_stay_here(greeting: Consume, provider: EmbeddedProvider) -> None:
    """No setting of the call is on the wire."""
    methods = {"SayHello": {"async": True, "sent": True, "retries": 2, "timeout": 5000}}
    greeting(provider.url, methods=methods).reference("greeter").say_hello(name="a")
    RpcContext.get_context().get_future().result(5)
    assert set(provider.calls[0].metadata) == {"user-agent"}


def test_version_group_and_application(consume: Consume, provider: EmbeddedProvider) -> None:
    """The reference's version and group, and the program's name, go with every call, streams too."""
    reference = {"interface": "helloworld.Greeter", "module": "helloworld_pb2", "url": provider.url}
    config = {
        "application": {"name": "shop-web"},
        "references": {"greeter": {**reference, "version": "1.2", "group": "blue"}},
    }
    greeter = consume(config).reference("greeter")
    greeter.say_hello(name="a")
    list(greeter.spell_hello(name="a"))
    for call in provider.calls:
        assert call.metadata["tri-service-version"] == "1.2"
        assert call.metadata["tri-service-group"] == "blue"
        assert call.metadata["tri-consumer-appname"] == "shop-web"


@pytest.mark.parametrize("sent", [False, True])
def test_response_attachments(greeting: Consume, server: ProviderProcess, sent: bool) -> None:
    """Response metadata and trailers come back, text and bytes, in the context and on the future."""
    methods = {"SayHello": {"async": True, "sent": True}} if sent else {}
    greeter = greeting(server.url, methods=methods).reference("greeter")
    context = RpcContext.get_context()
    context.attachments.update({"x-a": "1", "x-raw": b"\0"})
    expected = {"y-first": "1", "y-x-a": "1", "y-x-raw-bin": b"\0", "y-last": "2"}
    future = greeter.say_hello.future(name="a")
    future.result(5)
    assert future.response_attachments == expected
    assert context.response_attachments == expected
    context.attachments.update({"x-a": "1", "x-raw": b"\0"})
    greeter.say_hello.sync(name="a")
    assert context.response_attachments == expected


def test_the_trailers_of_an_error(greeting: Consume, provider: EmbeddedProvider) -> None:
    """What a provider sends beside an error is in its details and in the context."""
    provider.script("SayHello", error=RemoteError("no", status="ABORTED", details={"x-why": "gone"}))
    with pytest.raises(RemoteError, match="ABORTED: no") as caught:
        greeting(provider.url).reference("greeter").say_hello(name="a")
    assert caught.value.details == {"x-why": "gone"}
    assert RpcContext.get_context().response_attachments == {"x-why": "gone"}


def test_the_deadline_on_the_wire_is_what_remains(
    greeting: Consume, make_provider: Callable[..., EmbeddedProvider]
) -> None:
    """A second attempt is given what the first has left of the total, and never more than the timeout of one."""
    seen: list[float] = []
    provider = make_provider()

    def handle(request: object, call: ProviderCall) -> dict[str, str]:
        remaining = call.time_remaining
        assert remaining is not None
        seen.append(remaining)
        if len(seen) == 1:
            call.wait(0.3)
            call.abort("UNAVAILABLE", "busy")
        return {"message": "done"}

    provider.serve("helloworld.Greeter", module="helloworld_pb2", SayHello=handle)
    settings = {"timeout": 1000, "total_timeout": 1100, "retries": 1, "idempotent": True}
    assert greeting(provider.url, **settings).reference("greeter").say_hello(name="a").message == "done"
    first, second = seen
    assert 0.8 < first <= 1.02
    assert 0.5 < second <= 0.82


def test_the_total_timeout_ends_a_late_attempt(greeting: Consume, provider: EmbeddedProvider) -> None:
    """An attempt cut short by the total says so, with both numbers and the line of the setting."""
    provider.script("SayHello", error="UNAVAILABLE", delay="200ms", times=1)
    provider.script("SayHello", hang=True)
    consumer = greeting(provider.url, timeout=400, total_timeout=500, retries=1, idempotent=True)
    with pytest.raises(AllAttemptsFailed, match="by the deadline") as caught:
        consumer.reference("greeter").say_hello.future(name="a").result(5)
    assert "total_timeout 500 ms, " in str(caught.value)
    assert f"{consumer.config.source}:" in str(caught.value)
