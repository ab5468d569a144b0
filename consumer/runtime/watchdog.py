"""The end of calls that nobody else ends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from ..call.invocation import CallRecord
from .deadline import GRACE_S, Clock
from .forking import fork_safe_lock
from .timer import Timer

_NEVER = float("inf")
_PAUSE_S = 0.25
"""Seconds between two looks at the least, however short the timeouts are."""


class Expiring(Protocol):
    """The end to come of one call."""

    def expire(self) -> None:
        """End the call, which is long past its deadline."""


class Watchdog:
    """Ends each call that is long past its deadline, since whoever should have ended it did not.

    It looks now and then at all calls that run, as long as there are any. So a call costs a comparison in place of an
    entry in the timer, and no thread need be started when one is to be ended: that runs since the first was begun.

    Args:
        clock: Monotonic seconds.
        timer: Calls it when it is to look.
        running: The calls that have begun and not ended.

    Attributes:
        next_end: The deadline, in monotonic seconds, after which it looks next; infinity where it does not.
    """

    def __init__(self, clock: Clock, timer: Timer, running: Mapping[CallRecord, Expiring]) -> None:
        self._clock = clock
        self._timer = timer
        self._running = running
        self._lock = fork_safe_lock()
        self.next_end = _NEVER

    def expect(self, ends: float) -> None:
        """Look once the deadline *ends* is long past; asked for by whoever begins a call with one before `next_end`."""
        with self._lock:
            if ends < self.next_end and self._plan(ends):
                self.next_end = ends

    def _plan(self, ends: float) -> bool:
        try:
            self._timer.call_at(ends + GRACE_S, partial(self._look, ends))
        except RuntimeError:  # the system has no thread left: the next call tries again
            return False
        return True

    def _look(self, planned: float) -> None:
        with self._lock:
            if planned != self.next_end:  # an earlier look was planned since, and others followed from that
                return
            # Before it looks: whoever begins a call after this line plans a look by himself.
            self.next_end = _NEVER
        late = self._clock() - GRACE_S
        for record, ending in list(self._running.items()):
            if record.ends <= late:
                ending.expire()
        left = min((record.ends for record in list(self._running)), default=_NEVER)
        if left < _NEVER:
            self.expect(max(left, late + _PAUSE_S))

    def after_fork(self) -> None:
        """Forget what the parent's timer was asked."""
        self.next_end = _NEVER
