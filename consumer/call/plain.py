"""Plain values in place of lazy results, wherever these are handed over to something that needs the answer itself.

It knows the class of lazy results only once there is one: that imports a library which no other call needs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import chain
from typing import Any, TypeVar

T = TypeVar("T")

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


def plain_items(values: Iterable[T]) -> Iterable[T]:
    """Put answers in place of the lazy results that *values* gives, one after another, and not before it is asked."""
    return values if lazy_kind is None else _resolved(values)


def _resolved(values: Iterable[T]) -> Iterator[T]:
    for value in values:
        yield resolve(value)


def _has_lazy(left: list[Any]) -> bool:
    seen: dict[int, Any] = {}
    while left:
        value = left.pop()
        kind = type(value)
        if kind is lazy_kind:
            return True
        parts = _parts(kind)
        if parts is not None and id(value) not in seen:
            seen[id(value)] = value
            left.extend(parts(value))
    return False


def _parts(kind: type[Any]) -> Callable[[Any], Iterable[Any]] | None:
    """Tell how to look into a value of *kind*; None for not at all."""
    if kind in _COPIES:
        return _entries if kind is dict else iter
    return _values_of_fields if hasattr(kind, "__dataclass_fields__") else None


def _entries(value: Mapping[Any, Any]) -> Iterable[Any]:
    return chain(value, value.values())


def _values_of_fields(value: Any) -> Iterable[Any]:
    return [getattr(value, field.name, None) for field in fields(value)]


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
