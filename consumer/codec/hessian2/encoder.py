"""Python values to hessian 2.0, as Dubbo's hessian-lite writes them.

Every writer is a function of the encoder and a value, found by the value's exact type in `_WRITERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, time
from functools import lru_cache
from itertools import repeat
from typing import Any

from ...errors import SerializationError
from ...runtime.shown import shown
from . import javatime as jt
from .forced import BigInteger, Byte, Char, Double, Float, Int, Long, Short, forced_type, to_32_bits
from .handles import HANDLES, Handle
from .java import JavaEntries, JavaObject, JavaThrowable, TypedList, TypedMap, TypedSet, array_component
from .limits import DEFAULT_LIMITS, Limits, passed
from .scalar_writers import (
    SHORT_INTS,
    write_bool,
    write_bytes,
    write_double,
    write_int,
    write_long,
    write_millis,
    write_null,
    write_str,
)
from .text import encode_text
from .trail import UnwritableError, named, trail_to

Writer = Callable[["Encoder", Any], None]
_UNDECLARED = repeat(None)
_HASH_SET = "java.util.HashSet"
_UNWRITABLE = (AttributeError, TypeError, ValueError, OverflowError, ArithmeticError, RuntimeError, LookupError)


class Encoder:
    """Writes several values into one stream, in which they share class definitions, type names and references.

    That is what a Dubbo body is: ``Hessian2ObjectOutput`` keeps all three from the first value to the last, so that an
    object which two arguments hold arrives as one. Not for use by two threads at once; after an error, for none at all.

    Args:
        limits: ``depth`` and ``bytes`` hold for what is written.
    """

    __slots__ = ("_failed", "_kept", "classes", "depth", "limits", "out", "refs", "shapes", "types")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.out = bytearray()
        self.refs: dict[int, int] = {}
        self.classes: dict[bytes, int] = {}
        self.shapes: dict[tuple[str, ...], bytes] = {}
        self.types: dict[str, int] = {}
        self.depth = 0
        self._kept: list[object] = []
        self._failed = False

    def write(self, value: Any, java_name: str | None = None) -> None:
        """Append one value.

        Args:
            value: Anything `dumps` takes.
            java_name: Java name of the declared type, where it is known: ``long`` forces a long, ``double[]`` an array.

        Raises:
            SerializationError: The value has no Java form or passes a limit; ``not_sent`` is set.
        """
        if self._failed:
            raise SerializationError("hessian2: an earlier value of this stream could not be written", not_sent=True)
        self._failed = True
        try:
            if java_name is None:
                write_any(self, value)
            else:
                writer_of_name(java_name)(self, value)
            if len(self.out) > self.limits.bytes:
                raise passed("bytes", len(self.out), self.limits.bytes, "bytes to write")
        except UnwritableError as error:
            way = trail_to(value, _is_written)
            raise SerializationError(f"{error.message}{way and f', at {way}'}", not_sent=True) from None
        except SerializationError as error:
            error.not_sent = True
            raise
        except RecursionError:
            raise SerializationError(
                f"hessian2: Python's recursion limit came before limits.depth ({self.limits.depth})", not_sent=True
            ) from None
        except _UNWRITABLE as error:
            raise SerializationError(f"hessian2: cannot write {named(value)}: {error}", not_sent=True) from error
        self._failed = False

    def getvalue(self) -> bytes:
        """Give what was written so far."""
        return bytes(self.out)

    def refer(self, value: object) -> bool:
        """Write a reference and say True where the stream holds this very object; else remember it and say False."""
        refs = self.refs
        known = refs.get(id(value))
        if known is None:
            refs[id(value)] = len(refs)
            self._kept.append(value)
            return False
        self.out.append(0x51)
        write_int(self, known)
        return True

    def write_big(self, value: int) -> None:
        """Write a BigInteger."""
        _WRITERS[BigInteger](self, value)

    def enter(self) -> None:
        """Go one level deeper."""
        self.depth += 1
        if self.depth > self.limits.depth:
            raise passed("depth", self.depth, self.limits.depth, "levels of values inside values")


def dumps(value: Any, *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Encode one value.

    Python to Java: None, bool, int (``int``, ``long`` or ``BigInteger`` by range), float (``double``), str, bytes, list
    and tuple (``ArrayList``), dict (``HashMap``), set and frozenset (``HashSet``), Decimal, UUID, aware datetime
    (``java.util.Date``, in milliseconds, rounded down), naive datetime, date, time, timedelta and timezone
    (``java.time``), the types of this package, and classes bound by `java_type`. An object that occurs twice is sent
    once; tuples and values of ``java.time`` are repeated.

    Raises:
        SerializationError: The value has no Java form or passes a limit; ``not_sent`` is set.
    """
    encoder = Encoder(limits)
    encoder.write(value)
    return encoder.getvalue()


