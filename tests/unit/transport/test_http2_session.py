"""One session over a socket, on a thread that stands still, while another thread carries a call on it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from support.clock import FakeClock
from support.dubbo_peer import wait_until
from support.held_thread import HeldThread
from support.http2_calls import Fed, Made
from support.http2_frames import GREETING

from callahead.consumer.errors import TransportError
from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.consumer.transport.request_limit import Room
from callahead.consumer.transport.tcp.counters import Counters
from callahead.consumer.transport.tcp.poller import READ
from callahead.consumer.transport.tri.http2.session import Hears, Session
from callahead.consumer.transport.tri.http2.settings import ConnectionSettings
from callahead.consumer.transport.trouble import Trouble
from callahead.consumer.wire.http2.settings import Limits

SETTINGS = ConnectionSettings(
    connect_timeout=1.0, keepalive=0.0, keepalive_timeout=1.0, room=Room(100, 1 << 20), limits=Limits(1 << 14)
)


@pytest.fixture
def thread() -> HeldThread:
    """Stands still."""
    return HeldThread(FakeClock())


@pytest.fixture
def session(thread: HeldThread) -> Iterator[Session]:
    """One that is open, and idle."""
    hears = Hears(lambda: Trouble(""), lambda _: None, lambda _, __: None, lambda *_: None)
    session = Session("peer:1", SETTINGS, thread, FakeClock(), CallbackExecutor(1), Counters(), hears)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        session.greet(ours, 1.0)
        theirs.sendall(GREETING)
        session.on_ready(READ)
        session.flush()
        yield session
        session.close()
        thread.run()


def hand_over(session: Session, call: Fed) -> None:
    """Let another thread carry a call, and hand over since *call* is to be accepted, which it yet has to be."""
    led = Made(expires=1e9)
    leader = threading.Thread(target=session.lead, args=(led,))
    leader.start()
    wait_until(lambda: led.session is session)
    session.accept([call])
    leader.join()
    assert call.session is None


def test_a_call_that_waited_for_another_thread_is_accepted(session: Session, thread: HeldThread) -> None:
    """Once that has handed over."""
    call = Fed()
    hand_over(session, call)
    thread.run()
    assert call.session is session


def test_a_call_that_was_given_up_meanwhile_gets_no_stream(session: Session, thread: HeldThread) -> None:
    """Nobody would ever end it."""
    call = Fed()
    hand_over(session, call)
    call.fail(TransportError("its requests could not be read"))
    thread.run()
    assert (call.session, len(session.streams), len(call.outcomes)) == (None, 1, 1)


def test_a_call_that_was_cancelled_meanwhile_ends_as_such(session: Session, thread: HeldThread) -> None:
    """Who cancelled it found no session that carries it."""
    call = Fed()
    hand_over(session, call)
    call.attempt.is_cancelled = True
    thread.run()
    assert (call.session, len(session.streams), len(call.outcomes)) == (None, 1, 1)
