"""A cancellation and an answer at the same time: the future, the counts and whoever observes the call agree."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest
from support.shop import Background, Shop

from callahead.consumer import InvocationFuture
from callahead.consumer.call.invocation import Invocation, Outcome
from callahead.consumer.interceptor.api import CallNext


class Told:
    """Notes how each call ended."""

    inline = True
    heard: list[str] = []  # noqa: RUF012 - an interceptor is made by the framework
    before: Any = staticmethod(lambda: None)

    def on_start(self, invocation: Invocation) -> None:
        return None

    def on_end(self, token: None, outcome: Outcome) -> None:
        self.heard.append(type(outcome.error).__name__ if outcome.error else "value")
        type(self).before()


class Holding:
    """Keeps an answer back until it is released; stands below `Told`."""

    arrived, release = threading.Event(), threading.Event()

    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        return call_next(invocation).then(self._hold)

    def _hold(self, value: Any) -> Any:
        self.arrived.set()
        self.release.wait(5)
        return value


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """Let nothing be left of another test."""
    Told.heard.clear()
    Told.before = staticmethod(lambda: None)
    Holding.arrived.clear()
    Holding.release.clear()
    yield
    Holding.release.set()


def shop(*interceptors: type) -> Shop:
    return Shop(methods={"findFoo": {"interceptors": [f"{__name__}:{one.__name__}" for one in interceptors]}})


def failures(shop: Shop) -> dict[str, int]:
    return shop.consumer.counts()["foo"]["findFoo"].failures


def test_a_call_cancelled_while_its_answer_is_kept_back() -> None:
    """It is counted and told as cancelled, though the answer comes to the observer afterwards."""
    with shop(Told, Holding) as one:
        future = one.foo.findFoo.future(1)
        answering = Background(one.next_call().reply, "answer")
        assert Holding.arrived.wait(5)
        assert future.cancel()
        assert failures(one) == {"CancelledError": 1}
        Holding.release.set()
        answering.join()
        one.consumer.close()
        assert (future.cancelled(), Told.heard, failures(one)) == (True, ["CancelledError"], {"CancelledError": 1})


def test_a_call_whose_observer_was_told_of_its_answer() -> None:
    """It cannot be cancelled any more: the future says no, and ends with what was told."""
    with shop(Told) as one:
        future = one.foo.findFoo.future(1)
        cancelled: list[bool] = []
        Told.before = staticmethod(lambda: cancelled.append(future.cancel()))
        one.next_call().reply("answer")
        assert (cancelled, future.result(0), Told.heard, failures(one)) == ([False], "answer", ["value"], {})


class Again:
    """Calls once more where the first try failed; stands above `Told`."""

    inline = True

    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        return call_next(invocation).then(on_error=lambda _: call_next(invocation))


def test_a_call_that_goes_on_after_its_observer_was_told() -> None:
    """An interceptor above the observer makes it go on, so it can be cancelled again."""
    with shop(Again, Told) as one:
        future = one.foo.findFoo.future(1)
        one.next_call().fail(ValueError("first"))  # type: ignore[arg-type]
        one.next_call()
        assert future.cancel()
        assert Told.heard == ["ValueError", "CancelledError"]


def test_all_agree_however_it_falls() -> None:
    """One of many pairs of threads cancels, and one answers: each call has one end, which all of them tell."""
    ended_as_cancelled = 0
    with shop(Told) as one:
        for number in range(400):
            future = one.foo.findFoo.future(number)
            attempt = one.next_call()
            both = threading.Barrier(2)

            def answer() -> None:
                both.wait(5)  # noqa: B023 - joined in this very round
                attempt.reply("answer")  # noqa: B023

            answering = Background(answer)
            both.wait(5)
            said = future.cancel()
            answering.join()
            assert future.cancelled() is said
            assert Told.heard.pop() == ("CancelledError" if said else "value")
            ended_as_cancelled += said
        assert failures(one).get("CancelledError", 0) == ended_as_cancelled


def test_a_second_cancellation_says_what_the_first_said() -> None:
    """Whoever cancels later, even while the first is at it, hears that the call ends as cancelled."""
    with shop() as one:
        future = one.foo.findFoo.future(1)
        again: list[bool] = []
        future._when_settled(lambda _: again.append(future.cancel()))
        assert future.cancel()
        assert again == [True]
        with pytest.raises(CancelledError):
            future.result(0)
