"""Whatever makes a call wait ends with the call."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from ..runtime.timer import Timer
from .invocation import Invocation, Stoppable


class Ends(Stoppable, Protocol):
    """Something that a call waits for, or that goes on for it."""

    def expire(self) -> None:
        """End it, where it has not ended: the call's time is over."""


def end_in_time(one: Ends, invocation: Invocation, timer: Timer) -> None:
    """Let *one* end at the deadline of *invocation*, and now where that was given up meanwhile."""
    with suppress(RuntimeError):  # the system has no thread left; the watchdog ends the call, a little later
        timer.call_at(invocation.ends, one.expire)
    if invocation.record.is_over:
        one.cancel()
