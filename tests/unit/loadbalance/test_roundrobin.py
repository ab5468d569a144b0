"""``roundrobin``: the order of the turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.balance import asked, parts, providers
from support.clock import FakeClock

from callahead.consumer.call.provider import Provider
from callahead.consumer.loadbalance.roundrobin import RoundRobinLoadBalance

ASKED = asked()


def order(balance: RoundRobinLoadBalance, listed: Sequence[Provider], turns: int) -> list[int]:
    return [listed.index(balance.select(listed, ASKED)) for _ in range(turns)]


def by_the_rule(weights: Sequence[int], turns: int) -> list[int]:
    """Add all weights, take the highest score, lower it by the sum: the rule as nginx and Dubbo write it."""
    scores, chosen = [0] * len(weights), []
    for _ in range(turns):
        scores = [score + weight for score, weight in zip(scores, weights, strict=True)]
        best = max((place for place, weight in enumerate(weights) if weight), key=scores.__getitem__)
        scores[best] -= sum(weights)
        chosen.append(best)
    return chosen


def test_it_is_smooth() -> None:
    """With weights 5, 1, 1 the heavy one is not asked five times in a row."""
    assert order(RoundRobinLoadBalance(parts()), providers(5, 1, 1), 14) == [0, 0, 1, 0, 2, 0, 0] * 2


def test_equal_weights_take_turns() -> None:
    """Each once before any twice, also with all weights 0."""
    for weight in (0, 7):
        assert order(RoundRobinLoadBalance(parts()), providers(weight, weight, weight), 6) == [0, 1, 2, 0, 1, 2]


@settings(deadline=None)
@given(st.lists(st.sampled_from((0, 1, 1, 2, 3, 5, 8, 100)), min_size=2, max_size=12).filter(any))
def test_the_sequence_is_that_of_the_rule(weights: list[int]) -> None:
    """Though only one provider of each weight is compared."""
    turns = min(2 * sum(weights) + 3, 400)
    assert order(RoundRobinLoadBalance(parts()), providers(*weights), turns) == by_the_rule(weights, turns)


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=2, max_size=6).filter(any))
def test_it_is_exact_over_a_period(weights: list[int]) -> None:
    """Over as many turns as the sum of weights each provider has exactly its own."""
    counts = Counter(order(RoundRobinLoadBalance(parts()), providers(*weights), sum(weights)))
    assert [counts[place] for place in range(len(weights))] == weights


def test_it_keeps_its_place_over_a_retry() -> None:
    """A choice among a part does not begin the whole list anew."""
    listed, balance = providers(1, 1, 1), RoundRobinLoadBalance(parts())
    first = balance.select(listed, ASKED)
    second = balance.select(listed[1:], ASKED)
    third = balance.select(listed, ASKED)
    assert {first, second, third} == set(listed)


def test_it_never_chooses_a_weight_of_zero_of_a_part_that_had_its_turn() -> None:
    """However the turns of a part stand, the one with a weight is chosen."""
    listed, balance = providers(0, 1, 10_000), RoundRobinLoadBalance(parts())
    while balance.select(listed, ASKED) is not listed[1]:
        pass
    assert balance.select(listed[:2], ASKED) is listed[1]


def test_a_list_that_changes_all_the_time_favours_nobody() -> None:
    """With each new list those go on whose turn is next, and do not begin at the first again."""
    listed, balance = list(providers(*[1] * 6)), RoundRobinLoadBalance(parts())
    counts = Counter(balance.select(tuple(listed), ASKED) for _ in range(60))
    assert set(counts.values()) == {10}


def test_a_smaller_list_with_other_weights_is_no_part_of_the_one_before() -> None:
    """The new weights count at once."""
    listed, balance = providers(1, 1, 1), RoundRobinLoadBalance(parts())
    order(balance, listed, 3)
    listed[0].weight = 3
    assert Counter(order(balance, listed[:2], 8)) == {0: 6, 1: 2}


@pytest.mark.parametrize("left", [False, True])
def test_one_that_left_is_not_waited_for(left: bool) -> None:
    """The list without it has turns of its own; where it is only passed over, the others take theirs."""
    listed, balance = providers(1, 1, 1), RoundRobinLoadBalance(parts())
    order(balance, listed, 1)
    listed[2].has_left = left
    assert order(balance, listed[:2], 4) == [1, 0, 1, 0]


def test_those_that_warm_up_get_more_turns_while_another_is_passed_over() -> None:
    """A part of the list is looked at again, too."""
    clock = FakeClock()
    listed = providers(10, 10, 10, 1)
    listed[0].warm_ms, listed[0].warm_at = 100_000, clock.now + 100
    balance, part = RoundRobinLoadBalance(parts(1, clock)), listed[:3]
    order(balance, listed, 1)
    assert 1 <= order(balance, part, 21).count(0) <= 2
    clock.advance(100)
    order(balance, part, 1)
    assert order(balance, part, 30).count(0) == 10


def test_one_that_warms_up_gets_more_turns_though_calls_are_repeated_elsewhere() -> None:
    """What is known of a part says nothing of how long the weights of the whole list hold."""
    clock = FakeClock()
    listed = providers(10, 10, 10)
    listed[0].warm_ms, listed[0].warm_at = 100_000, clock.now + 100
    balance = RoundRobinLoadBalance(parts(1, clock))
    order(balance, listed, 1)
    clock.advance(0.5)
    order(balance, listed[1:], 1)
    clock.advance(100)
    order(balance, listed, 3)
    assert order(balance, listed, 30).count(0) == 10


def test_lists_that_come_by_turns_have_turns_of_their_own() -> None:
    """As where a rule or a zone gives each call one of several parts."""
    listed, balance = providers(*[1] * 9), RoundRobinLoadBalance(parts())
    several = (listed[:2], listed[2:5], listed[5:])
    chosen = [balance.select(one, ASKED) for _ in range(12) for one in several]
    assert [Counter(chosen)[one] for one in listed] == [6] * 2 + [4] * 3 + [3] * 4


def test_those_that_warm_up_get_more_turns_by_and_by() -> None:
    """Weights are looked at again while one of them changes by itself."""
    clock = FakeClock()
    listed = providers(10, 10)
    listed[0].warm_ms, listed[0].warm_at = 100_000, clock.now + 100
    balance = RoundRobinLoadBalance(parts(1, clock))
    assert order(balance, listed, 22).count(0) == 2
    clock.advance(50)
    assert order(balance, listed, 15).count(0) == 5
    clock.advance(50)
    assert order(balance, listed, 20).count(0) == 10
