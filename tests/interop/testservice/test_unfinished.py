"""The cases that gRPC's descriptions of its interop tests have under TODO, over our HTTP/2 against real servers.

Source: ``doc/interop-test-descriptions.md``: "concurrent_large_unary", "Flow control. Pushback at client for large
messages", the same at the server, "Multiple thousand simultaneous calls timeout on same Channel", "Going over max
concurrent streams", "Large amount of headers to cause CONTINUATIONs", "Resilience to buggy servers", "Reconnect after
transport failure" and "Reconnect backoff".
"""

from __future__ import annotations

import collections
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from random import Random
from typing import Any

import pytest
import test_service_pb2 as pb
from support import tri_peers
from support.dubbo_peer import wait_until
from support.proxy import DOWN, Proxy
from support.tri_peers import Peer

from callahead.consumer import CallTimeout, Consumer, InvocationFuture, LimitExceeded, Reference, RpcError
from callahead.consumer.transport.tri.http2.greeting import STREAM_WINDOW

from .conftest import Servers, consumer_of, require
from .servers import Server, grpc_go
from .test_cases import ANSWER_BYTES, large, payload

pytestmark = pytest.mark.slow

MANY = 1_000
THOUSANDS = 5_000
LONG_S = 60.0
KIB = 1024


@pytest.fixture
def carrier() -> str:
    """The carrier of these tests."""
    return "http2"


@pytest.fixture
def go() -> Iterator[Callable[..., Server]]:
    """Start servers by grpc-go that only this test has."""
    require("grpc-go")
    with ExitStack() as ends:
        yield lambda *options: ends.enter_context(grpc_go(*options))


@pytest.fixture
def refer() -> Iterator[Callable[..., Reference]]:
    """Make a reference to the service at a URL; keywords are its settings."""
    with ExitStack() as ends:
        yield lambda url, **settings: ends.enter_context(consumer_of(url, "http2", **settings)).reference("TestService")


