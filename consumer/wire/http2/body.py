"""What is still to be sent on one stream."""

from __future__ import annotations

from collections import deque


class Body:
    """Bytes in order, taken in any portions, and once more from the first where few of them were.

    Args:
        most: So many of the taken ones are copied, to be taken again; where more were taken, none.

    Attributes:
        size: How many are left.
        copied: How many of the taken ones are kept.
        is_whole: No more will be put.
    """

    __slots__ = ("_copy", "_most", "_parts", "copied", "is_whole", "size")

    def __init__(self, most: int = 0) -> None:
        self._parts: deque[memoryview] = deque()
        self._most = most
        # One piece instead of the parts, each of which would hold the whole message that it was cut of.
        self._copy = bytearray() if most else None
        self.size = self.copied = 0
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
        left = count
        while left:
            part = self._parts[0]
            if len(part) <= left:
                self._parts.popleft()
            else:
                self._parts[0] = part[left:]
                part = part[:left]
            taken.append(part)
            left -= len(part)
        if self._copy is not None:
            self.copied += count
            if self.copied <= self._most:
                for part in taken:
                    self._copy += part
            else:
                self.let_go()
        return taken

    def let_go(self) -> None:
        """Keep none of what was taken, now or later."""
        self._copy = None
        self.copied = 0

    def rewind(self) -> bool:
        """Let all that was taken be taken again, before the rest; False where it was not kept, and nothing was done."""
        copy = self._copy
        if copy is None:
            return False
        if copy:
            self._parts.appendleft(memoryview(bytes(copy)))
            self.size += len(copy)
            self.copied = 0
            copy.clear()
        return True
