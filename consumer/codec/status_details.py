"""What a gRPC status says beside its code and text, in the trailer ``grpc-status-details-bin``.

Dubbo's providers before 3.3 put the Java stack there, as ``google.rpc.DebugInfo``; so may any gRPC server.

Source: ``google/rpc/status.proto``, ``error_details.proto``, and Dubbo's ``AbstractTripleClientStream``.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message, message_factory

DETAILS_TRAILER: Final = "grpc-status-details-bin"
_DEBUG_INFO: Final = "google.rpc.DebugInfo"
_FIELD = descriptor_pb2.FieldDescriptorProto


def _message_classes() -> tuple[Any, Any]:
    """Make the classes in a pool of their own: the package that has them is no dependency, but may be imported."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name="details.proto", package="google.rpc", syntax="proto3", dependency=[any_pb2.DESCRIPTOR.name]
    )
    status, debug = file.message_type.add(name="Status"), file.message_type.add(name="DebugInfo")
    many, one = _FIELD.LABEL_REPEATED, _FIELD.LABEL_OPTIONAL
    any_type = ".google.protobuf.Any"
    status.field.add(name="details", number=3, type=_FIELD.TYPE_MESSAGE, type_name=any_type, label=many)
    debug.field.add(name="stack_entries", number=1, type=_FIELD.TYPE_STRING, label=many)
    debug.field.add(name="detail", number=2, type=_FIELD.TYPE_STRING, label=one)
    pool.Add(file)
    found = [
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"google.rpc.{n.name}")) for n in (status, debug)
    ]
    return found[0], found[1]


_Status, _DebugInfo = _message_classes()


def debug_info(data: object) -> dict[str, Any] | None:
    """Read the first ``DebugInfo`` in the bytes of a `DETAILS_TRAILER`.

    Returns:
        ``stack_entries``, a tuple of lines, and ``detail``, a text; None where there is none, or *data* is no such
        status: a status' details are for reading, and must not hide the status.
    """
    if not isinstance(data, bytes):
        return None
    try:
        details = _Status.FromString(data).details
        found = [_DebugInfo.FromString(one.value) for one in details if one.type_url.rpartition("/")[2] == _DEBUG_INFO]
    except message.DecodeError:
        return None
    return {"stack_entries": tuple(found[0].stack_entries), "detail": found[0].detail} if found else None
