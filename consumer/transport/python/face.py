"""What a client offers: its methods, with their signatures, and whatever else it has."""

from __future__ import annotations

import inspect
from functools import cached_property
from types import CoroutineType, GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final

from ...interface.description import MethodDescription, ParameterDescription, ServiceDescription
from ...interface.spelling import Spellings

# To read these runs code of the client, or of whoever it asks.
_COMPUTED: Final = (property, cached_property, GetSetDescriptorType, MemberDescriptorType)
_NAMED: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Face:
    """The methods of a client, as they are when it is made; the client itself is not kept.

    Attributes:
        methods: By name, those that begin with an underscore left out.
        is_open: It answers to other names, too.
    """

    def __init__(self, client: Any) -> None:
        self.methods = {name: found for name in dir(client) if (found := _method(client, name)) is not None}
        self.is_open = hasattr(type(client), "__getattr__")
        self._spellings = Spellings({name: name for name in self.methods})

    def find(self, name: str) -> str:
        """Return how the client spells its method *name*.

        Raises:
            LookupError: It has none.
        """
        found = self._spellings.find(name)
        if found is None:
            raise LookupError(f'the client has no method "{name}"; {self._spellings.nearest(name)}')
        return found

    def describe(self, name: str, source: str) -> ServiceDescription:
        """Describe all methods as those of the service *name*."""
        methods = tuple(_described(name, function) for name, function in self.methods.items())
        return ServiceDescription(name, source, methods, self.is_open)


class ClientMethod:
    """What is known of one method.

    Attributes:
        is_coroutine: It blocks nobody, and is not for a thread.
        signature: None where it tells nothing.
    """

    __slots__ = ("is_coroutine", "signature")

    def __init__(self, function: Any) -> None:
        self.is_coroutine = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        try:
            self.signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):  # written in C
            self.signature = None


def callable_of(client: Any, name: str) -> Any:
    """Return what a call of *name* calls, or None where it is no method; a class is none, such as one of errors."""
    try:
        found = getattr(client, name)
    except Exception:  # a descriptor runs code of the client, which may raise anything
        return None
    return found if callable(found) and not isinstance(found, type) else None


def _method(client: Any, name: str) -> ClientMethod | None:
    if name.startswith("_") or isinstance(inspect.getattr_static(client, name, None), _COMPUTED):
        return None
    found = callable_of(client, name)
    return None if found is None else ClientMethod(found)


def _described(name: str, known: ClientMethod) -> MethodDescription:
    signature = known.signature
    if signature is None:
        return MethodDescription(name=name)
    parameters = list(signature.parameters.values())
    plain = all(one.kind in _NAMED for one in parameters)
    returns = signature.return_annotation
    return MethodDescription(
        name=name,
        parameters=tuple(ParameterDescription(one.name, _spelled(one.annotation)) for one in parameters)
        if plain
        else None,
        returns="" if returns is inspect.Signature.empty else _spelled(returns),
    )


def _spelled(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return "Any"
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def is_coroutine(value: Any) -> bool:
    """Tell whether a method that looks blocking has only made a coroutine, which nobody runs."""
    return isinstance(value, CoroutineType)
