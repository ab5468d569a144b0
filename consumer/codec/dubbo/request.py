"""The body of a dubbo request: who is called, the arguments, and the attachments, in one hessian2 stream.

Source: Java ``DubboCodec.encodeRequestData`` and ``DecodeableRpcInvocation``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

from ...call.invocation import NO_ATTACHMENTS
from ...errors import SerializationError
from ..hessian2 import Decoder, Encoder, Limits, dumps
from ..hessian2.limits import DEFAULT_LIMITS
from .attachments import as_attachments, encode_entries
from .descriptor import types_of_descriptor
from .signature import Signature
from .string import encode_string

PROTOCOL_VERSION: Final = "2.0.2"
NO_VERSION: Final = "0.0.0"
END: Final = b"Z"
_CACHED_LENGTH = 512
_cached_types = lru_cache(maxsize=1024)(types_of_descriptor)


class Envelope(NamedTuple):
    """What stands around the arguments in the requests of one method to one provider, made once for both.

    Attributes:
        before: Protocol, path, version, method and descriptor.
        after: The attachments that every request has, without the end of their map.
    """

    before: bytes
    after: bytes

    @classmethod
    def of(
        cls, path: str, version: str, method: str, descriptor: str, attachments: Mapping[str, Any] = NO_ATTACHMENTS
    ) -> Self:
        """Make one.

        Args:
            path: The service as the provider exported it, mostly the interface's name.
            version: Of the service; "" is written as ``0.0.0``.
            method: As Java spells it.
            descriptor: Of its parameters.
            attachments: Those of every request, in the order in which they are written.

        Raises:
            SerializationError: An attachment is neither text nor another scalar.
        """
        head = (PROTOCOL_VERSION, path, version or NO_VERSION, method, descriptor)
        return cls(b"".join(map(encode_string, head)), b"H" + encode_entries(attachments))

    @property
    def size(self) -> int:
        """Bytes of a request without arguments and attachments of its own."""
        return len(self.before) + len(self.after) + len(END)


class ArgumentsEncoder:
    """Makes the arguments of one method into bytes, which are the same for every provider.

    They are a stream of their own: what stands before them is strings, which take no number in it. A body is, in this
    order, `Envelope.before`, the arguments, `Envelope.after`, more attachments (see `encode_entries`) and `END`. May be
    used by any number of threads at once.

    Args:
        method: As Java spells it, for messages.
        signature: Its parameters.
        limits: Of the hessian2 values; the size of the body is the caller's business.
    """

    __slots__ = ("_limits", "_method", "_plain", "_signature", "_writers")

    def __init__(self, method: str, signature: Signature, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._method = method
        self._signature = signature
        self._writers = signature.writers
        self._plain = signature.plain
        self._limits = limits

    def encode(self, args: Sequence[Any]) -> bytes:
        """Encode one value for each parameter.

        Raises:
            SerializationError: They are too many or too few, have no Java form, or pass a limit; ``not_sent`` is set.
        """
        writers = self._writers
        if len(args) != len(writers):
            raise self._signature.wrong_count(self._method, len(args))
        encoder = Encoder(self._limits)
        at = 0
        try:
            for write in writers:
                write(encoder, args[at])
                at += 1
        except Exception as error:
            raise self._signature.refusal(self._method, at, error) from error
        return bytes(encoder.out)

    def encode_plain(self, args: Sequence[Any]) -> bytes | None:
        """Do as `encode` does, in a third of the time, where each argument is a plain value of its type.

        Returns:
            None where one is not, such as None itself or a large number, or where their number is wrong.
        """
        writers = self._plain
        if writers is None or len(writers) != len(args):
            return None
        if len(writers) == 1:
            return writers[0](args[0])
        parts: list[bytes] = []
        for write, value in zip(writers, args, strict=False):
            part = write(value)
            if part is None:
                return None
            parts.append(part)
        return b"".join(parts)


class RequestBody(NamedTuple):
    """A request as a provider reads it.

    Attributes:
        protocol: Version of the dubbo protocol that the consumer speaks.
        path: The service.
        version: Of the service, ``0.0.0`` for none.
        method: As Java spells it.
        descriptor: Of its parameters.
        args: One for each parameter.
        attachments: By name.
        trailing: Bytes behind its end, which mean nothing; dubbo-go sends one.
    """

    protocol: str
    path: str
    version: str
    method: str
    descriptor: str
    args: tuple[Any, ...]
    attachments: dict[str, Any]
    trailing: int = 0


def decode_request(body: bytes, *, limits: Limits = DEFAULT_LIMITS) -> RequestBody:
    """Read the body of a request.

    Raises:
        SerializationError: It is none, or passes a limit.
    """
    decoder = Decoder(body, limits)
    protocol, path = _text(decoder, "protocol version"), _text(decoder, "path")
    version, method = _text(decoder, "service version"), _text(decoder, "method")
    descriptor = _text(decoder, "descriptor")
    try:
        types = (_cached_types if len(descriptor) <= _CACHED_LENGTH else types_of_descriptor)(descriptor)
    except ValueError as error:
        raise SerializationError(f"dubbo request: {error}") from None
    args = tuple([decoder.read() for _ in types])
    attachments = as_attachments(decoder.read(), "request")
    trailing = len(body) - decoder.position
    return RequestBody(protocol, path, version, method, descriptor, args, attachments, trailing)


def _text(decoder: Decoder, what: str) -> str:
    value = decoder.read()
    # Java writes null for a version that is not there.
    if value is None and what.endswith("version"):
        return NO_VERSION if what == "service version" else PROTOCOL_VERSION
    if not isinstance(value, str):
        raise SerializationError(f"dubbo request: the {what} is a {type(value).__name__}, not a string")
    return value


def encode_text_body(text: str) -> bytes:
    """Make the body of an answer whose status is not OK."""
    return dumps(text)
