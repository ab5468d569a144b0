"""`Scope`: calls that begin in one stretch of code and end with it."""

from __future__ import annotations

import contextvars
import os
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, get_args

from callahead.registry.forking import fork_safe_condition

from ..call.collected import Collector
from ..call.current import current_collector, set_collector
from ..call.future import InvocationFuture
from ..call.invocation import CallRecord, Collected, Invocation, Outcome
from ..reference.caller import Chain, MethodBinding
from ..reference.ending import Runtime
from ..runtime.deadline import GRACE_S
from .scoped_call import ScopedCall
from .timeline import Timeline
from .trace import CallTrace, call_site, timeline_of

OnError = Literal["cancel_rest", "wait_all", "first_ok"]
"""What the end of one call means for the others of its scope."""

_FOREVER = float("inf")
_PLAIN = (str, bytes, int, float, bool, type(None))
"""Types whose values may be the same object without having come from one another."""


class _GivenUp(CancelledError):
    """Gets the code of a scope that was given up out of it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the calls of a scope have come.

    Attributes:
        begun: Calls begun so far; synchronous ones, one-way ones and repetitions count, streams do not.
        running: Of these, not ended.
        failed: Of these, ended with an error.
        cancelled: Of these, given up.
    """

    begun: int
    running: int
    failed: int
    cancelled: int

    @property
    def ok(self) -> int:
        """Calls that ended well."""
        return self.begun - self.running - self.failed - self.cancelled


