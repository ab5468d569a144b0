"""One connection from the first call to its end, step by step."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from support.dubbo_connection import call_of, held

from callahead.consumer.call.invocation import Outcome
from callahead.consumer.call.provider import Provider
from callahead.consumer.errors import ConnectFailed, ConnectionLost, ConsumerClosed
from callahead.consumer.transport.dubbo.connection import State
from callahead.consumer.transport.tcp.call import Call
from callahead.consumer.transport.tcp.poller import READ, WRITE
from callahead.consumer.wire.header import response_frame
from callahead.registry.models import Endpoint


class Line:
    """A connection to a socket that a test reads and writes."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.connection, self.thread, self.clock = held(self.listener.getsockname()[1])
        self.peer: socket.socket | None = None
        self.ended: dict[int, Outcome] = {}

    def call(self, number: int, **fields: Any) -> Call:
        """Make a call whose end is noted."""

        def done(outcome: Outcome) -> None:
            self.ended[number] = outcome

        return call_of(number, 5.0, self.clock.now + 5.0, done, **fields)

    def post(self, number: int) -> None:
        """Hand a call over, and do what the thread would do with it at once."""
        self.connection.post(self.call(number))
        self.thread.run()

    def hear(self) -> None:
        """Let the dial hear what has become of it."""
        self.thread.run()
        (dial,) = self.thread.handlers.values()
        dial.on_ready(WRITE)

    def connect(self) -> socket.socket:
        """Let the dial succeed."""
        self.hear()
        self.peer, _ = self.listener.accept()
        return self.peer

    def open(self) -> socket.socket:
        """Connect for a call, and answer it."""
        self.post(1)
        peer = self.connect()
        peer.recv(100)
        peer.send(response_frame(1, b""))
        self.connection.on_ready(READ)
        return peer

    def lose(self) -> None:
        """Let the peer close an open connection."""
        self.open().close()
        self.connection.on_ready(READ)
        self.thread.run()

    def stop(self) -> None:
        """Let the peer take no connection."""
        self.listener.close()

    def restart(self) -> None:
        """Let it take them again."""
        self.listener = socket.create_server(("127.0.0.1", int(self.connection.name.rpartition(":")[2])))

    def pass_time(self) -> None:
        """Let ten seconds pass, and all that is due tick once."""
        self.clock.advance(10.0)
        for one in list(self.thread.due):
            del self.thread.due[one]
            self.thread.tick_at(one, one.tick(self.clock.now))
        self.thread.run()

    def close(self) -> None:
        self.connection.close()
        self.thread.run()
        for one in (self.listener, self.peer):
            if one is not None:
                one.close()


def provider() -> Provider:
    """Whoever is asked by the connection."""
    return Provider(Endpoint(protocol="dubbo", host="127.0.0.1", port=1), lambda _: None)


@pytest.fixture
def line() -> Iterator[Line]:
    """One that nobody has called."""
    made = Line()
    yield made
    made.close()


def test_the_first_call_connects(line: Line) -> None:
    """It waits meanwhile, leaves as soon as there is a socket, and ends with its answer."""
    assert line.connection.state is State.IDLE
    line.post(1)
    assert line.connection.state is State.DIALLING
    peer = line.connect()
    assert (line.connection.state, peer.recv(100)) == (State.OPEN, b"frame")
    peer.send(response_frame(1, b""))
    line.connection.on_ready(READ)

    assert line.ended[1].value == 1


def test_calls_of_one_round_leave_in_one_flush(line: Line) -> None:
    """Whatever was posted before the I/O thread comes to it is written together."""
    peer = line.open()
    for number in (2, 3, 4):
        line.connection.post(line.call(number))
    assert line.thread.run() == 1
    assert line.thread.flushes == [line.connection]
    line.connection.flush()

    assert peer.recv(100) == b"frame" * 3


def test_a_lost_connection_ends_its_calls_and_connects_again(line: Line) -> None:
    """Calls that may have left are in doubt; the next one dials."""
    peer = line.open()
    line.post(2)
    line.connection.flush()
    peer.close()
    line.connection.on_ready(READ)
    error = line.ended[2].error
    assert isinstance(error, ConnectionLost)
    assert (error.in_doubt, line.connection.state) == (True, State.IDLE)
    line.post(3)

    assert line.connection.state is State.DIALLING


def test_a_lost_connection_is_dialled_without_a_call(line: Line) -> None:
    """The next call finds it open."""
    line.connection.providers.add(provider())
    line.lose()
    assert line.connection.state is State.IDLE
    line.pass_time()
    assert line.connection.state is State.DIALLING
    peer = line.connect()
    line.post(2)
    line.connection.flush()

    assert (peer.recv(100), line.connection.counters.connects) == (b"frame", 2)


def test_a_call_joins_the_dial_in_the_background(line: Line) -> None:
    """There is one at a time."""
    line.connection.providers.add(provider())
    line.lose()
    line.pass_time()
    line.post(2)
    assert line.connect().recv(100) == b"frame"
    line.pass_time()

    assert line.connection.counters.connects == 2


