"""Which running calls time out next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .call import Call

NEVER = float("inf")
_KEPT_ENDED = 1024


class Expiry:
    """Calls by the time at which they expire: one queue per timeout, nearly first in first out, which needs no heap.

    Most calls of a connection have one of a few timeouts, and of equal timeouts the earlier call expires earlier.
    Timeouts within 10 ms share a queue, for what is left of a total timeout differs from call to call.
    """

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[float, deque[Call]] = {}

    def add(self, call: Call) -> bool:
        """Remember *call*; True where it is the first of its queue, so that the clock must be set."""
        key = round(call.timeout, 2)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
        place = len(queue)
        while place and queue[place - 1].expires > call.expires:
            place -= 1
        queue.insert(place, call)
        return place == 0

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

    def trim(self, running: int) -> None:
        """Forget calls that have ended, of which *running* have not.

        They end nearly in the order in which they began, so this is cheap; behind one that takes long some may stay.
        """
        for timeout, queue in self._queues.items():
            while queue and queue[0].ended:
                queue.popleft()
            if len(queue) > 2 * running + _KEPT_ENDED:
                self._queues[timeout] = deque([call for call in queue if not call.ended])

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))
