"""Folding interceptors into one `Stage`, once per method.

A stage hands the outcome up by calling ``done`` and so needs neither a future nor a thread of its own; futures are made
only where a user's `Interceptor` asks for one.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Sequence
from typing import Any, TypeGuard

from ..callbacks import CallbackExecutor
from ..context import enter_callback
from ..future import InvocationFuture
from ..invocation import CallRecord, Done, Invocation, Outcome, Stage
from .api import Interceptor, Observer

_LOG = logging.getLogger("callahead.consumer.interceptor")


def fold(interceptors: Sequence[Interceptor | Observer], terminal: Stage, callbacks: CallbackExecutor) -> Stage:
    """Make the stage that runs *interceptors*, the first outermost, and then *terminal*.

    Neighbouring observers that are ``inline`` share a stage, since they are many and cheap.
    """
    stage = terminal
    group: list[Observer] = []
    for interceptor in reversed(interceptors):
        if is_harmless(interceptor):
            group.insert(0, interceptor)
            continue
        stage = _observed(group, stage)
        group = []
        if isinstance(interceptor, Observer):
            stage = _observed_aside(interceptor, stage, callbacks)
        else:
            stage = _intercepted(interceptor, stage, callbacks)
    return _observed(group, stage)


def is_inline(interceptor: object) -> bool:
    """Tell whether the completion side may run on any thread, I/O threads included."""
    return bool(getattr(interceptor, "inline", False))


def is_harmless(interceptor: Interceptor | Observer) -> TypeGuard[Observer]:
    """Tell whether *interceptor* cannot hold a call up: it only watches, and says that it never blocks."""
    return isinstance(interceptor, Observer) and is_inline(interceptor)


def answer(invocation: Invocation, value: Any = None, error: BaseException | None = None) -> InvocationFuture:
    """Make a settled future: how an interceptor answers without a provider."""
    future = InvocationFuture(invocation, _NO_CALLBACKS)
    future.settle(Outcome(value, error))
    return future


# A settled future's callbacks run at once; the executor is closed so that it never starts a thread.
_NO_CALLBACKS = CallbackExecutor(1)
_NO_CALLBACKS.close(wait=False)


def _observed(observers: Sequence[Observer], following: Stage) -> Stage:
    if not observers:
        return following
    starts = tuple(observer.on_start for observer in observers)
    ends = tuple(observer.on_end for observer in observers)

    def stage(invocation: Invocation, done: Done) -> None:
        tokens: list[Any] = []

        def finish(outcome: Outcome) -> None:
            for number in range(len(tokens) - 1, -1, -1):
                try:
                    ends[number](tokens[number], outcome)
                except Exception:
                    _LOG.exception("%r raised at the end of %s", ends[number], invocation.record.name)
            done(outcome)

        try:
            for on_start in starts:
                tokens.append(on_start(invocation))  # noqa: PERF401 - one that raises must leave those before it
        except Exception as error:  # whatever an observer raises ends this call, in order
            finish(Outcome(error=error))
            return
        following(invocation, finish)

    return stage


def _observed_aside(observer: Observer, following: Stage, callbacks: CallbackExecutor) -> Stage:
    """Like `_observed`, with ``on_end`` on a callback thread, where it may block."""
    on_end = observer.on_end

    def stage(invocation: Invocation, done: Done) -> None:
        try:
            token = observer.on_start(invocation)
        except Exception as error:  # as in _observed
            done(Outcome(error=error))
            return

        def finish(outcome: Outcome) -> None:
            try:
                on_end(token, outcome)
            except Exception:
                _LOG.exception("%r raised at the end of %s", on_end, invocation.record.name)
            done(outcome)

        following(invocation, _aside(invocation, finish, callbacks))

    return stage


def _aside(invocation: Invocation, finish: Done, callbacks: CallbackExecutor) -> Done:
    context = contextvars.copy_context()
    record = invocation.record

    def done(outcome: Outcome) -> None:
        if record.on_callers_thread():
            finish(outcome)
        else:
            callbacks.submit(context, f"interceptor of {record.name}", _finish_in_context, record, finish, outcome)

    return done


def _finish_in_context(record: CallRecord, finish: Done, outcome: Outcome) -> None:
    enter_callback(record, None)
    finish(outcome)


def _intercepted(interceptor: Interceptor, following: Stage, callbacks: CallbackExecutor) -> Stage:
    intercept = interceptor.intercept
    inline = is_inline(interceptor)

    def call_next(invocation: Invocation) -> InvocationFuture:
        future = InvocationFuture(invocation, callbacks)
        future._inline = inline
        following(invocation, future.settle)
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
        future.when_settled(done)

    return stage
