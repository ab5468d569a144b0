"""Waiting until calls have ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable


class Drain:
    """Hears of each call that has ended, and lets others wait for that.

    Attributes:
        waiting: How many wait, so that nobody need tell of an end that none waits for. Whoever waits counts himself
            before he looks, and an end comes before its ender looks here: one of the two sees the other.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self._changed = threading.Condition()
        self._expected: list[set[Hashable]] = []

    def expect(self, calls: Iterable[Hashable]) -> set[Hashable]:
        """Return the set of *calls*, which each of them leaves when it ends; from now on somebody waits."""
        with self._changed:
            self.waiting += 1
            left = set(calls)
            self._expected = [one for one in self._expected if one]
            self._expected.append(left)
        return left

    def ended(self, call: Hashable) -> None:
        """Take *call* out: all that is to happen at its end has happened, or is due on the callback executor."""
        with self._changed:
            for left in self._expected:
                left.discard(call)
            self._changed.notify_all()

    def look_again(self) -> None:
        """Let `wait` ask again."""
        if self.waiting:
            with self._changed:
                self._changed.notify_all()

    def wait(self, is_over: Callable[[], bool], ends: float) -> bool:
        """Wait until *is_over*, which is asked again at each end and `look_again`; False once *ends* has passed.

        *ends* is a monotonic second.
        """
        with self._changed:
            self.waiting += 1
            try:
                left = min(ends - time.monotonic(), threading.TIMEOUT_MAX)
                return self._changed.wait_for(is_over, max(0.0, left))
            finally:
                self.waiting -= 1
