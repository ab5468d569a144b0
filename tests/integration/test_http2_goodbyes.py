"""Streams of requests at servers that end a connection in one step: their goodbye names the last stream at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import helloworld_pb2 as pb
import helloworld_pb2_grpc as pb_grpc
import pytest
from support.dubbo_peer import wait_until
from support.http2_frames import GREETING, HEAD, OK, data, goaway, headers, message, settings_frame, window_update_frame
from support.http2_peer import Line, answering, http2_peer, reply
from support.tri_peers import Peer, mute

from callahead.consumer import CallTimeout, Consumer, RpcError, TransportError
from callahead.consumer.wire.http2 import frames

Greeting = Callable[..., Consumer]
SOON = 10.0
CALLERS = 8
SERVED = 30
"""So many streams of a connection are looked at."""


@pytest.fixture
def carrier() -> str:
    """The carrier under test."""
    return "http2"


def names_of(body: bytes) -> list[str]:
    """The names of `HelloRequest`s, each of less than 128 bytes."""
    names = []
    while body:
        size = int.from_bytes(body[1:5])
        names.append(body[7 : 5 + size].decode())
        body = body[5 + size :]
    return names


class Ending:
    """Looks at so many streams of each connection, and then ends it: the others that came are not looked at.

    Attributes:
        answered: What was received on each stream that was looked at, in order.
    """

    def __init__(self) -> None:
        self.answered: list[list[str]] = []

    def __call__(self, line: Line) -> None:
        """Serve one connection."""
        bodies: dict[int, bytes] = {}
        is_over = False
        try:
            while True:
                frame = line.next(frames.HEADERS, frames.DATA)
                if frame.kind == frames.HEADERS and not is_over:
                    bodies[frame.stream] = b""
                    if len(bodies) == SERVED:
                        is_over = True
                        line.send(goaway(frame.stream))
                elif frame.stream in bodies:
                    bodies[frame.stream] += frame.payload
                    if frame.ends:
                        self._answer(line, frame.stream, names_of(bodies[frame.stream]))
        except OSError:
            return

    def _answer(self, line: Line, stream: int, names: list[str]) -> None:
        self.answered.append(names)
        line.answer(stream, " ".join(names))


def upload(greeter: Any, names: list[str]) -> str:
    """Many names, one greeting; by a reference."""
    return str(greeter.gather_hellos.sync(pb.HelloRequest(name=name) for name in names).message)


def chat(greeter: Any, names: list[str]) -> str:
    """The same with a stream of greetings, of which there is one."""
    [answer] = greeter.chat_hello(pb.HelloRequest(name=name) for name in names)
    return str(answer.message)


def stub_upload(stub: Any, names: list[str]) -> str:
    """As `upload`, by a stub."""
    return str(stub.GatherHellos(pb.HelloRequest(name=name) for name in names).message)


def stub_chat(stub: Any, names: list[str]) -> str:
    """As `chat`, by a stub."""
    [answer] = stub.ChatHello(pb.HelloRequest(name=name) for name in names)
    return str(answer.message)


def view_of(consumer: Consumer, call: Callable[..., Any]) -> Any:
    """What *call* is made by."""
    if call in (stub_upload, stub_chat):
        return pb_grpc.GreeterStub(consumer.channel("greeter"))
    return consumer.reference("greeter")


@pytest.mark.slow
@pytest.mark.parametrize("call", [upload, chat, stub_upload, stub_chat])
def test_no_stream_of_requests_fails_while_connections_end_in_one_step(
    greeting: Greeting, call: Callable[[Any, list[str]], str]
) -> None:
    """Each of two thousand ends once, and the server gets its requests once, all of them and in order."""
    serve = Ending()
    with http2_peer(serve) as peer, ThreadPoolExecutor(CALLERS) as callers:
        view = view_of(greeting(peer.url, retries=0), call)
        asked = [[f"{number}-{part}" for part in range(5)] for number in range(2_000)]
        answers = list(callers.map(lambda names: call(view, names), asked))
    assert answers == [" ".join(names) for names in asked]
    assert sorted(serve.answered) == sorted(asked)


class Fed:
    """Names that a test lets go one by one."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._turns = threading.Semaphore(0)

    def __iter__(self) -> Iterator[pb.HelloRequest]:
        for name in self._names:
            self._turns.acquire()
            yield pb.HelloRequest(name=name)

    def let(self, count: int) -> None:
        """Let so many go."""
        for _ in range(count):
            self._turns.release()


def ends_at(count: int, then: Callable[[Line], None], size: int = 1) -> Callable[[Line], None]:
    """End the first *count* connections, unanswered, once *size* bytes came on them, and serve the rest by *then*."""
    lines: list[Line] = []

    def serve(line: Line) -> None:
        lines.append(line)
        if len(lines) > count:
            then(line)
            return
        came = 0
        while came < size:
            came += len(line.next(frames.DATA).payload)
        line.send(goaway(0))
        line.wait_closed()

    return serve


