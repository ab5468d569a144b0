"""Classes that declare the methods of a service: what a type checker knows of a reference, and whether it is so."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, cast

from ..call.typed import P, T
from .reference import Method, Reference

_FUNCTIONS = (types.FunctionType, staticmethod, classmethod)


def remote(function: Callable[Concatenate[Any, P], T]) -> Method[P, T]:
    """Let a type checker know every view of the method that *function* declares: a decorator, for stubs.

    ::

        class FooService(Protocol):
            @remote
            def find_foo(self, foo_id: int) -> Foo: ...

    With it ``foo.find_foo.future(1)`` is an ``InvocationFuture[Foo]``, and ``sync`` and ``with_options`` are known
    likewise; without it ``foo.find_foo(1)`` alone is. At run time *function* is given back as it is.
    """
    return cast("Method[P, T]", function)


def require_declared(reference: Reference, stub: Callable[..., Any]) -> None:
    """Check that *reference* has each method that the class *stub* declares, and what is declared is any.

    Raises:
        TypeError: It is not so; the message says what is amiss.
    """
    names = list(_declared(stub))
    if not names:
        raise TypeError(f"{_name_of(stub)} declares no method; a generated stub is made of consumer.channel(...)")
    for name in names:
        try:
            getattr(reference, name)
        except AttributeError as error:
            raise TypeError(f"{_name_of(stub)}.{name} is no method of this reference: {error}") from None


def _declared(stub: Callable[..., Any]) -> Iterator[str]:
    for name in dir(stub):
        if not name.startswith("_") and isinstance(inspect.getattr_static(stub, name), _FUNCTIONS):
            yield name


def _name_of(stub: Callable[..., Any]) -> str:
    return getattr(stub, "__qualname__", repr(stub))
