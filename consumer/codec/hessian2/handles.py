"""Java classes that stand for a Python value by themselves: big numbers, identifiers and all of ``java.time``.

hessian-lite replaces most ``java.time`` values by a "handle" object with fields of its own; `BigDecimal`, ``UUID`` and
``java.sql`` have one field ``value``. The fields here, and their order, are those of hessian-lite 4.0.3 on JDK 17.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ...runtime.shown import shown
from . import javatime as jt
from .forced import BigInteger, Long
from .java import JavaEntries, TypedList

_LITE = "com.alibaba.com.caucho.hessian.io."
_JAVA8 = _LITE + "java8."
_Fields = Mapping[str, Any]
_INTS = range(-0x80000000, 0x80000000)
_YEARS = range(-999_999_999, 1_000_000_000)
_MONTHS = range(1, 13)
_WIDEST_OFFSET = 18 * 3600
_WHOLE = ((32, "java.lang.Integer"), (64, "java.lang.Long"), (float("inf"), "java.math.BigInteger"))
_CLASSES: dict[type[Any], str] = {
    type(None): "null",
    bool: "java.lang.Boolean",
    Long: "java.lang.Long",
    float: "java.lang.Double",
    str: "java.lang.String",
    bytes: "byte[]",
    list: "java.util.ArrayList",
    set: "java.util.HashSet",
    dict: "java.util.HashMap",
    JavaEntries: "java.util.HashMap",
    dt.datetime: "java.util.Date",
    jt.DateMillis: "java.util.Date",
}


@dataclass(frozen=True, slots=True, eq=False)
class Handle:
    """How one Java class and one Python type become each other.

    Attributes:
        java_class: As it is written.
        fields: In the order in which they are written.
        build: The value of the fields; raises what its types raise where the fields hold no such value.
        explode: The fields of a value; None where hessian-lite does not write this class (any more).
        shared: Whether a second occurrence of the same value is written as a reference.
    """

    java_class: str
    fields: tuple[str, ...]
    build: Callable[[_Fields], Any]
    explode: Callable[[Any], tuple[Any, ...]] | None = None
    shared: bool = False

    def gives_back(self, value: Any, fields: _Fields) -> bool:
        """Tell whether writing the value would give just these fields again."""
        if self.explode is None or tuple(fields) != self.fields:
            return False
        return self.explode(value) == tuple(fields.values())


def handle_of_name(java_class: str) -> Handle | None:
    """Find the handle of a Java class, also in the package of Caucho's own hessian."""
    if java_class.startswith("com.caucho.hessian.io."):
        java_class = "com.alibaba." + java_class
    return _BY_NAME.get(java_class)


def java_class_of(value: Any) -> str:
    """Name the Java class that a value without a Python class of its own was, or will be; ``null`` for None."""
    own = getattr(value, "java_type", None)
    if isinstance(own, str):
        return own
    if type(value) is int:
        return next(name for bits, name in _WHOLE if value.bit_length() < bits)
    handle = HANDLES.get(type(value))
    return _CLASSES.get(type(value), "java.lang.Object") if handle is None else handle.java_class


def _big_integer(fields: _Fields) -> BigInteger:
    magnitude = fields["mag"]
    number = int.from_bytes(struct.pack(f">{len(magnitude)}i", *magnitude), "big")
    sign = fields["signum"]
    if sign not in (-1, 0, 1) or (sign == 0) != (number == 0):
        raise ValueError
    return BigInteger(number * sign)


