"""One attempt, and its outcome."""

from __future__ import annotations

from ..call.attempt import Attempt
from ..call.invocation import Done, Invocation, Outcome
from .api import ClusterParts
from .attempt import begin_attempt


class FailfastCluster:
    """Makes one attempt and hands its outcome up; ``retries`` is ignored. Source: Dubbo ``FailfastClusterInvoker``."""

    def __init__(self, parts: ClusterParts) -> None:
        self._parts = parts

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Choose a provider and ask it."""
        parts = self._parts
        attempt = begin_attempt(parts, invocation)
        if isinstance(attempt, Attempt):
            parts.attempt(attempt, _Only(attempt, done))
        else:
            done(Outcome(error=attempt))


class _Only:
    """The end of the one attempt; one object, where a closure would be several for the garbage collector."""

    __slots__ = ("_attempt", "_done")

    def __init__(self, attempt: Attempt, done: Done) -> None:
        self._attempt = attempt
        self._done = done

    def __call__(self, outcome: Outcome) -> None:
        self._attempt.decide(outcome)
        self._done(outcome)
