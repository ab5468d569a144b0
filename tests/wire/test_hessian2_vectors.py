"""Bytes that Java's hessian-lite 4.0.3 wrote (tests/interop/hessian-vectors), decoded and encoded again.

`EXPECTED` says what each vector is in Python: decoding gives it, and encoding it gives the very bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from callahead.consumer.codec.hessian2 import (
    BigInteger,
    DateMillis,
    Decoder,
    Duration,
    Encoder,
    Float,
    Instant,
    Int,
    JavaEntries,
    JavaObject,
    JavaThrowable,
    LocalDateTime,
    Locale,
    LocalTime,
    Long,
    MonthDay,
    OffsetDateTime,
    OffsetTime,
    Period,
    SqlDate,
    SqlTime,
    SqlTimestamp,
    StackFrame,
    TypedList,
    TypedMap,
    TypedSet,
    Year,
    YearMonth,
    ZonedDateTime,
    ZoneId,
    java_array,
    loads,
)

_PACKAGE = "com.example.vectors."
_HANDLES = "com.alibaba.com.caucho.hessian.io."
_ID = UUID("123e4567-e89b-12d3-a456-426614174000")


def _read_vectors() -> dict[str, bytes]:
    lines = (Path(__file__).parent / "vectors" / "hessian2.txt").read_text().splitlines()
    return {name: bytes.fromhex(data) for name, data in (line.split(" ") for line in lines)}


VECTORS = _read_vectors()


def _point(x: int, y: int, label: str | None) -> JavaObject:
    return JavaObject(_PACKAGE + "Point", {"labelText": label, "y": Long(y), "x": x})


def _color(name: str) -> JavaObject:
    return JavaObject(_PACKAGE + "Color", {"name": name})


def _typed(name: str, *items: Any) -> TypedList:
    return TypedList(items, "java.util." + name)


def _node(name: str) -> JavaObject:
    return JavaObject(_PACKAGE + "Node", {"children": [], "next": None, "name": name})


def _cycle_of_nodes() -> JavaObject:
    root, child = _node("root"), _node("child")
    root.fields["children"].append(child)
    child.fields["next"] = root
    return root


def _node_of_itself() -> JavaObject:
    own = _node("own")
    own.fields["next"] = own
    return own


def _list_of_itself() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


def _map_of_itself() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    return loop


def _twice(value: Any, *others: Any) -> list[Any]:
    return [value, value, *others, *others]


def _everything() -> JavaObject:
    attributes = {
        "price": Decimal("1E+3"),
        "when": date(2024, 2, 29),
        "set": TypedSet(["z", "a"], "java.util.LinkedHashSet"),
        "id": _ID,
    }
    red = _color("RED")
    fields = {
        "nothing": None,
        "point": _point(1, 2, "p"),
        "attributes": TypedMap(attributes, "java.util.LinkedHashMap"),
        "mixed": [1, Long(2), 2.5, "s", None, _color("GREEN"), _typed("LinkedList", Long(9))],
        "raw": b"\1\2\3",
        "words": java_array("java.lang.String", ["a", None]),
        "longs": java_array("long", [1, 2]),
        "numbers": java_array("int", [1, 2, 3]),
        "color": red,
        "price": Decimal("19.90"),
        "moment": datetime(1998, 5, 8, 9, 51, 31, tzinfo=UTC),
        "text": "h\u00e9llo",
        "boxedLetter": "y",
        "boxedWide": 12.25,
        "boxedReal": 1.1,
        "boxedBig": Long(1 << 40),
        "boxedWhole": 70000,
        "boxedSmall": -300,
        "boxedTiny": 7,
        "boxedFlag": False,
        "letter": "x",
        "wide": 2.5,
        "real": 1.100000023841858,
        "big": Long(5),
        "whole": 100000,
        "small": 300,
        "tiny": -7,
        "flag": True,
    }
    return JavaObject(_PACKAGE + "Everything", fields)


def _handle(name: str, **fields: Any) -> JavaObject:
    return JavaObject(_HANDLES + name, fields)


def _seventeen() -> TypedList:
    items = (
        *(_point(1, 1, "a"), _color("RED"), JavaObject(_PACKAGE + "Empty"), _node("n"), Decimal(1), _ID),
        *(date(1970, 1, 1), LocalTime(1, 2), Year(1999), YearMonth(1999, 12), MonthDay(2, 29), Period(1, 2, 3)),
        *(Duration.of(1), Instant(1970, 1, 1, tzinfo=UTC), timezone(timedelta(hours=1)), ZoneId("Europe/Paris")),
        *(Locale("zh_CN"), BigInteger(1), Locale("zh_CN"), JavaObject(_PACKAGE + "Empty")),
    )
    return java_array("java.lang.Object", items)


_in_zone = ZonedDateTime.in_zone
_LENGTHS = {31: "a", 32: "a", 1023: "b", 1024: "c", 32768: "d", 32769: "e"}
_SUMMER, _WINTER = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
_INDIA = timezone(timedelta(hours=5, minutes=30))
_MOMENT = datetime(2024, 2, 29, 1, 2, 3, 123456, tzinfo=UTC)
_ENUM_SET = {
    "objects": java_array("java.lang.Object", [_color("RED")]),
    "type": JavaObject("java.lang.Class", {"name": _PACKAGE + "Color"}),
}

# One value for a vector of one value; a tuple for the values of a stream.
EXPECTED: dict[str, Callable[[], Any]] = {
    "null": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "byte_-5": lambda: -5,
    "short_300": lambda: 300,
    "char_x": lambda: "x",
    "char_euro": lambda: "\u20ac",
    "date_ms": lambda: datetime(1998, 5, 8, 9, 51, 31, 1000, tzinfo=UTC),
    "date_minute": lambda: datetime(1998, 5, 8, 9, 51, tzinfo=UTC),
    "date_before_epoch": lambda: datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
    "date_minute_before_epoch": lambda: datetime(1969, 12, 31, 23, 59, tzinfo=UTC),
    "date_max": lambda: DateMillis((1 << 63) - 1),
    "date_far_minute": lambda: datetime(6053, 1, 23, 2, 8, tzinfo=UTC),
    "string_empty": lambda: "",
    **{f"string_{n}": lambda n=n, c=c: c * n for n, c in _LENGTHS.items()},  # type: ignore[misc]
    "string_two_bytes": lambda: "\u00e9\u00df\u0080\u07ff",
    "string_three_bytes": lambda: "\u0800\u4e2d\u6587\uffff",
    "string_nul": lambda: "a\0b",
    "string_emoji": lambda: "x\U0001f600y",
    "string_emoji_only": lambda: "\U0001f600" * 20,
    "string_lone_high": lambda: "a\ud83d",
    "string_lone_low": lambda: "\ude00a",
    "string_emoji_on_chunk_edge": lambda: "f" * 32767 + "\U0001f600" + "g" * 5,
    "list_empty": list,
    "list_7": lambda: [1, 2, 3, 4, 5, 6, 7],
    "list_8": lambda: [1, 2, 3, 4, 5, 6, 7, 8],
    "list_nested": lambda: [["a"], None, []],
    "linked_list": lambda: _typed("LinkedList", "a", "b"),
    "linked_list_8": lambda: _typed("LinkedList", 1, 2, 3, 4, 5, 6, 7, 8),
    "arrays_as_list": lambda: _typed("Arrays$ArrayList", "a", 1),
    "immutable_list": lambda: ["a", "b", "c"],
    "unmodifiable_list": lambda: _typed("Collections$UnmodifiableList", 1, 2),
    "unmodifiable_linked_list": lambda: _typed("Collections$UnmodifiableList", 1, 2),
    "synchronized_list": lambda: _typed("Collections$SynchronizedList", 1),
    "singleton_list": lambda: _typed("Collections$SingletonList", "s"),
    "empty_list": lambda: _typed("Collections$EmptyList"),
    "copy_on_write": lambda: _typed("concurrent.CopyOnWriteArrayList", 1),
    "array_deque": lambda: _typed("ArrayDeque", 1, 2),
    "hash_set": lambda: {"one"},
    "linked_hash_set": lambda: TypedSet(["z", "a", "m"], "java.util.LinkedHashSet"),
    "tree_set": lambda: TypedSet([1, 2, 3], "java.util.TreeSet"),
    "unmodifiable_set": lambda: TypedSet(["u"], "java.util.Collections$UnmodifiableSet"),
    "immutable_set": lambda: {"i"},
    "enum_set": lambda: _handle("EnumSetHandler", **_ENUM_SET),
    "map_empty": dict,
    "hash_map": lambda: {"k": Long(1)},
    "linked_hash_map": lambda: TypedMap({"a": 1, 2: "b", None: None}, "java.util.LinkedHashMap"),
    "tree_map": lambda: TypedMap({"a": 1, "b": 2}, "java.util.TreeMap"),
    "concurrent_map": lambda: TypedMap({"c": 3}, "java.util.concurrent.ConcurrentHashMap"),
    "unmodifiable_map": lambda: TypedMap({"u": 1}, "java.util.Collections$UnmodifiableMap"),
    "immutable_map": lambda: {"i": 1},
    "singleton_map": lambda: TypedMap({"s": 1}, "java.util.Collections$SingletonMap"),
    "map_with_list_key": lambda: JavaEntries([([1], "list")]),
    "map_with_object_key": lambda: JavaEntries([(_point(1, 2, "k"), "object")]),
    "type_shared": lambda: [_typed("LinkedList", 1), _typed("LinkedList", 2)],
    "list_cycle": _list_of_itself,
    "map_cycle": _map_of_itself,
    "list_shared": lambda: _twice(["s"]),
    "array_boolean": lambda: java_array("boolean", [True, False]),
    "array_short": lambda: java_array("short", [1, -2]),
    "array_int": lambda: java_array("int", [1, 2, 300000]),
    "array_int_8": lambda: java_array("int", [0] * 8),
    "array_long": lambda: java_array("long", [1, 1 << 40]),
    "array_float": lambda: java_array("float", [0.5, 1.100000023841858]),
    "array_double": lambda: java_array("double", [0.0, 1.5]),
    "array_char": lambda: "ab",
    "array_string": lambda: java_array("java.lang.String", ["a", None]),
    "array_object": lambda: java_array("java.lang.Object", [1, "a"]),
    "array_integer": lambda: java_array("java.lang.Integer", [1, None]),
    "array_long_boxed": lambda: java_array("java.lang.Long", [1]),
    "array_date": lambda: java_array("java.util.Date", [datetime(1970, 1, 1, tzinfo=UTC)]),
    "array_int_int": lambda: java_array("int[]", [java_array("int", [1]), java_array("int", [2, 3])]),
    "array_string_string": lambda: java_array("java.lang.String[]", [["a"], []]),
    "array_point": lambda: java_array(_PACKAGE + "Point", [_point(1, 2, "p")]),
    "array_color": lambda: java_array(_PACKAGE + "Color", [_color("RED"), _color("GREEN")]),
    "point": lambda: _point(3, 4, "here"),
    "point_null": lambda: _point(0, 0, None),
    "empty_object": lambda: JavaObject(_PACKAGE + "Empty"),
    "plain_object": lambda: JavaObject("object"),
    "points": lambda: [_point(1, 1, "a"), _point(2, 2, "b")],
    "node_cycle": _cycle_of_nodes,
    "node_self": _node_of_itself,
    "everything": _everything,
    "enum": lambda: _color("RED"),
    "enum_with_body": lambda: _color("GREEN"),
    "enums": lambda: [red := _color("RED"), _color("GREEN"), red],
    "class": lambda: JavaObject("java.lang.Class", {"name": "java.lang.String"}),
    "seventeen_classes": _seventeen,
    "decimal_shared": lambda: _twice(Decimal(7)),
    "uuid": lambda: _ID,
    "locale_zh_CN": lambda: Locale("zh_CN"),
    "locale_en": lambda: Locale("en"),
    "locale_root": lambda: Locale(""),
    "calendar": lambda: _handle("CalendarHandle", date=datetime(1970, 1, 1, tzinfo=UTC), type=None),
    "local_date": lambda: date(2024, 2, 29),
    "local_date_max": lambda: _handle("java8.LocalDateHandle", day=31, month=12, year=999999999),
    "local_time": lambda: LocalTime(23, 59, 58, 123456),
    "local_time_nanos": lambda: LocalTime.of(23, 59, 58, 123456789),
    "local_date_time": lambda: LocalDateTime(2024, 2, 29, 1, 2, 3, 4),
    "local_date_time_nanos": lambda: LocalDateTime.of(datetime(2024, 2, 29, 1, 2, 3), 4),  # noqa: DTZ001
    "instant": lambda: Instant.of(_MOMENT),
    "instant_nanos": lambda: Instant.of(_MOMENT, 123456789),
    "instant_before_epoch": lambda: Instant.of(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), 999999999),
    "instant_max": lambda: _handle("java8.InstantHandle", nanos=999999999, seconds=Long(31556889864403199)),
    "duration": lambda: Duration.of(90, 500000),
    "duration_nanos": lambda: Duration.of(-1, 999999999),
    "duration_max": lambda: _handle("java8.DurationHandle", nanos=999999999, seconds=Long((1 << 63) - 1)),
    "offset_date_time": lambda: OffsetDateTime(2024, 2, 29, 1, 2, 3, 4, tzinfo=_INDIA),
    "offset_time": lambda: OffsetTime(1, 2, 3, 4, tzinfo=timezone(timedelta(hours=-3))),
    "zoned_date_time": lambda: _in_zone(datetime(2024, 7, 1, 12, tzinfo=_SUMMER), "Europe/Paris"),
    "zoned_date_time_overlap": lambda: _in_zone(datetime(2024, 10, 27, 2, 30, tzinfo=_WINTER), "Europe/Paris"),
    "zoned_date_time_offset": lambda: ZonedDateTime.of(datetime(2024, 7, 1, 12, tzinfo=UTC), 1),
    "year": lambda: Year(2024),
    "year_month": lambda: YearMonth(2024, 2),
    "month_day": lambda: MonthDay(2, 29),
    "period": lambda: Period(1, -2, 3),
    "zone_offset": lambda: _INDIA,
    "zone_offset_utc": lambda: UTC,
    "zone_id": lambda: ZoneId("Asia/Shanghai"),
    "local_date_shared": lambda: _twice(date(2000, 1, 1)),
    "reference_after_handle": lambda: [date(2000, 1, 1), *_twice(["again"])],
    "reference_after_handles": lambda: [
        LocalDateTime(2000, 1, 1),
        Instant(1970, 1, 1, tzinfo=UTC),
        Locale("zh_CN"),
        *_twice(["again"]),
    ],
    "reference_after_immutable": lambda: [[1], *_twice(["again"])],
    "uuid_shared": lambda: _twice(_ID, ["again"]),
    "integer_shared": lambda: _twice(BigInteger(10), ["again"]),
    "handles_shared": lambda: [
        *(day := date(2000, 1, 1), again := ["again"], day, again),
        *_twice(Locale("zh_CN")),
        *_twice(Instant(1970, 1, 1, tzinfo=UTC)),
        again,
    ],
    "sql_timestamp": lambda: SqlTimestamp(1998, 5, 8, 9, 51, 31, 1000, tzinfo=UTC),
    "sql_date": lambda: SqlDate(1998, 5, 7, 22, tzinfo=UTC),
    "sql_time": lambda: SqlTime(1970, 1, 1, 1, tzinfo=UTC),
    "body_request": lambda: (
        *("2.0.2", "com.example.Shop", "0.0.0", "sell", "Lcom/example/Point;J"),
        *(_point(1, 2, "p"), Long(5), {"path": "com.example.Shop"}),
    ),
    "body_shared_reference": lambda: (point := _point(1, 2, "p"), point, [point]),
    "body_response": lambda: (4, [_point(1, 2, "p"), _color("RED")], {"path": "com.example.Shop"}),
}
_THROWABLES = {name for name in VECTORS if name.startswith("exception")}


def _expected(name: str) -> Any:
    """Make what a vector is; plain numbers and binaries by their names."""
    if name in EXPECTED:
        return EXPECTED[name]()
    kind, text = name.split("_", 1)
    ramp = bytes(n % 256 for n in range(9000))
    of_kind: dict[str, Callable[[str], Any]] = {
        "int": lambda t: Int(int(t)),
        "long": lambda t: Long(int(t)),
        "double": float,
        "float": lambda t: Float(float(t)),
        "decimal": Decimal,
        "integer": lambda t: BigInteger(int(t)),
        "binary": lambda t: ramp[: int(t)],
    }
    return of_kind[kind](text)


def _same(left: Any, right: Any) -> bool:
    """Compare what == cannot: circles, NaN and nanoseconds."""
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    if getattr(left, "nanosecond", None) != getattr(right, "nanosecond", None):
        return False
    return bool(left == right)


_CIRCLES = {"list_cycle", "map_cycle", "node_cycle", "node_self"}
_VALUES = sorted(set(VECTORS) - _THROWABLES)


def _decode(name: str) -> list[Any]:
    decoder = Decoder(VECTORS[name])
    values = []
    while not decoder.at_end:
        values.append(decoder.read())
    return values


@pytest.mark.parametrize("name", sorted(set(_VALUES) - _CIRCLES))
def test_what_java_wrote_decodes(name: str) -> None:
    """Each vector is the value that it is named for, in Python's types."""
    expected = _expected(name)
    values = _decode(name)
    assert len(values) == (len(expected) if isinstance(expected, tuple) else 1)
    for value, wanted in zip(values, expected if isinstance(expected, tuple) else (expected,), strict=True):
        assert _same(value, wanted)
        assert isinstance(wanted, int | float | str) or type(value) is type(wanted)


