"""How much memory a value holds, in a time that does not grow with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from itertools import islice
from sys import getsizeof
from typing import Any

_DEEPEST = 6
_SAMPLE = 4
"""So many parts of a container are looked at, and stand for all of them."""

_PLAIN = frozenset({str, bytes, int, float, bytearray})
_CONTAINERS = (list, tuple, set, frozenset, deque)
_SHARED_INTS = range(-5, 257)
_UNKNOWN = 64


def outweighs(size: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """Return by how many bytes the arguments of a call hold more than *size*; 0 where they do not."""
    held = weight_of(args) if not kwargs else weight_of(args) + weight_of(kwargs)
    return held - size if held > size else 0


def weight_of(value: Any, depth: int = 0) -> int:
    """Estimate the bytes of *value* with all that it holds, as if nobody else held any of it."""
    kind = type(value)
    if kind in _PLAIN:
        return 0 if kind is int and value in _SHARED_INTS else getsizeof(value)
    if value is None or kind is bool:
        return 0
    size = getsizeof(value, _UNKNOWN)
    if depth < _DEEPEST:
        with suppress(Exception):  # a user's own container, or one that changes at this moment
            for parts in _parts(value):
                size += _of_all(parts, depth + 1)
    return size


def _of_all(parts: Collection[Any], depth: int) -> int:
    sample = [weight_of(part, depth) for part in islice(parts, _SAMPLE)]
    return sum(sample) * len(parts) // len(sample) if sample else 0


def _parts(value: Any) -> tuple[Collection[Any], ...]:
    """Give the groups of parts of *value* that resemble one another."""
    if isinstance(value, _CONTAINERS):
        return (value,)
    if isinstance(value, Mapping):
        return value.keys(), value.values()
    if is_dataclass(value) and not isinstance(value, type):
        return tuple((getattr(value, field.name),) for field in fields(value))
    return tuple((part,) for part in getattr(value, "__dict__", {}).values())