class Scope:
    """Collects the calls that the code within begins, however deep, and waits for them at its end.

    ::

        with consumer.scope(timeout=2) as calls:
            foo_service.find_foo(foo_id)
            bar_service.find_bar(bar_id)
        foo, bar = calls.results()

    It collects what its own thread or task begins, and what threads and tasks begin that carry a copy of its context:
    tasks of asyncio do, threads where they are run by `contextvars.copy_context`. A scope within a scope waits for its
    own calls; the outer one bounds them, too, and shows them in its `timeline`.

    When the block is left by an exception of its own, that goes on unchanged once the calls have ended; they are
    cancelled first, but with ``wait_all``. Otherwise, where calls failed whose answers were to come, an
    `ExceptionGroup` of their errors is raised. The error of a one-way call is none of it: it is told as ever.

    Args:
        runtime: Of the consumer whose calls are collected.
        timeout: Seconds for all calls together, repetitions included; None leaves each to its own.
        on_error: ``wait_all`` lets the others go on. With ``cancel_rest`` the first failure cancels them, with
            ``first_ok`` the first answer does, and failures count only where there is none. A call that would begin
            after that raises `concurrent.futures.CancelledError`, which ends with the block.
        retry_failed: How often those that failed are repeated at the end of the block, all others being done: calls
            that a provider cannot have run, and whatever fails of ``idempotent`` methods but for errors of the method
            itself. The futures that were handed out keep their failure, `results` has the new answer.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self, runtime: Runtime, *, timeout: float | None = None, on_error: OnError = "wait_all", retry_failed: int = 0
    ) -> None:
        _check(timeout, on_error, retry_failed)
        self._runtime = runtime
        self._timeout = _FOREVER if timeout is None else timeout
        self._on_error = on_error
        self._rounds_left = retry_failed
        self._changed = fork_safe_condition()
        self._calls: list[ScopedCall] = []
        self._answers: dict[int, CallTrace] = {}  # by the identity of their values
        self._traces: list[CallTrace] = []  # of these, and of the calls in the scopes within
        self._running = 0
        self._first: ScopedCall | None = None
        self._before: Collector | None = None  # of the context
        self._outer: Collector | None = None
        self._state: Literal["new", "open", "given up", "over"] = "new"
        self._began = self.ends = self._wall_ms = 0.0
        self._code_ms: float | None = None
        self._site = ""
        self._process = 0

    # What the calls ask of it

    def collect(
        self, binding: MethodBinding, chain: Chain, invocation: Invocation, needed: Sequence[CallRecord]
    ) -> Collected | None:
        """Take a call that is about to begin; see `callahead.consumer.call.collected.Collector`."""
        if binding.runtime is not self._runtime or self._state == "over":
            return None if self._outer is None else self._outer.collect(binding, chain, invocation, needed)
        if self._state == "given up":
            raise _GivenUp(f"{self!r} was given up: no further call begins in it")
        invocation.ends = min(invocation.ends, self.ends)
        call = ScopedCall(self, binding, chain, invocation, needed, is_kept=self._rounds_left > 0)
        given = {id(one) for one in (*invocation.args, *invocation.kwargs.values())}
        with self._changed:
            call.needs |= {self._answers[one] for one in given if one in self._answers}
            self._calls.append(call)
        self.follow(call)
        return call

    def follow(self, trace: CallTrace) -> None:
        """Show a call of this scope, or of one within it, in the timeline."""
        self._traces.append(trace)
        if self._outer is not None:
            self._outer.follow(trace)

    def began_one(self) -> None:
        """Count a call that runs from now on."""
        with self._changed:
            self._running += 1

    def ended_one(self, call: ScopedCall, outcome: Outcome, *, was_running: bool) -> None:
        """Count the end of *call*, and do what that means for the others."""
        with self._changed:
            self._running -= was_running
            if outcome.error is None and call.future is not None:
                self._first = self._first or call
                if not isinstance(outcome.value, _PLAIN):
                    self._answers[id(outcome.value)] = call
            self._changed.notify_all()
        if self._state == "open" and self._ends_by(call, outcome):
            self.cancel()

    def _ends_by(self, call: ScopedCall, outcome: Outcome) -> bool:
        if call.future is None:
            return False
        if outcome.error is None:
            return self._on_error == "first_ok"
        is_failure = self._on_error == "cancel_rest" and not isinstance(outcome.error, CancelledError)
        return is_failure and not (self._rounds_left and call.may_be_repeated())

    # What its users ask

    def cancel(self) -> None:
        """Give up the calls that run, and let no further one begin; any thread."""
        if self._state == "open":
            self._state = "given up"
        for call in list(self._calls):
            call.cancel()

    def progress(self) -> Progress:
        """Count the calls as of this moment."""
        calls = [call for call in list(self._calls) if call.has_begun]
        errors = [call.outcome.error for call in calls if call.outcome is not None]
        cancelled = sum(isinstance(error, CancelledError) for error in errors)
        failed = sum(error is not None for error in errors) - cancelled
        return Progress(len(calls), len(calls) - len(errors), failed, cancelled)

    @property
    def futures(self) -> tuple[InvocationFuture, ...]:
        """The futures of the calls that have one, in the order in which they were begun; without repetitions."""
        return tuple(call.future for call in self._answering() if call.future is not None)

    def results(self) -> list[Any]:
        """Wait, and return the answers of the calls that have a future, in the order in which they were begun.

        With ``first_ok`` it is the one answer that came first.

        Raises:
            ExceptionGroup: Some failed; the very errors.
            concurrent.futures.CancelledError: None failed, but some were given up.
        """
        self._wait()
        if self._on_error == "first_ok" and self._first is not None:
            return [self._first.value()]
        self._raise_failures()
        return [call.latest.value() for call in self._answering()]

    def timeline(self) -> Timeline:
        """Show the calls so far beside one another, streams and those of the scopes within included."""
        now = self._since_began_ms()
        wall_ms = self._wall_ms if self._state == "over" else now
        return timeline_of(self._traces, self._began, wall_ms, now if self._code_ms is None else self._code_ms)

    def _since_began_ms(self) -> float:
        return (self._runtime.clock() - self._began) * 1000

    def _answering(self) -> list[ScopedCall]:
        return [call for call in list(self._calls) if call.future is not None and not call.is_repetition]

    def _failures(self) -> list[BaseException]:
        if self._on_error == "first_ok" and self._first is not None:
            return []
        errors = (call.latest.error_seen() for call in self._answering())
        return [error for error in errors if error is not None and not isinstance(error, CancelledError)]

    def _raise_failures(self) -> None:
        failures = self._failures()
        if failures:
            count = len(self._answering())
            raise BaseExceptionGroup(f"{len(failures)} of {count} calls failed in {self!r}", failures)

    # Beginning and end

    def __enter__(self) -> Self:
        if self._state != "new":
            raise RuntimeError(f"{self!r} was entered before; make another one")
        self._began = self._runtime.clock()
        self.ends = self._began + self._timeout
        self._site, self._process = call_site(), os.getpid()
        self._before = current_collector()
        self._outer = outer = self._before or self._runtime.everywhere
        if outer is not None:
            self.ends = min(self.ends, outer.ends)
        self._state = "open"
        set_collector(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        set_collector(self._before)
        try:
            self._finish(error)
        finally:
            self._end()
        return self._tell(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Wait on a thread, for the loop must go on; a task that is cancelled meanwhile cancels the calls."""
        import asyncio

        set_collector(self._before)
        try:
            await asyncio.to_thread(self._finish, error)
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            self._end()
        return self._tell(error)

    def _end(self) -> None:
        self._wall_ms = self._since_began_ms()
        self._state = "over"

    def _finish(self, error: BaseException | None) -> None:
        """Let the calls end, and those that failed be repeated."""
        self._code_ms = self._since_began_ms()
        if error is not None and not (self._on_error == "wait_all" and isinstance(error, Exception)):
            self.cancel()
        try:
            self._wait()
            while error is None and self._rounds_left and self._state == "open":
                self._rounds_left -= 1
                if not self._repeat():
                    break
                self._wait()
        except BaseException:  # Ctrl-C
            self.cancel()
            raise

    def _repeat(self) -> bool:
        """Begin the calls once more that failed, in a context that the user's does not hear of; False for none."""
        if self._on_error == "first_ok" and self._first is not None:
            return False
        failed = [call for call in self._answering() if call.latest.may_be_repeated()]
        context = contextvars.copy_context()
        context.run(set_collector, self)
        for call in failed:
            call.latest = context.run(call.latest.repeat)
        return bool(failed)

    def _wait(self) -> None:
        """Wait until nothing runs. The calls see to it that they end in time; what does not, is given up."""
        if self._process != os.getpid():
            return  # they are the parent's
        left = None if self.ends == _FOREVER else max(0.0, self.ends - self._runtime.clock()) + GRACE_S
        with self._changed:
            in_time = self._changed.wait_for(lambda: self._running == 0, left)
        if not in_time:
            self.cancel()

    def _tell(self, error: BaseException | None) -> bool:
        """Raise what went wrong with the calls, unless the block has gone wrong itself; True to let its error end."""
        is_ours = isinstance(error, _GivenUp)
        if error is None or is_ours:
            self._raise_failures()
        return is_ours

    def __repr__(self) -> str:
        return f"<Scope begun at {self._site or 'no line yet'}: {len(self._calls)} calls, {self._running} running>"


def _check(timeout: float | None, on_error: str, retry_failed: int) -> None:
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error is one of {', '.join(get_args(OnError))}, not {on_error!r}")
    if timeout is not None and not 0 <= timeout < _FOREVER:
        raise ValueError(f"timeout is in seconds, 0 or more, not {timeout!r}")
    if retry_failed < 0:
        raise ValueError(f"retry_failed is 0 or more, not {retry_failed!r}")
