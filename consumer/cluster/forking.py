"""Several providers at once, for the first answer."""

from __future__ import annotations

from collections.abc import Mapping

from ..call.attempt import Attempt
from ..call.invocation import Done, Invocation, Outcome
from .api import ClusterParts
from .attempt import begin_attempt, candidates
from .failed import has_failed, sum_up
from .tally import Tally
from .together import Together


class ForkingCluster:
    """Asks ``forks`` providers at once, and takes the first answer; the other attempts are cancelled.

    It fails where all of them fail. An error of the method itself is an answer. Source: Dubbo
    ``ForkingClusterInvoker``; differs: the others are cancelled, and a method must be ``idempotent``.
    """

    asks_several = refuses_streams = True

    def __init__(self, parts: ClusterParts) -> None:
        self._parts = parts
        self._tally = Tally()

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Ask as many as there are, up to ``forks``."""
        _Forks(self._parts, invocation, done, self._tally).run(invocation.policy.forks)

    def counts(self) -> Mapping[str, int]:
        """Count the attempts that were ``cancelled``, and the answers of these that came ``late``."""
        return self._tally.counts()


class _Forks(Together):
    """The attempts of one call."""

    __slots__ = ("_left",)

    def run(self, forks: int) -> None:
        known = len(candidates(self._parts, self._invocation))
        self._left = min(forks or known, known) or 1
        for _ in range(self._left):
            if self.is_over:
                break
            self._begin()

    def _begin(self) -> None:
        attempt = begin_attempt(self._parts, self._invocation, self.asked, alone=False)
        if isinstance(attempt, Attempt):
            self.send(attempt)
        else:
            self._fail(attempt)

    def took(self, attempt: Attempt, outcome: Outcome) -> None:
        error = outcome.error
        if error is not None and has_failed(outcome, self._invocation.policy):
            self._fail(error, attempt)
        else:
            self.end(outcome, attempt)

    def _fail(self, error: BaseException, attempt: Attempt | None = None) -> None:
        with self._lock:
            self.failures.append(error)
            is_last = len(self.failures) == self._left
        if is_last:
            self.end(Outcome(error=sum_up(self._parts, self._invocation, self.failures)), attempt)
