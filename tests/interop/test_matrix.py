"""Every wire in every mode: each combination is one test, named by both."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from callahead.consumer import CallTimeout, Consumer, NoFutureError, RemoteError, RpcContext
from tests.interop.conftest import Consume, Providers
from tests.interop.peers import Peer, peer_of, until
from tests.interop.services import Address, Color, Wide
from tests.interop.test_types import WIDE
from tests.interop.wires import ALL_WIRES, Wire

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("bound")]

Open = Callable[..., Consumer]
TEXT = "caf\N{LATIN SMALL LETTER E WITH ACUTE} \u4f60\u597d \N{GRINNING FACE}"


@pytest.fixture(params=ALL_WIRES, ids=lambda wire: wire.name)
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each wire, protobuf included."""
    found: Wire = request.param
    return found


@pytest.fixture
def peer(wire: Wire, providers: Providers) -> Peer:
    """The provider of the wire."""
    return peer_of(wire, providers(wire.version))


@pytest.fixture
def connect(peer: Peer, consume: Consume) -> Open:
    """Make a connected consumer of the peer; keywords are defaults of all references."""

    def make(**defaults: Any) -> Consumer:
        consumer = consume(peer.references(), **defaults)
        peer.warm(consumer)
        return consumer

    return make


def test_sync(peer: Peer, connect: Open) -> None:
    """A synchronous call waits and gives the value; it has no future, and the error says why."""
    consumer = connect()
    began = time.monotonic()
    assert peer.text_of(peer.echo_after(consumer, TEXT, 200)) == TEXT
    assert 0.2 <= time.monotonic() - began < 2
    context = RpcContext.get_context()
    with pytest.raises(NoFutureError, match="was synchronous"):
        context.get_future()
    assert context.last_call is not None
    assert context.last_call.attempts == 1


def test_async(peer: Peer, connect: Open) -> None:
    """Asynchronous calls return None at once, run at the same time, and each one's answer is in its own future."""
    consumer = connect(**{"async": True})
    began = time.monotonic()
    futures = []
    for text, delay in (("first", 600), ("second", 500)):
        assert peer.echo_after(consumer, text, delay) is None
        futures.append(RpcContext.get_context().get_future())
    assert time.monotonic() - began < 0.4
    assert [peer.text_of(future.result(5)) for future in futures] == ["first", "second"]
    assert 0.6 <= time.monotonic() - began < 1.0


def test_sent(peer: Peer, connect: Open) -> None:
    """With sent the call returns once it is written, long before the answer."""
    consumer = connect(**{"async": True, "sent": True})
    began = time.monotonic()
    assert peer.echo_after(consumer, TEXT, 600) is None
    assert time.monotonic() - began < 0.5
    future = RpcContext.get_context().get_future()
    assert not future.done()
    assert future.record.is_sent
    assert peer.text_of(future.result(5)) == TEXT
    assert time.monotonic() - began >= 0.6


@pytest.mark.parametrize("sent", [False, True], ids=["not-sent", "sent"])
def test_one_way(peer: Peer, connect: Open, sent: bool) -> None:
    """A one-way call gives None and no future, and the provider has run it."""
    consumer = connect(**{"return": False, "sent": sent})
    key = uuid.uuid4().hex
    before = peer.count(consumer, key)
    for _ in range(3):
        assert peer.touch(consumer, key) is None
        assert RpcContext.get_context().future is None
    assert until(lambda: peer.count(consumer, key) - before >= 3)


def test_timeout(peer: Peer, connect: Open) -> None:
    """A late answer is a timeout by the call's own deadline, in doubt; the next call gets its own answer."""
    consumer = connect(timeout=250)
    began = time.monotonic()
    with pytest.raises(CallTimeout, match=r"no answer within 250 ms \(timeout 250 ms, ") as caught:
        peer.echo_after(consumer, "late", 500)
    assert 0.25 <= time.monotonic() - began < 0.45
    assert (caught.value.in_doubt, caught.value.not_sent, caught.value.is_remote) == (True, False, False)
    time.sleep(0.3)  # the late answer comes
    assert peer.text_of(peer.echo_after(consumer, "next", 0)) == "next"


