"""How a call ends: exactly once, whoever ends it, as its mode wants it told."""

from __future__ import annotations

import contextvars
import copy
import logging
import queue
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from contextvars import Context
from typing import ClassVar, Protocol

from callahead.registry.forking import fork_safe_lock, go_on_in_child

from ..call.collected import Collector
from ..call.current import enter_callback, keep_last_call
from ..call.future import InvocationFuture
from ..call.invocation import DECIDING, NO_ATTACHMENTS, NO_KWARGS, CallRecord, Invocation, Outcome, blame
from ..call.sending import end_sending
from ..errors import CallTimeout, ConsumerClosed
from ..interceptor.metrics import CallMetrics, log_failure
from ..limit import Gates
from ..runtime.callbacks import CallbackExecutor
from ..runtime.deadline import GRACE_S, Clock
from ..runtime.drain import Drain
from ..runtime.timer import Timer
from ..runtime.watchdog import Watchdog
from .given_up import closed_error

_LOG = logging.getLogger("callahead.consumer.call")

_Work = Callable[[], object]
_MAKING = fork_safe_lock()

OnDrop = Callable[[Invocation, BaseException], object]
"""Hears of the failure of a call whose ``return`` is false; runs on a callback thread."""


class Heard(Protocol):
    """A call of whose end somebody is to hear, whatever becomes of it, or that goes on after its end."""

    def tell(self, outcome: Outcome, /) -> None:
        """Let him hear of *outcome*, unless he has heard of another."""

    def forget(self) -> None:
        """Tell nobody any more."""


class Batched(Protocol):
    """Requests that wait for each other."""

    def leave(self) -> None:
        """Let all that wait leave now."""


