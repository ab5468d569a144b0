"""Answers become what the stub declares, where nothing is lost by it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import pytest

from callahead.consumer.codec.hessian2 import JavaObject, TypedList, TypedSet, java_type
from callahead.consumer.interface.java import JavaSignature, convert_answer


@java_type("com.example.javaface.answers.Color")
class Color(enum.Enum):
    RED = 1


def converted(hint: Any, value: Any) -> Any:
    return convert_answer(JavaSignature(wire_method="find", types=(), return_type=hint), value)


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple, [1], (1,)),
        (tuple[float, str], [1, "a"], (1.0, "a")),
        (tuple[int, ...] | None, [1], (1,)),
        (set[int], [1, 2], {1, 2}),
        (set[int], TypedSet([1]), {1}),
        (frozenset[str], {"a"}, frozenset({"a"})),
        (list[set[int]], [[1]], [{1}]),
        (Sequence[float], [1, 2.5], [1.0, 2.5]),
        (dict[str, tuple[int, ...]], {"a": [1]}, {"a": (1,)}),
        (tuple[int, ...], TypedList([1], "[int"), (1,)),
        (float, 5, 5.0),
        (Decimal, 5, Decimal(5)),
        (Annotated[Decimal, "price"], 5, Decimal(5)),
        (Color, "RED", Color.RED),
        (Color, JavaObject("other.Color", {"name": "RED"}), Color.RED),
        (list[Color | None], ["RED", None], [Color.RED, None]),
    ],
)
def test_an_answer_becomes_what_is_declared(hint: Any, value: Any, expected: Any) -> None:
    """At any depth."""
    made = converted(hint, value)
    assert (made, type(made)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (None, [1]),
        (Any, [1]),
        (tuple[int, ...], None),
        (tuple[int, str], [1]),
        (set[int], [1, 1]),
        (set[Any], [[1]]),
        (float, 2**60 + 1),
        (float, True),
        (Decimal, 0.1),
        (Color, "BLUE"),
        (Color, JavaObject("other.Color", {"name": 5})),
        (dict[str, float], [1]),
        (int | str, "5"),
        (list[int], TypedList([1], "[int")),
        (int, {"class": "a.B"}),
    ],
)
def test_what_cannot_become_it_without_loss_stays_as_it_came(hint: Any, value: Any) -> None:
    """An answer is never an error of its annotation."""
    assert converted(hint, value) is value
