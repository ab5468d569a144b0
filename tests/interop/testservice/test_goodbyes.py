"""Servers that say goodbye under load: those of grpc-go with a largest age of connections, and those that stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import test_service_pb2 as pb
from support.dubbo_peer import wait_until

from callahead.consumer import Consumer, InvocationFuture, Reference
from callahead.consumer.errors import ConnectionLost, RpcError

from .conftest import consumer_of, require
from .servers import Server, grpc_go, grpc_node

pytestmark = pytest.mark.slow

CALLERS = 8
LONG_S = 60.0
AGE = ("-max_age", "300ms")
GRACES = pytest.mark.parametrize("grace", ["1s", "10s"])
"""How long a server lets calls go on over a connection that has grown old; longer than a busy machine may pause."""


@pytest.fixture
def go() -> Iterator[Callable[..., Server]]:
    """Start servers by grpc-go that only this test has."""
    require("grpc-go")
    with ExitStack() as ends:
        yield lambda *options: ends.enter_context(grpc_go(*options))


def unary(service: Reference) -> None:
    """One request, one answer."""
    assert len(service.unary_call.sync(response_size=100).payload.body) == 100


def download(service: Reference) -> None:
    """One request, five answers."""
    asked = pb.StreamingOutputCallRequest(response_parameters=[{"size": 100}] * 5)
    assert len(list(service.streaming_output_call(asked))) == 5


def upload(service: Reference) -> None:
    """Five requests, one answer."""
    requests = [pb.StreamingInputCallRequest(payload={"body": bytes(100)})] * 5
    assert service.streaming_input_call.sync(iter(requests)).aggregated_payload_size == 500


def duplex(service: Reference) -> None:
    """Five requests, five answers."""
    requests = [pb.StreamingOutputCallRequest(response_parameters=[{"size": 100}])] * 5
    assert len(list(service.full_duplex_call(iter(requests)))) == 5


def in_flight(service: Reference, count: int, most: int = 100) -> Sequence[InvocationFuture[Any]]:
    """Make *count* calls, up to *most* of them at once."""
    room, calls = threading.Semaphore(most), []
    for _ in range(count):
        room.acquire()
        calls.append(service.unary_call.future(response_size=100))
        calls[-1].add_done_callback(lambda _: room.release())
    return calls


def connects(consumer: Consumer) -> int:
    """Count the connections that there were."""
    return sum(counts.connects for counts in consumer.connections())


@GRACES
def test_no_call_fails_as_connections_grow_old(go: Callable[..., Server], grace: str) -> None:
    """Connections come and go under a hundred calls at once; the server begins each call once."""
    server = go(*AGE, "-max_age_grace", grace)
    with consumer_of(server.url, "http2") as consumer:
        calls = in_flight(consumer.reference("TestService"), 10_000)
        assert [error for call in calls if (error := call.exception(LONG_S))] == []
        assert connects(consumer) >= 3
    assert server.stop() == "10000"


@GRACES
@pytest.mark.parametrize("call", [unary, download, upload, duplex])
def test_no_caller_notices_that_connections_grow_old(
    go: Callable[..., Server], grace: str, call: Callable[[Reference], None]
) -> None:
    """Nor does one that waits, or streams."""
    server = go(*AGE, "-max_age_grace", grace)
    with consumer_of(server.url, "http2") as consumer, ThreadPoolExecutor(CALLERS) as callers:
        service, made = consumer.reference("TestService"), 0
        while made < 2_000 or (connects(consumer) < 2 and made < 40_000):  # all may be done before one is old
            list(callers.map(call, [service] * 1_000))
            made += 1_000
        assert connects(consumer) >= 2
    assert server.stop() == str(made)


@pytest.mark.parametrize("call", [unary, download, upload, duplex])
def test_no_caller_notices_that_connections_end_in_one_step(call: Callable[[Reference], None]) -> None:
    """What came to such a server behind its last stream is sent again, a stream of requests with all that was read."""
    require("grpc-node")
    with (
        grpc_node(300) as server,
        consumer_of(server.url, "http2") as consumer,
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        list(callers.map(call, [consumer.reference("TestService")] * 2_000))
        assert connects(consumer) >= 2
        assert server.stop() == "2000"


def test_what_outlasts_the_grace_is_in_doubt(go: Callable[..., Server]) -> None:
    """The server gives the answers up: each call ends once, soon, and the next connection serves on."""
    server = go(*AGE, "-max_age_grace", "50ms")
    with consumer_of(server.url, "http2") as consumer:
        service = consumer.reference("TestService")
        request = pb.StreamingOutputCallRequest(response_parameters=[{"size": 1, "interval_us": 3_000_000}])
        for answers in [service.streaming_output_call(request) for _ in range(100)]:
            with pytest.raises(ConnectionLost) as caught:
                next(answers)
            assert caught.value.in_doubt
        unary(service)


def test_no_call_fails_as_one_server_after_the_other_starts_anew(go: Callable[..., Server]) -> None:
    """Each stops gracefully and comes back on its port, while the other one takes the calls."""
    servers = [go(), go()]
    over = threading.Event()
    with consumer_of(";".join(server.url for server in servers), "http2", retries=1) as consumer:
        service = consumer.reference("TestService")
        with ThreadPoolExecutor(CALLERS) as callers:
            counts = [callers.submit(_call_until, over, service) for _ in range(CALLERS)]
            begun = 0
            for number in (0, 1, 0, 1):
                begun += int(servers[number].stop())
                servers[number] = go("-address", f"127.0.0.1:{servers[number].port}")
                wait_until(lambda: all(counts.is_open for counts in consumer.connections()))
            over.set()
            made = sum(count.result(LONG_S) for count in counts)
    assert begun + sum(int(server.stop()) for server in servers) == made


def _call_until(over: threading.Event, service: Reference) -> int:
    made = 0
    while not over.is_set():
        unary(service)
        made += 1
    return made


def test_what_fails_as_the_only_server_starts_anew_was_not_sent(go: Callable[..., Server]) -> None:
    """Nobody listens for a moment: the calls of that moment fail, none is in doubt, and none has run."""
    server, errors = go(), []
    over = threading.Event()
    with consumer_of(server.url, "http2") as consumer:
        service = consumer.reference("TestService")

        def call() -> int:
            made = 0
            while not over.is_set():
                try:
                    unary(service)
                    made += 1
                except RpcError as error:
                    errors.append(error)
            return made

        with ThreadPoolExecutor(CALLERS) as callers:
            counts = [callers.submit(call) for _ in range(CALLERS)]
            begun = 0
            for _ in range(3):
                begun += int(server.stop())
                server = go("-address", f"127.0.0.1:{server.port}")
                over.wait(0.3)
            over.set()
            made = sum(count.result(LONG_S) for count in counts)
    assert [error for error in errors if not error.not_sent] == []
    assert begun + int(server.stop()) == made
