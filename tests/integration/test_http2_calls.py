"""Calls over HTTP/2 of our own, at servers that are scripted frame by frame."""

from __future__ import annotations

import gzip
import logging
import math
import queue
import re
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
from support import tri_peers
from support.dubbo_peer import wait_until
from support.http2_frames import (
    GREETING,
    HEAD,
    OK,
    data,
    goaway,
    headers,
    message,
    reset,
    settings_frame,
    window_update_frame,
)
from support.http2_peer import Frame, Line, answering, http2_peer, reply
from support.programs import Programs
from support.tri_peers import Peer

from callahead.consumer import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    Consumer,
    LimitExceeded,
    LocalProtocolError,
    Rejected,
    RemoteError,
    RemoteProtocolError,
    RpcError,
    TransportError,
)
from callahead.consumer.testing import ProviderProcess
from callahead.consumer.transport.tri.http2.greeting import STREAM_WINDOW
from callahead.consumer.wire.http2 import frames

Greeting = Callable[..., Consumer]
SOON = 5.0
LONG = b"\n\xe0\x5d" + b"x" * 12_000
"""A `HelloReply` of so many letters."""


@pytest.fixture
def carrier() -> str:
    """The carrier under test."""
    return "http2"


def failing(consumer: Consumer, name: str = "Ann") -> RpcError:
    with pytest.raises(RpcError) as caught:
        consumer.reference("greeter").say_hello.sync(name=name)
    return caught.value


def one_call(greeting: Greeting, serve: Callable[[Line], None], **settings: Any) -> RpcError:
    """The error of one call to a server that does that."""
    with http2_peer(serve) as peer:
        return failing(greeting(peer.url, **settings))


def after_request(*said: Callable[[int], bytes]) -> Callable[[Line], None]:
    """Say something of the stream of the first request, and answer those after it."""

    def serve(line: Line) -> None:
        stream = line.request()
        line.send(*(one(stream) for one in said))
        answering(line)

    return serve


def answer_of(stream: int) -> tuple[bytes, ...]:
    """All of an answer."""
    return headers(stream, *HEAD), data(stream, message(reply("hello"))), headers(stream, *OK, ends=True)


# -- refused, or not looked at ----------------------------------------------------------------------------------------


def test_a_refused_call_was_not_sent(greeting: Greeting) -> None:
    """The provider says that it has not looked at it, so that it may be repeated anywhere."""
    error = one_call(greeting, after_request(lambda stream: reset(stream, frames.REFUSED_STREAM)))
    assert type(error) is TransportError
    assert (error.not_sent, error.in_doubt, error.status) == (True, False, "UNAVAILABLE")


def test_a_refused_call_goes_elsewhere_at_once(greeting: Greeting) -> None:
    """The next provider answers it, though the method is not idempotent."""
    refusing = lambda line: [line.send(reset(one, frames.REFUSED_STREAM)) for one in line.requests()]  # noqa: E731
    with http2_peer(refusing) as first, http2_peer(answering) as second:
        consumer = greeting(first.url, second.url, retries=1, loadbalance="roundrobin")
        for _ in range(6):
            assert consumer.reference("greeter").say_hello(name="Ann").message == "hello"


def test_an_upload_that_waits_for_a_stream_goes_to_the_next_connection(greeting: Greeting) -> None:
    """With the requests that it was fed while it waited on one whose provider says goodbye."""
    lines: list[Line] = []
    goodbye = threading.Event()

    def serve(line: Line) -> None:
        lines.append(line)
        if len(lines) > 1:
            answering(line)
            return
        stream = line.request()
        goodbye.wait(SOON)
        line.send(goaway(stream))
        line.answer(stream)
        line.wait_closed()

    with http2_peer(serve, settings_frame({frames.MAX_CONCURRENT_STREAMS: 1})) as peer:
        stub = stub_of(greeting(peer.url))
        first = stub.SayHello.future(pb.HelloRequest(name="Ann"))
        upload = stub.GatherHellos.future(iter([pb.HelloRequest(name="Bob")] * 3))
        with pytest.raises(grpc.FutureTimeoutError):
            upload.result(timeout=0.2)
        goodbye.set()
        assert (first.result(SOON).message, upload.result(SOON).message) == ("hello", "hello")
    [sent] = [one for one in lines[1].read if one.kind == frames.DATA and one.payload]
    assert sent.payload.count(b"Bob") == 3


@pytest.mark.parametrize("code", [frames.CANCEL, frames.INTERNAL_ERROR, frames.NO_ERROR, 99])
def test_any_other_reset_leaves_a_doubt(greeting: Greeting, code: int) -> None:
    """The method may have run."""
    error = one_call(greeting, after_request(lambda stream: reset(stream, code)))
    assert (error.not_sent, error.in_doubt) == (False, True)
    assert frames.error_name(code) in error.message


