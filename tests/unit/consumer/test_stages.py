"""The last stage of an attempt: its time, and what comes out of a transport instead of an outcome."""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import pytest
from support.attempts import attempt_of
from support.clock import FakeClock

from callahead.config.attempts import Outlier
from callahead.config.policy import MethodPolicy
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import Done, Outcome
from callahead.consumer.cluster.directory import Directory
from callahead.consumer.cluster.health import Health
from callahead.consumer.errors import CallTimeout, ConnectFailed, LocalProtocolError
from callahead.consumer.reference.stages import Transported, encoded

POLICY = MethodPolicy(reference="foo", method="find", timeout_ms=500, total_timeout_ms=900)


class TimeLimit(Exception):
    """What a task queue's signal handler raises."""


class Carrier:
    """A `MethodTransport` that does as it is told."""

    def __init__(self, send: Callable[[Attempt, Done], None]) -> None:
        self.send = send


def send(carry: Callable[[Attempt, Done], None], *, left: float = 10.0, waits: bool = False) -> tuple[Attempt, Any]:
    """Send one attempt of a call that has so many seconds *left*; returns it with its outcomes."""
    clock = FakeClock()
    attempt = attempt_of(POLICY, carrier=Carrier(carry), ends=clock() + left)
    if waits:
        attempt.waits, attempt.record.thread = True, threading.get_ident()
    outcomes: list[Outcome] = []
    health = Health(Directory("tri", lambda _: None, clock), Outlier(), clock)
    Transported(health, None, clock)(attempt, outcomes.append)
    return attempt, outcomes


class Thing:
    """An argument that can be watched."""


class Choking:
    """A `MethodTransport` whose codec raises what is not ours, from within another such error."""

    def encode(self, args: tuple[Any, ...], kwargs: Any) -> None:
        """Fail with the arguments in each frame."""
        try:
            first, _ = args[0], kwargs["no such key"]
            del first
        except KeyError as error:
            raise ValueError("no bytes can be made of it") from error


def test_what_an_encoder_raises_says_where_and_keeps_none_of_the_arguments() -> None:
    """The causes of the error tell the lines that raised them, and hold nothing of what was there."""
    clock = FakeClock()
    outcomes: list[Outcome] = []
    watched = weakref.ref(thing := Thing())
    invocation = attempt_of(POLICY, thing, carrier=Choking()).invocation
    del thing
    encoded(lambda *_: None, clock)(invocation, outcomes.append)
    invocation.record.end(clock())
    del invocation
    error = outcomes[0].error
    assert isinstance(error, LocalProtocolError)
    assert watched() is None
    failure = error.__cause__
    assert isinstance(failure, ValueError)
    for origin in (failure, failure.__cause__):
        assert origin is not None
        assert origin.__traceback__ is None
        assert re.fullmatch(rf"raised at {re.escape(__file__)}:\d+ in encode", origin.__notes__[0])


@pytest.mark.parametrize(("left", "timeout"), [(10.0, 0.5), (0.2, 0.2)])
def test_an_attempt_has_its_own_timeout_or_what_is_left(left: float, timeout: float) -> None:
    """Whichever is less; when it ends is told beside it."""
    attempt, _ = send(lambda _, done: done(Outcome(1)), left=left)
    assert attempt.timeout == pytest.approx(timeout)
    assert attempt.ends == pytest.approx(FakeClock()() + timeout)


def test_no_attempt_is_made_without_time() -> None:
    """The transport is not asked, so nothing was sent."""
    asked: list[Attempt] = []
    _, [outcome] = send(lambda attempt, _: asked.append(attempt), left=0.0)
    assert isinstance(outcome.error, CallTimeout)
    assert outcome.error.not_sent
    assert asked == []


def test_only_the_thread_that_waits_may_be_blocked() -> None:
    """An attempt that begins on another thread, as a repetition may, is told so."""
    seen: list[bool] = []
    send(lambda attempt, _: seen.append(attempt.waits), waits=True)
    other = threading.Thread(target=lambda: send(_on_another_thread(seen), waits=False))
    other.start()
    other.join()
    assert seen == [True, False]


def _on_another_thread(seen: list[bool]) -> Callable[[Attempt, Done], None]:
    return lambda attempt, _: seen.append(attempt.waits)


@pytest.mark.parametrize("error", [TimeLimit(), KeyboardInterrupt()])
def test_what_breaks_into_the_thread_that_waits_passes_unchanged(error: BaseException) -> None:
    """The attempt is cancelled, and ends with it."""
    made: list[Attempt] = []

    def carry(attempt: Attempt, _: Done) -> None:
        made.append(attempt)
        raise error

    with pytest.raises(type(error)) as caught:
        send(carry, waits=True)
    assert caught.value is error
    assert made[0].is_cancelled


def test_a_transport_that_breaks_its_word_leaves_the_call_in_doubt() -> None:
    """Nobody knows what it had sent by then."""

    def carry(_: Attempt, __: Done) -> None:
        raise ValueError("oops")

    attempt, [outcome] = send(carry)
    assert isinstance(outcome.error, LocalProtocolError)
    assert (outcome.error.in_doubt, outcome.error.not_sent) == (True, False)
    assert str(outcome.error.__cause__) == "oops"
    assert attempt.is_cancelled


def test_what_it_raises_after_the_end_changes_nothing() -> None:
    """The outcome is out."""

    def carry(_: Attempt, done: Done) -> None:
        done(Outcome("answer"))
        raise ValueError("oops")

    _, outcomes = send(carry)
    assert [outcome.value for outcome in outcomes] == ["answer"]


def test_an_error_of_ours_that_it_raises_is_the_outcome() -> None:
    """It knows best what became of the request."""
    made = ConnectFailed("refused", not_sent=True)

    def carry(_: Attempt, __: Done) -> None:
        raise made

    _, [outcome] = send(carry)
    assert outcome.error is made


def test_an_end_that_comes_after_what_broke_in_reaches_nobody() -> None:
    """A transport that a signal handler interrupted may have begun, and report later on."""
    ends: list[Done] = []

    def interrupted(_: Attempt, done: Done) -> None:
        ends.append(done)
        raise TimeLimit

    _, outcomes = send(interrupted)
    ends[0](Outcome("late"))
    assert len(outcomes) == 1


def test_an_end_that_comes_of_the_cancellation_is_the_only_one() -> None:
    """A transport that reports when it is stopped has reported."""

    def carry(attempt: Attempt, done: Done) -> None:
        class Stopping:
            def cancel(self) -> None:
                done(Outcome(error=CancelledError()))

        attempt.carried_by(Stopping())
        raise ValueError("oops")

    _, [outcome] = send(carry)
    assert isinstance(outcome.error, CancelledError)