@pytest.mark.parametrize("name", _VALUES)
def test_the_value_encodes_to_the_bytes_of_java(name: str) -> None:
    """Each value is written with the very bytes that Java wrote, references and class numbers included."""
    expected = _expected(name)
    encoder = Encoder()
    for value in expected if isinstance(expected, tuple) else (expected,):
        encoder.write(value)
    assert encoder.getvalue() == VECTORS[name]


@pytest.mark.parametrize("name", sorted(set(VECTORS) - {n for n in VECTORS if n.startswith("long_")}))
def test_what_was_decoded_encodes_to_the_same_bytes(name: str) -> None:
    """Decoded values are written back as they came; where the outermost value was a long, it has become an int."""
    encoder = Encoder()
    for value in _decode(name):
        encoder.write(value)
    as_java_wrote = VECTORS[name]
    if name == "hash_map":
        as_java_wrote = as_java_wrote.replace(b"\xe1", b"\x91")
    if name == "body_request":
        as_java_wrote = as_java_wrote.replace(b"\xe5H", b"\x95H")
    assert encoder.getvalue() == as_java_wrote


def test_circles_are_one_object() -> None:
    """An object that Java put inside itself is inside itself in Python."""
    loop = loads(VECTORS["list_cycle"])
    assert loop[0] is loop
    entries = loads(VECTORS["map_cycle"])
    assert entries["self"] is entries
    root = loads(VECTORS["node_cycle"])
    assert root["children"][0]["next"] is root
    own = loads(VECTORS["node_self"])
    assert own["next"] is own


