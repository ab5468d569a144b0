"""What a lazy result cannot be, as docs/lazy.rst has it, since code looks at the object and not at its answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from google.protobuf.struct_pb2 import ListValue, Value
from support.shop import Shop

from callahead.conf.foo_pb2 import Foo
from callahead.consumer import resolve
from callahead.consumer.call.lazy import LazyResult


@dataclass
class Holder:
    held: Any


@pytest.fixture
def lazy() -> Iterator[Callable[[Any], Any]]:
    """Makes the lazy result of a call that is answered with the given value."""
    with Shop(lambda invocation: invocation.args[0], methods={"findFoo": {"async": "lazy"}}) as shop:
        yield shop.foo.findFoo


def test_none_is_equal_and_not_identical(lazy: Callable[[Any], Any]) -> None:
    """``is`` asks for the object; ``not x``, ``x == None`` and `resolve` ask for the answer."""
    found = lazy(None)
    assert found is not None
    assert found == None  # noqa: E711 - what is shown
    assert not found
    assert resolve(found) is None


@pytest.mark.parametrize("value", [True, False])
def test_truth_is_that_of_the_answer_and_identity_is_not(lazy: Callable[[Any], Any], value: bool) -> None:
    """``if x`` is right, ``if x is True`` never holds."""
    found = lazy(value)
    assert bool(found) is value
    assert found is not True
    assert found is not False


def test_its_type_is_its_own(lazy: Callable[[Any], Any]) -> None:
    """``type`` gives that of the object, ``__class__`` that of the answer."""
    found = lazy("text")
    assert type(found) is LazyResult
    assert found.__class__ is str


def test_its_type_makes_nothing(lazy: Callable[[Any], Any]) -> None:
    """Code that copies by ``type(x)(...)`` is told so."""
    text = "the type of a lazy result makes nothing of a list; use callahead.resolve"
    with pytest.raises(TypeError, match=text):
        type(lazy([1]))([2])


def test_a_pattern_of_a_mapping_or_a_sequence_does_not_match(lazy: Callable[[Any], Any]) -> None:
    """``match`` asks the type itself for these two."""

    def kind(value: Any) -> str:
        match value:
            case {"a": _}:
                return "mapping"
            case [_]:
                return "sequence"
        return "neither"

    assert [kind(lazy({"a": 1})), kind(lazy([1]))] == ["neither", "neither"]
    assert [kind(resolve(lazy({"a": 1}))), kind(resolve(lazy([1])))] == ["mapping", "sequence"]


def test_json_takes_it_by_resolve(lazy: Callable[[Any], Any]) -> None:
    """The encoder knows the builtin types alone; ``default=resolve`` tells it."""
    found = {"found": lazy({"a": 1})}
    with pytest.raises(TypeError, match="Object of type dict is not JSON serializable"):
        json.dumps(found)
    assert json.dumps(found, default=resolve) == '{"found": {"a": 1}}'


def test_functions_written_in_c_that_want_the_very_type_refuse_it(lazy: Callable[[Any], Any]) -> None:
    """``str.join`` is one of many."""
    with pytest.raises(TypeError, match="expected str instance, LazyResult found"):
        "".join([lazy("a")])
    assert "".join([resolve(lazy("a"))]) == "a"


def test_it_is_neither_callable_nor_an_iterator(lazy: Callable[[Any], Any]) -> None:
    """Answers that are functions or iterators are to be resolved; ``iter`` of them works."""
    assert not callable(lazy(len))
    with pytest.raises(TypeError, match="object is not an iterator"):
        next(lazy(iter([1])))
    assert list(lazy(iter([1, 2]))) == [1, 2]
    assert resolve(lazy(len))("abc") == 3


def test_it_has_the_methods_of_all_types(lazy: Callable[[Any], Any]) -> None:
    """So what asks for a method, as the abstract classes do, always finds it."""
    found = lazy(5)
    assert isinstance(found, Iterable)
    assert hasattr(found, "__len__")
    assert not isinstance(resolve(found), Iterable)
    with pytest.raises(TypeError):
        len(found)


def test_a_dataclass_keeps_it_until_it_is_used(lazy: Callable[[Any], Any]) -> None:
    """``asdict`` copies plain what it copies, and cannot rebuild a list or a dictionary of it."""
    assert asdict(Holder(lazy("text"))) == {"held": "text"}
    assert type(asdict(Holder(lazy("text")))["held"]) is str
    assert Holder(lazy([1])) == Holder([1])
    assert asdict(Holder(resolve(lazy([1])))) == {"held": [1]}


@pytest.mark.parametrize(
    "hand_over",
    [
        lambda foo: Foo().CopyFrom(foo),
        lambda foo: Foo().MergeFrom(foo),
        lambda foo: Foo(name=foo.name).SerializeToString() and Foo.SerializeToString(foo),
    ],
    ids=["CopyFrom", "MergeFrom", "unbound method"],
)
def test_protobuf_refuses_it(lazy: Callable[[Any], Any], hand_over: Callable[[Any], Any]) -> None:
    """The methods of messages take messages alone; of the answer itself they are at hand."""
    foo = Foo(foo_id=1, name="a foo")
    found = lazy(foo)
    with pytest.raises(TypeError):
        hand_over(found)
    hand_over(resolve(found))
    assert found == foo
    assert foo == found
    assert found.SerializeToString() == foo.SerializeToString()


@pytest.mark.parametrize("hand_over", [lambda values, it: values.append(it), lambda values, it: values.extend([it])])
def test_a_repeated_field_refuses_it(lazy: Callable[[Any], Any], hand_over: Callable[[Any, Any], Any]) -> None:
    """``append`` and ``extend`` take messages alone, too."""
    value, holder = Value(string_value="a"), ListValue()
    with pytest.raises(TypeError):
        hand_over(holder.values, lazy(value))
    hand_over(holder.values, resolve(lazy(value)))
    assert list(holder.values) == [value]


def test_a_message_of_its_own_can_be_written_to(lazy: Callable[[Any], Any]) -> None:
    """What is done to it is done to the answer."""
    found = lazy(Foo(foo_id=1))
    found.CopyFrom(Foo(foo_id=2))
    found.name = "two"
    assert resolve(found) == Foo(foo_id=2, name="two")
