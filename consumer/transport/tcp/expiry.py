"""When to look for the calls of a connection whose time is over."""

from __future__ import annotations

from collections.abc import Collection

from .call import Call
from .io_thread import NEVER

_LOOK_S = 2e-6
"""Seconds that pass between two looks, for each call that runs.

A look costs about 0.1 us a call, so looking takes at most a twentieth of the time however many calls run, and a call
among a hundred times out at most 0.2 ms late, one among a hundred thousand 200 ms.
"""


class Expiry:
    """Tells when to look; nothing is kept per call, for nearly all of them end long before.

    Attributes:
        next: Monotonic second before which none of the calls times out.
    """

    __slots__ = ("_next_look", "next")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget what was expected: no call runs."""
        self.next = NEVER
        self._next_look = 0.0

    def expect(self, expires: float) -> float:
        """Note that one more call times out at *expires*, and return when to look."""
        self.next = min(self.next, expires)
        return self.due

    @property
    def due(self) -> float:
        """When to look next."""
        return max(self.next, self._next_look)

    def looked(self, now: float, running: Collection[Call]) -> None:
        """Note that *running* are left after a look at *now*."""
        self.next = min((call.expires for call in running), default=NEVER)
        self._next_look = now + len(running) * _LOOK_S