def test_shared_values_are_one_object() -> None:
    """What Java wrote once and pointed to is one object, also between the values of one body."""
    first, second, others = _decode("body_shared_reference")
    assert first is second
    assert others[0] is first
    shared = loads(VECTORS["list_shared"])
    assert shared[0] is shared[1]


def test_a_java_exception_is_a_value_with_message_cause_and_stack() -> None:
    """A Throwable of an unknown class decodes to class, message, cause, own fields and frames."""
    error = loads(VECTORS["exception_cause"])
    assert isinstance(error, JavaThrowable)
    assert (error.java_class, error.message, error["code"]) == (_PACKAGE + "ShopException", "cannot sell", 7)
    assert error.stack == (
        StackFrame("com.example.Shop", "sell", "Shop.java", 42),
        StackFrame("com.example.Main", "main", None, -2),
    )
    assert [str(frame) for frame in error.stack] == [
        "com.example.Shop.sell(Shop.java:42)",
        "com.example.Main.main(Native Method)",
    ]
    assert (error.cause.java_class, error.cause.message) == ("java.io.IOException", "disk full")
    assert error.cause.cause is None


def test_a_java_exception_without_message_has_none() -> None:
    """No message and no cause are None, although Java marks "no cause" by the exception itself."""
    error = loads(VECTORS["exception_no_message"])
    assert (error.message, error.cause) == (None, None)


def test_every_vector_was_meant() -> None:
    """Nothing is expected that Java did not write, so that a renamed vector cannot go untested."""
    assert set(EXPECTED) <= set(VECTORS)
    assert len(VECTORS) > 200
