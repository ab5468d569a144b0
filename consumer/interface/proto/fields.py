"""Plain Python values into the fields of a protobuf message, each checked, with errors that name the field.

protobuf's own constructors accept a float for an int here and a str for bytes there, differently by version and
implementation; and their errors do not say which field. So every value is checked before it is set.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message

from callahead.config.extension import nearest

from ...errors import SerializationError

FLOAT_MAX = 3.4028234663852886e38

# What a value may be besides a message or a mapping, by the full name of the message.
JSON_FORM = {
    "google.protobuf.Timestamp": "an aware datetime or an RFC 3339 text",
    "google.protobuf.Duration": 'a timedelta or a text such as "1.5s"',
    "google.protobuf.FieldMask": 'a list of paths or a text such as "a,b.c"',
    "google.protobuf.Struct": "a mapping",
    "google.protobuf.Value": "any JSON value",
    "google.protobuf.ListValue": "a list",
    "google.protobuf.Any": "a message to pack",
}
WRAPPERS = {
    f"google.protobuf.{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
}

_T = FieldDescriptor
_INTEGERS = {
    _T.TYPE_INT32: ("int32", -(2**31), 2**31 - 1),
    _T.TYPE_SINT32: ("int32", -(2**31), 2**31 - 1),
    _T.TYPE_SFIXED32: ("int32", -(2**31), 2**31 - 1),
    _T.TYPE_UINT32: ("uint32", 0, 2**32 - 1),
    _T.TYPE_FIXED32: ("uint32", 0, 2**32 - 1),
    _T.TYPE_INT64: ("int64", -(2**63), 2**63 - 1),
    _T.TYPE_SINT64: ("int64", -(2**63), 2**63 - 1),
    _T.TYPE_SFIXED64: ("int64", -(2**63), 2**63 - 1),
    _T.TYPE_UINT64: ("uint64", 0, 2**64 - 1),
    _T.TYPE_FIXED64: ("uint64", 0, 2**64 - 1),
}


def misfit(where: str, expected: str, value: object) -> SerializationError:
    """Make the error of a *value* at *where* that is not what was *expected*."""
    shown = " ".join(repr(value).split())
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return SerializationError(f"{where}: expected {expected}, got {type(value).__name__} {shown}", not_sent=True)


def _integer(name: str, low: int, high: int) -> Callable[[str, Any], int]:
    def convert(where: str, value: Any) -> int:
        if isinstance(value, bool):
            raise misfit(where, name, value)
        try:
            number = operator.index(value)
        except TypeError:
            raise misfit(where, name, value) from None
        if not low <= number <= high:
            raise misfit(where, f"{name} from {low} to {high}", value)
        return number

    return convert


def _float(where: str, value: Any) -> float:
    number = _double(where, value)
    if math.isfinite(number) and abs(number) > FLOAT_MAX:
        raise misfit(where, f"float up to {FLOAT_MAX:.4g}", value)
    return number


def _double(where: str, value: Any) -> float:
    if isinstance(value, (bool, str, bytes)):
        raise misfit(where, "double", value)
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise misfit(where, "double", value) from None


def _bool(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise misfit(where, "bool", value)
    return value


def _string(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise misfit(where, "str", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise misfit(where, "str without lone surrogates", value) from None
    return value


def _bytes(where: str, value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise misfit(where, "bytes", value)
    return bytes(value)


def _enum(enum: EnumDescriptor) -> Callable[[str, Any], int]:
    integer = _integer(enum.name, -(2**31), 2**31 - 1)

    def convert(where: str, value: Any) -> int:
        if isinstance(value, str):
            known = enum.values_by_name.get(value)
            if known is None:
                hint = nearest(value, enum.values_by_name)
                raise SerializationError(f'{where}: {enum.name} has no value "{value}" ({hint})', not_sent=True)
            return known.number
        number = integer(where, value)
        if enum.is_closed and number not in enum.values_by_number:
            raise misfit(where, f"a number of {enum.name}", value)
        return number

    return convert


def scalar_converter(field: FieldDescriptor) -> Callable[[str, Any], Any]:
    """Choose the check for one value of *field*, which is no message."""
    if field.type in _INTEGERS:
        return _integer(*_INTEGERS[field.type])
    if field.enum_type is not None:
        return _enum(field.enum_type)
    return {
        _T.TYPE_FLOAT: _float,
        _T.TYPE_DOUBLE: _double,
        _T.TYPE_BOOL: _bool,
        _T.TYPE_STRING: _string,
        _T.TYPE_BYTES: _bytes,
    }[field.type]


class _Pools:
    """What a message's own pool knows, and then what this program has imported; all that `json_format` asks for."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def FindMessageTypeByName(self, name: str) -> Any:  # noqa: N802 - protobuf's name
        """Find the type of a packed message; raises KeyError."""
        try:
            return self._own.FindMessageTypeByName(name)
        except KeyError:
            return Default().FindMessageTypeByName(name)


def pool_of(message: Message) -> Any:
    """Return where the types are found that an ``Any`` within *message* may hold: those of its method come first."""
    return _Pools(message.DESCRIPTOR.file.pool)


