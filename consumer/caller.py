"""The head of a method's chain: what a call gives back, by ``async``, ``return`` and ``sent``.

===== ====== ===== ======================== ================== ============================= =========================
async return sent  the call gives           RpcContext future  failure before it is written  later failure
===== ====== ===== ======================== ================== ============================= =========================
false true   any   the value                cleared            raised                        raised
true  true   false None, at once            this call's        in the future                 in the future
true  true   true  None, once written       this call's        raised, and in the future     in the future
any   false  false None, at once            cleared            counted, logged, ``on_drop``  the same
any   false  true  None, once written       cleared            raised                        counted, logged, on_drop
===== ====== ===== ======================== ================== ============================= =========================

"Written" is handed to this machine's transport, never "the provider has it". Source: Dubbo ``DubboInvoker`` and
``AbstractInvoker``; differs: ``sent`` is false unless set and means the same at every level and in every mode.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import partial
from types import FrameType
from typing import Any

from callahead.config.policy import MethodPolicy

from .callbacks import CallbackExecutor
from .context import enter_call, enter_callback, enter_future, take_attachments
from .deadline import Clock, Deadline
from .errors import CallTimeout, ConsumerClosed, RpcError
from .future import InvocationFuture
from .interceptor.watch import CallMetrics, log_failure
from .invocation import CallRecord, Invocation, Outcome, Stage, blame
from .timer import Timer

_LOG = logging.getLogger("callahead.consumer.call")

_GRACE_S = 1.0
"""How long past its deadline a call may take to say so, before whatever holds it is given up on."""

OnDrop = Callable[[Invocation, BaseException], object]
"""Hears of the failure of a call whose ``return`` is false; runs on a callback thread."""


class Runtime:
    """What all the callers of one consumer share.

    Attributes:
        clock: Monotonic seconds.
        callbacks: Runs users' callbacks.
        timer: Ends what nobody else would.
        running: How to end, from outside, each call that has begun and not ended.
        on_drop: Hears of dropped failures, or None.
        closed: No further call may begin.
    """

    def __init__(self, clock: Clock, callbacks: CallbackExecutor, on_drop: OnDrop | None) -> None:
        self.clock = clock
        self.callbacks = callbacks
        self.timer = Timer(clock)
        self.running: dict[CallRecord, _Ending] = {}
        self.on_drop = on_drop
        self.closed = False
        self._idle = threading.Condition()

    def tell_idle(self) -> None:
        """Wake `drain`, for a call has ended."""
        with self._idle:
            self._idle.notify_all()

    def expire(self, record: CallRecord) -> None:
        """End the call of *record* as timed out, if it still runs."""
        ending = self.running.get(record)
        if ending is not None:
            ending.expire()

    def drain(self, timeout: float) -> None:
        """Wait until no call runs, for at most *timeout* seconds."""
        with self._idle:
            self._idle.wait_for(lambda: not self.running, timeout)

    def after_fork(self) -> None:
        """End here, in the child, what only the parent will hear the end of."""
        self.callbacks.after_fork()
        self.timer.after_fork()
        self._idle = threading.Condition()
        for ending in list(self.running.values()):
            ending.after_fork()


class _Ending:
    """How one call ends: exactly once, whoever ends it; the waiting thread, if there is one, is woken.

    Raises:
        ConsumerClosed: The consumer was closed before the call could be counted as running.
    """

    __slots__ = ("_event", "_metrics", "_record", "_runtime", "_verdict", "is_sent", "outcome")

    def __init__(self, runtime: Runtime, metrics: CallMetrics, record: CallRecord) -> None:
        self._runtime = runtime
        self._metrics = metrics
        self._record = record
        self._event: threading.Event | None = None
        self._verdict: Outcome | None = None
        self.is_sent = False
        self.outcome: Outcome | None = None
        runtime.running[record] = self
        # Looked at after the call is counted, as close() counts after it has closed: one of the two sees the other.
        if runtime.closed and runtime.running.pop(record, None) is not None:
            raise _closed(record.policy, record.method)
        metrics.begin()

    def __call__(self, outcome: Outcome) -> None:
        """End the call; of several ends only the first counts."""
        runtime, record = self._runtime, self._record
        if runtime.running.pop(record, None) is None:
            return
        if self._verdict is not None:
            outcome = self._verdict
        record.end(runtime.clock())
        error = outcome.error
        if error is not None:
            blame(error, record, runtime.clock)
            log_failure(record, error)
        self._metrics.end(record.attempts, error)
        self.outcome = outcome
        self.ended(outcome)
        event = self._event
        if event is not None:
            event.set()
        if runtime.closed:
            runtime.tell_idle()

    def give_up(self, error: RpcError) -> None:
        """End the call with *error*, whatever comes back from the attempt that is stopped by this."""
        self._verdict = verdict = Outcome(error=error)
        self._record.cancel()
        self(verdict)

    def ended(self, outcome: Outcome) -> None:
        """Hand the outcome on, on the thread that brings it; a synchronous call only keeps it."""

    def after_fork(self) -> None:
        """Forget the call: it is the parent's."""
        self._runtime.running.pop(self._record, None)

    def sent(self) -> None:
        """Note that the request is written, and wake the thread that waits for that.

        The record speaks of the current attempt, this of the first that came so far: what the caller knows.
        """
        self._record.is_sent = self.is_sent = True
        event = self._event
        if event is not None:
            event.set()

    def wait(self, deadline: Deadline, *, for_sent: bool) -> None:
        """Wait for the end, or for the writing, of the call; not much longer than until *deadline*."""
        event = self._event = threading.Event()
        # Only now: whoever ends the call after this line sees the event.
        if self.outcome is not None or (for_sent and self.is_sent):
            return
        if not event.wait(max(0.0, deadline.remaining()) + _GRACE_S):
            self.expire()
            event.wait(_GRACE_S)  # another thread may be ending it at this very moment

    def expire(self) -> None:
        """End a call that is long past its deadline."""
        text = f"something holds the call past its total timeout of {self._record.policy.total_timeout_ms} ms"
        held_by = "an interceptor that does not settle its future, or a transport"
        self.give_up(CallTimeout(f"{text}: {held_by}", in_doubt=True))


