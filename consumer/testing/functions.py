"""The functions that a user gives an embedded provider."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..interface.proto.service import ServiceTypes
from ..interface.spelling import folded
from .mistake import wrong


def functions_of(given: Mapping[str, Any] | object | None) -> dict[str, Any]:
    """Collect the functions of a mapping, or the public methods of an object.

    Raises:
        ConfigError: The object has none.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    found = {name: getattr(given, name) for name in dir(given) if not name.startswith("_")}
    methods = {name: method for name, method in found.items() if callable(method)}
    if not methods:
        raise wrong(f"{given!r} has no public method")
    return methods


def functions_for(types: ServiceTypes, given: Mapping[str, Any] | object | None) -> dict[str, Any]:
    """Collect the functions of a mapping, or the methods of an object whose names the service knows.

    Raises:
        ConfigError: The object has no such method.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    wanted = {folded(name): name for name in types.methods}
    found = {
        wanted[folded(name)]: getattr(given, name)
        for name in dir(given)
        if not name.startswith("_") and folded(name) in wanted
    }
    if not found:
        raise wrong(f"{given!r} has no method of {types.interface}", f"one of: {', '.join(types.methods)}")
    return found


def accepts(function: Callable[..., Any], count: int) -> bool:
    """Tell whether *function* can be called with *count* arguments; one that does not tell takes a single one."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions do not tell
        return count == 1
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True
