"""The arguments of a generic call, as the direct call would have brought them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...codec.dubbo import parse_type, type_of_class_name
from ...codec.hessian2 import JavaObject, TypedList, dumps, loads
from ...codec.hessian2.binding import binding_of_name


def descriptor_of(types: Sequence[Any]) -> str:
    """Make the descriptor of the types that ``$invoke`` names, as source code or as ``Class.getName()`` spells them.

    Raises:
        ValueError: One of them is no type.
    """
    return "".join([parse_type(type_of_class_name(str(name))).descriptor for name in types])


def from_generic(args: Sequence[Any], types: Sequence[Any] | None) -> tuple[Any, ...]:
    """Make objects of the maps that name their class, and of those for which a parameter's bound class is known.

    Source: Java ``PojoUtils.realize``; differs: no class is loaded, so that a map without ``class`` stays a map unless
    its parameter's type is bound.

    Args:
        args: Of the call.
        types: Java names of the parameters, or None.

    Raises:
        SerializationError: A value is nested too deeply.
        ValueError: There is no such constant of a bound enum.
    """
    names = [None] * len(args) if types is None else [type_of_class_name(str(name)) for name in types]
    made = _Objects()
    converted = [_declared(made.convert(value), name) for value, name in zip(args, names, strict=True)]
    # Over the wire and back: what is bound becomes an instance, as if it had come in a request.
    found: list[Any] = loads(dumps(converted))
    return tuple(found)


def _declared(value: Any, name: str | None) -> Any:
    binding = None if name is None else binding_of_name(name)
    if binding is None:
        return value
    if binding.is_enum and isinstance(value, str):
        if value not in binding.cls.__members__:
            raise ValueError(f"{binding.java_class} has no constant {value!r}")
        return binding.cls[value]
    return JavaObject(binding.java_class, value) if isinstance(value, dict) else value


class _Objects:
    """Keeps identity, circles included."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}

    def convert(self, value: Any) -> Any:
        if not isinstance(value, (dict, list)):
            return value
        if id(value) in self._made:
            return self._made[id(value)]
        if isinstance(value, list):
            return self._list(value)
        return self._map(value)

    def _list(self, value: list[Any]) -> list[Any]:
        made: list[Any] = TypedList((), value.java_type) if isinstance(value, TypedList) else []
        self._made[id(value)] = made
        made += [self.convert(item) for item in value]
        return made

    def _map(self, value: dict[Any, Any]) -> Any:
        java_class = value.get("class")
        made: Any = JavaObject(java_class) if isinstance(java_class, str) and not _is_map(java_class) else {}
        self._made[id(value)] = made
        fields = made.fields if isinstance(made, JavaObject) else made
        fields.update((name, self.convert(item)) for name, item in value.items() if name != "class")
        return made


def _is_map(java_class: str) -> bool:
    return java_class.startswith("java.util.")