class Runtime:
    """What all the callers of one consumer share.

    Attributes:
        clock: Monotonic seconds.
        callbacks: Runs users' callbacks.
        timer: Calls functions later.
        running: How to end, from outside, each call that has begun and not ended.
        watchdog: Ends those that nobody else would.
        on_drop: Hears of dropped failures, or None.
        draining: Hears of the calls that end while somebody waits for that.
        batches: Requests that wait for each other, to leave together.
        heard: The calls of whose end a handler or a listener has still to hear, or that a cluster still repeats.
        owner: The consumer, which hears of forks and of the exit, and must live as long as its calls and references.
        gates: Limits of all calls of the consumer.
        closed: No further call may begin, but for those that callbacks make while `drain` waits.
        is_told_in_one: Whoever ends calls has said in one line which, so that none of them is logged by itself.
        everywhere: Collects what no scope does, of whichever consumer and thread; None where nobody wants to know.
    """

    everywhere: ClassVar[Collector | None] = None

    def __init__(self, clock: Clock, callbacks: CallbackExecutor, on_drop: OnDrop | None) -> None:
        self.clock = clock
        self.callbacks = callbacks
        self.timer = Timer(clock)
        self.running: dict[CallRecord, Ending] = {}
        self.watchdog = Watchdog(clock, self.timer, self.running)
        self.on_drop = on_drop
        self.gates: Gates = ()
        self.closed = False
        self.batches: weakref.WeakSet[Batched] = weakref.WeakSet()
        self.heard: set[Heard] = set()
        self.owner: object = None
        self.is_told_in_one = False
        self._is_drained = False
        self._inherited: list[Ending] = []
        self._begin_draining()
        go_on_in_child(self._go_on_after_fork)

    def _begin_draining(self) -> None:
        self.draining = Drain()
        self.callbacks.tell_idle = self.draining.look_again
        self.callbacks.elsewhere.timer = self.timer

    def refuses(self) -> bool:
        """Tell whether no call may begin here, once the consumer is closed: a callback is to finish what it is at."""
        return self._is_drained or not self.callbacks.is_current()

    def leave_batches(self) -> None:
        """Let leave what waits in batches, for nobody will wait until its time has come."""
        for batch in list(self.batches):
            batch.leave()

    def drain(self, ends: float) -> None:
        """Wait until no call and no callback runs, not past the second *ends*; no callback waits for itself."""
        self.wait_idle(ends)
        self._is_drained = True

    def wait_idle(self, ends: float) -> bool:
        """Wait likewise, while further calls may begin; False where one still runs at the second *ends*."""
        return self.draining.wait(self._is_idle, ends)

    def _is_idle(self) -> bool:
        return not self.running and not self.heard and (self.callbacks.is_idle or self.callbacks.is_current())

    def follow(self, one: Heard) -> None:
        """Keep *one*, which goes on after the end of its call, so that whoever drains waits for it."""
        self.heard.add(one)

    def followed(self, one: Heard) -> None:
        """Forget *one*, which is over; of several times only the first counts."""
        self.heard.discard(one)
        self.draining.look_again()

    def flush(self, ends: float) -> None:
        """Wait at the interpreter's exit, not past *ends*, for the calls that nobody waits for.

        A thread that waits for its own call is a daemon by then, and meant to be left behind. What the callback threads
        would run, which the interpreter has ended before, runs here: not on the I/O thread, which must go on.
        """
        draining, callbacks = self.draining, self.callbacks
        callbacks.leave_to(draining.look_again)
        self.leave_batches()
        left = draining.expect(record for record in list(self.running) if not record.thread)
        while draining.wait(lambda: not left or callbacks.has_due(), ends) and callbacks.has_due():
            callbacks.run_due()

    def give_up(self, record: CallRecord, error: BaseException) -> None:
        """End the call of *record* with *error*, which broke into the thread that made it, if it runs by now."""
        ending = self.running.get(record)
        if ending is not None:
            ending.give_up(error)
            ending.leave()

    def abandon(self, records: Iterable[CallRecord]) -> None:
        """End the calls of *records*, which the interpreter does not wait for, and let all hear of it here and now."""
        self.is_told_in_one = True
        text = "the interpreter exits under the call"
        for record in records:
            self.give_up(record, ConsumerClosed(text, in_doubt=True))
        for one in list(self.heard):  # a daemon waits for the call itself, and is left behind with it
            one.tell(Outcome(error=ConsumerClosed(text, in_doubt=True)))
        self.callbacks.run_due()

    def after_fork(self) -> None:
        """Forget, in a forked child, the parent's threads and what only they will hear the end of."""
        self.callbacks.after_fork()
        self.timer.after_fork()
        self._begin_draining()
        for one in list(self.heard):
            one.forget()
        self.heard = set()
        self.watchdog.after_fork()
        for record, ending in list(self.running.items()):
            record.let_go()  # the end of one may cancel others, as in a scope
            ending.after_fork()
        self._inherited = list(self.running.values())

    def _go_on_after_fork(self) -> None:
        """End the child's copies of futures; their callbacks may make calls, which go on."""
        text = "the process was forked while the call ran; its answer goes to the parent"
        inherited, self._inherited = self._inherited, []
        for ending in inherited:
            ending(Outcome(error=ConsumerClosed(text, in_doubt=True)))


