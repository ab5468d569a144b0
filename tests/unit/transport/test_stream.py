"""The socket of a connection: what is written, what is read, and what the I/O thread waits for."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from support.clock import FakeClock
from support.held_thread import HeldThread

from callahead.consumer.transport.tcp.outbox import Outbox
from callahead.consumer.transport.tcp.poller import CLOSING, READ, WRITE
from callahead.consumer.transport.tcp.stream import Stream
from callahead.consumer.transport.trouble import Trouble


class Waiting:
    """Somebody who waits for a frame to be written."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.ended = False


class Line:
    """An open stream, the peer's socket, and what the stream told."""

    def __init__(self) -> None:
        near, self.peer = socket.socketpair()
        near.setblocking(False)
        self.fd = near.fileno()
        self.clock = FakeClock()
        self.thread = HeldThread(self.clock)
        self.outbox: Outbox[Waiting] = Outbox()
        self.received: list[bytes] = []
        self.written: list[Waiting] = []
        self.lost: list[str] = []
        self.answer: Callable[[bytes], object] = lambda _: None
        self.turned_away: list[Trouble] = []
        self.stream = Stream(
            self.outbox,
            self.thread,
            self.clock,
            self.hear,
            self.written.append,
            self.lose,
            turned_away=self.turned_away.append,
            speaks="dubbo",
        )
        self.stream.open(near, self)

    def hear(self, data: bytes) -> None:
        """Keep what came, and do what a test says."""
        self.received.append(data)
        self.answer(data)

    def lose(self, problem: str) -> None:
        """Hear that the socket is lost, and drop it."""
        self.lost.append(problem)
        self.stream.drop()

    def on_ready(self, events: int) -> None:
        """Be never called: the thread stands still."""

    @property
    def watched(self) -> int | None:
        return self.thread.watched.get(self.fd)

    def fill(self) -> None:
        """Write until the kernel takes no more."""
        while not self.outbox.count:
            self.outbox.put(b"x" * 100_000)
            self.stream.write()


@pytest.fixture
def line() -> Iterator[Line]:
    """An open line."""
    made = Line()
    yield made
    made.stream.drop()
    made.peer.close()


def test_all_that_is_queued_leaves_in_order(line: Line) -> None:
    """Frames are joined, and who waits for one is told."""
    line.outbox.put(b"one ")
    waiting = Waiting(line.outbox.put(b"two"))
    line.outbox.watch(waiting)
    line.stream.write()

    assert (line.peer.recv(100), line.written, line.watched) == (b"one two", [waiting], READ)


def test_what_the_kernel_does_not_take_waits_until_the_socket_is_writable(line: Line) -> None:
    """The I/O thread waits for that, and no longer once all has left."""
    line.fill()
    assert line.watched == READ | WRITE

    while line.outbox.count:
        line.peer.recv(1_000_000)
        line.stream.write()
    assert line.watched == READ


def test_a_frame_sent_at_once_is_never_queued(line: Line) -> None:
    """It has a number as the others have."""
    assert line.stream.send(b"one") == 1
    assert (line.outbox.count, line.outbox.written, line.peer.recv(100)) == (0, 1, b"one")


def test_what_is_left_of_a_frame_sent_at_once_is_queued(line: Line) -> None:
    """The rest follows by `write`, and nothing of it twice."""
    frame = bytes(range(256)) * 20_000
    number = line.stream.send(frame)
    assert (line.outbox.count, line.outbox.begun) == (1, number)

    came = b""
    while len(came) < len(frame):
        came += line.peer.recv(1_000_000)
        line.stream.write()
    assert came == frame


def test_what_is_sent_before_a_frame_is_one_of_its_own(line: Line) -> None:
    """Together they leave in one send; else both are queued, so that the second can still be taken back."""
    assert (line.stream.send(b"two", b"one"), line.peer.recv(100)) == (1, b"onetwo")

    line.fill()
    line.outbox.clear()
    assert (line.stream.send(b"two", b"one"), line.outbox.count) == (2, 2)
    assert line.outbox.drop(2)


def test_bytes_are_handed_on_with_the_time_they_came(line: Line) -> None:
    """One read takes no more than it is allowed to."""
    line.clock.advance(3.0)
    line.peer.send(b"abcdef")
    line.stream.read(4)
    line.stream.read(4)
    line.stream.read(4)  # in vain

    assert (line.received, line.stream.last_read) == ([b"abcd", b"ef"], line.clock.now)


def test_a_peer_that_closes_is_told(line: Line) -> None:
    """Reading finds out."""
    line.peer.close()
    line.stream.read(100)

    assert line.lost == ["the provider closed it"]


def test_a_broken_socket_is_told(line: Line) -> None:
    """So does writing, even where the peer says nothing and does not close."""
    line.peer.shutdown(socket.SHUT_RD)
    line.outbox.put(b"x")
    line.stream.write()

    assert line.lost == ["writing failed: Broken pipe"]


