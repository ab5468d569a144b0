"""A few bytes of a peer that stand for a graph without end, in all that is done to it on the way to a message."""

from __future__ import annotations

import enum
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from callahead.consumer.codec.dubbo import EXCEPTION, decode_response, error_of_thrown, throwable_of
from callahead.consumer.codec.hessian2 import (
    BigInteger,
    JavaEntries,
    JavaObject,
    JavaThrowable,
    Period,
    YearMonth,
    dumps,
    java_type,
    loads,
)
from callahead.consumer.errors import RemoteError, SerializationError

LEVELS = 200
GENEROUS_S = 5.0


@pytest.fixture(autouse=True)
def _in_bounded_time() -> Iterator[None]:
    """Every test here would run for longer than the universe if the way doubled at each level."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < GENEROUS_S


@java_type("com.example.bombs.Pair")
@dataclass(frozen=True)
class Pair:
    """Has a hash, which is made of its parts' hashes each time it is asked for."""

    left: Any
    right: Any


@java_type("com.example.bombs.Side")
class Side(enum.Enum):
    """An enum of which a peer may name any constant."""

    LEFT = 1


def doubling_lists(levels: int = LEVELS) -> bytes:
    """Lists in which the first item is the next list, and the second refers to it."""
    references = b"".join(b"\x51" + dumps(number) for number in range(levels - 1, 0, -1))
    return b"\x7a" * (levels - 1) + b"\x78" + references


def doubling(make: Any, levels: int = LEVELS) -> Any:
    value = make(None, None)
    for _ in range(levels):
        value = make(value, value)
    return value


def test_lists_thrown_in_the_place_of_an_exception() -> None:
    """The smallest input that held the GIL for ever: under 1 kB."""
    body = b"\x90" + doubling_lists()
    assert len(body) < 1000
    kind, thrown, _ = decode_response(body)
    assert kind == EXCEPTION
    error = error_of_thrown(thrown)
    assert error.message.startswith("java.util.ArrayList: [[[[")
    assert len(error.message) <= 2000


@pytest.mark.parametrize("field", ["declaringClass", "methodName", "fileName", "lineNumber"])
def test_lists_in_the_place_of_a_stack_frames_text(field: str) -> None:
    """The frame says what came there."""
    thrown = JavaThrowable("a.E", {"detailMessage": "m", "cause": None, "stackTrace": []})
    thrown.fields["stackTrace"].append(JavaObject("java.lang.StackTraceElement", {field: loads(doubling_lists())}))
    error = error_of_thrown(thrown)
    assert isinstance(error, RemoteError)
    assert len(str(error.details["stack"][0])) < 5000


def test_lists_in_the_place_of_any_field_of_an_exception() -> None:
    """Message, cause and class name of a generic exception: all are a peer's."""
    bomb = loads(doubling_lists())
    fields = {"detailMessage": bomb, "cause": bomb, "stackTrace": bomb, "exceptionClass": bomb, "code": bomb}
    for name in ("a.E", "org.apache.dubbo.rpc.RpcException", "org.apache.dubbo.rpc.service.GenericException"):
        error = error_of_thrown(JavaThrowable(name, fields))
        assert error.message == name
        assert len(repr(throwable_of(error))) <= 2000


def test_one_long_stack_under_many_causes() -> None:
    """By reference it is sent once; what is read of it is bounded for each of them."""
    stack = [JavaObject("java.lang.StackTraceElement", {"declaringClass": "a.B"})] * 100_000
    thrown = None
    for _ in range(64):
        thrown = JavaThrowable("a.E", {"detailMessage": "m", "cause": thrown, "stackTrace": stack})
    error = error_of_thrown(thrown)
    assert isinstance(error, RemoteError)
    assert len(error.details["stack"]) == 1024


def test_lists_in_the_place_of_the_name_of_a_constant() -> None:
    """It stands in the message."""
    with pytest.raises(SerializationError, match=r"constant \[\[\[") as caught:
        loads(dumps(JavaObject("com.example.bombs.Side", {"name": loads(doubling_lists())})))
    assert len(caught.value.message) <= 2000


@pytest.mark.parametrize("java_class", ["YearMonthHandle", "PeriodHandle"])
def test_dates_made_of_dates(java_class: str) -> None:
    """A handle holds numbers; what has other fields stays as it came, and has no hash."""
    names = {"YearMonthHandle": ("month", "year"), "PeriodHandle": ("days", "months", "years")}[java_class]
    name = f"com.alibaba.com.caucho.hessian.io.java8.{java_class}"
    value: Any = JavaObject(name, dict.fromkeys(names, 1))
    for _ in range(LEVELS):
        value = JavaObject(name, dict.fromkeys(names, value))
    read = loads(dumps(JavaEntries([(value, 0)])))
    assert type(read) is JavaEntries
    assert type(read[0][0]) is JavaObject


def test_keys_whose_hash_doubles_at_each_level() -> None:
    """A frozen dataclass of the user's is hashed by its parts, each as often as it occurs."""
    assert type(loads(dumps(JavaEntries([(doubling(Pair), 0)])))) is JavaEntries
    small = Pair(Pair(1, 2), 3)
    assert loads(dumps({small: 0})) == {small: 0}


def test_one_large_number_as_the_key_of_many_maps() -> None:
    """Its hash is as long as the number, and is made anew for each map."""
    number = dumps(BigInteger(1 << 8_000_000))
    maps = b"H\x51\x91\x90Z" * 100_000
    read = loads(b"X" + dumps(100_001) + number + maps)
    assert len(read) == 100_001
    assert type(read[1]) is JavaEntries


def test_numbers_and_dates_are_keys_all_the_same() -> None:
    """What fits is a dict, as before."""
    keys = [1, "a", 1.5, None, BigInteger(7), YearMonth(2024, 1), Period(1, 2, 3), b"x"]
    assert loads(dumps(dict.fromkeys(keys, 1))) == dict.fromkeys(keys, 1)
