"""Attempts of one call that run at once."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from functools import partial

from ..call.attempt import Attempt
from ..call.invocation import Done, Invocation, Outcome
from ..call.provider import Provider
from .api import ClusterParts
from .tally import Tally

CANCELLED = "cancelled"
"""Counts attempts that were given up since the call had ended by another."""
LATE = "late"
"""Counts answers, or errors, of these that came all the same, and are nobody's."""


class Together:
    """The attempts of one call; what their ends mean for it is what a subclass says.

    One outcome is handed up, whoever brings it. The attempts that run at that moment are cancelled, and what becomes of
    them is counted and changes nothing. From any thread.

    Attributes:
        asked: Providers of the attempts so far.
        failures: What a subclass keeps of those that failed.
        is_over: The outcome is handed up.
    """

    __slots__ = ("_done", "_invocation", "_lock", "_parts", "_running", "_tally", "asked", "failures", "is_over")

    def __init__(self, parts: ClusterParts, invocation: Invocation, done: Done, tally: Tally) -> None:
        self._parts = parts
        self._invocation = invocation
        self._done = done
        self._tally = tally
        self._lock = threading.Lock()
        self._running: set[Attempt] = set()
        self.asked: list[Provider] = []
        self.failures: list[BaseException] = []
        self.is_over = False

    def took(self, attempt: Attempt, outcome: Outcome) -> None:
        """Say what *outcome* of *attempt*, which runs no more, means; not called once the call is over."""
        raise NotImplementedError

    def send(self, attempt: Attempt) -> None:
        """Let *attempt* run, unless the call is over."""
        with self._lock:
            if self.is_over:
                return
            self._running.add(attempt)
            self.asked.append(attempt.provider)
        self._parts.attempt(attempt, partial(self._ended, attempt))

    @property
    def is_idle(self) -> bool:
        """No attempt runs."""
        return not self._running

    def _ended(self, attempt: Attempt, outcome: Outcome) -> None:
        with self._lock:
            self._running.discard(attempt)
        if self.is_over:
            if not isinstance(outcome.error, CancelledError):
                self._tally.add(LATE)
        elif self._invocation.record.is_cancelled:
            self.end(Outcome(error=CancelledError()), attempt)
        else:
            self.took(attempt, outcome)

    def end(self, outcome: Outcome, decisive: Attempt | None = None) -> None:
        """End the call by *outcome*, of which the record tells what the *decisive* attempt has seen; once."""
        with self._lock:
            if self.is_over:
                return
            self.is_over = True
            losers, self._running = self._running, set()
        if decisive is not None:
            decisive.decide(outcome)
        if losers:
            self._tally.add(CANCELLED, len(losers))
            for loser in losers:
                loser.cancel()
        self._done(outcome)
