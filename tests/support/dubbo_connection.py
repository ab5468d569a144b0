"""A dubbo connection that is never connected, for what its I/O thread would ask it otherwise."""

from __future__ import annotations

from callahead.consumer.transport.dubbo.connection import Connection
from callahead.consumer.transport.dubbo.settings import ConnectionSettings
from callahead.consumer.transport.tcp.io_thread import IoThread

from .clock import FakeClock

_SETTINGS = ConnectionSettings(
    connect_timeout=1.0,
    heartbeat=0.0,
    max_queued_requests=100,
    max_queued_bytes=10_000,
    max_body_bytes=1000,
    max_body_setting="max_response_bytes",
)


def unconnected() -> Connection:
    """Make one; its thread is never started, and its clock stands."""
    clock = FakeClock()
    return Connection(("h", 1), _SETTINGS, IoThread(clock), clock)
