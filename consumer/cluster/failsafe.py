"""Failures that do not matter."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ..call.attempt import Attempt
from ..call.invocation import Done, Invocation, Outcome
from .api import ClusterParts
from .attempt import begin_attempt
from .failed import has_failed
from .tally import Tally

_LOG = logging.getLogger("callahead.consumer.cluster")

SWALLOWED = "swallowed"


class FailsafeCluster:
    """Makes one attempt; a failure is logged, counted, and answered by an answer that has nothing in it.

    That is an empty message where the answer is one of protobuf, the empty value of the answer's Java type (0, false,
    "", an empty list, set or map) where that is known, and None otherwise, for a client of this process always. An
    error of the method itself is handed up, as is a closed consumer. Source: Dubbo ``FailsafeClusterInvoker``.
    """

    refuses_streams = True

    def __init__(self, parts: ClusterParts) -> None:
        self._parts = parts
        self._tally = Tally()

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Choose a provider and ask it."""
        attempt = begin_attempt(self._parts, invocation)
        if isinstance(attempt, Attempt):
            self._parts.attempt(attempt, _Safe(self, invocation, attempt, done))
        else:
            done(self.swallow(invocation, attempt))

    def swallow(self, invocation: Invocation, error: BaseException) -> Outcome:
        """Log and count *error*, and return what stands in its place."""
        self._tally.add(SWALLOWED)
        _LOG.warning("%s failed and is answered by nothing: %s", invocation.record.name, error)
        return Outcome(self._parts.empty())

    def counts(self) -> Mapping[str, int]:
        """Count the failures that were ``swallowed``."""
        return self._tally.counts()


class _Safe:
    """The end of the attempt."""

    __slots__ = ("_attempt", "_cluster", "_done", "_invocation")

    def __init__(self, cluster: FailsafeCluster, invocation: Invocation, attempt: Attempt, done: Done) -> None:
        self._cluster = cluster
        self._invocation = invocation
        self._attempt = attempt
        self._done = done

    def __call__(self, outcome: Outcome) -> None:
        self._attempt.decide(outcome)
        error = outcome.error
        if error is not None and has_failed(outcome, self._invocation.policy):
            outcome = self._cluster.swallow(self._invocation, error)
        self._done(outcome)
