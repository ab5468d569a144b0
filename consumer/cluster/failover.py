"""Another attempt, at another provider, while it may help."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import CancelledError
from contextvars import Context

from ..call.attempt import Attempt
from ..call.invocation import Done, Invocation, Outcome
from ..call.provider import Provider
from ..errors import RemoteProtocolError, RpcError
from .api import ClusterParts
from .attempt import begin_attempt
from .failed import sum_up
from .next import counts_for_nothing, pause_before_next
from .pause import Pause, go_on
from .retry import is_listed


class FailoverCluster:
    """Repeats a failed attempt at a provider not yet tried, up to ``retries`` times, and what `counts_for_nothing`.

    Stops at an answer, at a failure that must not be repeated (see `may_repeat`), at the deadline, at a cancellation,
    and where the retry budget is spent. A single failure is handed up as it is, several as `AllAttemptsFailed`; but an
    exception of a client in this process, which ``retry_on`` lists, as it is in any case.
    Source: Dubbo ``FailoverClusterInvoker``; differs: acts on completion, so asynchronous calls are repeated too.
    """

    def __init__(self, parts: ClusterParts) -> None:
        self._parts = parts

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Make the first attempt; what repeats it is made only when that has failed, for most calls do not."""
        parts, record = self._parts, invocation.record
        if record.is_cancelled or record.ended is not None:  # an interceptor calls again though the user gave up
            done(Outcome(error=CancelledError()))
            return
        attempt = begin_attempt(parts, invocation)
        if not isinstance(attempt, Attempt):
            done(Outcome(error=attempt))
            return
        context = None if parts.callbacks is None else contextvars.copy_context()
        parts.attempt(attempt, _First(parts, attempt, done, context))


class _First:
    """The end of the first attempt; one object, where a closure would be six for the garbage collector."""

    __slots__ = ("_attempt", "_context", "_done", "_parts")

    def __init__(self, parts: ClusterParts, attempt: Attempt, done: Done, context: Context | None) -> None:
        self._parts = parts
        self._attempt = attempt
        self._done = done
        self._context = context

    def __call__(self, outcome: Outcome) -> None:
        if outcome.error is None:
            self._attempt.decide(outcome)
            self._done(outcome)
        else:
            _Failover(self._parts, self._attempt, self._done, self._context).go_on_after(outcome)


class _Loop:
    """Whether the loop that runs on *thread* is to make another attempt."""

    __slots__ = ("again", "thread")

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.again = True


class _Failover:
    """The attempts of one call after the first, one after the other."""

    __slots__ = ("_attempt", "_context", "_done", "_failures", "_invocation", "_loop", "_parts", "_tried", "_uncounted")

    def __init__(self, parts: ClusterParts, attempt: Attempt, done: Done, context: Context | None) -> None:
        self._parts = parts
        self._attempt = attempt
        self._invocation = attempt.invocation
        self._done = done
        self._loop = _Loop(0)
        self._tried: list[Provider] = []
        self._failures: list[BaseException] = []
        self._uncounted = 0  # of these, that count for nothing
        self._context = context

    def run(self) -> None:
        """Make attempts, until one does not end at once or was the last."""
        # An attempt may end before it returns; the loop keeps such ends from nesting ever deeper. It belongs to this
        # thread alone: an attempt that ends on another thread begins a loop of its own there.
        loop = self._loop = _Loop(threading.get_ident())
        while loop.again:
            loop.again = False
            self._try_again()
        loop.thread = 0

    def _try_again(self) -> None:
        parts, invocation = self._parts, self._invocation
        if invocation.record.is_over:  # given up while a repetition waited for its thread
            self._done(Outcome(error=CancelledError()))
            return
        attempt = begin_attempt(parts, invocation, self._tried)
        if isinstance(attempt, Attempt):
            self._attempt = attempt
            parts.attempt(attempt, self.go_on_after)
        else:
            self._end(attempt)

    def go_on_after(self, outcome: Outcome) -> None:
        """End the call by *outcome*, or make another attempt."""
        error = outcome.error
        if error is None or not (isinstance(error, RpcError) or is_listed(error, self._invocation.policy)):
            if error is None:
                self._pass_over_who_lacked_it()
            self._attempt.decide(outcome)
            self._done(outcome)
            return
        self._failures.append(error)
        if self._invocation.record.is_cancelled:
            self._done(Outcome(error=CancelledError()))
            return
        self._tried.append(self._attempt.provider)
        if counts_for_nothing(self._parts, self._invocation, error, self._attempt.provider):
            self._uncounted += 1
            self._go_on()
            return
        failures = len(self._failures) - self._uncounted
        pause = pause_before_next(self._parts, self._invocation, error, failures, self._tried)
        if pause is None:
            self._end(error)
        elif pause > 0:
            Pause(self._invocation.record, self._parts.timer, pause, self._go_on)
        else:
            self._go_on()

    def _pass_over_who_lacked_it(self) -> None:
        """Note who did not know what another one has answered now, so that not every call asks it in vain."""
        for provider, failure in zip(self._tried, self._failures, strict=False):
            if isinstance(failure, RemoteProtocolError) and failure.not_run:
                self._parts.health.lacks(provider)

    def _go_on(self) -> None:
        if self._loop.thread == threading.get_ident():
            self._loop.again = True
        else:
            go_on(self._parts, self._invocation.record, self._context, "retry", self.run)

    def _end(self, error: BaseException) -> None:
        self._attempt.decide(Outcome(error=error))
        if error not in self._failures:
            self._failures.append(error)
        self._done(Outcome(error=sum_up(self._parts, self._invocation, self._failures)))
