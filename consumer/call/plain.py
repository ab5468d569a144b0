"""Plain values in place of lazy results, wherever these are handed over to something that needs the answer itself.

It knows the class of lazy results only once there is one: that imports a library which no other call needs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")

_FLAT = frozenset({str, int, float, bool, bytes, type(None)})

lazy_kind: type[Any] | None = None
"""Class of the lazy results, None where none was ever made; a call looks at its arguments only where it is set."""


def resolve(value: T) -> T:
    """Give the answer that *value* stands for, where it is a lazy result, else *value* itself.

    It waits for the answer where that is still to come, and raises the error of a call that failed.
    """
    try:
        while type(value) is lazy_kind:
            value = value.__wrapped__  # type: ignore[attr-defined]
        return value
    finally:
        del value  # it would tie an error that is raised to its own traceback


def plain_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Put answers in place of the lazy results among the arguments of a call, and wait for them.

    They are found at any depth of lists, tuples, dictionaries, sets and objects of dataclasses, which are then copied.
    Arguments without any are handed on as they are.
    """
    if not _has_lazy([*args, *kwargs.values()]):
        return args, kwargs
    known: _Known = {}
    return (
        tuple(_rebuilt(value, known) for value in args),
        {name: _rebuilt(value, known) for name, value in kwargs.items()},
    )


def records_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the records of the calls whose lazy results are among the arguments of a call, at any depth."""
    return [value._self_future.record for value in _lazy_in([*args, *kwargs.values()])]


def plain_items(values: Iterable[T]) -> Iterable[T]:
    """Put answers in place of the lazy results that *values* gives, one after another, and not before it is asked."""
    return values if lazy_kind is None else _resolved(values)


def _resolved(values: Iterable[T]) -> Iterator[T]:
    for value in values:
        yield resolve(value)


def _has_lazy(value: Any) -> bool:
    return next(_lazy_in(value), None) is not None


def _lazy_in(value: Any) -> Iterator[Any]:
    left, seen = [value], dict[int, Any]()
    while left:
        value = left.pop()
        if id(value) not in seen:
            seen[id(value)] = value
            parts = _parts(value)
            kinds = set(
                map(type, parts)
            )  # quicker than to look at one part after the other, where all are of few kinds
            if lazy_kind in kinds:
                yield from (part for part in parts if type(part) is lazy_kind)
            if not kinds <= _FLAT:
                left.extend(parts)


def _parts(value: Any) -> Collection[Any]:
    """Give what *value* holds, nothing where it is not looked into."""
    kind = type(value)
    if kind is dict:
        return [*value, *value.values()]
    if kind in _COPIES:
        held: Collection[Any] = value
        return held
    if hasattr(kind, "__dataclass_fields__"):
        return [getattr(value, field.name, None) for field in fields(value)]
    return ()


# By identity: what holds itself, or is held twice, does so in the copy too.
_Known = dict[int, Any]


def _rebuilt(value: Any, known: _Known) -> Any:
    kind = type(value)
    if kind is lazy_kind:
        return resolve(value)
    if id(value) in known:
        return known[id(value)]
    if kind in _COPIES:
        return _COPIES[kind](value, known)
    return _copy_object(value, known) if hasattr(kind, "__dataclass_fields__") else value


def _copy_list(value: list[Any], known: _Known) -> list[Any]:
    made: list[Any] = []
    known[id(value)] = made
    made.extend(_rebuilt(part, known) for part in value)
    return made


def _copy_dict(value: dict[Any, Any], known: _Known) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    known[id(value)] = made
    made.update((_rebuilt(key, known), _rebuilt(part, known)) for key, part in value.items())
    return made


def _copy_other(value: Any, known: _Known) -> Any:
    return type(value)(_rebuilt(part, known) for part in value)


def _copy_object(value: Any, known: _Known) -> Any:
    made = known[id(value)] = copy.copy(value)
    for field in fields(value):
        if hasattr(value, field.name):
            object.__setattr__(made, field.name, _rebuilt(getattr(value, field.name), known))  # it may be frozen
    return made


_COPIES: dict[type[Any], Callable[[Any, _Known], Any]] = {
    list: _copy_list,
    dict: _copy_dict,
    tuple: _copy_other,
    set: _copy_other,
    frozenset: _copy_other,
}
