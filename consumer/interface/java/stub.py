"""The methods that a Python class declares for a Java interface.

::

    class FooService(Protocol):
        def find_foo(self, id: str, delay_ms: int) -> Foo: ...          # findFoo(String, int)
        def count(self, since: Long | None) -> int: ...                 # count(java.lang.Long)
        def tag(self, ids: Annotated[list[int], JavaName("short[]")]) -> None: ...

        @overload
        def of(self, value: int) -> str: ...
        @overload
        def of(self, value: Long) -> str: ...

        @java_method("of")                                              # under a name of its own
        def of_integer(self, value: int | None) -> str: ...

`java_type_of` says what each annotation stands for: a plain ``int`` is Java's ``int``, never its ``long``.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ...call.future import InvocationFuture
from ...codec.hessian2.binding import camel_case
from .declared import declared, unbound
from .signature import JavaSignature

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK = "__java_method__"
_IDENTIFIER = re.compile(r"[^\W\d][\w$]*")
_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_NOT_EVALUATED = (NameError, TypeError, AttributeError, SyntaxError)
_NO_SERVICE = (object, Protocol, typing.Generic)


def java_method(name: str) -> Callable[[_F], _F]:
    """Give a method of a stub the name that Java has for it, where it is not the same in camelCase.

    Methods of different Python names may have one Java name: each then calls its own overload.

    Args:
        name: As Java spells it.

    Raises:
        ValueError: *name* cannot be that of a Java method.
        TypeError: It stands above ``@overload``; it belongs below.
    """
    if _IDENTIFIER.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not the name of a Java method")

    def mark(function: _F) -> _F:
        if function.__module__ == "typing":
            raise TypeError("write @overload above @java_method, not below it")
        setattr(getattr(function, "__func__", function), _MARK, name)
        return function

    return mark


@dataclass(frozen=True, slots=True)
class Declared:
    """One function of a stub class.

    Attributes:
        key: The name that callers use.
        java: The method's name in Java.
        function: What declares the parameters; never called.
        is_static: It has no ``self``.
    """

    key: str
    java: str
    function: Any
    is_static: bool

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """The parameters, without ``self``."""
        found = list(inspect.signature(self.function).parameters.values())
        return found if self.is_static else found[1:]

    def signature(self) -> JavaSignature:
        """Make the Java signature.

        Raises:
            ValueError: An annotation is missing, or stands for no Java type; the message says which.
        """
        try:
            hints = typing.get_type_hints(self.function, include_extras=True)
        except _NOT_EVALUATED as error:
            raise ValueError(f"{self.key}: an annotation cannot be evaluated: {error}") from error
        parameters = self.parameters
        answer = hints.get("return")
        advice = unbound(answer)
        if advice:
            raise ValueError(f"{self.key}: {advice}")
        return JavaSignature(
            wire_method=self.java,
            types=tuple(self._type(parameter, hints) for parameter in parameters),
            parameter_names=tuple(parameter.name for parameter in parameters),
            defaults={each.name: each.default for each in parameters if each.default not in (each.empty, ...)},
            return_type=None if answer is type(None) else answer,
        )

    def _type(self, parameter: inspect.Parameter, hints: dict[str, Any]) -> Any:
        where = f'{self.key}: parameter "{parameter.name}"'
        if parameter.kind not in _NAMED:
            raise ValueError(f"{where} has a star, and Java has no such parameters; an array or list is one argument")
        if parameter.name not in hints:
            raise ValueError(f"{where} has no annotation, so its Java type is not known")
        try:
            return declared(hints[parameter.name])
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None


def declarations(stub: type[Any]) -> Iterator[Declared]:
    """List the public functions of a class and its bases, the most derived of each name, every overload of it.

    One that returns an `InvocationFuture`, such as ``find_foo_async``, declares no method, but a view of one.
    """
    found: dict[str, tuple[type[Any], Any]] = {}
    for cls in reversed(stub.__mro__):
        if cls in _NO_SERVICE:
            continue
        found |= {name: (cls, value) for name, value in vars(cls).items() if not name.startswith("_")}
    for name, (cls, value) in found.items():
        function = inspect.unwrap(value.__func__) if isinstance(value, staticmethod | classmethod) else value
        if not isinstance(function, types.FunctionType):
            continue
        for each in _overloads(cls, name) or [function]:
            if not _is_view(each):
                yield _declared(name, each, isinstance(value, staticmethod))


def _is_view(function: Any) -> bool:
    try:
        answer = typing.get_type_hints(function).get("return")
    except _NOT_EVALUATED:  # `Declared.signature` tells of it
        return False
    return (typing.get_origin(answer) or answer) is InvocationFuture


def _overloads(cls: type[Any], name: str) -> list[Any]:
    """Find the overloads of a name; a Protocol's have no function after them that could be asked."""
    place = types.SimpleNamespace(__module__=cls.__module__, __qualname__=f"{cls.__qualname__}.{name}")
    return list(typing.get_overloads(typing.cast("Any", place)))


def _declared(name: str, function: Any, is_static: bool) -> Declared:
    java = getattr(function, _MARK, None)
    function = getattr(function, "__func__", function)
    if java is None:
        return Declared(camel_case(name), camel_case(name), function, is_static)
    same = camel_case(name) == java or name == java
    return Declared(java if same else name, java, function, is_static)
