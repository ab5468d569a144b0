"""The frames that a peer asks for: answers to its pings and settings."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from ....wire.http2.frames import ENHANCE_YOUR_CALM
from ....wire.http2.violation import Violation
from ...tcp.outbox import Outbox

_MOST: Final = 10_000
"""As many as grpc-go and its HTTP/2 let wait."""

_OWED_BYTES: Final = 256


class Replies:
    """Queues them, as long as the peer reads them.

    Args:
        outbox: Where they wait to be written.

    Attributes:
        owed: Those that go with the next led call, or soon.
    """

    __slots__ = ("_outbox", "_waiting", "owed")

    def __init__(self, outbox: Outbox[Any]) -> None:
        self._outbox = outbox
        self.owed = b""
        self._waiting: deque[int] = deque()  # numbers of frames, the first of which may have left

    def put(self, frame: bytes) -> None:
        """Queue one.

        Raises:
            Violation: Too many wait.
        """
        waiting, written = self._waiting, self._outbox.written
        while waiting and waiting[0] <= written:
            waiting.popleft()
        if len(waiting) >= _MOST:
            raise Violation(ENHANCE_YOUR_CALM, f"it does not read what it asks for: {_MOST} answers wait for it")
        waiting.append(self._outbox.put(frame))

    def owe(self, frame: bytes) -> None:
        """Keep one back, as long as they are few.

        Raises:
            Violation: Too many wait.
        """
        if len(self.owed) < _OWED_BYTES:
            self.owed += frame
        else:
            self.put(frame)

    def take(self) -> bytes:
        """Give those out that were kept back."""
        owed, self.owed = self.owed, b""
        return owed

    def settle(self) -> None:
        """Queue those that were kept back."""
        self._waiting.append(self._outbox.put(self.take()))
