"""A call that its transport forgets: somebody ends it, soon after its deadline, in every mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.clock import FakeClock
from support.shop import NAMES, Shop, Spy
from support.shortage import no_threads

from callahead.config.policy import MethodPolicy
from callahead.consumer import CallTimeout
from callahead.consumer.call.invocation import CallRecord
from callahead.consumer.runtime.timer import Timer
from callahead.consumer.runtime.watchdog import Watchdog
from callahead.consumer.testing.scripted_transport import ScriptedCall, ScriptedTransport


class Forgetful(ScriptedTransport):
    """Takes attempts, and never reports."""

    def carry(self, call: ScriptedCall) -> None:
        self.forgotten = call


def forgetful(**options: Any) -> Shop:
    """Make a shop whose calls have a tenth of a second."""
    methods = {"findBar": {"async": True}, "touch": {"return": False}}
    settings = {"timeout": 100, "retries": 0}
    return Shop(transport=Forgetful(None, NAMES), methods=methods, consumer=settings, **options)


def test_a_future_that_nobody_waits_for() -> None:
    """It ends all the same, and so does the call whose answer is dropped."""
    hook, done = Spy(), Spy()
    with forgetful(on_drop=hook) as shop:
        shop.foo.findFoo.future(1).add_done_callback(done)
        shop.foo.touch(1)
        [(future,)] = done.wait()
        [(_, dropped)] = hook.wait()
        assert {type(future.exception(0)), type(dropped)} == {CallTimeout}
        assert future.exception(0).in_doubt
        assert sum(counts.running for counts in shop.consumer.counts()["foo"].values()) == 0


def test_who_waits_needs_no_thread() -> None:
    """Where no thread can be started for the watchdog, `result` ends the call by itself."""
    with forgetful() as shop, no_threads():
        future = shop.foo.findFoo.future(1)
        with pytest.raises(TimeoutError, match="it goes on for at most"):
            future.result(0.01)
        assert isinstance(future.exception(), CallTimeout)
        with pytest.raises(CallTimeout):
            shop.foo.findFoo.sync(1)


def test_the_next_call_starts_the_watchdog_that_could_not_be_started() -> None:
    """What was begun before ends with it."""
    done = Spy()
    with forgetful() as shop:
        with no_threads():
            first = shop.foo.findFoo.future(1)
        shop.foo.findFoo.future(2)
        first.add_done_callback(done)
        done.wait()
        assert isinstance(first.exception(0), CallTimeout)


class Kept(Timer):
    """A timer that the test runs."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.due: list[tuple[float, Callable[[], None]]] = []

    def call_at(self, when: float, function: Callable[[], None]) -> None:
        self.due.append((when, function))

    def run(self, now: float) -> None:
        """Call what is due at *now*."""
        self.clock.now = now
        due = [function for when, function in self.due if when <= now]
        self.due = [(when, function) for when, function in self.due if when > now]
        for function in due:
            function()


class Running(dict[CallRecord, Any]):
    """Calls that note when they are ended."""

    def __init__(self) -> None:
        super().__init__()
        self.expired: list[int] = []

    def begin(self, timeout_ms: int, started: float = 0) -> float:
        """Begin a call of so many milliseconds, and return when it must have ended."""
        record = CallRecord(MethodPolicy(reference="foo", method="find", total_timeout_ms=timeout_ms), "find", started)
        self[record] = self._Ending(self, record)
        return record.ends

    class _Ending:
        def __init__(self, running: Running, record: CallRecord) -> None:
            self._running, self._record = running, record

        def expire(self) -> None:
            self._running.expired.append(self._record.policy.total_timeout_ms)
            del self._running[self._record]


@pytest.fixture
def running() -> Running:
    return Running()


@pytest.fixture
def timer() -> Kept:
    return Kept(FakeClock(0))


@pytest.fixture
def watchdog(timer: Kept, running: Running) -> Watchdog:
    return Watchdog(timer.clock, timer, running)


def test_a_shorter_call_is_looked_at_earlier(watchdog: Watchdog, timer: Kept, running: Running) -> None:
    """Each ends within its own grace, and the plan that was replaced is followed no more."""
    watchdog.expect(running.begin(60_000))
    watchdog.expect(running.begin(2_000))
    watchdog.expect(running.begin(5_000))
    timer.run(3.5)
    assert running.expired == [2_000]
    timer.run(6.5)
    timer.run(61.5)
    assert running.expired == [2_000, 5_000, 60_000]
    assert (timer.due, watchdog.next_end) == ([], float("inf"))


def test_nothing_is_planned_where_nothing_runs(watchdog: Watchdog, timer: Kept, running: Running) -> None:
    """An idle consumer is left in peace, until the next call."""
    watchdog.expect(running.begin(1_000))
    running.clear()
    timer.run(5)
    assert (timer.due, watchdog.next_end) == ([], float("inf"))


def test_short_calls_make_it_look_no_more_often(watchdog: Watchdog, timer: Kept, running: Running) -> None:
    """Between two looks is a pause, whatever the timeouts are."""
    watchdog.expect(running.begin(10))
    for step in range(100):
        running.begin(10, started=step / 100)
        timer.run(step / 100)
    looks = 0
    for step in range(100, 300):
        looks += any(when <= step / 100 for when, _ in timer.due)
        running.begin(10, started=step / 100)
        timer.run(step / 100)
    assert 2 <= looks <= 9


def test_grace_and_pause_are_whoever_asks(timer: Kept, running: Running) -> None:
    """One that keeps the deadlines itself has no grace, and looks as often as they come."""
    watchdog = Watchdog(timer.clock, timer, running, grace=0.0, pause=0.01)
    watchdog.expect(running.begin(100))
    running.begin(105)
    running.begin(150)
    timer.run(0.1)
    assert running.expired == [100]
    timer.run(0.109)
    assert running.expired == [100]
    timer.run(0.111)
    assert running.expired == [100, 105]
    timer.run(0.15)
    assert running.expired == [100, 105, 150]
