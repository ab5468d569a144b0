"""The body of a dubbo request: who is called, the arguments, and the attachments, in one hessian2 stream.

Source: Java ``DubboCodec.encodeRequestData`` and ``DecodeableRpcInvocation``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ...errors import SerializationError
from ..hessian2 import Decoder, Encoder, Limits, dumps
from ..hessian2.limits import DEFAULT_LIMITS
from .attachments import NO_ATTACHMENTS, as_attachments, encode_entries
from .descriptor import types_of_descriptor
from .signature import Signature
from .string import encode_string

PROTOCOL_VERSION: Final = "2.0.2"
NO_VERSION: Final = "0.0.0"
_END = b"Z"
_CACHED_LENGTH = 512
_cached_types = lru_cache(maxsize=1024)(types_of_descriptor)


class RequestEncoder:
    """Makes the request bodies of one method; what does not change from call to call is made once, here.

    The attachments stand last in the body, which is why a body can be begun before a provider is chosen, and ended
    once for each attempt. May be used by any number of threads at once.

    Args:
        path: The service as the provider exported it, mostly the interface's name.
        version: Of the service; "" is written as ``0.0.0``.
        method: As Java spells it.
        signature: Its parameters; a `str` is a JVM descriptor.
        attachments: Those of each call, in the order in which they are written.
        limits: Of the hessian2 values; the size of the body is the caller's business.

    Raises:
        ValueError: The descriptor is none.
        SerializationError: An attachment is neither text nor another scalar.
    """

    __slots__ = ("_constant", "_limits", "_method", "_plain", "_prefix", "_writers", "signature")

    def __init__(
        self,
        path: str,
        version: str,
        method: str,
        signature: str | Signature,
        attachments: Mapping[str, Any] = NO_ATTACHMENTS,
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.signature = Signature.of_descriptor(signature) if isinstance(signature, str) else signature
        head = (PROTOCOL_VERSION, path, version or NO_VERSION, method, self.signature.descriptor)
        self._prefix = b"".join(map(encode_string, head))
        self._constant = b"H" + encode_entries(attachments)
        self._method = method
        self._writers = self.signature.writers
        self._plain = self.signature.plain
        self._limits = limits

    def encode(self, args: Sequence[Any], attachments: Mapping[str, Any] = NO_ATTACHMENTS) -> bytes:
        """Make a whole body.

        Args:
            args: One for each parameter.
            attachments: Of this call only; one that the encoder has already is written again, and wins at the provider.

        Raises:
            SerializationError: The arguments do not fit the parameters, have no Java form, or pass a limit; an
                attachment is no scalar; ``not_sent`` is set.
        """
        return self.finish(self.begin(args), attachments)

    def begin(self, args: Sequence[Any]) -> bytes:
        """Make all of a body but the attachments of this call; raises as `encode` does."""
        writers = self._writers
        if len(args) != len(writers):
            raise self.signature.wrong_count(self._method, len(args))
        encoder = Encoder(self._limits)
        encoder.out += self._prefix
        at = 0
        try:
            for write in writers:
                write(encoder, args[at])
                at += 1
        except Exception as error:
            raise self.signature.refusal(self._method, at, error) from error
        encoder.out += self._constant
        return bytes(encoder.out)

    def begin_plain(self, args: Sequence[Any]) -> bytes | None:
        """Do as `begin` does, in a third of the time, where each argument is a plain value of its type.

        Returns:
            None where one is not, such as None itself or a large number, or where their number is wrong.
        """
        writers = self._plain
        if writers is None or len(writers) != len(args):
            return None
        parts = [self._prefix]
        for write, value in zip(writers, args, strict=True):
            part = write(value)
            if part is None:
                return None
            parts.append(part)
        parts.append(self._constant)
        return b"".join(parts)

    @staticmethod
    def finish(begun: bytes, attachments: Mapping[str, Any] = NO_ATTACHMENTS) -> bytes:
        """End a body that `begin` began; it may be ended more than once, with other attachments."""
        return begun + encode_entries(attachments) + _END if attachments else begun + _END


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
    """

    protocol: str
    path: str
    version: str
    method: str
    descriptor: str
    args: tuple[Any, ...]
    attachments: dict[str, Any]


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
    if not decoder.at_end:
        raise SerializationError(f"dubbo request: {len(body) - decoder.position} bytes follow the attachments")
    return RequestBody(protocol, path, version, method, descriptor, args, attachments)


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
