"""One attempt, and its outcome."""

from __future__ import annotations

from ..invocation import Done, Invocation, Outcome
from .api import ClusterParts
from .attempt import begin_attempt


class FailfastCluster:
    """Makes one attempt and hands its outcome up; ``retries`` is ignored. Source: Dubbo ``FailfastClusterInvoker``."""

    def __init__(self, parts: ClusterParts) -> None:
        self._parts = parts

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Choose a provider and ask it."""
        parts = self._parts
        error = begin_attempt(parts, invocation, parts.directory.candidates(()))
        if error is None:
            parts.attempt(invocation, done)
        else:
            done(Outcome(error=error))
