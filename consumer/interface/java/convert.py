"""Conversion of an argument to what hessian2 must encode for its declared Java type, made once per parameter."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import is_
from typing import Any

from ...codec.hessian2 import JavaEntries, JavaObject, TypedList, TypedMap, TypedSet, java_array
from ...codec.hessian2.binding import Binding, binding_of_class, binding_of_name
from ...codec.hessian2.java import array_component
from .declared import JavaType, component
from .handles import handle
from .misfit import Convert, Misfit, convert_all, expected, kind
from .scalars import scalar

_LISTS = frozenset({"List", "ArrayList", "AbstractList", "Queue", "Deque"})
_ANY_COLLECTION = frozenset({"java.util.Collection", "java.util.AbstractCollection", "java.lang.Iterable"})
_SETS = frozenset({"Set", "HashSet", "AbstractSet", "SortedSet", "NavigableSet"})
_MAPS = frozenset({"Map", "HashMap", "AbstractMap", "SortedMap", "NavigableMap", "concurrent.ConcurrentMap"})
# Classes that must be named on the wire, for Java would make another one for the plain collection.
_NAMED_LISTS = frozenset(
    {"LinkedList", "Vector", "Stack", "ArrayDeque", "PriorityQueue", "concurrent.CopyOnWriteArrayList"}
)
_NAMED_SETS = frozenset({"LinkedHashSet", "TreeSet", "concurrent.CopyOnWriteArraySet"})
_NAMED_MAPS = frozenset(
    {"LinkedHashMap", "TreeMap", "Hashtable", "concurrent.ConcurrentHashMap", "WeakHashMap", "EnumMap"}
)
_JDK = ("java.", "javax.", "jdk.")


def converter(java: JavaType) -> Convert:
    """Make the conversion to *java*; it raises `Misfit` for what Java would not take.

    A value that is right already, such as one with a Java class of its own, is given back as it is.
    """
    items = component(java)
    made = scalar(java)
    if made is not None:
        return made
    if items is not None:
        return _chars if java.erased == "char[]" else _array(java, items)
    return _collection(java) or handle(java, _of_items(java)) or _object(java)


def _of_items(java: JavaType) -> Convert | None:
    return inner_converter(java.arguments[0]) if len(java.arguments) == 1 else None


def unchanged(value: Any) -> Any:
    """Take any value as it is: Object, and the classes of the JDK that Python has nothing for."""
    return value


def inner_converter(java: JavaType) -> Convert | None:
    """Make the conversion of the items of a collection; None where any value fits."""
    made = converter(java.boxed)
    return None if made is unchanged else made


def _converted(inner: Convert | None, values: Sequence[Any]) -> Sequence[Any]:
    """Convert the items; the same sequence comes back where none had to change, so that identity survives."""
    if inner is None:
        return values
    made = convert_all(inner, values)
    return values if all(map(is_, made, values)) else made


def _chars(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str) and len(item) == 1 for item in value):
        return "".join(value)
    raise expected("char[]", value, "give str")


def _array(java: JavaType, items: JavaType) -> Convert:
    inner, name, array_type = converter(items), items.erased, array_component(java.erased)

    def convert(value: Any) -> Any:
        if value is None or isinstance(value, TypedList):
            if value is None or value.java_type == array_type:
                return value
            raise Misfit(f"expected a Java {java.erased}, got a {value.java_type}")
        if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray | memoryview):
            raise expected(java.erased, value)
        return java_array(name, convert_all(inner, value))

    return convert


def _collection(java: JavaType) -> Convert | None:
    name = java.name.removeprefix("java.util.") if java.name.startswith("java.util.") else ""
    inner = [inner_converter(argument) for argument in java.arguments]
    item = inner[0] if len(inner) == 1 else None
    if name in _LISTS or name in _NAMED_LISTS:
        return _list(java, item, java.name if name in _NAMED_LISTS else None)
    if name in _SETS or name in _NAMED_SETS:
        return _set(java, item, java.name if name in _NAMED_SETS else None)
    if name in _MAPS or name in _NAMED_MAPS:
        key, value = inner if len(inner) == 2 else (None, None)
        return _map(java, key, value, java.name if name in _NAMED_MAPS else None)
    return _any_collection(java, item) if java.name in _ANY_COLLECTION else None


def _list(java: JavaType, inner: Convert | None, named: str | None) -> Convert:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, TypedList):
            if value.java_type.startswith("["):
                raise Misfit(f"expected a Java {java.erased}, got an array, {value.java_type}")
            return value if inner is None else TypedList(_converted(inner, value), value.java_type)
        if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray | memoryview):
            raise expected(java.erased, value)
        items = _converted(inner, value)
        if named is not None:
            return TypedList(items, named)
        return items if isinstance(items, list | tuple) else list(items)

    return convert


def _set(java: JavaType, inner: Convert | None, named: str | None) -> Convert:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, AbstractSet):
            raise expected(java.erased, value, "give a set" if isinstance(value, list | tuple) else "")
        items = value if inner is None else convert_all(inner, value)
        own = value.java_type if isinstance(value, TypedSet) else named
        if own is not None:
            return value if items is value and isinstance(value, TypedSet) else TypedSet(items, own)
        return items if isinstance(items, set | frozenset) else set(items)

    return convert


def _any_collection(java: JavaType, inner: Convert | None) -> Convert:
    of_set, of_list = _set(java, inner, None), _list(java, inner, None)
    return lambda value: of_set(value) if isinstance(value, AbstractSet) else of_list(value)


def _map(java: JavaType, key: Convert | None, item: Convert | None, named: str | None) -> Convert:
    def convert(value: Any) -> Any:
        if value is None or isinstance(value, JavaEntries):
            return value
        if not isinstance(value, Mapping):
            raise expected(java.erased, value)
        made = value if key is None and item is None else _converted_map(key, item, value)
        own = value.java_type if isinstance(value, TypedMap) else named
        if own is not None:
            return made if isinstance(made, TypedMap) else TypedMap(made, own)
        return made if isinstance(made, dict) else dict(made)

    return convert


def _converted_map(key: Convert | None, item: Convert | None, value: Mapping[Any, Any]) -> dict[Any, Any]:
    keys = tuple(value) if key is None else convert_all(key, tuple(value), "key")
    if item is None:
        return dict(zip(keys, value.values(), strict=True))
    return dict(zip(keys, convert_all(item, tuple(value.values()), "value"), strict=True))


def _object(java: JavaType) -> Convert:
    """Convert to a class: a bound one, one that nobody bound, or one of the JDK's that anything may be."""
    if java.name.startswith(_JDK):
        return unchanged
    binding = binding_of_name(java.name)
    if binding is not None and binding.is_enum:
        return _enum(binding)
    of_mapping = _unbound_of(java.name) if binding is None else _bound_of(binding)

    def convert(value: Any) -> Any:
        if binding is not None and isinstance(value, enum.Enum):  # no enum extends a class
            raise expected(java.name, value)
        # A subclass in Java need not be one in Python, so any bound class will do.
        if value is None or isinstance(value, JavaObject) or binding_of_class(type(value)) is not None:
            return value
        if isinstance(value, dict):
            return of_mapping(value)
        hint = "give a JavaObject, a dict of its fields, or a class bound by @java_type" if binding is None else ""
        raise expected(java.name, value, hint or _bind_hint(value))

    return convert


