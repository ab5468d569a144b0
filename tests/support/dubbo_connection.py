"""A dubbo connection whose I/O thread stands still: a test does what that would do."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from callahead.config.policy import MethodPolicy
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import Outcome
from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.consumer.transport.dubbo.connection import Connection
from callahead.consumer.transport.dubbo.method import Peer
from callahead.consumer.transport.dubbo.settings import ConnectionSettings
from callahead.consumer.transport.request_limit import Room
from callahead.consumer.transport.tcp.call import Call
from callahead.consumer.transport.tcp.destination import Destination
from callahead.consumer.transport.trouble import Trouble

from .attempts import attempt_of
from .clock import FakeClock
from .held_thread import HeldThread

_POLICY = MethodPolicy(reference="foo", method="find")
SETTINGS = ConnectionSettings(
    connect_timeout=1.0,
    heartbeat=0.0,
    room=Room(100_000, 10_000_000),
    max_body_bytes=1000,
    max_body_setting="max_response_bytes",
)


class Nobody:
    """A peer of which nothing is noted."""

    def count_trailing(self, count: int) -> None:
        """Forget it."""

    def stops(self) -> None:
        """Forget it."""


NOBODY = Nobody()


class Held(NamedTuple):
    """A connection, and the thread and the clock that stand still beneath it."""

    connection: Connection
    thread: HeldThread
    clock: FakeClock


def held(port: int = 1) -> Held:
    """Make one to a port of this machine."""
    clock = FakeClock()
    thread = HeldThread(clock)
    connection = Connection(Destination("127.0.0.1", port), SETTINGS, thread, clock, Random(1), CallbackExecutor(1))
    return Held(connection, thread, clock)


class Numbered(NamedTuple):
    """A method whose every answer is its number."""

    number: int

    def decode(self, status: int, body: bytes, peer: Peer, attempt: Attempt) -> Outcome:
        """Give the number."""
        del status, body, peer, attempt
        return Outcome(self.number)

    def worded(self, trouble: Trouble) -> str:
        """Leave out the settings, of which it has none."""
        return trouble.text


def call_of(number: int, timeout: float, expires: float, done: Callable[[Outcome], object], **fields: Any) -> Call:
    """Make a call; its answer would be its number; *fields* are further ones of its invocation."""
    attempt = attempt_of(_POLICY, **fields)
    attempt.timeout, attempt.ends = timeout, expires

    return Call(number, b"frame", 5, True, attempt, Numbered(number), done)
