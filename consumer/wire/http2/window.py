"""How many bytes a peer may send, and when it is allowed more."""

from __future__ import annotations

from .frames import FLOW_CONTROL_ERROR
from .violation import Violation


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

    def pass_on(self, size: int) -> int:
        """Note that *size* bytes came, and are needed no more; see `take` and `read`."""
        if size > self._left or (self._read + size) * 2 >= self._size:
            self.take(size)
            return self.read(size)
        self._left -= size
        self._read += size
        return 0

    def read(self, size: int) -> int:
        """Note that *size* of them are needed no more; returns how many to allow the peer anew, mostly 0."""
        self._read += size
        if self._read * 2 < self._size:
            return 0
        more, self._read = self._read, 0
        self._left += more
        return more
