"""A point in monotonic time by which something must have ended."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns monotonic seconds; `time.monotonic` but for tests."""

GRACE_S = 1.0
"""How long past its deadline a call may take to say so, before whatever holds it is given up on."""


UNBOUNDED_S = 86_400.0 * 365
"""Stands for infinity, where whole milliseconds are wanted."""


def bound_of(timeout: float) -> float | None:
    """Return the seconds that a provider is told of *timeout*; None where it stands for infinity.

    What stands for it grows shorter on its way through a call, by the time that the way takes.
    """
    return timeout if timeout < UNBOUNDED_S / 2 else None


class Deadline:
    """A point in monotonic time; a *timeout*, by contrast, is a duration.

    Attributes:
        at: The point, in seconds of *clock*.
    """

    __slots__ = ("_clock", "at")

    def __init__(self, at: float, clock: Clock = time.monotonic) -> None:
        self.at = at
        self._clock = clock

    @classmethod
    def after_ms(cls, timeout_ms: float, clock: Clock = time.monotonic) -> Deadline:
        """Make the deadline that lies *timeout_ms* milliseconds ahead; the one place where durations become points."""
        return cls(clock() + timeout_ms / 1000, clock)

    def remaining(self) -> float:
        """Seconds left; negative once passed."""
        return self.at - self._clock()

    def __repr__(self) -> str:
        return f"<Deadline in {self.remaining() * 1000:.0f} ms>"
