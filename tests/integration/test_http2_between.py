"""Servers by tonic, and proxies such as nginx before servers, frame by frame as they were seen to speak."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
from support import tri_peers
from support.clock import FakeClock
from support.dubbo_peer import wait_until
from support.http2_frames import HEAD, OK, data, goaway, headers, message, settings_frame, window_update_frame
from support.http2_peer import Line, answering, http2_peer
from support.tri_peers import Peer

from callahead.consumer import CallTimeout, Consumer, RemoteError, TransportError
from callahead.consumer.transport.tri.http2.greeting import STREAM_WINDOW
from callahead.consumer.wire.http2 import frames

Greeting = Callable[..., Consumer]
SOON = 10.0
TIMEOUT_S = 10.0
PIECE_BYTES = 4000
"""As nginx cuts answers."""


@pytest.fixture
def carrier() -> str:
    """The carrier under test."""
    return "http2"


def error_of(greeting: Greeting, serve: Callable[[Line], None], **options: Any) -> BaseException:
    """The error of one call to a server that does that."""
    with http2_peer(serve) as peer:
        greeter = greeting(peer.url, timeout=TIMEOUT_S * 1000, options=options).reference("greeter")
        error = greeter.say_hello.future(name="Ann").exception(SOON)
        assert error is not None
        return error


def ending(*fields: tuple[bytes, bytes], clock: FakeClock, after: float) -> Callable[[Line], None]:
    """Answer by headers alone, once so many seconds have passed."""

    def serve(line: Line) -> None:
        stream = line.request()
        clock.advance(after)
        line.send(headers(stream, *HEAD, *fields, ends=True))
        line.wait_closed()

    return serve


CANCELLED = ((b"grpc-status", b"1"), (b"grpc-message", b"Timeout expired"))


def test_a_provider_that_cancels_a_call_at_its_deadline(greeting: Greeting) -> None:
    """It saw first that the time was over, as tonic may, which is no less a timeout."""
    clock = FakeClock()
    error = error_of(greeting, ending(*CANCELLED, clock=clock, after=TIMEOUT_S - 0.004), clock=clock)
    assert isinstance(error, CallTimeout)
    assert (error.status, error.status_text, error.in_doubt) == ("DEADLINE_EXCEEDED", "Timeout expired", True)


def test_a_provider_that_cancels_a_call_before(greeting: Greeting) -> None:
    """That is its own word."""
    clock = FakeClock()
    error = error_of(greeting, ending(*CANCELLED, clock=clock, after=TIMEOUT_S / 2), clock=clock)
    assert isinstance(error, RemoteError)
    assert error.status == "CANCELLED"


# -- a proxy that closes its sockets behind its last word --------------------------------------------------------------


def say_large(line: Line, stream: int, size: int) -> list[int]:
    """Answer with so many letters, as fast as is allowed; gives by how many bytes more that was, each time."""
    whole = message(pb.HelloReply(message="x" * size).SerializeToString())
    opened: list[int] = []
    line.send(headers(stream, *HEAD))
    for at in range(0, len(whole), PIECE_BYTES):
        while at + PIECE_BYTES > STREAM_WINDOW + sum(opened):
            opened.append(int.from_bytes(line.next(frames.WINDOW_UPDATE).payload))
        line.send(data(stream, whole[at : at + PIECE_BYTES]))
    line.send(headers(stream, *OK, ends=True))
    return opened


def opened_for(greeting: Greeting, size: int) -> int:
    """How often the window of an answer with so many letters is opened."""
    heard: list[int] = []

    def serve(line: Line) -> None:
        say_large(line, line.request(), size)
        line.wait_closed()
        heard.append(sum(one.kind == frames.WINDOW_UPDATE and one.stream == 1 for one in line.read))

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url)
        assert len(consumer.reference("greeter").say_hello(name="Ann").message) == size
        consumer.close()
        wait_until(lambda: len(heard) == 1)
    return heard[0]


def test_a_window_is_left_alone_where_the_rest_of_an_answer_fits_in(greeting: Greeting) -> None:
    """A word to a socket that is closed behind its last byte would be answered by a reset, and cost that byte."""
    assert opened_for(greeting, STREAM_WINDOW - PIECE_BYTES) == 0


def test_a_larger_answer_goes_on(greeting: Greeting) -> None:
    """Its window is opened as often as it needs."""
    assert opened_for(greeting, 3 * STREAM_WINDOW) >= 2


@pytest.mark.parametrize(("is_ending", "opened"), [(False, 1), (True, 0)])
def test_the_window_of_all_is_left_alone_behind_a_goodbye(greeting: Greeting, is_ending: bool, opened: int) -> None:
    """But for what the answers that are left may need: a stream has some of more than nine windows of its own."""
    heard: list[int] = []

    def serve(line: Line) -> None:
        stream = line.request()
        line.send(*[goaway(stream)] * is_ending)
        say_large(line, stream, 9 * STREAM_WINDOW)
        line.wait_closed()
        heard.append(sum(one.kind == frames.WINDOW_UPDATE and not one.stream for one in line.read))

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url, max_response_bytes=20_000_000)
        stub = pb_grpc.GreeterStub(consumer.channel("greeter"))
        assert sum(len(answer.message) for answer in stub.SpellHello(pb.HelloRequest(name="Ann"))) == 9 * STREAM_WINDOW
        consumer.close()
        wait_until(lambda: len(heard) == 1)
    assert heard[0] - 1 == opened  # the first is a part of the greeting


def test_a_call_for_which_a_proxy_ends_the_connection_is_alone_not_sent_again(greeting: Greeting) -> None:
    """As haproxy does where metadata are too large for it: those behind are sent again, and those before it end."""
    lines: list[Line] = []

    def serve(line: Line) -> None:
        lines.append(line)
        if len(lines) > 1:
            answering(line)
            return
        first, *_ = [line.request() for _ in range(4)]
        line.send(goaway(first, frames.INTERNAL_ERROR))
        line.answer(first)
        line.wait_closed()

    with http2_peer(serve) as peer:
        hello = greeting(peer.url).reference("greeter").say_hello
        large = hello.with_options(attachments={"x-large": "x" * 30_000})
        calls = [one.future(name="Ann") for one in (hello, large, hello, hello)]
        error = calls.pop(1).exception(SOON)
        assert [call.result(SOON).message for call in calls] == ["hello"] * 3
    assert isinstance(error, TransportError)
    assert (error.not_sent, error.status, error.status_text) == (True, "UNAVAILABLE", error.message)
    assert re.fullmatch(
        r"the provider ends the connection: INTERNAL_ERROR before it looked at this call, "
        r"perhaps because of its metadata of 30\d\d\d bytes",
        error.message,
    )
    assert len(lines) == 2


def test_a_goodbye_is_heard_though_writing_fails(greeting: Greeting) -> None:
    """It stands before the reset that writing meets first: the call was not looked at, and is sent again."""
    wide = settings_frame({frames.INITIAL_WINDOW_SIZE: frames.LARGEST_WINDOW})
    wide += window_update_frame(0, frames.LARGEST_WINDOW - frames.DEFAULT_WINDOW)
    lines: list[Line] = []

    def serve(connection: socket.socket) -> None:
        lines.append(Line(connection, wide))
        if len(lines) > 1:
            answering(lines[-1])
            return
        lines[0].next(frames.DATA)
        connection.sendall(goaway(0))
        tri_peers.reset(connection)

    with Peer(serve) as peer:
        hello = greeting(peer.url, max_request_bytes=20_000_000).reference("greeter").say_hello
        assert hello.future(name="x" * 10_000_000).result(SOON).message == "hello"
