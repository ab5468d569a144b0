"""The retry budget: one in five calls, and ten a second, with ten seconds' worth kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clock import FakeClock

from callahead.consumer.cluster.budget import RetryBudget


class Calls:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        return self.count


def spend(budget: RetryBudget) -> int:
    spent = 0
    while budget.withdraw():
        spent += 1
    return spent


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_the_start_allows_ten_seconds_worth(clock: FakeClock) -> None:
    """A consumer that just began may repeat a hundred times."""
    budget = RetryBudget(Calls(), clock)
    assert spend(budget) == 100
    assert not budget.withdraw()


def test_ten_a_second_come_back(clock: FakeClock) -> None:
    """Time alone allows ten retries a second."""
    budget = RetryBudget(Calls(), clock)
    spend(budget)
    clock.advance(0.09)
    assert spend(budget) == 0
    clock.advance(0.91)
    assert spend(budget) == 10


def test_one_in_five_calls(clock: FakeClock) -> None:
    """A thousand calls allow two hundred retries, however fast they came."""
    calls = Calls()
    budget = RetryBudget(calls, clock)
    spend(budget)
    calls.count += 1000
    assert spend(budget) == 200
    calls.count += 4
    assert spend(budget) == 0
    calls.count += 1
    assert spend(budget) == 1


def test_a_long_quiet_keeps_ten_seconds_worth_only(clock: FakeClock) -> None:
    """An hour without a retry does not save up a storm."""
    budget = RetryBudget(Calls(), clock)
    clock.advance(3600)
    assert spend(budget) == 100


def test_a_busy_hour_keeps_ten_seconds_worth_only(clock: FakeClock) -> None:
    """Calls of long ago have earned nothing for now: 36,000 in an hour are 100 in ten seconds, which is 20."""
    calls = Calls()
    budget = RetryBudget(calls, clock)
    calls.count += 36_000
    clock.advance(3600)
    assert spend(budget) == 100
    calls.count += 3_600_000
    clock.advance(3600)
    assert spend(budget) == 2000


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0, 5), st.integers(0, 300)), max_size=20))
def test_never_more_than_the_sum_of_both(steps: list[tuple[int, float, int]]) -> None:
    """Over any history the retries stay within 100 + 20 % of calls + 10 per second."""
    clock, calls = FakeClock(), Calls()
    budget = RetryBudget(calls, clock)
    spent, seconds = 0, 0.0
    for more_calls, more_seconds, wanted in steps:
        calls.count += more_calls
        seconds += more_seconds
        clock.advance(more_seconds)
        spent += sum(budget.withdraw() for _ in range(wanted))
        assert spent <= 100 + calls.count * 0.2 + seconds * 10 + 1e-6
