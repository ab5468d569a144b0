"""Conversion of numbers, text and moments to what hessian2 must encode for a declared Java type.

A value is given back as it is wherever its own bytes are right already.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ...codec.hessian2 import forced
from ...codec.hessian2 import javatime as jt
from ...errors import SerializationError
from .declared import JavaType, is_primitive
from .misfit import Convert, Misfit, expected, shown

_SAY = "say so: {} in the stub, or {} in parameter_types in the YAML"
_LARGER = {
    "byte": "if Java declares int or long, " + _SAY.format("Int or Long", "int or long"),
    "short": "if Java declares int or long, " + _SAY.format("Int or Long", "int or long"),
    "int": "if Java declares long, " + _SAY.format("Long", "long"),
    "long": "if Java declares java.math.BigInteger, " + _SAY.format("BigInteger", "java.math.BigInteger"),
}


def null_hint(java: JavaType) -> str:
    """Say what to do about a None for *java*; "" where that is not the fault."""
    if not is_primitive(java):
        return ""
    return f"a primitive cannot be null; where Java declares {java.boxed.erased}, say so"


def whole(java: JavaType) -> Convert:
    """Make the conversion to ``byte``, ``short``, ``int``, ``long`` and their classes."""
    made: Any = forced.forced_type(java.erased)
    high = (1 << (made.bits - 1)) - 1
    low, null, as_it_is = ~high, not is_primitive(java), made is not forced.Long

    def convert(value: Any) -> Any:
        if type(value) is int and low <= value <= high:
            return value if as_it_is else made(value)
        if value is None and null:
            return None
        if value is None or isinstance(value, bool) or not isinstance(value, int):
            raise expected(java.erased, value, null_hint(java) if value is None else "")
        if low <= value <= high:
            return made(value)
        raise Misfit(f"expected a Java {java.erased} ({low} to {high}), got {shown(value)}", _LARGER[made.java_name])

    return convert


def fraction(java: JavaType) -> Convert:
    """Make the conversion to ``float``, ``double`` and their classes; whole numbers are taken too."""
    null, as_it_is = not is_primitive(java), java.boxed.erased == "java.lang.Double"

    def convert(value: Any) -> Any:
        if type(value) is float and as_it_is:
            return value
        if value is None and null:
            return None
        if isinstance(value, bool) or not isinstance(value, float | int):
            raise expected(java.erased, value, null_hint(java) if value is None else "")
        try:
            return float(value) if as_it_is else forced.Float(value)
        except (OverflowError, SerializationError):
            raise Misfit(f"expected a Java {java.erased}, got {type(value).__name__} beyond its range") from None

    return convert


def boolean(java: JavaType) -> Convert:
    """Make the conversion to ``boolean`` and ``java.lang.Boolean``."""
    null = not is_primitive(java)

    def convert(value: Any) -> Any:
        if value is True or value is False or (value is None and null):
            return value
        raise expected(java.erased, value, null_hint(java) if value is None else "")

    return convert


def char(java: JavaType) -> Convert:
    """Make the conversion to ``char`` and ``java.lang.Character``."""
    null = not is_primitive(java)

    def convert(value: Any) -> Any:
        if isinstance(value, str):
            if len(value) == 1 and value <= "\uffff":
                return forced.Char(value)
            raise Misfit(f"expected a Java {java.erased} (one UTF-16 unit), got str of length {len(value)}")
        if value is None and null:
            return None
        raise expected(java.erased, value, null_hint(java) if value is None else "")

    return convert


def string(java: JavaType) -> Convert:
    """Make the conversion to ``java.lang.String``."""

    def convert(value: Any) -> Any:
        if type(value) is str or value is None:
            return value
        if isinstance(value, str):
            return str.__str__(value)
        raise expected(java.erased, value)

    return convert


def byte_array(java: JavaType) -> Convert:
    """Make the conversion to ``byte[]``."""

    def convert(value: Any) -> Any:
        if value is None or isinstance(value, bytes | bytearray | memoryview):
            return value
        raise expected(java.erased, value, "give bytes")

    return convert


def big_integer(java: JavaType) -> Convert:
    """Make the conversion to ``java.math.BigInteger``."""

    def convert(value: Any) -> Any:
        if value is None or isinstance(value, forced.BigInteger):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return forced.BigInteger(value)
        raise expected(java.erased, value)

    return convert


def big_decimal(java: JavaType) -> Convert:
    """Make the conversion to ``java.math.BigDecimal``; a float is refused: it seldom is the number meant."""

    def convert(value: Any) -> Any:
        if value is None or isinstance(value, Decimal):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return Decimal(value)
        raise expected(java.erased, value, "give a Decimal of its text" if isinstance(value, float) else "")

    return convert


def number(java: JavaType) -> Convert:
    """Make the conversion to ``java.lang.Number``, which any number is."""

    def convert(value: Any) -> Any:
        if value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool)):
            return value
        raise expected(java.erased, value)

    return convert


def _moment(
    fitting: type[Any], make: Callable[[Any], Any], source: type[Any], aware: bool | None = None
) -> Callable[[JavaType], Convert]:
    """Make a factory for values of *fitting*, and of *source* with or without a zone, which *make* turns into one."""

    def factory(java: JavaType) -> Convert:
        def convert(value: Any) -> Any:
            if value is None or (type(value) is fitting and aware is None):
                return value
            if not isinstance(value, source) or (source is dt.date and isinstance(value, dt.datetime)):
                raise expected(java.erased, value)
            if aware is None or (value.utcoffset() is not None) is aware:
                return make(value)
            state, want = ("no", "one with tzinfo") if aware else ("a", "one without tzinfo")
            raise expected(java.erased, value, f"it has {state} time zone: give {want}")

        return convert

    return factory


def _plain(value: dt.datetime) -> dt.datetime:
    """Take away a subclass that would be written as its own Java class; those of ``java.sql`` are java.util.Date's."""
    if type(value) is dt.datetime or isinstance(value, jt.SqlTimestamp | jt.SqlDate | jt.SqlTime):
        return value
    return dt.datetime.combine(value.date(), value.timetz())


