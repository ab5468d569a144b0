"""Which overload the values mean, much as the Java compiler would see them as literals.

The exact type of a value comes first, then what it can be turned into, then ``Object``; a value that a type cannot hold
rules the overload out. A forced number (``Long(1)``) fits its own type and ``Object`` alone.

Of an object's Java class this side knows the name, and its superclasses only where the bound Python classes have them.
So another class fits it perhaps, and no better than ``Object``: where both are left, nothing decides.
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ...codec.dubbo import JavaType
from ...codec.hessian2 import JavaObject, JavaThrowable, TypedList, TypedMap, TypedSet
from ...codec.hessian2 import javatime as jt
from ...codec.hessian2.binding import binding_of_class, binding_of_name
from ...codec.hessian2.forced import FORCED_TYPES, BigInteger, Byte, Char, Double, Float, Int, Long, Short
from ...codec.hessian2.java import array_component
from .convert import unchanged
from .declared import is_primitive
from .misfit import Convert, Misfit
from .signature import JavaSignature

_ANYTHING = ("java.lang.Object", "java.io.Serializable", "java.lang.Comparable")
_LIST = ("java.util.List", "java.util.Collection", "java.lang.Iterable", "java.util.ArrayList")
_SET = ("java.util.Set", "java.util.Collection", "java.lang.Iterable", "java.util.HashSet")
# What each Python type is taken for, the likeliest first.
_PREFERRED: dict[type[Any], tuple[str, ...]] = {
    bool: ("boolean", "java.lang.Boolean"),
    int: (
        *("int", "long", "java.lang.Integer", "java.lang.Long", "short", "byte", "java.lang.Short", "java.lang.Byte"),
        *("java.math.BigInteger", "double", "float", "java.lang.Double", "java.lang.Float", "java.math.BigDecimal"),
    ),
    Byte: ("byte", "java.lang.Byte"),
    Short: ("short", "java.lang.Short"),
    Int: ("int", "java.lang.Integer"),
    Long: ("long", "java.lang.Long"),
    BigInteger: ("java.math.BigInteger",),
    float: ("double", "java.lang.Double", "float", "java.lang.Float"),
    Double: ("double", "java.lang.Double"),
    Float: ("float", "java.lang.Float"),
    Decimal: ("java.math.BigDecimal",),
    str: ("java.lang.String", "java.lang.CharSequence", "char", "java.lang.Character", "char[]"),
    Char: ("char", "java.lang.Character"),
    **dict.fromkeys((bytes, bytearray, memoryview), ("byte[]",)),
    **dict.fromkeys((list, tuple), _LIST),
    **dict.fromkeys((set, frozenset), _SET),
    dict: ("java.util.Map", "java.util.HashMap"),
    uuid.UUID: ("java.util.UUID",),
    dt.datetime: ("java.util.Date", "java.time.LocalDateTime"),
    dt.date: ("java.time.LocalDate",),
    dt.time: ("java.time.LocalTime", "java.time.OffsetTime"),
    dt.timedelta: ("java.time.Duration",),
    jt.SqlTimestamp: ("java.sql.Timestamp", "java.util.Date"),
    jt.SqlDate: ("java.sql.Date", "java.util.Date"),
    jt.SqlTime: ("java.sql.Time", "java.util.Date"),
    **{
        cls: (f"java.time.{cls.__name__}",)
        for cls in (jt.Duration, jt.Instant, jt.LocalTime, jt.LocalDateTime, jt.OffsetTime, jt.OffsetDateTime)
    },
    jt.ZonedDateTime: ("java.time.ZonedDateTime",),
}
# All that these can become, but for enums and Number, is listed above.
_ATOMS = frozenset({bool, int, float, str, bytes})
_BEST = 100
_ANY = 1


def fitting(signatures: Sequence[JavaSignature], bound: Sequence[Sequence[Any]]) -> list[JavaSignature]:
    """Find the overloads that fit best: one that is as good as any other in each parameter, or all such.

    Args:
        signatures: The candidates.
        bound: The values for each of them, in the order of its parameters.
    """
    ranked = [
        (signature, ranks)
        for signature, values in zip(signatures, bound, strict=True)
        if all(ranks := tuple(map(rank, signature.types, signature.converters, values)))
    ]
    best = [one for one, ranks in ranked if all(_covers(ranks, others) for _, others in ranked)]
    return best or [one for one, _ in ranked]


def _covers(ranks: tuple[int, ...], others: tuple[int, ...]) -> bool:
    return all(own >= other for own, other in zip(ranks, others, strict=True))


def rank(java: JavaType, convert: Convert, value: Any) -> int:
    """Tell how well a value fits a parameter, 0 for not at all."""
    name = java.erased
    if value is None:
        return 0 if is_primitive(java) else _ANY if name in _ANYTHING else 2
    if name in _ANYTHING:
        return _ANY
    preferred = _preferred(value)
    if name not in preferred and _is_foreign(java, convert, value):
        return 0
    try:
        convert(value)
    except Misfit:
        return 0
    if isinstance(value, TypedList) and value.java_type == array_component(name):
        return _BEST
    if name in preferred:
        return _BEST - preferred.index(name)
    own = _class_of(value)
    return 2 if own is None else _relation(own, name)


def _relation(own: str, other: str) -> int:
    """Tell how well an object of one Java class fits a parameter of another, as far as Python knows."""
    known, wanted = binding_of_name(own), binding_of_name(other)
    if known is None or wanted is None:
        return _ANY
    if issubclass(known.cls, wanted.cls):
        return _BEST - known.cls.__mro__.index(wanted.cls)
    is_closed = known.is_enum or wanted.is_enum
    # A Java class has the fields of its superclass, whether or not the Python classes are related.
    return _ANY if not is_closed and known.attributes.keys() >= wanted.attributes.keys() else 0


def _is_foreign(java: JavaType, convert: Convert, value: Any) -> bool:
    """Tell, without the cost of a failed conversion, that a type not preferred is out of the question."""
    if java.erased == "java.lang.Number":
        return False
    if type(value) in _ATOMS:
        return is_primitive(java) or java.erased.startswith("java.")
    return type(value) in FORCED_TYPES or (convert is unchanged and not isinstance(value, JavaObject))


def _preferred(value: Any) -> tuple[str, ...]:
    known = _PREFERRED.get(type(value))
    if known is not None:
        return known
    own = _class_of(value)
    if own is not None:
        return (own, "java.lang.Throwable") if isinstance(value, JavaThrowable) else (own,)
    if isinstance(value, TypedList | TypedSet | TypedMap):
        return (value.java_type,)
    if isinstance(value, enum.Enum):
        return ()
    return next((_PREFERRED[cls] for cls in type(value).__mro__ if cls in _PREFERRED), ())


def _class_of(value: Any) -> str | None:
    """Give the Java class of a bound object or of a `JavaObject`; None for a value without one of its own."""
    if isinstance(value, JavaObject):
        return value.java_class
    binding = binding_of_class(type(value))
    return None if binding is None else binding.java_class