class Fields:
    """The fields of one message type, by each name they may be given under; made once per type.

    Args:
        descriptor: The message type.
        known: Types met before, since types may contain themselves; shared by all that are made from one root.
    """

    def __init__(self, descriptor: Descriptor, known: dict[str, Fields]) -> None:
        self._known = known
        self._setters: dict[str, Callable[[Any, str, Any], None]] = {}
        self._names: dict[str, str] = {}
        for field in descriptor.fields:
            self._setters[field.name] = self._setter(field)
            self._names[field.json_name] = field.name
        self._names.update((name, name) for name in self._setters)
        self._oneof = {
            field.name: oneof.name for oneof in descriptor.oneofs if len(oneof.fields) > 1 for field in oneof.fields
        }
        known[descriptor.full_name] = self  # last: other threads use whatever they find there

    def fill(self, message: Any, values: Mapping[Any, Any], where: str) -> None:
        """Set each of *values* in *message*; None leaves a field unset."""
        given: dict[str, str] = {}
        for key, value in values.items():
            name = self._names.get(key) if isinstance(key, str) else None
            if name is None:
                raise SerializationError(f"{where} {self._unknown(key)}", not_sent=True)
            self._refuse_twice(given, name, key, where)
            if value is not None:
                self._setters[name](message, f"{where}.{name}", value)

    def _unknown(self, key: object) -> str:
        quoted = f'"{key}"' if isinstance(key, str) else repr(key)
        hint = nearest(str(key), self._setters)
        return f"has no field {quoted} ({hint})" if hint else f"has no field {quoted}: it has no fields"

    def _refuse_twice(self, given: dict[str, str], name: str, key: str, where: str) -> None:
        """Refuse a field under two names, and two fields of one oneof, where the last would silently win."""
        slot = self._oneof.get(name, name)
        if slot in given:
            text = f'{where}: "{given[slot]}" and "{key}" cannot both be given'
            raise SerializationError(text, not_sent=True)
        given[slot] = key

    def _setter(self, field: FieldDescriptor) -> Callable[[Any, str, Any], None]:
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            return self._map_setter(field, entry)
        if field.is_repeated:
            return self._repeated_setter(field)
        if entry is not None:
            return self._message_setter(field)
        convert, name = scalar_converter(field), field.name
        return lambda message, where, value: setattr(message, name, convert(where, value))

    def _message_setter(self, field: FieldDescriptor) -> Callable[[Any, str, Any], None]:
        name, inner = field.name, self._inner(field)

        def set_message(message: Any, where: str, value: Any) -> None:
            target = getattr(message, name)
            target.SetInParent()
            fill_message(target, inner(), value, where)

        return set_message

    def _repeated_setter(self, field: FieldDescriptor) -> Callable[[Any, str, Any], None]:
        name, add = field.name, self._adder(field)

        def set_repeated(message: Any, where: str, value: Any) -> None:
            if isinstance(value, (str, bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
                raise misfit(where, "a list", value)
            target = getattr(message, name)
            for index, item in enumerate(value):
                add(target, f"{where}[{index}]", item)

        return set_repeated

    def _adder(self, field: FieldDescriptor) -> Callable[[Any, str, Any], None]:
        if field.message_type is None:
            convert = scalar_converter(field)
            return lambda items, where, value: items.append(convert(where, value))
        inner = self._inner(field)
        return lambda items, where, value: fill_message(items.add(), inner(), value, where)

    def _map_setter(self, field: FieldDescriptor, entry: Descriptor) -> Callable[[Any, str, Any], None]:
        name, convert_key = field.name, scalar_converter(entry.fields_by_name["key"])
        put = self._putter(entry.fields_by_name["value"])

        def set_map(message: Any, where: str, value: Any) -> None:
            if not isinstance(value, Mapping):
                raise misfit(where, "a mapping", value)
            target = getattr(message, name)
            for key, item in value.items():
                at = f"{where}[{key!r}]"
                put(target, convert_key(at, key), at, item)

        return set_map

    def _putter(self, field: FieldDescriptor) -> Callable[[Any, Any, str, Any], None]:
        if field.message_type is None:
            convert = scalar_converter(field)
            return lambda items, key, where, value: operator.setitem(items, key, convert(where, value))
        inner = self._inner(field)
        return lambda items, key, where, value: fill_message(items[key], inner(), value, where)

    def _inner(self, field: FieldDescriptor) -> Callable[[], Fields]:
        """Give the fields of the message in *field*, made when they are first needed: types may contain themselves."""
        descriptor = field.message_type
        assert descriptor is not None

        def fields() -> Fields:
            known = self._known.get(descriptor.full_name)
            return Fields(descriptor, self._known) if known is None else known

        return fields


def fill_message(target: Any, fields: Fields, value: Any, where: str) -> None:
    """Make the empty *target*, whose type *fields* describes, equal to *value*: a message, a mapping or a JSON form."""
    full_name = target.DESCRIPTOR.full_name
    if isinstance(value, Message) and value.DESCRIPTOR.full_name == full_name:
        target.MergeFromString(value.SerializePartialToString())
    elif full_name in JSON_FORM:
        _fill_well_known(target, value, where)
    elif isinstance(value, Mapping):
        fields.fill(target, value, where)
    elif full_name in WRAPPERS:
        fields.fill(target, {"value": value}, where)
    else:
        raise misfit(where, f"{full_name} or a mapping of its fields", value)


def _fill_well_known(target: Any, value: Any, where: str) -> None:
    full_name = target.DESCRIPTOR.full_name
    try:
        if full_name == "google.protobuf.Any" and isinstance(value, Message):
            target.Pack(value)
        elif full_name == "google.protobuf.Timestamp" and isinstance(value, dt.datetime):
            if value.tzinfo is None:
                raise misfit(where, JSON_FORM[full_name], value)
            target.FromDatetime(value)
        elif full_name == "google.protobuf.Duration" and isinstance(value, dt.timedelta):
            target.FromTimedelta(value)
        elif full_name == "google.protobuf.FieldMask" and isinstance(value, (list, tuple)):
            target.paths.extend(value)
        else:
            json_format.ParseDict(value, target, descriptor_pool=pool_of(target))
    except (json_format.Error, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise misfit(where, f"{full_name.rpartition('.')[2]}, {JSON_FORM[full_name]}", value) from error
