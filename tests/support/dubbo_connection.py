"""The parts of a dubbo connection that is never connected: what its I/O thread would ask it otherwise."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from callahead.config.policy import MethodPolicy
from callahead.consumer.attempt import Attempt
from callahead.consumer.invocation import Outcome
from callahead.consumer.transport.dubbo.call import Call
from callahead.consumer.transport.dubbo.connection import Connection
from callahead.consumer.transport.dubbo.settings import ConnectionSettings

from .attempts import attempt_of
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
    attempt = attempt_of(_POLICY)
    attempt.timeout, attempt.ends = timeout, expires

    def decode(status: int, body: bytes, attempt: Attempt) -> Outcome:
        del status, body, attempt
        return Outcome(number)

    return Call(number, b"frame", True, attempt, decode, done)
