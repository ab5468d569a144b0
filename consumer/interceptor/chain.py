"""Folding interceptors into one `Stage`, once per method.

A stage hands the outcome up by calling ``done`` and so needs neither a future nor a thread of its own; futures are made
only where a user's `Interceptor` asks for one.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeGuard, TypeVar

from ..call.attempt import Attempt
from ..call.current import enter_callback
from ..call.future import InvocationFuture
from ..call.invocation import CallRecord, Done, Invocation, Outcome, Stage
from ..runtime.callbacks import CallbackExecutor
from .api import Interceptor, Observer

_LOG = logging.getLogger("callahead.consumer.interceptor")


_Asked = TypeVar("_Asked", Invocation, Attempt)


def fold(
    interceptors: Sequence[Interceptor | Observer],
    terminal: Callable[[_Asked, Done], None],
    callbacks: CallbackExecutor,
) -> Callable[[_Asked, Done], None]:
    """Make the stage that runs *interceptors*, the first outermost, and then *terminal*.

    Both chains are folded so: an attempt has all that an interceptor reads of an invocation.
    """
    stage: Any = terminal
    for interceptor in reversed(interceptors):
        if not isinstance(interceptor, Observer):
            stage = _intercepted(interceptor, stage, callbacks)
        elif is_harmless(interceptor):
            stage = _observed(interceptor, stage)
        else:
            stage = _observed(interceptor, stage, callbacks)
    return stage  # type: ignore[no-any-return]


def is_inline(interceptor: object) -> bool:
    """Tell whether the completion side may run on any thread, I/O threads included."""
    return bool(getattr(interceptor, "inline", False))


def is_harmless(interceptor: Interceptor | Observer) -> TypeGuard[Observer]:
    """Tell whether *interceptor* cannot hold a call up: it only watches, and says that it never blocks."""
    return isinstance(interceptor, Observer) and is_inline(interceptor)


def answer(invocation: Invocation, value: Any = None, error: BaseException | None = None) -> InvocationFuture:
    """Make a settled future: how an interceptor answers without a provider."""
    future = InvocationFuture(invocation, _NO_CALLBACKS)
    future._is_watched = False
    future._settle(Outcome(value, error))
    return future


# A settled future's callbacks run at once; the executor is closed so that it never starts a thread.
_NO_CALLBACKS = CallbackExecutor(1)
_NO_CALLBACKS.close(wait=False)


def _observed(observer: Observer, following: Stage, callbacks: CallbackExecutor | None = None) -> Stage:
    """Watch with *observer*; with *callbacks* its ``on_end`` runs there, where it may block."""
    on_start, on_end = observer.on_start, observer.on_end

    def stage(invocation: Invocation, done: Done) -> None:
        try:
            token = on_start(invocation)
        except Exception as error:  # whatever an observer raises ends this call, in order
            done(Outcome(error=error))
            return

        finish = _Finish(on_end, token, invocation, done)
        following(invocation, finish if callbacks is None else _aside(invocation, finish, callbacks))

    return stage


class _Finish:
    """The end of one observation.

    A closure would be five objects where this is one, and what a pending call is made of is what the garbage collector
    looks through again and again while many are in flight.
    """

    __slots__ = ("_done", "_invocation", "_on_end", "_token")

    def __init__(self, on_end: Callable[[Any, Outcome], None], token: Any, invocation: Invocation, done: Done) -> None:
        self._on_end = on_end
        self._token = token
        self._invocation = invocation
        self._done = done

    def __call__(self, outcome: Outcome) -> None:
        outcome = self._invocation.decide_on(outcome)
        try:
            self._on_end(self._token, outcome)
        except Exception:
            _LOG.exception("%r raised at the end of %s", self._on_end, self._invocation.record.name)
        self._done(outcome)


def _aside(invocation: Invocation, finish: Done, callbacks: CallbackExecutor) -> Done:
    context = contextvars.copy_context()
    record = invocation.record

    def done(outcome: Outcome) -> None:
        if record.on_callers_thread():
            finish(outcome)
        elif not record.hand_over(partial(finish, outcome)):
            what = f"interceptor of {record.name}"
            callbacks.submit(context, what, _finish_in_context, record, finish, outcome, brings=record)

    return done


def _finish_in_context(record: CallRecord, finish: Done, outcome: Outcome) -> None:
    enter_callback(record, None)
    finish(outcome)


def _intercepted(interceptor: Interceptor, following: Stage, callbacks: CallbackExecutor) -> Stage:
    intercept = interceptor.intercept
    inline = is_inline(interceptor)

    def call_next(invocation: Invocation) -> InvocationFuture:
        invocation.record.is_decided = False  # whatever observers were told before, the call goes on
        future = InvocationFuture(invocation, callbacks)
        future._inline, future._is_watched = inline, False
        following(invocation, future._settle)
        return future

    def stage(invocation: Invocation, done: Done) -> None:
        try:
            future: object = intercept(invocation, call_next)
            if not isinstance(future, InvocationFuture):
                name = type(interceptor).__name__
                raise TypeError(f"{name}.intercept returned {type(future).__name__}, not an InvocationFuture")
        except Exception as error:  # whatever an interceptor raises is the end of this call
            done(Outcome(error=error))
            return
        future._when_settled(done)

    return stage
