"""Values in messages and logs: as `repr` writes them, but in bounded length, depth and time.

What a peer sent can hold itself, or one list twice in each of two hundred levels: a few hundred bytes of which `repr`
would write more than any memory holds. Here every step writes at least one character, and there is room for so many.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple

from callahead.config.values.line import LINE_LENGTH

_DEEPEST: Final = 32
_WIDEST_BITS: Final = 1024  # Python refuses to print a number of thousands of digits
_CUT: Final = "..."
_PLAIN = (type(None), bool, int, float, complex, Decimal, uuid.UUID, Enum)
_TIMES = (dt.date, dt.time, dt.timedelta, dt.tzinfo)


class Parts(NamedTuple):
    """How a value with parts is written; a class says it of its instances by a method ``__shown_parts__``.

    Attributes:
        opening: Comes before the parts.
        items: The parts, each with its name or key.
        joint: Stands between name and part; "" where only the parts are written.
        closing: Comes after them.
    """

    opening: str
    items: Iterable[tuple[Any, Any]]
    joint: str
    closing: str


def shown(value: Any, room: int = LINE_LENGTH) -> str:
    """Write *value* in at most *room* characters, of which the last are ``...`` where it has more."""
    writer = _Writer(room)
    try:
        writer.write(value, 0)
    except _FullError:
        return "".join(writer.written)[: room - len(_CUT)] + _CUT
    return "".join(writer.written)


def parts_of(value: Any) -> Parts | None:
    """Take a value apart; None for one without parts."""
    take_apart = getattr(type(value), "__shown_parts__", None)
    if take_apart is not None:
        parts: Parts = take_apart(value)
        return parts
    if isinstance(value, list):
        return Parts("[", unnamed(value), "", "]")
    if isinstance(value, tuple):
        return Parts("(", unnamed(value), "", ",)" if len(value) == 1 else ")")
    if isinstance(value, Mapping):
        return Parts("{", value.items(), ": ", "}")
    if isinstance(value, AbstractSet):
        return Parts("{", unnamed(value), "", "}")
    return _parts_of_dataclass(value) if is_dataclass(value) and not isinstance(value, type) else None


def unnamed(items: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    """Give parts that have no names."""
    return ((None, item) for item in items)


def _parts_of_dataclass(value: Any) -> Parts | None:
    cls = type(value)
    if not hasattr(cls.__repr__, "__wrapped__"):  # not the one that dataclass made: the user's own, which may hide
        return None
    named = ((each.name, getattr(value, each.name, None)) for each in fields(value) if each.repr)
    return Parts(f"{cls.__qualname__}(", named, "=", ")")


class _FullError(Exception):
    """There is no room left."""


class _Writer:
    def __init__(self, room: int) -> None:
        self.written: list[str] = []
        self._room = room
        self._open: set[int] = set()

    def write(self, value: Any, depth: int) -> None:
        parts = parts_of(value)
        if parts is None:
            self._put(_without_parts(value, self._room))
            return
        if depth >= _DEEPEST or id(value) in self._open:
            name, bracket, _ = parts.opening.partition("(")
            self._put(f"{name}(...)" if bracket else f"{parts.opening}...{parts.closing}")
            return
        self._put(parts.opening)
        self._open.add(id(value))
        self._write_items(parts, depth + 1)
        self._open.discard(id(value))
        self._put(parts.closing)

    def _write_items(self, parts: Parts, depth: int) -> None:
        between = ""
        for name, item in parts.items:
            if between:
                self._put(between)
            between = ", "
            if parts.joint == "=":
                self._put(f"{name}=")
            elif parts.joint:
                self.write(name, depth)
                self._put(parts.joint)
            self.write(item, depth)

    def _put(self, text: str) -> None:
        self.written.append(text[: self._room])
        self._room -= len(text)
        if self._room < 0:
            raise _FullError


def _without_parts(value: Any, room: int) -> str:
    if isinstance(value, str | bytes | bytearray):
        return repr(value[: room + 1])
    if isinstance(value, int) and value.bit_length() > _WIDEST_BITS:
        return f"<{type(value).__name__} of {value.bit_length()} bits>"
    if isinstance(value, _PLAIN + _TIMES):
        return repr(value)
    return f"<{type(value).__module__}.{type(value).__qualname__}>"
