"""The description of a protobuf service."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from ..description import MethodDescription, ParameterDescription, ServiceDescription
from .service import MethodTypes, ServiceTypes

_SCALARS = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in (
        *("double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes", "uint32"),
        *("sfixed32", "sfixed64", "sint32", "sint64"),
    )
}


def describe_service(types: ServiceTypes) -> ServiceDescription:
    """Describe every method of a service; its parameters are the fields of the request."""
    return ServiceDescription(types.interface, types.source, tuple(map(_described, types.methods.values())))


def _described(method: MethodTypes) -> MethodDescription:
    response = method.response_class
    return MethodDescription(
        name=method.name,
        parameters=None if method.request_class is None else _fields(method.request_class),
        returns="" if response is None else response.DESCRIPTOR.full_name,
        types=method,
    )


def _fields(message_class: type[Any]) -> tuple[ParameterDescription, ...]:
    ordered = sorted(message_class.DESCRIPTOR.fields, key=lambda field: field.number)
    return tuple(ParameterDescription(field.name, _type_name(field)) for field in ordered)


def _type_name(field: FieldDescriptor) -> str:
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        key, value = message.fields
        return f"map<{_single(key)}, {_single(value)}>"
    return f"repeated {_single(field)}" if field.is_repeated else _single(field)


def _single(field: FieldDescriptor) -> str:
    named = field.message_type or field.enum_type
    return _SCALARS[field.type] if named is None else named.full_name
