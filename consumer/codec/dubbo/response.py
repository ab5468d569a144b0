"""The body of a dubbo answer of status OK: what kind it is, the value or exception, and the attachments.

Source: Java ``DubboCodec.encodeResponseData`` and ``DecodeableRpcResult``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...call.invocation import NO_ATTACHMENTS
from ...errors import SerializationError
from ..hessian2 import Decoder, Encoder, Limits
from ..hessian2.limits import DEFAULT_LIMITS
from .attachments import as_attachments, encode_entries, users_of
from .trailing import Trailing, ignore_trailing

EXCEPTION: Final = 0
VALUE: Final = 1
NULL: Final = 2
_WITH_ATTACHMENTS = 3
_FIRST_KIND = 0x90
_KINDS = 6
_PROTOCOL_ENTRY = b"\x05dubbo\x052.0.2"
# What Java writes where the provider's code added no attachment: nearly always.
_PLAIN_END = b"H" + _PROTOCOL_ENTRY + b"Z"
_END_BYTES = len(_PLAIN_END)
_PLAIN_VALUE = _FIRST_KIND + _WITH_ATTACHMENTS + VALUE
_PLAIN_NULL = bytes((_FIRST_KIND + _WITH_ATTACHMENTS + NULL,)) + _PLAIN_END


def decode_response(
    body: bytes, *, limits: Limits = DEFAULT_LIMITS, trailing: Trailing = ignore_trailing
) -> tuple[int, Any, Mapping[str, Any]]:
    """Read the body of an answer whose status is OK.

    Args:
        body: What follows its end is left out, as Java does: dubbo-go writes one null more behind everything.
        limits: Of the hessian2 values.
        trailing: Hears how many bytes that was, where there are any.

    Returns:
        `EXCEPTION`, `VALUE` or `NULL`; the value, or what was thrown, mostly a `JavaThrowable` (see `error_of_thrown`);
        the attachments, without what the protocol adds, such as its version under ``dubbo``.

    Raises:
        SerializationError: It is no such body, or passes a limit; ``in_doubt`` is set, since the method has run.
    """
    # The commonest answers first: an ASCII string of up to 1023 characters, and null.
    if body.endswith(_PLAIN_END):
        if body[0] == _PLAIN_VALUE:
            tag, text = body[1], None
            if 0x30 <= tag < 0x34:
                text, length = body[3:-_END_BYTES], (tag - 0x30) << 8 | body[2]
            elif tag < 0x20:
                text, length = body[2:-_END_BYTES], tag
            if text is not None and len(text) == length and text.isascii():
                return VALUE, text.decode(), NO_ATTACHMENTS
        elif body == _PLAIN_NULL:
            return NULL, None, NO_ATTACHMENTS
    try:
        return _decode(body, limits, trailing)
    except SerializationError as error:
        error.in_doubt = True
        raise


def _decode(body: bytes, limits: Limits, trailing: Trailing) -> tuple[int, Any, Mapping[str, Any]]:
    decoder = Decoder(body, limits)
    kind = body[0] - _FIRST_KIND if body else -1
    if not 0 <= kind < _KINDS:
        raise SerializationError(f"dubbo answer: {body[:1].hex() or 'nothing'} where a kind is expected, 90 to 95")
    decoder.position = 1
    has_attachments = kind >= _WITH_ATTACHMENTS
    kind %= _WITH_ATTACHMENTS
    value = None if kind == NULL else decoder.read()
    attachments = NO_ATTACHMENTS
    if has_attachments:
        at = decoder.position
        if len(body) - at == len(_PLAIN_END) and body.endswith(_PLAIN_END):
            return kind, value, NO_ATTACHMENTS
        attachments = users_of(as_attachments(decoder.read(), "answer"))
    if not decoder.at_end:
        trailing(len(body) - decoder.position)
    return kind, value, attachments


def encode_response(
    value: Any,
    attachments: Mapping[str, Any] | None = NO_ATTACHMENTS,
    *,
    thrown: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """Make the body of an answer whose status is OK.

    Args:
        value: The answer, or the exception: see `make_throwable`.
        attachments: Scalars by name; None for an old consumer (before protocol 2.0.2), which expects none.
        thrown: The method has failed with *value*.
        limits: Of the hessian2 values.

    Raises:
        SerializationError: The value has no Java form or passes a limit, or an attachment is no scalar.
    """
    kind = EXCEPTION if thrown else NULL if value is None else VALUE
    encoder = Encoder(limits)
    encoder.out.append(_FIRST_KIND + kind + (0 if attachments is None else _WITH_ATTACHMENTS))
    if kind != NULL:
        encoder.write(value)
    if attachments is not None:
        encoder.out += b"H" + encode_entries(attachments) + _PROTOCOL_ENTRY + b"Z"
    return bytes(encoder.out)
