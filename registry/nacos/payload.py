"""What is said with Nacos over gRPC: one message for everything, which carries the name of a type and JSON.

Source: Nacos ``nacos_grpc_service.proto``. The messages are described here rather than generated, since generated code
is bound to a version of protobuf; they stand in a pool of their own, and so in nobody's way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from ..errors import RegistryError

Body = Mapping[str, Any]

_Field = descriptor_pb2.FieldDescriptorProto


class Message(NamedTuple):
    """One request, answer or push."""

    kind: str
    body: Body


def encode(message: Message, headers: Mapping[str, str], host: str) -> bytes:
    """Write *message*, as said by *host*."""
    payload = _PAYLOAD()
    payload.metadata.type = message.kind
    payload.metadata.clientIp = host
    payload.metadata.headers.update(headers)
    payload.body.value = json.dumps(message.body).encode()
    return payload.SerializeToString()  # type: ignore[no-any-return]


def decode(data: bytes) -> Message:
    """Read what a server said.

    Raises:
        RegistryError: It makes no sense.
    """
    try:
        payload = _PAYLOAD.FromString(data)
        body = json.loads(payload.body.value)
    except (DecodeError, ValueError, RecursionError):
        raise RegistryError("the server said something that is no message of Nacos") from None
    if not isinstance(body, dict):
        raise RegistryError("the server said JSON that is no object")
    return Message(payload.metadata.type, body)


def _field(name: str, number: int, of: str = "", *, many: bool = False) -> descriptor_pb2.FieldDescriptorProto:
    return _Field(
        name=name,
        number=number,
        type=_Field.TYPE_MESSAGE if of else _Field.TYPE_STRING,
        type_name=of or None,
        label=_Field.LABEL_REPEATED if many else _Field.LABEL_OPTIONAL,
    )


def _described() -> descriptor_pb2.FileDescriptorProto:
    header = descriptor_pb2.DescriptorProto(name="HeadersEntry", field=[_field("key", 1), _field("value", 2)])
    header.options.map_entry = True
    fields = [_field("type", 3), _field("headers", 7, ".Metadata.HeadersEntry", many=True), _field("clientIp", 8)]
    metadata = descriptor_pb2.DescriptorProto(name="Metadata", field=fields, nested_type=[header])
    parts = [_field("metadata", 2, ".Metadata"), _field("body", 3, ".google.protobuf.Any")]
    payload = descriptor_pb2.DescriptorProto(name="Payload", field=parts)
    return descriptor_pb2.FileDescriptorProto(
        name="nacos_grpc_service.proto",
        syntax="proto3",
        dependency=[any_pb2.DESCRIPTOR.name],
        message_type=[metadata, payload],
    )


def _payload() -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(_described())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Payload"))


_PAYLOAD = _payload()
