"""Arguments become what hessian2 must encode for the declared Java type, or are refused with the reason."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callahead.consumer.codec.dubbo import ArgumentsEncoder, Envelope, decode_request
from callahead.consumer.codec.hessian2 import (
    BigInteger,
    Char,
    DateMillis,
    Float,
    Instant,
    Int,
    JavaObject,
    LocalDateTime,
    Long,
    OffsetDateTime,
    Short,
    SqlTimestamp,
    TypedList,
    TypedMap,
    TypedSet,
    ZonedDateTime,
    dumps,
    java_array,
    java_type,
)
from callahead.consumer.errors import SerializationError
from callahead.consumer.interface.java import JavaMethod, JavaSignature


@java_type("com.example.javaface.Color")
class Color(enum.Enum):
    RED = 1
    GREEN = 2


LITE = "com.alibaba.com.caucho.hessian.io."
ENUM_SET = JavaObject(
    LITE + "EnumSetHandler",
    {
        "type": JavaObject("java.lang.Class", {"name": "com.example.javaface.Color"}),
        "objects": TypedList([Color.RED], "[object"),
    },
)


@java_type("com.example.javaface.Foo")
@dataclass
class Foo:
    id: str
    delay_ms: int = 0


@dataclass
class Stranger:
    id: str


UTC_NOON = dt.datetime(2024, 5, 6, 12, tzinfo=dt.UTC)
NOON = dt.datetime(2024, 5, 6, 12)  # noqa: DTZ001  # naive on purpose
FOO = "com.example.javaface.Foo"
OTHER = "com.example.javaface.Other"


def method(*names: str) -> JavaMethod:
    return JavaMethod(name="call", signatures=(JavaSignature.of_names("call", names),))


def converted(java: str, value: Any) -> Any:
    return method(java).select((value,), {})[1][0]


def refusal(java: str, value: Any) -> str:
    with pytest.raises(SerializationError) as caught:
        converted(java, value)
    assert caught.value.not_sent
    return str(caught.value)


TAKEN = [
    ("int", 5, 5),
    ("int", -(2**31), -(2**31)),
    ("int", Long(5), Int(5)),
    ("short", 5, 5),
    ("long", 5, Long(5)),
    ("java.lang.Long", 5, Long(5)),
    ("java.lang.Integer", None, None),
    ("double", 5, 5.0),
    ("double", 0.5, 0.5),
    ("float", 0.1, Float(0.1)),
    ("java.lang.Float", 1, Float(1)),
    ("boolean", True, True),
    ("java.lang.Boolean", None, None),
    ("char", "a", Char("a")),
    ("java.lang.String", "text", "text"),
    ("java.lang.String", None, None),
    ("java.math.BigInteger", 5, BigInteger(5)),
    ("java.math.BigDecimal", 5, Decimal(5)),
    ("java.math.BigDecimal", Decimal("1.10"), Decimal("1.10")),
    ("java.lang.Number", 5, 5),
    ("java.util.UUID", uuid.UUID(int=5), uuid.UUID(int=5)),
    ("java.util.Date", UTC_NOON, UTC_NOON),
    ("java.util.Date", DateMillis(2**60), DateMillis(2**60)),
    ("java.util.Date", Instant.of(UTC_NOON), UTC_NOON),
    ("java.sql.Timestamp", UTC_NOON, SqlTimestamp(2024, 5, 6, 12, tzinfo=dt.UTC)),
    ("java.time.Instant", UTC_NOON, Instant.of(UTC_NOON)),
    ("java.time.OffsetDateTime", UTC_NOON, OffsetDateTime.of(UTC_NOON)),
    ("java.time.ZonedDateTime", UTC_NOON, ZonedDateTime.in_zone(UTC_NOON)),
    ("java.time.LocalDateTime", NOON, LocalDateTime.of(NOON)),
    ("java.time.LocalDate", dt.date(2024, 5, 6), dt.date(2024, 5, 6)),
    ("java.time.LocalTime", dt.time(12), dt.time(12)),
    ("java.time.Duration", dt.timedelta(1), dt.timedelta(1)),
    ("byte[]", b"ab", b"ab"),
    ("char[]", ["a", "b"], "ab"),
    ("int[]", [1, 2], java_array("int", [1, 2])),
    ("java.lang.String[]", ("a", None), java_array("java.lang.String", ["a", None])),
    ("int[][]", [[1], []], java_array("int[]", [java_array("int", [1]), java_array("int", [])])),
    (f"{FOO}[]", [Foo("a")], java_array(FOO, [Foo("a")])),
    ("java.util.List", [1, "a"], [1, "a"]),
    ("java.util.List", (1, 2), (1, 2)),
    ("java.util.List", deque([1]), [1]),
    ("java.util.List<java.lang.Long>", [1, None], [Long(1), None]),
    ("java.util.List<java.util.List<Long>>", [[1]], [[Long(1)]]),
    ("java.util.LinkedList<java.lang.String>", ["a"], TypedList(["a"], "java.util.LinkedList")),
    ("java.util.Collection<java.lang.Long>", {1}, {Long(1)}),
    ("java.util.Collection<java.lang.Long>", [1], [Long(1)]),
    ("java.util.Set<java.lang.Long>", frozenset({1}), {Long(1)}),
    ("java.util.TreeSet", {1}, TypedSet([1], "java.util.TreeSet")),
    ("java.util.Map<java.lang.String, java.lang.Long>", {"a": 1}, {"a": Long(1)}),
    ("java.util.Map<java.lang.Long, java.lang.String>", {1: "a"}, {Long(1): "a"}),
    ("java.util.TreeMap", {"a": 1}, TypedMap({"a": 1}, "java.util.TreeMap")),
    (FOO, Foo("a"), Foo("a")),
    (FOO, {"id": "a", "delayMs": 5}, Foo("a", 5)),
    (FOO, {"class": OTHER, "id": "a"}, JavaObject(OTHER, {"id": "a"})),
    (OTHER, {"id": "a"}, JavaObject(OTHER, {"id": "a"})),
    (OTHER, Foo("a"), Foo("a")),
    ("com.example.javaface.Color", Color.RED, Color.RED),
    ("com.example.javaface.Color", "GREEN", Color.GREEN),
    ("java.lang.Object", {"a": [1]}, {"a": [1]}),
    ("java.util.Calendar", UTC_NOON, JavaObject(LITE + "CalendarHandle", {"date": UTC_NOON, "type": None})),
    ("java.util.GregorianCalendar", JavaObject("a.B"), JavaObject("a.B")),
    (
        "java.util.BitSet",
        {0, 63, 70},
        JavaObject(LITE + "BitSetHandle", {"words": TypedList([1 - 2**63, 64], "[long")}),
    ),
    ("java.util.BitSet", set(), JavaObject(LITE + "BitSetHandle", {"words": TypedList([], "[long")})),
    ("java.util.EnumSet", {Color.RED}, ENUM_SET),
    ("java.util.EnumSet<com.example.javaface.Color>", {"RED"}, ENUM_SET),
    ("java.util.EnumSet", None, None),
    ("java.util.EnumMap", {Color.RED: 1}, TypedMap({Color.RED: 1}, "java.util.EnumMap")),
    (
        "java.util.EnumMap<com.example.javaface.Color, java.lang.Integer>",
        {"RED": 1},
        TypedMap({Color.RED: 1}, "java.util.EnumMap"),
    ),
]


@pytest.mark.parametrize(("java", "value", "expected"), TAKEN, ids=lambda part: str(part)[:40])
def test_a_value_becomes_what_its_declared_type_needs(java: str, value: Any, expected: Any) -> None:
    """The bytes are those of the declared type, since value by value they carry it."""
    assert dumps(converted(java, value)) == dumps(expected)


@pytest.mark.parametrize("java", ["java.util.List<java.lang.String>", "java.util.List", "java.lang.Object", OTHER])
def test_what_is_right_already_stays_the_same_object(java: str) -> None:
    """An object that two arguments hold arrives as one, so no copy is made without need."""
    value: Any = JavaObject(OTHER) if java == OTHER else ["a"]
    assert converted(java, value) is value


COLOR = "com.example.javaface.Color"
SAY_LONG = "if Java declares long, say so: Long in the stub, or long in parameter_types in the YAML"
SAY_LARGER = (
    "if Java declares int or long, say so: Int or Long in the stub, or int or long in parameter_types in the YAML"
)
SAY_BIG = (
    "if Java declares java.math.BigInteger, say so: BigInteger in the stub, or java.math.BigInteger in parameter_types "
    "in the YAML"
)
NOT_NULL = "a primitive cannot be null; where Java declares java.lang.Integer, say so"
GIVE_OBJECT = "give a JavaObject, a dict of its fields, or a class bound by @java_type"
BIND = f"{__name__}.Stranger is bound to no Java class, decorate it with @java_type(...)"
REFUSED = [
    ("int", "x", "expected a Java int, got str"),
    ("int", True, "expected a Java int, got bool"),
    ("int", 2.0, "expected a Java int, got float"),
    ("int", None, f"expected a Java int, got None; {NOT_NULL}"),
    ("int", 2**31, f"expected a Java int (-2147483648 to 2147483647), got int 2147483648; {SAY_LONG}"),
    ("byte", -129, f"expected a Java byte (-128 to 127), got int -129; {SAY_LARGER}"),
    ("long", 1 << 20_000, f"expected a Java long ({-(2**63)} to {2**63 - 1}), got an int of 20001 bits; {SAY_BIG}"),
    ("double", 10**400, "expected a Java double, got int beyond its range"),
    ("float", 1e300, "expected a Java float, got float beyond its range"),
    ("boolean", 1, "expected a Java boolean, got int"),
    ("char", "ab", "expected a Java char (one UTF-16 unit), got str of length 2"),
    ("java.lang.String", 5, "expected a Java java.lang.String, got int"),
    ("java.math.BigDecimal", 0.1, "expected a Java java.math.BigDecimal, got float; give a Decimal of its text"),
    (
        "java.util.Date",
        NOON,
        "expected a Java java.util.Date, got datetime.datetime; it has no time zone: give one with tzinfo",
    ),
    (
        "java.time.LocalDateTime",
        UTC_NOON,
        "expected a Java java.time.LocalDateTime, got datetime.datetime; it has a time zone: give one without tzinfo",
    ),
    ("java.time.LocalDate", NOON, "expected a Java java.time.LocalDate, got datetime.datetime"),
    ("byte[]", "ab", "expected a Java byte[], got str; give bytes"),
    ("int[]", "12", "expected a Java int[], got str"),
    ("int[]", java_array("long", [1]), "expected a Java int[], got a [long"),
    ("java.util.List", "ab", "expected a Java java.util.List, got str"),
    ("java.util.List", java_array("int", [1]), "expected a Java java.util.List, got an array, [int"),
    ("java.util.Set", [1], "expected a Java java.util.Set, got list; give a set"),
    ("java.util.Map", [1], "expected a Java java.util.Map, got list"),
    ("java.util.EnumSet", [Color.RED], "expected a Java java.util.EnumSet, got list; give a set"),
    (
        "java.util.EnumSet",
        set(),
        'the enum of a java.util.EnumSet is not known; write "java.util.EnumSet<com.alibaba.foo.Kind>"',
    ),
    ("java.util.BitSet", {-1}, "expected a Java java.util.BitSet, got set; give a set of int from 0 to 1000000"),
    (
        "java.util.Calendar",
        NOON,
        "expected a Java java.util.Calendar, got datetime.datetime; give a datetime with tzinfo",
    ),
    (FOO, "a", f"expected a Java {FOO}, got str"),
    (FOO, {"ib": 1}, f"{__name__}.Foo has no field 'ib'; it has: id, delay_ms"),
    (COLOR, "BLUE", f"expected a Java {COLOR}, got str; {__name__}.Color has: RED, GREEN"),
    (OTHER, 5, f"expected a Java {OTHER}, got int; {GIVE_OBJECT}"),
    (OTHER, {1: 2}, f"expected a Java {OTHER}, got a dict with a key that is no str"),
    (FOO, Stranger("a"), f"expected a Java {FOO}, got {__name__}.Stranger; {BIND}"),
]


@pytest.mark.parametrize(
    ("java", "value", "text"), REFUSED, ids=[f"{java}-{n}" for n, (java, _, _) in enumerate(REFUSED)]
)
def test_a_value_that_java_would_not_take_is_refused_here(java: str, value: Any, text: str) -> None:
    """The error names the parameter, what was declared and what came, and nothing was sent."""
    assert refusal(java, value) == f"call({java}), parameter 1: {text}"


@pytest.mark.parametrize(
    ("java", "value", "where"),
    [
        ("java.util.List<java.lang.Long>", [1, "x"], "call(java.util.List), parameter 1, item 2"),
        ("long[][]", [[1], [2, "x"]], "call(long[][]), parameter 1, item 2, item 2"),
        ("java.util.Map<java.lang.String, java.lang.Long>", {"a": "x"}, "call(java.util.Map), parameter 1, value 1"),
        ("java.util.Map<java.lang.Long, java.lang.String>", {"a": "x"}, "call(java.util.Map), parameter 1, key 1"),
    ],
)
def test_an_error_inside_a_collection_says_which_item(java: str, value: Any, where: str) -> None:
    """A wrong item of a long list can be found."""
    inner = "long" if "[]" in java else "java.lang.Long"
    assert refusal(java, value) == f"{where}: expected a Java {inner}, got str"


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_declared_long_is_always_written_as_one(number: int) -> None:
    """A small number must not become an int only because it is small."""
    assert dumps(converted("long", number)) == dumps(Long(number))


@given(st.lists(st.integers(-(2**31), 2**31 - 1)), st.text(), st.none() | st.booleans())
def test_converted_arguments_come_out_of_a_request_as_they_went_in(
    ints: list[int], text: str, flag: bool | None
) -> None:
    """`JavaSignature.wire` writes what `select` gives, under the signature's descriptor."""
    signature, values = method("java.util.List<java.lang.Integer>", "java.lang.String", "java.lang.Boolean").select(
        (ints, text, flag), {}
    )
    before, after = Envelope.of("a.Foo", "", "m", signature.descriptor)
    request = decode_request(before + ArgumentsEncoder("m", signature.wire).encode(values) + after + b"Z")
    assert (request.descriptor, request.args) == (
        "Ljava/util/List;Ljava/lang/String;Ljava/lang/Boolean;",
        (ints, text, flag),
    )


def test_a_subclass_of_int_is_written_as_the_declared_type() -> None:
    """An enum of ints is a number where one is declared."""

    class Level(enum.IntEnum):
        HIGH = 3

    assert (type(converted("int", Level.HIGH)), type(converted("short", Level.HIGH))) == (Int, Short)