def write_any(e: Encoder, value: Any) -> None:
    """Write a value by its own type."""
    (_WRITERS.get(type(value)) or _find_writer(value))(e, value)


FindWriter = Callable[[type[Any]], Writer | None]
"""Makes the writer of a class that is in no table; None where it knows of none either."""

_FINDERS: list[FindWriter] = []


def find_writers_by(find: FindWriter) -> None:
    """Ask *find*, too, for writers; each answer is kept. The binding of classes is entered so, being built on this."""
    _FINDERS.append(find)


def _find_writer(value: Any) -> Writer:
    """Find the writer of a type that is not in the table: bound classes, then subclasses of what is there."""
    cls = type(value)
    for find in _FINDERS:
        writer = find(cls)
        if writer is not None:
            return _WRITERS.setdefault(cls, writer)
    for base in cls.__mro__[1:]:
        if base in _WRITERS and base is not object:
            return _WRITERS[base]
    if isinstance(value, Mapping):
        return _write_dict
    raise UnwritableError(f"hessian2: {named(value)} has no Java form")


def _is_written(value: Any) -> bool:
    try:
        return bool(_WRITERS.get(type(value)) or _find_writer(value))
    except UnwritableError:
        return False


def _write_type(e: Encoder, name: str) -> None:
    known = e.types.get(name)
    if known is not None:
        write_int(e, known)
    elif name:
        e.types[name] = len(e.types)
        write_str(e, name)
    else:
        raise SerializationError("hessian2: a Java type name is empty", not_sent=True)


def begin_list(e: Encoder, length: int, java_type: str | None) -> None:
    """Write what comes before the items of a list."""
    short = 0x70 if java_type is not None else 0x78
    e.out.append(short + length if length <= 7 else 0x56 if java_type is not None else 0x58)
    if java_type is not None:
        _write_type(e, java_type)
    if length > 7:
        write_int(e, length)


def write_items(e: Encoder, items: Iterable[Any], declared: Iterable[Writer | None] = _UNDECLARED) -> None:
    """Write values one level deeper, each with its declared writer if it has one.

    The commonest values are written here, since a call per value is most of the cost.
    """
    e.enter()
    writers, out = _WRITERS, e.out
    for item, writer in zip(items, declared, strict=False):
        kind = type(item)
        if writer is not None:
            writer(e, item)
        elif kind is str and len(item) < 0x20 and item.isascii():
            out.append(len(item))
            out += item.encode()
        elif kind is int and -2048 <= item <= 2047:
            out += SHORT_INTS[item]
        elif item is None:
            out.append(0x4E)
        else:
            (writers.get(kind) or _find_writer(item))(e, item)
    e.depth -= 1


def _write_list(e: Encoder, value: list[Any]) -> None:
    if not e.refer(value):
        begin_list(e, len(value), None)
        write_items(e, value)


def _write_tuple(e: Encoder, value: tuple[Any, ...]) -> None:
    # Python makes equal tuples one object as it likes: identity means nothing here, but takes a number all the same.
    e.refs[-1 - len(e.refs)] = 0
    begin_list(e, len(value), None)
    write_items(e, value)


def _write_set(e: Encoder, value: Collection[Any]) -> None:
    if not e.refer(value):
        begin_list(e, len(value), _HASH_SET)
        write_items(e, value)


def _write_typed_set(e: Encoder, value: TypedSet) -> None:
    if not e.refer(value):
        begin_list(e, len(value), value.java_type)
        write_items(e, value)


def _write_typed_list(e: Encoder, value: TypedList) -> None:
    if e.refer(value):
        return
    begin_list(e, len(value), value.java_type)
    writer = array_item_writer(value.java_type)
    if writer is None:
        write_items(e, value)
        return
    e.enter()
    for item in value:
        writer(e, item)
    e.depth -= 1


def write_entries(e: Encoder, pairs: Iterable[tuple[Any, Any]], java_type: str | None) -> None:
    """Write a map, from its first byte to its last."""
    if java_type is None:
        e.out.append(0x48)
    else:
        e.out.append(0x4D)
        _write_type(e, java_type)
    e.enter()
    writers = _WRITERS
    for key, item in pairs:
        (writers.get(type(key)) or _find_writer(key))(e, key)
        (writers.get(type(item)) or _find_writer(item))(e, item)
    e.depth -= 1
    e.out.append(0x5A)


def _write_dict(e: Encoder, value: Mapping[Any, Any]) -> None:
    if not e.refer(value):
        write_entries(e, value.items(), None)


def _write_typed_map(e: Encoder, value: TypedMap) -> None:
    if not e.refer(value):
        write_entries(e, value.items(), value.java_type)


def _write_java_entries(e: Encoder, value: JavaEntries) -> None:
    if not e.refer(value):
        write_entries(e, value, value.java_type)


def definition(java_class: str, fields: Collection[str]) -> bytes:
    """Make the bytes that define a class for the rest of the stream."""
    count = Encoder()
    write_int(count, len(fields))
    return b"C" + encode_text(java_class) + count.out + b"".join(map(encode_text, fields))


