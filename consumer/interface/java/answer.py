"""Conversion of answers to the return annotation of a stub."""

from __future__ import annotations

import collections.abc as abc
import enum
import types
import typing
from decimal import Decimal
from typing import Any

from ...codec.hessian2 import JavaObject, TypedSet
from ...codec.hessian2.binding import binding_of_class
from .declared import unwrapped
from .misfit import Convert

_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable)
_SETS = {set: set, frozenset: frozenset, abc.Set: set, abc.MutableSet: set}
_MAPS = (dict, abc.Mapping, abc.MutableMapping)


def answer_converter(hint: Any) -> Convert | None:
    """Make the conversion of answers that *hint* asks for, at any depth; None where they stay as they are.

    A list becomes a ``tuple``, ``set`` or ``frozenset``, a whole number a ``float`` or ``Decimal``, the name of a
    constant a member of a bound enum. Whatever fits no such rule stays as it came: a conversion never raises, and
    never loses anything.
    """
    hint = unwrapped(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return answer_converter(hint.__origin__)
    if origin in (typing.Union, types.UnionType):
        others = [argument for argument in arguments if argument is not type(None)]
        return answer_converter(others[0]) if len(others) == 1 else None
    cls = origin or hint
    if cls is tuple:
        return _tuple(arguments)
    if cls in _SETS:
        return _set(_SETS[cls], *map(answer_converter, arguments))
    if cls in _LISTS:
        return _list(*map(answer_converter, arguments))
    if cls in _MAPS:
        return _map(*map(answer_converter, arguments))
    return _scalar(hint)


def _scalar(hint: Any) -> Convert | None:
    if hint in (float, Decimal):
        return lambda value: hint(value) if isinstance(value, int) and _exact(hint, value) else value
    binding = binding_of_class(hint) if isinstance(hint, type) else None
    return _enum(binding.cls) if binding is not None and binding.is_enum else None


def _exact(kind: type[Any], value: int) -> bool:
    return not isinstance(value, bool) and (kind is Decimal or abs(value) <= 2**53)


def _tuple(arguments: tuple[Any, ...]) -> Convert:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        item = answer_converter(arguments[0])
        return lambda value: tuple(_each(item, value)) if isinstance(value, list) else value
    items = [answer_converter(argument) for argument in arguments]

    def convert(value: Any) -> Any:
        if not isinstance(value, list) or (items and len(items) != len(value)):
            return value
        pairs = zip(items, value, strict=True) if items else ((None, item) for item in value)
        return tuple(item if each is None else each(item) for each, item in pairs)

    return convert


def _each(item: Convert | None, values: typing.Iterable[Any]) -> typing.Iterable[Any]:
    return values if item is None else [item(value) for value in values]


def _set(kind: type[Any], item: Convert | None = None) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, list | set | frozenset | TypedSet):
            return value
        if item is None and type(value) is kind:
            return value
        try:
            made = kind(_each(item, value))
        except TypeError:  # an item that Python cannot hash
            return value
        return made if len(made) == len(value) else value

    return convert


def _list(item: Convert | None = None) -> Convert | None:
    if item is None:
        return None
    return lambda value: [item(each) for each in value] if type(value) is list else value


def _map(key: Convert | None = None, item: Convert | None = None) -> Convert | None:
    if key is None and item is None:
        return None

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            return value
        return dict(zip(_each(key, value), _each(item, value.values()), strict=True))

    return convert


def _enum(cls: type[enum.Enum]) -> Convert:
    members = cls.__members__

    def convert(value: Any) -> Any:
        name = value.fields.get("name") if isinstance(value, JavaObject) else value
        return members.get(name, value) if isinstance(name, str) else value

    return convert
