"""Which Python class stands for which Java class; the only classes that decoding ever makes instances of."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable
from typing import Any, TypeVar

from callahead.registry.forking import fork_safe_lock

_T = TypeVar("_T")
_CLASS_NAME = re.compile(r"[^\W\d][\w$]*(\.[^\W\d][\w$]*)*")
_by_class: dict[type[Any], Binding] = {}
_by_name: dict[str, Binding] = {}
_lock = fork_safe_lock()


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """A bound class and, for a dataclass, the attribute of each Java field in the order they are written.

    Attributes:
        cls: The dataclass or enum.
        java_class: Its full Java name.
        attributes: Python attribute by Java field name; empty for an enum.
    """

    cls: type[Any]
    java_class: str
    attributes: dict[str, str]

    @property
    def is_enum(self) -> bool:
        """Whether constants are sent, by name, in place of fields."""
        return issubclass(self.cls, enum.Enum)

    def attribute(self, java_field: str) -> str | None:
        """Find the attribute of a field; the Python spelling is taken too."""
        found = self.attributes.get(java_field)
        if found is None and java_field in self.attributes.values():
            return java_field
        return found


def java_type(name: str) -> Callable[[type[_T]], type[_T]]:
    """Bind a dataclass or an enum to a Java class, both for encoding and for decoding.

    The fields ``unit_price`` and ``class_`` stand for Java's ``unitPrice`` and ``class``; ``field(metadata={"java":
    "URL"})`` names another. Decoding sets the fields that came, gives the others their defaults (None where there is
    none), ignores Java fields that the dataclass lacks, and runs ``__post_init__`` but not ``__init__``, so that
    objects can refer to each other in circles. An enum's members have the names of the Java constants.

    Args:
        name: The full Java name, ``com.alibaba.foo.Foo`` or ``com.alibaba.foo.Foo$Inner``.

    Raises:
        ValueError: The name is none, two fields have the same Java name, or the name or the class is bound to another.
        TypeError: The class is neither a dataclass nor an enum.
    """
    if _CLASS_NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not the full name of a Java class, such as 'com.alibaba.foo.Foo'")

    def bind(cls: type[_T]) -> type[_T]:
        _register(Binding(cls, name, _attributes(cls)))
        return cls

    return bind


def _register(binding: Binding) -> None:
    with _lock:
        bound = _by_name.get(binding.java_class)
        if bound is not None and _origin(bound.cls) != _origin(binding.cls):
            raise ValueError(
                f"{binding.java_class} is bound to {_origin(bound.cls)} already, it cannot stand for "
                f"{_origin(binding.cls)} too"
            )
        other = _by_class.get(binding.cls)
        if other is not None and other.java_class != binding.java_class:
            raise ValueError(
                f"{_origin(binding.cls)} is bound to {other.java_class} already, it cannot stand for "
                f"{binding.java_class} too"
            )
        _by_name[binding.java_class] = binding
        _by_class[binding.cls] = binding


def _origin(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _attributes(cls: type[Any]) -> dict[str, str]:
    if issubclass(cls, enum.Enum):
        return {}
    if "__dataclass_fields__" not in vars(cls):
        raise TypeError(f"{_origin(cls)} is neither a dataclass nor an enum; write @java_type above @dataclass")
    names: dict[str, str] = {}
    for field in dataclasses.fields(cls):
        java_field = field.metadata.get("java", camel_case(field.name))
        if java_field in names:
            raise ValueError(f"{_origin(cls)}: {names[java_field]} and {field.name} are both Java's {java_field}")
        names[java_field] = field.name
    return names


def camel_case(attribute: str) -> str:
    """Spell a Python attribute as Java does: ``unit_price`` is ``unitPrice``, ``class_`` is ``class``."""
    stem = attribute.rstrip("_") or attribute
    lead = len(stem) - len(stem.lstrip("_"))
    first, *others = stem[lead:].split("_") if stem[lead:] else [""]
    return stem[:lead] + first + "".join(word[:1].upper() + word[1:] for word in others)


def binding_of_class(cls: type[Any]) -> Binding | None:
    """Find what a Python class is bound to; a subclass of a bound class is not bound by that."""
    return _by_class.get(cls)


def binding_of_name(java_class: str) -> Binding | None:
    """Find the class that the user bound to a Java name."""
    return _by_name.get(java_class)
