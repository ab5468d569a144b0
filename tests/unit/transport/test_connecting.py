"""When a connection is dialled, how long at most, and when not yet."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from random import Random

import pytest
from support.clock import FakeClock
from support.held_thread import HeldThread

from callahead.consumer.transport.tcp.connecting import Connecting
from callahead.consumer.transport.tcp.destination import Destination
from callahead.consumer.transport.tcp.io_thread import NEVER
from callahead.consumer.transport.tcp.poller import WRITE
from callahead.consumer.transport.tcp.resolve import Found
from callahead.consumer.transport.trouble import Trouble


class Dialling:
    """A `Connecting` to a listening socket, on a thread that stands still."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("0.0.0.0", 0))
        self.clock = FakeClock()
        self.thread = HeldThread(self.clock)
        self.opened: list[socket.socket] = []
        self.failed: list[Trouble] = []
        self.hosts = ["127.0.0.1"]
        self.connecting = Connecting(
            Destination("shop.test", self.listener.getsockname()[1]), 2.0, self.thread, self.clock, Random(1),
            self.opened.append, self.failed.append, self._resolve,
        )  # fmt: skip

    def _resolve(self, address: tuple[str, int], found: Found) -> None:
        found([(socket.AF_INET, (host, address[1])) for host in self.hosts])

    def connect(self) -> None:
        """Dial, and let the dial hear that its socket is ready."""
        self.connecting.begin()
        self.thread.run()
        (approach,) = self.thread.handlers.values()
        approach.on_ready(WRITE)

    def connect_to(self) -> str:
        """Dial, and give the host that was reached."""
        self.connect()
        return self.opened[-1].getpeername()[0]

    def time_out(self) -> None:
        """Dial, and let the time pass."""
        self.connecting.begin()
        self.thread.run()
        self.clock.advance(2.0)
        assert self.connecting.tick(self.clock.now) == NEVER

    def close(self) -> None:
        self.connecting.abandon()
        for one in (self.listener, *self.opened):
            one.close()


@pytest.fixture
def dialling() -> Iterator[Dialling]:
    """One that has not begun."""
    made = Dialling()
    yield made
    made.close()


def test_an_open_socket_is_served_by_nobody_and_timed_no_more(dialling: Dialling) -> None:
    """Whoever gets it does with it what it likes."""
    dialling.connect()

    assert len(dialling.opened) == 1
    assert (dialling.thread.handlers, dialling.thread.due, dialling.failed) == ({}, {}, [])


def test_an_attempt_that_takes_too_long_fails(dialling: Dialling) -> None:
    """The text says how long, by which setting, and what it was about."""
    dialling.time_out()

    assert dialling.failed == [Trouble("not within 2000 ms (connect_timeout), connecting")]
    assert (dialling.thread.handlers, dialling.thread.due) == ({}, {})


def test_before_its_time_an_attempt_goes_on(dialling: Dialling) -> None:
    """A tick that comes early asks for another."""
    dialling.connecting.begin()

    assert dialling.connecting.tick(dialling.clock.now + 1.9) == dialling.clock.now + 2.0
    assert dialling.failed == []


def test_after_a_failure_calls_are_refused_for_a_while(dialling: Dialling) -> None:
    """The error says why, and when the next attempt is made."""
    assert dialling.connecting.refusal() is None
    dialling.time_out()
    refusal = dialling.connecting.refusal()
    assert refusal is not None
    assert refusal.text.startswith("not within 2000 ms (connect_timeout), connecting; the next")
    dialling.clock.advance(0.1)

    assert dialling.connecting.refusal() is None


@pytest.mark.parametrize("is_of_use", [True, False])
def test_waits_begin_anew_once_the_peer_was_of_use(dialling: Dialling, is_of_use: bool) -> None:
    """After three failures the next wait is as short as the first; not so where there was only a connection."""
    for _ in range(3):
        dialling.time_out()
    dialling.connect()
    if is_of_use:
        dialling.connecting.proved()
    dialling.time_out()
    dialling.clock.advance(0.1)

    assert (dialling.connecting.refusal() is None) is is_of_use


def test_an_abandoned_attempt_tells_nobody(dialling: Dialling) -> None:
    """Neither at once nor when its time would be over."""
    dialling.connecting.begin()
    dialling.thread.run()
    dialling.connecting.abandon()
    dialling.connecting.tick(dialling.clock.now + 9.0)

    assert (dialling.opened, dialling.failed, dialling.thread.handlers) == ([], [], {})


def test_who_turns_a_connection_away_is_tried_last_from_then_on(dialling: Dialling) -> None:
    """Though it accepts connections, so that the others have their turn; once all have done so, all begin anew."""
    dialling.hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    reached = []
    for _ in range(5):
        reached.append(dialling.connect_to())
        dialling.connecting.turned_away(Trouble("it speaks another protocol"))
        dialling.clock.advance(60.0)
    assert reached == ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1", "127.0.0.2"]


def test_who_is_there_stays_the_first(dialling: Dialling) -> None:
    """A connection that is lost later says nothing against its address."""
    dialling.hosts = ["127.0.0.1", "127.0.0.2"]
    assert [dialling.connect_to() for _ in range(3)] == ["127.0.0.1"] * 3
