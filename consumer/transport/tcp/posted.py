"""Calls on their way to the I/O thread, of which the large ones count with all others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from ...errors import LimitExceeded
from ...runtime.forking import fork_safe_lock
from ..request_limit import Room
from .call import Call

_LARGE = 8192
"""So few of smaller requests are made before the I/O thread has its turn that they need no count of their own."""


class Running(Protocol):
    """The calls that were accepted."""

    @property
    def size(self) -> int:
        """Bytes that their requests hold."""


class Posted:
    """The calls that were posted and not yet accepted, in order; of any thread.

    Threads that make requests faster than the I/O thread refuses them would otherwise pass the limit meanwhile.

    Args:
        running: Those that were accepted.
        room: How much may be begun and not ended.
        name: ``host:port``, for errors.
    """

    def __init__(self, running: Running, room: Room, name: str) -> None:
        self._running = running
        self._room = room
        self._name = name
        self._lock = fork_safe_lock()
        self._calls: deque[Call] = deque()
        self._bytes = 0

    def put(self, call: Call) -> LimitExceeded | None:
        """Post *call*, or make the error of a large one that has no room."""
        if call.size > _LARGE:
            with self._lock:
                others = self._bytes + self._running.size
                if others and others + call.size > self._room.size:
                    return self._room.too_large(self._name, others, call.size)
                self._bytes += call.size
        self._calls.append(call)
        return None

    def __iter__(self) -> Iterator[Call]:
        """Take what is there now, one after the other."""
        calls = self._calls
        for _ in range(len(calls)):
            try:
                call = calls.popleft()
            except IndexError:  # another thread was quicker: who could not start the I/O thread takes them back
                return
            if call.size > _LARGE:
                with self._lock:
                    self._bytes -= call.size
            yield call

    def clear(self) -> None:
        """Forget all."""
        self._calls.clear()
        self._bytes = 0
