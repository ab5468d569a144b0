"""Values without parts out of hessian 2.0.

Each reader is given the decoder, whose position is behind the first byte, and that byte. Data that ends early raises
`IndexError` or `struct.error`, which `Decoder.read` explains.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Protocol

from ...errors import SerializationError
from .forced import Long
from .javatime import from_epoch_millis
from .text import decode_units, join_pairs

_int = struct.Struct(">i").unpack_from
_long = struct.Struct(">q").unpack_from
_double = struct.Struct(">d").unpack_from
_short = struct.Struct(">h").unpack_from
_length = struct.Struct(">H").unpack_from
_new_int = int.__new__
MISS: Any = object()
STRING_TAGS = frozenset((*range(0x20), *range(0x30, 0x34), 0x52, 0x53))
INT_TAGS = frozenset((*range(0x80, 0xD8), 0x49))
_BINARY_TAGS = frozenset((*range(0x20, 0x30), *range(0x34, 0x38), 0x41, 0x42))


class Source(Protocol):
    """What a reader needs of the decoder: all bytes, and the offset of the next one."""

    data: bytes
    position: int


ScalarReader = Callable[[Source, int], Any]


def _read_int_2(d: Source, tag: int) -> int:
    at = d.position
    d.position = at + 1
    return (tag - 0xC8 << 8) + d.data[at]


def _read_int_3(d: Source, tag: int) -> int:
    at = d.position
    d.position = at + 2
    return (tag - 0xD4 << 16) + int(_length(d.data, at)[0])


def _read_int_5(d: Source, _: int) -> int:
    at = d.position
    d.position = at + 4
    value: int = _int(d.data, at)[0]
    return value


def _read_long_2(d: Source, tag: int) -> int:
    at = d.position
    d.position = at + 1
    return (tag - 0xF8 << 8) + d.data[at]


def _read_long_3(d: Source, tag: int) -> int:
    at = d.position
    d.position = at + 2
    return (tag - 0x3C << 16) + int(_length(d.data, at)[0])


def _read_long_9(d: Source, _: int) -> int:
    at = d.position
    d.position = at + 8
    value: int = _long(d.data, at)[0]
    return value


def _read_exactly(reader: Callable[[Source, int], int]) -> ScalarReader:
    return lambda d, tag: _new_int(Long, reader(d, tag))


def _read_double_1(d: Source, _: int) -> float:
    at = d.position
    d.position = at + 1
    byte = d.data[at]
    return float(byte - 256 if byte > 127 else byte)


def _read_double_2(d: Source, _: int) -> float:
    at = d.position
    d.position = at + 2
    return float(_short(d.data, at)[0])


def _read_double_mills(d: Source, tag: int) -> float:
    return 0.001 * _read_int_5(d, tag)


def _read_double_8(d: Source, _: int) -> float:
    at = d.position
    d.position = at + 8
    value: float = _double(d.data, at)[0]
    return value


def _read_date_millis(d: Source, tag: int) -> Any:
    return from_epoch_millis(_read_long_9(d, tag))


def _read_date_minutes(d: Source, tag: int) -> Any:
    return from_epoch_millis(_read_int_5(d, tag) * 60_000)


def _read_string(d: Source, tag: int) -> str:
    """Read a string of at most 31 UTF-16 units, in one piece."""
    at = d.position
    chunk = d.data[at : at + tag]
    if len(chunk) == tag and chunk.isascii():
        d.position = at + tag
        return chunk.decode()
    text, d.position = decode_units(d.data, at, tag)
    return join_pairs(text)


def _read_long_string(d: Source, tag: int) -> str:
    parts = []
    while True:
        if tag <= 0x1F:
            units = tag
        elif tag <= 0x33:
            units = (tag - 0x30 << 8) + d.data[d.position]
            d.position += 1
        else:
            units = _length(d.data, d.position)[0]
            d.position += 2
        text, d.position = decode_units(d.data, d.position, units)
        parts.append(text)
        if tag != 0x52:
            break
        tag = d.data[d.position]
        if tag not in STRING_TAGS:
            raise SerializationError(f"hessian2: byte {d.position}: 0x{tag:02x} does not go on with a string")
        d.position += 1
    text = "".join(parts)
    return text if text.isascii() else join_pairs(text)


def _read_binary(d: Source, tag: int) -> bytes:
    parts = []
    while True:
        if tag <= 0x2F:
            size = tag - 0x20
        elif tag <= 0x37:
            size = (tag - 0x34 << 8) + d.data[d.position]
            d.position += 1
        else:
            size = _length(d.data, d.position)[0]
            d.position += 2
        chunk = d.data[d.position : d.position + size]
        if len(chunk) != size:
            raise IndexError
        d.position += size
        parts.append(chunk)
        if tag != 0x41:
            return b"".join(parts) if len(parts) > 1 else chunk
        tag = d.data[d.position]
        if tag not in _BINARY_TAGS:
            raise SerializationError(f"hessian2: byte {d.position}: 0x{tag:02x} does not go on with binary data")
        d.position += 1


def scalar_readers(*, exact: bool) -> list[ScalarReader | None]:
    """Make the table of this module's readers by first byte.

    Args:
        exact: Give longs as `Long`.
    """
    table: list[ScalarReader | None] = [None] * 256
    longs = (_read_exactly(read) for read in (_read_long_2, _read_long_3, _read_int_5, _read_long_9))
    long_2, long_3, long_5, long_9 = longs if exact else (_read_long_2, _read_long_3, _read_int_5, _read_long_9)
    ranges: tuple[tuple[int, int, ScalarReader], ...] = (
        (0x00, 0x1F, _read_string),
        (0x20, 0x2F, _read_binary),
        (0x30, 0x33, _read_long_string),
        (0x34, 0x37, _read_binary),
        (0x38, 0x3F, long_3),
        (0x41, 0x42, _read_binary),
        (0x44, 0x44, _read_double_8),
        (0x49, 0x49, _read_int_5),
        (0x4A, 0x4A, _read_date_millis),
        (0x4B, 0x4B, _read_date_minutes),
        (0x4C, 0x4C, long_9),
        (0x52, 0x53, _read_long_string),
        (0x59, 0x59, long_5),
        (0x5D, 0x5D, _read_double_1),
        (0x5E, 0x5E, _read_double_2),
        (0x5F, 0x5F, _read_double_mills),
        (0xC0, 0xCF, _read_int_2),
        (0xD0, 0xD7, _read_int_3),
        (0xF0, 0xFF, long_2),
    )
    for first, last, reader in ranges:
        table[first : last + 1] = [reader] * (last + 1 - first)
    return table


def one_byte_values(*, exact: bool) -> list[Any]:
    """Make the table of the values that are their first byte; `MISS` elsewhere."""
    values: list[Any] = [MISS] * 256
    values[0x00] = ""
    values[0x46], values[0x4E], values[0x54] = False, None, True
    values[0x5B], values[0x5C] = 0.0, 1.0
    values[0x80:0xC0] = range(-16, 48)
    values[0xD8:0xF0] = map(Long, range(-8, 16)) if exact else range(-8, 16)
    return values
