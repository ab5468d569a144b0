"""How long a method's attempts take."""

from __future__ import annotations

from callahead.registry.forking import fork_safe_lock

LEAST = 20
"""Attempts that must be known before anything is said of them."""

_KEPT = 128
# The estimate is made anew after so many.
_EVERY = 8


class Latencies:
    """The seconds that the last 128 attempts of one method took; from any thread.

    Attributes:
        estimate: So long, at most, the share of *percentile* took; None while fewer than 20 are known.
    """

    __slots__ = ("_count", "_lock", "_percentile", "_seconds", "estimate")

    def __init__(self, percentile: int) -> None:
        self._percentile = percentile
        self._lock = fork_safe_lock()
        self._seconds: list[float] = []
        self._count = 0
        self.estimate: float | None = None

    def add(self, seconds: float) -> None:
        """Take an attempt in that has ended; of one that was given up the time until then, which is too little."""
        with self._lock:
            if len(self._seconds) < _KEPT:
                self._seconds.append(seconds)
            else:
                self._seconds[self._count % _KEPT] = seconds
            self._count += 1
            if self._count >= LEAST and self._count % _EVERY == 0:
                self.estimate = sorted(self._seconds)[len(self._seconds) * self._percentile // 100]
