"""Who may touch the state of a connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from support.clock import FakeClock
from support.held_thread import HeldThread
from support.shop import Background, Spy

from callahead.consumer.transport.tcp.ownership import Ownership


class Line:
    """An ownership whose holder can wait for bytes of *far*; this thread is the I/O thread, too."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.thread = HeldThread(FakeClock())
        self.owner = Ownership(self.thread)
        self.owner.watch(self.near.fileno())

    def close(self) -> None:
        self.owner.close()
        self.near.close()
        self.far.close()


@pytest.fixture
def line() -> Iterator[Line]:
    """One that nobody holds."""
    made = Line()
    yield made
    made.close()


def test_only_one_has_the_state(line: Line) -> None:
    """Who comes second gets nothing, and does not wait; once it is handed over the next one has it."""
    assert line.owner.take()
    assert not line.owner.take()
    line.owner.leave()
    assert line.owner.enter(lambda _: None, None)


def test_who_does_not_get_the_state_is_called_later(line: Line) -> None:
    """An entry that finds the state taken is deferred, wakes the holder, and is called on the I/O thread afterwards."""
    spy = Spy()
    assert line.owner.take()
    holder = Background(line.owner.wait, 10.0)
    assert not line.owner.enter(spy, 7)
    assert holder.join() is False
    assert (len(line.owner.deferred), line.thread.run()) == (1, 0)
    line.owner.leave()

    assert (line.thread.run(), spy.calls, len(line.owner.deferred)) == (1, [(7,)], 0)


def test_what_holds_the_state_runs_once_with_it(line: Line) -> None:
    """Now where it is free, or else on the I/O thread once it is; and whatever it raises, the state is free again."""
    found: list[tuple[int, bool]] = []
    note = lambda number: found.append((number, line.owner.take()))  # noqa: E731 - a function with an argument
    line.owner.hold(note, 1)
    assert line.owner.take()
    line.owner.hold(note, 2)
    line.owner.leave()
    assert found == [(1, False)]
    assert (line.thread.run(), found) == (1, [(1, False), (2, False)])

    with pytest.raises(ZeroDivisionError):
        line.owner.hold(lambda number: 1 / number, 0)
    assert line.owner.take()


def test_a_nudge_ends_one_wait_only(line: Line) -> None:
    """After a hand-over the next holder waits for its bytes as if nothing had been."""
    assert line.owner.take()
    line.owner.enter(lambda _: None, None)
    line.owner.leave()
    assert line.owner.take()
    line.owner.wait(1.0)  # the old nudge ends it, at most once
    holder = Background(line.owner.wait, 10.0)
    assert holder.is_running
    line.far.send(b"x")

    assert holder.join() is True


def test_nobody_waits_where_the_time_is_over(line: Line) -> None:
    """Neither before it waits nor after."""
    assert line.owner.take()

    assert (line.owner.wait(0.0), line.owner.wait(0.001)) == (False, False)


def test_a_socket_that_is_forgotten_is_not_waited_for(line: Line) -> None:
    """A new one makes waiting possible again."""
    line.owner.forget()
    assert not line.owner.is_ready
    line.owner.watch(line.near.fileno())
    assert line.owner.is_ready


def test_in_a_forked_child_nobody_has_the_state(line: Line) -> None:
    """Whoever held it in the parent, and whoever waited for it there."""
    assert line.owner.take()
    line.owner.enter(lambda _: None, None)
    line.owner.after_fork()

    assert line.owner.take()
    assert (len(line.owner.deferred), line.owner.is_ready) == (0, False)
