"""Which running call times out when, against a plain list of calls."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.dubbo_connection import NOBODY, SETTINGS, call_of, held

from callahead.consumer.call.invocation import Outcome
from callahead.consumer.errors import CallTimeout, ConnectionLost
from callahead.consumer.transport.dubbo.call import Call
from callahead.consumer.transport.dubbo.running import RunningCalls
from callahead.consumer.transport.tcp.io_thread import NEVER
from callahead.consumer.transport.tcp.outbox import Outbox


def running_calls() -> RunningCalls:
    """Make the calls of a connection that is never connected."""
    return RunningCalls(Outbox(), SETTINGS, "h:1")


CALLS = st.lists(
    st.tuples(st.floats(0, 10), st.sampled_from([0.1, 0.999, 1.0, 1.0001, 5.0]), st.booleans()), max_size=40
)


@given(CALLS, st.lists(st.floats(0, 20), max_size=10))
def test_every_call_expires_in_time(calls: list[tuple[float, float, bool]], looks: list[float]) -> None:
    """At any look exactly the calls that have expired and not ended time out, once each, whatever their order."""
    here = running_calls()
    timed_out: list[int] = []
    waiting = {}
    for number, (begun, timeout, answered) in enumerate(calls):

        def done(outcome: Outcome, number: int = number) -> None:
            if isinstance(outcome.error, CallTimeout):
                timed_out.append(number)

        call = call_of(number, timeout, begun + timeout, done)
        here.put(call)
        here.expect(min(here.next_expiry, call.expires))
        if answered:
            here.by_id.pop(number).answer(20, b"", NOBODY)
        else:
            waiting[number] = call
    now = 0.0
    for step in sorted(looks):
        now = max(now + 0.001, step)
        when = here.expire(now, "")
        expected = [number for number, call in waiting.items() if call.expires <= now]
        assert timed_out == expected
        timed_out.clear()
        waiting = {number: call for number, call in waiting.items() if call.expires > now}
        soonest = min((call.expires for call in waiting.values()), default=NEVER)
        assert when <= max(soonest, now + len(waiting) * 2e-6)


def test_nothing_is_never_due() -> None:
    """Where no call runs there is nothing to look for again."""
    assert running_calls().expire(1e9, "") == NEVER


def test_many_calls_are_looked_through_a_twentieth_of_the_time_at_most() -> None:
    """Of many calls that expire one after the other, those of some milliseconds time out together."""
    here = running_calls()
    ended: list[Any] = []
    for number in range(1000):
        call = call_of(number, 1.0, 1.0 + number * 1e-6, ended.append)
        here.put(call)
    here.expect(1.0)
    assert here.expire(1.0, "") == 1.0 + 999 * 2e-6
    assert len(ended) == 1
    here.expire(1.0 + 998 * 2e-6, "")
    assert len(ended) == 1
    here.expire(1.0 + 999 * 2e-6, "")
    assert len(ended) == 1000


def test_a_call_that_expires_earlier_sets_the_clock() -> None:
    """The I/O thread is asked for a look when the first call expires, in whatever order they came."""
    here = held()
    asked = []
    for number, expires in enumerate((5.0, 3.0, 4.0)):
        here.connection.post(call_of(number, 1.0, expires, lambda _: None))
        here.thread.run()
        asked.append(here.thread.due[here.connection])
    here.connection.close()
    here.thread.run()
    assert asked == [5.0, 3.0, 3.0]


def test_a_call_that_fails_with_all_others_knows_whether_it_may_have_left() -> None:
    """What had begun to leave is told apart from what never did, and nothing of either stays."""
    outbox: Outbox[Call] = Outbox()
    here = RunningCalls(outbox, SETTINGS, "h:1")
    errors: list[Any] = []
    for number in range(2):
        here.put(call_of(number, 1.0, 1.0, lambda outcome: errors.append(outcome.error)))
        if not number:
            outbox.pending()
            outbox.advance(1)
    here.fail_all(lambda begun: ConnectionLost("gone", not_sent=not begun, in_doubt=begun))

    assert [error.in_doubt for error in errors] == [True, False]
    assert (here.by_id, outbox.count, here.next_expiry) == ({}, 0, NEVER)


def test_a_full_queue_refuses_by_bytes_but_for_a_single_call() -> None:
    """One request of any size may wait where nothing else does; the next one must fit."""
    here = RunningCalls(Outbox(), dataclasses.replace(SETTINGS, max_queued_bytes=4), "h:1")
    first, second = call_of(1, 1.0, 1.0, lambda _: None), call_of(2, 1.0, 1.0, lambda _: None)
    assert here.refuse_if_full(first) is None
    here.put(first)

    refusal = here.refuse_if_full(second)
    assert refusal is not None
    assert (
        refusal.message == "5 bytes wait to be written to h:1, and 5 more would pass the 4 that max_queued_bytes allows"
    )
