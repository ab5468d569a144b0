"""How much memory a value is taken to hold."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from callahead.consumer.runtime.weight import weight_of


@dataclass(slots=True)
class Lean:
    """Has no dict of its own."""

    number: int
    text: str


class Rich:
    """Has one."""

    def __init__(self, number: int) -> None:
        self.numbers = [number * 1000, number * 2000]


class Hostile(list[Any]):
    """Cannot be looked through."""

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("changed size during iteration")


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 100_000,
        lambda: "\U0001f600" + "x" * 100_000,
        lambda: b"x" * 100_000,
        lambda: list(range(1000, 21_000)),
        lambda: [float(number) for number in range(10_000)],
        lambda: {f"key {number}": number + 1000 for number in range(5000)},
        lambda: [Lean(number + 1000, f"text {number}") for number in range(5000)],
        lambda: [Rich(number) for number in range(1000, 3000)],
        lambda: [[[str(number + inner) for inner in range(10)] for number in range(10)] for _ in range(30)],
    ],
    ids=["ascii", "emoji", "bytes", "ints", "floats", "mapping", "slots", "objects", "nested"],
)
def test_an_estimate_is_near_what_was_allocated(make: Callable[[], Any]) -> None:
    """It is neither much less nor a multiple, whatever the value is made of."""
    tracemalloc.start()
    try:
        value = make()
        allocated = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.75 * allocated <= weight_of(value) <= 1.5 * allocated


def test_what_python_makes_once_weighs_nothing() -> None:
    """A list of small numbers is no more than its places."""
    numbers = [number % 200 for number in range(10_000)]
    assert weight_of(numbers) <= numbers.__sizeof__() + 100


def test_a_value_that_refers_to_itself_has_a_weight() -> None:
    """Where looking deeper never ends, it ends all the same."""
    circle: list[Any] = ["x" * 1000]
    circle.append(circle)
    assert weight_of(circle) >= 1000


def test_a_value_that_cannot_be_looked_through_has_a_weight() -> None:
    """It weighs what is known of it, and fails nobody's call."""
    assert weight_of(Hostile([1, 2])) > 0
