"""Waiting until calls have ended, when nothing further may begin."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable


class Drain:
    """Hears of each call that has ended, and of nothing before somebody expects it."""

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
        """Let `wait` see whether something else is due."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, left: set[Hashable], ends: float, is_due: Callable[[], bool] = lambda: False) -> bool:
        """Wait until *left* is empty or something else *is_due*, not past the monotonic second *ends*.

        Returns:
            What *is_due* says.
        """
        with self._changed:
            self._changed.wait_for(lambda: not left or is_due(), max(0.0, ends - time.monotonic()))
        return is_due()
