"""The frames that a peer asks for: answers to its pings and settings."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from ....wire.http2.frames import ENHANCE_YOUR_CALM
from ....wire.http2.violation import Violation
from ...tcp.outbox import Outbox

_MOST: Final = 10_000
"""As many as the HTTP/2 of Go lets wait."""

_OWED_BYTES: Final = 256
_EVERY_S: Final = 0.02
"""A provider by grpc-go asks with the first data after each answer: so often, it does not ask at every call."""


class Replies:
    """Queues them, as long as the peer reads them.

    What comes with the answer of a led call is answered with a later one, so that its caller does not wait for that: at
    once, or 20 ms after the last that were. That is what RFC 9113, section 6.7, would have go first; a peer that
    measures by its pings, as grpc-go does how much it may let come, measures some milliseconds more.

    Args:
        outbox: Where they wait to be written.
        may_wait: Tells whether one may go with a later call, or soon: a leader has its own answer.

    Attributes:
        owed: Those that do.
        due: Monotonic second from which they go with the next led call.
    """

    __slots__ = ("_may_wait", "_outbox", "_waiting", "due", "owed")

    def __init__(self, outbox: Outbox[Any], may_wait: Callable[[], bool]) -> None:
        self._outbox = outbox
        self._may_wait = may_wait
        self._waiting: deque[int] = deque()  # numbers of frames, the first of which may have left
        self.owed = b""
        self.due = 0.0

    def put(self, frame: bytes) -> None:
        """Queue one, or owe it.

        Raises:
            Violation: Too many wait.
        """
        if len(self.owed) < _OWED_BYTES and self._may_wait():
            self.owed += frame
            return
        waiting, written = self._waiting, self._outbox.written
        while waiting and waiting[0] <= written:
            waiting.popleft()
        if len(waiting) >= _MOST:
            raise Violation(ENHANCE_YOUR_CALM, f"it does not read what it asks for: {_MOST} answers wait for it")
        waiting.append(self._outbox.put(frame))

    def take(self, now: float) -> bytes:
        """Give out what is owed."""
        owed, self.owed = self.owed, b""
        self.due = now + _EVERY_S
        return owed

    def is_late(self, now: float) -> bool:
        """Tell whether something is owed that should leave by now, with a led call or without; for any thread."""
        return bool(self.owed) and now >= self.due