class Ending:
    """How one call ends: exactly once, whoever ends it; the waiting thread, if there is one, is woken.

    Args:
        runtime: Of the consumer.
        metrics: Of the method.
        record: Of the call.
        future: What the caller has of it; None where that is none.

    Raises:
        ConsumerClosed: The consumer was closed before the call could be counted as running.
    """

    __slots__ = (
        "_future", "_handed", "_has_left", "_is_cancelled", "_metrics", "_record", "_runtime", "is_sent", "outcome",
    )  # fmt: skip

    def __init__(
        self, runtime: Runtime, metrics: CallMetrics, record: CallRecord, future: InvocationFuture | None = None
    ) -> None:
        self._runtime = runtime
        self._metrics = metrics
        self._record = record
        self._future = future
        self._handed: queue.SimpleQueue[_Work | None] | None = None
        self._has_left = False
        self._is_cancelled = False
        self.is_sent = False
        self.outcome: Outcome | None = None
        runtime.running[record] = self
        # Looked at after the call is counted, as close() counts after it has closed: one of the two sees the other.
        if runtime.closed and runtime.refuses() and runtime.running.pop(record, None) is not None:
            raise closed_error(record.policy, record.method)
        metrics.begin()
        if record.collected is not None:
            record.collected.begun(self)

    def __call__(self, outcome: Outcome, *, is_taken: bool = False) -> None:
        """End the call, and tell all of it; of several ends only the first counts.

        It is the first of one that *is_taken* from those that run.
        """
        runtime, record = self._runtime, self._record
        if not is_taken and runtime.running.pop(record, None) is None:
            return
        record.end(runtime.clock())
        error = outcome.error
        if error is None and record.attempts == 1:
            self._metrics.end_well()
        else:
            self._end_otherwise(error)
        self.outcome = outcome
        self.ended(outcome)
        if record.collected is not None:
            record.collected.ended(outcome)
        handed = self._handed
        if handed is not None:
            handed.put(None)
        if runtime.draining.waiting:
            runtime.draining.ended(record)

    def _end_otherwise(self, error: BaseException | None) -> None:
        record = self._record
        if error is not None:
            blame(error, record, self._runtime.clock)
            log_failure(record, error)
        self._metrics.end(record.attempts, error)

    def give_up(self, error: BaseException) -> None:
        """End the call with *error*, whatever comes back from the attempts that are stopped by this."""
        with DECIDING:
            is_first = self._take()
        if is_first:
            self._record.cancel()
            self(Outcome(error=error), is_taken=True)

    def cancel(self) -> bool:
        """End the call as cancelled; False where it ends in another way, which somebody may have been told already."""
        record = self._record
        with DECIDING:
            is_first = not record.is_decided and self._take()
            self._is_cancelled = is_first or self._is_cancelled
        if is_first:
            record.cancel()
            self(Outcome(error=CancelledError()), is_taken=True)
        return self._is_cancelled

    def _take(self) -> bool:
        """Take the call from those that run; where nobody else has, its observers hear that it was given up."""
        is_first = self._runtime.running.pop(self._record, None) is not None
        if is_first:
            self._record.is_cancelled = True
        return is_first

    def ended(self, outcome: Outcome) -> None:
        """Hand the outcome on, on the thread that brings it; a synchronous call only keeps it."""

    def _drop(self, error: BaseException, invocation: Invocation, context: Context) -> None:
        """Count and tell *error*, of which the caller does not hear."""
        record, runtime = self._record, self._runtime
        self._metrics.drop()
        if not runtime.is_told_in_one:
            _log_drop(record, error)
        if runtime.on_drop is not None:
            what = f"on_drop of {record.name}"
            runtime.callbacks.submit(context, what, _tell, runtime.on_drop, invocation, error)

    def after_fork(self) -> None:
        """Forget the call: it is the parent's."""
        self._runtime.running.pop(self._record, None)

    def sent(self) -> None:
        """Note that the request is written, and wake the thread that waits for that.

        The record will speak of the attempt that decides, this of the first that came so far: what the caller knows.
        """
        self._record.is_sent = self.is_sent = True
        handed = self._handed
        if handed is not None:
            handed.put(None)

    def wait(self, ends: float, *, for_sent: bool) -> None:
        """Wait for the end, or for the writing, of the call; not much longer than until the monotonic second *ends*.

        What was handed over is done meanwhile.
        """
        handed = self._queue()
        expired = False
        # Only now: whoever ends the call after this line sees the queue.
        while self.outcome is None and not (for_sent and self.is_sent):
            left = 0.0 if expired else max(0.0, ends - self._runtime.clock())
            try:
                work = handed.get(timeout=left + GRACE_S)
            except queue.Empty:
                if expired:
                    break
                expired = True
                self.expire()  # another thread may be ending it at this very moment
                continue
            if work is not None:  # perhaps an interceptor's, which may make calls
                keep_last_call(work)
        self.leave()

    def _queue(self) -> queue.SimpleQueue[_Work | None]:
        with _MAKING:
            if self._handed is None:
                self._handed = queue.SimpleQueue()
            return self._handed

    def hand_over(self, work: _Work) -> bool:
        """Let the thread that waits, or is about to, run *work*; see `Waiter.hand_over`."""
        if self.outcome is not None:
            return False
        self._queue().put(work)
        # Looked at once it is there, as a thread that leaves looks once it has said so: one of the two sees the other.
        if self._has_left:
            self._pass_on()
        return True

    def leave(self) -> None:
        """Wait no more; what was handed over and not done is done elsewhere."""
        self._has_left = True
        if self._handed is not None:
            self._pass_on()

    def _pass_on(self) -> None:
        handed, runtime = self._queue(), self._runtime
        with suppress(queue.Empty):
            while True:
                work = handed.get_nowait()
                if work is not None:
                    what = f"the answer to {self._record.name}"
                    runtime.callbacks.work(Context(), what, work, brings=self._record)

    def expire(self) -> None:
        """End a call that is long past its deadline."""
        text = f"something holds the call past its total timeout of {self._record.policy.total_timeout_ms} ms"
        held_by = "an interceptor that does not settle its future, or a transport"
        if self._runtime.callbacks.has_due():
            held_by = "callback threads, every one of which is busy"
        elif self._runtime.callbacks.elsewhere.has_waiting:
            held_by = "callback_executor, which has not run what it was given"
        self.give_up(CallTimeout(f"{text}: {held_by}", in_doubt=True))