def test_a_dial_in_the_background_that_failed_refuses_no_call(line: Line) -> None:
    """The next one dials by itself, for the provider may be back."""
    line.connection.providers.add(provider())
    line.lose()
    line.stop()
    line.pass_time()
    line.hear()
    assert line.connection.state is State.IDLE
    line.restart()
    line.post(2)

    assert (line.connection.state, line.ended.get(2)) == (State.DIALLING, None)


def test_a_connection_that_could_not_be_made_is_dialled_again(line: Line) -> None:
    """Without a further call, once the wait is over."""
    line.connection.providers.add(provider())
    line.stop()
    line.post(1)
    line.hear()
    assert isinstance(line.ended[1].error, ConnectFailed)
    line.restart()
    line.pass_time()

    assert line.connection.state is State.DIALLING


def test_a_connection_that_no_provider_uses_is_not_dialled_again(line: Line) -> None:
    """They have left the registry."""
    line.lose()
    line.pass_time()

    assert (line.connection.state, line.thread.handlers) == (State.IDLE, {})


def test_a_closed_connection_is_not_dialled_again(line: Line) -> None:
    """Nothing is planned for it any more, though its provider is in the registry."""
    line.connection.providers.add(provider())
    line.lose()
    line.connection.close()
    line.thread.run()

    assert (line.connection.state, line.thread.due) == (State.CLOSED, {})


def test_a_drained_connection_closes_after_its_last_call(line: Line) -> None:
    """Calls that run end in peace, and those that come too late are told why."""
    peer = line.open()
    line.post(2)
    line.connection.drain()
    line.thread.run()
    assert not line.connection.closed
    peer.send(response_frame(2, b""))
    line.connection.on_ready(READ)
    assert (line.connection.closed, line.ended[2].value) == (True, 2)
    line.post(3)

    error = line.ended[3].error
    assert isinstance(error, ConnectionLost)
    assert error.not_sent


def test_close_ends_what_runs(line: Line) -> None:
    """At once, and the socket is gone."""
    peer = line.open()
    line.post(2)
    line.connection.close()
    line.thread.run()

    assert isinstance(line.ended[2].error, ConsumerClosed)
    assert (peer.recv(100), line.thread.handlers) == (b"", {})


def test_a_cancelled_call_never_leaves(line: Line) -> None:
    """Its frame is taken out of the queue."""
    peer = line.open()
    first, second = line.call(2), line.call(3)
    for call in (first, second):
        line.connection.post(call)
    line.thread.run()
    line.connection.post_cancel(first)
    line.thread.run()
    line.connection.flush()

    assert peer.recv(100) == b"frame"
    assert list(line.ended) == [1, 2]


def test_who_waits_for_the_write_is_not_led(line: Line) -> None:
    """The I/O thread tells when a frame is written."""
    line.open()
    written: list[int] = []
    call = line.call(2, on_sent=lambda: written.append(2))
    assert not line.connection.lead(call)
    line.connection.post(call)
    line.thread.run()
    line.connection.flush()

    assert written == [2]


def test_a_post_that_is_broken_into_keeps_no_other_call_waiting(line: Line) -> None:
    """What a signal handler raises passes; the calls are on their way all the same."""
    post = line.thread.post

    def interrupted(*_: Any) -> None:
        line.thread.post = post  # type: ignore[method-assign]
        raise KeyboardInterrupt

    line.thread.post = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        line.connection.post(line.call(1))
    line.connection.post(line.call(2))
    line.thread.run()
    assert sorted(line.connection._calls.by_id) == [1, 2]


def test_who_cannot_start_the_thread_ends_all_calls_that_count_on_it(line: Line) -> None:
    """Those that were posted meanwhile too, each by an error of its own; the next call tries again."""
    post = line.thread.post

    def fail(*_: Any) -> None:
        line.connection.post(line.call(2))  # as another thread does, which relies on this one
        line.thread.post = post  # type: ignore[method-assign]
        raise ConnectFailed("no thread", not_sent=True)

    line.thread.post = fail  # type: ignore[method-assign]
    line.connection.post(line.call(1))
    errors = [line.ended[number].error for number in (1, 2)]
    assert [str(error) for error in errors] == ["no thread"] * 2
    assert errors[0] is not errors[1]
    line.post(3)
    assert list(line.connection._calls.by_id) == [3]


def test_a_forked_child_connects_anew(line: Line) -> None:
    """Its copy of the socket is closed without a word, and the parent's calls are not its own."""
    line.open()
    line.post(2)
    line.connection.after_fork()
    assert (line.connection.state, list(line.ended)) == (State.IDLE, [1])
    line.post(3)

    assert line.connection.state is State.DIALLING


def test_replies_to_a_peer_that_does_not_read_are_bounded() -> None:
    """Answers to its heartbeats wait only as far as requests would."""
    here = held()
    for _ in range(30):
        here.connection._reply(b"x" * 1_000_000)
    assert here.connection._outbox.count == 10