def test_calls_that_a_leaving_provider_has_not_looked_at_are_sent_again(greeting: Greeting) -> None:
    """Those up to the last stream end on the old connection, the others on a new one, without any retry."""
    lines: queue.SimpleQueue[Line] = queue.SimpleQueue()

    def serve(line: Line) -> None:
        lines.put(line)
        if lines.qsize() > 1 or len(peers) == 1:
            answering(line)
            return
        peers.append(line)
        streams = [line.request() for _ in range(4)]
        line.send(goaway(streams[1]))
        for stream in streams[:2]:
            line.answer(stream, "old")
        line.wait_closed()

    peers: list[Line] = []
    with http2_peer(serve) as peer:
        greeter = greeting(peer.url, retries=0).reference("greeter")
        futures = [greeter.say_hello.future(name=str(number)) for number in range(4)]
        answers = sorted(future.result(SOON).message for future in futures)
    assert answers == ["hello", "hello", "old", "old"]


@pytest.mark.parametrize("calls", [300])
def test_no_call_fails_while_connections_come_and_go(greeting: Greeting, calls: int) -> None:
    """A server that says goodbye again and again, as one with a largest age of connections, loses none."""

    def serve(line: Line) -> None:
        for number, stream in enumerate(line.requests(), 1):
            if number == 10:
                line.send(goaway((1 << 31) - 1))
            if number == 14:  # what came meanwhile and is above is not looked at
                line.send(goaway(stream))
            if number <= 14:
                line.answer(stream)

    with http2_peer(serve) as peer:
        greeter = greeting(peer.url, retries=0, timeout=20_000).reference("greeter")
        futures = [greeter.say_hello.future(name="Ann") for _ in range(calls)]
        assert {future.result(20).message for future in futures} == {"hello"}
        for _ in range(40):
            assert greeter.say_hello(name="Ann").message == "hello"


def test_a_waiting_call_that_was_not_looked_at_is_sent_again(greeting: Greeting) -> None:
    """One that its own thread carries goes over to the next connection, too, again and again."""

    def serve(line: Line) -> None:
        for number, stream in enumerate(line.requests()):
            if number == 3:
                line.send(goaway(stream - 2))
                line.wait_closed()
                return
            line.answer(stream, str(number))

    with http2_peer(serve) as peer:
        greeter = greeting(peer.url, retries=0).reference("greeter")
        answers = [greeter.say_hello(name="Ann").message for _ in range(30)]
    assert answers == ["0", "1", "2"] * 10


def test_a_stream_of_answers_that_was_not_looked_at_is_begun_again(greeting: Greeting) -> None:
    """It has one request, which is still here; the answers all come from the second connection."""

    def serve(line: Line) -> None:
        lines.append(line)
        stream = line.request()
        if len(lines) == 1:
            line.answer(stream)
            line.send(goaway(line.request() - 2))
            line.wait_closed()
        else:
            line.send(headers(stream, *HEAD), data(stream, message(LONG)) * 3, headers(stream, *OK, ends=True))
            line.wait_closed()

    lines: list[Line] = []
    with http2_peer(serve) as peer:
        greeter = greeting(peer.url, retries=0).reference("greeter")
        assert greeter.say_hello(name="Ann").message == "hello"
        assert [len(answer.message) for answer in greeter.spell_hello(name="Ann")] == [12_000] * 3


def test_a_provider_that_hangs_up_on_each_call_is_asked_ever_more_rarely(greeting: Greeting) -> None:
    """It was asked three times in vain; further calls are refused for a while, and were not sent."""
    with Peer(tri_peers.after_request(tri_peers.hang_up)) as peer:
        consumer = greeting(peer.url)
        errors = [failing(consumer) for _ in range(20)]
    assert [type(error) for error in errors[:3]] == [ConnectionLost] * 3
    refused = [error for error in errors if isinstance(error, ConnectFailed)]
    assert len(refused) > 10
    assert all(error.not_sent for error in refused)
    assert "the provider ends each connection before it answers a call; the next attempt" in refused[0].message


def test_a_provider_that_never_looks_at_a_call(greeting: Greeting) -> None:
    """It is asked twice and no more; the call was not sent."""

    def serve(line: Line) -> None:
        line.request()
        line.send(goaway(0, frames.ENHANCE_YOUR_CALM, b"too many"))
        line.wait_closed()

    with http2_peer(serve) as peer:
        error = failing(greeting(peer.url))
        assert error.not_sent
        assert "before it looked at the call" in error.message
        assert peer.accepted.acquire(timeout=SOON)
        assert peer.accepted.acquire(timeout=SOON)
        assert not peer.accepted.acquire(blocking=False)


def test_the_old_connection_is_closed_after_its_last_call(greeting: Greeting) -> None:
    """Nothing stays open of a connection that the provider has said goodbye on."""
    closed = threading.Event()

    def serve(line: Line) -> None:
        stream = line.request()
        line.send(goaway(stream))
        line.answer(stream)
        line.wait_closed()
        closed.set()

    with http2_peer(serve) as peer:
        assert greeting(peer.url).reference("greeter").say_hello(name="Ann").message == "hello"
        assert closed.wait(SOON)


# -- what the provider allows -----------------------------------------------------------------------------------------


