"""One try of a call by itself: numbered, stopped, changed and taken over by the record of its call."""

from __future__ import annotations

from typing import Any

import pytest
from support.attempts import attempt_of, provider_at

from callahead.config.policy import MethodPolicy
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import NO_ATTACHMENTS
from callahead.consumer.errors import ConnectFailed
from callahead.consumer.runtime.deadline import Deadline

POLICY = MethodPolicy(reference="foo", method="find")


class Carried:
    """What a transport has under way."""

    def __init__(self) -> None:
        self.cancels = 0

    def cancel(self) -> None:
        self.cancels += 1


def another(attempt: Attempt, host: str = "h2") -> Attempt:
    """Make one more attempt of the same call."""
    return Attempt(attempt.invocation, provider_at(host=host), waits=False)


def test_attempts_are_numbered_and_the_record_shows_the_newest() -> None:
    """While the call runs, its record tells how many there were and whom the last one asks."""
    first = attempt_of(POLICY, provider=provider_at(host="h1"))
    second, third = another(first, "h2"), another(first, "h3")
    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert (first.record.attempts, first.record.endpoint) == (3, "tri://h3:50051")


def test_an_attempt_has_what_an_interceptor_reads_of_an_invocation() -> None:
    """An interceptor with scope "attempt" needs no other names."""
    attempt = attempt_of(POLICY, 1, 2)
    invocation = attempt.invocation
    names = ("policy", "method", "args", "kwargs", "attachments", "record")
    assert [getattr(attempt, name) for name in names] == [getattr(invocation, name) for name in names]
    assert attempt.deadline.at == invocation.deadline.at


def test_cancelling_the_call_stops_every_attempt() -> None:
    """Those that run at that moment, and those that come after it."""
    first = attempt_of(POLICY)
    second = another(first)
    running = [Carried(), Carried(), Carried()]
    first.carried_by(running[0])
    second.carried_by(running[1])
    first.record.cancel()
    late = another(first)
    late.carried_by(running[2])
    assert [one.cancels for one in running] == [1, 1, 1]
    assert late.is_cancelled


def test_cancelling_one_attempt_stops_no_other() -> None:
    """The call goes on."""
    first = attempt_of(POLICY)
    second, kept, stopped = another(first), Carried(), Carried()
    first.carried_by(stopped)
    second.carried_by(kept)
    first.cancel()
    assert (stopped.cancels, kept.cancels) == (1, 0)
    assert not first.record.is_cancelled


def test_what_carries_a_cancelled_attempt_is_stopped_at_once() -> None:
    """The cancellation may come before the transport has anything to stop."""
    attempt, carried = attempt_of(POLICY), Carried()
    attempt.cancel()
    attempt.carried_by(carried)
    assert carried.cancels == 1


def test_the_end_of_the_call_lets_go_of_its_attempts() -> None:
    """The record outlives the call, and must not keep its arguments."""
    first = attempt_of(POLICY)
    another(first)
    first.record.end(1.0)
    assert (first.record.first, first.record.further) == (None, ())


def test_a_changed_attempt_is_the_same_try() -> None:
    """It has the same number and provider, other attachments, and nothing of what came back to the one before."""
    attempt = attempt_of(POLICY)
    attempt.timeout, attempt.is_sent, attempt.response_attachments = 1.0, True, {"a": "1"}
    changed = attempt.replace(attachments={"tenant": "north"}, deadline=Deadline(7.0))
    assert (changed.number, changed.provider, changed.record) == (attempt.number, attempt.provider, attempt.record)
    assert (changed.attachments, changed.deadline.at, changed.timeout) == ({"tenant": "north"}, 7.0, 0.0)
    assert (changed.is_sent, changed.response_attachments) == (False, NO_ATTACHMENTS)
    assert (attempt.attachments, attempt.record.attempts) == ({}, 1)


@pytest.mark.parametrize("name", ["args", "kwargs", "provider"])
def test_what_is_encoded_or_chosen_cannot_be_changed(name: str) -> None:
    """A change without effect would be worse than an error."""
    with pytest.raises(TypeError, match=f'cannot replace "{name}"; only attachments and deadline'):
        attempt_of(POLICY).replace(**{name: None})


def test_the_one_before_stops_the_changed_one() -> None:
    """A cluster knows only the attempt that it made; changed twice, the newest is reached as well."""
    attempt, carried = attempt_of(POLICY), Carried()
    attempt.replace()
    attempt.replace().carried_by(carried)
    attempt.cancel()
    assert carried.cancels == 1


def test_a_changed_attempt_of_a_cancelled_one_is_cancelled() -> None:
    """Whenever the cancellation came."""
    attempt, carried = attempt_of(POLICY), Carried()
    attempt.cancel()
    attempt.replace().carried_by(carried)
    assert carried.cancels == 1


def test_the_record_takes_over_from_the_attempt_that_decides() -> None:
    """Not from another one, be it newer."""
    first = attempt_of(POLICY, provider=provider_at(host="h1"))
    second = another(first)
    first.is_sent, first.response_attachments, first.protocol_trace = True, {"by": "h1"}, "trace"
    second.response_attachments = {"by": "h2"}
    first.decide()
    record = first.record
    assert (record.endpoint, record.is_sent) == ("tri://h1:50051", True)
    assert (record.response_attachments, record.protocol_trace) == ({"by": "h1"}, "trace")


def test_the_record_takes_over_what_became_of_a_changed_attempt() -> None:
    """The transport writes to the one that it was given."""
    attempt = attempt_of(POLICY)
    attempt.replace(attachments={"a": "1"}).response_attachments = {"b": "2"}
    attempt.decide()
    assert attempt.record.response_attachments == {"b": "2"}


def test_nothing_is_taken_over_once_the_call_has_ended() -> None:
    """A call that timed out keeps saying what it said then."""
    attempt: Any = attempt_of(POLICY)
    attempt.record.end(1.0)
    attempt.response_attachments = {"too": "late"}
    attempt.decide()
    assert attempt.record.response_attachments == NO_ATTACHMENTS


def test_an_error_names_its_own_attempt() -> None:
    """Not the newest of the call."""
    first = attempt_of(POLICY, provider=provider_at(host="h1"))
    another(first)
    error = ConnectFailed("refused", not_sent=True)
    first.blame(error, lambda: 0.5)
    assert (error.reference, error.method, error.endpoint) == ("foo", "find", "tri://h1:50051")
    assert (error.attempt, error.elapsed_ms) == (1, 500.0)
