"""Looking again and again for an answer that comes at once, in place of sleeping until it does."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence

from ...runtime.deadline import Clock

LONGEST_S = 100e-6
_FEWEST_SKIPPED = 1
_MOST_SKIPPED = 1024


class Spin:
    """Decides, from how it went before, whether to look for a while.

    A provider on this machine may answer in less time than it takes to put a thread to sleep and wake it, and a core
    that has slept is slow for a while. So a waiting thread looks for up to `LONGEST_S`. Where that was in vain it does
    not look the next time, then the next 2, and so on up to 1024, so that waiting for distant providers costs next to
    nothing; nor ever where there is one core only, which the provider may need. Not for two threads at once.

    Source: the adaptive mutexes of Solaris and glibc (``PTHREAD_MUTEX_ADAPTIVE_NP``).
    """

    __slots__ = ("_clock", "_is_off", "_next_skipped", "_skipped")

    def __init__(self, cores: int | None = None, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self._is_off = (_cores() if cores is None else cores) < 2
        self._skipped = 0
        self._next_skipped = _FEWEST_SKIPPED

    def look(self, poll: select.poll) -> Sequence[tuple[int, int]]:
        """Return what is ready of *poll*, as soon as anything is; nothing where it is better to sleep."""
        if self._is_off:
            return ()
        if self._skipped:
            self._skipped -= 1
            return ()
        clock = self._clock
        until = clock() + LONGEST_S
        while not (ready := poll.poll(0)):
            if clock() > until:
                self._skipped = self._next_skipped
                self._next_skipped = min(self._next_skipped * 2, _MOST_SKIPPED)
                return ()
        self._next_skipped = _FEWEST_SKIPPED
        return ready


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
