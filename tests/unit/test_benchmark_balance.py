"""The simulation of load balancers is the same on every machine, and shows what the manual says of it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from benchmarks.balance import BALANCES, SCENES, Scene, simulate
from callahead.config.extension import LOADBALANCE, available

PROVIDERS, CALLS = 50, 4000


@cache
def outcome(name: str, scene: Scene) -> dict[str, Any]:
    return simulate(name, scene, PROVIDERS, CALLS, seed=3)


def test_every_load_balancer_is_simulated() -> None:
    """None is left out."""
    assert sorted(BALANCES) == list(available(LOADBALANCE))


def test_the_same_seed_gives_the_same_figures() -> None:
    """No clock of the machine and no chance of its own has a part in it."""
    scene = SCENES["4 % are slow"]
    assert simulate("p2c", scene, PROVIDERS, 1000, 5) == simulate("p2c", scene, PROVIDERS, 1000, 5)
    assert simulate("p2c", scene, PROVIDERS, 1000, 5) != simulate("p2c", scene, PROVIDERS, 1000, 6)


@pytest.mark.parametrize("name", ["leastactive", "p2c", "roundrobin", "shortestresponse"])
def test_among_providers_that_are_well_the_tail_is_shorter_than_by_chance(name: str) -> None:
    """Whoever looks, or takes turns, leaves fewer calls in a queue behind others."""
    well = SCENES["all are well"]
    assert outcome(name, well)["p99_ms"] < outcome("random", well)["p99_ms"]
    assert outcome(name, well)["failed_percent"] == 0


@pytest.mark.parametrize("name", ["leastactive", "p2c", "shortestresponse"])
def test_slow_providers_are_left_alone_by_those_that_look(name: str) -> None:
    """At least four of five calls that chance would have sent there go elsewhere."""
    slow = Scene(slow=0.04)
    assert outcome(name, slow)["ill_percent"] < outcome("random", slow)["ill_percent"] / 5


@pytest.mark.parametrize("name", ["adaptive", "p2c", "shortestresponse"])
def test_providers_that_refuse_at_once_draw_no_calls_of_those_that_measure(name: str) -> None:
    """Where they only count what runs, such a provider is always the idle one."""
    refusing = Scene(refusing=0.04)
    assert outcome(name, refusing)["failed_percent"] < outcome("random", refusing)["failed_percent"] / 4
    assert outcome("leastactive", refusing)["failed_percent"] > outcome("random", refusing)["failed_percent"]
