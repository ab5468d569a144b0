"""Which values of a peer may be keys of a dict or items of a set: those whose hashes it cannot make dear."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from itertools import islice
from sys import getsizeof
from typing import Any

from .forced import Long

# Types of which a peer cannot make many values with one hash.
_SCATTERED = frozenset({str, bytes, bool, int, Long, float, type(None)})
_COLLISIONS = 64
# Above these a value is too dear to hash, which is done anew for each map that refers to it.
_HEAVY_BYTES = 1024
_HEAVY_PARTS = 64


def is_safe_key(key: Any, hashes: dict[int, int]) -> bool:
    """Tell whether Python can hash a key, not at length, and not to what too many before it were hashed to.

    Args:
        key: Any value.
        hashes: How often each hash came before, among the keys of one map.
    """
    cls = type(key)
    if cls in _SCATTERED:
        return True
    code = _hash(key)
    if code is None:
        return False
    hashes[code] = hashes.get(code, 0) + 1
    return hashes[code] <= _COLLISIONS


def _hash(key: Any) -> int | None:
    if not isinstance(key, Hashable) or not _is_light(key):
        return None
    try:
        return hash(key)
    except TypeError:  # a part of it has none
        return None


def _is_light(key: Any) -> bool:
    """Tell whether a key has few parts, each counted once for every way to it, as `hash` does."""
    waiting = [key]
    for one in islice(waiting, _HEAVY_PARTS):  # which sees what is added meanwhile
        if type(one) not in (str, bytes) and getsizeof(one) > _HEAVY_BYTES:  # those two keep their hash
            return False
        if is_dataclass(one):
            waiting.extend(getattr(one, each.name, None) for each in fields(one))
    return len(waiting) <= _HEAVY_PARTS
