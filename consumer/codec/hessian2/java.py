"""Values that keep what Python's own types would lose: a Java class name, the order of fields, a collection's class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableSet, Sequence
from typing import Any, NamedTuple

from ...runtime.same import same
from ...runtime.shown import Parts, shown, unnamed

_WIRE_NAMES = {"java.lang.String": "string", "java.lang.Object": "object", "java.util.Date": "date"}
_NATIVE = -2
_MOST_FRAMES = 1024  # Java's own limit; by references a peer may send one long stack many times


class _Plural:
    """A collection with a Java class; what a peer sent makes neither `repr` nor ``==`` endless."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return same(self, other) if isinstance(other, list | dict) else NotImplemented

    def __ne__(self, other: object) -> bool:  # list and dict have one of their own
        return not same(self, other) if isinstance(other, list | dict) else NotImplemented

    def __repr__(self) -> str:
        return shown(self)

    def __shown_parts__(self) -> Parts:
        items: Any = self
        return _shown_parts(self, "[", unnamed(items), "", "]")


def _shown_parts(value: Any, opening: str, items: Iterable[tuple[Any, Any]], joint: str, closing: str) -> Parts:
    return Parts(f"{type(value).__name__}({opening}", items, joint, f"{closing}, {shown(value.java_type)})")


class JavaObject:
    """An object of a Java class that no Python class is bound to.

    It is written back with the class and the fields, in the order, that it came with, so that the bytes are the same;
    ``long`` values inside it are `Long`, and collections keep their Java class. Two are equal if class and fields are.
    Where a class hides a field of its superclass, the superclass' value is lost.

    Args:
        java_class: Full name, such as ``com.alibaba.foo.Foo``.
        fields: By Java name, in wire order; values are whatever `dumps` takes.
    """

    __slots__ = ("fields", "java_class")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, java_class: str, fields: Mapping[str, Any] | None = None) -> None:
        self.java_class = java_class
        self.fields: dict[str, Any] = {} if fields is None else dict(fields)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __eq__(self, other: object) -> bool:
        return same(self, other) if isinstance(other, JavaObject) else NotImplemented

    def __compared_parts__(self) -> Sequence[Any]:
        return self.java_class, tuple(self.fields), *self.fields.values()

    def __repr__(self) -> str:
        return shown(self)

    def __shown_parts__(self) -> Parts:
        return Parts(f"{type(self).__name__}({shown(self.java_class)}, {{", self.fields.items(), ": ", "})")


class StackFrame(NamedTuple):
    """One line of a Java stack trace; ``line`` is negative where Java does not know it (-2: native)."""

    java_class: str
    method: str
    file: str | None
    line: int

    def __str__(self) -> str:
        place = "Native Method" if self.line == _NATIVE else self.file or "Unknown Source"
        number = f":{self.line}" if self.file and self.line >= 0 else ""
        return f"{self.java_class}.{self.method}({place}{number})"


class JavaThrowable(JavaObject):
    """A Java exception of a class that nobody bound: a value, not a Python exception.

    It is recognised by the fields of ``java.lang.Throwable``; the fields of its own class are beside them.
    """

    __slots__ = ()

    @property
    def message(self) -> str | None:
        """What ``getMessage()`` of a plain Throwable gives; None where there is none."""
        text = self.fields.get("detailMessage")
        return text if isinstance(text, str) else None

    @property
    def cause(self) -> Any:
        """The Throwable underneath, or None. Java marks "none" by a reference to itself."""
        cause = self.fields.get("cause")
        return None if cause is self else cause

    @property
    def stack(self) -> tuple[StackFrame, ...]:
        """The frames, innermost first, at most 1,024 of them; what is no frame is left out."""
        frames = self.fields.get("stackTrace")
        elements = frames[:_MOST_FRAMES] if isinstance(frames, list) else []
        return tuple(_frame(element.fields) for element in elements if isinstance(element, JavaObject))

    @staticmethod
    def fits(names: Iterable[str]) -> bool:
        """Tell whether a class with these fields extends Throwable."""
        return {"detailMessage", "cause", "stackTrace"}.issubset(names)


def _frame(fields: Mapping[str, Any]) -> StackFrame:
    file, line = fields.get("fileName"), fields.get("lineNumber")
    java_class, method = fields.get("declaringClass"), fields.get("methodName")
    return StackFrame(
        java_class if isinstance(java_class, str) else shown(java_class),
        method if isinstance(method, str) else shown(method),
        file if isinstance(file, str) else None,
        line if isinstance(line, int) else -1,
    )


class TypedList(_Plural, list[Any]):
    """A list with a Java class: ``java.util.LinkedList``; or an array: ``[int``, ``[string``, ``[com.alibaba.foo.Foo``.

    Items of an array of primitives are written as that primitive.
    """

    __slots__ = ("java_type",)

    def __init__(self, items: Iterable[Any] = (), java_type: str = "java.util.ArrayList") -> None:
        super().__init__(items)
        self.java_type = java_type


class TypedSet(MutableSet[Any]):
    """A set with a Java class, in the order that Java sent; a plain set stands for a ``java.util.HashSet``."""

    __slots__ = ("_items", "java_type")

    def __init__(self, items: Iterable[Any] = (), java_type: str = "java.util.LinkedHashSet") -> None:
        self._items = dict.fromkeys(items)
        self.java_type = java_type

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, value: Any) -> None:
        """Add at the end, unless it is there."""
        self._items.setdefault(value)

    def discard(self, value: Any) -> None:
        """Remove, if it is there."""
        self._items.pop(value, None)

    def __repr__(self) -> str:
        return shown(self)

    def __shown_parts__(self) -> Parts:
        return _shown_parts(self, "[", unnamed(self), "", "]")


class TypedMap(_Plural, dict[Any, Any]):
    """A map with a Java class other than ``java.util.HashMap``, which a plain dict stands for."""

    __slots__ = ("java_type",)

    def __init__(
        self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), java_type: str = "java.util.HashMap"
    ) -> None:
        super().__init__(items)
        self.java_type = java_type

    def __shown_parts__(self) -> Parts:
        return _shown_parts(self, "{", self.items(), ": ", "}")


class JavaEntries(_Plural, list[tuple[Any, Any]]):
    """A map with keys that Python cannot hash (lists, objects), as pairs in wire order."""

    __slots__ = ("java_type",)

    def __init__(self, items: Iterable[tuple[Any, Any]] = (), java_type: str | None = None) -> None:
        super().__init__(items)
        self.java_type = java_type


def java_array(component: str, items: Iterable[Any]) -> TypedList:
    """Make a Java array.

    Args:
        component: Java name of the items' type: ``int``, ``java.lang.String``, ``com.alibaba.foo.Foo``, ``int[]``.
        items: The items; for an array of arrays they may be plain lists.
    """
    return TypedList(items, "[" + array_component(component))


def array_component(java_name: str) -> str:
    """Give hessian's own name of a Java type inside an array: ``int[]`` becomes ``[int``."""
    dimensions = 0
    while java_name.endswith("[]"):
        java_name = java_name[:-2]
        dimensions += 1
    return "[" * dimensions + _WIRE_NAMES.get(java_name, java_name)
