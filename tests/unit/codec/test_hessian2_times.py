"""Dates, ``java.time``, identifiers and big numbers where the vectors of Java do not reach."""

from __future__ import annotations

import copy
import pickle
import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from callahead.consumer.codec.hessian2 import (
    DateMillis,
    Duration,
    Encoder,
    Instant,
    JavaObject,
    LocalDateTime,
    LocalTime,
    MonthDay,
    OffsetDateTime,
    OffsetTime,
    Period,
    Year,
    YearMonth,
    ZonedDateTime,
    dumps,
    loads,
)
from callahead.consumer.errors import SerializationError

HANDLES = "com.alibaba.com.caucho.hessian.io."
PLUS_2 = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        (datetime(2024, 1, 2, 3, 4, 5, 678_999, tzinfo=UTC), datetime(2024, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)),
        (datetime(2024, 1, 2, 3, tzinfo=PLUS_2), datetime(2024, 1, 2, 1, tzinfo=UTC)),
        (
            datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
        ),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)),
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)),
    ],
)
def test_aware_moments_are_java_dates(value: datetime, decoded: datetime) -> None:
    """In milliseconds, rounded down, and back in UTC."""
    again = loads(dumps(value))
    assert (again, again.tzinfo) == (decoded, UTC)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (datetime(2024, 1, 2, 3, 4, 5, 6), LocalDateTime),  # noqa: DTZ001
        (time(1, 2, 3, 4), LocalTime),
        (time(1, 2, tzinfo=PLUS_2), OffsetTime),
        (date(2024, 1, 2), date),
        (timedelta(days=-1, microseconds=1), Duration),
        (PLUS_2, timezone),
    ],
)
def test_plain_values_are_java_time(value: Any, kind: type) -> None:
    """Naive moments, times, dates, durations and offsets."""
    again = loads(dumps(value))
    assert (again, type(again)) == (value, kind)


def test_nanoseconds_survive_copies_and_pickles() -> None:
    """They are beside what Python keeps, and go with it."""
    moment = Instant.of(datetime(2024, 1, 1, tzinfo=UTC), 123_456_789)
    zoned = ZonedDateTime.in_zone(datetime(2024, 1, 1, tzinfo=PLUS_2), "Europe/Paris")
    values = [moment, zoned, LocalTime.of(1, 2, 3, 4), Duration.of(5, 6), OffsetTime.of(1, 2, 3, 4, PLUS_2)]
    for made in (copy.deepcopy(values), pickle.loads(pickle.dumps(values)), loads(dumps(values))):
        assert made == values
        assert [type(one) for one in made] == [type(one) for one in values]
        assert [one.nanosecond for one in made] == [123_456_789, 0, 4, 6, 4]
        assert made[1].zone_id == "Europe/Paris"


def test_arithmetic_stays_in_the_type() -> None:
    """What comes of it has no nanoseconds of its own."""
    later = Instant.of(datetime(2024, 1, 1, tzinfo=UTC), 1001) + timedelta(seconds=1)
    assert (type(later), later.nanosecond) == (Instant, 1000)
    assert (Duration.of(1, 1001) * 2) == timedelta(seconds=2, microseconds=2)


