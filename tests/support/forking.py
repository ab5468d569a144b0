"""A cluster that asks two providers at once, for what must hold of attempts that run beside each other."""

from __future__ import annotations

import threading

from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import Done, Invocation, Outcome
from callahead.consumer.cluster.api import ClusterParts
from callahead.consumer.cluster.attempt import begin_attempt


class TwoAtOnce:
    """The first answer wins, and the other attempt is cancelled; where both fail, the last error is handed up."""

    def __init__(self, parts: ClusterParts) -> None:
        self._parts = parts

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Ask the first two providers."""
        race = _Race(done)
        attempts: list[Attempt] = []
        for _ in range(2):
            attempt = begin_attempt(self._parts, invocation, [one.provider for one in attempts], alone=False)
            assert isinstance(attempt, Attempt)
            attempts.append(attempt)
        race.attempts = attempts
        for attempt in attempts:
            self._parts.attempt(attempt, race.end_of(attempt))


class _Race:
    def __init__(self, done: Done) -> None:
        self.attempts: list[Attempt] = []
        self._done: Done | None = done
        self._lock = threading.Lock()
        self._ended = 0

    def end_of(self, attempt: Attempt) -> Done:
        return lambda outcome: self._end(attempt, outcome)

    def _end(self, attempt: Attempt, outcome: Outcome) -> None:
        with self._lock:
            self._ended += 1
            if self._done is None or (outcome.error is not None and self._ended < len(self.attempts)):
                return
            done, self._done = self._done, None
        attempt.decide()
        for other in self.attempts:
            if other is not attempt:
                other.cancel()
        done(outcome)
