"""Bringing a connection about again that was lost, before a call asks for it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from ...call.provider import Provider
from ...runtime.deadline import Clock
from ..trouble import Trouble
from .backoff import LONGEST_S, Backoff
from .io_thread import NEVER, IoThread

_NO_TROUBLE: Final = Trouble("")


class Redial:
    """Lets a connection dial again in the background while a provider uses it; lives on the I/O thread.

    It begins with a loss or a failure, so a connection that no call has used is never dialled. The waits are those of
    `Backoff`, and they go on to grow where the peer takes connections only to drop them: one has to last for as long as
    the longest wait before the next loss counts as the first.

    Args:
        providers: Those that share the connection; once there are none, since all have left, nothing is dialled.
        dial: Dials where there is neither a connection nor a dial.
        thread: Wakes this when a wait is over.
        clock: Measures the waits.
        random: Spreads them.
    """

    def __init__(
        self, providers: set[Provider], dial: Callable[[], None], thread: IoThread, clock: Clock, random: Random
    ) -> None:
        self._providers = providers
        self._dial = dial
        self._thread = thread
        self._clock = clock
        self._backoff = Backoff(random)
        self._opened_at = NEVER
        self._due = NEVER

    def begin(self, earliest: float = 0.0) -> None:
        """Dial after a wait, not before the monotonic second *earliest*: there is no connection any more, or yet."""
        now = self._clock()
        if now - self._opened_at >= LONGEST_S:
            self._backoff.end()
        self._opened_at = NEVER
        self._due = max(earliest, self._backoff.begin(_NO_TROUBLE, now))
        self._thread.tick_at(self, self._due)

    def opened(self) -> None:
        """Note that the connection is there, and let calls have its providers again."""
        self._opened_at = self._clock()
        self.stop()
        for provider in list(self._providers):
            provider.reached()

    def stop(self) -> None:
        """Dial no more."""
        self._due = NEVER
        self._thread.tick_never(self)

    def tick(self, now: float) -> float:
        """Dial where the wait is over; see `Timed.tick`."""
        if now >= self._due:
            self._due = NEVER
            if self._providers:
                self._dial()
        return self._due  # a dial that failed at once has begun the next wait
