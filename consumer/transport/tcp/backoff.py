"""How long to wait before a failed connection attempt is repeated."""

from __future__ import annotations

from random import Random

from ..trouble import Trouble

_FIRST_S = 0.1
LONGEST_S = 5.0
"""The longest wait, in seconds."""

_MOST_DOUBLINGS = 10


class Backoff:
    """Waits that double from 0.1 s to 5 s, each cut by up to its half, so that many consumers do not return at once."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._last = Trouble("")
        self._until = 0.0
        self.failures = 0

    def begin(self, trouble: Trouble, now: float) -> float:
        """Wait once more, because of *trouble*; returns the monotonic second at which that is over."""
        longest = min(LONGEST_S, _FIRST_S * 2 ** min(self.failures, _MOST_DOUBLINGS))
        self.failures += 1
        self._last = trouble
        self._until = now + longest * (0.5 + self._random.random() / 2)
        return self._until

    def end(self) -> None:
        """Begin with the shortest wait again."""
        self.failures = 0

    def refusal(self, now: float) -> Trouble | None:
        """Say why a call is refused that comes during the wait; None where the wait is over."""
        if now >= self._until:
            return None
        waits = f"the next attempt is made in {(self._until - now) * 1000:.0f} ms"
        return Trouble(f"{self._last.text}; {waits}", self._last.about)