def test_timeout_of_an_async_call(peer: Peer, connect: Open) -> None:
    """An asynchronous call times out in its future, at the same time."""
    consumer = connect(**{"async": True, "timeout": 250})
    began = time.monotonic()
    assert peer.echo_after(consumer, "late", 500) is None
    assert isinstance(RpcContext.get_context().get_future().exception(2), CallTimeout)
    assert 0.25 <= time.monotonic() - began < 0.45


def check_business_error(wire: Wire, error: BaseException | None) -> None:
    """A `RemoteError` with what the provider's code threw."""
    assert isinstance(error, RemoteError)
    assert "out of stock" in error.message
    assert error.is_remote
    if wire.is_protobuf:
        assert error.type_name == "UNKNOWN"
        return
    assert error.type_name == "org.callahead.interop.BusinessException"
    assert error.message == "org.callahead.interop.BusinessException: out of stock"
    assert error.details["message"] == "out of stock"
    assert error.details["fields"] == {"code": 42, "details": {"where": "provider", "why": "asked for"}}
    frame = error.details["stack"][0]
    assert (frame.java_class, frame.method) == ("org.callahead.interop.service.ExceptionProvider", "declared")


def test_business_exception(wire: Wire, peer: Peer, connect: Open) -> None:
    """What the provider throws is raised, never tried again."""
    consumer = connect(retries=2)
    with pytest.raises(RemoteError) as caught:
        peer.fail(consumer, "out of stock")
    check_business_error(wire, caught.value)
    assert caught.value.attempt == 1


def test_business_exception_of_an_async_call(wire: Wire, peer: Peer, connect: Open) -> None:
    """For an asynchronous call it is in the future."""
    consumer = connect(**{"async": True})
    assert peer.fail(consumer, "out of stock") is None
    check_business_error(wire, RpcContext.get_context().get_future().exception(5))


def test_attachments(peer: Peer, connect: Open) -> None:
    """Attachments reach the provider's code with that call alone, and what it answers beside the value comes back."""
    consumer = connect(parameters={"x-channel": "web"})
    context = RpcContext.get_context()
    context.attachments["x-trace"] = "t-1"
    seen = peer.seen_in(peer.seen(consumer))
    assert (seen["x-trace"], seen["x-channel"]) == ("t-1", "web")
    assert context.response_attachments["reply-x-trace"] == "t-1"
    assert context.response_attachments["reply-x-channel"] == "web"
    assert not seen.keys() & {"async", "sent", "return", "retries"}
    assert "x-trace" not in peer.seen_in(peer.seen(consumer))


def test_attachments_of_an_async_call(peer: Peer, connect: Open) -> None:
    """For an asynchronous call both are in its future, and no flag of this side has travelled."""
    consumer = connect(**{"async": True})
    RpcContext.get_context().attachments["x-trace"] = "t-2"
    assert peer.seen(consumer) is None
    future = RpcContext.get_context().get_future()
    seen = peer.seen_in(future.result(5))
    assert seen["x-trace"] == "t-2"
    assert future.response_attachments["reply-x-trace"] == "t-2"
    assert not seen.keys() & {"async", "sent", "return", "retries"}


def test_types(wire: Wire, providers: Providers, consume: Consume) -> None:
    """A value of many fields is the same there and back; test_types.py has every type."""
    provider = providers(wire.version)
    if wire.is_protobuf:
        greeter = consume({"greeter": wire.greeter(provider)}).reference("greeter")
        reply = greeter.say_hello({"name": TEXT, "repeat": 2, "delay_ms": 0})
        assert reply.message == f"Hello, {TEXT}" * 2
        assert reply.calls > 0
        large = greeter.say_hello(name="x" * 1_000_000)
        assert len(large.message) == 1_000_007
        return
    echo = consume({"echo": wire.java(provider, "EchoService")}).reference("echo")
    answer = echo.echo_wide(WIDE)
    assert answer == WIDE
    assert isinstance(answer, Wide)
    assert (answer.color, answer.address) == (Color.GREEN, Address("Unter den Linden 1", 10117))
