"""What waits to be written on one connection, and how much of it is."""

from __future__ import annotations

from collections import deque

from .call import Call

_JOIN_BYTES = 256 * 1024
"""Frames are joined into one send up to this size; a larger single frame is sent by itself."""


class Outbox:
    """Frames in order, joined into large sends.

    Every frame has a number, counted from 1 over the life of the connection, so what became of a call needs no note per
    call: those up to `begun` may have left at least in part, those up to `written` have left whole.

    Attributes:
        count: Frames that are not yet written whole.
        size: Their bytes, but for those that have left.
        begun: Number of the last frame of which a byte may have left.
        written: Number of the last frame that has left whole.
    """

    __slots__ = ("_batch", "_ends", "_frames", "_head", "_offset", "_watched", "begun", "count", "last", "size", "written")

    def __init__(self) -> None:
        self._frames: deque[tuple[int, bytes]] = deque()
        self._batch: memoryview | None = None
        self._offset = 0
        self._head = 0
        self._ends: deque[tuple[int, int]] = deque()
        self._watched: deque[Call] = deque()
        self.count = 0
        self.size = 0
        self.last = 0
        self.begun = 0
        self.written = 0

    def put(self, frame: bytes) -> int:
        """Queue *frame* and return its number."""
        self.last += 1
        self.count += 1
        self.size += len(frame)
        self._frames.append((self.last, frame))
        return self.last

    def watch(self, call: Call) -> None:
        """Tell *call*, whose frame was just put, when it is written."""
        self._watched.append(call)

    def drop(self, number: int) -> bool:
        """Take the frame *number* out of the queue, where no byte of it can have left; cost O(n)."""
        for place, (known, frame) in enumerate(self._frames):
            if known == number:
                del self._frames[place]
                self.count -= 1
                self.size -= len(frame)
                return True
        return False

    def pending(self) -> memoryview | None:
        """Return what to send next, or None where nothing waits; tell `advance` how much of it was taken."""
        if self._batch is None:
            self._join()
        return None if self._batch is None else self._batch[self._offset :]

    def _join(self) -> None:
        frames = self._frames
        if not frames:
            return
        joined: list[bytes] = []
        size = 0
        while frames and (not joined or size + len(frames[0][1]) <= _JOIN_BYTES):
            number, frame = frames.popleft()
            joined.append(frame)
            size += len(frame)
            self._ends.append((size, number))
        self._batch = memoryview(joined[0] if len(joined) == 1 else b"".join(joined))
        self._offset = 0

    def advance(self, taken: int) -> list[Call]:
        """Note that the kernel took *taken* bytes of what `pending` returned; returns the calls to be told."""
        assert self._batch is not None
        self._offset += taken
        self.size -= taken
        ends = self._ends
        while ends and ends[0][0] <= self._offset:
            self._head, self.written = ends.popleft()
            self.count -= 1
        self.begun = ends[0][1] if ends and self._offset > self._head else max(self.begun, self.written)
        if not ends:
            self._batch = None
            self._offset = self._head = 0
        return self._told()

    def attempt(self) -> None:
        """Note that bytes may be on their way though the kernel has not said so, as TLS has it."""
        if self._ends:
            self.begun = max(self.begun, self._ends[0][1])

    def _told(self) -> list[Call]:
        watched = self._watched
        told: list[Call] = []
        while watched and (watched[0].number <= self.written or watched[0].ended):
            told.append(watched.popleft())
        return told
