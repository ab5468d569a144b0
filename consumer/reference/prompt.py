"""What a method looks like to ``help``, ``inspect.signature`` and whoever completes names: as its types say."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Sequence
from typing import Any

from ..interface.description import MethodDescription, ParameterDescription

Overloads = Sequence[MethodDescription]


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


def signature_of(overloads: Overloads) -> inspect.Signature | None:
    """Make the signature of a method; None where nothing is known of it, or there are several."""
    if len(overloads) != 1 or overloads[0].parameters is None:
        return None
    [method] = overloads
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if method.types is None else inspect.Parameter.KEYWORD_ONLY
    parameters = [_parameter(one, number, kind) for number, one in enumerate(method.parameters or ())]
    return inspect.Signature(parameters, return_annotation=method.returns or inspect.Signature.empty)


def _parameter(described: ParameterDescription, number: int, kind: Any) -> inspect.Parameter:
    name = described.name or f"argument{number + 1}"
    return inspect.Parameter(f"{name}_" if keyword.iskeyword(name) else name, kind, annotation=described.type_name)


def documentation_of(name: str, overloads: Overloads) -> str:
    """Write the docstring of the method *name*: a line for each overload, as its types say."""
    lines = [f"{name}{_spelled(one)}" for one in overloads] or [f"{name}(...)"]
    return "\n".join([*lines, "", "`callahead.consumer.Method` tells of the ways to call it."])


def _spelled(method: MethodDescription) -> str:
    if method.parameters is None:
        return "(...)"
    inside = ", ".join(f"{one.name}: {one.type_name}" if one.name else one.type_name for one in method.parameters)
    return f"({inside})" + (f" -> {method.returns}" if method.returns else "")
