"""However answers, failures, cancellations and callbacks fall together, a call ends once and everybody agrees how."""

from __future__ import annotations

import concurrent.futures
import threading
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.shop import Shop, Spy

from callahead.consumer import ConnectionLost
from callahead.consumer.testing.scripted_transport import ScriptedCall

STEPS = ("reply", "fail", "cancel", "cancel attempt", "callback", "then", "close")


def outcome_of(future: Any) -> Any:
    if future.cancelled():
        return "cancelled"
    error = future.exception(0)
    return ("error", error) if error is not None else ("value", future.result(0))


class OneCall(RuleBasedStateMachine):
    """One call, and all that can happen to it, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(consumer={"retries": 0})
        self.future = self.shop.foo.findFoo.future(1)
        self.attempt: ScriptedCall = self.shop.next_call()
        self.callbacks: list[Spy] = []
        self.first: Any = None

    def _note(self) -> None:
        if self.first is None:
            self.first = outcome_of(self.future)

    @rule(value=st.integers())
    def reply(self, value: int) -> None:
        self.attempt.reply(value)
        self._note()

    @rule()
    def fail(self) -> None:
        self.attempt.fail(ConnectionLost("reset", in_doubt=True))
        self._note()

    @rule()
    def cancel(self) -> None:
        ended = self.future.done() and not self.future.cancelled()
        assert self.future.cancel() is not ended
        assert self.future.cancelled() is not ended
        self._note()

    @rule()
    def add_callback(self) -> None:
        spy = Spy()
        self.callbacks.append(spy)
        self.future.add_done_callback(spy)

    @rule()
    def cancel_the_attempt(self) -> None:
        self.attempt.cancel()
        self._note()

    @invariant()
    def the_first_end_is_the_only_one(self) -> None:
        assert self.future.done() is (self.first is not None)
        if self.first is not None:
            assert outcome_of(self.future) == self.first
            assert not self.shop.consumer._runtime.running

    def teardown(self) -> None:
        ended = self.future.done()
        self.shop.consumer.close(0)
        assert self.future.done()
        for spy in self.callbacks:
            assert spy.calls == [(self.future,)], ended


OneCall.TestCase.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)


class TestOneCall(OneCall.TestCase):  # type: ignore[valid-type,misc]
    """The state machine above, as a test."""


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=2, max_size=5))
def test_threads_that_race_leave_one_end(steps: list[str]) -> None:
    """Several threads that end one call at the same time bring about one end, told once to each callback."""
    shop = Shop(consumer={"retries": 0})
    future = shop.foo.findFoo.future(1)
    attempt = shop.next_call()
    cancelled: list[bool] = []
    spies = [Spy() for _ in steps]
    derived: list[Any] = []
    start = threading.Barrier(len(steps))
    actions: dict[str, Any] = {
        "reply": lambda _: attempt.reply("value"),
        "fail": lambda _: attempt.fail(ConnectionLost("reset", in_doubt=True)),
        "cancel": lambda _: cancelled.append(future.cancel()),
        "cancel attempt": lambda _: attempt.cancel(),
        "callback": lambda number: future.add_done_callback(spies[number]),
        "then": lambda _: derived.append(future.then(lambda value: value, None)),
        "close": lambda _: shop.consumer.close(0),
    }

    def run(number: int) -> None:
        start.wait(5)
        actions[steps[number]](number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(steps))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    shop.consumer.close(0)
    assert future.done()
    assert all(said is future.cancelled() for said in cancelled)
    for number, step in enumerate(steps):
        assert len(spies[number].calls) == (step == "callback")
    for each in derived:
        concurrent.futures.wait([each], 5)
        assert outcome_of(each) == outcome_of(future)
