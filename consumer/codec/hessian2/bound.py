"""Writers of bound classes, in which the dataclass' annotations can force a Java type."""

from __future__ import annotations

import dataclasses
import enum
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import attrgetter
from typing import Any

from .binding import Binding, binding_of_class
from .encoder import (
    Encoder,
    Writer,
    begin_list,
    begin_object,
    definition,
    find_writers_by,
    forced_writer,
    write_any,
    write_items,
)
from .forced import FORCED_TYPES, Double
from .java import TypedList
from .scalar_writers import write_str
from .trail import UnwritableError

_SEQUENCES = (list, tuple, set, frozenset, Sequence, AbstractSet)


def bound_writer(cls: type[Any]) -> Writer | None:
    """Make the writer of a bound class; None for other classes that need no binding."""
    binding = binding_of_class(cls)
    if binding is not None:
        return _enum_writer(binding) if binding.is_enum else _object_writer(binding)
    if issubclass(cls, enum.Enum) or dataclasses.is_dataclass(cls):
        raise UnwritableError(
            f"hessian2: {cls.__module__}.{cls.__qualname__} is bound to no Java class; "
            f'decorate it with @java_type("full.name.Of{cls.__name__}")'
        )
    return None


def _enum_writer(binding: Binding) -> Writer:
    define = definition(binding.java_class, ("name",))

    def write(e: Encoder, member: enum.Enum) -> None:
        if not e.refer(member):
            begin_object(e, define)
            write_str(e, member.name)

    return write


def _object_writer(binding: Binding) -> Writer:
    define = definition(binding.java_class, binding.attributes)
    read = _getter(tuple(binding.attributes.values()))
    writers = tuple(_annotated_writers(binding))

    declared = writers if any(writers) else None

    def write(e: Encoder, value: Any) -> None:
        if e.refer(value):
            return
        begin_object(e, define)
        if declared is None:
            write_items(e, read(value))
        else:
            write_items(e, read(value), declared)

    return write


def _getter(attributes: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(attributes) > 1:
        return attrgetter(*attributes)
    return lambda value: tuple(getattr(value, name) for name in attributes)


def _annotated_writers(binding: Binding) -> list[Writer | None]:
    hints = {field.name: _evaluated(binding.cls, field.name, field.type) for field in dataclasses.fields(binding.cls)}
    return [writer_of_hint(hints[attribute]) for attribute in binding.attributes.values()]


def _evaluated(cls: type[Any], name: str, annotation: Any) -> Any:
    """Evaluate one annotation; one that only a type checker can see forces nothing."""
    holder = types.SimpleNamespace(__annotations__={name: annotation})
    try:
        return typing.get_type_hints(holder, vars(sys.modules[cls.__module__]), dict(vars(cls)), include_extras=True)[
            name
        ]
    except NameError:
        return Any


def writer_of_hint(hint: Any) -> Writer | None:
    """Make a writer for an annotation that forces a Java type, at any depth; None where the value alone decides."""
    if isinstance(hint, type) and hint in FORCED_TYPES:
        return forced_writer(hint)
    if hint is float:
        return forced_writer(Double)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        forced = next((mark for mark in hint.__metadata__ if isinstance(mark, type) and mark in FORCED_TYPES), None)
        return forced_writer(forced) if forced is not None else writer_of_hint(arguments[0])
    if origin in (typing.Union, types.UnionType):
        others = [argument for argument in arguments if argument is not type(None)]
        return writer_of_hint(others[0]) if len(others) == 1 else None
    if origin in _SEQUENCES and arguments:
        return _sequence_writer(writer_of_hint(arguments[0]))
    if origin in (dict, Mapping) and arguments:
        return _mapping_writer(*map(writer_of_hint, arguments))
    return None


def _sequence_writer(inner: Writer | None) -> Writer | None:
    if inner is None:
        return None

    def write(e: Encoder, value: Any) -> None:
        if not isinstance(value, list | tuple | set | frozenset) or isinstance(value, TypedList):
            write_any(e, value)
        elif not e.refer(value):
            begin_list(e, len(value), "java.util.HashSet" if isinstance(value, set | frozenset) else None)
            e.enter()
            for item in value:
                inner(e, item)
            e.depth -= 1

    return write


def _mapping_writer(key: Writer | None, item: Writer | None) -> Writer | None:
    if key is None and item is None:
        return None
    write_key, write_item = key or write_any, item or write_any

    def write(e: Encoder, value: Any) -> None:
        if type(value) is not dict:
            write_any(e, value)
        elif not e.refer(value):
            e.out.append(0x48)
            e.enter()
            for name, content in value.items():
                write_key(e, name)
                write_item(e, content)
            e.depth -= 1
            e.out.append(0x5A)

    return write


find_writers_by(bound_writer)
