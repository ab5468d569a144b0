"""The protobuf messages of Dubbo's ``MetadataServiceV2``, in a pool of their own: a program may have generated them."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE: Final = "org.apache.dubbo.metadata"
_TEXT: Final = FieldDescriptorProto.TYPE_STRING
_INFO: Final = ("name", "group", "version", "protocol")


class Messages(NamedTuple):
    """The classes of a request and of its answer."""

    request: type[Any]
    answer: type[Any]


@cache
def messages() -> Messages:
    """Make the classes, once."""
    file = FileDescriptorProto(name="callahead/metadata_service_v2.proto", package=_PACKAGE, syntax="proto3")
    _message(file.message_type.add(name="MetadataRequest"), "revision")
    info = _message(file.message_type.add(name="ServiceInfoV2"), *_INFO)
    info.field.add(name="port", number=5, type=FieldDescriptorProto.TYPE_INT32, label=_one())
    info.field.add(name="path", number=6, type=_TEXT, label=_one())
    _map(info, "params", 7)
    answer = _message(file.message_type.add(name="MetadataInfoV2"), "app", "version")
    _map(answer, "services", 3, of=f".{_PACKAGE}.ServiceInfoV2")
    pool = DescriptorPool()
    pool.Add(file)
    found = (GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{message.name}")) for message in file.message_type)
    request, _, answered = found
    return Messages(request, answered)


def _one() -> FieldDescriptorProto.Label.ValueType:
    return FieldDescriptorProto.LABEL_OPTIONAL


def _message(message: DescriptorProto, *texts: str) -> DescriptorProto:
    for number, name in enumerate(texts, 1):
        message.field.add(name=name, number=number, type=_TEXT, label=_one())
    return message


def _map(message: DescriptorProto, name: str, number: int, of: str = "") -> None:
    """Add a map from text to text, or to the message *of*."""
    entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
    entry.options.map_entry = True
    _message(entry, "key")
    kind = FieldDescriptorProto.TYPE_MESSAGE if of else _TEXT
    entry.field.add(name="value", number=2, type=kind, type_name=of or None, label=_one())
    message.field.add(
        name=name,
        number=number,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=f".{_PACKAGE}.{message.name}.{entry.name}",
        label=FieldDescriptorProto.LABEL_REPEATED,
    )