def test_no_more_calls_at_once_than_the_provider_takes(greeting: Greeting) -> None:
    """One more waits until another has ended, and one whose time is over meanwhile was not sent."""
    let = threading.Event()

    def serve(line: Line) -> None:
        first = [line.request(), line.request()]
        let.wait(SOON)
        for stream in first:
            line.answer(stream)
        answering(line)

    with http2_peer(serve, settings_frame({frames.MAX_CONCURRENT_STREAMS: 2})) as peer:
        greeter = greeting(peer.url).reference("greeter")
        running = [greeter.say_hello.future(name="Ann") for _ in range(2)]
        impatient = greeter.say_hello.with_options(timeout=200).future(name="Bob")
        patient = greeter.say_hello.future(name="Cid")
        with pytest.raises(CallTimeout, match="the provider takes 2 calls at once") as caught:
            impatient.result(SOON)
        assert caught.value.not_sent
        assert not patient.done()
        let.set()
        assert [future.result(SOON).message for future in (*running, patient)] == ["hello"] * 3


def test_metadata_beyond_what_the_provider_takes(greeting: Greeting) -> None:
    """The call is refused here, with both numbers, and others are not."""
    with http2_peer(answering, settings_frame({frames.MAX_HEADER_LIST_SIZE: 1000})) as peer:
        consumer = greeting(peer.url)
        greeter = consumer.reference("greeter")
        large = greeter.say_hello.with_options(attachments={"large": "x" * 2000})
        with pytest.raises(
            LimitExceeded, match=r"metadata of the request have 2\d+ bytes, more than the 1000"
        ) as caught:
            large(name="Ann")
        assert caught.value.not_sent
        assert greeter.say_hello(name="Ann").message == "hello"


def test_headers_larger_than_a_frame_go_in_several(greeting: Greeting) -> None:
    """What follows is a continuation, and the request arrives."""
    seen: list[Frame] = []

    def serve(line: Line) -> None:
        for stream in line.requests():
            seen.extend(line.read)
            line.answer(stream)

    with http2_peer(serve) as peer:
        greeter = greeting(peer.url).reference("greeter")
        assert greeter.say_hello.with_options(attachments={"large": "x" * 40_000})(name="Ann").message == "hello"
    assert [one.kind for one in seen if one.kind in (frames.HEADERS, frames.CONTINUATION)] == [1, 9, 9]


def test_sent_means_that_the_provider_has_let_the_last_byte_go(greeting: Greeting) -> None:
    """A request larger than the provider's window is written once that was opened, and not before."""
    let, size = threading.Event(), 200_000

    def serve(line: Line) -> None:
        while sum(len(one.payload) for one in line.read if one.kind == frames.DATA) < 65_535:
            line.next()
        let.wait(SOON)
        line.send(window_update_frame(0, size), window_update_frame(line.read[-1].stream, size))
        line.answer(line.request())
        line.wait_closed()

    with http2_peer(serve) as peer:
        future = greeting(peer.url).reference("greeter").say_hello.future(name="x" * size)
        assert not future.is_sent()
        let.set()
        assert future.sent(SOON)
        assert future.result(SOON).message == "hello"


def test_a_window_that_shrinks_and_grows(greeting: Greeting) -> None:
    """Settings that come under way change the windows of what is being sent."""

    def serve(line: Line) -> None:
        line.send(settings_frame({frames.INITIAL_WINDOW_SIZE: 10}))
        stream = line.next(frames.HEADERS).stream
        line.send(settings_frame({frames.INITIAL_WINDOW_SIZE: 0}))
        line.send(settings_frame({frames.INITIAL_WINDOW_SIZE: 100_000}))
        assert line.request() == stream
        line.answer(stream)
        answering(line)

    with http2_peer(serve) as peer:
        assert greeting(peer.url).reference("greeter").say_hello(name="x" * 50_000).message == "hello"


# -- answers ----------------------------------------------------------------------------------------------------------


def answer_by(*said: bytes) -> Callable[[Line], None]:
    """Answer the first request by *said*, all of stream 1, and the next ones well."""
    return after_request(*(lambda _, one=one: one for one in said))


GOOD_DATA = data(1, message(reply("hello")))
END = headers(1, *OK, ends=True)


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        ((GOOD_DATA, END), RemoteProtocolError, "data before any headers"),
        ((headers(1, *HEAD), headers(1, *HEAD)), RemoteProtocolError, "headers in the midst"),
        ((headers(1, *HEAD, (b"X", b"")),), RemoteProtocolError, "a header that is called 'X'"),
        ((headers(1, *HEAD), data(1, message(reply("a")) * 2), END), RemoteProtocolError, "more than one answer"),
        ((headers(1, *HEAD), data(1, b"\0\0\0"), END), RemoteProtocolError, "in the midst of its message"),
        ((headers(1, *HEAD), data(1, message(b"", 2))), RemoteProtocolError, "is no message of gRPC"),
        ((headers(1, *HEAD), data(1, message(reply("a")), ends=True)), RemoteProtocolError, "without a status"),
        ((headers(1, *HEAD, ends=True),), RemoteProtocolError, "without a status"),
        ((headers(1, (b":status", b"503")),), TransportError, "HTTP status 503"),
        ((headers(1, (b":status", b"500")),), RemoteProtocolError, "HTTP status 500"),
        ((headers(1, (b":status", b"200"), (b"content-type", b"text/html")),), RemoteProtocolError, "text/html"),
        ((headers(1, *HEAD), data(1, message(b"x", 1)), END), RemoteProtocolError, "is compressed"),
        (
            (headers(1, *HEAD, (b"grpc-encoding", b"gzip")), data(1, message(b"x", 1)), END),
            RemoteProtocolError,
            "its end is missing",
        ),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_fails_its_own_call(
    greeting: Greeting, said: tuple[bytes, ...], kind: type[RpcError], text: str
) -> None:
    """The call is in doubt, and the connection goes on."""
    with http2_peer(answer_by(*said)) as peer:
        consumer = greeting(peer.url)
        error = failing(consumer)
        assert type(error) is kind
        assert text in error.message
        assert error.in_doubt
        assert consumer.reference("greeter").say_hello(name="Ann").message == "hello"
        assert not peer.accepted.acquire(blocking=False) or not peer.accepted.acquire(blocking=False)


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize(("code", "kind"), [(b"401", Rejected), (b"403", Rejected), (b"404", RemoteProtocolError)])
def test_a_refusal_by_http_is_that_of_grpc(greeting: Greeting, code: bytes, kind: type[RpcError], ends: bool) -> None:
    """Armeria says 404 of a method that it does not have, and proxies 401 and 403: no method has run."""
    error = one_call(greeting, answer_by(headers(1, (b":status", code), ends=ends)))
    assert type(error) is kind
    assert f"HTTP status {code.decode()}" in error.message
    assert error.is_remote
    assert not error.in_doubt


