"""Failures that are made good later."""

from __future__ import annotations

import contextvars
import copy
import logging
from collections.abc import Mapping
from contextvars import Context

from callahead.registry.forking import fork_safe_lock

from ..call.attempt import Attempt
from ..call.invocation import CallRecord, Done, Invocation, Outcome
from ..limit.stage import size_of
from .api import ClusterParts
from .attempt import begin_attempt
from .failed import has_failed
from .pause import Pause, go_on
from .retry import may_repeat
from .tally import Tally

_LOG = logging.getLogger("callahead.consumer.cluster")

QUEUED, REPEATED, DELIVERED, GIVEN_UP = "queued", "repeated", "delivered", "given_up"
# The pauses between the repetitions of one call double, up to so many times the first.
_LONGEST = 12


class FailbackCluster:
    """Makes one attempt; after a failure the call is answered by nothing, and repeated in the background.

    Up to ``retries`` times, after ``failback_period`` and then ever longer pauses, at any provider, each time with the
    time of one attempt. What may not be repeated, or finds no room among ``failback_tasks`` and ``max_delayed_bytes``,
    is given up at once. Whatever is given up is logged as a warning and counted. `Consumer.close` waits for what is
    queued, and has each tried once more at once.

    The answer is that of `FailsafeCluster`. Source: Dubbo ``FailbackClusterInvoker``; differs: its pauses are equal, a
    failure of an asynchronous call is not repeated, and a timeout of what must not run twice is.
    """

    refuses_streams = True

    def __init__(self, parts: ClusterParts) -> None:
        self.parts = parts
        self.tally = Tally()
        self._lock = fork_safe_lock()
        self._tasks: dict[_Task, int] = {}
        self._bytes = 0
        self.is_closing = False

    def __call__(self, invocation: Invocation, done: Done) -> None:
        """Choose a provider and ask it."""
        attempt = begin_attempt(self.parts, invocation)
        if not isinstance(attempt, Attempt):
            done(self._later(invocation, attempt, None))
            return
        context = None if self.parts.callbacks is None else contextvars.copy_context()

        def ended(outcome: Outcome) -> None:
            attempt.decide(outcome)
            error = outcome.error
            if error is not None and has_failed(outcome, invocation.policy):
                outcome = self._later(invocation, error, context)
            done(outcome)

        self.parts.attempt(attempt, ended)

    def _later(self, invocation: Invocation, error: BaseException, context: Context | None) -> Outcome:
        """Keep what is asked, unless it cannot be repeated, and return the answer of the call."""
        task = _Task(self, invocation, context)
        # Nobody was asked where nobody is known: that may be repeated, though not now at another provider.
        is_repeatable = invocation.record.attempts == 0 or may_repeat(error, invocation.policy)
        if invocation.policy.retries and is_repeatable and self._keep(task):
            task.wait(error)
        else:
            self.give_up(task, error)
        return Outcome(self.parts.empty())

    def _keep(self, task: _Task) -> bool:
        policy, size = task.policy, size_of(task.invocation.request)
        with self._lock:
            is_room = len(self._tasks) < policy.failback_tasks and self._bytes + size <= policy.max_delayed_bytes
            if not is_room or self.is_closing:
                return False
            self._tasks[task] = size
            self._bytes += size
        self.tally.add(QUEUED)
        self.parts.afterwards.follow(task)
        return True

    def drop(self, task: _Task) -> bool:
        """Keep *task* no more; False where it was not kept."""
        with self._lock:
            size = self._tasks.pop(task, None)
            self._bytes -= size or 0
        if size is None:
            return False
        self.tally.add(QUEUED, -1)
        self.parts.afterwards.followed(task)
        return True

    def give_up(self, task: _Task, error: BaseException) -> None:
        """Log and count a call that is not repeated any more."""
        self.tally.add(GIVEN_UP)
        text = "%s failed and is given up after %d repetitions: %s"
        _LOG.warning(text, task.invocation.record.name, task.repetitions, error)

    def hurry(self) -> None:
        """Repeat at once whatever waits, for the last time."""
        self.is_closing = True
        for task in list(self._tasks):
            task.hurry()

    def close(self) -> None:
        """Give up what is left."""
        self.is_closing = True
        for task in list(self._tasks):
            task.tell(None)

    def counts(self) -> Mapping[str, int]:
        """Count the calls that are ``queued``, and of all that ever were what was ``repeated``, and their ends.

        That is ``delivered`` by an answer, or ``given_up``, which an error of the method itself is, too.
        """
        return self.tally.counts()


