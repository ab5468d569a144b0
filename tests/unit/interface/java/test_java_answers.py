"""Answers become what the stub declares, where nothing is lost by it."""

from __future__ import annotations

import enum
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest

from callahead.consumer.codec.hessian2 import (
    JavaEntries,
    JavaObject,
    TypedList,
    TypedMap,
    TypedSet,
    dumps,
    java_type,
    loads,
)
from callahead.consumer.interface.java import JavaSignature, convert_answer


@java_type("com.example.javaface.answers.Color")
class Color(enum.Enum):
    RED = 1


LITE = "com.alibaba.com.caucho.hessian.io."
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
BIT_SET = JavaObject(LITE + "BitSetHandle", {"words": TypedList([1 - 2**63, 64], "[long")})
ENUM_SET = JavaObject(
    LITE + "EnumSetHandler",
    {"objects": TypedList([Color.RED], "[object"), "type": JavaObject("java.lang.Class", {"name": "x"})},
)


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
        (list[str], TypedList(["a"], "[string"), ["a"]),
        (list, TypedList([1], "java.util.LinkedList"), [1]),
        (list[Color], TypedList(["RED"], "java.util.LinkedList"), [Color.RED]),
        (list[list[str]], [TypedList(["a"], "[string")], [["a"]]),
        (dict[str, Color], TypedMap({"a": "RED"}, "java.util.TreeMap"), {"a": Color.RED}),
        (dict[Color, int], TypedMap({Color.RED: 1}, "java.util.EnumMap"), {Color.RED: 1}),
        (set[Color], ENUM_SET, {Color.RED}),
        (frozenset[Color] | None, ENUM_SET, frozenset({Color.RED})),
        (list[set[Color]], [ENUM_SET], [{Color.RED}]),
        (set[int], BIT_SET, {0, 63, 70}),
        (datetime, JavaObject(LITE + "CalendarHandle", {"type": None, "date": NOON}), NOON),
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
        (list[int], JavaEntries([([], 1)])),
        (set[Color], JavaObject(LITE + "EnumSetHandler", {"objects": "RED"})),
        (set[int], JavaObject(LITE + "BitSetHandle", {"words": ["x"]})),
        (set[int], JavaObject(LITE + "BitSetHandle", {"words": [-1] * 20_000})),
        (datetime, JavaObject(LITE + "CalendarHandle", {"date": "x"})),
        (int, {"class": "a.B"}),
    ],
)
def test_what_cannot_become_it_without_loss_stays_as_it_came(hint: Any, value: Any) -> None:
    """An answer is never an error of its annotation."""
    assert converted(hint, value) is value


def test_one_list_in_many_places_is_converted_once() -> None:
    """Four levels of a hundred references each would be a hundred million conversions; identity is kept, too."""
    value: list[Any] = [1] * 100
    for _ in range(4):
        value = [value] * 100
    begin = time.process_time()
    made = converted(list[list[list[list[list[float]]]]], value)
    assert time.process_time() - begin < 5
    assert made[0][0][0][0][0] == 1.0
    assert made[0] is made[99]


def test_an_enum_set_comes_back_as_it_went() -> None:
    """Over the wire, as a provider would send it."""
    signature = JavaSignature.of_names("find", ["java.util.EnumSet"])
    sent = loads(dumps(signature.convert([{Color.RED}])[0]))
    assert converted(set[Color], sent) == {Color.RED}
