"""Calls without types: ``$invoke``, which takes the method's name and types as arguments, and ``$echo``.

Source: Java ``GenericService``, ``GenericFilter`` and ``PojoUtils``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...errors import SerializationError
from ..hessian2 import JavaObject, TypedList, java_array
from ..hessian2.binding import binding_of_class
from .descriptor import parse_type

INVOKE: Final = "$invoke"
INVOKE_ATTACHMENTS: Final[Mapping[str, str]] = {"generic": "true"}
ECHO: Final = "$echo"


def invoke_arguments(method: str, types: Iterable[str] | None, args: Iterable[Any]) -> tuple[Any, ...]:
    """Give the three arguments of ``$invoke``.

    Args:
        method: As Java spells it.
        types: Java type names of its parameters; None lets the provider find the method by name alone, which works
            where it is not overloaded.
        args: Objects of bound classes are sent as maps, see `to_generic`.

    Raises:
        ValueError: A type is no Java type name.
        SerializationError: An argument is nested too deeply for Python.
    """
    erased = None if types is None else java_array("java.lang.String", [parse_type(name).erased for name in types])
    return method, erased, java_array("java.lang.Object", [to_generic(value) for value in args])


def to_generic(value: Any) -> Any:
    """Make maps of objects, with ``class`` beside the fields, and names of enum constants; at any depth.

    Identity is kept, circles included.

    Raises:
        SerializationError: The value is nested too deeply for Python; ``not_sent`` is set.
    """
    try:
        return _Generic().convert(value)
    except RecursionError:
        raise SerializationError(
            "a generic argument is nested more deeply than Python's recursion limit allows", not_sent=True
        ) from None


class _Generic:
    def __init__(self) -> None:
        self._made: dict[int, tuple[Any, Any]] = {}

    def convert(self, value: Any) -> Any:
        known = self._made.get(id(value))
        if known is not None:
            return known[0]
        if isinstance(value, enum.Enum):
            return value.name
        if isinstance(value, JavaObject):
            return self._map(value, {"class": value.java_class}, value.fields)
        binding = binding_of_class(type(value))
        if binding is not None:
            fields = {name: getattr(value, attribute) for name, attribute in binding.attributes.items()}
            return self._map(value, {"class": binding.java_class}, fields)
        if type(value) is dict:
            return self._map(value, {}, value)
        if type(value) in (list, tuple):
            return self._list(value, [])
        if type(value) is TypedList:
            return self._list(value, TypedList((), value.java_type))
        return value

    def _map(self, value: Any, made: dict[Any, Any], fields: Mapping[Any, Any]) -> dict[Any, Any]:
        self._made[id(value)] = made, value
        for name, item in fields.items():
            made[name] = self.convert(item)
        return made

    def _list(self, value: Iterable[Any], made: list[Any]) -> list[Any]:
        self._made[id(value)] = made, value
        made += [self.convert(item) for item in value]
        return made
