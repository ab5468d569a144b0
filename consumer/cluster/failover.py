"""Another attempt, at another provider, while it may help."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import CancelledError
from contextvars import Context

from ..call.attempt import Attempt
from ..call.invocation import Done, Invocation, Outcome
from ..call.provider import Provider
from ..errors import AllAttemptsFailed, CallTimeout, NoProviderAvailable, RemoteError, RpcError
from .api import ClusterParts
from .attempt import begin_attempt
from .retry import is_listed, may_repeat


class FailoverCluster:
    """Repeats a failed attempt at a provider not yet tried, up to ``retries`` times.

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

    __slots__ = ("_attempt", "_context", "_done", "_failures", "_invocation", "_loop", "_parts", "_tried")

    def __init__(self, parts: ClusterParts, attempt: Attempt, done: Done, context: Context | None) -> None:
        self._parts = parts
        self._attempt = attempt
        self._invocation = attempt.invocation
        self._done = done
        self._loop = _Loop(0)
        self._tried: list[Provider] = []
        self._failures: list[BaseException] = []
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
            self._attempt.decide(outcome)
            self._done(outcome)
            return
        self._failures.append(error)
        if self._invocation.record.is_cancelled:
            self._done(Outcome(error=CancelledError()))
        elif self._may_go_on(error):
            self._tried.append(self._attempt.provider)
            self._go_on()
        else:
            self._end(error)

    def _may_go_on(self, error: BaseException) -> bool:
        policy = self._invocation.policy
        if len(self._failures) > policy.retries or not may_repeat(error, policy):
            return False
        if self._invocation.deadline.remaining() <= 0:
            return False
        if isinstance(error, NoProviderAvailable) and not self._knows_another():
            return False
        if self._parts.budget.withdraw():
            return True
        error.add_note("not tried again: the retry budget (20 % of calls, 10 a second) is spent")
        return False

    def _knows_another(self) -> bool:
        tried = (*self._tried, self._attempt.provider)
        return any(provider not in tried for provider in self._parts.directory.providers)

    def _go_on(self) -> None:
        callbacks, record = self._parts.callbacks, self._invocation.record
        if callbacks is not None and self._context is not None and not record.on_callers_thread():
            if not record.hand_over(self.run):
                callbacks.work(self._context, f"retry of {record.name}", self.run, brings=record)
        elif self._loop.thread == threading.get_ident():
            self._loop.again = True
        else:
            self.run()

    def _end(self, error: BaseException) -> None:
        self._attempt.decide(Outcome(error=error))
        failures = self._failures
        if error not in failures:
            failures.append(error)
        if len(failures) > 1 and isinstance(error, RpcError):
            error = self._all_failed(failures, error)
        elif len(failures) > 1:
            error.add_note(f"{self._invocation.record.name} was tried {len(failures)} times")
        self._done(Outcome(error=error))

    def _all_failed(self, causes: list[BaseException], last: RpcError) -> AllAttemptsFailed:
        invocation = self._invocation
        failures = [cause if isinstance(cause, RpcError) else _told_of(cause) for cause in causes]
        asked = dict.fromkeys(str(failure.endpoint) for failure in failures if failure.endpoint)
        known = len(self._parts.directory.providers)
        why = " by the deadline" if isinstance(last, CallTimeout) and invocation.deadline.remaining() <= 0 else ""
        error = AllAttemptsFailed(
            f"all {len(failures)} attempts failed{why}, at {len(asked)} of {known} providers"
            f" ({', '.join(asked)}); the last: {last.message}",
            failures=failures,
            is_remote=last.is_remote,
            not_sent=all(failure.not_sent for failure in failures),
            in_doubt=any(failure.in_doubt for failure in failures),
            status=last.status,
        )
        error.reference, error.method, error.endpoint = invocation.policy.reference, invocation.method, last.endpoint
        error.attempt = len(failures)
        error.elapsed_ms = (self._parts.clock() - invocation.record.started) * 1000
        error.__cause__ = last
        return error


def _told_of(error: BaseException) -> RemoteError:
    """Make an error of ours that stands for the exception of a client in this process, among others of ours."""
    kind = type(error)
    told = RemoteError(f"{kind.__name__}: {error}", type_name=f"{kind.__module__}:{kind.__qualname__}")
    told.__cause__ = error
    return told