PACK: dict[bytes, Callable[[bytes], bytes]] = {b"gzip": gzip.compress, b"deflate": zlib.compress}


@pytest.mark.parametrize("encoding", PACK)
def test_a_compressed_answer(greeting: Greeting, encoding: bytes) -> None:
    """Is unpacked."""
    packed = data(1, message(PACK[encoding](reply("small")), 1))
    with http2_peer(answer_by(headers(1, *HEAD, (b"grpc-encoding", encoding)), packed, END)) as peer:
        assert greeting(peer.url).reference("greeter").say_hello(name="Ann").message == "small"


@pytest.mark.parametrize("encoding", PACK)
def test_an_answer_that_would_unpack_to_too_much(greeting: Greeting, encoding: bytes) -> None:
    """It is not unpacked beyond the limit."""
    bomb = data(1, message(PACK[encoding](bytes(10_000_000)), 1))
    serve = answer_by(headers(1, *HEAD, (b"grpc-encoding", encoding)), bomb, END)
    error = one_call(greeting, serve, max_response_bytes=1000)
    assert isinstance(error, LimitExceeded)
    assert "more than the 1000 that max_response_bytes allows" in error.message


def test_a_status_without_an_answer_may_have_metadata(greeting: Greeting) -> None:
    """An answer of trailers alone is the provider's own error, its text unquoted."""
    fields = ((b"grpc-status", b"5"), (b"grpc-message", b"no%20such%20%C3%A4"), (b"x-why", b"because"))
    error = one_call(greeting, answer_by(headers(1, *HEAD, *fields, ends=True)))
    assert isinstance(error, RemoteError)
    assert (error.type_name, error.status_text, error.details["x-why"]) == ("NOT_FOUND", "no such \u00e4", "because")
    assert error.is_remote


def test_an_answer_before_the_end_of_the_request(greeting: Greeting) -> None:
    """It counts, and what is left of the request is not sent any more."""
    heard: queue.SimpleQueue[Frame] = queue.SimpleQueue()

    def serve(line: Line) -> None:
        stream = line.next(frames.HEADERS).stream
        line.send(window_update_frame(0, 65_535))
        line.answer(stream)
        heard.put(line.next(frames.RST_STREAM))
        answering(line)

    with http2_peer(serve) as peer:
        greeter = greeting(peer.url).reference("greeter")
        assert greeter.say_hello(name="x" * 1_000_000).message == "hello"
        assert heard.get(timeout=SOON).payload == bytes(4)
        assert greeter.say_hello(name="Ann").message == "hello"


def test_metadata_that_are_too_large_fail_their_own_call(greeting: Greeting) -> None:
    """By the number of the limit and its place; the next answer is read."""
    large = headers(1, *HEAD, (b"x-large", b"y" * 5000))
    with http2_peer(answer_by(large, GOOD_DATA, END)) as peer:
        consumer = greeting(peer.url, max_metadata_bytes=2000)
        error = failing(consumer)
        assert isinstance(error, LimitExceeded)
        assert "more than the 2000 that max_metadata_bytes allows" in error.message
        assert consumer.reference("greeter").say_hello(name="Ann").message == "hello"


# -- cancelled, and silent --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_the_provider_hears_that_nobody_waits(greeting: Greeting, how: str) -> None:
    """A call that was given up, or whose time is over, resets its stream."""
    heard: queue.SimpleQueue[Frame] = queue.SimpleQueue()

    def serve(line: Line) -> None:
        line.request()
        heard.put(line.next(frames.RST_STREAM))
        line.wait_closed()

    with http2_peer(serve) as peer:
        greeter = greeting(peer.url).reference("greeter")
        future = greeter.say_hello.with_options(timeout=300 if how == "timeout" else 9000).future(name="Ann")
        assert future.sent(SOON)
        if how == "cancel":
            future.cancel()
        assert heard.get(timeout=SOON).payload == frames.CANCEL.to_bytes(4)


