"""What waits to be written on one connection, and how much of it is."""

from __future__ import annotations

from collections import deque

from .call import Call

_JOIN_BYTES = 256 * 1024
"""Frames are joined into one send up to this size; a larger single frame is sent by itself."""

_TLS_RECORD_BYTES = 16 * 1024


class Outbox:
    """Frames in order, joined into large sends.

    Every frame has a number, counted from 1 over the life of the connection, so what became of a call needs no note per
    call: those up to `begun` may have left at least in part, those up to `written` have left whole.

    Attributes:
        count: Frames that are not yet written whole.
        size: Their bytes, but for those that have left.
        last: Number of the last frame that was put.
        begun: Number of the last frame of which a byte may have left.
        written: Number of the last frame that has left whole.
    """

    __slots__ = (
        "_batch", "_ends", "_frames", "_head", "_offset", "_watched", "begun", "count", "last", "size", "written",
    )  # fmt: skip

    def __init__(self) -> None:
        # Those not yet joined, up to number `last`; in place of a dropped one stands an empty one, so that the place of
        # a number is known.
        self._frames: deque[bytes] = deque()
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
        """Queue *frame*, which is not empty, and return its number."""
        self.last += 1
        self.count += 1
        self.size += len(frame)
        self._frames.append(frame)
        return self.last

    def watch(self, call: Call) -> None:
        """Tell *call*, whose frame was just put, when it is written."""
        self._watched.append(call)

    def drop(self, number: int) -> bool:
        """Take the frame *number* out of the queue; False where a byte of it may have left, or it is not there."""
        if number <= self.begun:
            return False
        frames = self._frames
        if number <= self.last - len(frames):
            self._take_back()
        place = number - (self.last - len(frames)) - 1
        if not 0 <= place < len(frames) or not frames[place]:
            return False
        self.count -= 1
        self.size -= len(frames[place])
        frames[place] = b""
        while frames and not frames[0]:
            frames.popleft()
        return True

    def _take_back(self) -> None:
        """Cut the joined frames of which no byte can have left out of the batch, and queue them again."""
        frames, ends, batch = self._frames, self._ends, self._batch
        assert batch is not None or not ends
        while batch is not None and ends and ends[-1][1] > self.begun:
            end, number = ends.pop()
            start = ends[-1][0] if ends else self._head
            frames.extendleft([b""] * (self.last - len(frames) - number))  # dropped before they were joined
            frames.appendleft(bytes(batch[start:end]))
        if ends:
            assert batch is not None
            self._batch = batch[: ends[-1][0]]
        else:
            self._end_batch()

    def _end_batch(self) -> None:
        self._batch = None
        self._offset = self._head = 0

    def pending(self) -> memoryview | None:
        """Return what to send next, or None where nothing waits; tell `advance` how much of it was taken."""
        if self._batch is None:
            self._join()
        return None if self._batch is None else self._batch[self._offset :]

    def _join(self) -> None:
        frames = self._frames
        number = self.last - len(frames)
        joined: list[bytes] = []
        size = 0
        while frames and (not joined or size + len(frames[0]) <= _JOIN_BYTES):
            frame = frames.popleft()
            number += 1
            if frame:
                joined.append(frame)
                size += len(frame)
                self._ends.append((size, number))
        if joined:
            self._batch = memoryview(joined[0] if len(joined) == 1 else b"".join(joined))

    def advance(self, taken: int) -> list[Call]:
        """Note that the kernel took *taken* bytes of what `pending` returned; returns the calls to be told."""
        self._offset += taken
        self.size -= taken
        ends = self._ends
        while ends and ends[0][0] <= self._offset:
            self._head, self.written = ends.popleft()
            self.count -= 1
        self.begun = max(self.begun, ends[0][1] if ends and self._offset > self._head else self.written)
        if not ends:
            self._end_batch()
        return self._told()

    def attempt(self) -> None:
        """Note that TLS has taken a record of which the kernel has not taken all, and will want the same bytes again.

        Until then the frames of that record are neither sent nor to be changed, and how long the record is only TLS
        knows.
        """
        start = self._head
        for end, number in self._ends:
            if start >= self._offset + _TLS_RECORD_BYTES:
                break
            self.begun = max(self.begun, number)
            start = end

    def _told(self) -> list[Call]:
        watched = self._watched
        told: list[Call] = []
        while watched and (watched[0].number <= self.written or watched[0].ended):
            told.append(watched.popleft())
        return told
