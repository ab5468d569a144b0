"""What the I/O thread may expect of any poller."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from callahead.consumer.transport.tcp.poller import (
    CLOSING,
    READ,
    WRITE,
    EpollPoller,
    Poller,
    SelectorPoller,
    open_poller,
)

Pair = tuple[socket.socket, socket.socket]
needs_epoll = pytest.mark.skipif(not hasattr(select, "epoll") or not hasattr(os, "eventfd"), reason="not Linux")


@pytest.fixture(params=[pytest.param(EpollPoller, marks=needs_epoll), SelectorPoller])
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    """One poller of each kind."""
    make: Callable[[], Poller] = request.param
    made = make()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two connected sockets."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    yield near, far
    near.close()
    far.close()


def fill(one: socket.socket) -> None:
    """Write until no more is taken."""
    with contextlib.suppress(BlockingIOError):
        while one.send(bytes(65536)):
            pass


def test_ready_to_read(poller: Poller, pair: Pair) -> None:
    """A watched socket is ready to READ as long as there are bytes, and not before."""
    near, far = pair
    poller.watch(near.fileno(), READ)
    assert list(poller.wait(0)) == []
    far.send(b"x")
    assert list(poller.wait(5)) == [(near.fileno(), READ)]
    assert list(poller.wait(5)) == [(near.fileno(), READ)]  # level-triggered
    near.recv(1)
    assert list(poller.wait(0)) == []


def test_ready_to_write(poller: Poller, pair: Pair) -> None:
    """A socket is ready to WRITE while the kernel takes bytes."""
    near, far = pair
    poller.watch(near.fileno(), WRITE)
    assert list(poller.wait(5)) == [(near.fileno(), WRITE)]
    fill(near)
    assert list(poller.wait(0)) == []
    while True:
        try:
            far.recv(1 << 20)
        except BlockingIOError:
            break
    assert list(poller.wait(5)) == [(near.fileno(), WRITE)]


def test_both_at_once(poller: Poller, pair: Pair) -> None:
    """Both events come in one entry."""
    near, far = pair
    poller.watch(near.fileno(), READ | WRITE)
    far.send(b"x")
    assert list(poller.wait(5)) == [(near.fileno(), READ | WRITE)]


def test_watch_replaces(poller: Poller, pair: Pair) -> None:
    """The last watch counts, also CLOSING, which no byte ends, and back again."""
    near, far = pair
    far.send(b"x")
    poller.watch(near.fileno(), READ | WRITE)
    poller.watch(near.fileno(), CLOSING)
    assert list(poller.wait(0)) == []
    poller.watch(near.fileno(), READ)
    assert list(poller.wait(5)) == [(near.fileno(), READ)]


def test_forget(poller: Poller, pair: Pair) -> None:
    """A forgotten socket is not heard of; to forget it twice, or one never watched, does no harm."""
    near, far = pair
    far.send(b"x")
    poller.watch(near.fileno(), READ)
    poller.forget(near.fileno())
    poller.forget(near.fileno())
    poller.forget(far.fileno())
    assert list(poller.wait(0)) == []


def test_forget_while_watching_nothing(poller: Poller, pair: Pair) -> None:
    """A socket watched for its closing only can be forgotten and watched anew."""
    near, far = pair
    poller.watch(near.fileno(), CLOSING)
    poller.forget(near.fileno())
    far.send(b"x")
    poller.watch(near.fileno(), READ)
    assert list(poller.wait(5)) == [(near.fileno(), READ)]


@needs_epoll
def test_closing_tells_that_the_peer_closes(pair: Pair) -> None:
    """Who waits for no bytes still hears at once that none will come any more."""
    near, far = pair
    poller = EpollPoller()
    poller.watch(near.fileno(), CLOSING)
    far.send(b"x")
    assert list(poller.wait(0)) == []
    far.close()
    assert list(poller.wait(5)) == [(near.fileno(), READ)]
    poller.close()


def test_the_end_of_the_peer_is_readable(poller: Poller, pair: Pair) -> None:
    """A closed peer makes the socket ready to READ."""
    near, far = pair
    poller.watch(near.fileno(), READ)
    far.close()
    (fd, events), *others = poller.wait(5)
    assert (fd, events & READ, others) == (near.fileno(), READ, [])


def test_a_wait_ends_by_its_time(poller: Poller) -> None:
    """A wait for nothing ends after its timeout, and not before."""
    began = time.monotonic()
    assert list(poller.wait(0.05)) == []
    assert time.monotonic() - began >= 0.045


def test_wake_before_the_wait(poller: Poller) -> None:
    """A wake-up is kept for the next wait, and ends only that one; many are one."""
    for _ in range(10):
        poller.wake()
    began = time.monotonic()
    assert list(poller.wait(60)) == []
    assert time.monotonic() - began < 30
    began = time.monotonic()
    poller.wait(0.05)
    assert time.monotonic() - began >= 0.045


def test_wake_during_the_wait(poller: Poller) -> None:
    """A wake-up from another thread ends a wait without a limit."""
    thread = threading.Timer(0.05, poller.wake)
    thread.start()
    assert list(poller.wait(None)) == []
    thread.join()


def test_very_many_wake_ups(poller: Poller) -> None:
    """However many wake-ups nobody hears, none of them blocks or fails."""
    for _ in range(100_000):
        poller.wake()
    assert list(poller.wait(5)) == []


def test_watch_from_another_thread(poller: Poller, pair: Pair) -> None:
    """A socket that is watched while the wait runs is heard of in it, or the wait ends so that the next one hears."""
    near, far = pair
    far.send(b"x")
    thread = threading.Timer(0.05, poller.watch, (near.fileno(), READ))
    thread.start()
    found = list(poller.wait(5)) or list(poller.wait(5))
    thread.join()
    assert found == [(near.fileno(), READ)]


def test_close_gives_all_descriptors_back() -> None:
    """Pollers come and go without a descriptor left."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        made = open_poller()
        made.wake()
        made.close()
    assert len(os.listdir("/proc/self/fd")) == before
