"""One outcome of several."""

from __future__ import annotations

from callahead.registry.forking import fork_safe_lock

from ..call.invocation import Done, Outcome
from ..errors import ConsumerClosed


def all_of(count: int, done: Done) -> Done:
    """Make what takes *count* outcomes and then reports the first error among them by *done*, or None.

    Of none at all, which only a closed consumer has, it reports that at once.
    """
    if not count:
        done(Outcome(error=ConsumerClosed("the consumer is closed", not_sent=True)))
    return _Gathered(count, done).take


class _Gathered:
    def __init__(self, count: int, done: Done) -> None:
        self._left = count
        self._done = done
        self._lock = fork_safe_lock()
        self._outcome = Outcome(None)

    def take(self, outcome: Outcome) -> None:
        """Note *outcome*, and report where it is the last."""
        with self._lock:
            self._left -= 1
            if outcome.error is not None and self._outcome.error is None:
                self._outcome = outcome
            is_last = not self._left
        if is_last:
            self._done(self._outcome)
