"""A further attempt beside one that takes long."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from contextvars import Context
from functools import partial

from callahead.config.attempts import Hedge

from ..call.attempt import Attempt
from ..call.invocation import Done, Invocation, Outcome
from ..errors import RpcError
from .api import ClusterParts
from .attempt import begin_attempt, candidates
from .failed import sum_up
from .latency import Latencies
from .next import counts_for_nothing, pause_before_next
from .pause import Pause, go_on
from .retry import is_listed, may_repeat
from .tally import Tally
from .together import Together

HEDGES, WON, REFUSED = "hedges", "hedges_won", "hedges_refused"
# No hedge comes sooner: a timer is not more exact than that.
_LEAST_S = 0.001


class HedgedCluster:
    """`FailoverCluster` that asks another provider, too, where the first takes long; the first answer counts.

    The other attempt comes after ``hedge.after``, or after as long as that share of the method's attempts took, and
    ``hedge.max`` times at most. It is taken from the retry budget, counts as an attempt of the call, and asks a
    provider that was not asked before; where there is none it does not come. Those that lose are cancelled. A failure
    is not repeated while another attempt runs. Stands in for `FailoverCluster` where a method that is ``idempotent``
    sets ``hedge``. Source: gRPC's hedging policy (A6) and "The Tail at Scale"; Dubbo has none.
    """

    def __init__(self, parts: ClusterParts, hedge: Hedge) -> None:
        self.parts = parts
        self.hedge = hedge
        self.tally = Tally()
        after = hedge.after_ms
        self.latencies = Latencies(int(after[1:])) if isinstance(after, str) else None
        self._after = None if isinstance(after, str) else after / 1000

    def after(self) -> float | None:
        """Return the seconds after which another attempt begins, None while that is not known."""
        latencies = self.latencies
        if latencies is None:
            return self._after
        return None if latencies.estimate is None else max(latencies.estimate, _LEAST_S)

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Make the first attempt."""
        if invocation.record.is_over:  # an interceptor calls again though the user gave up
            done(Outcome(error=CancelledError()))
            return
        context = None if self.parts.callbacks is None else contextvars.copy_context()
        _Hedged(self, invocation, done, context).run()

    def counts(self) -> Mapping[str, int]:
        """Count the further attempts (``hedges``), those of them that won, and those that the budget refused.

        Likewise the attempts that were ``cancelled``, and the answers of these that came ``late``.
        """
        return self.tally.counts()


class _Hedged(Together):
    """The attempts of one call."""

    __slots__ = ("_began", "_cluster", "_context", "_hedging", "_uncounted")

    def __init__(self, cluster: HedgedCluster, invocation: Invocation, done: Done, context: Context | None) -> None:
        super().__init__(cluster.parts, invocation, done, cluster.tally)
        self._cluster = cluster
        self._context = context
        self._hedging: set[Attempt] = set()
        self._began: dict[Attempt, float] = {}
        self._uncounted = 0  # failures that count for nothing

    def run(self) -> None:
        """Begin an attempt that nothing runs beside, and look at it again after a while."""
        if self._invocation.record.is_over:  # given up in the pause before it
            self.end(Outcome(error=CancelledError()))
            return
        attempt = begin_attempt(self._parts, self._invocation, self.asked, alone=False)
        if isinstance(attempt, Attempt):
            self._look_later()
            self._begin(attempt)
        else:
            self._fail(attempt)

    def _begin(self, attempt: Attempt) -> None:
        if self._cluster.latencies is not None:
            self._began[attempt] = self._parts.clock()
        self.send(attempt)

    def _look_later(self) -> None:
        after = self._cluster.after()
        if after is None or self._has_all_hedges or after >= self._invocation.deadline.remaining():
            return
        what = partial(go_on, self._parts, self._invocation.record, self._context, "hedge", self._hedge)
        with suppress(RuntimeError):  # the system has no thread left for the timer: then none comes
            self._parts.timer.call_at(self._parts.timer.now() + after, what)

    @property
    def _has_all_hedges(self) -> bool:
        return len(self._hedging) >= self._cluster.hedge.most

    def _hedge(self) -> None:
        """Begin another attempt, where one still runs and another provider is known."""
        if self.is_over or self.is_idle or self._invocation.record.is_over or self._has_all_hedges:
            return
        untried = candidates(self._parts, self._invocation, self.asked)
        others = tuple(one for one in untried if one not in self.asked)
        if not others:
            return
        if not self._parts.budget.withdraw():
            self._tally.add(REFUSED)
            return
        attempt = begin_attempt(self._parts, self._invocation, among=others, alone=False)
        if isinstance(attempt, Attempt):
            self._tally.add(HEDGES)
            self._hedging.add(attempt)
            self._look_later()
            self._begin(attempt)

    def took(self, attempt: Attempt, outcome: Outcome) -> None:
        """End the call by an answer; wait for the others after a failure, or try again where there are none."""
        error, policy = outcome.error, self._invocation.policy
        if error is None or not (isinstance(error, RpcError) or is_listed(error, policy)):
            self._note(attempt)
            self.end(outcome, attempt)
        elif not may_repeat(error, policy):
            self._fail(error, attempt)
        else:
            is_free = counts_for_nothing(self._parts, self._invocation, error, attempt.provider)
            with self._lock:
                self.failures.append(error)
                self._uncounted += is_free
                is_last = len(self.failures) == len(self.asked)
            if is_last:
                self._try_again(error, attempt, is_free=is_free)

    def _note(self, winner: Attempt) -> None:
        """Keep how long the attempts took, those that have lost, too."""
        if winner in self._hedging:
            self._tally.add(WON)
        latencies = self._cluster.latencies
        if latencies is not None:
            with self._lock:
                began = [self._began[attempt] for attempt in (winner, *self._running)]
            now = self._parts.clock()
            for since in began:
                latencies.add(now - since)

    def _try_again(self, error: BaseException, attempt: Attempt, *, is_free: bool) -> None:
        pause: float | None = 0.0
        if not is_free:
            failures = len(self.failures) - self._uncounted
            pause = pause_before_next(self._parts, self._invocation, error, failures, self.asked)
        if pause is None:
            self._hand_up(attempt)
            return
        # Even without a pause on the timer: attempts that fail at once would nest ever deeper.
        again = partial(go_on, self._parts, self._invocation.record, self._context, "retry", self.run)
        Pause(self._invocation.record, self._parts.timer, pause, again)

    def _fail(self, error: BaseException, attempt: Attempt | None = None) -> None:
        with self._lock:
            self.failures.append(error)
        self._hand_up(attempt)

    def _hand_up(self, attempt: Attempt | None) -> None:
        self.end(Outcome(error=sum_up(self._parts, self._invocation, self.failures)), attempt)
