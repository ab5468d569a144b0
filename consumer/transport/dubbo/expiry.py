"""Which running calls time out next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .call import Call

NEVER = float("inf")


class Expiry:
    """Calls by the time at which they expire: one queue per timeout, first in first out, which needs no heap.

    Most calls of a connection have one of a few timeouts, and of equal timeouts the earlier call expires earlier.
    """

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[float, deque[Call]] = {}

    def add(self, call: Call) -> bool:
        """Remember *call*; True where none of its timeout was remembered, so that the clock must be set."""
        queue = self._queues.get(call.timeout)
        if queue is None:
            queue = self._queues[call.timeout] = deque()
        queue.append(call)
        return len(queue) == 1

    def due(self, now: float) -> Iterator[Call]:
        """Yield, and forget, what has expired by *now* and has not ended otherwise."""
        for timeout, queue in list(self._queues.items()):
            while queue and (queue[0].ended or queue[0].expires <= now):
                call = queue.popleft()
                if not call.ended:
                    yield call
            if not queue:
                del self._queues[timeout]

    def next_at(self) -> float:
        """Return when the next one may expire, or `NEVER`."""
        return min((queue[0].expires for queue in self._queues.values() if queue), default=NEVER)

    def trim(self) -> None:
        """Forget calls that have ended; they end nearly in the order in which they began, so this is cheap."""
        for queue in self._queues.values():
            while queue and queue[0].ended:
                queue.popleft()
