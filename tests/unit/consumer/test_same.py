"""Equality of graphs: what Python says, but in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.consumer.codec.hessian2 import JavaEntries, JavaObject, JavaThrowable, TypedList, TypedMap
from callahead.consumer.runtime.same import same


@dataclass
class Node:
    """Compared by its fields."""

    left: Any
    right: Any


def of_list(value: Any) -> Any:
    return TypedList([value, value])


def of_map(value: Any) -> Any:
    return TypedMap({"a": value, "b": value}, "java.util.TreeMap")


def of_entries(value: Any) -> Any:
    return JavaEntries([([], value), ([], value)])


def of_object(value: Any) -> Any:
    return JavaObject("a.B", {"left": [value], "right": [value]})


def of_dataclass(value: Any) -> Any:
    return JavaObject("a.B", {"node": Node(value, value)})


@pytest.mark.parametrize("make", [of_list, of_map, of_entries, of_object, of_dataclass])
def test_what_doubles_at_each_level_is_compared_once(make: Callable[[Any], Any]) -> None:
    """Two hundred levels have 2^200 ways; Python's own comparison goes each of them."""
    graphs: list[Any] = [1, 1, 2]
    for _ in range(200):
        graphs = [make(graph) for graph in graphs]
    one, equal, other = graphs
    begin = time.process_time()
    assert one == equal
    assert one != other
    assert time.process_time() - begin < 5


def test_circles_of_different_lengths_are_equal_where_no_way_tells_them_apart() -> None:
    """Python's own comparison ends in a RecursionError."""
    one, two = circle(6), circle(4)
    other = circle(5)
    other[0].append(1)
    assert one == two
    assert one != other


def circle(length: int) -> Any:
    nodes = [TypedList() for _ in range(length)]
    for node, following in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        node.append(following)
    return nodes[0]


VALUES = st.recursive(
    st.none() | st.integers(0, 2) | st.text("ab", max_size=1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 2), inner, max_size=2),
)


@given(VALUES, VALUES)
def test_trees_are_equal_where_python_says_so(one: Any, other: Any) -> None:
    """The class of a collection does not matter, as ever."""
    assert same(one, other) == (one == other)
    assert (TypedList([one]) == [other]) == (one == other)


def test_objects_are_equal_by_class_fields_and_their_order() -> None:
    """A Throwable is one of them."""
    one = JavaObject("a.B", {"c": 1, "d": 2})
    assert one == JavaObject("a.B", {"c": 1, "d": 2}) == JavaThrowable("a.B", {"c": 1, "d": 2})
    assert one != JavaObject("a.C", {"c": 1, "d": 2})
    assert one != JavaObject("a.B", {"d": 2, "c": 1})
    assert one != {"c": 1, "d": 2}


def test_other_types_are_not_equal() -> None:
    """Neither way round."""
    assert TypedList([1]) != (1,)
    assert TypedList() != TypedMap()
    assert TypedMap() != TypedList()
    assert TypedList() != "x"
