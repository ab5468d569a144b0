"""How many bytes a peer may send, and when it is allowed more."""

from __future__ import annotations

from typing import Final

from .frames import FLOW_CONTROL_ERROR, LARGEST_WINDOW
from .violation import Violation

UNKNOWN: Final = LARGEST_WINDOW + 1
"""More than any window has room for."""


class ReceiveWindow:
    """What the peer may still send on a stream, or on the whole connection.

    Args:
        size: Bytes that may be on their way, or wait to be read, at once.
    """

    __slots__ = ("_left", "_read", "_size")

    def __init__(self, size: int) -> None:
        self._size = self._left = size
        self._read = 0

    def take(self, size: int) -> None:
        """Note that *size* bytes came.

        Raises:
            Violation: The peer was not allowed so many.
        """
        self._left -= size
        if self._left < 0:
            text = f"it has sent {-self._left} bytes more than the window of {self._size} bytes allowed"
            raise Violation(FLOW_CONTROL_ERROR, text)

    def pass_on(self, size: int, awaited: int = UNKNOWN) -> int:
        """Note that *size* bytes came, and are needed no more; see `take` and `read`."""
        if size > self._left or (self._read + size) * 2 >= self._size:
            self.take(size)
            return self.read(size, awaited)
        self._left -= size
        self._read += size
        return 0

    def read(self, size: int, awaited: int = UNKNOWN) -> int:
        """Note that *size* of them are needed no more; returns how many to allow the peer anew, mostly 0.

        Nothing is said where the *awaited* bytes, which the peer may have yet to send, can come as it is. A peer that
        has closed its socket behind the last of them answers such a word by a reset, and its system drops with that
        what is still on its way.
        """
        self._read += size
        if self._read * 2 < self._size or awaited <= self._left:
            return 0
        more, self._read = self._read, 0
        self._left += more
        return more