def _date(java: JavaType) -> Convert:
    aware = _moment(dt.datetime, _plain, dt.datetime, True)(java)
    return lambda value: value if isinstance(value, jt.DateMillis) else aware(value)


def _sql(cls: type[dt.datetime]) -> Callable[[JavaType], Convert]:
    def make(value: dt.datetime) -> dt.datetime:
        clock = (value.hour, value.minute, value.second, value.microsecond, value.tzinfo)
        return value if type(value) is cls else cls(value.year, value.month, value.day, *clock)

    return _moment(cls, make, dt.datetime, True)


def _precise(cls: Any, aware: bool) -> Callable[[JavaType], Convert]:
    return _moment(cls, lambda value: value if type(value) is cls else cls.of(value), dt.datetime, aware)


def _zoned(value: dt.datetime) -> jt.ZonedDateTime:
    return value if isinstance(value, jt.ZonedDateTime) else jt.ZonedDateTime.in_zone(value)


def _zone(java: JavaType) -> Convert:
    def convert(value: Any) -> Any:
        if value is None or isinstance(value, jt.ZoneId | dt.timezone):
            return value
        raise expected(java.erased, value)

    return convert


def _same(value: Any) -> Any:
    return value


def _only(cls: type[Any]) -> Callable[[JavaType], Convert]:
    return _moment(cls, _same, cls)


_FACTORIES: dict[str, Callable[[JavaType], Convert]] = {
    **dict.fromkeys(("byte", "short", "int", "long"), whole),
    **dict.fromkeys(("java.lang.Byte", "java.lang.Short", "java.lang.Integer", "java.lang.Long"), whole),
    **dict.fromkeys(("float", "double", "java.lang.Float", "java.lang.Double"), fraction),
    **dict.fromkeys(("boolean", "java.lang.Boolean"), boolean),
    **dict.fromkeys(("char", "java.lang.Character"), char),
    **dict.fromkeys(("java.lang.String", "java.lang.CharSequence"), string),
    "byte[]": byte_array,
    "java.math.BigInteger": big_integer,
    "java.math.BigDecimal": big_decimal,
    "java.lang.Number": number,
    "java.util.UUID": _only(uuid.UUID),
    "java.util.Locale": _only(jt.Locale),
    "java.util.Date": _date,
    "java.sql.Timestamp": _sql(jt.SqlTimestamp),
    "java.sql.Date": _sql(jt.SqlDate),
    "java.sql.Time": _sql(jt.SqlTime),
    "java.time.Instant": _precise(jt.Instant, True),
    "java.time.OffsetDateTime": _precise(jt.OffsetDateTime, True),
    "java.time.LocalDateTime": _precise(jt.LocalDateTime, False),
    "java.time.ZonedDateTime": _moment(jt.ZonedDateTime, _zoned, dt.datetime, True),
    "java.time.LocalTime": _moment(dt.time, _same, dt.time, False),
    "java.time.OffsetTime": _moment(jt.OffsetTime, _same, dt.time, True),
    "java.time.LocalDate": _moment(dt.date, _same, dt.date),
    "java.time.Duration": _moment(jt.Duration, _same, dt.timedelta),
    "java.time.Period": _only(jt.Period),
    "java.time.Year": _only(jt.Year),
    "java.time.YearMonth": _only(jt.YearMonth),
    "java.time.MonthDay": _only(jt.MonthDay),
    "java.time.ZoneId": _zone,
    "java.time.ZoneOffset": _moment(dt.timezone, _same, dt.timezone),
}


def scalar(java: JavaType) -> Convert | None:
    """Make the conversion to a type without parts; None for other types."""
    factory = _FACTORIES.get(java.erased)
    return None if factory is None else factory(java)