def _bind_hint(value: Any) -> str:
    is_ours = dataclasses.is_dataclass(value) or isinstance(value, enum.Enum)
    return f"{kind(value)} is bound to no Java class, decorate it with @java_type(...)" if is_ours else ""


def _unbound_of(java_class: str) -> Callable[[dict[Any, Any]], JavaObject]:
    def make(value: dict[Any, Any]) -> JavaObject:
        if not all(isinstance(field, str) for field in value):
            raise Misfit(f"expected a Java {java_class}, got a dict with a key that is no str")
        own = value.get("class")
        if not isinstance(own, str):
            return JavaObject(java_class, value)
        return JavaObject(own, {field: item for field, item in value.items() if field != "class"})

    return make


def _bound_of(binding: Binding) -> Callable[[dict[Any, Any]], Any]:
    of_subclass = _unbound_of(binding.java_class)

    def make(value: dict[Any, Any]) -> Any:
        if "class" in value and "class" not in binding.attributes:
            return of_subclass(value)
        attributes = {binding.attribute(field) if isinstance(field, str) else None: field for field in value}
        if None in attributes:
            known = ", ".join(binding.attributes.values())
            raise Misfit(f"{kind_of(binding)} has no field {attributes[None]!r}", f"it has: {known}")
        try:
            return binding.cls(**{str(name): value[field] for name, field in attributes.items()})
        except (TypeError, ValueError) as error:
            raise Misfit(f"{kind_of(binding)} cannot be made of the dict: {error}") from None

    return make


def kind_of(binding: Binding) -> str:
    """Name a bound class."""
    return f"{binding.cls.__module__}.{binding.cls.__qualname__}"


def _enum(binding: Binding) -> Convert:
    members = binding.cls.__members__

    def convert(value: Any) -> Any:
        if value is None or isinstance(value, JavaObject | binding.cls):
            return value
        if isinstance(value, str) and value in members:
            return members[value]
        hint = f"{kind_of(binding)} has: {', '.join(members)}" if isinstance(value, str) else ""
        raise expected(binding.java_class, value, hint)

    return convert
