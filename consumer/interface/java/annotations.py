"""Which Java type a Python annotation stands for."""

from __future__ import annotations

import datetime as dt
import types
import typing
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ...codec.dubbo.descriptor import JavaType, parse_type
from ...codec.hessian2 import (
    BigInteger,
    Byte,
    Char,
    Double,
    Duration,
    Float,
    Instant,
    Int,
    JavaThrowable,
    LocalDateTime,
    Locale,
    LocalTime,
    Long,
    MonthDay,
    OffsetDateTime,
    OffsetTime,
    Period,
    Short,
    SqlDate,
    SqlTime,
    SqlTimestamp,
    Year,
    YearMonth,
    ZonedDateTime,
    ZoneId,
)
from ...codec.hessian2.binding import binding_of_class

_NAMES: dict[Any, str] = {
    None: "void",
    type(None): "void",
    Any: "java.lang.Object",
    object: "java.lang.Object",
    bool: "boolean",
    int: "int",
    float: "double",
    str: "java.lang.String",
    bytes: "byte[]",
    bytearray: "byte[]",
    Byte: "byte",
    Short: "short",
    Int: "int",
    Long: "long",
    Float: "float",
    Double: "double",
    Char: "char",
    BigInteger: "java.math.BigInteger",
    Decimal: "java.math.BigDecimal",
    uuid.UUID: "java.util.UUID",
    dt.datetime: "java.util.Date",
    dt.date: "java.time.LocalDate",
    dt.time: "java.time.LocalTime",
    dt.timedelta: "java.time.Duration",
    dt.timezone: "java.time.ZoneOffset",
    Duration: "java.time.Duration",
    Instant: "java.time.Instant",
    LocalDateTime: "java.time.LocalDateTime",
    LocalTime: "java.time.LocalTime",
    MonthDay: "java.time.MonthDay",
    OffsetDateTime: "java.time.OffsetDateTime",
    OffsetTime: "java.time.OffsetTime",
    Period: "java.time.Period",
    Year: "java.time.Year",
    YearMonth: "java.time.YearMonth",
    ZonedDateTime: "java.time.ZonedDateTime",
    ZoneId: "java.time.ZoneId",
    SqlDate: "java.sql.Date",
    SqlTime: "java.sql.Time",
    SqlTimestamp: "java.sql.Timestamp",
    Locale: "java.util.Locale",
    JavaThrowable: "java.lang.Throwable",
    **dict.fromkeys((list, tuple, Sequence), "java.util.List"),
    **dict.fromkeys((set, frozenset, AbstractSet), "java.util.Set"),
    **dict.fromkeys((dict, Mapping), "java.util.Map"),
    **dict.fromkeys((Collection, Iterable), "java.util.Collection"),
}


@dataclass(frozen=True, slots=True)
class JavaName:
    """Says which Java type is meant where Python has no such type: ``Annotated[list[int], JavaName("int[]")]``.

    Attributes:
        name: As Java source spells it: ``java.util.Collection``, ``int[]``, ``java.util.List<java.lang.Long>``.
    """

    name: str


def java_type_of(hint: Any) -> JavaType:
    """Give the Java type that an evaluated annotation stands for.

    ``int`` is ``int``, ``float`` is ``double``; ``Long``, ``Short``, ``Float`` ... stand for the others. ``X | None``
    is the boxed type: ``int | None`` is ``java.lang.Integer``. ``str`` is ``String``, ``bytes`` ``byte[]``; ``list``,
    ``set`` and ``dict`` are ``List``, ``Set`` and ``Map``; ``datetime`` is ``java.util.Date``, while ``date``, ``time``
    and ``timedelta`` are of ``java.time``; ``Decimal`` is ``BigDecimal``; a class bound by `java_type` is what it is
    bound to. `JavaName` inside ``Annotated`` decides over all of them.

    Raises:
        ValueError: It stands for none; the message says what to write.
    """
    if typing.get_origin(hint) is typing.Annotated:
        return _annotated(hint)
    optional = _without_none(hint)
    if optional is not None:
        return java_type_of(optional).boxed
    cls = typing.get_origin(hint) or hint
    try:
        name = _NAMES.get(cls)
    except TypeError:  # an annotation without a hash
        name = None
    if name is not None:
        return parse_type(name)
    binding = binding_of_class(cls) if isinstance(cls, type) else None
    if binding is None:
        raise ValueError(
            f"the annotation {_shown(hint)} stands for no Java type; bind the class by @java_type(...), or write "
            'Annotated[..., JavaName("full.name.OfTheClass")]'
        )
    return JavaType(binding.java_class)


def _annotated(hint: Any) -> JavaType:
    for mark in hint.__metadata__:
        if isinstance(mark, JavaName):
            return parse_type(mark.name)
    for mark in hint.__metadata__:
        if isinstance(mark, type) and mark in _NAMES:
            return parse_type(_NAMES[mark])
    return java_type_of(hint.__origin__)


def _without_none(hint: Any) -> Any:
    """Give X of ``X | None``; None where the annotation is something else."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return None
    others = [argument for argument in typing.get_args(hint) if argument is not type(None)]
    return others[0] if len(others) == 1 else None


def _shown(hint: Any) -> str:
    return f"{hint.__module__}.{hint.__qualname__}" if isinstance(hint, type) else repr(hint)
