"""Answers that have nothing in them, for whoever answers in the place of the provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..interface.description import MethodDescription

Describe = Callable[[str], Sequence[MethodDescription]]
"""Gives what is known of a method's types; nothing where they cannot be had."""

_EMPTY_BY_TYPE: dict[str, Callable[[], Any]] = {
    "boolean": bool, "byte": int, "short": int, "int": int, "long": int, "float": float, "double": float,
    "java.lang.String": str, "java.util.List": list, "java.util.Collection": list, "java.util.Set": set,
    "java.util.Map": dict,
}  # fmt: skip


def empty_answer(describe: Describe, method: str) -> Any:
    """Make the empty value of the type that *method* answers with: a message, or the value of a Java type.

    None where that type has none, or is not known. Source: Dubbo ``ReflectUtils.getEmptyObject``.
    """
    described = next(iter(describe(method)), None)
    if described is None:
        return None
    if described.response_class is not None:
        return message_of(described.response_class)
    return _empty(described.returns)


def message_of(message: type[Any], *fields: Mapping[str, Any]) -> Any:
    """Make a message of that class, with *fields*, one mapping or none."""
    from ..interface.proto.arguments import message_builder

    return message_builder(message)(fields, {})


def _empty(type_name: str) -> Any:
    if type_name.endswith("[]"):
        return []
    make = _EMPTY_BY_TYPE.get(type_name.partition("<")[0])
    return None if make is None else make()
