"""Which call expires when, against a sorted list."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from callahead.consumer.transport.dubbo.call import Call
from callahead.consumer.transport.dubbo.expiry import NEVER, Expiry


def call_of(begun: float, timeout: float) -> Call:
    """Make a call that knows nothing but when it expires."""
    unused: Any = None
    return Call(0, b"", True, timeout, begun + timeout, unused, unused, unused)


CALLS = st.lists(
    st.tuples(st.floats(0, 10), st.sampled_from([0.1, 0.999, 1.0, 1.0001, 5.0]), st.booleans()), max_size=40
)


@given(CALLS, st.lists(st.floats(0, 20), max_size=10))
def test_every_call_expires_in_time(calls: list[tuple[float, float, bool]], looks: list[float]) -> None:
    """At any time exactly the calls that have expired and not ended are due, once each, whatever their order."""
    expiry = Expiry()
    made = [call_of(begun, timeout) for begun, timeout, _ in calls]
    for call in made:
        expiry.add(call)
    for call, (_, _, ended) in zip(made, calls, strict=True):
        call.ended = ended
    waiting = [call for call in made if not call.ended]
    for now in sorted(looks):
        due = list(expiry.due(now))
        expected = [call for call in waiting if call.expires <= now]
        assert {id(call) for call in due} == {id(call) for call in expected}
        assert len(due) == len(expected)
        waiting = [call for call in waiting if call.expires > now]
        assert expiry.next_at() <= min((call.expires for call in waiting), default=NEVER)


@given(CALLS)
def test_the_clock_is_never_set_too_late(calls: list[tuple[float, float, bool]]) -> None:
    """Whoever sets the clock whenever `add` says so is asked no later than the first call expires."""
    expiry = Expiry()
    alarm = NEVER
    made = [call_of(begun, timeout) for begun, timeout, _ in calls]
    for call in made:
        if expiry.add(call):
            alarm = min(alarm, call.expires)
    assert alarm == min((call.expires for call in made), default=NEVER)


def test_nothing_is_never_due() -> None:
    """An empty queue asks for no tick."""
    expiry = Expiry()
    assert (expiry.next_at(), list(expiry.due(1e9)), len(expiry)) == (NEVER, [], 0)


def test_a_call_that_was_handed_over_late_expires_first() -> None:
    """A call put behind younger ones of its timeout is still the first to expire."""
    expiry = Expiry()
    expiry.add(call_of(5.0, 1.0))
    old = call_of(1.0, 1.0)
    assert expiry.add(old)
    assert list(expiry.due(2.0)) == [old]


def test_what_is_left_of_a_total_timeout_shares_a_queue() -> None:
    """Timeouts that differ by microseconds do not make one queue each."""
    expiry = Expiry()
    for number in range(1000):
        expiry.add(call_of(number * 1e-5, 1.0 - number * 1e-7))
    assert len(expiry._queues) == 1


def test_ended_calls_do_not_stay() -> None:
    """Calls that end in order are forgotten at once."""
    expiry = Expiry()
    calls = [call_of(0.0, 1.0) for _ in range(10)]
    for call in calls:
        expiry.add(call)
    for call in calls[:9]:
        call.ended = True
    expiry.trim(1)
    assert len(expiry) == 1


def test_ended_calls_do_not_pile_up_behind_a_slow_one() -> None:
    """Behind one call that takes long only so many ended ones are remembered."""
    expiry = Expiry()
    slow = call_of(0.0, 60.0)
    expiry.add(slow)
    longest = 0
    for number in range(20_000):
        call = call_of(number * 1e-4, 60.0)
        expiry.add(call)
        call.ended = True
        expiry.trim(1)
        longest = max(longest, len(expiry))
    assert longest < 1100
    assert list(expiry.due(60.0)) == [slow]
