"""What waits to be written on one connection, and how much of it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import Any, Generic, Protocol, TypeVar

_JOIN_BYTES = 256 * 1024
"""Frames are joined into one send up to this size; a larger single frame is sent by itself."""

_TLS_RECORD_BYTES = 16 * 1024
_NOBODY: Sequence[Any] = ()


class Watched(Protocol):
    """Somebody who is to be told when a frame is written.

    Attributes:
        number: The frame's.
        ended: There is nobody to be told any more.
    """

    number: int
    ended: bool


WatchedT = TypeVar("WatchedT", bound=Watched)


class Outbox(Generic[WatchedT]):
    """Frames in order, joined into large sends.

    Every frame has a number, counted from 1 until the next `clear`, so what became of a call needs no note per
    call: those up to `begun` may have left at least in part, those up to `written` have left whole.

    Attributes:
        count: Frames that are not yet written whole.
        size: Their bytes, but for those that have left.
        last: Number of the last frame that was put.
        begun: Number of the last frame of which a byte may have left.
        written: Number of the last frame that has left whole.
    """

    __slots__ = (
        "_batch", "_ends", "_first", "_frames", "_head", "_joined", "_offset", "_watched",
        "begun", "count", "last", "size", "written",
    )  # fmt: skip

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all frames, and count from 1 again."""
        # Those not yet joined, up to number `last`; in place of a dropped one stands an empty one, so that the place of
        # a number is known.
        self._frames: deque[bytes] = deque()
        self._batch: bytes | None = None
        self._joined: list[bytes] = []
        self._first = 0
        self._offset = 0
        self._head = 0
        # Where each frame of the batch ends; made only where the kernel does not take the batch in one go.
        self._ends: deque[tuple[int, int]] | None = None
        self._watched: deque[WatchedT] = deque()
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

    def pass_by(self) -> int:
        """Number a frame that has left whole without having been queued; only while nothing is."""
        self.last += 1
        self.begun = self.written = self.last
        return self.last

    def watch(self, watched: WatchedT) -> None:
        """Have `advance` return *watched*, whose frame was put and is not written, when that is written."""
        waiting = self._watched
        while waiting and waiting[0].ended:  # or a peer that does not read would let them pile up
            waiting.popleft()
        place = len(waiting)
        while place and waiting[place - 1].number > watched.number:  # it began to be watched later than others
            place -= 1
        waiting.insert(place, watched)

    def ignore(self, watched: Collection[WatchedT]) -> None:
        """Tell *watched*, whose frames are not to be sent any more, of nothing."""
        if self._watched and watched:
            self._watched = deque(one for one in self._watched if one not in watched)

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
        self._strip()
        return True

    def _strip(self) -> None:
        """Forget the dropped frames at the front."""
        frames = self._frames
        while frames and not frames[0]:
            frames.popleft()

    def _spell_out(self) -> deque[tuple[int, int]]:
        """Return where each frame of the batch ends, with its number; dropped ones left out."""
        if self._ends is None:
            self._ends = deque()
            size = 0
            for number, frame in enumerate(self._joined, self._first):
                if frame:
                    size += len(frame)
                    self._ends.append((size, number))
        return self._ends

    def _take_back(self) -> None:
        """Cut the joined frames of which no byte can have left out of the batch, and queue them again."""
        frames, batch = self._frames, self._batch
        if batch is None:
            return
        ends = self._spell_out()
        while ends and ends[-1][1] > self.begun:
            end, number = ends.pop()
            start = ends[-1][0] if ends else self._head
            frames.extendleft([b""] * (self.last - len(frames) - number))  # dropped before they were joined
            frames.appendleft(batch[start:end])
        if ends:
            self._batch = batch[: ends[-1][0]]
        else:
            self._end_batch()

    def _end_batch(self) -> None:
        self._batch = self._ends = None
        self._joined = []
        self._offset = self._head = 0

    def pending(self) -> bytes | memoryview | None:
        """Return what to send next, or None where nothing waits; tell `advance` how much of it was taken."""
        if self._batch is None:
            if not self._frames:
                return None
            self._join()
        batch, offset = self._batch, self._offset
        return batch if batch is None or not offset else memoryview(batch)[offset:]

    def _join(self) -> None:
        frames = self._frames
        self._first = self.last - len(frames) + 1
        if self.size <= _JOIN_BYTES:
            joined = list(frames)
            frames.clear()
        else:
            joined = []
            size = 0
            while frames and (not joined or size + len(frames[0]) <= _JOIN_BYTES):
                frame = frames.popleft()
                joined.append(frame)
                size += len(frame)
            self._strip()
        while not joined[-1]:  # dropped, so it is not written; the first frame never is one
            joined.pop()
        self._joined = joined
        self._batch = joined[0] if len(joined) == 1 else b"".join(joined)

    def advance(self, taken: int) -> Sequence[WatchedT]:
        """Note that the kernel took *taken* bytes of what `pending` returned; returns who is to be told."""
        assert self._batch is not None
        self.size -= taken
        if taken == len(self._batch) and self._ends is None:
            joined = self._joined
            self.written = self.begun = self._first + len(joined) - 1
            self.count -= len(joined) - joined.count(b"")
            self._end_batch()
        else:
            self._advance_in(taken)
        return self._told() if self._watched else _NOBODY

    def _advance_in(self, taken: int) -> None:
        self._offset += taken
        ends = self._spell_out()
        while ends and ends[0][0] <= self._offset:
            self._head, self.written = ends.popleft()
            self.count -= 1
        self.begun = max(self.begun, ends[0][1] if ends and self._offset > self._head else self.written)
        if not ends:
            self._end_batch()

    def attempt(self) -> None:
        """Note that TLS has taken a record of which the kernel has not taken all, and will want the same bytes again.

        Until then the frames of that record are neither sent nor to be changed, and how long the record is only TLS
        knows.
        """
        start = self._head
        for end, number in self._spell_out():
            if start >= self._offset + _TLS_RECORD_BYTES:
                break
            self.begun = max(self.begun, number)
            start = end

    def _told(self) -> list[WatchedT]:
        watched = self._watched
        told: list[WatchedT] = []
        while watched and (watched[0].number <= self.written or watched[0].ended):
            told.append(watched.popleft())
        return told
