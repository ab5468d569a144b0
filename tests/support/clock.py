"""A clock that a test moves."""

from __future__ import annotations


class FakeClock:
    """Monotonic seconds that pass only when told to; give it to ``Consumer(..., clock=FakeClock())``."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += seconds
