"""The parts of a dubbo connection that is never connected: what its I/O thread would ask it otherwise."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from callahead.config.policy import MethodPolicy
from callahead.consumer.deadline import Deadline
from callahead.consumer.invocation import CallRecord, Invocation, Outcome
from callahead.consumer.transport.dubbo.call import Call
from callahead.consumer.transport.dubbo.connection import Connection
from callahead.consumer.transport.dubbo.settings import ConnectionSettings

from .clock import FakeClock
from .held_thread import HeldThread

_POLICY = MethodPolicy(reference="foo", method="find")
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


def call_of(number: int, timeout: float, expires: float, done: Callable[[Outcome], object]) -> Call:
    """Make a call; its answer would be its number."""
    record = CallRecord(_POLICY, "find", 0.0)
    invocation = Invocation(_POLICY, "find", (), {}, {}, Deadline.after_ms(1), record, blocking=False)

    def decode(status: int, body: bytes, invocation: Invocation) -> Outcome:
        del status, body, invocation
        return Outcome(number)

    return Call(number, b"frame", True, timeout, expires, invocation, decode, done)
