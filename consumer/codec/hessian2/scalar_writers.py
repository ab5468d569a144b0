"""Values without parts to hessian 2.0, each in its shortest form."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import copysign
from typing import Protocol

from .text import encode_text

_tagged_int = struct.Struct(">ci").pack
_tagged_long = struct.Struct(">cq").pack
_tagged_double = struct.Struct(">cd").pack
_tagged_short = struct.Struct(">ch").pack
_short = struct.Struct(">H").pack
_BINARY_CHUNK = 8189  # what Java's buffer of 8 KiB leaves to the first chunk


class Sink(Protocol):
    """What a writer needs of the encoder."""

    out: bytearray

    def write_big(self, value: int) -> None:
        """Write a number that no ``long`` can hold."""


def _short_ints() -> list[bytes]:
    one_byte = {value: bytes((0x90 + value,)) for value in range(-16, 48)}
    values = (*range(2048), *range(-2048, 0))
    return [one_byte.get(value) or _short(0xC800 + value) for value in values]


# The forms of -2048 to 2047 by value, negative ones by Python's negative indexes.
SHORT_INTS: Sequence[bytes] = _short_ints()


def write_null(e: Sink, _: None) -> None:
    """Write null."""
    e.out.append(0x4E)


def write_bool(e: Sink, value: bool) -> None:
    """Write a boolean."""
    e.out.append(0x54 if value else 0x46)


def write_int(e: Sink, value: int) -> None:
    """Write a Java int, a long where 32 bits do not hold the value, a BigInteger where 64 do not."""
    if -2048 <= value <= 2047:
        e.out += SHORT_INTS[value]
    elif -262144 <= value <= 262143:
        e.out += (0xD40000 + value).to_bytes(3, "big")
    elif -0x80000000 <= value <= 0x7FFFFFFF:
        e.out += _tagged_int(b"I", value)
    elif -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
        e.out += _tagged_long(b"L", value)
    else:
        e.write_big(value)


def write_long(e: Sink, value: int) -> None:
    """Write a Java long, or a BigInteger where 64 bits do not hold the value."""
    if -8 <= value <= 15:
        e.out.append(0xE0 + value)
    elif -2048 <= value <= 2047:
        e.out += _short(0xF800 + value)
    elif -262144 <= value <= 262143:
        e.out += (0x3C0000 + value).to_bytes(3, "big")
    elif -0x80000000 <= value <= 0x7FFFFFFF:
        e.out += _tagged_int(b"Y", value)
    elif -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
        e.out += _tagged_long(b"L", value)
    else:
        e.write_big(value)


def write_double(e: Sink, value: float) -> None:
    """Write a Java double in the shortest form that means exactly it.

    Source: Java ``Hessian2Output.writeDouble``; differs: -0.0 keeps its sign.
    """
    if value.is_integer() and -32768 <= value < 32768 and (value or copysign(1, value) > 0):
        whole = int(value)
        if 0 <= whole <= 1:
            e.out.append(0x5B + whole)
        elif -128 <= whole < 128:
            e.out += bytes((0x5D, whole & 0xFF))
        else:
            e.out += _tagged_short(b"^", whole)
        return
    mills = value * 1000
    if -0x80000000 <= mills < 0x80000000 and 0.001 * int(mills) == value and value:
        e.out += _tagged_int(b"_", int(mills))
    else:
        e.out += _tagged_double(b"D", value)


def write_str(e: Sink, value: str) -> None:
    """Write a string, chunked where it is longer than 32,768 UTF-16 units."""
    length = len(value)
    if length < 0x20 and value.isascii():
        e.out.append(length)
        e.out += value.encode()
    else:
        e.out += encode_text(value)


def write_bytes(e: Sink, value: bytes | bytearray | memoryview) -> None:
    """Write binary data, in Java's chunks where it is long."""
    data = bytes(value)
    start = 0
    while len(data) - start > _BINARY_CHUNK:
        e.out += b"A" + _short(_BINARY_CHUNK) + data[start : start + _BINARY_CHUNK]
        start += _BINARY_CHUNK
    rest = data[start:]
    length = len(rest)
    if length <= 15:
        e.out.append(0x20 + length)
    elif length <= 0x3FF:
        e.out += _short(0x3400 + length)
    else:
        e.out += b"B" + _short(length)
    e.out += rest


def write_millis(e: Sink, millis: int) -> None:
    """Write a java.util.Date of milliseconds since 1970, in minutes where that is all."""
    minutes, rest = divmod(millis, 60_000)
    if rest == 0 and -0x80000000 <= minutes <= 0x7FFFFFFF:
        e.out += _tagged_int(b"K", minutes)
    elif -0x8000000000000000 <= millis <= 0x7FFFFFFFFFFFFFFF:
        e.out += _tagged_long(b"J", millis)
    else:
        raise ValueError("its milliseconds do not fit 64 bits")
