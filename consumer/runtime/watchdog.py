"""The end of calls that nobody else ends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from callahead.registry.forking import fork_safe_lock

from .deadline import GRACE_S, Clock
from .timer import Timer

_NEVER = float("inf")
PAUSE_S = 0.25
"""Seconds between two looks at the least, however short the timeouts are."""


class Timed(Protocol):
    """What must have ended at some time."""

    @property
    def ends(self) -> float:
        """Monotonic second by which it must have."""


class Expiring(Protocol):
    """The end to come of one call."""

    def expire(self) -> None:
        """End the call, which is past its deadline."""


class Watchdog:
    """Ends each call that is past its deadline, and by how much.

    It looks now and then at all calls that run, as long as there are any. So a call costs a comparison in place of an
    entry in the timer, and no thread need be started when one is to be ended: that runs since the first was begun.

    Args:
        clock: Monotonic seconds.
        timer: Calls it when it is to look.
        running: The calls that have begun and not ended.
        grace: Seconds that whoever should have ended a call has for it.
        pause: Seconds between two looks at the least.

    Attributes:
        next_end: The deadline, in monotonic seconds, after which it looks next; infinity where it does not.
    """

    def __init__(
        self,
        clock: Clock,
        timer: Timer,
        running: Mapping[Any, Expiring],
        *,
        grace: float = GRACE_S,
        pause: float = PAUSE_S,
    ) -> None:
        self._clock = clock
        self._timer = timer
        self._running: Mapping[Timed, Expiring] = running
        self._grace = grace
        self._pause = pause
        self._lock = fork_safe_lock()
        self.next_end = _NEVER

    def expect(self, ends: float) -> None:
        """Look once the deadline *ends* is past; asked for by whoever has begun a call with one before `next_end`."""
        with self._lock:
            if ends < self.next_end and self._plan(ends):
                self.next_end = ends

    def _plan(self, ends: float) -> bool:
        try:
            self._timer.call_at(ends + self._grace, partial(self._look, ends))
        except RuntimeError:  # the system has no thread left: the next call tries again
            return False
        return True

    def _look(self, planned: float) -> None:
        with self._lock:
            if planned != self.next_end:  # an earlier look was planned since, and others followed from that
                return
            # Before it looks: whoever begins a call after this line plans a look by himself.
            self.next_end = _NEVER
        late = self._clock() - self._grace
        for call, ending in list(self._running.items()):
            if call.ends <= late:
                ending.expire()
        left = min((call.ends for call in list(self._running)), default=_NEVER)
        if left < _NEVER:
            self.expect(max(left, late + self._pause))

    def after_fork(self) -> None:
        """Forget what the parent's timer was asked."""
        self.next_end = _NEVER
