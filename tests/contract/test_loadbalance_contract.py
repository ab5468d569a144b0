"""What every load balancer promises, whoever wrote it: tried on all that are installed."""

from __future__ import annotations

import threading
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cluster import Bench

from callahead.config.extension import LOADBALANCE, available, load
from callahead.consumer.call.provider import Provider
from callahead.consumer.loadbalance.random import RandomLoadBalance
from callahead.consumer.loadbalance.roundrobin import RoundRobinLoadBalance
from callahead.registry.models import Endpoint

OURS = ("random", "roundrobin")
WEIGHTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=8)
ASKED: Any = Bench(lambda parts: lambda invocation, done: None).invocation()


def unwatched(provider: Provider) -> None:
    """Hear that *provider* changed, which nobody here needs to."""


def providers(*weights: int) -> tuple[Provider, ...]:
    return tuple(
        Provider(Endpoint(protocol="tri", host=f"h{number}", port=1, weight=weight), unwatched)
        for number, weight in enumerate(weights)
    )


@pytest.fixture(params=sorted({*available(LOADBALANCE), *OURS}), scope="module")
def kind(request: pytest.FixtureRequest) -> Any:
    return load(LOADBALANCE, request.param)


def shares(balance: Any, listed: tuple[Provider, ...], turns: int) -> list[float]:
    counts = Counter(balance.select(listed, ASKED) for _ in range(turns))
    return [counts[provider] / turns for provider in listed]


@settings(deadline=None, max_examples=50)
@given(weights=WEIGHTS)
def test_the_choice_is_in_the_list_and_never_of_weight_zero(kind: Any, weights: list[int]) -> None:
    """A weight of 0 is chosen only where all are 0."""
    listed, balance = providers(*weights), kind(Random(1))
    for _ in range(20):
        chosen = balance.select(listed, ASKED)
        assert chosen in listed
        assert chosen.weight or not any(weights)


@pytest.mark.parametrize("weights", [(100, 100), (100, 100, 100, 100), (5, 1, 1), (1, 0, 3), (0, 0, 0), (10_000, 1)])
def test_the_shares_are_the_weights(kind: Any, weights: tuple[int, ...]) -> None:
    """Over many choices each provider gets its share; all of weight 0 are equal."""
    total = sum(weights)
    expected = [weight / total for weight in weights] if total else [1 / len(weights)] * len(weights)
    assert shares(kind(Random(3)), providers(*weights), 7000) == pytest.approx(expected, abs=0.03)


def test_the_same_seed_is_the_same_choice(kind: Any) -> None:
    """Chance comes from the given source alone."""
    listed = providers(3, 2, 1)
    one, other = kind(Random(5)), kind(Random(5))
    assert [one.select(listed, ASKED) for _ in range(50)] == [other.select(listed, ASKED) for _ in range(50)]


def test_a_part_of_the_list_is_chosen_from_that_part(kind: Any) -> None:
    """A retry asks about those not tried; the whole list afterwards is what it was."""
    listed, balance = providers(1, 1, 1, 1), kind(Random(5))
    for _ in range(50):
        balance.select(listed, ASKED)
        assert balance.select(listed[1:3], ASKED) in listed[1:3]
    assert all(share > 0.1 for share in shares(balance, listed, 400))


def test_a_list_that_changes(kind: Any) -> None:
    """New providers get their share at once, and those that left are never chosen."""
    balance = kind(Random(5))
    old = providers(1, 1, 1)
    shares(balance, old, 100)
    new = (old[2], *providers(1, 1))
    assert shares(balance, new, 3000) == pytest.approx([1 / 3] * 3, abs=0.05)
    equal_again = tuple(new)[1:]
    assert shares(balance, equal_again, 1000) == pytest.approx([1 / 2] * 2, abs=0.06)


def test_many_threads_choose_at_once(kind: Any) -> None:
    """No choice is lost or wrong under threads."""
    listed, balance = providers(2, 1, 1), kind(Random(5))
    chosen: list[Provider] = []

    def choose() -> None:
        chosen.extend(balance.select(listed, ASKED) for _ in range(500))

    threads = [threading.Thread(target=choose) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = Counter(chosen)
    assert [counts[provider] / 2000 for provider in listed] == pytest.approx([0.5, 0.25, 0.25], abs=0.05)


def test_round_robin_is_smooth() -> None:
    """With weights 5, 1, 1 the heavy one is not asked five times in a row."""
    listed, balance = providers(5, 1, 1), RoundRobinLoadBalance(Random())
    order = [listed.index(balance.select(listed, ASKED)) for _ in range(14)]
    assert order == [0, 0, 1, 0, 2, 0, 0] * 2


def test_round_robin_of_equal_weights_takes_turns() -> None:
    """Each once before any twice, also with all weights 0."""
    for weight in (0, 7):
        listed, balance = providers(weight, weight, weight), RoundRobinLoadBalance(Random())
        assert [listed.index(balance.select(listed, ASKED)) for _ in range(6)] == [0, 1, 2, 0, 1, 2]


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=2, max_size=6).filter(any))
def test_round_robin_is_exact_over_a_period(weights: list[int]) -> None:
    """Over as many turns as the sum of weights each provider has exactly its own."""
    listed, balance = providers(*weights), RoundRobinLoadBalance(Random())
    counts = Counter(balance.select(listed, ASKED) for _ in range(sum(weights)))
    assert [counts[provider] for provider in listed] == weights


def test_round_robin_keeps_its_place_over_a_retry() -> None:
    """A choice among a part does not begin the whole list anew."""
    listed, balance = providers(1, 1, 1), RoundRobinLoadBalance(Random())
    first = balance.select(listed, ASKED)
    second = balance.select(listed[1:], ASKED)
    third = balance.select(listed, ASKED)
    assert {first, second, third} == set(listed)


def test_round_robin_never_chooses_a_weight_of_zero_of_a_part_that_had_its_turn() -> None:
    """However far below zero the scores of a part are, the one with a weight is chosen."""
    listed, balance = providers(0, 1, 10_000), RoundRobinLoadBalance(Random())
    while balance.select(listed, ASKED) is not listed[1]:
        pass
    assert balance.select(listed[:2], ASKED) is listed[1]


class Fixed(Random):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


@pytest.mark.parametrize(
    ("drawn", "weights", "index"),
    [
        (0.0, (1, 1), 0),
        (0.4999, (1, 1), 0),
        (0.5, (1, 1), 1),
        (0.0, (0, 1), 1),
        (0.999999, (1, 0), 0),
        (0.999999, (0, 0), 1),
        (0.7, (5, 1, 1), 0),
        (0.72, (5, 1, 1), 1),
    ],
)
def test_random_draws_by_the_sums_of_weights(drawn: float, weights: tuple[int, ...], index: int) -> None:
    """The edges of the intervals belong to the provider that they begin, and an empty one is never hit."""
    listed = providers(*weights)
    assert RandomLoadBalance(Fixed(drawn)).select(listed, ASKED) is listed[index]
