"""Waiting until calls have ended, when nothing further may begin."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable


class Drain:
    """Hears of each call that has ended, and lets others wait for that."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._expected: list[set[Hashable]] = []

    def expect(self, calls: Iterable[Hashable]) -> set[Hashable]:
        """Return the set of *calls*, which each of them leaves when it ends."""
        left = set(calls)
        with self._changed:
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
        with self._changed:
            self._changed.notify_all()

    def wait(self, is_over: Callable[[], bool], ends: float) -> bool:
        """Wait until *is_over*, which is asked again at each end and `look_again`; False once *ends* has passed.

        *ends* is a monotonic second.
        """
        with self._changed:
            return self._changed.wait_for(is_over, max(0.0, ends - time.monotonic()))