class _FutureEnding(_Ending):
    """The end of an asynchronous call."""

    __slots__ = ("future",)

    future: InvocationFuture

    def ended(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            _note_site(outcome.error, self._record)
        future = self.future
        future.invocation.on_sent = None  # it refers back to this very object
        future.settle(outcome)

    def after_fork(self) -> None:
        self.future.after_fork()
        text = "the process was forked while the call ran; its answer goes to the parent"
        self(Outcome(error=ConsumerClosed(text, in_doubt=True)))


class _DropEnding(_Ending):
    """The end of a call whose answer is dropped."""

    __slots__ = ("_context", "_invocation", "_raises")

    def __init__(self, runtime: Runtime, metrics: CallMetrics, invocation: Invocation, raises: bool) -> None:
        super().__init__(runtime, metrics, invocation.record)
        self._invocation = invocation
        self._raises = raises
        self._context: Context = contextvars.copy_context()

    def ended(self, outcome: Outcome) -> None:
        error, record = outcome.error, self._record
        self._invocation.on_sent = None  # as above
        if error is None or (self._raises and not self.is_sent):
            return
        self._metrics.drop()
        site = f", called at {record.call_site}" if record.call_site else ""
        _LOG.warning("%s failed and its answer is dropped: %s: %s%s", record.name, type(error).__name__, error, site)
        on_drop = self._runtime.on_drop
        if on_drop is not None:
            what = f"on_drop of {record.name}"
            self._runtime.callbacks.submit(self._context, what, self._tell, on_drop, error)

    def _tell(self, on_drop: OnDrop, error: BaseException) -> None:
        enter_callback(self._record, None)
        on_drop(self._invocation, error)


def _closed(policy: MethodPolicy, method: str) -> ConsumerClosed:
    error = ConsumerClosed("the consumer is closed", not_sent=True)
    error.reference, error.method = policy.reference, method
    return error


def _note_site(error: BaseException, record: CallRecord) -> None:
    note = f"{record.name} was called at {record.call_site}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


class Caller:
    """Calls one method of one reference, in any mode.

    Args:
        runtime: What the consumer's callers share.
        method: Name of the method as the provider spells it.
        chain: The CALL chain and all beneath it.
        metrics: Counts the method's calls.
        guarded: Users' interceptors stand in the chain, so a watchdog ends calls that they would hold for ever.
        future_class: Class of the futures it makes.
    """

    def __init__(
        self,
        runtime: Runtime,
        method: str,
        chain: Stage,
        metrics: CallMetrics,
        *,
        guarded: bool,
        future_class: type[InvocationFuture] = InvocationFuture,
    ) -> None:
        self._runtime = runtime
        self.method = method
        self._chain = chain
        self._metrics = metrics
        self._guarded = guarded
        self._future_class = future_class

    def call(
        self,
        policy: MethodPolicy,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        frame: FrameType,
        options: Any = None,
    ) -> Any:
        """Call as *policy* says; see the table of this module. *frame* is the call site's."""
        if not policy.returns:
            return self._one_way(policy, args, kwargs, frame, options)
        if policy.is_async:
            self.future(policy, args, kwargs, frame, options, held=True)
            return None
        return self.sync(policy, args, kwargs, options)

    def sync(
        self,
        policy: MethodPolicy,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: Any = None,
        view: str = "",
    ) -> Any:
        """Call, wait, and return the value or raise the error."""
        invocation = self._begin(policy, args, kwargs, options, blocking=True)
        record = invocation.record
        if view:
            record.view = view
        record.thread = threading.get_ident()
        ending = _Ending(self._runtime, self._metrics, record)
        try:
            self._chain(invocation, ending)
            if ending.outcome is None:
                ending.wait(invocation.deadline, for_sent=False)
        except BaseException as error:  # Ctrl-C: the call must not go on without its caller
            record.cancel()
            ending(Outcome(error=error))
            raise
        finally:
            enter_call(record, None)
        outcome = ending.outcome
        assert outcome is not None
        if outcome.error is None:
            return outcome.value
        try:
            raise outcome.error
        finally:
            del outcome, ending  # they would tie the error to its own traceback

    def future(
        self,
        policy: MethodPolicy,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        frame: FrameType,
        options: Any = None,
        *,
        held: bool = False,
    ) -> InvocationFuture:
        """Call and return the future, which is the context's too; with ``sent`` once the request is written.

        The context keeps a future that is *held* until somebody asks for it; else the caller decides its life.
        """
        invocation = self._begin(policy, args, kwargs, options, blocking=False)
        record = invocation.record
        record._site = (frame.f_code, frame.f_lasti)
        # Before the future copies the context: the copy must not keep the future of the call before alive.
        enter_call(record, None)
        runtime = self._runtime
        future = self._future_class(invocation, runtime.callbacks)
        ending = _FutureEnding(runtime, self._metrics, record)
        ending.future = future
        enter_future(future, held=held)
        error = self._start(invocation, ending, wait=policy.sent)
        if error is None:
            return future
        del future, ending  # they would tie the error to its own traceback
        try:
            raise error
        finally:
            del error

    def _one_way(
        self, policy: MethodPolicy, args: tuple[Any, ...], kwargs: Mapping[str, Any], frame: FrameType, options: Any
    ) -> None:
        invocation = self._begin(policy, args, kwargs, options, blocking=False)
        record = invocation.record
        invocation.one_way = True
        record._site = (frame.f_code, frame.f_lasti)
        enter_call(record, None)
        ending = _DropEnding(self._runtime, self._metrics, invocation, policy.sent)
        error = self._start(invocation, ending, wait=policy.sent)
        if error is not None:
            del ending  # as above
            try:
                raise error
            finally:
                del error

    def _begin(
        self, policy: MethodPolicy, args: tuple[Any, ...], kwargs: Mapping[str, Any], options: Any, *, blocking: bool
    ) -> Invocation:
        runtime = self._runtime
        if runtime.closed:
            raise _closed(policy, self.method)
        attachments = take_attachments()
        if policy.attachments:
            attachments = {**policy.attachments, **attachments, **policy.call_attachments}
        now = runtime.clock()
        deadline = Deadline(now + policy.total_timeout_ms / 1000, runtime.clock)
        record = CallRecord(policy, self.method, now)
        invocation = Invocation(policy, self.method, args, kwargs, attachments, deadline, record, blocking)
        if options is not None:
            invocation.options = options
        return invocation

    def _start(self, invocation: Invocation, ending: _Ending, *, wait: bool) -> BaseException | None:
        """Begin the call; with *wait*, return what went wrong before the request was written."""
        record = invocation.record
        if wait:
            invocation.on_sent = ending.sent
        if self._guarded:
            # The record alone: neither arguments nor answer may live on until then.
            self._runtime.timer.call_at(invocation.deadline.at + _GRACE_S, partial(self._runtime.expire, record))
        try:
            self._chain(invocation, ending)
            if not wait:
                return None
            if ending.outcome is None and not ending.is_sent:
                ending.wait(invocation.deadline, for_sent=True)
        except BaseException as error:  # as in sync()
            record.cancel()
            ending(Outcome(error=error))
            raise
        outcome = ending.outcome
        return None if outcome is None or ending.is_sent else outcome.error
