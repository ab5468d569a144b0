"""The future of one call, at home in threads and in every ``asyncio`` loop."""

from __future__ import annotations

import contextvars
import logging
import threading
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from concurrent.futures import CancelledError
from contextvars import Context
from functools import partial
from typing import Any, TypeVar, overload

from ..errors import ConsumerClosed
from ..runtime.callbacks import CallbackExecutor
from ..runtime.deadline import GRACE_S
from ..runtime.due import CallbackName
from ..runtime.elsewhere import Place, require_place
from ..runtime.loops import runs_loop
from .awaiting import waiter_of
from .current import call_back
from .invocation import CallEnding, CallRecord, Done, Invocation, Outcome
from .lean_future import Due, SettlingFuture, raise_error
from .owing import owing
from .sending import ask_sending, end_sending, sending_of
from .typed import T
from .unseen import Unseen, look_at

U = TypeVar("U")

_new = tuple.__new__
_LOG = logging.getLogger("callahead.consumer.callbacks")
# `asyncio.create_task` takes no future, and shows it in the error.
_A_TASK = "; await it, or make a task of it by asyncio.ensure_future"


class InvocationFuture(SettlingFuture[T]):
    """The answer of one call, to come: a `concurrent.futures.Future` that can be awaited, too.

    ``wait``, ``as_completed``, ``asyncio.wrap_future`` and ``await`` from any running loop, or task of trio, all work;
    a task of asyncio is made of it by ``asyncio.ensure_future``, since ``create_task`` takes coroutines alone. It
    settles exactly once, after every stage of the framework has run. Differs from its base class: `cancel` works until
    the answer is there, since a call is never "running" in the sense of an executor; callbacks run where the
    consumer's do, in a copy of the caller's context, whether they were added before or after the answer came.

    Attributes:
        invocation: What was asked; its arguments only until the call ends, before callbacks run.
    """

    _inline = False
    # A user's, not one that only an interceptor sees; its failure is reported where nobody looks at it.
    _is_watched = True
    # Gives the future that a function of `then` has returned, by which this one ends; held by what will settle it.
    _followed: Callable[[], InvocationFuture | None] = staticmethod(lambda: None)
    _ending: CallEnding | None = None  # of the call that it is the answer of; None for an interceptor's own, and after

    def __init__(self, invocation: Invocation, callbacks: CallbackExecutor, context: Context | None = None) -> None:
        self.invocation = invocation
        self._callbacks = callbacks
        self._context = contextvars.copy_context() if context is None else context

    @property
    def record(self) -> CallRecord:
        """The trace of the call."""
        return self.invocation.record

    @property
    def attempts(self) -> int:
        """Attempts begun so far."""
        return self.record.attempts

    @property
    def provider(self) -> str | None:
        """``protocol://host:port`` of the last attempt, or None where none was begun."""
        return self.record.endpoint

    @property
    def operation(self) -> str:
        """Name of the method as the provider spells it."""
        return self.record.method

    @property
    def consumer(self) -> Any:
        """The `Consumer` that the call was made by; None once that is gone."""
        return self._callbacks.owner()

    @property
    def reference(self) -> Any:
        """The `Reference` that the call was made on; None where it was a channel's, or the consumer is gone."""
        consumer = self.consumer
        return None if consumer is None else consumer.made(self.record.policy.reference)

    @property
    def connection(self) -> Any:
        """The `ConnectionCounts` of the last attempt's provider; None where none was asked, or nothing is known."""
        consumer = self.consumer
        found = () if consumer is None else consumer.connections()
        return next((one for one in found if one.endpoint == self.provider), None)

    @property
    def response_attachments(self) -> Mapping[str, Any]:
        """What the provider sent beside the answer; complete before the future settles, empty until then."""
        return self.record.response_attachments

    @property
    def call_site(self) -> str:
        """``file:line in function`` of the code that made the call."""
        return self.record.call_site

    def cancel(self) -> bool:
        """Give the call up.

        The answer is no longer waited for, no further attempt is made, and the provider is told where the protocol
        can (gRPC resets the stream; whether the method stops is up to the provider).

        Returns:
            True exactly if the future ends as cancelled; False where it had settled before, or an observer was told how
            it will.
        """
        ending = self._ending
        if ending is not None and not self.done():
            return ending.cancel() or self.cancelled()
        if not self._settle(Outcome(error=CancelledError())):
            return self.cancelled()
        self.record.cancel()
        return True

    def result(self, timeout: float | None = None) -> T:
        """Wait for the answer.

        Args:
            timeout: Longest wait in seconds, 0 to only look; None waits until the call's own deadline.

        Raises:
            TimeoutError: *timeout* seconds passed; the call goes on. The call's own deadline is `CallTimeout`.
            concurrent.futures.CancelledError: The call was cancelled.
            RpcError: The call failed; a note on the error shows the line that made the call.
        """
        outcome = self._outcome or self._wait(timeout)
        if outcome is None:
            raise TimeoutError(self._no_answer(timeout))
        if outcome.error is None:
            answer: T = outcome.value
            return answer
        try:
            raise_error(outcome)
        finally:
            del self, outcome  # they would tie the error to its own traceback

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait like `result`, but return the error of the call, or None."""
        outcome = self._wait(timeout)
        if outcome is None:
            raise TimeoutError(self._no_answer(timeout))
        if self.cancelled():
            raise CancelledError
        look_at(outcome)
        return outcome.error

    def _wait(self, timeout: float | None) -> Outcome | None:
        """Wait for the end, which comes soon after the deadline at the latest, whoever fails to bring it."""
        collected = self.invocation.record.collected
        if collected is None or self._outcome is not None:
            return self._wait_until_due(timeout)
        since = collected.now()
        try:
            return self._wait_until_due(timeout)
        finally:
            collected.waited(since)

    def _wait_until_due(self, timeout: float | None) -> Outcome | None:
        ending = self._ending
        longest = self.invocation.deadline.remaining() + GRACE_S
        if ending is None or (timeout is not None and timeout < longest):
            return self._sleep(timeout)
        outcome = self._sleep(max(0.0, longest))
        if outcome is None:
            ending.expire()
            outcome = super()._wait(GRACE_S)  # another thread may be ending it at this very moment
        return outcome

    def _sleep(self, timeout: float | None) -> Outcome | None:
        callbacks = self._callbacks
        if self._outcome is not None or timeout == 0 or not callbacks.is_current():
            return super()._wait(timeout)
        over = threading.Event()
        self._once_done(lambda *_: over.set())
        if not callbacks.wait(over, self._needs, timeout) and self._outcome is None:
            raise RuntimeError(self._vain())
        return self._outcome

    def _before_wait(self) -> None:
        """Refuse a wait that would be vain; one that becomes so while it lasts is not known here."""
        callbacks = self._callbacks
        if self._outcome is None and callbacks.is_current() and callbacks.would_be_vain(self._needs):
            raise RuntimeError(self._vain())

    def _needs(self, due: Iterable[object]) -> bool:
        """Tell whether one of *due*, which are callbacks to come, brings the end."""
        last = self
        while (followed := last._followed()) is not None:
            last = followed
        record = last.record
        is_running = record.ended is None  # else what else is due of that call brings the ends of other futures
        return any(one is last or (is_running and getattr(one, "record", one) is record) for one in due)

    def _vain(self) -> str:
        count = self._callbacks.threads
        return (
            f"{self.record.name}: waiting in a callback for what a callback thread has to do, while every such thread"
            f" waits likewise (callback_executor.threads: {count}), would never end; go on by then() or"
            " add_done_callback, let the interceptor be inline, or raise callback_executor.threads"
        )

    def _no_answer(self, timeout: float | None) -> str:
        left = max(0.0, self.invocation.deadline.remaining()) * 1000
        return f"{self.record.name} has no answer after {timeout} s; it goes on for at most {left:.0f} ms"

    def add_done_callback(self, fn: Callable[[InvocationFuture[T]], object]) -> None:
        """Call ``fn(future)`` on a callback thread once settled, in a copy of the context that made the call.

        What *fn* raises is logged. Callbacks of one future may run at the same time.
        """
        # Here and below the future comes as the argument: one in the closure would tie it to its own callback.
        self._once_due(lambda future, _: future._submit("done callback", fn, future))

    def _once_due(self, submit: Due) -> None:
        """Call *submit*, which lets a callback be due, as `_once_done`; who waits until all is idle waits for that."""
        self._once_done(submit if self._ending is None else owing(submit, self._callbacks.owed))

    def _submit(
        self, what: str, function: Callable[..., Any], *args: Any, brings: object = None, at: Place | None = None
    ) -> None:
        record = self.invocation.record
        name = _new(CallbackName, (what, record))
        self._callbacks.submit(self._context, name, call_back, record, self, function, *args, brings=brings, at=at)

    @overload
    def then(self, on_value: Callable[[T], InvocationFuture[U]]) -> InvocationFuture[U]: ...
    @overload
    def then(self, on_value: Callable[[T], U]) -> InvocationFuture[U]: ...
    @overload
    def then(
        self, on_value: Callable[[T], Any] | None = None, on_error: Callable[[BaseException], Any] | None = None
    ) -> InvocationFuture: ...
    def then(
        self,
        on_value: Callable[[T], Any] | None = None,
        on_error: Callable[[BaseException], Any] | None = None,
    ) -> InvocationFuture:
        """Make a future of what *on_value* or *on_error* makes of this one's end; what interceptors build upon.

        Args:
            on_value: Called with the answer; returns the new answer, or a further `InvocationFuture`. None passes on.
            on_error: Called with the error; returns an answer or a future, or raises. None passes on.

        They run on a callback thread, but for an interceptor that is ``inline`` on the thread that settles the call,
        and on the caller's own thread where that is blocked by this very call.
        """
        derived = self._derived()

        def proceed(settled: InvocationFuture, outcome: Outcome) -> None:
            function = on_value if outcome.error is None else on_error
            if function is None:
                derived._settle(outcome)
            else:
                given = outcome.value if outcome.error is None else outcome.error
                settled._run_completion(derived, function, given)

        self._once_due(proceed)
        return derived

    def _run_completion(self, derived: InvocationFuture, function: Callable[[Any], Any], given: Any) -> None:
        record = self.record
        if self._inline or record.on_callers_thread():
            derived._follow(function, given)
        elif not record.hand_over(partial(derived._follow, function, given)):
            self._submit("completion", derived._follow, function, given, brings=derived)

    def _follow(self, function: Callable[[Any], Any], given: Any) -> None:
        try:
            made = function(given)
        except BaseException as error:  # whatever an interceptor raises is the end of the call, not of this thread
            self._settle(Outcome(error=error))
            return
        if isinstance(made, InvocationFuture):
            self._followed = weakref.ref(made)
            made._when_settled(self._settle)
        else:
            self._settle(Outcome(made))

    def _failure(self, error: BaseException) -> Outcome:
        record = self.record
        if not self._is_watched or record.policy.unobserved == "ignore" or isinstance(error, ConsumerClosed):
            return Outcome(error=error)  # whoever closes, or forks, leaves many calls at once and is told of all in one
        return Unseen(error, record)

    def _when_settled(self, done: Done) -> None:
        """Call *done* with the outcome on the very thread that settles, or now; for the framework's own stages only."""
        self._once_done(lambda _, outcome: done(outcome))

    def wait_for_completed(self, timeout: float | None = None) -> bool:
        """Wait until the call has ended, however it does; False where *timeout* seconds were not enough."""
        return self._wait(timeout) is not None

    def is_sent(self) -> bool:
        """Tell whether the request was handed to this machine's network, as far as is known; never blocks.

        Over ``tri`` that is known once the answer is there, and before it only where ``sent`` is true.
        """
        outcome = self._written()._outcome
        return outcome is not None and outcome.value is True

    def sent(self, timeout: float | None = None) -> bool:
        """Wait until the request is written, or the call has ended.

        Args:
            timeout: Longest wait in seconds, 0 to only look; None waits until the call's own deadline.

        Returns:
            True once it is written; False where the call was answered without a request, as by ``cache`` or ``mock``.

        Raises:
            TimeoutError: *timeout* seconds passed; the call goes on.
            Exception: As `result` does, where the call ended before it was written, or before that was known.
        """
        outcome = self._written()._wait_until_due(timeout)  # no wait for the answer, which a scope would count
        if outcome is None:
            raise TimeoutError(f"{self.record.name} is not known to be written after {timeout} s")
        if outcome.error is None:
            return outcome.value is True
        self._seen()
        try:
            raise_error(outcome)
        finally:
            del self, outcome  # as in result()

    def sent_synchronously(self) -> bool:
        """Tell whether the request was written when the call returned this: only where ``sent`` is true."""
        return self.record.policy.sent and self.is_sent()

    def add_sent_callback(self, fn: Callable[[InvocationFuture[T]], object]) -> None:
        """Call ``fn(future)`` where `add_done_callback` would, once the request is written; never where it never is."""

        def tell(_: object, outcome: Outcome) -> None:
            if outcome.value is True:
                self._submit("sent callback", fn, self)

        self._written()._once_due(tell)

    def when_sent(
        self, action: Callable[[bool, BaseException | None], object], executor: Place | None = None
    ) -> InvocationFuture[bool]:
        """Call ``action(sent, error)`` once the request is written, or the call has ended before that.

        *sent* and *error* are what `sent` would return or raise. For the rest see `when_complete`.
        """
        derived = self._derived(executor)

        def tell(_: object, outcome: Outcome) -> None:
            if outcome.error is not None:
                self._seen()
            self._act(derived, action, Outcome(outcome.value is True, outcome.error), executor)

        self._written()._once_due(tell)
        return derived

    def when_complete(
        self, action: Callable[[T | None, BaseException | None], object], executor: Place | None = None
    ) -> InvocationFuture[T]:
        """Call ``action(answer, error)`` once the call has ended, one of them None.

        Args:
            action: Runs in a copy of the context that made the call, whether the call has ended by now or not.
            executor: Runs it, or an event loop that does; where it takes no more a callback thread does. None: where
                other callbacks run.

        Returns:
            A future that ends, once *action* has run, as this one did; or else by what *action* raised.

        Raises:
            TypeError: *executor* is neither.
        """
        derived = self._derived(executor)
        self._once_due(lambda future, outcome: future._act(derived, action, outcome, executor))
        return derived

    def _derived(self, place: Place | None = None) -> InvocationFuture[Any]:
        if place is not None:
            require_place(place)
        derived = InvocationFuture(self.invocation, self._callbacks, self._context)
        derived._inline, derived._is_watched = self._inline, self._is_watched
        return derived

    def _act(
        self, derived: InvocationFuture, action: Callable[..., object], outcome: Outcome, place: Place | None
    ) -> None:
        self._submit("action", derived._end_after, action, outcome, brings=derived, at=place)

    def _end_after(self, action: Callable[..., object], outcome: Outcome) -> None:
        self._is_watched = self._is_watched and outcome.error is None  # else *action* is told of it
        try:
            action(outcome.value, outcome.error)
        except BaseException as error:  # as in _follow(); the failure of the call goes before that of the action
            if outcome.error is None:
                outcome = Outcome(error=error)
            else:
                _LOG.exception("action of %s raised", self.record.name)
        self._settle(outcome)

    def _written(self) -> InvocationFuture[bool]:
        record, outcome = self.record, self._outcome
        if outcome is None and not record.is_sent:
            written: InvocationFuture[bool] = ask_sending(record, self._unwatched)
            if self._ending is None:  # of an interceptor, or the call is just ending
                self._when_settled(partial(end_sending, record))
            elif (outcome := self._outcome) is not None:
                end_sending(record, outcome)
            return written
        written = self._unwatched()
        written._settle(sending_of(record, outcome or Outcome()))
        return written

    def _unwatched(self) -> InvocationFuture[bool]:
        made = InvocationFuture(self.invocation, self._callbacks, self._context)
        made._is_watched, made._ending = False, self._ending
        return made

    def _seen(self) -> None:
        if self._outcome is not None:
            look_at(self._outcome)

    def _after_fork(self) -> None:
        """Forget the lock, which a thread that the child does not have may hold."""
        for future in (self, self.record.written or self):
            future.__dict__.pop("_condition", None)
            future._is_awaited, future._gates = False, None

    def __await__(self) -> Generator[Any, None, T]:
        """Wait in the running loop of asyncio or trio; cancelling the waiting task, or scope, cancels the call."""
        waiter: Awaitable[T] = waiter_of(self._when_settled, self.cancel)
        collected = None if self.done() else self.record.collected
        since = 0.0 if collected is None else collected.now()
        try:
            return (yield from waiter.__await__())
        finally:
            if collected is not None:
                collected.waited(since)
            del self, waiter  # as in result()

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled() else "done" if self.done() else "pending"
        hint = _A_TASK if runs_loop() else ""
        return f"<InvocationFuture {self.record.name} {state}, provider {self.provider}{hint}>"
