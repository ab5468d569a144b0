"""hessian 2.0 to Python values.

One table says, for each first byte, which function reads the rest; another holds the values that are one byte only.
Inside objects of unbound classes a second pair of tables is used, which keeps ``long`` apart from ``int``.

Nothing here imports, calls or makes an instance of what a peer names: a name is a key of a dict, no more.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from ...errors import SerializationError
from .binding import binding_of_name
from .definition import PENDING, ClassDefinition
from .handles import handle_of_name
from .java import JavaEntries, TypedList, TypedMap, TypedSet
from .keys import is_safe_key
from .limits import DEFAULT_LIMITS, Limits, passed
from .scalar_readers import INT_TAGS, MISS, STRING_TAGS, one_byte_values, scalar_readers

Reader = Callable[["Decoder", int], Any]
_END = 0x5A
_NO_TEXT = b""
_CACHED_DEFINITIONS = 512
_CACHED_BYTES = 4096
_UNSEEN: tuple[bytes, ClassDefinition | None] = b"", None
# By the bytes of the class name, with the bytes of the fields.
_seen: dict[bytes, tuple[bytes, ClassDefinition]] = {}


class Decoder:
    """Reads the values of one stream, which share class definitions, type names and references.

    Args:
        data: The whole stream, such as the body of a Dubbo frame.
        limits: Each is a bound of the whole stream.

    Attributes:
        position: Offset of the next byte.
    """

    __slots__ = (
        "_classes",
        "_const",
        "_depth",
        "_elements",
        "_failed",
        "_limits",
        "_max_depth",
        "_max_elements",
        "_max_references",
        "_pointed",
        "_refs",
        "_table",
        "_types",
        "data",
        "position",
    )

    def __init__(self, data: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS) -> None:
        if len(data) > limits.bytes:
            raise passed("bytes", len(data), limits.bytes, "bytes to read")
        self.data = bytes(data)
        self._limits = limits
        self._max_depth = limits.depth
        self._max_elements = limits.elements
        self._max_references = limits.references
        self._refs: list[Any] = []
        self._pointed: set[int] = set()
        self._classes: list[ClassDefinition] = []
        self._types: list[str] = []
        self._const = _CONST
        self._table = _TABLE
        self._depth = 0
        self._elements = 0
        self._failed = False
        self.position = 0

    @property
    def at_end(self) -> bool:
        """Whether every byte was read."""
        return self.position >= len(self.data)

    def read(self) -> Any:
        """Read the next value.

        Raises:
            SerializationError: The bytes are no hessian 2.0, end inside the value, or pass a limit. After that the
                decoder reads no more.
        """
        if self._failed:
            raise SerializationError("hessian2: an earlier value of this stream could not be read")
        self._failed = True
        start = self.position
        try:
            value = self._read()
        except (IndexError, struct.error):
            raise SerializationError(
                f"hessian2: the data ends after {len(self.data)} bytes, inside the value that begins at {start}"
            ) from None
        except UnicodeDecodeError as error:
            raise SerializationError(f"hessian2: byte {self.position}: a string is not UTF-8: {error.reason}") from None
        except RecursionError:
            raise SerializationError(
                f"hessian2: Python's recursion limit came before limits.depth ({self._limits.depth})"
            ) from None
        self._failed = False
        return value

    def _read(self) -> Any:
        tag = self.data[self.position]
        self.position += 1
        value = self._const[tag]
        return self._table[tag](self, tag) if value is MISS else value

    def _read_length(self, what: str) -> int:
        """Read an int that counts or points; negative ones are never right."""
        at = self.position
        tag = self.data[at]
        value = self._read() if tag in INT_TAGS else -1
        if value < 0:
            raise SerializationError(f"hessian2: byte {at}: {what} is expected here, not 0x{tag:02x}")
        return int(value)

    def _read_string(self, what: str) -> str:
        at = self.position
        tag = self.data[at]
        if tag not in STRING_TAGS:
            raise SerializationError(f"hessian2: byte {at}: {what} is expected here, not 0x{tag:02x}")
        text: str = self._read()
        return text

    def _read_type(self) -> str:
        if self.data[self.position] in STRING_TAGS:
            name = self._read_string("a type name")
            self._types.append(name)
            return name
        index = self._read_length("a type name or its number")
        if index >= len(self._types):
            raise SerializationError(f"hessian2: type {index} is used, {len(self._types)} are known")
        return self._types[index]

    def _enter(self, value: Any, elements: int) -> int:
        """Go one level deeper into a value of so many parts, of which each takes at least a byte; give its number."""
        self._depth += 1
        if self._depth > self._max_depth:
            raise passed("depth", self._depth, self._max_depth, "levels of values inside values")
        slot = len(self._refs)
        if slot >= self._max_references:
            raise passed("references", slot + 1, self._max_references, "lists, maps and objects")
        if elements:
            if elements > len(self.data) - self.position:
                raise IndexError
            self._count(elements)
        self._refs.append(value)
        return slot

    def _count(self, elements: int) -> None:
        self._elements += elements
        if self._elements > self._max_elements:
            raise passed("elements", self._elements, self._max_elements, "list items, map entries and fields")

    def _define(self) -> None:
        """Read a class definition, or skip the same bytes as were last seen for the class."""
        definition = self._definition_seen()
        if definition is None:
            definition = self._new_definition()
        else:
            self._count(1 + len(definition.names))
        self._classes.append(definition)

    def _definition_seen(self) -> ClassDefinition | None:
        data, start = self.data, self.position
        tag = data[start]
        long = 0x30 <= tag <= 0x33
        end = start + 2 + (tag - 0x30 << 8) + data[start + 1] if long else start + 1 + tag
        raw, seen = _seen.get(data[start:end]) or _UNSEEN
        if seen is None or not data.startswith(raw, end) or seen.binding is not binding_of_name(seen.java_class):
            return None
        self.position = end + len(raw)
        return seen

    def _new_definition(self) -> ClassDefinition:
        data, start = self.data, self.position
        java_class = self._read_string("a class name")
        begin = self.position
        count = self._read_length("a number of fields")
        if count > len(data) - self.position:
            raise IndexError
        self._count(1 + count)
        names = tuple([self._read_string("a field name") for _ in range(count)])
        definition = ClassDefinition(java_class, names)
        if self.position - start <= _CACHED_BYTES:
            if len(_seen) >= _CACHED_DEFINITIONS:
                _seen.clear()
            _seen[data[start:begin]] = data[begin : self.position], definition
        return definition


def loads(data: bytes | bytearray | memoryview, *, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Decode one value, which must be all of the data.

    Java to Python: the types that `dumps` names, back again; ``java.util.Date`` is an aware `datetime` in UTC. A typed
    list, map or set is a `TypedList`, `TypedMap` or `TypedSet`, which are lists, dicts and sets. Objects of classes
    bound by `java_type` are theirs, of others `JavaObject`, exceptions `JavaThrowable`. Identity is kept: what Java
    sent as one object, also in circles, is one object.

    Raises:
        SerializationError: The bytes are no hessian 2.0, end early, go on, or pass a limit.
    """
    decoder = Decoder(data, limits)
    value = decoder.read()
    if not decoder.at_end:
        raise SerializationError(f"hessian2: {len(data) - decoder.position} bytes follow the value")
    return value


