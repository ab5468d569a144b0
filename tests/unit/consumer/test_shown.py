"""Values and texts of others in messages: bounded in length, depth and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.config.values.line import LINE_LENGTH, one_line
from callahead.consumer.codec.hessian2 import BigInteger, JavaEntries, JavaObject, TypedList, TypedMap, TypedSet
from callahead.consumer.errors import RemoteError, SerializationError
from callahead.consumer.runtime.shown import shown
from callahead.registry.errors import ProviderDataError


@dataclass
class Person:
    """With a field that is not shown."""

    name: str
    password: str = field(repr=False)


class Hiding(Person):
    """Writes itself."""

    def __repr__(self) -> str:
        return self.password


class Counting(list[Any]):
    """A list that counts how often an item is taken out of it."""

    taken = 0

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            Counting.taken += 1
            yield item


def doubling(levels: int) -> list[Any]:
    """Make a list in which each level holds the next one twice."""
    value: list[Any] = Counting()
    for _ in range(levels):
        value = Counting([value, value])
    return value


@pytest.mark.parametrize(
    "value",
    [
        *(None, 5, "a\n", b"\0", 1.5, [], [1, [2]], (), (1,), (1, 2), {"a": [1], 2: None}, {1}),
        *(TypedList([1], "[int"), JavaEntries([("k", 1)]), Person("n", "p")),
    ],
)
def test_small_values_are_written_as_python_does(value: Any) -> None:
    """Messages stay as they were."""
    assert shown(value) == repr(value)


def test_java_values_are_written_with_their_class() -> None:
    """Their own `repr` is this one."""
    assert repr(JavaObject("a.B", {"c": [1]})) == "JavaObject('a.B', {'c': [1]})"
    assert repr(TypedMap({"k": 1}, "java.util.TreeMap")) == "TypedMap({'k': 1}, 'java.util.TreeMap')"
    assert repr(TypedSet([1])) == "TypedSet([1], 'java.util.LinkedHashSet')"
    assert repr(BigInteger(7)) == "BigInteger(7)"


def test_what_doubles_at_each_level_is_cut_after_few_steps() -> None:
    """Two hundred levels would be 2^200 lists."""
    Counting.taken = 0
    text = shown(doubling(200), 500)
    assert len(text) <= 500
    assert text.startswith("[[[")
    assert text.endswith("...")
    assert Counting.taken <= 500


@pytest.mark.parametrize("value", ["x" * 10_000_000, b"x" * 10_000_000, [0] * 1_000_000, JavaObject("c" * 100_000)])
def test_what_is_long_is_cut(value: Any) -> None:
    """The room is that of a message, unless more is asked for."""
    text = shown(value)
    assert len(text) == LINE_LENGTH
    assert text.endswith("...")


def test_a_number_that_python_does_not_print_is_named() -> None:
    """Above some thousands of digits Python raises."""
    assert shown([1 << 100_000]) == "[<int of 100001 bits>]"
    assert repr(BigInteger(1 << 100_000)) == "BigInteger(<int of 100001 bits>)"


def test_what_holds_itself_is_written_once() -> None:
    """A second time stands as dots, the same value beside itself does not."""
    value: list[Any] = [1]
    value.append(value)
    both = JavaObject("a.B", {"c": [2]})
    both.fields["self"] = both
    assert shown(value) == "[1, [...]]"
    assert shown(both) == "JavaObject('a.B', {'c': [2], 'self': JavaObject(...)})"
    assert shown([both.fields["c"]] * 2) == "[[2], [2]]"


def test_a_class_that_writes_itself_is_only_named() -> None:
    """Its own `repr` may be without end, and may hide what must not be shown."""
    assert shown(Hiding("n", "secret")).endswith(".Hiding>")
    assert "secret" not in shown([Person("n", "secret"), Hiding("n", "secret")])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain \u4e2d\u3000\u6587 \u00e9", "plain \u4e2d\u3000\u6587 \u00e9"),
        ("a\r\nINFO forged", "a\\r\\nINFO forged"),
        ("\x1b[2J\x9b2J\x7f\0\t", "\\u001b[2J\\u009b2J\\u007f\\u0000\\t"),
        ("\u202egnp.exe\u2066\u200f\u061c", "\\u202egnp.exe\\u2066\\u200f\\u061c"),
        ("a\u2028b\u2029\x85", "a\\u2028b\\u2029\\u0085"),
        ("\ud800", "\\ud800"),
    ],
)
def test_messages_are_one_printable_line(text: str, line: str) -> None:
    """A peer's text neither begins a line of its own nor changes how others look."""
    assert one_line(text) == line
    assert str(RemoteError(text)) == str(ProviderDataError(text)) == line


def test_messages_are_cut_and_say_how_long_they_were() -> None:
    """Eight megabytes of a peer fill no log."""
    message = SerializationError("x" * 8_000_000).message
    assert len(message) == LINE_LENGTH
    assert message.endswith("x... (8000000 characters)")


@given(st.text(st.characters(codec=None), max_size=3 * LINE_LENGTH))
def test_a_line_is_given_back_as_it_is(text: str) -> None:
    """Errors are made of errors' messages; nothing is escaped or cut twice."""
    line = one_line(text)
    assert len(line) <= LINE_LENGTH
    assert one_line(line) == line
