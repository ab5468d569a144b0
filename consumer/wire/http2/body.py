"""What is still to be sent on one stream."""

from __future__ import annotations

from collections import deque


class Body:
    """Bytes in order, taken in any portions.

    Attributes:
        size: How many are left.
        is_whole: No more will be put.
    """

    __slots__ = ("_parts", "is_whole", "size")

    def __init__(self) -> None:
        self._parts: deque[memoryview] = deque()
        self.size = 0
        self.is_whole = False

    def put(self, data: bytes) -> None:
        """Add *data*, which is not copied."""
        if data:
            self._parts.append(memoryview(data))
            self.size += len(data)

    def take(self, count: int) -> list[memoryview]:
        """Take the first *count* bytes, of which there are so many."""
        taken: list[memoryview] = []
        self.size -= count
        while count:
            part = self._parts[0]
            if len(part) <= count:
                self._parts.popleft()
            else:
                self._parts[0] = part[count:]
                part = part[:count]
            taken.append(part)
            count -= len(part)
        return taken
