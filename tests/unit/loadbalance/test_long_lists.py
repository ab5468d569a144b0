"""Ten thousand providers: a choice costs about what it costs among a hundred, and a new list costs no square of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from support.balance import parts

from benchmarks.directory import choosing, cpu_s, directory_of, endpoints
from callahead.config.extension import LOADBALANCE, load
from callahead.consumer.cluster.directory import Directory
from callahead.registry.models import Endpoint, Snapshot

FEW, MANY = 100, 10_000
CHOICES = 300


def least(measure: Callable[[], float], times: int = 3) -> float:
    """A shared machine makes any single measurement look slow."""
    return min(measure() for _ in range(times))


@pytest.fixture(scope="module")
def directories() -> dict[int, Directory]:
    return {count: directory_of(endpoints(count)) for count in (FEW, MANY)}


@pytest.mark.parametrize("name", ["adaptive", "consistenthash", "leastactive", "p2c", "random", "roundrobin"])
def test_a_choice_among_many_costs_little_more_than_among_few(name: str, directories: dict[int, Directory]) -> None:
    """Less than ten times as much among a hundred times as many, once a list is known."""
    costs = {}
    for count, directory in directories.items():
        balance, listed = load(LOADBALANCE, name)(parts(hash_nodes=8)), directory.providers
        choosing(balance, listed, 10)
        costs[count] = least(lambda balance=balance, listed=listed: choosing(balance, listed, CHOICES))  # type: ignore[misc]
    assert costs[MANY] < 10 * costs[FEW]


@pytest.mark.parametrize("name", ["leastactive", "p2c", "random", "roundrobin"])
def test_one_that_is_passed_over_makes_no_choice_dear(name: str, directories: dict[int, Directory]) -> None:
    """The list without it is made once, and so is what a load balancer makes of it."""
    directory = directories[MANY]
    directory.providers[7].pass_over(math.inf)
    balance = load(LOADBALANCE, name)(parts())
    choosing(balance, directory.candidates(()), 10)
    narrowed = least(lambda: cpu_s(lambda: [directory.candidates(()) for _ in range(CHOICES)]))
    assert directory.candidates(()) is directory.candidates(())
    directory.providers[7].pass_over(0.0)
    assert narrowed < 5 * least(lambda: cpu_s(lambda: tuple(filter(None, directory.providers))))


def test_a_new_list_costs_in_proportion_to_its_length() -> None:
    """Ten times as many cost less than thirty times as much; all of them come, and all of them go."""

    def refresh(listed: tuple[Endpoint, ...]) -> float:
        made = directory_of(())
        return cpu_s(lambda: [made.notify(Snapshot(1, heard)) for heard in (listed, ())])

    few, many = endpoints(1000), endpoints(MANY)
    assert least(lambda: refresh(many)) < 30 * least(lambda: refresh(few))
