"""Providers that break HTTP/2 on purpose, under calls of every kind: each call ends once, and only that connection."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import grpc
import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import hpack
import pytest
from support.dubbo_peer import wait_until
from support.http2_floods import FLOODS
from support.http2_frames import (
    GREETING,
    HEAD,
    OK,
    answer,
    data,
    frame,
    goaway,
    headers,
    message,
    ping_frame,
    reset,
    settings_frame,
    window_update_frame,
)
from support.http2_peer import Line, answering, http2_peer, reply
from support.tri_peers import Peer

from callahead.consumer import CallTimeout, ConnectionLost, Consumer, LimitExceeded, RpcError
from callahead.consumer.transport.tri.http2.streams import Streams
from callahead.consumer.wire.http2 import frames

Greeting = Callable[..., Consumer]
SOON = 5.0


@pytest.fixture
def carrier() -> str:
    """The carrier under test."""
    return "http2"


def _future(consumer: Consumer) -> Any:
    return consumer.reference("greeter").say_hello.future(name="Ann").result(SOON)


def _waiting(consumer: Consumer) -> Any:
    return consumer.reference("greeter").say_hello(name="Ann")


def _stream(consumer: Consumer) -> Any:
    return list(consumer.reference("greeter").spell_hello(name="Ann"))


def _stub(consumer: Consumer) -> Any:
    return pb_grpc.GreeterStub(consumer.channel("greeter")).SayHello(pb.HelloRequest(name="Ann"), timeout=SOON)


VIEWS: dict[str, Callable[[Consumer], Any]] = {
    "future": _future, "waiting": _waiting, "stream": _stream, "stub": _stub
}  # fmt: skip
"""Ways to call; once there is a connection, one that waits is carried by the thread that calls."""


@contextmanager
def hostile(then: Callable[[Line, int], None]) -> Iterator[Peer]:
    """Answer one request well, do *then* at the next one, of that stream, and answer well on further connections."""
    first = [then]

    def serve(line: Line) -> None:
        if not first:
            answering(line)
            return
        line.answer(line.request())
        at = line.request()
        first.pop()(line, at)

    with http2_peer(serve) as peer:
        yield peer


def saying(*said: Callable[[int], bytes]) -> Callable[[Line, int], None]:
    """Say that of the stream, and wait for the end of the connection."""

    def then(line: Line, stream: int) -> None:
        line.send(*(one(stream) for one in said))
        line.wait_closed()

    return then


def failed(consumer: Consumer, view: str) -> Any:
    """The error of a call in that way behind one that was answered."""
    assert _waiting(consumer).message == "hello"
    with pytest.raises((RpcError, grpc.RpcError)) as caught:
        VIEWS[view](consumer)
    return caught.value


# -- floods -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["future", "waiting"])
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_its_connection_and_no_other(greeting: Greeting, name: str, view: str) -> None:
    """The call ends in doubt, and the next one has a new connection."""

    def flood(line: Line, stream: int) -> None:
        said = FLOODS[name](stream) * 200
        try:
            for _ in range(500):
                line.send(said)
            line.wait_closed()
        finally:
            over.set()

    over = threading.Event()
    with hostile(flood) as peer:
        consumer = greeting(peer.url)
        error = failed(consumer, view)
        assert isinstance(error, RpcError)
        assert (error.not_sent, error.in_doubt) == (False, True)
        assert over.wait(SOON)
        assert _waiting(consumer).message == "hello"


def test_a_flood_that_nobody_reads_the_answers_of(greeting: Greeting) -> None:
    """A provider that pings bit by bit and never reads is hung up on."""

    def ping(line: Line, stream: int) -> None:
        del stream
        for _ in range(100_000):
            line.send(ping_frame(b"12345678") * 10)

    with hostile(ping) as peer:
        consumer = greeting(peer.url)
        error = failed(consumer, "future")
    assert isinstance(error, ConnectionLost)


@pytest.mark.parametrize("said", [lambda one: data(one, b"x" * 10_000), lambda one: headers(one, *HEAD)])
def test_answers_to_a_call_that_is_over_come_to_an_end(greeting: Greeting, said: Callable[[int], bytes]) -> None:
    """A provider that goes on and on with an answered call ends the connection, and so the call beside it."""

    def go_on(line: Line, stream: int) -> None:
        for _ in range(1000):
            line.send(said(stream - 2))
        line.wait_closed()

    with hostile(go_on) as peer:
        consumer = greeting(peer.url)
        error = failed(consumer, "future")
        assert isinstance(error, ConnectionLost)
        assert "goes on with streams that are over" in error.message
        assert _waiting(consumer).message == "hello"


# -- broken in every way ----------------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[Callable[[int], bytes], str]] = {
    "padding": (lambda one: frame(frames.DATA, frames.PADDED, one, b"\xff"), "more padding than bytes"),
    "push": (lambda one: frame(frames.PUSH_PROMISE, 4, one, bytes(4)), "a push"),
    "settings of a stream": (lambda one: frame(frames.SETTINGS, 0, one, b""), "settings of stream"),
    "settings of five bytes": (lambda _: frame(frames.SETTINGS, 0, 0, bytes(5)), "no multiple of 6"),
    "an answer with settings": (lambda _: frame(frames.SETTINGS, frames.ACK, 0, bytes(6)), "has 0"),
    "pushes allowed": (lambda _: settings_frame({frames.ENABLE_PUSH: 1}), "pushes"),
    "a window of too much": (lambda _: settings_frame({frames.INITIAL_WINDOW_SIZE: 1 << 31}), "window of 2147483648"),
    "frames of too little": (lambda _: settings_frame({frames.MAX_FRAME_SIZE: 16_383}), "frames of 16383"),
    "a ping of a stream": (lambda one: frame(frames.PING, 0, one, bytes(8)), "a ping of stream"),
    "a short ping": (lambda _: frame(frames.PING, 0, 0, bytes(7)), "7 bytes"),
    "no window for all": (lambda _: window_update_frame(0, 0), "0 bytes more"),
    "too much for all": (lambda _: window_update_frame(0, frames.LARGEST_WINDOW), "2147483647 at most"),
    "a short goodbye": (lambda _: frame(frames.GOAWAY, 0, 0, bytes(7)), "7 bytes"),
    "an unopened stream": (lambda one: headers(one + 2, *HEAD), "has not opened"),
    "a stream of its own": (lambda _: headers(2, *HEAD), "has not opened"),
    "headers of no stream": (lambda _: headers(0, *HEAD), "stream 0"),
    "a rest of nothing": (lambda one: frame(frames.CONTINUATION, 4, one, b""), "without a header block"),
    "a bad index": (lambda one: frame(frames.HEADERS, 4, one, b"\xbe"), "entry 62"),
    "a large table": (lambda one: frame(frames.HEADERS, 4, one, b"\x3f\xe1\x1f"), "dynamic table"),
    "a large frame": (lambda one: data(one, bytes(16_385)), "16385 bytes"),
    "a short reset": (lambda one: frame(frames.RST_STREAM, 0, one, bytes(3)), "3 bytes"),
    "a short priority": (lambda one: frame(frames.PRIORITY, 0, one, bytes(4)), "4 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("view", ["future", "waiting"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_ends_the_connection(greeting: Greeting, name: str, view: str) -> None:
    """The call in doubt says which rule it was, the provider hears goodbye, and the next call is answered."""
    heard: list[int] = []
    said, text = BROKEN[name]

    def then(line: Line, stream: int) -> None:
        line.send(said(stream))
        heard.append(int.from_bytes(line.next(frames.GOAWAY).payload[4:8]))

    with hostile(then) as peer:
        consumer = greeting(peer.url)
        error = failed(consumer, view)
        assert isinstance(error, ConnectionLost)
        assert text in error.message
        assert error.in_doubt
        assert _waiting(consumer).message == "hello"
        wait_until(lambda: bool(heard))
    assert heard[0] in frames.ERROR_NAMES
    assert heard[0] != frames.NO_ERROR


@pytest.mark.parametrize("view", VIEWS)
def test_a_provider_that_keeps_a_table_of_headers_is_read(greeting: Greeting, view: str) -> None:
    """A server by grpc-okhttp does, though it is allowed none: each call is answered, over one connection."""
    connections = []

    def serve(line: Line) -> None:
        connections.append(line)
        encoder = hpack.Encoder()
        for stream in line.requests():
            head, tail = (encoder.encode([*fields]) for fields in (HEAD, (*OK, (b"x-number", b"%d" % (stream % 5)))))
            body = data(stream, message(reply("hello")))
            line.send(frame(frames.HEADERS, 4, stream, head), body, frame(frames.HEADERS, 5, stream, tail))

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url)
        for _ in range(20):
            VIEWS[view](consumer)
    assert len(connections) == 1


@pytest.mark.parametrize("view", VIEWS)
def test_every_way_to_call_hears_that_the_connection_broke(greeting: Greeting, view: str) -> None:
    """Futures, blocking calls, streams and stubs of generated code alike."""
    with hostile(saying(lambda one: frame(frames.PUSH_PROMISE, 4, one, bytes(4)))) as peer:
        error = failed(greeting(peer.url), view)
        text = error.details() if isinstance(error, grpc.RpcError) and not isinstance(error, RpcError) else str(error)
        assert "a push" in text


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ([headers(3, (b"grpc-status", b"0"), ends=True)], "without a :status"),
        ([headers(3, (b":status", b"302"), (b"location", b"/"))], "HTTP status 302"),
        ([headers(3, (b":status", b"500"), ends=True)], "HTTP status 500"),
        ([headers(3, (b":status", b"204"), ends=True)], "HTTP status 204"),
        ([headers(3, *HEAD, (b"grpc-status", b"one"), ends=True)], "UNKNOWN"),
        ([headers(3, *HEAD, (b"grpc-status", b"9" * 5000), ends=True)], "UNKNOWN"),
        ([headers(3, *HEAD, (b"grpc-status", b"-1"), ends=True)], "UNKNOWN"),
        ([headers(3, *HEAD, (b"grpc-status", b"13"), (b"grpc-message", b"%ff%zz%c3"), ends=True)], "\ufffd%zz\ufffd"),
        ([headers(3, *HEAD, *OK, ends=True)], "sent no answer"),
        ([headers(3, *HEAD), data(3, b"\0\xff\xff\xff\xff")], "4294967295 bytes"),
        ([headers(3, *HEAD), data(3, b"\0\0\0\1\0abc"), headers(3, *OK, ends=True)], "in the midst"),
        ([headers(3, *HEAD, (b"grpc-encoding", b"x" * 5000)), data(3, message(b"x", 1)), headers(3, *OK, ends=True)],
         "is compressed"),
        ([headers(3, (b":status", b"200"), (b"content-type", b"y" * 5000))], "content-type"),
        ([headers(3, *HEAD, (b"te\xff", b""))], "a header that is called"),
        ([headers(3, *HEAD, (b"z" * 5000 + b"Z", b""))], "a header that is called"),
        ([window_update_frame(3, 0)], "0 bytes more"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("view", ["future", "waiting"])
def test_an_answer_that_is_none_is_told_in_few_words(
    greeting: Greeting, said: list[bytes], status: str, view: str
) -> None:
    """The call alone fails, by a text of bounded length, and the connection goes on."""

    def then(line: Line, stream: int) -> None:
        assert stream == 3
        line.send(*said)
        answering(line)

    with hostile(then) as peer:
        consumer = greeting(peer.url)
        error = failed(consumer, view)
        assert status in f"{error.status} {error.message}"
        assert len(error.message) < 600
        assert _waiting(consumer).message == "hello"
        [counts] = consumer.connections()
        assert counts.connects == 1


def test_a_frame_beyond_the_limit_names_its_setting(greeting: Greeting) -> None:
    """With both numbers, and the line where it was set."""
    with hostile(saying(lambda one: data(one, bytes(20_001)))) as peer:
        error = failed(greeting(peer.url, max_frame_bytes=20_000), "future")
    assert "a frame has 20001 bytes, more than the 20000 allowed (max_frame_bytes, " in error.message
    assert "yml:9)" in error.message


@pytest.mark.parametrize("view", ["future", "waiting"])
def test_large_frames_are_read_where_they_are_allowed(greeting: Greeting, view: str) -> None:
    """The provider is told how large they may be, and its answer comes in one."""
    told: list[bytes] = []

    def serve(line: Line) -> None:
        for stream in line.requests():
            told.extend(one.payload for one in line.read if one.kind == frames.SETTINGS)
            large = b"\n\xa0\x8d\x06" + b"x" * 100_000
            line.send(headers(stream, *HEAD), data(stream, message(large)), headers(stream, *OK, ends=True))

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url, max_frame_bytes="200KB")
        assert [len(VIEWS[view](consumer).message) for _ in range(3)] == [100_000] * 3
    assert frames.MAX_FRAME_SIZE.to_bytes(2) + (200_000).to_bytes(4) in told[0]


# -- cut, damaged, and bit by bit -------------------------------------------------------------------------------------

GOOD = answer(3, reply("hello"))


@pytest.mark.parametrize("view", ["future", "waiting", "stream"])
def test_an_answer_that_is_cut_anywhere(greeting: Greeting, view: str) -> None:
    """A connection that ends within an answer leaves the call in doubt, wherever that is; behind it there is one."""
    cuts = [*range(len(GOOD) + 1)]

    def serve(line: Line) -> None:
        line.answer(line.request())
        line.request()
        line.send(GOOD[: cuts[0]])
        cuts.pop(0)

    with http2_peer(lambda line: closing(line, serve)) as peer:
        consumer = greeting(peer.url)
        for cut in range(len(GOOD)):
            error = failed(consumer, view)
            assert isinstance(error, ConnectionLost), cut
            assert error.in_doubt
            wait_until(lambda cut=cut: len(cuts) == len(GOOD) - cut)  # type: ignore[misc]
        assert _waiting(consumer).message == "hello"
        VIEWS[view](consumer)


def closing(line: Line, serve: Callable[[Line], None]) -> None:
    """Serve, and hang up."""
    serve(line)
    line.hang_up()


def test_an_answer_that_comes_byte_by_byte(greeting: Greeting) -> None:
    """It is an answer as any other, on the thread that calls and on the other one."""

    def serve(line: Line) -> None:
        for stream in line.requests():
            for byte in answer(stream, reply("slow")):
                line.send(bytes([byte]))

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url)
        assert [VIEWS[view](consumer).message for view in ("future", "waiting", "waiting")] == ["slow"] * 3


@pytest.mark.parametrize("view", ["future", "waiting", "stream"])
def test_damaged_answers(greeting: Greeting, view: str) -> None:
    """Whatever bytes come instead of good ones, the call ends as a value or an error of callahead, and all is well."""
    random, rounds = Random(11), 120
    fates: list[RpcError | None] = []

    def serve(line: Line) -> None:
        stream = line.request()
        said = bytearray(answer(stream, reply("hello")))
        for _ in range(random.randint(1, 4)):
            said[random.randrange(len(said))] = random.randrange(256)
        line.send(bytes(said))
        line.hang_up()

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url)
        for _ in range(rounds):
            try:
                VIEWS[view](consumer)
                fates.append(None)
            except RpcError as error:
                fates.append(error)
    errors = [one for one in fates if one is not None]
    assert len(fates) == rounds
    assert len(errors) > rounds / 2
    assert all(one.in_doubt or one.not_sent or one.is_remote for one in errors)


# -- what the provider allows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["future", "waiting"])
def test_a_provider_that_takes_no_call_for_a_while(greeting: Greeting, view: str) -> None:
    """No stream is opened while it takes none, by no thread; a call whose time is over then was not sent."""
    let = threading.Event()

    def serve(line: Line) -> None:
        line.answer(line.request())
        line.send(settings_frame({frames.MAX_CONCURRENT_STREAMS: 0}))
        line.next(frames.SETTINGS)
        let.set()
        taken = len(line.read)
        line.wait_for(0.3)
        assert not [one for one in line.read[taken:] if one.kind == frames.HEADERS]
        line.send(settings_frame({frames.MAX_CONCURRENT_STREAMS: 1}))
        answering(line)

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url)
        assert _waiting(consumer).message == "hello"
        assert let.wait(SOON)
        impatient = consumer.reference("greeter").say_hello.with_options(timeout=50)
        with pytest.raises(CallTimeout, match="takes 0 calls at once") as caught:
            impatient(name="Ann")
        assert caught.value.not_sent
        assert VIEWS[view](consumer).message == "hello"


def test_more_connections_take_more_calls(greeting: Greeting) -> None:
    """A provider that takes one call at once on a connection takes two on two."""
    both = threading.Barrier(2)

    def serve(line: Line) -> None:
        for stream in line.requests():
            both.wait(SOON)
            line.answer(stream)

    with http2_peer(serve, settings_frame({frames.MAX_CONCURRENT_STREAMS: 1})) as peer:
        greeter = greeting(peer.url, connections=2).reference("greeter")
        futures = [greeter.say_hello.future(name="Ann") for _ in range(10)]
        assert [future.result(SOON).message for future in futures] == ["hello"] * 10


def test_a_connection_whose_streams_run_out(greeting: Greeting) -> None:
    """The next calls have a new one before the numbers end; those of the old one end there, and none fails."""
    lines: list[Line] = []

    def serve(line: Line) -> None:
        lines.append(line)
        answering(line)

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url)
        assert _waiting(consumer).message == "hello"
        [streams] = [one for one in gc.get_objects() if isinstance(one, Streams) and one.is_open]
        streams.opened = frames.LARGEST_STREAM - 20
        greeter = consumer.reference("greeter")
        waited = [_waiting(consumer).message for _ in range(4)]
        futures = [greeter.say_hello.future(name="Ann") for _ in range(40)]
        assert [*waited, *(future.result(SOON).message for future in futures)] == ["hello"] * 44
    assert len(lines) == 2
    assert max(one.stream for one in lines[0].read) == frames.LARGEST_STREAM


def test_requests_that_nobody_reads_are_bounded_by_bytes(greeting: Greeting) -> None:
    """Those beyond ``max_queued_bytes`` were not sent; the others are in doubt where they had begun to leave."""

    def stop(line: Line) -> None:
        stopped.wait(2 * SOON)
        line.hang_up()

    stopped, name = threading.Event(), "x" * 1_000_000
    wide = settings_frame({frames.INITIAL_WINDOW_SIZE: frames.LARGEST_WINDOW})
    wide += window_update_frame(0, frames.LARGEST_WINDOW - 65_535)
    with http2_peer(stop, wide) as peer:
        greeter = greeting(peer.url, max_queued_bytes=40_000_000).reference("greeter")
        tracemalloc.start()
        futures = [greeter.say_hello.future(name=name) for _ in range(50)]
        wait_until(lambda: sum(one.done() for one in futures) > 25)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        stopped.set()
        fates = [future.exception(SOON) for future in futures]
    assert all(isinstance(one, RpcError) and one.not_sent is not one.in_doubt for one in fates)
    assert sum(isinstance(one, LimitExceeded) and one.not_sent for one in fates) > 25
    assert any(isinstance(one, ConnectionLost) and one.in_doubt for one in fates)
    assert sum(isinstance(one, ConnectionLost) and one.not_sent for one in fates) > 3
    assert peak < 160_000_000


# -- what it says of calls that it has begun to answer ----------------------------------------------------------------


@pytest.mark.parametrize("said", [lambda one: reset(one, frames.REFUSED_STREAM), lambda one: goaway(one - 2)])
@pytest.mark.parametrize("view", ["future", "waiting", "stream"])
def test_a_call_that_was_answered_in_part_is_in_doubt(
    greeting: Greeting, said: Callable[[int], bytes], view: str
) -> None:
    """A provider that then says that it has not looked at it is not believed, and the call is not sent again."""
    asked: list[int] = []

    def then(line: Line, stream: int) -> None:
        asked.append(stream)
        line.send(headers(stream, *HEAD), data(stream, message(reply("a"))), said(stream))
        line.wait_closed()

    with hostile(then) as peer:
        error = failed(greeting(peer.url), view)
        assert isinstance(error, RpcError)
        assert (error.not_sent, error.in_doubt) == (False, True)


def test_goodbyes_that_shrink_and_grow(greeting: Greeting) -> None:
    """Each call ends once: those at or below the smallest last stream here, the others on the next connection."""
    served: list[Line] = []

    def serve(line: Line) -> None:
        served.append(line)
        if len(served) > 1:
            answering(line)
            return
        streams = [line.request() for _ in range(6)]
        line.send(*(goaway(last) for last in (frames.LARGEST_STREAM, streams[3], streams[1], streams[4], 0x7FFFFFFE)))
        for stream in streams:
            line.answer(stream, "old")
        line.wait_closed()

    with http2_peer(serve) as peer:
        greeter = greeting(peer.url, retries=0).reference("greeter")
        futures = [greeter.say_hello.future(name="Ann") for _ in range(6)]
        assert sorted(future.result(SOON).message for future in futures) == ["hello"] * 4 + ["old"] * 2


def test_a_reset_behind_a_whole_answer_is_none(greeting: Greeting) -> None:
    """A provider may say that it needs no more of the request."""

    def serve(line: Line) -> None:
        for stream in line.requests():
            line.answer(stream)
            line.send(reset(stream, frames.NO_ERROR))

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url)
        assert [_waiting(consumer).message for _ in range(5)] == ["hello"] * 5
        assert consumer.connections()[0].connects == 1


@pytest.mark.slow
def test_tiny_answers_that_nobody_reads(greeting: Greeting) -> None:
    """A stream of empty answers takes some megabytes at most while its reader is away, and all of them come."""
    let, count = threading.Event(), 200_000

    def serve(line: Line) -> None:
        stream = line.request()
        line.send(headers(stream, *HEAD))
        for _ in range(count // 2000):
            line.send(data(stream, message(b"") * 2000))
        line.send(headers(stream, *OK, ends=True))
        let.set()
        line.wait_closed()

    with http2_peer(serve) as peer:
        consumer = greeting(peer.url)
        tracemalloc.start()
        answers = consumer.reference("greeter").spell_hello(name="Ann")
        assert let.wait(SOON)
        wait_until(lambda: consumer.connections()[0].is_open)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 40_000_000
        assert sum(1 for _ in answers) == count


def test_a_provider_that_never_answers_our_settings(greeting: Greeting) -> None:
    """It may take its time: nothing waits for that."""
    with http2_peer(answering, GREETING) as peer:
        consumer = greeting(peer.url)
        assert [_waiting(consumer).message for _ in range(3)] == ["hello"] * 3


def test_metadata_of_megabytes_end_the_connection(greeting: Greeting) -> None:
    """Headers far beyond what is read are not waited for, and not kept."""

    def then(line: Line, stream: int) -> None:
        line.send(frame(frames.HEADERS, 0, stream, b"\x00\x01x\x7f\x81\xff\xff\x04"))
        for _ in range(1000):
            line.send(frame(frames.CONTINUATION, 0, stream, b"%" * 16_384))

    with hostile(then) as peer:
        consumer = greeting(peer.url)
        tracemalloc.start()
        error = failed(consumer, "future")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert isinstance(error, ConnectionLost)
        assert "and 65536 are read" in error.message
        assert "(max_metadata_bytes)" in error.message
        assert peak < 4_000_000
