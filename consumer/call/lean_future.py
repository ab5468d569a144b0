"""A `concurrent.futures.Future` that makes its lock only when somebody waits.

The base class makes a condition, a deque and three lists with each future: 1.4 KB and a microsecond, for the rare
thread that comes to wait before the answer does. Here a change of state takes one short lock that all futures share,
and who waits does so at a lock of its own. The future's condition is taken, too, once somebody has asked for it: what
the standard library does to futures from outside (``wait``, ``as_completed``) goes on working, which reads ``_state``
and adds to ``_waiters`` under ``_condition``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import TYPE_CHECKING, Any, NoReturn

from callahead.registry.forking import fork_safe_lock

from .invocation import Outcome
from .typed import T
from .unseen import look_at

_LOG = logging.getLogger("callahead.consumer.future")

# The base class' own names of its states, which wait() and as_completed() compare with.
_PENDING = "PENDING"
CANCELLED = "CANCELLED_AND_NOTIFIED"
FINISHED = "FINISHED"

# Held for single assignments. A future's condition, where there is one, is taken before it, never after.
_CHANGES = fork_safe_lock()

Due = Callable[[Any, Outcome], object]
"""Takes a settled future and its outcome."""


class SettlingFuture(Future[T]):
    """A future that settles once: with a result, an exception or a cancellation, whichever comes first."""

    # Kept by the class until they change, so that a pending future has little of its own.
    _state = _PENDING
    _outcome: Outcome | None = None
    _due: list[Due] | None = None
    _is_awaited = False
    _gates: list[threading.Lock] | None = None  # each holds up a thread that waits

    def __init__(self) -> None:  # the base class' would make what this one is here to spare
        pass

    if not TYPE_CHECKING:  # which would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            """Make, at first use, what only a waiter needs; Python asks here for missing attributes alone."""
            if name == "_condition":
                with _CHANGES:
                    self._is_awaited = True
                    return self.__dict__.setdefault("_condition", threading.Condition())
            if name == "_waiters":
                self._before_wait()
                return self.__dict__.setdefault("_waiters", [])
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    # What else the base class has: newer asyncio reads them of a future that another thread has settled.

    @property
    def _result(self) -> Any:  # type: ignore[override]  # the base class' own methods, which write it, are replaced
        outcome = self._outcome
        return None if outcome is None else outcome.value

    @property
    def _exception(self) -> BaseException | None:  # type: ignore[override]  # likewise
        outcome = self._outcome
        return None if outcome is None or self.cancelled() else outcome.error

    @property
    def _done_callbacks(self) -> list[Due]:
        return list(self._due or ())

    def _settle(self, outcome: Outcome) -> bool:
        """End with *outcome*; False, and without effect, where it has ended before.

        A `StopIteration` becomes the cause of a `RuntimeError`, as in generators: no future of asyncio takes it.
        """
        state = FINISHED
        if outcome.error is not None:
            outcome, state = self._failed(outcome.error)
        with _CHANGES:
            is_first = self._outcome is None
            is_awaited = self._is_awaited
            if is_first and not is_awaited:
                self._outcome, self._state = outcome, state
        if is_first and is_awaited:
            is_first = self._tell(outcome, state)
        if not is_first:
            look_at(outcome)  # whoever was told of the end that counts
            return False
        gates = self._gates
        if gates is not None:  # to which none is added any more
            self._gates = None
            for gate in gates:
                gate.release()
        due = self._due
        if due is not None:
            self._due = None
            look_at(outcome)
            for function in due:
                self._call(function, outcome)
        return True

    def _failed(self, error: BaseException) -> tuple[Outcome, str]:
        """Make the outcome and the state of a future that ends with *error*."""
        if isinstance(error, CancelledError):
            return Outcome(error=error), CANCELLED
        if isinstance(error, StopIteration):
            error = _carried(error)
        return self._failure(error), FINISHED

    def _failure(self, error: BaseException) -> Outcome:
        return Outcome(error=error)

    def _tell(self, outcome: Outcome, state: str) -> bool:
        """End with *outcome* and wake those who wait; False where another thread was quicker."""
        with self._condition:
            with _CHANGES:
                if self._outcome is not None:
                    return False
                self._outcome, self._state = outcome, state
            self._tell_waiters(outcome)
        return True

    def _tell_waiters(self, outcome: Outcome) -> None:
        for waiter in self.__dict__.get("_waiters", ()):
            if self._state is CANCELLED:
                waiter.add_cancelled(self)
            elif outcome.error is None:
                waiter.add_result(self)
            else:
                waiter.add_exception(self)
        self._condition.notify_all()

    def _call(self, function: Due, outcome: Outcome) -> None:
        try:
            function(self, outcome)
        except Exception:
            _LOG.exception("%r raised over %r", function, self)

    def _once_done(self, function: Due) -> None:
        """Call *function* on the thread that settles, or now."""
        with _CHANGES:
            outcome = self._outcome
            if outcome is None:
                if self._due is None:
                    self._due = [function]
                else:
                    self._due.append(function)
                return
        look_at(outcome)
        self._call(function, outcome)

    def cancel(self) -> bool:
        """End as cancelled; True where this, or an earlier call of it, did so."""
        return self._settle(Outcome(error=CancelledError())) or self.cancelled()

    def set_result(self, result: T) -> None:
        """End with *result*; raises `concurrent.futures.InvalidStateError` where it has ended."""
        if not self._settle(Outcome(result)):
            raise InvalidStateError(f"{self._state}: {self!r}")

    def set_exception(self, exception: BaseException | None) -> None:
        """End with *exception*; raises `concurrent.futures.InvalidStateError` where it has ended."""
        if not self._settle(Outcome(error=exception)):
            raise InvalidStateError(f"{self._state}: {self!r}")

    def set_running_or_notify_cancel(self) -> bool:
        """Tell whether the call goes on; nothing changes, since a call is never "running" in an executor's sense."""
        return not self.cancelled()

    def cancelled(self) -> bool:
        """Tell whether it ended as cancelled."""
        return self._state is CANCELLED

    def running(self) -> bool:
        """Tell whether the answer is still to come."""
        return self._state is _PENDING

    def done(self) -> bool:
        """Tell whether it has ended."""
        return self._state is not _PENDING

    def _before_wait(self) -> None:
        """Be told that the calling thread is about to wait, by what the standard library does from outside."""

    def _wait(self, timeout: float | None) -> Outcome | None:
        """Wait for the end; None where *timeout* seconds were not enough."""
        if self._outcome is None and (timeout is None or timeout > 0):
            self._wait_before(threading.Lock(), timeout)
        return self._outcome

    def _wait_before(self, gate: threading.Lock, timeout: float | None) -> None:
        """Wait for the end, which opens *gate*; a condition would take ten times as long to make, and to tell."""
        gate.acquire()
        with _CHANGES:
            if self._outcome is not None:
                return
            if self._gates is None:
                self._gates = []
            self._gates.append(gate)
        try:
            gate.acquire(timeout=-1 if timeout is None else timeout)
        finally:
            if self._outcome is None:
                self._leave(gate)

    def _leave(self, gate: threading.Lock) -> None:
        """Wait at *gate* no more, before the end has come."""
        with _CHANGES:
            if self._outcome is None and self._gates is not None:
                self._gates.remove(gate)


def _carried(error: StopIteration) -> RuntimeError:
    carrier = RuntimeError(f"the call ended as {error!r}")
    carrier.__cause__ = error
    return carrier


def raise_error(outcome: Outcome) -> NoReturn:
    """Raise the error of *outcome*."""
    error = outcome.error
    assert error is not None
    look_at(outcome)
    try:
        raise CancelledError if isinstance(error, CancelledError) else error
    finally:
        del outcome, error  # they would tie the error to its own traceback