class Ends:
    """Counts the ends of calls, as their callbacks tell them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def __call__(self, future: Any) -> None:
        """One more."""
        with self._lock:
            self.count += 1


def outcomes(calls: list[InvocationFuture[Any]]) -> collections.Counter[str]:
    """How often *calls* ended in which way, each of them once, and each that failed either not sent or in doubt."""
    ends = Ends()
    for call in calls:
        call.add_done_callback(ends)
    errors = [call.exception(LONG_S) for call in calls]
    wait_until(lambda: ends.count >= len(calls))
    assert ends.count == len(calls)
    assert all(error is None or is_typed(error) for error in errors)
    return collections.Counter("answered" if error is None else type(error).__name__ for error in errors)


def is_typed(error: BaseException) -> bool:
    return isinstance(error, RpcError) and error.not_sent != error.in_doubt


def downloads(size: int, count: int, interval_us: int = 0) -> Any:
    asked = [{"size": size, "interval_us": interval_us}] * count
    return pb.StreamingOutputCallRequest(response_parameters=asked)


# -- many large calls -------------------------------------------------------------------------------------------------


def test_a_thousand_large_calls_at_once(servers: Servers, kind: str) -> None:
    """All are answered, over one connection, where so many bytes may be held."""
    with consumer_of(servers(kind).url, "http2", max_queued_bytes="1GiB", timeout=f"{LONG_S}s") as consumer:
        call = consumer.reference("TestService").unary_call
        calls = [call.future(large()) for _ in range(MANY)]
        assert outcomes(calls) == {"answered": MANY}
        assert {len(call.result().payload.body) for call in calls} == {ANSWER_BYTES}
        [counts] = consumer.connections()
        assert (counts.connects, counts.unknown_answers, counts.bad_events) == (1, 0, 0)


def test_a_thousand_large_calls_in_little_room(consumer: Consumer) -> None:
    """What has no room is refused at once, the others are answered, and so is what comes next."""
    call = consumer.reference("TestService").unary_call
    calls = [call.future(large()) for _ in range(MANY)]
    ended = outcomes(calls)
    assert ended.keys() == {"answered", LimitExceeded.__name__}
    assert ended["answered"] >= 64 * KIB // (2 * 271) - 1  # so many fit into 64 MiB, each of them counted twice
    assert len(call.sync(large()).payload.body) == ANSWER_BYTES


# -- flow control -----------------------------------------------------------------------------------------------------


def test_push_back_at_the_client(go: Callable[..., Server], refer: Callable[..., Reference]) -> None:
    """While a server reads nothing no more requests are made than a window holds; all are sent once it reads on."""
    server, made = go(), 0

    def requests() -> Iterator[Any]:
        nonlocal made
        for _ in range(200):
            made += 1
            yield pb.StreamingOutputCallRequest(response_parameters=[{"size": 1}], payload=payload(27_182))

    service = refer(server.url)
    service.empty_call(pb.Empty())
    with server.paused():
        answers = service.full_duplex_call(requests())
        wait_until(lambda: made >= 3)
        time.sleep(0.3)
        assert made * 27_182 <= 256 * KIB
    assert len(list(answers)) == made == 200


class Counting:
    """A `Way` that counts what a server sends."""

    def __init__(self) -> None:
        self.sent = 0

    def carry(self, direction: str, data: bytes) -> bytes:
        """Change nothing."""
        self.sent += len(data) if direction == DOWN else 0
        return data


def test_push_back_at_the_server(servers: Servers, kind: str, refer: Callable[..., Reference]) -> None:
    """A stream that nobody reads is sent up to its window, and other calls of the connection go on beside it."""
    way = Counting()
    proxy = Proxy(servers(kind).port, lambda: way)
    try:
        service = refer(f"tri://127.0.0.1:{proxy.port}")
        answers = service.streaming_output_call(downloads(100_000, 200))
        next(answers)
        for _ in range(5):
            assert len(service.unary_call(large()).payload.body) == ANSWER_BYTES
        time.sleep(0.3)
        assert way.sent < STREAM_WINDOW + 5 * (ANSWER_BYTES + KIB) + 100 * KIB
        assert [len(answer.payload.body) for answer in answers] == [100_000] * 199
    finally:
        proxy.close()


def test_more_calls_than_a_server_takes_at_once(go: Callable[..., Server], refer: Callable[..., Reference]) -> None:
    """They wait for their turn; none is refused."""
    service = refer(go("-max_streams", "10").url)
    assert outcomes([service.unary_call.future(response_size=10) for _ in range(MANY)]) == {"answered": MANY}
    streams = [service.streaming_output_call(downloads(10, 3)) for _ in range(100)]
    assert [len(list(answers)) for answers in streams] == [3] * 100


@pytest.mark.parametrize("kind", ["grpc-go", "grpcio"], indirect=True)
def test_headers_of_several_frames(servers: Servers, kind: str, refer: Callable[..., Reference]) -> None:
    """63 KiB in a single header there, and where the server takes to that back again; others have a lower limit."""
    value = "X" * 63 * KIB
    service = refer(servers(kind).url, max_metadata_bytes=128 * KIB, parameters={"x-grpc-test-echo-initial": value})
    call = service.unary_call.future(response_size=10)
    assert len(call.result(LONG_S).payload.body) == 10
    assert call.response_attachments["x-grpc-test-echo-initial"] == value


# -- timeouts ---------------------------------------------------------------------------------------------------------


def test_thousands_of_simultaneous_timeouts(go: Callable[..., Server], refer: Callable[..., Reference]) -> None:
    """Each call of a server that stands still ends once, and in time; the connection serves on once it goes on."""
    server = go()
    service = refer(server.url)
    service.empty_call(pb.Empty())
    quick = service.unary_call.with_options(timeout=300)
    with server.paused():
        began = time.monotonic()
        calls = [quick.future(response_size=10, payload={"body": bytes(100)}) for _ in range(THOUSANDS)]
        assert outcomes(calls) == {CallTimeout.__name__: THOUSANDS}
        assert time.monotonic() - began < 20
    assert len(service.unary_call(response_size=10).payload.body) == 10


def test_thousands_of_streams_that_time_out(go: Callable[..., Server], refer: Callable[..., Reference]) -> None:
    """A server that sleeps on them all has them reset, and serves on."""
    server = go()
    service, impatient = refer(server.url), refer(server.url, timeout=500)
    request = downloads(10, 1, interval_us=30_000_000)
    streams = [impatient.streaming_output_call(request) for _ in range(THOUSANDS)]
    for answers in streams:
        with pytest.raises(CallTimeout):
            next(answers)
    assert len(service.unary_call(response_size=10).payload.body) == 10


def test_timeouts_beside_answers(servers: Servers, kind: str, refer: Callable[..., Reference]) -> None:
    """Calls whose time is over just when their answers come end once, one way or the other."""
    call = refer(servers(kind).url).unary_call
    began = time.monotonic()
    assert outcomes([call.future(response_size=10) for _ in range(MANY)]) == {"answered": MANY}
    half = call.with_options(timeout=max(1, int((time.monotonic() - began) * 500)))
    ended = outcomes([half.future(response_size=10) for _ in range(MANY)])
    assert ended.keys() <= {"answered", CallTimeout.__name__}
    assert outcomes([call.future(response_size=10) for _ in range(MANY)]) == {"answered": MANY}


# -- servers that crash, or are wrong ---------------------------------------------------------------------------------


def test_reconnecting_after_crashes(go: Callable[..., Server], refer: Callable[..., Reference]) -> None:
    """Of calls beside a server that is killed and comes back each ends once, and those after that are answered."""
    server = go()
    service = refer(server.url)
    call = service.unary_call.with_options(timeout=5000)
    for _ in range(5):
        service.empty_call(pb.Empty())
        calls = [call.future(large()) for _ in range(50)]
        calls[0].result(LONG_S)
        server.kill()
        calls += [call.future(response_size=10) for _ in range(50)]
        ended = outcomes(calls)
        assert ended["answered"] >= 1
        assert CallTimeout.__name__ not in ended
        server = go("-address", f"127.0.0.1:{server.port}")
        wait_until(lambda: call.future(response_size=10).exception(LONG_S) is None, LONG_S)


class Garbling:
    """A `Way` that changes a byte of what a server sends now and then."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def carry(self, direction: str, data: bytes) -> bytes:
        """Change one byte in five of what comes at once."""
        if direction != DOWN or self._random.random() > 0.2:
            return data
        at = self._random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self._random.randrange(8)]) + data[at + 1 :]


