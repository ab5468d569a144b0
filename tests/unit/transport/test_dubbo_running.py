"""Which running call times out when, against a plain list of calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dubbo_connection import NOBODY, SETTINGS, call_of, held

from callahead.consumer.call.invocation import Outcome
from callahead.consumer.errors import CallTimeout, ConnectionLost
from callahead.consumer.transport.dubbo.running import RunningCalls
from callahead.consumer.transport.request_limit import Room
from callahead.consumer.transport.tcp.call import Call
from callahead.consumer.transport.tcp.io_thread import NEVER
from callahead.consumer.transport.tcp.outbox import Outbox
from callahead.consumer.transport.trouble import Trouble


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
        here.expiry.expect(min(here.expiry.next, call.expires))
        if answered:
            here.by_id.pop(number).answer(20, b"", NOBODY)
        else:
            waiting[number] = call
    now = 0.0
    for step in sorted(looks):
        now = max(now + 0.001, step)
        when = here.expire(now, Trouble(""))
        expected = [number for number, call in waiting.items() if call.expires <= now]
        assert timed_out == expected
        timed_out.clear()
        waiting = {number: call for number, call in waiting.items() if call.expires > now}
        soonest = min((call.expires for call in waiting.values()), default=NEVER)
        assert when <= max(soonest, now + len(waiting) * 2e-6)


def test_nothing_is_never_due() -> None:
    """Where no call runs there is nothing to look for again."""
    assert running_calls().expire(1e9, Trouble("")) == NEVER


def test_many_calls_are_looked_through_a_twentieth_of_the_time_at_most() -> None:
    """Of many calls that expire one after the other, those of some milliseconds time out together."""
    here = running_calls()
    ended: list[Any] = []
    for number in range(1000):
        call = call_of(number, 1.0, 1.0 + number * 1e-6, ended.append)
        here.put(call)
    here.expiry.expect(1.0)
    assert here.expire(1.0, Trouble("")) == 1.0 + 999 * 2e-6
    assert len(ended) == 1
    here.expire(1.0 + 998 * 2e-6, Trouble(""))
    assert len(ended) == 1
    here.expire(1.0 + 999 * 2e-6, Trouble(""))
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
    here.fail_all(lambda _, begun: ConnectionLost("gone", not_sent=not begun, in_doubt=begun))

    assert [error.in_doubt for error in errors] == [True, False]
    assert (here.by_id, outbox.count, here.expiry.next) == ({}, 0, NEVER)


def test_a_full_queue_refuses_by_bytes_but_for_a_single_call() -> None:
    """One request of any size may wait where nothing else does; the next one must fit."""
    here = RunningCalls(Outbox(), dataclasses.replace(SETTINGS, room=Room(5, 4)), "h:1")
    first, second = call_of(1, 1.0, 1.0, lambda _: None), call_of(2, 1.0, 1.0, lambda _: None)
    assert here.put(first) is None

    refusal = here.put(second)
    assert refusal is not None
    expected = (
        "requests of 5 bytes to h:1 have begun and not ended, and 5 more would pass the 4 that max_queued_bytes allows"
    )
    assert refusal.message == expected
    assert here.take(first.id) is first
    assert here.put(second) is None


def test_what_is_written_counts_until_it_is_answered() -> None:
    """A peer that reads and never answers fills the room like one that does not read."""
    outbox: Outbox[Call] = Outbox()
    here = RunningCalls(outbox, dataclasses.replace(SETTINGS, room=Room(2, 1000)), "h:1")
    for number in range(2):
        here.put(call_of(number, 1.0, 1.0, lambda _: None))
    outbox.pending()
    outbox.advance(outbox.size)
    assert (outbox.count, here.size) == (0, 10)

    refusal = here.put(call_of(3, 1.0, 1.0, lambda _: None))
    assert refusal is not None
    expected = "2 requests to h:1 have begun and not ended, the most that max_queued_requests allows"
    assert refusal.message == expected


@pytest.mark.parametrize("end", ["cancel", "give_up", "expire", "fail_all", "written"])
def test_every_end_makes_room(end: str) -> None:
    """However a call ends, its bytes are counted no more."""
    here = RunningCalls(Outbox(), SETTINGS, "h:1")
    call = call_of(1, 1.0, 1.0, lambda _: None)
    call.two_way = end != "written"
    here.put(call)
    assert here.size == 5
    here.expiry.expect(1.0)
    ends: dict[str, Callable[[], object]] = {
        "cancel": lambda: here.cancel(call),
        "give_up": lambda: here.give_up(call, KeyboardInterrupt()),
        "expire": lambda: here.expire(2.0, Trouble("")),
        "fail_all": lambda: here.fail_all(lambda *_: ConnectionLost("gone", not_sent=True)),
        "written": lambda: here.written(call),
    }
    ends[end]()
    assert (here.size, here.by_id) == (0, {})
