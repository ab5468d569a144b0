"""Class definitions of a stream, resolved to what this side makes of their objects."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

from ...errors import SerializationError
from ...runtime.shown import shown
from .binding import Binding, binding_of_name
from .handles import HIDDEN_FIELDS, Handle, handle_of_name
from .java import JavaObject, JavaThrowable

_UNBUILDABLE = (LookupError, TypeError, ValueError, OverflowError, ArithmeticError, AttributeError)
PENDING: Any = object()
# How the JDK serializes its immutable collections: their items are a transient field, which hessian leaves out.
_WITHOUT_ITEMS = "java.util.CollSer"


class ClassDefinition:
    """One class of a stream: its name and fields, and how an instance begins and ends.

    Attributes:
        java_class: The name that the peer gave; it is only ever looked up among bound classes and `HANDLES`.
        names: The Java fields, in wire order.
        keys: Under which names the values are collected: the Java fields, or the attributes of a bound class.
        exact: Values inside keep their exact wire type, since the object will be written back as it came.
        direct: Values can go straight into the instance's ``__dict__``.
    """

    __slots__ = (
        "_cls",
        "_defaults",
        "_handle",
        "_post_init",
        "binding",
        "direct",
        "exact",
        "java_class",
        "keys",
        "names",
    )

    def __init__(self, java_class: str, names: tuple[str, ...]) -> None:
        if java_class == _WITHOUT_ITEMS:
            raise SerializationError(
                f"hessian2: a {java_class} came, a List.of, Set.of or Map.of that has lost its items at the provider, "
                "whose hessian-lite is too old for them; let it give an ArrayList, HashSet or HashMap"
            )
        if not names and java_class in HIDDEN_FIELDS:
            names = (HIDDEN_FIELDS[java_class],)
        self.java_class = java_class
        self.names = names
        self.keys: tuple[str | None, ...] = names
        self.binding = binding_of_name(java_class)
        self._handle: Handle | None = None if self.binding else handle_of_name(java_class)
        self._defaults: tuple[dataclasses.Field[Any], ...] = ()
        self._post_init = False
        self._cls: Any = None
        self.direct = False
        self.exact = self.binding is None and self._handle is None
        if self.binding is not None and not self.binding.is_enum:
            self._bind(self.binding)

    def _bind(self, binding: Binding) -> None:
        self.keys = tuple(map(binding.attribute, self.names))
        self._cls = binding.cls
        fields = dataclasses.fields(binding.cls)
        self._defaults = tuple(field for field in fields if field.name not in self.keys)
        self._post_init = hasattr(binding.cls, "__post_init__")
        plain = not any(hasattr(getattr(binding.cls, field.name, None), "__set__") for field in fields)
        self.direct = plain and None not in self.keys and not self._defaults and not self._post_init

    def begin(self) -> Any:
        """Make the object that references inside it will mean, or `PENDING` where only its fields can tell it."""
        if self._cls is not None:
            try:
                return self._cls.__new__(self._cls)
            except TypeError as error:
                raise self._refused(error) from error
        if self.binding is not None or self._handle is not None:
            return PENDING
        return JavaThrowable(self.java_class) if JavaThrowable.fits(self.names) else JavaObject(self.java_class)

    def finish(self, begun: Any, values: dict[Any, Any], *, exact: bool) -> Any:
        """Complete what `begin` began with all its values; what a handle cannot hold stays a `JavaObject`."""
        if self._handle is not None:
            return self._built(self._handle, values, exact=exact)
        if self.binding is None:
            begun.fields = values
        elif self.binding.is_enum:
            return self._member(self.binding.cls, values.get("name"))
        else:
            self._fill(begun, values)
        return begun

    def _built(self, handle: Handle, values: dict[Any, Any], *, exact: bool) -> Any:
        try:
            value = handle.build(values)
            if not exact or handle.gives_back(value, values):
                return value
        except _UNBUILDABLE:
            pass  # an instant beyond the year 9999, or nonsense: either way the fields say it best
        return JavaObject(self.java_class, values)

    def _member(self, cls: type[enum.Enum], name: object) -> enum.Enum:
        member = cls.__members__.get(name) if isinstance(name, str) else None
        if member is None:
            known = ", ".join(cls.__members__)
            raise SerializationError(
                f"hessian2: {self.java_class} constant {shown(name, 80)} is not in {cls.__qualname__}: {known}"
            )
        return member

    def _fill(self, instance: Any, values: dict[Any, Any]) -> None:
        values.pop(None, None)
        for name, value in values.items():
            object.__setattr__(instance, name, value)
        try:
            for field in self._defaults:
                object.__setattr__(instance, field.name, _default(field))
            if self._post_init:
                instance.__post_init__()
        except SerializationError:
            raise
        except Exception as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> SerializationError:
        return SerializationError(f"hessian2: {self._cls.__qualname__} refused the values: {error}")


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return None if field.default_factory is dataclasses.MISSING else field.default_factory()
