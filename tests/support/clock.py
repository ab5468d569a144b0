"""A clock that a test moves."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class FakeClock:
    """Monotonic seconds that pass only when told to; give it to ``Consumer(..., clock=FakeClock())``."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += seconds


class FakeTimer:
    """A `Timer` without a thread: what is due runs as a test lets time pass.

    Attributes:
        clock: Which it moves.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self._order = itertools.count()
        self._entries: list[tuple[float, int, Callable[[], object]]] = []

    def now(self) -> float:
        return self.clock()

    def call_at(self, when: float, function: Callable[[], object]) -> None:
        heapq.heappush(self._entries, (when, next(self._order), function))

    @property
    def next_in(self) -> float | None:
        """Seconds until the next function is due, None where none is."""
        return self._entries[0][0] - self.clock() if self._entries else None

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass, and what becomes due meanwhile run at its time."""
        ends = self.clock() + seconds
        while self._entries and self._entries[0][0] <= ends:
            when, _, function = heapq.heappop(self._entries)
            self.clock.now = max(self.clock.now, when)
            function()
        self.clock.now = ends
