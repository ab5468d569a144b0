"""The time between two attempts of a call: on the timer, never on a thread that sleeps."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from random import Random

from callahead.config.attempts import Backoff

from ..call.invocation import CallRecord
from ..runtime.timer import Timer
from .api import ClusterParts

Work = Callable[[], object]


def length_of(backoff: Backoff, failures: int, random: Random) -> float:
    """Return the seconds to wait after so many *failures* of one call, > 0.

    By chance between none and the base, which doubles with each failure. Source: gRPC's retries (A6), "full jitter".
    """
    longest = min(backoff.base_ms * 2.0 ** min(failures - 1, 40), backoff.max_ms)
    return random.random() * longest / 1000


class Pause:
    """Goes on by *work* after so many *seconds*, or at once where the call is given up meanwhile; exactly once.

    Whoever goes on has to look whether the call is over.
    """

    __slots__ = ("_record", "_work")

    def __init__(self, record: CallRecord, timer: Timer, seconds: float, work: Work) -> None:
        self._record = record
        self._work = [work]
        record.stop_also(self)
        try:
            timer.call_at(timer.now() + seconds, self.cancel)
        except RuntimeError:  # the system has no thread left for the timer, and nobody else would go on
            self.cancel()
            return
        if record.is_over:  # looked at once it is known to the record, which looks for it once that is noted
            self.cancel()

    def cancel(self) -> None:
        """Go on now, if nobody has before; from any thread."""
        try:
            work = self._work.pop()
        except IndexError:
            return
        self._record.stop_no_more(self)
        work()


def go_on(parts: ClusterParts, record: CallRecord, context: Context | None, what: str, work: Work) -> None:
    """Run *work*, which makes an attempt, where users' interceptors may run, in *context*; soon, or before returning.

    That is the thread that waits for the call, or a callback thread, and where no user's code stands around attempts
    this very thread. *what* it is, such as ``"retry"``, is for the log.
    """
    callbacks = parts.callbacks
    if callbacks is None or context is None or record.on_callers_thread():
        work()
    elif not record.hand_over(work):
        callbacks.work(context, f"{what} of {record.name}", work, brings=record)
