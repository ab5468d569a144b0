"""Classes of the JDK that hessian-lite sends as another object in their place: EnumSet, BitSet and Calendar.

Source: hessian-lite's ``EnumSetHandler``, ``BitSetHandle`` and ``CalendarHandle``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from ...codec.hessian2 import JavaObject, TypedList
from ...codec.hessian2.binding import binding_of_class
from .declared import JavaType
from .misfit import Convert, Misfit, convert_all, expected

_LITE = "com.alibaba.com.caucho.hessian.io."
_ENUM_SET, _BIT_SET, _CALENDAR = f"{_LITE}EnumSetHandler", f"{_LITE}BitSetHandle", f"{_LITE}CalendarHandle"
_WORD = 64
_MOST_BITS = 1_000_000


def handle(java: JavaType, item: Convert | None) -> Convert | None:
    """Make the conversion to a class that travels as a handle; None for other classes.

    Args:
        java: The declared class.
        item: Conversion of the items of an EnumSet, where its type says them.
    """
    if java.erased == "java.util.EnumSet":
        return _enum_set(java, item)
    if java.erased == "java.util.BitSet":
        return _bit_set
    return _calendar if java.erased in ("java.util.Calendar", "java.util.GregorianCalendar") else None


def _enum_set(java: JavaType, item: Convert | None) -> Convert:
    declared = java.arguments[0].name if java.arguments else None

    def convert(value: Any) -> Any:
        if value is None or isinstance(value, JavaObject):
            return value
        if not isinstance(value, AbstractSet):
            raise expected(java.erased, value, "give a set" if isinstance(value, list | tuple) else "")
        members = list(value) if item is None else convert_all(item, list(value))
        return JavaObject(_ENUM_SET, {"type": _class(declared, members), "objects": TypedList(members, "[object")})

    return convert


def _class(declared: str | None, members: Sequence[Any]) -> JavaObject:
    """Name the enum, without which Java cannot make the set."""
    name = declared
    if name is None and members:
        first = members[0]
        named = first if isinstance(first, JavaObject) else binding_of_class(type(first))
        name = None if named is None else named.java_class
    if name is None:
        raise Misfit("the enum of a java.util.EnumSet is not known", 'write "java.util.EnumSet<com.alibaba.foo.Kind>"')
    return JavaObject("java.lang.Class", {"name": name})


def _bit_set(value: Any) -> Any:
    if value is None or isinstance(value, JavaObject):
        return value
    if not isinstance(value, AbstractSet) or not all(type(bit) is int and 0 <= bit <= _MOST_BITS for bit in value):
        raise expected("java.util.BitSet", value, f"give a set of int from 0 to {_MOST_BITS}")
    number = _number_of(value)
    words = [number >> at & (1 << _WORD) - 1 for at in range(0, number.bit_length(), _WORD)]
    return JavaObject(_BIT_SET, {"words": TypedList([word - (word >> 63 << _WORD) for word in words], "[long")})


def _number_of(bits: AbstractSet[int]) -> int:
    data = bytearray(max(bits, default=0) // 8 + 1)
    for bit in bits:
        data[bit >> 3] |= 1 << (bit & 7)
    return int.from_bytes(data, "little")


def _calendar(value: Any) -> Any:
    if value is None or isinstance(value, JavaObject):
        return value
    if not isinstance(value, dt.datetime) or value.utcoffset() is None:
        raise expected("java.util.Calendar", value, "give a datetime with tzinfo")
    return JavaObject(_CALENDAR, {"date": dt.datetime.combine(value.date(), value.timetz()), "type": None})


def items_of_set(value: Any) -> Any:
    """Give the items of an EnumSet, or the numbers of a BitSet's bits; any other value as it is."""
    if not isinstance(value, JavaObject):
        return value
    if value.java_class == _ENUM_SET:
        return _list_or(value, "objects")
    words = _list_or(value, "words") if value.java_class == _BIT_SET else None
    if not isinstance(words, list) or not all(isinstance(word, int) for word in words):
        return value
    if sum((word & (1 << _WORD) - 1).bit_count() for word in words) > _MOST_BITS:  # a few bytes would become gigabytes
        return value
    return [at * _WORD + bit for at, word in enumerate(words) for bit in range(_WORD) if word >> bit & 1]


def moment_of(value: Any) -> Any:
    """Give the moment of a Calendar; any other value as it is."""
    if not isinstance(value, JavaObject) or value.java_class != _CALENDAR:
        return value
    date = value.fields.get("date")
    return date if isinstance(date, dt.datetime) else value


def _list_or(value: JavaObject, field: str) -> Any:
    items = value.fields.get(field)
    return items if isinstance(items, list) else value
