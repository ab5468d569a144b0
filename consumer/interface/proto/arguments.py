"""A call's arguments into the one request message that gRPC sends, and messages into plain values.

gRPC's generated stubs take a message and nothing else. Here a call may be written as for any Python function or as for
Dubbo's generic invocation; what a method accepts is worked out once, when its builder is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from ...errors import SerializationError
from .fields import Fields, fill_message, pool_of
from .service import MethodTypes

Builder = Callable[[tuple[Any, ...], Mapping[str, Any]], Any]


def request_builder(types: MethodTypes) -> Builder:
    """Make the function that turns the arguments of one method into its request, for any number of threads.

    ``builder(args, kwargs)`` takes one of:

    * one message: of the request's own class it is returned as it is, of the same type from another descriptor pool it
      is copied;
    * keywords: a value for each named field;
    * one mapping: the same, its keys being field names as in the ``.proto`` or in JSON (``foo_id``, ``fooId``);
    * positional values: one for each field in the order of their numbers, where no field is in a oneof;
    * nothing: the empty request.

    A field takes the Python value of its type; a message is given as itself or as a mapping, an enum by name or number,
    a ``Timestamp`` as an aware datetime, a ``Duration`` as a timedelta, and None leaves a field unset. Where a stub's
    request class is not known, only one message fits, and it is not looked at.

    Raises:
        SerializationError: By the builder, ``not_sent``: the arguments do not fit; the message names the field, what it
            takes, what it got, and the nearest field.
    """
    return _opaque_builder(types) if types.request_class is None else message_builder(types.request_class)


def message_builder(message_class: type[Any]) -> Builder:
    """Make the function that builds a *message_class* of arguments, as `request_builder` says."""
    slow = _Slow(message_class).build

    def build(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if len(args) == 1 and type(args[0]) is message_class and not kwargs:
            return args[0]
        return slow(args, kwargs)

    return build


def to_plain(value: Any) -> Any:
    """Turn a message into dictionaries, lists and scalars that JSON can carry; anything else is returned as it is.

    Fields keep their names from the ``.proto``, and those without presence are there even where they are zero. The form
    is protobuf's JSON mapping: 64-bit integers and bytes become text.
    """
    if not isinstance(value, Message):
        return value
    return json_format.MessageToDict(
        value,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        descriptor_pool=pool_of(value),
    )


def from_plain(types: MethodTypes, value: Any) -> Any:
    """Build the request of one method from what JSON carried: the inverse of `to_plain`.

    Raises:
        SerializationError: *value* is not the JSON form of the request, or the request's class is not known.
    """
    if types.request_class is None:
        raise SerializationError(
            f"{types.path}: its request cannot be made of JSON, since its class is unknown", not_sent=True
        )
    request = types.request_class()
    try:
        return json_format.ParseDict(value, request, descriptor_pool=pool_of(request))
    except (json_format.Error, TypeError, ValueError, AttributeError) as error:
        text = f"{request.DESCRIPTOR.full_name}: {str(error).rstrip('.')}"
        raise SerializationError(text, not_sent=True) from error


def _opaque_builder(types: MethodTypes) -> Builder:
    def build(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if len(args) == 1 and not kwargs:
            return args[0]
        got = f"{len(args)} positional arguments and {len(kwargs)} keywords"
        text = f"{types.path}: expected one request message, since its class is unknown, got {got}"
        raise SerializationError(text, not_sent=True)

    return build


class _Slow:
    """Every form but the request itself."""

    def __init__(self, message_class: type[Any]) -> None:
        self._class = message_class
        descriptor = message_class.DESCRIPTOR
        self._name = descriptor.full_name
        self._fields = Fields(descriptor, {})
        ordered = sorted(descriptor.fields, key=lambda field: field.number)
        self._order = [field.name for field in ordered]
        self._positional = not any(len(oneof.fields) > 1 for oneof in descriptor.oneofs)

    def build(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        try:
            return self._complete(self._filled(args, kwargs))
        except RecursionError:
            text = f"{self._name}: the arguments are nested too deeply, or contain themselves"
            raise SerializationError(text, not_sent=True) from None

    def _filled(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        message = self._class()
        if args and kwargs:
            text = f"{self._name}: give positional arguments or keywords, not both ({len(args)} and {len(kwargs)})"
            raise SerializationError(text, not_sent=True)
        if len(args) == 1 and self._stands_for_the_message(args[0]):
            fill_message(message, self._fields, args[0], self._name)
        else:
            self._fields.fill(message, self._named(args) if args else kwargs, self._name)
        return message

    def _stands_for_the_message(self, value: Any) -> bool:
        if isinstance(value, Message):
            return self._is_own(value) or not self._takes_one_message()
        return isinstance(value, Mapping)

    def _is_own(self, value: Message) -> bool:
        return bool(value.DESCRIPTOR.full_name == self._name)

    def _takes_one_message(self) -> bool:
        return len(self._order) == 1 and self._class.DESCRIPTOR.fields[0].message_type is not None

    def _named(self, args: tuple[Any, ...]) -> dict[str, Any]:
        order = ", ".join(self._order)
        if not self._positional:
            text = f"has a oneof, so it takes keywords ({order}), got {len(args)} positional"
            raise SerializationError(f"{self._name}: {text}", not_sent=True)
        if len(args) != len(self._order):
            takes = f"{len(self._order)} positional ({order})" if self._order else "no argument"
            got = f"{len(args)}" if self._order else f"{len(args)} positional"
            raise SerializationError(f"{self._name}: expected {takes}, got {got}", not_sent=True)
        return dict(zip(self._order, args, strict=True))

    def _complete(self, message: Any) -> Any:
        if not message.IsInitialized():
            missing = ", ".join(message.FindInitializationErrors())
            raise SerializationError(f"{self._name}: required fields are missing: {missing}", not_sent=True)
        return message
