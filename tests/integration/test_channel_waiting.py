"""``wait_for_ready`` of a stub's call, over both carriers: it waits for a connection as long as it has time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
from support.dubbo_peer import wait_until
from support.echoing import serve_echoing_greeter
from support.http2_frames import GREETING
from support.http2_peer import Line, answering
from support.tri_peers import Peer

from callahead.consumer import CallTimeout, ConnectFailed, Consumer, ConsumerClosed, LimitExceeded
from callahead.consumer.testing import EmbeddedProvider

CARRIERS = ("grpcio", "http2")
SOON = 20.0

Greeting = Callable[..., Consumer]


def stub_of(consumer: Consumer) -> Any:
    """Make the generated stub."""
    return pb_grpc.GreeterStub(consumer.channel("greeter"))


def waiting(stub: Any, **options: Any) -> Any:
    """Begin a call that waits for its provider."""
    return stub.SayHello.future(pb.HelloRequest(name="Ann"), wait_for_ready=True, **options)


def greeter_at(port: int) -> EmbeddedProvider:
    """A greeter there, to be started."""
    provider = EmbeddedProvider(port=port)
    serve_echoing_greeter(provider)
    return provider


def test_a_call_waits_for_its_provider(greeting: Greeting, unused_port: int) -> None:
    """In every kind of call; each is answered once the provider is there."""
    stub = stub_of(greeting(f"tri://127.0.0.1:{unused_port}"))
    ann = pb.HelloRequest(name="Ann")
    unary = waiting(stub, timeout=SOON)
    answers = stub.SpellHello(ann, wait_for_ready=True, timeout=SOON)
    upload = stub.GatherHellos.future(iter([ann, ann]), wait_for_ready=True, timeout=SOON)
    both = stub.ChatHello(iter([ann]), wait_for_ready=True, timeout=SOON)
    with pytest.raises(grpc.FutureTimeoutError):
        unary.result(timeout=0.3)
    with greeter_at(unused_port):
        assert unary.result(SOON).message == "Ann"
        assert [one.message for one in answers] == ["A", "n", "n"]
        assert upload.result(SOON).message == "Ann Ann"
        assert [one.message for one in both] == ["Ann"]


def test_a_call_waits_no_longer_than_it_has_time(greeting: Greeting, closed_port: str) -> None:
    """It was not sent, and the error says why there is no connection."""
    with pytest.raises(CallTimeout) as caught:
        waiting(stub_of(greeting(closed_port)), timeout=0.4).result()
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_call_that_does_not_wait_fails_beside_one_that_does(greeting: Greeting, closed_port: str) -> None:
    """At once, and the other goes on waiting."""
    stub = stub_of(greeting(closed_port))
    patient = waiting(stub, timeout=SOON)
    with pytest.raises(ConnectFailed):
        stub.SayHello(pb.HelloRequest(name="Ann"), timeout=SOON)
    assert not patient.done()
    assert patient.cancel()


def test_a_call_is_cancelled_while_it_waits(greeting: Greeting, closed_port: str) -> None:
    """It ends at once."""
    future = waiting(stub_of(greeting(closed_port)), timeout=SOON)
    with pytest.raises(grpc.FutureTimeoutError):
        future.result(timeout=0.3)
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(SOON)


def test_the_consumer_closes_while_a_call_waits(greeting: Greeting, closed_port: str) -> None:
    """The call ends with it."""
    consumer = greeting(closed_port)
    future = waiting(stub_of(consumer), timeout=SOON)
    consumer.close(timeout=0.2)
    assert isinstance(future.exception(SOON), ConsumerClosed)


def test_what_waits_counts(greeting: Greeting, closed_port: str) -> None:
    """As begun and not ended: one more than may is refused."""
    stub = stub_of(greeting(closed_port, max_queued_requests=5))
    calls = [waiting(stub, timeout=SOON) for _ in range(6)]
    refused = calls[5].exception(SOON)
    assert isinstance(refused, LimitExceeded)
    assert not any(call.done() for call in calls[:5])
    for call in calls:
        call.cancel()


def test_no_call_that_waits_has_a_thread(greeting: Greeting, closed_port: str) -> None:
    """However many there are."""
    stub = stub_of(greeting(closed_port))
    first = waiting(stub, timeout=SOON)
    wait_until(lambda: not first.done())
    before = threading.active_count()
    calls = [first, *(waiting(stub, timeout=SOON) for _ in range(200))]
    assert threading.active_count() <= before + 4
    for call in calls:
        call.cancel()


def test_a_call_waits_past_a_provider_that_hangs_up(greeting: Greeting) -> None:
    """One that takes connections, and ends each without a word, is not ready."""
    taken: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        taken.append(connection)
        if len(taken) < 3:
            connection.close()
        else:
            answering(Line(connection, GREETING))

    with Peer(serve) as peer:
        assert waiting(stub_of(greeting(peer.url)), timeout=SOON).result().message == "hello"
    assert len(taken) == 3
