"""Which running call times out when, against a plain list of calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.dubbo_connection import unconnected

from callahead.config.policy import MethodPolicy
from callahead.consumer.deadline import Deadline
from callahead.consumer.errors import CallTimeout
from callahead.consumer.invocation import CallRecord, Invocation, Outcome
from callahead.consumer.transport.dubbo.call import Call
from callahead.consumer.transport.dubbo.link import State
from callahead.consumer.transport.tcp.io_thread import NEVER

POLICY = MethodPolicy(reference="foo", method="find")


def call_of(number: int, timeout: float, expires: float, done: Callable[[Outcome], object]) -> Call:
    """Make a call; its answer would be its number."""
    record = CallRecord(POLICY, "find", 0.0)
    invocation = Invocation(POLICY, "find", (), {}, {}, Deadline.after_ms(1), record, blocking=False)

    def decode(status: int, body: bytes, invocation: Invocation) -> Outcome:
        del status, body, invocation
        return Outcome(number)

    return Call(number, b"frame", True, timeout, expires, invocation, decode, done)


CALLS = st.lists(
    st.tuples(st.floats(0, 10), st.sampled_from([0.1, 0.999, 1.0, 1.0001, 5.0]), st.booleans()), max_size=40
)


@given(CALLS, st.lists(st.floats(0, 20), max_size=10))
def test_every_call_expires_in_time(calls: list[tuple[float, float, bool]], looks: list[float]) -> None:
    """At any look exactly the calls that have expired and not ended time out, once each, whatever their order."""
    here = unconnected()
    timed_out: list[int] = []
    waiting = {}
    for number, (begun, timeout, answered) in enumerate(calls):

        def done(outcome: Outcome, number: int = number) -> None:
            if isinstance(outcome.error, CallTimeout):
                timed_out.append(number)

        call = call_of(number, timeout, begun + timeout, done)
        here._enqueue(call)
        here._next_expiry = min(here._next_expiry, call.expires)
        if answered:
            here._running.pop(number).answer(20, b"")
        else:
            waiting[number] = call
    now = 0.0
    for step in sorted(looks):
        now = max(now + 0.001, step)
        when = here._expire(now, "")
        expected = [number for number, call in waiting.items() if call.expires <= now]
        assert timed_out == expected
        timed_out.clear()
        waiting = {number: call for number, call in waiting.items() if call.expires > now}
        soonest = min((call.expires for call in waiting.values()), default=NEVER)
        assert when <= max(soonest, now + len(waiting) * 2e-6)


def test_nothing_is_never_due() -> None:
    """Where no call runs there is nothing to look for again."""
    assert unconnected()._expire(1e9, "") == NEVER


def test_many_calls_are_looked_through_a_twentieth_of_the_time_at_most() -> None:
    """Of many calls that expire one after the other, those of some milliseconds time out together."""
    here = unconnected()
    ended: list[Any] = []
    for number in range(1000):
        call = call_of(number, 1.0, 1.0 + number * 1e-6, ended.append)
        here._running[call.id] = call
    here._next_expiry = 1.0
    assert here._expire(1.0, "") == 1.0 + 999 * 2e-6
    assert len(ended) == 1
    here._expire(1.0 + 998 * 2e-6, "")
    assert len(ended) == 1
    here._expire(1.0 + 999 * 2e-6, "")
    assert len(ended) == 1000


def test_a_call_that_expires_earlier_sets_the_clock() -> None:
    """The I/O thread is asked for a look when the first call expires, in whatever order they came."""
    here = unconnected()
    here.state = State.DIALLING
    asked = []
    for number, expires in enumerate((5.0, 3.0, 4.0)):
        here._accept(call_of(number, 1.0, expires, lambda _: None))
        asked.append(here._thread._timed[here])
    assert asked == [5.0, 3.0, 3.0]
