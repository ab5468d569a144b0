"""What a method looks like to ``help``, ``inspect.signature`` and whoever completes names: as its types say."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Sequence
from typing import Any

from ..interface.description import MethodDescription, ParameterDescription

Overloads = Sequence[MethodDescription]

Describe = Callable[[str], Overloads]
"""Gives what is known of a method's types."""


class Shown:
    """An attribute that a class has for itself, and each of its objects anew.

    Args:
        of_object: Makes the attribute of an object.
        of_class: The attribute of the class; None for none.
    """

    def __init__(self, of_object: Callable[[Any], Any], of_class: Any = None) -> None:
        self._of_object = of_object
        self._of_class = of_class

    def __get__(self, shown: Any, owner: type[Any]) -> Any:
        if shown is not None:
            return self._of_object(shown)
        if self._of_class is None:
            raise AttributeError(f"the class {owner.__name__} has none, only its objects do")
        return self._of_class


def show_types(method_class: Any, named: Callable[[Any], tuple[str, Overloads]], ways: str) -> None:
    """Let each object of *method_class* have the signature and the docstring that its types say.

    Args:
        method_class: The class, whose own docstring stays.
        named: Gives the full name of a method, and what is known of its types.
        ways: Last paragraph of the docstring: how to call it.
    """
    method_class.__signature__ = Shown(lambda method: _signature(named(method)[1]))  # inspect asks for it
    method_class.__doc__ = Shown(lambda method: _documentation(*named(method), ways), method_class.__doc__)


def _signature(overloads: Overloads) -> inspect.Signature | None:
    """Make the signature of a method; None where nothing is known of it, or there are several."""
    if len(overloads) != 1:
        return None
    [method] = overloads
    taken = _taken(method)
    if taken is None:
        return None
    parameters = [_parameter(one, number, _kind(method)) for number, one in enumerate(taken)]
    return inspect.Signature(parameters, return_annotation=_given(method) or inspect.Signature.empty)


def _kind(method: MethodDescription) -> Any:
    if method.client_streaming:
        return inspect.Parameter.POSITIONAL_ONLY
    return inspect.Parameter.POSITIONAL_OR_KEYWORD if method.types is None else inspect.Parameter.KEYWORD_ONLY


def _taken(method: MethodDescription) -> tuple[ParameterDescription, ...] | None:
    request = method.request_class
    if method.client_streaming and request is not None:
        return (ParameterDescription("requests", f"stream {request.DESCRIPTOR.full_name}"),)
    return method.parameters


def _given(method: MethodDescription) -> str:
    return f"stream {method.returns}" if method.server_streaming else method.returns


def _parameter(described: ParameterDescription, number: int, kind: Any) -> inspect.Parameter:
    name = described.name or f"argument{number + 1}"
    return inspect.Parameter(f"{name}_" if keyword.iskeyword(name) else name, kind, annotation=described.type_name)


def _documentation(name: str, overloads: Overloads, ways: str) -> str:
    """Write the docstring of the method *name*: a line for each overload, as its types say."""
    lines = [f"{name}{_spelled(one)}" for one in overloads] or [f"{name}(...)"]
    return "\n".join([*lines, "", ways])


def _spelled(method: MethodDescription) -> str:
    taken, given = _taken(method), _given(method)
    if taken is None:
        return "(...)"
    inside = ", ".join(f"{one.name}: {one.type_name}" if one.name else one.type_name for one in taken)
    return f"({inside})" + (f" -> {given}" if given else "")