def _list(d: Decoder, tag: int) -> Any:
    if tag >= 0x78:
        java_type, length = "", tag - 0x78
    else:
        java_type = "" if tag in (0x57, 0x58) else d._read_type()
        length = tag - 0x70 if tag >= 0x70 else -1 if tag in (0x55, 0x57) else d._read_length("a length")
    const, table = d._const, d._table
    plain = not java_type or (java_type == "java.util.ArrayList" and const is not _EXACT_CONST)
    items: Any = [] if plain else TypedList((), java_type)
    slot = d._enter(items, max(length, 0))
    if length < 0:
        _read_until_end(d, items)
    data, append, at = d.data, items.append, d.position
    for _ in range(length):
        tag = data[at]
        at += 1
        value = const[tag]
        if value is MISS:
            text = data[at : at + tag] if tag < 0x20 else _NO_TEXT
            if len(text) == tag and text.isascii():
                value = text.decode()
                at += tag
            else:
                d.position = at
                value = table[tag](d, tag)
                at = d.position
        append(value)
    d.position = at
    d._depth -= 1
    return items if plain else _as_set(d, slot, items)


def _read_until_end(d: Decoder, items: list[Any]) -> None:
    while d.data[d.position] != _END:
        d._count(1)
        items.append(d._read())
    d.position += 1


def _as_set(d: Decoder, slot: int, items: TypedList) -> Any:
    """Make a set of a list whose class is a set of Java's own; one that Python cannot hold stays as it is."""
    name = items.java_type
    if not (name.startswith("java.util.") and name.endswith(("Set", "SetN", "Set12", "KeySetView"))):
        return items
    hashes: dict[int, int] = {}
    if not all(type(item) is str or is_safe_key(item, hashes) for item in items):
        return items
    plain = name == "java.util.HashSet" and d._const is not _EXACT_CONST
    made: Any = set(items) if plain else TypedSet(items, name)
    if len(made) != len(items) or slot in d._pointed:
        return items
    d._refs[slot] = made
    return made


