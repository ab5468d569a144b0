"""The Java types that a Python signature declares, with the types of the items that only the conversion here needs."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from typing import Any

from ...codec.dubbo import JavaType, parse_type
from ...codec.dubbo.descriptor import PRIMITIVES
from ...codec.hessian2.binding import binding_of_class
from .annotations import java_type_of


def is_primitive(java: JavaType) -> bool:
    """Tell whether null does not fit."""
    return java.erased in PRIMITIVES


def component(java: JavaType) -> JavaType | None:
    """Give the type of the items of an array; None for other types."""
    return dataclasses.replace(java, dimensions=java.dimensions - 1) if java.dimensions else None


def parse(text: str) -> JavaType:
    """Take the Java type of a parameter apart.

    Raises:
        ValueError: It is none.
    """
    java = parse_type(text)
    if java.name == "void":
        raise ValueError('"void" is no type of a parameter; a method without parameters has an empty list')
    return java


def declared(hint: Any) -> JavaType:
    """Find the Java type of an evaluated annotation, as `java_type_of` does, and those of the items of a collection.

    Raises:
        ValueError: It stands for none; the message says what to write.
    """
    hint = unwrapped(hint)
    if type(None) is hint or hint is None:
        raise ValueError("the annotation None is no type of a parameter")
    advice = unbound(hint)
    if advice:
        raise ValueError(advice)
    java = java_type_of(_supported(hint))
    if java.arguments or java.dimensions:
        return java
    return dataclasses.replace(java, arguments=_items(_inner(hint)))


def unbound(hint: Any) -> str:
    """Say what to do about a dataclass or an enum that no Java class is bound to; "" where *hint* is none."""
    made = isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, enum.Enum))
    if not made or hint.__module__.startswith("callahead.") or binding_of_class(hint) is not None:
        return ""
    name = f"{hint.__module__}.{hint.__qualname__}"
    return f'{name} is bound to no Java class; decorate it with @java_type("full.name.Of{hint.__name__}")'


def unwrapped(hint: Any) -> Any:
    """Look behind ``NewType`` and ``type X = ...``."""
    while not isinstance(hint, type):
        behind = getattr(hint, "__supertype__", None) or getattr(hint, "__value__", None)
        if behind is None:
            break
        hint = behind
    return hint


def _supported(hint: Any) -> Any:
    """Replace ``Optional[NewType]`` by the optional of what is behind."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint
    return typing.Union[tuple(map(unwrapped, typing.get_args(hint)))]  # noqa: UP007  # made of a tuple


def _inner(hint: Any) -> Any:
    """Take ``Annotated`` and ``| None`` away."""
    if typing.get_origin(hint) is typing.Annotated:
        return _inner(hint.__origin__)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        others = [argument for argument in typing.get_args(hint) if argument is not type(None)]
        return _inner(others[0]) if len(others) == 1 else Any
    return hint


def _items(hint: Any) -> tuple[JavaType, ...]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is None or origin is typing.Literal:
        return ()
    items = [declared(argument).boxed for argument in arguments if argument is not Ellipsis]
    if origin is tuple:
        return tuple(items[:1]) if len(set(items)) == 1 else ()
    return tuple(items)


__all__ = ["JavaType", "component", "declared", "is_primitive", "parse", "unbound", "unwrapped"]
