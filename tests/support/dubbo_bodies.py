"""Bodies and frames of the dubbo protocol as a peer may send them, from a method's types and plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callahead.consumer.codec.dubbo import ArgumentsEncoder, Envelope, parse_type, types_of_descriptor
from callahead.consumer.codec.dubbo.attachments import encode_entries
from callahead.consumer.codec.dubbo.request import END
from callahead.consumer.interface.java import JavaSignature
from callahead.consumer.wire import read_only_frame


def signature_of(method: str, types: str | Sequence[str]) -> JavaSignature:
    """The parameters of *method*: a JVM descriptor, or Java type names."""
    parsed = types_of_descriptor(types) if isinstance(types, str) else map(parse_type, types)
    return JavaSignature(wire_method=method, types=tuple(parsed))


def request_body(
    path: str,
    method: str,
    types: str | Sequence[str] = (),
    args: Sequence[Any] = (),
    attachments: Mapping[str, Any] | None = None,
    *,
    version: str = "",
) -> bytes:
    """A whole body, with *args* converted to what *types* declare."""
    signature = signature_of(method, types)
    around = Envelope.of(path, version, method, signature.descriptor)
    arguments = ArgumentsEncoder(method, signature.wire).encode(signature.convert(args))
    return around.before + arguments + around.after + encode_entries(attachments or {}) + END


def writable_frame(request_id: int) -> bytes:
    """The event that takes a read-only one back."""
    return read_only_frame(request_id).replace(b"\x01R", b"\x01W")