def _explode_big_integer(value: int) -> tuple[Any, ...]:
    number = abs(value)
    words = (number.bit_length() + 31) // 32
    magnitude = struct.unpack(f">{words}i", number.to_bytes(words * 4, "big"))
    return TypedList(magnitude, "[int"), 0, 0, 0, 0, (value > 0) - (value < 0)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _fraction(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _uuid(fields: _Fields) -> uuid.UUID:
    if "value" in fields:
        return uuid.UUID(fields["value"])
    most, least = fields["mostSigBits"], fields["leastSigBits"]
    return uuid.UUID(int=(most & (1 << 64) - 1) << 64 | least & (1 << 64) - 1)


def _decimal(fields: _Fields) -> Decimal:
    number = Decimal(_text(fields["value"]))
    if not number.is_finite():
        raise ValueError
    return number


def _local_date(fields: _Fields) -> dt.date:
    if "epochDay" in fields:
        return dt.date(1970, 1, 1) + dt.timedelta(days=fields["epochDay"])
    return dt.date(fields["year"], fields["month"], fields["day"])


def _local_time(fields: _Fields) -> jt.LocalTime:
    if "nanoOfDay" in fields:
        seconds, nanosecond = divmod(fields["nanoOfDay"], 1_000_000_000)
        return jt.LocalTime.of(seconds // 3600, seconds // 60 % 60, seconds % 60, nanosecond)
    return jt.LocalTime.of(fields["hour"], fields["minute"], fields["second"], fields["nano"])


def _local_date_time(fields: _Fields) -> jt.LocalDateTime:
    date, time = fields["date"], fields["time"]
    if isinstance(date, int):
        date, time = _local_date({"epochDay": date}), _local_time({"nanoOfDay": time})
    return jt.LocalDateTime.of(dt.datetime.combine(date, time), jt.nanosecond_of(time))


def _explode_decimal(value: Decimal) -> tuple[Any, ...]:
    if not value.is_finite() or abs(value.adjusted()) > _INTS.stop:
        raise ValueError(f"{value} is no java.math.BigDecimal, which is finite and has an exponent of 32 bits")
    return (str(value),)


def _explode_local_time(value: dt.time) -> tuple[Any, ...]:
    return jt.nanosecond_of(value), value.second, value.minute, value.hour


def _explode_local_date_time(value: dt.datetime) -> tuple[Any, ...]:
    clock = jt.LocalTime.of(value.hour, value.minute, value.second, jt.nanosecond_of(value))
    return clock, value.date()


def _instant(fields: _Fields) -> jt.Instant:
    moment = jt.EPOCH + dt.timedelta(seconds=fields["seconds"])
    return jt.Instant.of(moment, fields["nanos"])


def _explode_instant(value: dt.datetime) -> tuple[Any, ...]:
    return jt.nanosecond_of(value), Long(jt.epoch_millis(value) // 1000)


def _duration(fields: _Fields) -> jt.Duration:
    return jt.Duration.of(fields["seconds"], fields["nanos"])


def _explode_duration(value: dt.timedelta) -> tuple[Any, ...]:
    nanosecond = value.nanosecond if isinstance(value, jt.Duration) else value.microseconds * 1000
    return nanosecond, Long(value.days * 86_400 + value.seconds)


def _zone_offset(fields: _Fields) -> dt.timezone:
    return dt.timezone(dt.timedelta(seconds=fields["seconds"]))


def _explode_zone_offset(value: dt.timezone) -> tuple[Any, ...]:
    offset = value.utcoffset(None)
    seconds = int(offset.total_seconds())
    if offset.microseconds or abs(seconds) > _WIDEST_OFFSET:
        raise ValueError(f"{value} is no java.time.ZoneOffset, which has whole seconds and at most 18 hours")
    return (seconds,)


def _offset_date_time(fields: _Fields) -> jt.OffsetDateTime:
    moment: jt.LocalDateTime = fields["dateTime"]
    return jt.OffsetDateTime.of(moment.replace(tzinfo=fields["offset"]), moment.nanosecond)


def _zoned_date_time(fields: _Fields) -> jt.ZonedDateTime:
    moment: jt.LocalDateTime = fields["dateTime"]
    zoned = jt.ZonedDateTime.of(moment.replace(tzinfo=fields["offset"]), moment.nanosecond)
    zoned.zone_id = _text(fields["zoneId"])
    return zoned


def _explode_zoned(value: jt.ZonedDateTime) -> tuple[Any, ...]:
    offset = jt.offset_of(value)
    zone_id = value.zone_id if value.zone_id is not None else offset_id(offset)
    return offset, jt.LocalDateTime.of(value.replace(tzinfo=None), value.nanosecond), zone_id


def offset_id(offset: dt.timezone) -> str:
    """Spell an offset as ``java.time.ZoneOffset`` does: ``Z``, ``+05:30``."""
    name = str(offset)
    return "Z" if name == "UTC" else name.removeprefix("UTC")


def _offset_time(fields: _Fields) -> jt.OffsetTime:
    clock: jt.LocalTime = fields["localTime"]
    return jt.OffsetTime.of(clock.hour, clock.minute, clock.second, clock.nanosecond, fields["zoneOffset"])


def _explode_offset_time(value: dt.time) -> tuple[Any, ...]:
    clock = jt.LocalTime.of(value.hour, value.minute, value.second, jt.nanosecond_of(value))
    return jt.offset_of(value), clock


def _explode_offset_date_time(value: dt.datetime) -> tuple[Any, ...]:
    return jt.offset_of(value), jt.LocalDateTime.of(value.replace(tzinfo=None), jt.nanosecond_of(value))


def _sql(cls: type[dt.datetime]) -> Callable[[_Fields], dt.datetime]:
    def build(fields: _Fields) -> dt.datetime:
        moment: dt.datetime = fields["value"]
        clock = (moment.hour, moment.minute, moment.second, moment.microsecond)
        return cls(moment.year, moment.month, moment.day, *clock, tzinfo=moment.tzinfo)

    return build


def _explode_sql(value: dt.datetime) -> tuple[Any, ...]:
    return (jt.from_epoch_millis(jt.epoch_millis(value)),)


def _within(value: int, allowed: range) -> tuple[int]:
    if value not in allowed:
        raise ValueError(f"{shown(value, 80)} is not in {allowed.start} to {allowed.stop - 1}")
    return (value,)


def _of_text(name: str, make: Callable[[str], Any]) -> Callable[[_Fields], Any]:
    return lambda fields: make(_text(fields[name]))


def _of_numbers(make: Callable[..., Any], *names: str) -> Callable[[_Fields], Any]:
    return lambda fields: make(*[_number(fields[name]) for name in names])


BIG_INTEGER = Handle(
    "java.math.BigInteger",
    ("mag", "firstNonzeroIntNumPlusTwo", "lowestSetBitPlusTwo", "bitLengthPlusOne", "bitCountPlusOne", "signum"),
    _big_integer,
    _explode_big_integer,
    shared=True,
)
_DURATION = ("nanos", "seconds")
HANDLES: Mapping[type[Any], Handle] = {
    BigInteger: BIG_INTEGER,
    Decimal: Handle("java.math.BigDecimal", ("value",), _decimal, _explode_decimal, shared=True),
    uuid.UUID: Handle("java.util.UUID", ("value",), _uuid, lambda v: (str(v),), shared=True),
    jt.SqlTimestamp: Handle("java.sql.Timestamp", ("value",), _sql(jt.SqlTimestamp), _explode_sql, shared=True),
    jt.SqlDate: Handle("java.sql.Date", ("value",), _sql(jt.SqlDate), _explode_sql, shared=True),
    jt.SqlTime: Handle("java.sql.Time", ("value",), _sql(jt.SqlTime), _explode_sql, shared=True),
    jt.Locale: Handle(_LITE + "LocaleHandle", ("value",), _of_text("value", jt.Locale), lambda v: (v.name,)),
    jt.ZoneId: Handle(_JAVA8 + "ZoneIdHandle", ("zoneId",), _of_text("zoneId", jt.ZoneId), lambda v: (v.name,)),
    jt.Year: Handle(_JAVA8 + "YearHandle", ("year",), _of_numbers(jt.Year, "year"), lambda v: _within(v.value, _YEARS)),
    jt.YearMonth: Handle(
        _JAVA8 + "YearMonthHandle",
        ("month", "year"),
        _of_numbers(jt.YearMonth, "year", "month"),
        lambda v: _within(v.month, _MONTHS) + _within(v.year, _YEARS),
    ),
    jt.MonthDay: Handle(
        _JAVA8 + "MonthDayHandle",
        ("day", "month"),
        _of_numbers(jt.MonthDay, "month", "day"),
        lambda v: _within(v.day, range(1, 32)) + _within(v.month, _MONTHS),
    ),
    jt.Period: Handle(
        _JAVA8 + "PeriodHandle",
        ("days", "months", "years"),
        _of_numbers(jt.Period, "years", "months", "days"),
        lambda v: _within(v.days, _INTS) + _within(v.months, _INTS) + _within(v.years, _INTS),
    ),
    dt.date: Handle(
        _JAVA8 + "LocalDateHandle", ("day", "month", "year"), _local_date, lambda v: (v.day, v.month, v.year)
    ),
    dt.timedelta: Handle(_JAVA8 + "DurationHandle", _DURATION, _duration, _explode_duration),
    dt.timezone: Handle(_JAVA8 + "ZoneOffsetHandle", ("seconds",), _zone_offset, _explode_zone_offset),
    jt.Instant: Handle(_JAVA8 + "InstantHandle", _DURATION, _instant, _explode_instant),
    jt.LocalTime: Handle(
        _JAVA8 + "LocalTimeHandle", ("nano", "second", "minute", "hour"), _local_time, _explode_local_time
    ),
    jt.LocalDateTime: Handle(
        _JAVA8 + "LocalDateTimeHandle", ("time", "date"), _local_date_time, _explode_local_date_time
    ),
    jt.OffsetTime: Handle(_JAVA8 + "OffsetTimeHandle", ("zoneOffset", "localTime"), _offset_time, _explode_offset_time),
    jt.OffsetDateTime: Handle(
        _JAVA8 + "OffsetDateTimeHandle", ("offset", "dateTime"), _offset_date_time, _explode_offset_date_time
    ),
    jt.ZonedDateTime: Handle(
        _JAVA8 + "ZonedDateTimeHandle", ("offset", "dateTime", "zoneId"), _zoned_date_time, _explode_zoned
    ),
}
_READ_ONLY = (
    # Boxes of other hessians; hessian-lite writes the number alone.
    Handle(_LITE + "ByteHandle", ("_value",), _of_numbers(int, "_value")),
    Handle(_LITE + "ShortHandle", ("_value",), _of_numbers(int, "_value")),
    Handle(_LITE + "FloatHandle", ("_value",), lambda fields: _fraction(fields["_value"])),
    Handle(_LITE + "CharacterHandle", ("_value",), _of_text("_value", str)),
    # The compact mode of later hessian-lites writes these classes by their own names.
    Handle("java.time.LocalDate", ("epochDay",), _local_date),
    Handle("java.time.LocalTime", ("nanoOfDay",), _local_time),
    Handle("java.time.LocalDateTime", ("date", "time"), _local_date_time),
)
_BY_NAME: dict[str, Handle] = {handle.java_class: handle for handle in (*HANDLES.values(), *_READ_ONLY)}
# A class definition without fields, which one number follows all the same.
HIDDEN_FIELDS: Mapping[str, str] = {"java.time.LocalDate": "epochDay", "java.time.LocalTime": "nanoOfDay"}
