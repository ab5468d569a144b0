"""Every provider, whatever the others say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..call.attempt import Attempt
from ..call.invocation import Done, Invocation, Outcome
from ..call.provider import Provider
from .api import ClusterParts
from .attempt import everyone, nobody
from .failed import sum_up
from .tally import Tally
from .together import Together


class BroadcastCluster:
    """Asks every provider that takes calls, all at once, and gives the answer that comes last.

    Any failure, an error of the method too, is the call's, which then says how many have failed, and which. Where the
    share of ``broadcast_fail_percent`` has failed the call ends at once, and what still runs is given up. No load
    balancer chooses here, and a provider that is passed over elsewhere is asked like the others. Source: Dubbo
    ``BroadcastClusterInvoker``; differs: that asks one after the other, which takes as long as all together.
    """

    refuses_streams = True

    def __init__(self, parts: ClusterParts) -> None:
        self._parts = parts
        self._tally = Tally()

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Ask all there are at the moment."""
        providers = everyone(self._parts, invocation)
        if providers:
            _Broadcast(self._parts, invocation, done, self._tally).run(providers)
        else:
            done(Outcome(error=nobody(self._parts, invocation)))

    def counts(self) -> Mapping[str, int]:
        """Count the attempts that were ``cancelled``, and the answers of these that came ``late``."""
        return self._tally.counts()


class _Broadcast(Together):
    """The attempts of one call."""

    __slots__ = ("_ended_count", "_most", "_total")

    def run(self, providers: Sequence[Provider]) -> None:
        self._total = len(providers)
        self._ended_count = 0
        self._most = max(1, self._total * self._invocation.policy.broadcast_fail_percent // 100)
        for attempt in [Attempt(self._invocation, provider, waits=False) for provider in providers]:
            self.send(attempt)

    def took(self, attempt: Attempt, outcome: Outcome) -> None:
        with self._lock:
            self._ended_count += 1
            if outcome.error is not None:
                self.failures.append(outcome.error)
            is_last = self._ended_count == self._total or len(self.failures) == self._most
        if is_last:
            self.end(self._sum_up() if self.failures else outcome, attempt)

    def _sum_up(self) -> Outcome:
        """Say how many have failed; what one of them has not got the others may have run."""
        head = f"{len(self.failures)} of {self._total} providers failed" if self._total > 1 else ""
        return Outcome(error=sum_up(self._parts, self._invocation, self.failures, head))