def test_the_timeout_travels(greeting: Greeting) -> None:
    """The provider is told how long the call has, in whole milliseconds."""
    seen: list[Frame] = []

    def serve(line: Line) -> None:
        for stream in line.requests():
            seen.extend(line.read)
            line.answer(stream)

    with http2_peer(serve) as peer:
        greeting(peer.url).reference("greeter").say_hello.with_options(timeout=1234).sync(name="Ann")
    [head] = [one.payload for one in seen if one.kind == frames.HEADERS]
    assert b"grpc-timeout\x051234m" in head or b"grpc-timeout\x051233m" in head


def test_a_silent_provider_is_asked_for_a_sign_of_life(greeting: Greeting) -> None:
    """Without an answer the connection counts as lost; the call is in doubt."""
    error = one_call(greeting, lambda line: line.wait_closed(), keepalive=50, keepalive_timeout=100)
    assert isinstance(error, ConnectionLost)
    assert "no answer came to a ping for 0.1 s (keepalive_timeout)" in error.message
    assert error.in_doubt


def test_a_provider_that_answers_pings_is_waited_for(greeting: Greeting) -> None:
    """A slow method is no dead provider."""

    def serve(line: Line) -> None:
        stream = line.request()
        for _ in range(3):
            ping = line.next(frames.PING)
            line.send(frames.ping_frame(ping.payload, ack=True))
        line.answer(stream)
        line.wait_closed()

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url, keepalive=30, keepalive_timeout=5000)
        assert consumer.reference("greeter").say_hello(name="Ann").message == "hello"


