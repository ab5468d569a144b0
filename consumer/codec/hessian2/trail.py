"""Where in a value the trouble is; looked for only after something could not be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...errors import SerializationError
from ...runtime.shown import shown
from .binding import binding_of_class
from .java import JavaObject


class UnwritableError(SerializationError):
    """A type without a Java form; never leaves this package."""


def named(value: object) -> str:
    """Name a value by its type."""
    cls = type(value)
    is_builtin = cls.__module__ == "builtins"
    return f"a value of type {cls.__qualname__}" if is_builtin else f"a {cls.__module__}.{cls.__qualname__}"


def trail_to(value: Any, is_written: Callable[[Any], bool]) -> str:
    """Give the way to the first part that is not written, such as ``[3].price``; "" where it is the value itself."""
    seen: set[int] = set()
    waiting = [("", value)]
    while waiting:
        way, one = waiting.pop()
        if not is_written(one):
            return way
        if id(one) not in seen:
            seen.add(id(one))
            waiting.extend(reversed([(way + step, part) for step, part in _parts(one)]))
    return ""


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    binding = binding_of_class(type(value))
    if binding is not None:
        yield from ((f".{name}", getattr(value, name)) for name in binding.attributes.values() if hasattr(value, name))
    elif isinstance(value, JavaObject):
        yield from ((f".{name}", part) for name, part in value.fields.items())
    elif isinstance(value, Mapping):
        for key, part in value.items():
            key_text = shown(key, 80)
            yield f".key({key_text})", key
            yield f"[{key_text}]", part
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{index}]", part) for index, part in enumerate(value))
