"""A `concurrent.futures.Future` that makes its lock only when somebody waits.

The base class makes a condition, a deque and three lists with each future: 1.4 KB and a microsecond, for the rare
thread that comes to wait before the answer does. Here a change of state takes one short lock that all futures share,
and the future's own condition, too, once a waiter has asked for it. What the standard library does to futures from
outside (``wait``, ``as_completed``) goes on working: it reads ``_state`` and adds to ``_waiters`` under ``_condition``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Any

from .forking import fork_safe_lock

_LOG = logging.getLogger("callahead.consumer.future")

# The base class' own names of its states, which wait() and as_completed() compare with.
_PENDING = "PENDING"
CANCELLED = "CANCELLED_AND_NOTIFIED"
FINISHED = "FINISHED"

# Held for single assignments. A future's condition, where there is one, is taken before it, never after.
_CHANGES = fork_safe_lock()


class SettlingFuture(Future[Any]):
    """A future that settles once: with a result, an exception or a cancellation, whichever comes first."""

    def __init__(self) -> None:  # the base class' would make what this one is here to spare
        self._state = _PENDING
        self._result: Any = None
        self._exception: BaseException | None = None
        self._due: list[Callable[[Any], object]] | None = None

    def __getattr__(self, name: str) -> Any:
        """Make, at first use, what only a waiter needs; Python asks here for missing attributes alone."""
        if name == "_condition":
            with _CHANGES:
                return self.__dict__.setdefault("_condition", threading.Condition())
        if name == "_waiters":
            return self.__dict__.setdefault("_waiters", [])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def _settle(self, state: str, result: Any, exception: BaseException | None) -> bool:
        """Change from pending to *state*, once; False where that was done before."""
        changed = self._change_unwaited(state, result, exception)
        if changed is None:
            with self._condition:
                with _CHANGES:
                    changed = self._change(state, result, exception)
                if changed:
                    self._tell_waiters(state, exception)
        if changed:
            self._run_due()
        return changed

    def _change_unwaited(self, state: str, result: Any, exception: BaseException | None) -> bool | None:
        """Change as `_settle` does where nobody has come to wait; None, and no change, where somebody has."""
        with _CHANGES:
            return None if "_condition" in self.__dict__ else self._change(state, result, exception)

    def _change(self, state: str, result: Any, exception: BaseException | None) -> bool:
        if self._state is not _PENDING:
            return False
        self._result, self._exception, self._state = result, exception, state
        return True

    def _tell_waiters(self, state: str, exception: BaseException | None) -> None:
        for waiter in self.__dict__.get("_waiters", ()):
            if state is CANCELLED:
                waiter.add_cancelled(self)
            elif exception is None:
                waiter.add_result(self)
            else:
                waiter.add_exception(self)
        self._condition.notify_all()

    def _run_due(self) -> None:
        due, self._due = self._due, None
        for function in due or ():
            self._call(function)

    def _call(self, function: Callable[[Any], object]) -> None:
        try:
            function(self)
        except Exception:
            _LOG.exception("%r raised over %r", function, self)

    def _once_done(self, function: Callable[[Any], object]) -> None:
        """Call ``function(self)`` on the thread that settles, or now."""
        with _CHANGES:
            if self._state is _PENDING:
                if self._due is None:
                    self._due = []
                self._due.append(function)
                return
        self._call(function)

    def cancel(self) -> bool:
        """End as cancelled; True where this, or an earlier call of it, did so."""
        return self._settle(CANCELLED, None, None) or self.cancelled()

    def set_result(self, result: Any) -> None:
        """End with *result*; raises `concurrent.futures.InvalidStateError` where it has ended."""
        if not self._settle(FINISHED, result, None):
            raise InvalidStateError(f"{self._state}: {self!r}")

    def set_exception(self, exception: BaseException | None) -> None:
        """End with *exception*; raises `concurrent.futures.InvalidStateError` where it has ended."""
        if not self._settle(FINISHED, None, exception):
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

    def _wait(self, timeout: float | None) -> bool:
        """Wait for the end; False where *timeout* seconds were not enough."""
        if self._state is not _PENDING:
            return True
        with self._condition:
            return self._condition.wait_for(self.done, timeout)

    def _outcome_or_raise(self) -> Any:
        if self._state is CANCELLED:
            raise CancelledError
        if self._exception is None:
            return self._result
        try:
            raise self._exception
        finally:
            del self  # it would tie the error to its own traceback
