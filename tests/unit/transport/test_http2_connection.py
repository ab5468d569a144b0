"""The way to one address over HTTP/2, on a thread that stands still."""

from __future__ import annotations

from random import Random

from support.clock import FakeClock
from support.held_thread import HeldThread
from support.http2_calls import Made

from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.consumer.transport.request_limit import Room
from callahead.consumer.transport.tcp.destination import Destination
from callahead.consumer.transport.tri.http2.connection import Connection
from callahead.consumer.transport.tri.http2.settings import ConnectionSettings
from callahead.consumer.wire.http2.settings import Limits

SETTINGS = ConnectionSettings(
    connect_timeout=1.0, keepalive=0.0, keepalive_timeout=1.0, room=Room(100, 1 << 20), limits=Limits(1 << 14)
)


def test_a_call_that_is_about_to_be_given_up_takes_no_request() -> None:
    """Its stream was not looked at, and nobody keeps what it was fed; the one who feeds it has not heard of that."""
    clock = FakeClock()
    thread = HeldThread(clock)
    connection = Connection(Destination("127.0.0.1", 1), SETTINGS, thread, clock, Random(1), CallbackExecutor(1))
    call = Made()
    call.first = 1
    assert call.begin_anew()
    connection.feed(call, b"more")
    thread.run()
    assert call.outcomes == []