class FutureEnding(Ending):
    """The end of a call that has a future."""

    __slots__ = ()

    def ended(self, outcome: Outcome) -> None:
        """Settle the future."""
        if outcome.error is not None:
            _note_site(outcome.error, self._record)
        future = self._future
        assert future is not None
        invocation = future.invocation
        invocation.request = None  # a future may be held for long, and what it asked must not be
        invocation.args, invocation.kwargs, invocation.attachments = (), NO_KWARGS, NO_ATTACHMENTS
        invocation.policy = self._record.policy  # which keeps no attachments of the call's own options
        future._settle(outcome)
        if self._record.on_sent is not None:  # looked at once the future is settled, by which who asks later goes
            end_sending(self._record, outcome)
        future._ending = None  # only now: until then the future is not to be cancelled by itself

    def after_fork(self) -> None:
        """Free the child's copy of the future, which ends once all is free."""
        if self._future is not None:
            self._future._after_fork()


class WrittenEnding(FutureEnding):
    """The end of a call that is over for its caller once it is written; a later failure is dropped."""

    __slots__ = ("_asked",)

    def __init__(self, runtime: Runtime, metrics: CallMetrics, record: CallRecord, future: InvocationFuture) -> None:
        self._asked = copy.copy(future.invocation)  # the future's own is emptied at the end, and on_drop comes later
        super().__init__(runtime, metrics, record, future)

    def sent(self) -> None:
        """End the call well."""
        super().sent()
        super().__call__(Outcome(None))

    def __call__(self, outcome: Outcome, *, is_taken: bool = False) -> None:
        """End the call, or tell of a failure that came after its end."""
        error, future = outcome.error, self._future
        if self.outcome is None:  # an answer may come before anybody has told that it was written
            super().__call__(Outcome(None) if error is None else outcome, is_taken=is_taken)
        elif self.is_sent and error is not None and not isinstance(error, CancelledError | ConsumerClosed):
            assert future is not None
            self._drop(error, self._asked, future._context)


class DropEnding(Ending):
    """The end of a call whose answer is dropped."""

    __slots__ = ("_context", "_invocation", "_raises")

    def __init__(self, runtime: Runtime, metrics: CallMetrics, invocation: Invocation, raises: bool) -> None:
        self._invocation = invocation
        self._raises = raises
        self._context: Context = contextvars.copy_context()
        super().__init__(runtime, metrics, invocation.record)  # last: from here on anybody may end the call

    def ended(self, outcome: Outcome) -> None:
        """Count and tell a failure that the caller was not told of."""
        error, record = outcome.error, self._record
        self._invocation.request = None  # as above, but that on_drop gets the arguments
        record.on_sent = None  # which refers back to this very object
        if error is None or (self._raises and not self.is_sent):
            return
        self._drop(error, self._invocation, self._context)


def _tell(on_drop: OnDrop, invocation: Invocation, error: BaseException) -> None:
    enter_callback(invocation.record, None)
    on_drop(invocation, error)


def _log_drop(record: CallRecord, error: BaseException) -> None:
    site = f", called at {record.call_site}" if record.call_site else ""
    _LOG.warning("%s failed and its answer is dropped: %s: %s%s", record.name, type(error).__name__, error, site)


def _note_site(error: BaseException, record: CallRecord) -> None:
    note = f"{record.name} was called at {record.call_site}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
