"""Numbers and characters that say which Java type they are meant to be.

A Python ``int`` is written as Java ``int`` where it fits 32 bits, else as ``long``, else as ``BigInteger``; a ``float``
is a ``double``. These types force another form, as a value (``Long(5)``), as the annotation of a dataclass field
(``Annotated[int, Long]`` or ``Long``), or by the Java name of a parameter (`Encoder.write`).
"""

from __future__ import annotations

import struct
from math import isfinite
from typing import Any, ClassVar, Self

from ...errors import SerializationError
from ...runtime.shown import shown

_FLOAT = struct.Struct(">f")


class _Ranged(int):
    java_name: ClassVar[str]
    bits: ClassVar[int]

    def __new__(cls, value: int) -> Self:
        limit = 1 << (cls.bits - 1)
        if not -limit <= value < limit:
            raise SerializationError(
                f"hessian2: {value} does not fit a Java {cls.java_name} ({-limit} to {limit - 1})", not_sent=True
            )
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)})"


class Byte(_Ranged):
    """A Java ``byte``: -128 to 127; on the wire an int, as in hessian-lite."""

    java_name = "byte"
    bits = 8


class Short(_Ranged):
    """A Java ``short``: -32768 to 32767; on the wire an int, as in hessian-lite."""

    java_name = "short"
    bits = 16


class Int(_Ranged):
    """A Java ``int``: 32 bits, signed."""

    java_name = "int"
    bits = 32


class Long(_Ranged):
    """A Java ``long``: 64 bits, signed."""

    java_name = "long"
    bits = 64


class BigInteger(int):
    """A Java ``java.math.BigInteger``, however small."""

    def __repr__(self) -> str:
        return f"BigInteger({shown(int(self))})"


class Double(float):
    """A Java ``double``, also where the value is whole; plain floats are doubles already."""


class Float(float):
    """A Java ``float``: rounded to 32 bits, and sent as the shortest decimal that means the same float.

    Source: Java ``BasicSerializer`` for ``Float``, which sends the double nearest to ``Float.toString``.
    """

    def __new__(cls, value: float) -> Self:
        """Round; raises `SerializationError` beyond the range of a float."""
        return super().__new__(cls, _shortest(to_32_bits(value)))


class Char(str):
    """A Java ``char``: exactly one UTF-16 unit; on the wire a string."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check; raises `SerializationError` where it is not one unit."""
        if len(value) != 1 or value > "\uffff":
            raise SerializationError(
                f"hessian2: {shown(value, 80)} is not one UTF-16 unit, which a Java char is", not_sent=True
            )
        return super().__new__(cls, value)


def to_32_bits(value: float) -> float:
    """Round to what a Java float holds."""
    try:
        rounded: float = _FLOAT.unpack(_FLOAT.pack(value))[0]
    except OverflowError:
        raise SerializationError(
            f"hessian2: {value} does not fit a Java float (up to 3.4028235e+38)", not_sent=True
        ) from None
    return rounded


def _shortest(value: float) -> float:
    """Give the double of the shortest decimal that rounds to this float; nine digits always do."""
    if not isfinite(value):
        return value
    for digits in range(6, 9):
        short = float(f"{value:.{digits}g}")
        if to_32_bits(short) == value:
            return short
    return float(f"{value:.9g}")


_BY_NAME: dict[str, type[Any]] = {
    "byte": Byte,
    "short": Short,
    "int": Int,
    "long": Long,
    "float": Float,
    "double": Double,
    "char": Char,
    "java.lang.Byte": Byte,
    "java.lang.Short": Short,
    "java.lang.Integer": Int,
    "java.lang.Long": Long,
    "java.lang.Float": Float,
    "java.lang.Double": Double,
    "java.lang.Character": Char,
    "java.math.BigInteger": BigInteger,
}
FORCED_TYPES: frozenset[type[Any]] = frozenset(_BY_NAME.values())


def forced_type(java_name: str) -> type[Any] | None:
    """Give the class that forces a Java type (``long``, ``java.lang.Long``); None where the value alone decides."""
    return _BY_NAME.get(java_name)
