"""Large requests on their way to the thread that counts them with all others."""

from __future__ import annotations

from ...errors import LimitExceeded
from ...runtime.forking import fork_safe_lock
from ..request_limit import Room
from .running import RunningCalls

LARGE_BYTES = 4096
"""So few of smaller ones are made before the I/O thread has its turn that they need no count of their own."""


class PostedBytes:
    """Bytes of the large requests that were posted and not yet accepted; of any thread.

    Threads that make requests faster than the I/O thread refuses them would otherwise pass the limit meanwhile.

    Args:
        calls: Those that were accepted.
        room: How much may be begun and not ended.
        name: ``host:port``, for errors.
    """

    def __init__(self, calls: RunningCalls, room: Room, name: str) -> None:
        self._calls = calls
        self._room = room
        self._name = name
        self._lock = fork_safe_lock()
        self._bytes = 0

    def add(self, size: int) -> LimitExceeded | None:
        """Count a request of *size* bytes, or make the error of one that has no room."""
        with self._lock:
            others = self._bytes + self._calls.size
            if others and others + size > self._room.size:
                return self._room.too_large(self._name, others, size)
            self._bytes += size
        return None

    def remove(self, size: int) -> None:
        """Count it no more."""
        with self._lock:
            self._bytes -= size

    def clear(self) -> None:
        """Forget all."""
        self._bytes = 0
