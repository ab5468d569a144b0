"""Faults of real peers: what each becomes, whether the request can have arrived, and that it takes bounded time.

Over grpcio they hold the texts that `callahead.consumer.transport.tri.status` looks for against the installed one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import tri_peers
from support.tri_peers import Peer

from callahead.consumer import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    Consumer,
    ConsumerClosed,
    LimitExceeded,
    Rejected,
    RemoteError,
    RemoteProtocolError,
    RpcContext,
    RpcError,
    SerializationError,
    TransportError,
)
from callahead.consumer.testing import EmbeddedProvider, ProviderProcess

CARRIERS = ("grpcio", "http2")

Greeting = Callable[..., Consumer]
VIEWS = ["sync", "future", "sent"]
BROKEN = {"grpcio": "the connection broke under the call", "http2": "the connection broke"}
MUTE = {
    "grpcio": "there is no connection: nobody answers there, or not as gRPC does",
    "http2": "the connection is being made, and the provider has yet to say a word of HTTP/2, as gRPC does at once",
}


def call(consumer: Consumer, view: str, name: str = "Ann") -> Any:
    """Call by one of three ways through the transport: blocking, pending, and as a stream that tells of "sent"."""
    method = consumer.reference("greeter").say_hello
    if view == "sync":
        return method.sync(name=name)
    if view == "future":
        return method.future(name=name).result(10)
    assert method(name=name) is None
    return RpcContext.get_context().get_future().result(10)


def consumer_for(view: str, greeting: Greeting, *urls: str, **settings: Any) -> Consumer:
    """Make a consumer whose plain call is what *view* needs."""
    methods = {"SayHello": {"async": True, "sent": True}} if view == "sent" else {}
    return greeting(*urls, methods=methods, **settings)


def line_of(consumer: Consumer, key: str) -> str:
    """Find where the YAML sets *key*."""
    lines = Path(consumer.config.source).read_text().splitlines()
    return f"{consumer.config.source}:{next(number for number, line in enumerate(lines, 1) if f'{key}:' in line)}"


STATUSES: dict[str, tuple[type[RpcError], str, bool]] = {
    "CANCELLED": (RemoteError, "CANCELLED: because", False),
    "UNKNOWN": (RemoteError, "UNKNOWN: because", False),
    "INVALID_ARGUMENT": (RemoteError, "INVALID_ARGUMENT: because", False),
    "DEADLINE_EXCEEDED": (CallTimeout, "the provider said DEADLINE_EXCEEDED: because", True),
    "NOT_FOUND": (RemoteError, "NOT_FOUND: because", False),
    "ALREADY_EXISTS": (RemoteError, "ALREADY_EXISTS: because", False),
    "PERMISSION_DENIED": (Rejected, "PERMISSION_DENIED: because", False),
    "RESOURCE_EXHAUSTED": (LimitExceeded, "the provider refused: because", True),
    "FAILED_PRECONDITION": (RemoteError, "FAILED_PRECONDITION: because", False),
    "ABORTED": (RemoteError, "ABORTED: because", False),
    "OUT_OF_RANGE": (RemoteError, "OUT_OF_RANGE: because", False),
    "UNIMPLEMENTED": (RemoteProtocolError, "the provider does not have this method: because", False),
    "INTERNAL": (RemoteError, "INTERNAL: because", False),
    "UNAVAILABLE": (TransportError, "UNAVAILABLE: because", True),
    "DATA_LOSS": (RemoteError, "DATA_LOSS: because", False),
    "UNAUTHENTICATED": (Rejected, "UNAUTHENTICATED: because", False),
}


def test_every_status_of_grpc_is_listed() -> None:
    """A status that gRPC adds fails here."""
    assert set(STATUSES) == {code.name for code in grpc.StatusCode} - {"OK"}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("status", STATUSES)
def test_each_status_of_a_provider(greeting: Greeting, provider: EmbeddedProvider, status: str, view: str) -> None:
    """Each status that a provider gives becomes its error, with its text, and is never taken for "not sent"."""
    provider.script("SayHello", error=(status, "because"))
    with pytest.raises(RpcError) as caught:
        call(consumer_for(view, greeting, provider.url), view)
    error = caught.value
    kind, message, in_doubt = STATUSES[status]
    assert type(error) is kind
    assert error.message == message
    assert (error.status, error.status_text) == (status, "because")
    assert (error.not_sent, error.in_doubt) == (False, in_doubt)
    assert (error.reference, error.method, error.endpoint) == ("greeter", "SayHello", provider.url)
    assert error.attempt == 1
    assert error.elapsed_ms > 0


@pytest.mark.parametrize("view", VIEWS)
def test_a_refused_connection(greeting: Greeting, closed_port: str, view: str) -> None:
    """A closed port fails at once and surely before anything was sent."""
    with pytest.raises(ConnectFailed, match=r"no connection: .*Connection refused") as caught:
        call(consumer_for(view, greeting, closed_port), view)
    assert (caught.value.not_sent, caught.value.in_doubt) == (True, False)


@pytest.mark.parametrize("view", VIEWS)
def test_a_name_that_does_not_resolve(greeting: Greeting, view: str) -> None:
    """A host without an address fails as not connected, by its name."""
    with pytest.raises(ConnectFailed, match=r"no-such-host\.invalid") as caught:
        call(consumer_for(view, greeting, "tri://no-such-host.invalid:50051"), view)
    assert caught.value.not_sent


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("serve", "text"), [(tri_peers.http1, "answers like HTTP/1"), (tri_peers.noise, "HTTP/2")])
def test_a_peer_that_speaks_something_else(
    greeting: Greeting, serve: Callable[[Any], None], text: str, view: str
) -> None:
    """A web server, or noise, is no connection; the message says what was wrong with it."""
    with Peer(serve) as peer, pytest.raises(ConnectFailed, match=text) as caught:
        call(consumer_for(view, greeting, peer.url), view)
    assert caught.value.not_sent


@pytest.mark.parametrize("view", VIEWS)
def test_a_mute_peer(greeting: Greeting, view: str, carrier: str) -> None:
    """A peer that accepts and never speaks costs the timeout and no more.

    It got nothing, as is always known over http2, and over grpcio by "sent".
    """
    is_known = carrier == "http2" or view == "sent"
    with Peer(tri_peers.mute) as peer:
        # The attempt has its own time, however long a busy machine takes to begin it.
        consumer = consumer_for(view, greeting, peer.url, timeout=300, total_timeout="30s")
        began = time.monotonic()
        with pytest.raises(CallTimeout) as caught:
            call(consumer, view)
        assert time.monotonic() - began > 0.25
        what = "the request was not sent" if is_known else "no answer"
        within = f"{what} within 300 ms (timeout 300 ms, {line_of(consumer, 'timeout')})"
        assert caught.value.message.startswith(f"{within}; {MUTE[carrier]} (")
        assert f"protocol tri, {line_of(consumer, 'url')}" in caught.value.message
        assert caught.value.not_sent is is_known
        assert caught.value.in_doubt is not is_known


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("then", [tri_peers.hang_up, tri_peers.reset, tri_peers.noise])
def test_a_peer_that_breaks_after_the_request(
    greeting: Greeting, then: Callable[[Any], None], view: str, carrier: str
) -> None:
    """A connection that breaks once the request is there leaves the call in doubt, and is not tried again."""
    requests: list[float] = []

    def note(connection: Any) -> None:
        requests.append(time.monotonic())
        if then is tri_peers.noise:
            connection.sendall(bytes(range(256)) * 16)
            tri_peers.mute(connection)
        else:
            then(connection)

    with Peer(tri_peers.after_request(note)) as peer:
        with pytest.raises(ConnectionLost, match=f"{BROKEN[carrier]}: ") as caught:
            call(consumer_for(view, greeting, peer.url, retries=2), view)
        assert (caught.value.not_sent, caught.value.in_doubt) == (False, True)
        assert len(requests) == 1


@pytest.mark.parametrize(("code", "name"), [(2, "INTERNAL_ERROR"), (7, "REFUSED_STREAM"), (8, "CANCEL")])
def test_a_reset_stream(greeting: Greeting, code: int, name: str, carrier: str) -> None:
    """A stream that the peer resets is a transport error and no answer of the method.

    It is in doubt, unless the peer has refused it, which grpcio does not tell apart.
    """
    is_refused = carrier == "http2" and name == "REFUSED_STREAM"
    why = f".*error code {code}" if carrier == "grpcio" else name
    text = (
        "the provider refused the call before it looked at it"
        if is_refused
        else f"the provider reset the stream: {why}"
    )

    def reset(connection: Any) -> None:
        connection.sendall(b"\0\0\x04\x03\0\0\0\0\x01" + code.to_bytes(4, "big"))
        tri_peers.mute(connection)

    with Peer(tri_peers.after_request(reset)) as peer:
        with pytest.raises(TransportError, match=text) as caught:
            call(greeting(peer.url), "sync")
        assert (caught.value.not_sent, caught.value.in_doubt) == (is_refused, not is_refused)


@pytest.mark.parametrize("view", VIEWS)
def test_a_killed_provider(greeting: Greeting, own_server: Callable[..., ProviderProcess], view: str) -> None:
    """SIGKILL of the provider under the call is a lost connection, in doubt, at once."""
    process = own_server("slow_greeter", "30s")
    consumer = consumer_for(view, greeting, process.url)
    method = consumer.reference("greeter").say_hello
    future = method.future(name="Ann")
    timer = threading.Timer(0.3, process.kill)
    timer.start()
    with pytest.raises(ConnectionLost) as caught:
        future.result(10) if view == "future" else call(consumer, view)
    timer.join()
    assert (caught.value.not_sent, caught.value.in_doubt) == (False, True)


def test_a_paused_provider(greeting: Greeting, own_server: Callable[..., ProviderProcess]) -> None:
    """A provider that stands still costs the timeout, and answers again once it goes on."""
    process = own_server("greeter")
    greeter = greeting(process.url, timeout=300).reference("greeter")
    assert greeter.say_hello.with_options(timeout=5000)(name="Ann").message == "Hello, Ann"
    process.pause()
    try:
        with pytest.raises(CallTimeout) as caught:
            greeter.say_hello(name="Ann")
    finally:
        process.resume()
    assert caught.value.in_doubt
    assert greeter.say_hello.with_options(timeout=5000)(name="Ann").message == "Hello, Ann"


@pytest.mark.slow
def test_a_provider_that_comes_back(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """After a crash calls fail as not connected, and after the restart they succeed again, on the same reference."""
    greeter = greeting(provider.url).reference("greeter")
    assert greeter.say_hello(name="Ann").message == "Hello, Ann"
    provider.kill()
    with pytest.raises(TransportError):
        greeter.say_hello(name="Ann")
    with pytest.raises(ConnectFailed) as caught:
        greeter.say_hello(name="Ann")
    assert caught.value.not_sent
    provider.restart()
    deadline = time.monotonic() + 15
    while True:
        try:
            assert greeter.say_hello(name="Ann").message == "Hello, Ann"
            break
        except ConnectFailed:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_graceful_stop(greeting: Greeting, raw_server: Callable[..., str]) -> None:
    """A server that stops gracefully (GOAWAY) answers what runs; the next call is not connected."""
    begun, go = threading.Event(), threading.Event()

    def handle(request: bytes, _: Any) -> bytes:
        begun.set()
        go.wait(5)
        return request

    greeter = greeting(raw_server(handle)).reference("greeter")
    future = greeter.say_hello.future(name="Ann")
    assert begun.wait(5)
    stopped = raw_server.stop(grace=5)  # type: ignore[attr-defined]
    go.set()
    assert future.result(5).message == "Ann"  # the bytes of both messages are the same
    assert stopped.wait(5)
    with pytest.raises(ConnectFailed) as caught:
        greeter.say_hello(name="Ann")
    assert caught.value.not_sent


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "text",
    [
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:443: Failed to connect to remote host",
        "errors resolving db.internal:5432: no answer",
        "DNS resolution failed for db.internal:5432",
    ],
)
def test_a_relayed_failure_to_connect(greeting: Greeting, provider: EmbeddedProvider, text: str, view: str) -> None:
    """A provider that could not reach a server of its own has run the method: in doubt, and not tried again."""
    provider.script("SayHello", error=("UNAVAILABLE", text))
    with pytest.raises(TransportError) as caught:
        call(consumer_for(view, greeting, provider.url, retries=2), view)
    assert type(caught.value) is TransportError
    assert (caught.value.not_sent, caught.value.in_doubt) == (False, True)
    assert caught.value.status_text == text
    assert provider.count() == 1


def test_other_relayed_texts(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """A provider that relays what gRPC said of its own calls is not taken for our limit, or for our own closing."""
    greeter = greeting(provider.url).reference("greeter")
    provider.script("SayHello", error=("CANCELLED", "Channel closed!"), times=1)
    with pytest.raises(RemoteError, match="CANCELLED: Channel closed!"):
        greeter.say_hello(name="Ann")
    provider.script("SayHello", error=("RESOURCE_EXHAUSTED", "CLIENT: Received message larger than max (9 vs. 4)"))
    with pytest.raises(LimitExceeded, match="the provider refused: CLIENT: Received message larger") as caught:
        greeter.say_hello(name="Ann")
    assert caught.value.is_remote


@pytest.mark.parametrize("view", VIEWS)
def test_too_large_a_request(greeting: Greeting, provider: EmbeddedProvider, view: str) -> None:
    """A request over the limit is refused here, with its size, the limit, the setting and its line."""
    consumer = consumer_for(view, greeting, provider.url, max_request_bytes=100)
    with pytest.raises(LimitExceeded) as caught:
        call(consumer, view, "x" * 200)
    assert caught.value.message == (
        f"the request has 203 bytes, more than the 100 that max_request_bytes allows"
        f" ({line_of(consumer, 'max_request_bytes')})"
    )
    assert caught.value.not_sent
    assert provider.count() == 0


@pytest.mark.parametrize("view", VIEWS)
def test_too_large_an_answer(greeting: Greeting, provider: EmbeddedProvider, view: str) -> None:
    """An answer over the limit is refused likewise, and in doubt, since the method has run."""
    consumer = consumer_for(view, greeting, provider.url, max_response_bytes=100)
    with pytest.raises(LimitExceeded) as caught:
        call(consumer, view, "x" * 200)
    assert caught.value.message == (
        f"the answer has 210 bytes, more than the 100 that max_response_bytes allows"
        f" ({line_of(consumer, 'max_response_bytes')})"
    )
    assert (caught.value.not_sent, caught.value.in_doubt) == (False, True)


def test_large_messages_within_the_limits(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Messages above gRPC's own default of 4 MiB pass, since our default is 8 MiB."""
    name = "x" * 6_000_000
    greeter = greeting(provider.url).reference("greeter")
    assert len(greeter.say_hello(name=name).message) == len(name) + 7