def _map(d: Decoder, tag: int) -> Any:
    java_type = d._read_type() if tag == 0x4D else ""
    if java_type and (binding_of_name(java_type) is not None or handle_of_name(java_type) is not None):
        return _object_as_map(d, java_type)
    const, table = d._const, d._table
    plain = not java_type or (java_type == "java.util.HashMap" and const is not _EXACT_CONST)
    entries: Any = {} if plain else TypedMap((), java_type)
    slot = d._enter(entries, 0)
    hashes: dict[int, int] = {}
    data, at = d.data, d.position
    while (tag := data[at]) != _END:
        d._elements += 1
        if d._elements > d._max_elements:
            d._count(0)
        at += 1
        text = data[at : at + tag] if tag < 0x20 else _NO_TEXT
        if len(text) == tag and text.isascii():
            key: Any = text.decode()
            at += tag
        else:
            d.position = at - 1
            key = d._read()
            at = d.position
        tag = data[at]
        at += 1
        value = const[tag]
        if value is MISS:
            d.position = at
            value = table[tag](d, tag)
            at = d.position
        if (type(key) is not str and not is_safe_key(key, hashes)) or key in entries:
            d.position = at
            return _as_entries(d, slot, entries, (key, value))
        entries[key] = value
    d.position = at + 1
    d._depth -= 1
    return entries


def _as_entries(d: Decoder, slot: int, entries: dict[Any, Any], pair: tuple[Any, Any]) -> JavaEntries:
    """Go on with a map as pairs, from the first key on that a dict cannot take."""
    if slot in d._pointed:
        raise SerializationError(f"hessian2: byte {d.position}: a map that refers to itself has keys without a hash")
    made = JavaEntries((*entries.items(), pair), getattr(entries, "java_type", None))
    d._refs[slot] = made
    while d.data[d.position] != _END:
        d._count(1)
        made.append((d._read(), d._read()))
    d.position += 1
    d._depth -= 1
    return made


def _object_as_map(d: Decoder, java_class: str) -> Any:
    """Read an object of a known class in the form of hessian 1, a map of its fields."""
    slot = d._enter(PENDING, 0)
    fields: dict[str, Any] = {}
    while d.data[d.position] != _END:
        d._count(1)
        name = d._read_string("a field name")
        fields[name] = d._read()
    d.position += 1
    d._depth -= 1
    definition = ClassDefinition(java_class, tuple(fields))
    values = dict(zip(definition.keys, fields.values(), strict=True))
    value = d._refs[slot] = definition.finish(definition.begin(), values, exact=d._const is _EXACT_CONST)
    return value


def _object(d: Decoder, tag: int) -> Any:
    index = tag - 0x60 if tag != 0x4F else d._read_length("a class number")
    if index >= len(d._classes):
        raise SerializationError(f"hessian2: class {index} is used, {len(d._classes)} are defined")
    definition = d._classes[index]
    begun = definition.begin()
    slot = d._enter(begun, len(definition.keys))
    outer = d._const, d._table
    if definition.exact:
        d._const, d._table = _EXACT_CONST, _EXACT_TABLE
    elif definition.binding is not None:
        d._const, d._table = _CONST, _TABLE
    const, table = d._const, d._table
    values: dict[str | None, Any] = vars(begun) if definition.direct else {}
    data, at = d.data, d.position
    for key in definition.keys:
        tag = data[at]
        at += 1
        value = const[tag]
        if value is MISS:
            text = data[at : at + tag] if tag < 0x20 else _NO_TEXT
            if len(text) == tag and text.isascii():
                value = text.decode()
                at += tag
            else:
                d.position = at
                value = table[tag](d, tag)
                at = d.position
        values[key] = value
    d.position = at
    d._depth -= 1
    d._const, d._table = outer
    if definition.direct:
        return begun
    made = d._refs[slot] = definition.finish(begun, values, exact=const is _EXACT_CONST)
    return made


def _defined(d: Decoder, _: int) -> Any:
    """Read class definitions, however many come one after another, and then the value they stand before."""
    d._define()
    while (tag := d.data[d.position]) == 0x43:
        d.position += 1
        d._define()
    d.position += 1
    value = d._const[tag]
    return d._table[tag](d, tag) if value is MISS else value


def _reference(d: Decoder, _: int) -> Any:
    slot = d._read_length("the number of a reference")
    if slot >= len(d._refs):
        raise SerializationError(f"hessian2: reference to value {slot}, of {len(d._refs)} so far")
    value = d._refs[slot]
    if value is PENDING:
        raise SerializationError(f"hessian2: reference to value {slot} inside itself, which cannot be")
    d._pointed.add(slot)
    return value


def _unknown(d: Decoder, tag: int) -> Any:
    raise SerializationError(f"hessian2: byte {d.position - 1}: 0x{tag:02x} begins no value")


def _readers(*, exact: bool) -> list[Reader]:
    table: list[Reader] = [reader or _unknown for reader in scalar_readers(exact=exact)]
    table[0x43], table[0x4F], table[0x51] = _defined, _object, _reference
    table[0x48] = table[0x4D] = _map
    table[0x55:0x59] = [_list] * 4
    table[0x60:0x70] = [_object] * 16
    table[0x70:0x80] = [_list] * 16
    return table


_CONST, _EXACT_CONST = one_byte_values(exact=False), one_byte_values(exact=True)
_TABLE, _EXACT_TABLE = _readers(exact=False), _readers(exact=True)
