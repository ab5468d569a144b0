"""Weights as they are at the moment: warm-up by Java's own numbers, and what a provider's URL says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.balance import providers, unwatched
from support.clock import FakeClock

from callahead.consumer.call.provider import Provider
from callahead.consumer.loadbalance.weights import STEP_S, PerList, Weights, warmed
from callahead.registry.models import Endpoint

JAVA = json.loads((Path(__file__).parent / "vectors" / "consistent-hash-vectors.json").read_text("utf-8"))
NOW_MS = 1_795_634_098_890


@pytest.mark.parametrize("case", JAVA["warmup"], ids=str)
def test_a_cold_provider_has_the_weight_that_java_gives_it(case: dict[str, int]) -> None:
    """Truncated, and at least 1."""
    assert warmed(case["weight"], case["uptime"], case["warmup"]) == case["result"]


def of_url(written: dict[str, str], clock: FakeClock) -> Provider:
    stamped = {
        key: str(NOW_MS + int(value.removeprefix("now"))) if value.startswith("now") else value
        for key, value in written.items()
    }
    weight = int(stamped.get("weight", "100"))
    endpoint = Endpoint(protocol="dubbo", host="h", port=1, weight=max(0, weight), parameters=stamped)
    return Provider(endpoint, unwatched, NOW_MS, clock.now)


@pytest.mark.parametrize("case", JAVA["getWeight"], ids=str)
def test_the_parameters_of_a_url_give_the_weight_that_java_takes(case: dict[str, Any]) -> None:
    """Those of the method go before those of the interface."""
    clock = FakeClock()
    weights, _ = Weights("hello", clock).of([of_url(case["parameters"], clock)])
    assert weights == [case["result"]]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"find.weight": "-5"}, 0),
        ({"find.weight": "much"}, 100),
        ({"find.weight": "1" * 40}, 100),
        ({"find.weight": "999999"}, 10_000),
        ({"timestamp": "today"}, 100),
        ({"timestamp": str(NOW_MS), "warmup": "long"}, 1),
        ({"timestamp": "9" * 40}, 100),
    ],
)
def test_a_parameter_that_is_no_number_counts_as_not_set(parameters: dict[str, str], expected: int) -> None:
    """A provider with one wrong parameter is not taken out for it, and no number is out of bounds."""
    clock = FakeClock()
    weights, _ = Weights("find", clock).of([of_url(parameters, clock)])
    assert weights == [expected]


def test_warm_weights_hold_as_long_as_the_list() -> None:
    """Without a warm-up nothing is looked at twice."""
    weights, until = Weights("find", FakeClock()).of(providers(1, 2, 3))
    assert (weights, until) == ([1, 2, 3], 0)


def test_cold_weights_hold_for_a_second() -> None:
    """Then they are looked at again, until all are warm."""
    clock = FakeClock()
    made: list[list[int]] = []
    listed = providers(100, 100)
    listed[0].warm_ms, listed[0].warm_at = 10_000, clock.now + 5
    lists = PerList(Weights("find", clock), lambda _, weights: made.append(weights))
    for _ in range(12):
        lists.of(listed)
        clock.advance(STEP_S / 2)
    assert made == [[50, 100], [60, 100], [70, 100], [80, 100], [90, 100], [100, 100]]


def test_the_work_for_a_list_outlives_calls_about_parts_of_it() -> None:
    """That of the last four lists is kept, and of these the one that was used longest ago goes."""
    made: list[int] = []
    listed = providers(*[1] * 9)
    several = [listed[:count] for count in range(2, 9)]
    lists = PerList(Weights("find", FakeClock()), lambda providers, _: made.append(len(providers)))
    for one in (listed, several[0], listed, several[1], several[2], listed, several[0]):
        lists.of(one)
    assert made == [9, 2, 3, 4]
    for one in (*several[3:6], listed, several[0]):
        lists.of(one)
    assert made == [9, 2, 3, 4, 5, 6, 7, 9, 2]