@pytest.mark.parametrize("view", ["upload", "chat"])
def test_requests_that_were_read_are_sent_again_and_further_ones_follow(greeting: Greeting, view: str) -> None:
    """The user's iterator is read once, and notices nothing."""
    second = Ending()
    names = Fed("Ann", "Bob", "Cid")
    with http2_peer(ends_at(1, second)) as peer, ThreadPoolExecutor(1) as caller:
        consumer = greeting(peer.url, retries=0)
        call = {
            "upload": consumer.reference("greeter").gather_hellos.sync,
            "chat": consumer.reference("greeter").chat_hello,
        }
        answered = caller.submit(lambda: call[view](names))
        names.let(2)
        wait_until(lambda: consumer.connections()[0].connects == 2)
        names.let(1)
        answer = answered.result(SOON)
        text = answer.message if view == "upload" else next(answer).message
    assert text == "Ann Bob Cid"
    assert second.answered == [["Ann", "Bob", "Cid"]]


WIDE = settings_frame({frames.INITIAL_WINDOW_SIZE: 1 << 20}) + window_update_frame(0, 1 << 20)


@pytest.mark.parametrize("view", ["upload", "chat"])
def test_requests_of_which_more_has_left_than_is_kept_are_not_sent_again(greeting: Greeting, view: str) -> None:
    """The call was not sent, and its error says why it could not be sent again."""
    requests = [pb.HelloRequest(name="x" * 10_000)] * 7
    with http2_peer(ends_at(1, answering, 7 * 10_000), WIDE) as peer:
        greeter = greeting(peer.url).reference("greeter")
        with pytest.raises(TransportError, match="65536 bytes of one are kept at most") as caught:
            greeter.gather_hellos.sync(iter(requests)) if view == "upload" else list(greeter.chat_hello(iter(requests)))
    assert (caught.value.not_sent, caught.value.in_doubt) == (True, False)


def test_a_large_upload_of_which_the_provider_has_let_little_leave_is_sent_again(greeting: Greeting) -> None:
    """A megabyte goes over the next connection, whose window is wide."""
    sizes: list[int] = []

    def second(line: Line) -> None:
        line.send(WIDE)
        stream = line.request()
        sizes.append(sum(len(one.payload) for one in line.read if one.kind == frames.DATA))
        line.answer(stream)
        line.wait_closed()

    with http2_peer(ends_at(1, second, 65_535)) as peer:
        requests = (pb.HelloRequest(name="x" * 100_000) for _ in range(10))
        assert greeting(peer.url).reference("greeter").gather_hellos.sync(requests).message == "hello"
    assert sizes[0] > 1_000_000


@pytest.mark.parametrize("view", ["upload", "chat"])
def test_a_provider_that_looks_at_no_stream_of_requests_is_asked_twice(greeting: Greeting, view: str) -> None:
    """And no more; the call was not sent."""
    with http2_peer(ends_at(99, answering)) as peer:
        greeter, requests = greeting(peer.url).reference("greeter"), iter([pb.HelloRequest(name="Ann")])
        with pytest.raises(RpcError, match="before it looked at the call") as caught:
            greeter.gather_hellos.sync(requests) if view == "upload" else list(greeter.chat_hello(requests))
        assert caught.value.not_sent
        assert [peer.accepted.acquire(timeout=SOON) for _ in range(2)] == [True, True]
        assert not peer.accepted.acquire(blocking=False)


def silent_second(connections: list[Any]) -> Callable[[Any], None]:
    """End the first connection in one step; the others do not even say a word of HTTP/2."""
    first = ends_at(1, answering)

    def serve(connection: Any) -> None:
        connections.append(connection)
        if len(connections) == 1:
            first(Line(connection, GREETING))
        else:
            mute(connection)

    return serve


def test_a_stream_that_is_cancelled_between_two_connections_ends_at_once(greeting: Greeting) -> None:
    """It waits for the second, of which no word comes."""
    connections: list[Any] = []
    with Peer(silent_second(connections)) as peer:
        names = Fed("Ann")
        future = greeting(peer.url).reference("greeter").gather_hellos.future(names)
        names.let(1)
        wait_until(lambda: len(connections) == 2)
        assert future.cancel()
        with pytest.raises(CancelledError):
            future.result(SOON)


def test_a_stream_whose_time_is_over_between_two_connections_was_not_sent(greeting: Greeting) -> None:
    """No provider has looked at it."""
    connections: list[Any] = []
    with Peer(silent_second(connections)) as peer:
        names = Fed("Ann")
        names.let(1)
        gather = greeting(peer.url, timeout=300).reference("greeter").gather_hellos
        with pytest.raises(CallTimeout) as caught:
            gather.sync(names)
    assert len(connections) == 2
    assert (caught.value.not_sent, caught.value.in_doubt) == (True, False)


def test_a_stream_that_was_answered_in_part_is_not_sent_again(greeting: Greeting) -> None:
    """A provider that then says that it has not looked at it contradicts itself: it is in doubt."""

    def serve(line: Line) -> None:
        stream = line.next(frames.DATA).stream
        line.send(headers(stream, *HEAD), data(stream, message(reply("a"))), goaway(0))
        line.send(headers(stream, *OK, ends=True))
        line.wait_closed()

    names = Fed("Ann", "Bob")
    names.let(1)
    with http2_peer(serve) as peer:
        with pytest.raises(RpcError) as caught:
            list(greeting(peer.url).reference("greeter").chat_hello(names))
        names.let(1)
        assert (caught.value.not_sent, caught.value.in_doubt) == (False, True)
        assert peer.accepted.acquire(timeout=SOON)
        assert not peer.accepted.acquire(blocking=False)