def test_a_provider_that_is_asked_too_often_is_asked_less_often(
    greeting: Greeting, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of its goodbyes doubles the time; its calls are in doubt, and say which setting it is about."""

    def serve(line: Line) -> None:
        line.request()
        line.next(frames.PING)
        line.send(goaway(frames.LARGEST_STREAM, frames.ENHANCE_YOUR_CALM, b"too_many_pings"))
        line.hang_up()

    with http2_peer(serve) as peer, caplog.at_level(logging.WARNING):
        hello = greeting(peer.url, keepalive=30).reference("greeter").say_hello
        errors = [hello.future(name="Ann").exception(timeout=SOON) for _ in range(3)]
    for error in errors:
        assert isinstance(error, ConnectionLost)
        assert error.in_doubt
        assert re.search(r"too_many_pings: it was asked .* than it allows \(keepalive, .*yml:\d+\)", error.message)
    said = [record.getMessage() for record in caplog.records]
    assert [text.partition("keepalive is ")[2] for text in said if "fewer pings" in text] == [
        f"{seconds} s from now on" for seconds in (0.06, 0.12, 0.24)
    ]


def test_pings_of_the_provider_are_answered(greeting: Greeting) -> None:
    """Also while a calling thread carries its own call."""

    def serve(line: Line) -> None:
        for stream in line.requests():
            line.send(frames.ping_frame(b"12345678"))
            pong = line.next(frames.PING)
            assert (pong.payload, pong.flags) == (b"12345678", frames.ACK)
            line.answer(stream)

    with http2_peer(serve) as peer:
        greeter = greeting(peer.url).reference("greeter")
        assert [greeter.say_hello(name="Ann").message for _ in range(5)] == ["hello"] * 5


def test_calls_that_a_provider_has_no_window_for_were_not_sent(greeting: Greeting) -> None:
    """But for the first thousand, whose headers it has; the others say what they waited for."""
    with http2_peer(lambda line: line.wait_closed()) as peer:
        hello = greeting(peer.url, timeout=9000, max_queued_requests=2000).reference("greeter").say_hello
        first = [hello.future(name="x" * size) for size in (70_000, *([1] * 1000))]
        late = hello.with_options(timeout=300).future(name="Ann")
        error = late.exception(timeout=SOON)
        assert all(future.cancel() for future in first)
    assert isinstance(error, CallTimeout)
    assert error.not_sent
    assert "the provider takes no more bytes until it has read what was sent" in error.message


def test_a_timeout_tells_that_the_provider_has_let_only_a_part_of_the_request_leave(greeting: Greeting) -> None:
    """It is in doubt, and says whose fault it is."""
    with http2_peer(lambda line: line.wait_closed()) as peer:
        error = failing(greeting(peer.url, timeout=300), "x" * 70_000)
    assert isinstance(error, CallTimeout)
    assert error.in_doubt
    assert error.message.endswith("; the provider takes no more bytes of its request")


def test_pings_that_come_with_an_answer_are_answered_with_a_later_call_or_soon(greeting: Greeting) -> None:
    """Whoever has the answer need not wait for that; where no call follows the provider waits for some milliseconds."""
    asks = [b"ping %3d" % number for number in range(5)]
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def serve(line: Line) -> None:
        for ask in asks:
            line.send(frames.ping_frame(ask), *answer_of(line.request()))
        while sum(frame.kind == frames.PING for frame in line.read) < len(asks):
            line.next()
        for frame in line.read:
            if frame.kind == frames.PING:
                heard.put(frame.payload)
        line.wait_closed()

    with http2_peer(serve) as peer:
        greeter = greeting(peer.url).reference("greeter")
        for _ in asks:
            greeter.say_hello(name="Ann")
        assert [heard.get(timeout=SOON) for _ in asks] == asks


def test_a_provider_that_asks_again_once_it_has_an_answer_is_not_answered_with_each_call(greeting: Greeting) -> None:
    """Like one by grpc-go, which measures by pings: each answer would make it ask with the next call."""
    first, calls = 200, 500  # the first of all are carried by the I/O thread, which answers at once
    asked: list[int] = []
    done = threading.Event()

    def serve(line: Line) -> None:
        waits = False
        for call in range(calls):
            while (frame := line.next(frames.PING, frames.HEADERS)).kind == frames.PING:
                waits = False
            if not waits:
                asked.append(call)
            line.send(*([] if waits else [frames.ping_frame(b"12345678")]), *answer_of(frame.stream))
            waits = True
        done.wait(SOON)

    with http2_peer(serve) as peer:
        greeter = greeting(peer.url).reference("greeter")
        for call in range(calls):
            if call == first:
                began = time.monotonic()
            greeter.say_hello(name="Ann")
        seconds = time.monotonic() - began
        done.set()
    # And some few where a busy machine lets the I/O thread carry a call.
    assert len([call for call in asked if call >= first]) <= 50 + seconds / 0.02


def test_a_ping_that_waits_for_the_next_call_waits_for_none_that_lasts(greeting: Greeting) -> None:
    """It is not yet its turn as that call begins, and the call gets no answer until the ping has one."""
    first = 200  # the first of all are carried by the I/O thread, which answers at once

    def serve(line: Line) -> None:
        for _ in range(first):
            line.send(*answer_of(line.next(frames.HEADERS).stream))
        for ask in (b"the 1st.", b"the 2nd."):
            line.send(frames.ping_frame(ask), *answer_of(line.next(frames.HEADERS).stream))
        stream = line.next(frames.HEADERS).stream
        while line.read[-1].payload != b"the 2nd.":
            line.next()
        line.send(*answer_of(stream))
        line.wait_closed()

    with http2_peer(serve) as peer:
        patient = greeting(peer.url, connect_timeout=600_000, timeout=600_000)  # at which a connection looks at itself
        hello = patient.reference("greeter").say_hello
        for _ in range(first + 2):
            assert hello(name="Ann").message == "hello"
        assert hello.with_options(timeout=SOON * 1000).sync(name="Ann").message == "hello"


# -- hostile ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("serve", "text"),
    [
        (after_request(lambda _: frames.frame(77, 0, 0, bytes(20_000))), "20000 bytes"),
        (after_request(lambda _: frames.frame(frames.PUSH_PROMISE, 4, 1, bytes(8))), "push"),
        (after_request(lambda _: frames.ping_frame(b"12345678") * 20_000), "say nothing"),
        (after_request(lambda _: window_update_frame(0, (1 << 31) - 1)), "bytes, and"),
        (after_request(lambda _: settings_frame({frames.MAX_FRAME_SIZE: 1})), "frames of 1 bytes"),
        (after_request(lambda _: headers(7, *HEAD)), "stream 7"),
    ],
)
def test_a_hostile_provider_hurts_its_own_connection_only(
    greeting: Greeting, serve: Callable[[Line], None], text: str
) -> None:
    """The call is in doubt, the error says what was wrong, and the next call has a new connection."""
    served = [serve]
    with http2_peer(lambda line: served.pop()(line) if served else answering(line)) as peer:
        consumer = greeting(peer.url)
        error = failing(consumer)
        assert isinstance(error, ConnectionLost)
        assert text in error.message
        assert error.in_doubt
        assert consumer.reference("greeter").say_hello(name="Ann").message == "hello"


def test_answers_beyond_their_window(greeting: Greeting) -> None:
    """A provider that sends more than it may fails the stream, and is told why; what came before can be read."""
    heard: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    count = STREAM_WINDOW // 12_000 + 1

    def serve(line: Line) -> None:
        line.send(headers(line.request(), *HEAD))
        line.send(data(1, message(LONG)) * count)
        heard.put(line.next(frames.RST_STREAM))
        line.wait_closed()

    with http2_peer(serve) as peer:
        answers = greeting(peer.url).reference("greeter").spell_hello(name="Ann")
        assert heard.get(timeout=SOON).payload == frames.FLOW_CONTROL_ERROR.to_bytes(4)
        assert [len(next(answers).message) for _ in range(count - 1)] == [12_000] * (count - 1)
        with pytest.raises(RemoteProtocolError, match="more than the window"):
            next(answers)


def test_a_slow_reader_bounds_what_the_provider_may_send(greeting: Greeting) -> None:
    """No more than the window of a stream waits here, however much there is; all of it comes once it is read."""
    stopped, count, sent = threading.Event(), 300, [0]

    def serve(line: Line) -> None:
        stream, window = line.request(), STREAM_WINDOW
        line.send(headers(stream, *HEAD))
        one = data(stream, message(LONG))
        size = len(one) - frames.FRAME_BYTES
        for _ in range(count):
            while window < size:
                stopped.set()
                update = line.next(frames.WINDOW_UPDATE)
                window += int.from_bytes(update.payload) if update.stream else 0
            line.send(one)
            sent[0] += 1
            window -= size
        line.send(headers(stream, *OK, ends=True))
        line.wait_closed()

    with http2_peer(serve) as peer:
        answers = greeting(peer.url).reference("greeter").spell_hello(name="Ann")
        assert stopped.wait(SOON)
        assert sent[0] * 12_000 <= STREAM_WINDOW
        assert sum(len(one.message) for one in answers) == count * 12_000


# -- connecting -------------------------------------------------------------------------------------------------------


def test_a_provider_that_says_no_word_of_http2(greeting: Greeting) -> None:
    """No request leaves before its first word; without one no connection came about."""
    with Peer(tri_peers.mute) as peer:
        error = failing(greeting(peer.url, connect_timeout=200))
    assert isinstance(error, ConnectFailed)
    assert "no word of HTTP/2 came within 200 ms (connect_timeout)" in error.message
    assert error.not_sent


def test_tls_without_http2(greeting: Greeting, certificates: Path) -> None:
    """A provider that agrees to no HTTP/2 in the handshake gets no request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")

    def serve(connection: Any) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(100)

    with Peer(serve) as peer:
        error = failing(greeting(peer.url, ssl={"ca": str(certificates / "ca.pem")}))
    assert isinstance(error, ConnectFailed)
    assert "not HTTP/2 as gRPC does" in error.message


@pytest.mark.parametrize("is_cut", [False, True])
def test_blocking_calls_by_tls(greeting: Greeting, certificates: Path, is_cut: bool) -> None:
    """Answers of any size come whole, in one record or many, and a ping that is in front of one is answered."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.set_alpn_protocols(["h2"])
    sizes = [0, 1, 100, 8_000, 16_300]
    pings: list[int] = []

    def answer(line: Line, stream: int, size: int) -> None:
        said = [headers(stream, *HEAD), *pieces_of(stream, size), headers(stream, *OK, ends=True)]
        said.insert(0, frames.ping_frame(b"12345678"))
        for part in said if is_cut else [b"".join(said)]:
            line.send(part)

    def serve(connection: Any) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            line = Line(wrapped, GREETING)
            for stream, size in zip(line.requests(), sizes, strict=False):
                answer(line, stream, size)
            line.wait_closed()
            pings.append(sum(frame.kind == frames.PING for frame in line.read))

    with Peer(serve) as peer:
        consumer = greeting(peer.url, ssl={"ca": str(certificates / "ca.pem")})
        greeter = consumer.reference("greeter")
        assert [len(greeter.say_hello(name="Ann").message) for _ in sizes] == sizes
        consumer.close()
        wait_until(lambda: pings == [len(sizes)])


def pieces_of(stream: int, size: int) -> list[bytes]:
    """A `HelloReply` of so many letters in frames of data."""
    whole = message(pb.HelloReply(message="x" * size).SerializeToString())
    return [data(stream, whole[at : at + 5000]) for at in range(0, len(whole), 5000)]


def test_what_happened_on_a_connection(greeting: Greeting) -> None:
    """The consumer tells how often it came about, and of answers to nobody."""

    def serve(line: Line) -> None:
        stream = line.request()
        line.send(reset(stream, frames.CANCEL))
        line.answer(stream, "late")
        answering(line)

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url)
        failing(consumer)
        assert consumer.reference("greeter").say_hello(name="Ann").message == "hello"
        [counts] = consumer.connections()
        assert (counts.endpoint, counts.is_open, counts.connects) == (peer.url, True, 1)
        wait_until(lambda: consumer.connections()[0].unknown_answers == 1)


HEAD_OF_A_PROGRAM = """
import sys
from callahead.consumer import Consumer
"""


@pytest.fixture
def own_programs(tmp_path: Path) -> Any:
    """Programs that have imported the consumer alone."""
    made = Programs(tmp_path, HEAD_OF_A_PROGRAM)
    yield made
    made.close()


def test_a_call_needs_no_grpc(own_programs: Programs) -> None:
    """From the import to the first answer nothing of grpcio is imported, where the types come of messages alone."""
    program = """
    reference = {"interface": "com.alibaba.foo.FooService", "module": "callahead.conf.foo_pb2", "carrier": "http2"}
    with Consumer({"references": {"foo": {**reference, "url": sys.argv[1], "timeout": 10000}}}) as consumer:
        consumer.reference("foo").find_foo(foo_id=1)
    say([name for name in sys.modules if name.partition(".")[0] == "grpc"])
    """

    def serve(line: Line) -> None:
        for stream in line.requests():
            line.send(headers(stream, *HEAD), data(stream, message(b"")), headers(stream, *OK, ends=True))

    with http2_peer(serve) as peer:
        process = own_programs.start(program, peer.url)
        out, _ = process.communicate(timeout=15)
    assert (process.returncode, out.strip()) == (0, "[]")


def test_types_by_reflection_need_no_grpc(own_programs: Programs, server: ProviderProcess) -> None:
    """The question for them goes over the connection that the calls use, too."""
    program = """
    reference = {"interface": "helloworld.Greeter", "carrier": "http2", "url": sys.argv[1], "timeout": 10000}
    with Consumer({"references": {"greeter": reference}}) as consumer:
        greeter = consumer.reference("greeter")
        say(greeter.say_hello(name="Ann").message, len(list(greeter.spell_hello(name="Ann"))))
        say([counts.connects for counts in consumer.connections()])
    say([name for name in sys.modules if name.partition(".")[0] == "grpc"])
    """
    process = own_programs.start(program, server.url)
    out, _ = process.communicate(timeout=15)
    assert (process.returncode, out.split("\n")[:3]) == (0, ["Hello, Ann 3", "[1]", "[]"])


# -- generated stubs --------------------------------------------------------------------------------------------------


def stub_of(consumer: Consumer) -> Any:
    return pb_grpc.GreeterStub(consumer.channel("greeter"))


def test_a_stub_compresses_its_request(greeting: Greeting) -> None:
    """By gzip, told in the headers, and with metadata of its own beside it."""
    seen: list[Frame] = []

    def serve(line: Line) -> None:
        for stream in line.requests():
            seen.extend(line.read)
            line.answer(stream)

    with http2_peer(serve) as peer:
        stub = stub_of(greeting(peer.url))
        request = pb.HelloRequest(name="x" * 1000)
        answer = stub.SayHello(request, compression=grpc.Compression.Gzip, metadata=(("x-own", "1"),))
        assert answer.message == "hello"
    [head] = [one.payload for one in seen if one.kind == frames.HEADERS]
    [sent] = [one.payload for one in seen if one.kind == frames.DATA]
    assert b"grpc-encoding" in head or b"\x0f\x0b\x04gzip" in head
    assert b"x-own" in head
    assert (sent[0], gzip.decompress(sent[5:])) == (1, request.SerializeToString())


def test_a_compression_that_is_none(greeting: Greeting) -> None:
    """The call is not sent."""
    with http2_peer(answering) as peer:
        with pytest.raises(LocalProtocolError, match="the compression 7 is none") as caught:
            stub_of(greeting(peer.url)).SayHello(pb.HelloRequest(name="Ann"), compression=7)
        assert caught.value.not_sent


def test_a_stub_without_bound_waits_as_long_as_it_takes(greeting: Greeting) -> None:
    """A timeout of infinity is a year here, for which no system's poll waits; nor is the provider told of any."""
    seen: list[Frame] = []

    def serve(line: Line) -> None:
        for stream in line.requests():
            seen.extend(line.read)
            line.answer(stream)

    with http2_peer(serve) as peer:
        stub = stub_of(greeting(peer.url))
        for _ in range(3):
            assert stub.SayHello(pb.HelloRequest(name="Ann"), timeout=math.inf).message == "hello"
            assert stub.SayHello.future(pb.HelloRequest(name="Ann"), timeout=math.inf).result(SOON).message == "hello"
    assert not any(b"grpc-timeout" in one.payload for one in seen)


def test_a_stream_of_a_stub_is_a_call(greeting: Greeting) -> None:
    """It tells its metadata as they come, how it has ended, and calls who wants to know; once it has, it says so."""
    let, ended = threading.Event(), threading.Event()

    def serve(line: Line) -> None:
        stream = line.request()
        line.send(headers(stream, *HEAD, (b"x-first", b"1")), data(stream, message(reply("a"))))
        let.wait(SOON)
        line.send(headers(stream, (b"grpc-status", b"5"), (b"grpc-message", b"gone"), (b"x-last", b"2"), ends=True))
        line.wait_closed()

    with http2_peer(serve) as peer:
        call = stub_of(greeting(peer.url)).SpellHello(pb.HelloRequest(name="Ann"), timeout=9)
        assert dict(call.initial_metadata()) == {"x-first": "1"}
        assert next(call).message == "a"
        assert (call.is_active(), call.done(), call.cancelled()) == (True, False, False)
        assert 0 < call.time_remaining() <= 9
        assert call.add_callback(ended.set)
        let.set()
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        assert ended.wait(SOON)
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "gone")
        assert (call.code(), call.details()) == (grpc.StatusCode.NOT_FOUND, "gone")
        assert dict(call.trailing_metadata()) == {"x-last": "2"}
        assert not call.add_callback(ended.set)
        assert not call.cancel()


def test_a_stream_of_a_stub_that_nobody_holds_is_given_up(greeting: Greeting) -> None:
    """The provider hears that nobody waits; one that is cancelled raises so."""
    heard: queue.SimpleQueue[Frame] = queue.SimpleQueue()

    def serve(line: Line) -> None:
        for _ in range(2):
            line.send(headers(line.request(), *HEAD))
            heard.put(line.next(frames.RST_STREAM))
        line.wait_closed()

    with http2_peer(serve) as peer:
        stub = stub_of(greeting(peer.url))
        dropped = stub.SpellHello(pb.HelloRequest(name="Ann"))
        assert dropped.initial_metadata() == ()
        del dropped
        assert heard.get(timeout=SOON).payload == frames.CANCEL.to_bytes(4)
        cancelled = stub.SpellHello(pb.HelloRequest(name="Ann"))
        cancelled.initial_metadata()
        assert cancelled.cancel()
        assert heard.get(timeout=SOON).payload == frames.CANCEL.to_bytes(4)
        with pytest.raises(grpc.RpcError) as caught:
            next(cancelled)
        assert caught.value.code() is cancelled.code() is grpc.StatusCode.CANCELLED