@pytest.mark.parametrize("seed", range(3))
def test_what_a_line_garbles(servers: Servers, refer: Callable[..., Reference], seed: int) -> None:
    """Each call ends once, by an answer or an error of ours; over a line that does not the next one is answered."""
    random, server = Random(seed), servers("grpc-go")
    proxy = Proxy(server.port, lambda: Garbling(random))
    try:
        service = refer(f"tri://127.0.0.1:{proxy.port}", timeout=500)
        for _ in range(20):
            outcomes([service.unary_call.future(response_size=100) for _ in range(20)])
    finally:
        proxy.close()
    assert len(refer(server.url).unary_call(response_size=10).payload.body) == 10


BROKEN: Mapping[str, Callable[[socket.socket], None]] = {
    "hangs up": tri_peers.hang_up,
    "noise": tri_peers.noise,
    "HTTP/1": tri_peers.http1,
    "hangs up at a request": tri_peers.after_request(tri_peers.hang_up),
    "resets at a request": tri_peers.after_request(tri_peers.reset),
}
"""Servers that never answer a call."""


def test_reconnect_backoff(refer: Callable[..., Reference]) -> None:
    """Who calls broken servers all the time makes few connections to each: the waits double from 0.1 s to 5 s."""
    connections: collections.Counter[str] = collections.Counter()

    def peer(name: str) -> Peer:
        def serve(connection: socket.socket) -> None:
            connections[name] += 1
            BROKEN[name](connection)

        return Peer(serve)

    with ExitStack() as ends:
        services = [refer(ends.enter_context(peer(name)).url) for name in BROKEN]
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            for service in services:
                error = service.unary_call.future(response_size=10).exception(LONG_S)
                assert error is not None
                assert is_typed(error)
    assert connections.keys() == BROKEN.keys()
    # By the shortest waits: at 0, 50, 150, 350 and 750 ms, behind three without any.
    assert 3 <= min(connections.values()) <= max(connections.values()) <= 8