def test_a_provider_with_a_lower_limit(greeting: Greeting, raw_server: Callable[..., str]) -> None:
    """A request that only the provider finds too large is its refusal."""
    url = raw_server(lambda request, _: request, options=[("grpc.max_receive_message_length", 100)])
    with pytest.raises(LimitExceeded, match=r"the provider refused: .*larger than max \(203 vs\. 100\)") as caught:
        call(greeting(url), "sync", "x" * 200)
    assert caught.value.is_remote


@pytest.mark.parametrize("view", VIEWS)
def test_an_answer_that_cannot_be_read(greeting: Greeting, raw_server: Callable[..., str], view: str) -> None:
    """Bytes that are no message become a SerializationError with their length and the expected type, in doubt."""
    url = raw_server(lambda *_: b"\xff\xff\xff")
    with pytest.raises(SerializationError, match=r"the answer of 3 bytes is no helloworld\.HelloReply: ") as caught:
        call(consumer_for(view, greeting, url), view)
    assert (caught.value.is_remote, caught.value.not_sent, caught.value.in_doubt) == (True, False, True)


def test_a_method_that_the_provider_lacks(greeting: Greeting) -> None:
    """A method that is not served is named as such."""
    message = "the provider does not have this method"
    with EmbeddedProvider() as provider, pytest.raises(RemoteProtocolError, match=message):
        call(greeting(provider.url), "sync")


@pytest.mark.parametrize("view", ["future", "sent"])
def test_cancelling_resets_the_stream(greeting: Greeting, provider: EmbeddedProvider, view: str) -> None:
    """cancel() of a pending call is seen by the server, whether it waits for "sent" or not."""
    provider.script("SayHello", hang=True)
    future = consumer_for(view, greeting, provider.url).reference("greeter").say_hello.future(name="a")
    provider.wait_for_calls("SayHello", 1)
    assert future.cancel()
    assert future.cancelled()
    assert provider.calls[0].wait_ended(5) == "CANCELLED"


def test_the_channel_closed_under_a_call(greeting: Greeting, provider: EmbeddedProvider) -> None:
    """Closing at once ends pending calls as ConsumerClosed, in doubt, and the server hears of it."""
    provider.script("SayHello", hang=True)
    consumer = greeting(provider.url)
    future = consumer.reference("greeter").say_hello.future(name="a")
    provider.wait_for_calls("SayHello", 1)
    consumer.close(timeout=0)
    with pytest.raises(ConsumerClosed, match="the consumer was closed under the call") as caught:
        future.result(0)
    assert caught.value.in_doubt
    assert provider.calls[0].wait_ended(5) == "CANCELLED"
