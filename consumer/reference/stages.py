"""The framework's own stages beneath the interceptors: encode once per call, bound and judge each attempt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial

from ..call.attempt import Attempt
from ..call.current import keep_last_call
from ..call.invocation import Done, Invocation, Outcome, Stage, blame
from ..call.provider import Provider
from ..cluster.health import Health
from ..errors import CallTimeout, LocalProtocolError, RpcError
from ..loadbalance.api import AttemptWatcher
from ..runtime.deadline import Clock
from ..runtime.overflow import Overflow

Choose = Callable[[Invocation], Provider]
"""Returns the provider of a streaming call; raises `NoProviderAvailable`."""


def apart(following: Stage) -> Stage:
    """Make the stage that lets the calls of whoever stands beneath it leave the context as the user's own call does."""

    def stage(invocation: Invocation, done: Done) -> None:
        keep_last_call(following, invocation, done)

    return stage


def after_room(overflow: Overflow, following: Stage, clock: Clock) -> Stage:
    """Make the stage in which the caller of what it does not wait for waits until callbacks have room."""

    def stage(invocation: Invocation, done: Done) -> None:
        if invocation.blocking or overflow.wait_for_room(invocation.ends - clock()):
            following(invocation, done)
            return
        text = "as many callbacks as callback_executor.queue allows waited until the call's time had passed"
        done(Outcome(error=CallTimeout(text, not_sent=True)))

    return stage


def encoded(following: Stage, clock: Clock) -> Stage:
    """Make the stage that encodes, once per call, however many attempts follow."""

    def stage(invocation: Invocation, done: Done) -> None:
        try:
            invocation.request = invocation.carrier.encode(invocation.args, invocation.kwargs)
        except Exception as error:  # a codec may raise anything over a user's arguments
            ours = _ours(error, invocation, "the arguments cannot be encoded", not_sent=True)
            blame(ours, invocation.record, clock)
            done(Outcome(error=ours))
            return
        following(invocation, done)

    return stage


def streamed(choose: Choose, health: Health, watcher: AttemptWatcher | None, clock: Clock) -> Stage:
    """Make the stage of a streaming method, which asks the one provider that *choose* gives, once.

    That is for uploads. Those whose answers are a stream go to the transport by themselves, and are refused here.
    """
    bottom = Transported(health, watcher, clock)

    def stage(invocation: Invocation, done: Done) -> None:
        if not invocation.carrier.is_upload:
            text = f"{invocation.record.name} streams, and cannot be called as if it did not"
            done(Outcome(error=LocalProtocolError(text, not_sent=True)))
            return
        try:
            attempt = Attempt(invocation, choose(invocation), waits=False)
        except RpcError as error:
            done(Outcome(error=error))
            return
        bottom(attempt, partial(_decide, attempt, done))

    return encoded(stage, clock)


def _decide(attempt: Attempt, done: Done, outcome: Outcome) -> None:
    attempt.decide()
    done(outcome)


def _ours(error: Exception, invocation: Invocation, text: str, *, not_sent: bool) -> RpcError:
    """Return *error* itself, or where it is foreign the one of ours that it is the cause of."""
    if isinstance(error, RpcError):
        return error
    carrier = type(invocation.carrier).__name__
    ours = LocalProtocolError(f"{text}: {carrier} raised {error!r}", not_sent=not_sent, in_doubt=not not_sent)
    ours.__cause__ = error
    return ours


def _of_attempt(error: BaseException, attempt: Attempt) -> BaseException:
    """Return what ends *attempt*, out of whose sending *error* came; whether anything was sent is not known.

    On the thread that waits it may come from a signal handler, and must reach the caller as it is.
    """
    if attempt.waits or not isinstance(error, Exception):
        return error
    return _ours(error, attempt.invocation, "the attempt could not be made", not_sent=False)


def _too_late(invocation: Invocation) -> BaseException:
    """Make the error of an attempt for which there is no time, or of whose call the request may have been let go."""
    if invocation.record.ended is not None:
        return CancelledError()
    record = invocation.record
    given = (invocation.ends - record.started) * 1000  # a scope or an interceptor may have given less than the policy
    is_own = invocation.ends >= record.ends
    what = f"total timeout of {given:.0f} ms" if is_own else f"{given:.0f} ms that a scope or an interceptor left it"
    return CallTimeout(f"the {what} had passed before the attempt began", not_sent=True)


class Transported:
    """The slots ``health`` and ``timeout``, and the transport: bounds one attempt, and judges by its end.

    Args:
        health: Judges providers.
        watcher: Told of the begin and the end of every attempt, or None.
        clock: Monotonic seconds.
    """

    __slots__ = ("clock", "health", "watcher")

    def __init__(self, health: Health, watcher: AttemptWatcher | None, clock: Clock) -> None:
        self.health = health
        self.watcher = watcher
        self.clock = clock

    def __call__(self, attempt: Attempt, done: Done) -> None:
        """Send *attempt*; an `AttemptStage`."""
        if attempt.timeout:  # an interceptor that calls on once more makes one more request of the same try
            attempt = attempt.replace()
        invocation = attempt.invocation
        now = self.clock()
        timeout, left = invocation.policy.timeout_ms / 1000, invocation.ends - now
        if left < timeout:
            timeout = left
        attempt.timeout, attempt.ends = timeout, now + timeout
        if attempt.waits and invocation.record.thread != threading.get_ident():
            attempt.waits = False
        finish = _EndOfAttempt(self, attempt, done)
        if self.watcher is not None:
            self.watcher.attempt_began(attempt)
        if timeout <= 0 or invocation.record.ended is not None:
            finish(Outcome(error=_too_late(invocation)))
            return
        try:
            invocation.carrier.send(attempt, finish)
        except BaseException as error:  # Ctrl-C, any signal handler's, or of a transport that breaks its word
            if not finish.ended:
                attempt.cancel()
            if not finish.ended:
                finish(Outcome(error=_of_attempt(error, attempt)))
            if attempt.waits or not isinstance(error, Exception):
                raise


class _EndOfAttempt:
    """The end of one attempt; one object, where a closure would be seven for the garbage collector."""

    __slots__ = ("_attempt", "_done", "_stage", "ended")

    def __init__(self, stage: Transported, attempt: Attempt, done: Done) -> None:
        self._stage = stage
        self._attempt = attempt
        self._done = done
        self.ended = False

    def __call__(self, outcome: Outcome) -> None:
        if self.ended:  # a signal handler broke into the sending, and the transport went on
            return
        self.ended = True
        stage, attempt, error = self._stage, self._attempt, outcome.error
        attempt.carried = attempt.request = None  # the one mostly refers back to the attempt, the other may be large
        if error is not None:
            attempt.blame(error, stage.clock)
        if error is not None or attempt.provider.is_watched:
            stage.health.judge(attempt, error)
        if stage.watcher is not None:
            stage.watcher.attempt_ended(attempt, outcome)
        self._done(outcome)
