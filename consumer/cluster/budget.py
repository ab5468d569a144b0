"""A bound on retries over all calls, so that a failing provider is not stormed."""

from __future__ import annotations

from collections.abc import Callable

from callahead.registry.forking import fork_safe_lock

from ..runtime.deadline import Clock

PER_CALL = 0.2
PER_SECOND = 10.0
_BURST_SECONDS = 10.0


class RetryBudget:
    """Allows one retry for every five calls, and ten a second besides.

    Why a budget and not only ``retries``: when every provider fails, ``retries: 2`` triples the load at the worst
    moment. Unused allowance is kept for ten seconds' worth. Source: Finagle's ``RetryBudget``.

    Args:
        calls: Returns how many calls were begun so far; asked only when a retry is wanted.
        clock: Monotonic seconds.
    """

    def __init__(self, calls: Callable[[], int], clock: Clock) -> None:
        self._calls = calls
        self._clock = clock
        self._lock = fork_safe_lock()
        self._balance = PER_SECOND * _BURST_SECONDS
        self._seen_calls = 0
        self._seen_at = clock()

    def withdraw(self) -> bool:
        """Take the allowance for one retry; False where there is none left."""
        with self._lock:
            now, calls = self._clock(), self._calls()
            elapsed = now - self._seen_at
            by_calls = (calls - self._seen_calls) * PER_CALL
            recent = by_calls if elapsed <= _BURST_SECONDS else by_calls * _BURST_SECONDS / elapsed
            # The balance is never cut: what was earned by a burst of calls may be spent one by one.
            most = max(PER_SECOND * _BURST_SECONDS, recent, self._balance)
            self._balance = min(self._balance + by_calls + elapsed * PER_SECOND, most)
            self._seen_calls, self._seen_at = calls, now
            if self._balance < 1:
                return False
            self._balance -= 1
            return True
