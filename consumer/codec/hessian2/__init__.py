"""hessian 2.0 as Dubbo speaks it: `dumps` and `loads`, and the types that Java has and Python has not.

`Encoder` and `Decoder` are for bodies of several values. Bind dataclasses and enums to Java classes with `java_type`.
Source: the hessian 2.0 specification and hessian-lite 4.0.3, with which Dubbo 3.3 ships.
"""

from .binding import java_type
from .decoder import Decoder, loads
from .encoder import Encoder, dumps
from .forced import BigInteger, Byte, Char, Double, Float, Int, Long, Short
from .java import (
    JavaEntries,
    JavaObject,
    JavaThrowable,
    StackFrame,
    TypedList,
    TypedMap,
    TypedSet,
    java_array,
)
from .javatime import (
    DateMillis,
    Duration,
    Instant,
    LocalDateTime,
    Locale,
    LocalTime,
    MonthDay,
    OffsetDateTime,
    OffsetTime,
    Period,
    SqlDate,
    SqlTime,
    SqlTimestamp,
    Year,
    YearMonth,
    ZonedDateTime,
    ZoneId,
)
from .limits import Limits

__all__ = [
    "BigInteger",
    "Byte",
    "Char",
    "DateMillis",
    "Decoder",
    "Double",
    "Duration",
    "Encoder",
    "Float",
    "Instant",
    "Int",
    "JavaEntries",
    "JavaObject",
    "JavaThrowable",
    "Limits",
    "LocalDateTime",
    "LocalTime",
    "Locale",
    "Long",
    "MonthDay",
    "OffsetDateTime",
    "OffsetTime",
    "Period",
    "Short",
    "SqlDate",
    "SqlTime",
    "SqlTimestamp",
    "StackFrame",
    "TypedList",
    "TypedMap",
    "TypedSet",
    "Year",
    "YearMonth",
    "ZoneId",
    "ZonedDateTime",
    "dumps",
    "java_array",
    "java_type",
    "loads",
]
