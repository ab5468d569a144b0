"""A dubbo connection that is never connected, for what its I/O thread would ask it otherwise."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from callahead.consumer.transport.dubbo.connection import Connection
from callahead.consumer.transport.dubbo.settings import ConnectionSettings

from .clock import FakeClock
from .held_thread import HeldThread

SETTINGS = ConnectionSettings(
    connect_timeout=1.0,
    heartbeat=0.0,
    max_queued_requests=100_000,
    max_queued_bytes=10_000_000,
    max_body_bytes=1000,
    max_body_setting="max_response_bytes",
)


class Unconnected(NamedTuple):
    """A connection, and the thread that stands still beneath it."""

    connection: Connection
    thread: HeldThread


def unconnected() -> Unconnected:
    """Make one; its clock stands."""
    clock = FakeClock()
    thread = HeldThread(clock)
    return Unconnected(Connection(("127.0.0.1", 1), SETTINGS, thread, clock, Random(1)), thread)