def test_a_zone_of_python_is_named_in_java() -> None:
    """The key of a ZoneInfo, and the offset that holds at the moment."""
    zoned = loads(dumps(ZonedDateTime.in_zone(datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Paris")))))
    assert (zoned.zone_id, zoned.utcoffset()) == ("Europe/Paris", timedelta(hours=2))


@pytest.mark.parametrize(("hours", "name"), [(0, "Z"), (5.5, "+05:30"), (-3, "-03:00")])
def test_a_fixed_offset_is_its_own_zone(hours: float, name: str) -> None:
    """As Java spells it."""
    zone = timezone(timedelta(hours=hours))
    assert loads(dumps(ZonedDateTime.of(datetime(2024, 7, 1, tzinfo=zone)))).zone_id == name


@pytest.mark.parametrize("kind", [Instant, OffsetDateTime, ZonedDateTime])
def test_a_moment_without_a_zone_cannot_be_one_with(kind: type[Any]) -> None:
    """The error comes before anything is sent."""
    with pytest.raises(SerializationError) as caught:
        dumps(kind(2024, 1, 1))
    assert caught.value.not_sent


def test_what_a_calendar_cannot_hold_stays_an_object() -> None:
    """The fields say it, and go back as they came."""
    for fields in ({"day": 31, "month": 2, "year": 2024}, {"day": "x", "month": 1, "year": 1}, {"day": 1}):
        value = JavaObject(HANDLES + "java8.LocalDateHandle", fields)
        assert loads(dumps(value)) == value


def test_dates_beyond_python_are_milliseconds() -> None:
    """They go back as they came."""
    for millis in (-(1 << 63), (1 << 63) - 1, 253402300800000):
        again = loads(dumps(DateMillis(millis)))
        assert (again, type(again)) == (millis, DateMillis)


@pytest.mark.parametrize(
    ("java_class", "fields", "value"),
    [
        (HANDLES + "ByteHandle", {"_value": 5}, 5),
        (HANDLES + "ShortHandle", {"_value": 5}, 5),
        (HANDLES + "FloatHandle", {"_value": 1.5}, 1.5),
        (HANDLES + "CharacterHandle", {"_value": "x"}, "x"),
        ("com.caucho.hessian.io.ShortHandle", {"_value": 5}, 5),
        ("com.caucho.hessian.io.LocaleHandle", {"value": "en"}, "Locale(name='en')"),
        ("java.util.UUID", {"mostSigBits": 1, "leastSigBits": -1}, UUID(int=(2 << 64) - 1)),
        ("java.time.LocalDateTime", {"date": 1, "time": 1_000_000_001}, "LocalDateTime(1970, 1, 2, 0, 0, 1)"),
        ("java.math.BigInteger", {"signum": -1, "mag": [1, 0], "bitCount": 0}, -(1 << 32)),
    ],
)
def test_forms_that_hessian_lite_no_longer_writes(java_class: str, fields: dict[str, Any], value: Any) -> None:
    """Handles of other hessians, of older ones and of their compact mode."""
    again = loads(dumps(JavaObject(java_class, fields)))
    assert value in (again, repr(again))


def test_the_compact_form_hides_its_field() -> None:
    """The definition has no field, and one number follows all the same."""
    assert loads(b"\x7aC\x13java.time.LocalDate\x90\x60\xe1\x60\xe2") == [date(1970, 1, 2), date(1970, 1, 3)]
    assert loads(b"C\x13java.time.LocalTime\x90\x60\xe1") == time(0)


def test_inside_an_unbound_object_a_form_that_would_change_is_kept() -> None:
    """A handle is resolved there only if it is written back with the same bytes."""
    kept = JavaObject("com.caucho.hessian.io.ShortHandle", {"_value": 5})
    outer = JavaObject(
        "a.A", {"short": kept, "number": Decimal("1.0"), "odd": JavaObject("java.util.UUID", {"value": "?"})}
    )
    data = dumps(outer)
    assert loads(data) == outer
    assert dumps(loads(data)) == data


@pytest.mark.parametrize("text", ["1E+999999", "-0"])
def test_decimals_beyond_java_are_left_to_java(text: str) -> None:
    """Python reads and writes them; Java may refuse."""
    assert str(loads(dumps(Decimal(text)))) == text


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (Decimal("NaN"), "NaN is no java.math.BigDecimal"),
        (Decimal("sNaN"), "sNaN is no java.math.BigDecimal"),
        (Decimal("-Infinity"), "-Infinity is no java.math.BigDecimal"),
        (Decimal("1E+9999999999"), "which is finite and has an exponent of 32 bits"),
        (timezone(timedelta(hours=19)), "UTC+19:00 is no java.time.ZoneOffset"),
        (timezone(timedelta(microseconds=1)), "which has whole seconds and at most 18 hours"),
        (OffsetDateTime(2024, 1, 1, tzinfo=timezone(timedelta(hours=19))), "is no java.time.ZoneOffset"),
        (Year(1_000_000_000), "1000000000 is not in -999999999 to 999999999"),
        (YearMonth(2024, 13), "13 is not in 1 to 12"),
        (MonthDay(1, 32), "32 is not in 1 to 31"),
        (Period(1 << 31), "2147483648 is not in -2147483648 to 2147483647"),
        (DateMillis(1 << 63), "its milliseconds do not fit 64 bits"),
    ],
)
def test_what_java_cannot_hold_is_not_sent(value: Any, what: str) -> None:
    """Python's types are wider than Java's; a Java peer would fail over such a value, or read another."""
    with pytest.raises(SerializationError, match=re.escape(what)) as caught:
        dumps([value])
    assert caught.value.not_sent


@pytest.mark.parametrize("text", ["NaN", "Infinity", "x"])
def test_a_decimal_that_is_no_number_stays_what_it_came_as(text: str) -> None:
    """No Java provider sends one, and comparing such a Decimal would raise."""
    data = dumps(JavaObject("java.math.BigDecimal", {"value": text}))
    assert loads(data) == JavaObject("java.math.BigDecimal", {"value": text})


def test_the_same_decimal_is_written_once() -> None:
    """As Java does; values of java.time are repeated, as Java does too."""
    price, day = Decimal("1.5"), Period(1)
    assert dumps([price, price]).endswith(b"Q\x91")
    encoder = Encoder()
    encoder.write([day, day])
    assert encoder.getvalue().endswith(b"\x60\x90\x90\x91\x60\x90\x90\x91")
