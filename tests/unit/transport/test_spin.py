"""When a waiting thread looks for a while before it sleeps, and when it does not."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.clock import FakeClock

from callahead.consumer.transport.tcp.spin import LONGEST_S, Spin

READY = [(7, select.POLLIN)]


LOOK_S = LONGEST_S / 8


class Scripted:
    """A poll object on which something is ready after so many looks, again and again; never after None.

    Each look takes an eighth of the time that `LONGEST_S` gives all of them.
    """

    def __init__(self, after: int | None) -> None:
        self.after = after
        self.looked = 0
        self.clock = FakeClock()

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """Look once."""
        assert timeout == 0
        self.looked += 1
        self.clock.advance(LOOK_S)
        return READY if self.after is not None and self.looked % (self.after + 1) == 0 else []


def looked_at(spin: Spin, poll: Any) -> bool:
    """Tell whether *spin* looked at all."""
    before = poll.looked
    spin.look(poll)
    return bool(poll.looked > before)


def test_what_is_ready_soon_is_returned() -> None:
    """An answer that comes at once is seen without sleeping, call after call."""
    poll = Scripted(after=3)
    spin = Spin(cores=2, clock=poll.clock)
    assert [spin.look(poll) for _ in range(10)] == [READY] * 10
    assert poll.looked == 40


def test_looking_in_vain_takes_bounded_time_and_is_done_ever_less() -> None:
    """After a look in vain the next call does not look, then 2, and so on up to 1024."""
    poll = Scripted(after=None)
    spin = Spin(cores=2, clock=poll.clock)
    assert spin.look(poll) == ()
    assert poll.looked in (8, 9)
    skipped = []
    for _ in range(12):
        count = 0
        while not looked_at(spin, poll):
            count += 1
        skipped.append(count)
    assert skipped == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024]


def test_a_look_that_is_not_in_vain_is_followed_by_others() -> None:
    """Once answers come at once again, every call looks again."""
    poll = Scripted(after=None)
    spin = Spin(cores=2, clock=poll.clock)
    for _ in range(200):
        spin.look(poll)
    poll.after = 0
    while not looked_at(spin, poll):
        pass
    assert all(looked_at(spin, poll) for _ in range(50))
    poll.after = None
    spin.look(poll)
    assert [looked_at(spin, poll) for _ in range(2)] == [False, True]


def test_on_one_core_nobody_looks() -> None:
    """The provider may need the very core that would be looking."""
    poll = Scripted(after=0)
    spin = Spin(cores=1, clock=poll.clock)
    assert spin.look(poll) == ()
    assert poll.looked == 0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    near, far = socket.socketpair()
    yield near, far
    near.close()
    far.close()


def test_other_threads_run_meanwhile(pair: tuple[socket.socket, socket.socket]) -> None:
    """A thread that looks lets go of the interpreter between two looks, so that another can bring what it looks for."""
    near, far = pair
    poll = select.poll()
    poll.register(near.fileno(), select.POLLIN)
    for _ in range(1000):
        sender = threading.Thread(target=far.send, args=(b"x",))
        sender.start()
        found = Spin(cores=2).look(poll)
        sender.join()
        near.recv(1)
        if found:
            return
    pytest.fail("nothing was ever found by looking")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not say which cores may be used")
def test_cores_that_this_process_may_not_use_do_not_count() -> None:
    """A container with one core of many is as good as one core."""
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        poll = Scripted(after=0)
        Spin().look(poll)
    finally:
        os.sched_setaffinity(0, allowed)
    assert poll.looked == 0