def test_a_peer_is_heard_out_before_the_socket_is_lost(line: Line) -> None:
    """What it said before it closed stands in the socket though nothing can be written any more, however much it is."""
    said = bytes(range(256)) * 300
    line.peer.setblocking(False)
    assert line.peer.send(said) == len(said)
    line.peer.close()
    line.outbox.put(b"x")
    line.stream.write()

    assert (b"".join(line.received), line.lost) == (said, ["the provider closed it"])


def test_a_peer_that_is_heard_out_gets_no_answer(line: Line) -> None:
    """Whoever answers what is heard then writes in vain, once."""
    asked = [b"ping"] * 3

    def answer(_: bytes) -> None:
        line.outbox.put(b"pong")
        line.stream.write()
        if asked:
            line.peer.send(asked.pop())

    line.answer = answer
    line.peer.send(b"ping")
    line.peer.shutdown(socket.SHUT_RD)
    line.outbox.put(b"x")
    line.stream.write()

    assert (line.received, line.lost) == ([b"ping"] * 4, ["writing failed: Broken pipe"])


def test_while_it_is_led_writing_does_not_change_what_the_thread_waits_for(line: Line) -> None:
    """The leader reads for itself."""
    line.stream.watch(0)
    line.stream.is_led = True
    line.outbox.put(b"x")
    line.stream.write()

    assert line.watched == 0


def test_without_a_socket_nothing_leaves_and_nothing_comes(line: Line) -> None:
    """What is queued stays for the next one."""
    line.stream.drop()
    line.outbox.put(b"x")
    line.stream.write()
    line.stream.read(100)

    assert (line.outbox.count, line.thread.handlers, line.lost) == (1, {}, [])
    assert line.peer.recv(100) == b""


@pytest.mark.parametrize(
    ("first", "about", "text"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", ("ssl", "urls"), "no ssl: it answered with a TLS alert"),
        (
            bytes.fromhex("000012 04 00 00000000"),
            ("protocol", "urls"),
            "no dubbo there: it answers like HTTP/2, as gRPC",
        ),
        (
            bytes.fromhex("000008 07 00 00000000"),
            ("protocol", "urls"),
            "no dubbo there: it answers like HTTP/2, as gRPC",
        ),
        (b"HTTP/1.1 400 Bad Request", ("protocol", "urls"), "no dubbo there: it answers like HTTP/1"),
        (b"SSH-2.0-OpenSSH_9.6", ("protocol", "urls"), "no dubbo there: it answers like SSH"),
        (b"\x16\x03\x03", ("protocol", "urls"), "no dubbo there: it answers like TLS"),
    ],
)
def test_a_peer_that_begins_otherwise_speaks_something_else(
    line: Line, first: bytes, about: tuple[str, ...], text: str
) -> None:
    """It is turned away, with the name of what it speaks and the settings to look at."""
    line.peer.sendall(first)
    line.stream.read(100)
    assert (line.received, line.lost) == ([], [])
    [trouble] = line.turned_away
    assert trouble.about == about
    assert text in trouble.text


@pytest.mark.parametrize("first", [b"\xda\xbb\x02\x14", b"\n\n\xda\xbb", b"garbage"])
def test_what_may_still_be_the_protocol_is_handed_on(line: Line, first: bytes) -> None:
    """Bytes that mean nothing are for the protocol to judge."""
    line.peer.sendall(first)
    line.stream.read(100)
    assert (line.received, line.turned_away, line.stream.is_new) == ([first], [], False)


@pytest.mark.parametrize("later", [b"\x15\x03\x01", b"HTTP/1.1 400 Bad Request"])
def test_in_the_middle_they_are_bytes_like_others(line: Line, later: bytes) -> None:
    """They go where all bytes go."""
    for data in (b"first", later):
        line.peer.sendall(data)
        line.stream.read(100)
    assert (line.received, line.turned_away) == ([b"first", later], [])


def test_reading_tells_how_much_came(line: Line) -> None:
    """Nothing where nothing was there."""
    line.peer.send(b"hello")
    assert (line.stream.read(3), line.stream.read(3), line.stream.read(3)) == (3, 2, 0)


@pytest.mark.parametrize(("said", "is_all"), [(b"", True), (b"123", True), (b"1234", False), (b"12345", False)])
def test_reading_all_tells_whether_it_was(line: Line, said: bytes, is_all: bool) -> None:
    """As far as can be known without another look: who reads all that it asked for may find more."""
    line.peer.send(said)
    assert line.stream.read_all(4) is is_all
    assert b"".join(line.received) == said[:4]


def test_what_is_waited_for_in_between_can_be_less_than_bytes(line: Line) -> None:
    """While it rests so, what is to be written is waited for as ever; another socket begins anew."""
    line.stream.rest(CLOSING)
    assert line.watched == CLOSING
    line.fill()
    assert line.watched == CLOSING | WRITE
    line.stream.rest(READ)
    assert line.watched == READ | WRITE

    line.stream.rest(CLOSING)
    line.stream.drop()
    assert (line.stream.resting, line.stream.is_open) == (READ, False)
