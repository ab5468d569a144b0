"""Equality of values that refer to one another, in a time that their size bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

_Pairs = Sequence[tuple[Any, Any]]
_DIFFERENT: Final[_Pairs] = ((False, True),)


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal, part by part, at any depth and in circles.

    Where Python's own ``==`` compares the parts of a shared value anew for each way to it, and so for ever where there
    are many ways, here two values that were found beside each other count as one from then on: each step leaves one
    value less to tell apart. A class says by ``__compared_parts__`` which parts of its instances matter.

    Source: Hopcroft and Karp, equivalence of finite automata.
    """
    above: dict[int, int] = {}
    waiting: list[tuple[Any, Any]] = [(one, other)]
    while waiting:
        left, right = waiting.pop()
        if left is right:
            continue
        pairs = _pairs(left, right)
        if pairs is None:
            if left != right:
                return False
        elif _join(above, id(left), id(right)):
            waiting.extend(pairs)
    return True


def _join(above: dict[int, int], one: int, other: int) -> bool:
    """Let two values count as one; False where they did."""
    one, other = _top(above, one), _top(above, other)
    if one == other:
        return False
    above[one] = other
    return True


def _top(above: dict[int, int], number: int) -> int:
    while (following := above.get(number)) is not None:
        above[number] = above.get(following, following)
        number = following
    return number


def _pairs(one: Any, other: Any) -> _Pairs | None:
    """Give the parts that must be equal each to each; None where a value has none, and decides by itself."""
    for kind, pairs in _PLAIN:
        if isinstance(one, kind) or isinstance(other, kind):
            if not (isinstance(one, kind) and isinstance(other, kind)):
                return _DIFFERENT
            return pairs(one, other)
    compared = getattr(type(one), "__compared_parts__", None)
    if compared is not None and hasattr(type(other), "__compared_parts__"):
        return _zipped(compared(one), type(other).__compared_parts__(other))
    cls: Any = type(one)
    if is_dataclass(one) and cls is type(other) and cls.__dataclass_params__.eq:
        names = [each.name for each in fields(one) if each.compare]
        return [(getattr(one, name, None), getattr(other, name, None)) for name in names]
    return None


def _entries(one: dict[Any, Any], other: dict[Any, Any]) -> _Pairs:
    return [(item, other[key]) for key, item in one.items()] if one.keys() == other.keys() else _DIFFERENT


def _zipped(one: Sequence[Any], other: Sequence[Any]) -> _Pairs:
    return list(zip(one, other, strict=True)) if len(one) == len(other) else _DIFFERENT


_PLAIN: Final[tuple[tuple[type[Any], Callable[[Any, Any], _Pairs]], ...]] = (
    (list, _zipped),
    (tuple, _zipped),
    (dict, _entries),
)
