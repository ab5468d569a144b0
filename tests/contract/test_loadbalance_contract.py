"""What every load balancer promises, whoever wrote it: tried on all that are installed."""

from __future__ import annotations

import threading
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.balance import asked, begin, end, parts, providers, shares
from support.clock import FakeClock

from callahead.config.extension import LOADBALANCE, available, load
from callahead.consumer.call.provider import Provider
from callahead.consumer.errors import CallTimeout, ConnectFailed, ConsumerClosed, RemoteError
from callahead.consumer.loadbalance.api import AttemptWatcher

OURS = ("adaptive", "consistenthash", "leastactive", "p2c", "random", "roundrobin", "shortestresponse")
NAMES = sorted({*available(LOADBALANCE), *OURS})
# Those that choose by what is asked, whatever the weights; they promise only that 0 is not chosen.
BY_ARGUMENTS = ("consistenthash",)
WEIGHTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=8)
ENDS = (None, RemoteError("no"), ConnectFailed("refused", not_sent=True), CallTimeout("late"), ConsumerClosed("closed"))


@pytest.fixture(params=NAMES, scope="module")
def kind(request: pytest.FixtureRequest) -> Any:
    return load(LOADBALANCE, request.param)


@pytest.fixture(params=[name for name in NAMES if name not in BY_ARGUMENTS], scope="module")
def weighted(request: pytest.FixtureRequest) -> Any:
    """One that gives each provider the share of its weight, as long as it knows nothing else of them."""
    return load(LOADBALANCE, request.param)


@settings(deadline=None, max_examples=50)
@given(weights=WEIGHTS)
def test_the_choice_is_in_the_list_and_never_of_weight_zero(kind: Any, weights: list[int]) -> None:
    """A weight of 0 is chosen only where all are 0."""
    listed, balance = providers(*weights), kind(parts(1))
    for number in range(20):
        chosen = balance.select(listed, asked(number))
        assert chosen in listed
        assert chosen.weight or not any(weights)


@pytest.mark.parametrize("weights", [(100, 100), (100, 100, 100, 100), (5, 1, 1), (1, 0, 3), (0, 0, 0), (10_000, 1)])
def test_the_shares_are_the_weights(weighted: Any, weights: tuple[int, ...]) -> None:
    """Over many choices each provider gets its share; all of weight 0 are equal."""
    total = sum(weights)
    expected = [weight / total for weight in weights] if total else [1 / len(weights)] * len(weights)
    assert shares(weighted(parts(3)), providers(*weights), 7000) == pytest.approx(expected, abs=0.03)


def test_weights_out_of_all_bounds_are_bounded(weighted: Any) -> None:
    """Below 0 is 0, and no weight is above 10000, whatever a registry says."""
    listed = providers(-5, 10**30, 10_000)
    assert shares(weighted(parts(3)), listed, 4000) == pytest.approx([0, 0.5, 0.5], abs=0.03)


def test_a_provider_that_has_just_started_gets_less(weighted: Any) -> None:
    """At half of its warm-up it has half of its weight, and at the end all of it."""
    clock = FakeClock()
    cold, warm = providers(100, 100)
    cold.warm_ms, cold.warm_at = 600_000, clock.now + 300
    balance = weighted(parts(3, clock))
    assert shares(balance, listed := (cold, warm), 6000) == pytest.approx([1 / 3, 2 / 3], abs=0.03)
    clock.advance(300)
    assert shares(balance, listed, 6000) == pytest.approx([1 / 2, 1 / 2], abs=0.03)


def test_the_weight_for_the_method_goes_before_that_for_all(weighted: Any) -> None:
    """``<method>.weight`` is of one method alone."""
    listed = (*providers(100, **{"find.weight": "300"}), *providers(100, **{"other.weight": "900"}))
    assert shares(weighted(parts(3)), listed, 6000) == pytest.approx([3 / 4, 1 / 4], abs=0.03)


def test_the_same_seed_is_the_same_choice(kind: Any) -> None:
    """Chance comes from the given source alone."""
    listed = providers(3, 2, 1)
    one, other = kind(parts(5)), kind(parts(5))
    assert [one.select(listed, asked(n)) for n in range(50)] == [other.select(listed, asked(n)) for n in range(50)]


def test_a_part_of_the_list_is_chosen_from_that_part(weighted: Any) -> None:
    """A retry asks about those not tried; the whole list afterwards is what it was."""
    listed, balance = providers(1, 1, 1, 1), weighted(parts(5))
    for _ in range(50):
        balance.select(listed, asked())
        assert balance.select(listed[1:3], asked()) in listed[1:3]
    assert all(share > 0.1 for share in shares(balance, listed, 400))


def test_a_list_that_changes(weighted: Any) -> None:
    """New providers get their share at once, and those that left are never chosen."""
    balance = weighted(parts(5))
    old = providers(1, 1, 1)
    shares(balance, old, 100)
    new = (old[2], *providers(1, 1))
    assert shares(balance, new, 3000) == pytest.approx([1 / 3] * 3, abs=0.05)
    for provider in old[2:]:
        provider.has_left = True
    assert shares(balance, new[1:], 1000) == pytest.approx([1 / 2] * 2, abs=0.06)


def test_many_threads_choose_at_once(weighted: Any) -> None:
    """No choice is lost or wrong under threads."""
    listed, balance = providers(2, 1, 1), weighted(parts(5))
    chosen: list[Provider] = []

    def choose() -> None:
        chosen.extend(balance.select(listed, asked()) for _ in range(500))

    threads = [threading.Thread(target=choose) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = Counter(chosen)
    assert [counts[provider] / 2000 for provider in listed] == pytest.approx([0.5, 0.25, 0.25], abs=0.05)


@settings(deadline=None, max_examples=30)
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from(ENDS)), max_size=60), data=st.data())
def test_what_runs_is_counted_until_it_ends(kind: Any, steps: list[tuple[bool, int, Any]], data: st.DataObject) -> None:
    """However attempts end, in whatever order, also at providers that left meanwhile: in the end none is counted."""
    clock = FakeClock()
    balance = kind(parts(Random(1), clock))
    if not isinstance(balance, AttemptWatcher):
        return
    listed = providers(1, 1, 1, 1)
    running: list[Any] = []
    for begins, place, error in steps:
        clock.advance(0.1)
        if begins:
            running.append(begin(balance, listed[place], clock))
        elif running:
            end(balance, running.pop(data.draw(st.integers(0, len(running) - 1))), error)
        if place == 3 and error is None:
            listed[place].has_left = True
        counts = Counter(attempt.provider for attempt in running)
        assert [balance.records.running(one) for one in listed] == [counts[one] for one in listed]  # type: ignore[attr-defined]
    for attempt in running:
        end(balance, attempt)
    assert not any(balance.records.running(one) for one in listed)  # type: ignore[attr-defined]
