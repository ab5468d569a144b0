"""Messages packed in an ``Any``, whose types only the method's own pool knows, and lists of field paths."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from google.protobuf import any_pb2, field_mask_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from callahead.conf.foo_pb2 import FindFooRequest
from callahead.consumer.errors import SerializationError
from callahead.consumer.interface.proto.arguments import from_plain, message_builder, to_plain
from callahead.consumer.interface.proto.service import MethodTypes

ANY, MASK = "google.protobuf.Any", "google.protobuf.FieldMask"
FOO = f"type.googleapis.com/{FindFooRequest.DESCRIPTOR.full_name}"


@cache
def box() -> Any:
    """Make a class whose pool has ``own.Inner`` beside it, as reflection or a .proto file makes it."""
    optional, text, message = (
        FieldDescriptorProto.LABEL_OPTIONAL,
        FieldDescriptorProto.TYPE_STRING,
        FieldDescriptorProto.TYPE_MESSAGE,
    )
    inner = DescriptorProto(name="Inner")
    inner.field.add(name="name", number=1, label=optional, type=text)
    outer = DescriptorProto(name="Box")
    outer.field.add(name="packed", number=1, label=optional, type=message, type_name=f".{ANY}")
    outer.field.add(name="mask", number=2, label=optional, type=message, type_name=f".{MASK}")
    pool = DescriptorPool()
    for known in (any_pb2, field_mask_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    file = FileDescriptorProto(name="own.proto", package="own", syntax="proto3", message_type=[inner, outer])
    file.dependency.extend([any_pb2.DESCRIPTOR.name, field_mask_pb2.DESCRIPTOR.name])
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("own.Box"))


def build(**fields: Any) -> Any:
    return message_builder(box())((), fields)


PACKED = [{"@type": "type.googleapis.com/own.Inner", "name": "x"}, {"@type": FOO, "foo_id": "7"}]


@pytest.mark.parametrize("packed", PACKED, ids=["own", "imported"])
def test_a_mapping_becomes_a_packed_message(packed: dict[str, Any]) -> None:
    """Its type is one of the method's own pool, or one that the program has imported; and back."""
    built = build(packed=packed)
    assert built.packed.type_url == packed["@type"]
    assert to_plain(built)["packed"] == packed


@pytest.mark.parametrize("packed", PACKED, ids=["own", "imported"])
def test_json_becomes_a_packed_message(packed: dict[str, Any]) -> None:
    """As the command line passes it."""
    types = MethodTypes(
        name="Do", path="/own.S/Do", request_class=box(), response_class=None, serialize=bytes, deserialize=bytes
    )
    assert from_plain(types, {"packed": packed}) == build(packed=packed)


def test_a_packed_type_that_nobody_knows() -> None:
    """Is an error of the arguments, by the field's name."""
    with pytest.raises(SerializationError, match="packed: expected Any") as caught:
        build(packed={"@type": "type.googleapis.com/no.Such"})
    assert caught.value.not_sent


@pytest.mark.parametrize("mask", [["a", "b.c_d"], ("a", "b.c_d"), "a,b.cD"])
def test_a_field_mask(mask: Any) -> None:
    """Is a list of paths as the ``.proto`` spells them, or protobuf's text."""
    assert list(build(mask=mask).mask.paths) == ["a", "b.c_d"]


def test_what_is_no_field_mask() -> None:
    """A list of anything else."""
    with pytest.raises(SerializationError, match="mask: expected FieldMask, a list of paths or a text"):
        build(mask=["a", 1])
