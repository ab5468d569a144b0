"""Conversion of answers to the return annotation of a stub."""

from __future__ import annotations

import collections.abc as abc
import datetime as dt
import enum
import types
import typing
from decimal import Decimal
from typing import Any

from ...codec.hessian2 import JavaEntries, JavaObject, TypedSet
from ...codec.hessian2.binding import binding_of_class
from .declared import unwrapped
from .handles import items_of_set, moment_of
from .misfit import Convert

_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable)
_SETS = {set: set, frozenset: frozenset, abc.Set: set, abc.MutableSet: set}
_MAPS = (dict, abc.Mapping, abc.MutableMapping)
_Memo = dict[tuple[int, int], tuple[Any, Any]]
"""What was made of a collection, and the collection itself, so that it lives as long; by the conversion and by it."""
_Inner = abc.Callable[[Any, _Memo], Any]


def answer_converter(hint: Any) -> Convert | None:
    """Make the conversion of answers that *hint* asks for, at any depth; None where they stay as they are.

    A list with a Java class, such as an array, becomes a plain ``list``, ``tuple``, ``set`` or ``frozenset``, an
    EnumSet or BitSet a set, a Calendar a ``datetime``, a whole number a ``float`` or ``Decimal``, the name of a
    constant a member of a bound enum. Whatever fits no such rule stays as it came: a conversion never raises, and
    never loses a value. What is one object stays one, and is converted once.
    """
    convert = _converter(hint)
    return None if convert is None else lambda value: convert(value, {})


def _converter(hint: Any) -> _Inner | None:
    hint = unwrapped(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _converter(hint.__origin__)
    if origin in (typing.Union, types.UnionType):
        others = [argument for argument in arguments if argument is not type(None)]
        return _converter(others[0]) if len(others) == 1 else None
    return _collection(origin or hint, arguments) or _scalar(hint)


def _collection(cls: Any, arguments: tuple[Any, ...]) -> _Inner | None:
    if cls is tuple:
        return _tuple(arguments)
    if cls in _SETS:
        return _set(_SETS[cls], *map(_inner, arguments))
    if cls in _LISTS:
        return _list(*map(_inner, arguments))
    return _map(*map(_inner, arguments)) if cls in _MAPS else None


def _inner(hint: Any) -> _Inner | None:
    """Convert each item once: an answer of few bytes may refer to one list in very many places."""
    convert = _converter(hint)
    if convert is None:
        return None

    def converted(value: Any, memo: _Memo) -> Any:
        if not isinstance(value, list | dict | TypedSet | set | JavaObject):
            return convert(value, memo)
        key = (id(convert), id(value))
        known = memo.get(key)
        if known is None:
            known = memo[key] = (value, convert(value, memo))
        return known[1]

    return converted


def _scalar(hint: Any) -> _Inner | None:
    if hint in (float, Decimal):
        return lambda value, _: hint(value) if isinstance(value, int) and _exact(hint, value) else value
    if hint is dt.datetime:
        return lambda value, _: moment_of(value)
    binding = binding_of_class(hint) if isinstance(hint, type) else None
    return _enum(binding.cls) if binding is not None and binding.is_enum else None


def _exact(kind: type[Any], value: int) -> bool:
    return not isinstance(value, bool) and (kind is Decimal or abs(value) <= 2**53)


def _tuple(arguments: tuple[Any, ...]) -> _Inner:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        item = _inner(arguments[0])
        return lambda value, memo: tuple(_each(item, value, memo)) if isinstance(value, list) else value
    items = [_inner(argument) for argument in arguments]

    def convert(value: Any, memo: _Memo) -> Any:
        if not isinstance(value, list) or (items and len(items) != len(value)):
            return value
        pairs = zip(items, value, strict=True) if items else ((None, item) for item in value)
        return tuple(item if each is None else each(item, memo) for each, item in pairs)

    return convert


def _each(item: _Inner | None, values: typing.Iterable[Any], memo: _Memo) -> typing.Iterable[Any]:
    return values if item is None else [item(value, memo) for value in values]


def _set(kind: type[Any], item: _Inner | None = None) -> _Inner:
    def convert(value: Any, memo: _Memo) -> Any:
        items = items_of_set(value)
        if not isinstance(items, list | set | frozenset | TypedSet):
            return value
        if item is None and type(items) is kind:
            return items
        try:
            made = kind(_each(item, items, memo))
        except TypeError:  # an item that Python cannot hash
            return value
        return made if len(made) == len(items) else value

    return convert


def _list(item: _Inner | None = None) -> _Inner:
    def convert(value: Any, memo: _Memo) -> Any:
        if not isinstance(value, list) or isinstance(value, JavaEntries) or (item is None and type(value) is list):
            return value
        return list(_each(item, value, memo))

    return convert


def _map(key: _Inner | None = None, item: _Inner | None = None) -> _Inner | None:
    if key is None and item is None:
        return None

    def convert(value: Any, memo: _Memo) -> Any:
        if not isinstance(value, dict):
            return value
        made = dict(zip(_each(key, value, memo), _each(item, value.values(), memo), strict=True))
        return made if len(made) == len(value) else value

    return convert


def _enum(cls: type[enum.Enum]) -> _Inner:
    members = cls.__members__

    def convert(value: Any, _: _Memo) -> Any:
        name = value.fields.get("name") if isinstance(value, JavaObject) else value
        return members.get(name, value) if isinstance(name, str) else value

    return convert
