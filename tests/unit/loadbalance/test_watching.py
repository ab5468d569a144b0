"""Load balancers that hear of attempts: whom they prefer, and what they make of failures."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import CancelledError
from random import Random
from typing import Any

import pytest
from support.balance import asked, begin, end, parts, providers, shares, take
from support.clock import FakeClock
from support.forked import WARNING, in_child

from callahead.consumer.errors import CallTimeout, ConnectFailed, LimitExceeded, RemoteError
from callahead.consumer.loadbalance.adaptive import ATTACHMENT, AdaptiveLoadBalance, load_in
from callahead.consumer.loadbalance.leastactive import LeastActiveLoadBalance
from callahead.consumer.loadbalance.p2c import DECAY_S, P2cLoadBalance, PeakEwma
from callahead.consumer.loadbalance.records import Records, seconds_of
from callahead.consumer.loadbalance.shortestresponse import WINDOW_S, ShortestResponseLoadBalance

ASKED = asked()
BY_TIME = (P2cLoadBalance, ShortestResponseLoadBalance, AdaptiveLoadBalance)
REFUSED = ConnectFailed("refused", not_sent=True)


class Fixture:
    """A balancer, its clock, and two providers."""

    def __init__(self, kind: Any, *weights: int) -> None:
        self.clock = FakeClock()
        self.balance = kind(parts(Random(3), self.clock))
        self.listed = providers(*(weights or (100, 100)))

    def choose(self) -> Any:
        return self.balance.select(self.listed, ASKED)

    def begin(self, place: int, count: int = 1) -> list[Any]:
        return [begin(self.balance, self.listed[place], self.clock) for _ in range(count)]

    def take(self, place: int, seconds: float, error: BaseException | None = None) -> None:
        take(self.balance, self.listed[place], self.clock, seconds, error)


def test_least_active_asks_the_one_that_is_asked_the_least() -> None:
    """Three run at one, two at the other: the other it is, until they are equal."""
    here = Fixture(LeastActiveLoadBalance)
    running = here.begin(0, 3)
    here.begin(1, 2)
    assert {here.choose() for _ in range(50)} == {here.listed[1]}
    end(here.balance, running[0])
    assert {here.choose() for _ in range(50)} == set(here.listed)


def test_least_active_chooses_among_equal_ones_by_weight() -> None:
    """Also where something runs at each of them."""
    here = Fixture(LeastActiveLoadBalance, 300, 100, 0)
    here.begin(0)
    here.begin(1)
    assert shares(here.balance, here.listed, 4000) == pytest.approx([0.75, 0.25, 0], abs=0.03)


def test_least_active_finds_the_one_idle_provider_of_many() -> None:
    """Where those that are drawn are all busy, everyone is looked at."""
    here = Fixture(LeastActiveLoadBalance, *[100] * 50)
    for place in range(49):
        here.begin(place)
    assert here.choose() is here.listed[49]


@pytest.mark.parametrize("kind", BY_TIME)
def test_the_quicker_provider_is_preferred(kind: Any) -> None:
    """A tenth of the time is worth more than chance."""
    here = Fixture(kind)
    for _ in range(5):
        here.take(0, 0.1)
        here.take(1, 0.01)
    assert {here.choose() for _ in range(50)} == {here.listed[1]}


@pytest.mark.parametrize("kind", BY_TIME)
def test_what_runs_there_counts_beside_the_times(kind: Any) -> None:
    """The quicker one with many calls to answer is left alone for a while."""
    here = Fixture(kind)
    for _ in range(5):
        here.take(0, 0.02)
        here.take(1, 0.01)
    here.begin(1, 20)
    assert here.choose() is here.listed[0]


@pytest.mark.parametrize("kind", BY_TIME)
@pytest.mark.parametrize(
    "error", [REFUSED, CallTimeout("late"), LimitExceeded("full", is_remote=True)], ids=lambda e: type(e).__name__
)
def test_one_that_fails_at_once_is_not_the_quickest(kind: Any, error: BaseException) -> None:
    """A failure counts as the whole timeout, so that it draws no calls."""
    here = Fixture(kind)
    for _ in range(5):
        here.take(0, 0.0001, error)
        here.take(1, 0.1)
    assert {here.choose() for _ in range(50)} == {here.listed[1]}


@pytest.mark.parametrize("kind", BY_TIME)
def test_an_unknown_provider_is_not_flooded_before_it_has_answered(kind: Any) -> None:
    """A frozen one of which nothing is known yet gets one call and not all of them."""
    here = Fixture(kind)
    for _ in range(5):
        here.take(0, 0.01)
    here.begin(1)
    assert Counter(here.choose() for _ in range(50))[here.listed[1]] == 0


@pytest.mark.parametrize("kind", BY_TIME)
def test_one_that_was_slow_is_asked_again_later(kind: Any) -> None:
    """What was long ago does not condemn it."""
    here = Fixture(kind)
    here.take(0, 0.9)
    for _ in range(3):
        here.take(1, 0.01)
    assert here.choose() is here.listed[1]
    here.clock.advance(200)
    here.take(1, 0.01)
    assert here.listed[0] in {here.choose() for _ in range(50)}


@pytest.mark.parametrize(
    ("error", "expected"),
    [(None, 0.25), (RemoteError("no"), 0.25), (REFUSED, 1.0), (CancelledError(), None)],
    ids=lambda one: type(one).__name__,
)
def test_an_answer_counts_by_its_time_and_a_failure_by_its_timeout(error: Any, expected: float | None) -> None:
    """A business error is an answer; a cancellation says nothing."""
    from callahead.consumer.call.invocation import Outcome

    clock = FakeClock()
    attempt = begin(LeastActiveLoadBalance(parts()), providers(1)[0], clock)
    assert seconds_of(attempt, Outcome(error=error), clock.now + 0.25) == (expected and pytest.approx(expected))
    attempt.timeout = attempt.ends = float("inf")
    assert seconds_of(attempt, Outcome(error=error), clock.now) is None


def test_the_mean_follows_a_peak_at_once_and_a_better_time_slowly() -> None:
    """Half of it is there after some seconds; without news it fades."""
    one = PeakEwma()
    one.note(0.1, 0.0)
    one.note(0.9, 0.0)
    assert one.load(0.0) == 0.9
    one.note(0.1, DECAY_S)
    assert 0.3 < one.load(DECAY_S) < 0.5
    assert one.load(3 * DECAY_S) < 0.1


def test_the_window_of_short_responses_ends() -> None:
    """Times of the window before count no more."""
    here = Fixture(ShortestResponseLoadBalance)
    here.clock.now = WINDOW_S * 100
    here.take(0, 0.5)
    here.take(1, 0.01)
    assert {here.choose() for _ in range(20)} == {here.listed[1]}
    here.clock.advance(WINDOW_S)
    assert {here.choose() for _ in range(50)} == set(here.listed)


def test_adaptive_asks_for_the_load_and_prefers_the_idle_machine() -> None:
    """Of equal times, what the provider says of its processors decides."""
    here = Fixture(AdaptiveLoadBalance)
    for place, load in ((0, "80.0"), (1, "5.0")):
        [attempt] = here.begin(place)
        assert attempt.attachments[ATTACHMENT] == "mem,load"
        attempt.response_attachments = {ATTACHMENT: f"curTime:1795634098890,load:{load}"}
        here.clock.advance(0.01)
        end(here.balance, attempt)
    assert {here.choose() for _ in range(50)} == {here.listed[1]}


def test_adaptive_looks_again_at_one_that_it_has_not_asked_for_two_timeouts() -> None:
    """So that a load of long ago is corrected."""
    here = Fixture(AdaptiveLoadBalance)
    here.take(0, 0.9)
    here.take(1, 0.01)
    assert {here.choose() for _ in range(20)} == {here.listed[1]}
    here.clock.advance(2.0)
    here.take(1, 0.01)
    assert {here.choose() for _ in range(20)} == {here.listed[0]}


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("curTime:12,load:3.5", (12, 3.5)),
        ("load:3.5,curTime:12,mem:7", (12, 3.5)),
        ("curTime:12,load:-1.0", None),
        ("curTime:12,load:nan", None),
        ("curTime:inf,load:1", None),
        ("curTime:12", None),
        ("load:much,curTime:12", None),
        ("curTime:12,load:3.5," + "x" * 300, None),
        ("", None),
        (b"curTime:12,load:3.5", None),
        (None, None),
    ],
)
def test_what_a_provider_says_of_its_load_may_be_anything(text: Any, load: Any) -> None:
    """What is not of the form says nothing."""
    assert load_in(text) == load


@pytest.mark.filterwarnings(WARNING)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is missing; only POSIX has it")
@pytest.mark.parametrize("kind", [LeastActiveLoadBalance, *BY_TIME])
def test_a_forked_child_counts_none_of_its_parents_attempts(kind: Any) -> None:
    """No thread of it will ever end them; what is known of times stays known."""
    here = Fixture(kind)
    [attempt] = here.begin(0)

    def child() -> None:
        assert here.balance.records.running(here.listed[0]) == 0
        end(here.balance, attempt)
        assert here.balance.records.running(here.listed[0]) == 0
        [own] = here.begin(0)
        assert here.balance.records.running(here.listed[0]) == 1
        end(here.balance, own)
        assert here.balance.records.running(here.listed[0]) == 0

    assert in_child(child) == 0
    assert here.balance.records.running(here.listed[0]) == 1


def test_records_of_providers_that_left_go() -> None:
    """With their last attempt, or when there are many."""
    balance, clock = LeastActiveLoadBalance(parts()), FakeClock()
    records: Records[Any] = balance.records
    [gone] = providers(1)
    attempt = begin(balance, gone, clock)
    gone.has_left = True
    end(balance, attempt)
    assert len(records) == 0
    for _ in range(20):
        for provider in providers(*[1] * 20):
            end(balance, begin(balance, provider, clock))
            provider.has_left = True
    assert len(records) <= 64