class _Task:
    """One call that goes on after its end."""

    def __init__(self, cluster: FailbackCluster, invocation: Invocation, context: Context | None) -> None:
        self.invocation = copy.copy(invocation)  # that of the call is emptied at its end
        self.invocation.blocking = False
        self.policy = invocation.policy
        self.repetitions = 0
        self._cluster = cluster
        self._context = context
        self._pause: Pause | None = None
        self._error: BaseException | None = None

    def wait(self, error: BaseException) -> None:
        """Repeat it after a while; *error* is why."""
        self._error = error
        parts, policy = self._cluster.parts, self.policy
        seconds = policy.failback_period_ms / 1000 * min(2**self.repetitions, _LONGEST)
        record = self.invocation.record = CallRecord(policy, self.invocation.method, parts.clock())
        # By chance up to half as long again, so that those that failed together do not come back together.
        self._pause = Pause(record, parts.timer, seconds * (1 + parts.random.random() / 2), self._go_on)
        if self._cluster.is_closing:
            self.hurry()

    def hurry(self) -> None:
        """Wait no longer."""
        if self._pause is not None:
            self._pause.cancel()

    def _go_on(self) -> None:
        self._pause = None
        go_on(self._cluster.parts, self.invocation.record, self._context, "failback", self._repeat)

    def _repeat(self) -> None:
        if self.invocation.record.is_over:  # given up, or forgotten, while it waited
            return
        parts, invocation = self._cluster.parts, self.invocation
        invocation.record.started = parts.clock()
        invocation.ends = parts.clock() + self.policy.timeout_ms / 1000
        self.repetitions += 1
        self._cluster.tally.add(REPEATED)
        attempt = begin_attempt(parts, invocation, alone=False)
        if isinstance(attempt, Attempt):
            parts.attempt(attempt, self._ended)
        else:
            self._ended(Outcome(error=attempt))

    def _ended(self, outcome: Outcome) -> None:
        self.invocation.record.end(self._cluster.parts.clock())
        error = outcome.error
        if error is None or not has_failed(outcome, self.policy):
            self._deliver(error)
        elif self._may_go_on(error):
            self.wait(error)
        elif self._cluster.drop(self):
            self._cluster.give_up(self, error)

    def _deliver(self, error: BaseException | None) -> None:
        """Note the end; what the method itself, a cancellation or a closed consumer says is one, too."""
        if not self._cluster.drop(self):
            return
        if error is None:
            self._cluster.tally.add(DELIVERED)
        else:
            self._cluster.give_up(self, error)

    def _may_go_on(self, error: BaseException) -> bool:
        if self.repetitions >= self.policy.retries or self._cluster.is_closing:
            return False
        return self.invocation.record.attempts == 0 or may_repeat(error, self.policy)

    def tell(self, outcome: Outcome | None) -> None:
        """Give it up, by the error of *outcome* or by its own; see `Following`."""
        error = self._error if outcome is None else outcome.error
        self.invocation.record.is_cancelled = True
        if self._cluster.drop(self):
            self._cluster.give_up(self, error or RuntimeError("it did not end in time"))
        self.invocation.record.cancel()

    def forget(self) -> None:
        """Drop it without a word; see `Following`."""
        self.invocation.record.is_cancelled = True
        self._cluster.drop(self)