def begin_object(e: Encoder, define: bytes) -> None:
    """Write a class definition where the stream lacks it, and which class the fields that follow belong to."""
    index = e.classes.get(define)
    if index is None:
        index = e.classes[define] = len(e.classes)
        e.out += define
    if index <= 15:
        e.out.append(0x60 + index)
    else:
        e.out.append(0x4F)
        write_int(e, index)


def _write_java_object(e: Encoder, value: JavaObject) -> None:
    if e.refer(value):
        return
    shape = (value.java_class, *value.fields)
    define = e.shapes.get(shape)
    if define is None:
        define = e.shapes[shape] = definition(value.java_class, value.fields)
    begin_object(e, define)
    write_items(e, value.fields.values())


def _handle_writer(handle: Handle) -> Writer:
    define = definition(handle.java_class, handle.fields)
    explode = handle.explode
    assert explode is not None, handle.java_class

    def write(e: Encoder, value: Any) -> None:
        if handle.shared:
            if e.refer(value):
                return
        else:
            e.refs[-1 - len(e.refs)] = 0
        begin_object(e, define)
        write_items(e, explode(value))

    return write


def _write_datetime(e: Encoder, value: datetime) -> None:
    if value.tzinfo is None:
        _WRITERS[jt.LocalDateTime](e, value)
    else:
        write_millis(e, jt.epoch_millis(value))


def _write_time(e: Encoder, value: time) -> None:
    _WRITERS[jt.LocalTime if value.tzinfo is None else jt.OffsetTime](e, value)


_WRITERS: dict[type[Any], Writer] = {
    type(None): write_null,
    bool: write_bool,
    int: write_int,
    Byte: write_int,
    Short: write_int,
    Int: write_int,
    Long: write_long,
    float: write_double,
    Double: write_double,
    Float: write_double,
    str: write_str,
    Char: write_str,
    bytes: write_bytes,
    bytearray: write_bytes,
    memoryview: write_bytes,
    list: _write_list,
    tuple: _write_tuple,
    set: _write_set,
    frozenset: _write_set,
    dict: _write_dict,
    TypedList: _write_typed_list,
    TypedSet: _write_typed_set,
    TypedMap: _write_typed_map,
    JavaEntries: _write_java_entries,
    JavaObject: _write_java_object,
    JavaThrowable: _write_java_object,
    datetime: _write_datetime,
    time: _write_time,
    jt.DateMillis: write_millis,
    **{cls: _handle_writer(handle) for cls, handle in HANDLES.items()},
}
_FORCED_WRITERS: dict[type[Any], Writer] = {
    Long: write_long,
    Float: write_double,
    Double: write_double,
    Char: write_str,
    BigInteger: write_any,
}


def forced_writer(forced: type[Any], convert: Callable[[Any], Any] | None = None) -> Writer:
    """Make a writer that forces a Java type on fitting values and refuses others; None is null."""
    kind = str if forced is Char else float if issubclass(forced, float) else int
    writer = _FORCED_WRITERS.get(forced, write_int)
    as_it_is = forced is Double
    force = forced if convert is None else convert

    def write(e: Encoder, value: Any) -> None:
        if as_it_is and type(value) is kind:
            writer(e, value)
        elif value is None:
            write_null(e, None)
        elif isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool):
            writer(e, force(value))
        else:
            raise SerializationError(
                f"hessian2: {shown(value, 200)} is declared as a Java {_java_name(forced)}", not_sent=True
            )

    return write


def _java_name(forced: type[Any]) -> str:
    return forced.__name__ if forced is BigInteger else forced.__name__.lower()


@lru_cache(maxsize=1024)
def writer_of_name(java_name: str) -> Writer:
    """Find the writer of a parameter by its declared Java type: ``long``, ``java.lang.Long``, ``double[]``."""
    forced = forced_type(java_name)
    if forced is not None:
        return forced_writer(forced)
    if not java_name.endswith("[]") or java_name in ("byte[]", "char[]"):
        return write_any
    array_type = array_component(java_name)

    def write(e: Encoder, value: Any) -> None:
        write_any(e, TypedList(value, array_type) if type(value) in (list, tuple) else value)

    return write


@lru_cache(maxsize=1024)
def array_item_writer(java_type: str) -> Writer | None:
    """Find the writer of an array's items by the array's type: ``[long``, ``[[int``; None where items decide."""
    component = java_type[1:]
    if not java_type.startswith("["):
        return None
    if component.startswith("["):
        return lambda e, value: write_any(e, TypedList(value, component) if type(value) in (list, tuple) else value)
    if component == "float":
        return forced_writer(Float, to_32_bits)  # which Java widens as it is, where a Float goes by its text
    forced = forced_type(component)
    return None if forced is None else forced_writer(forced)
