"""The messages of one gRPC method, whatever carries them: of arguments bytes, and of bytes an outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from callahead.config.policy import ReferencePolicy

from ...call.attempt import Attempt
from ...call.invocation import Outcome
from ...errors import RpcError, SerializationError
from ...interface.proto.service import MethodTypes
from ...runtime.weight import outweighs
from ..request_limit import check_request_size
from .remote import without_answer

if TYPE_CHECKING:
    from ...interface.java import JavaSignature

_SMALL: Final = 256  # what fewer bytes are made of weighs no more than the rest of a call
_new = tuple.__new__

Builder = Callable[[tuple[Any, ...], Mapping[str, Any]], Any]
"""Makes a request of the arguments of a call."""


class EncodedCall(NamedTuple):
    """What `Messages.encode` makes of a call's arguments.

    Attributes:
        message: The bytes to send.
        more: By how many bytes the arguments themselves, which the call keeps, are larger.
        signature: Of the overload that was chosen, where the interface is one of Java.
    """

    message: bytes
    more: int
    signature: JavaSignature | None = None

    @property
    def size(self) -> int:
        """Bytes of the message."""
        return len(self.message)

    @property
    def key(self) -> bytes:
        """The message, which over Java interfaces names the types of the arguments too."""
        return self.message


class Messages:
    """Between the arguments and answers of a method and their bytes.

    Args:
        types: What it is called with.
        build: Makes the request of a call's arguments.
        policy: Of the reference.

    Attributes:
        types: As given.
    """

    def __init__(self, types: MethodTypes, build: Builder, policy: ReferencePolicy) -> None:
        self.types = types
        self._build = build
        self._policy = policy
        self._most = policy.max_request_bytes
        # A serializer that is not known may make little of much.
        self._small = 0 if types.request_class is None else _SMALL

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> EncodedCall:
        """Serialize the arguments; see `MethodTransport.encode`."""
        message = self._serialize(self._build(args, kwargs))
        size = len(message)
        if size <= self._small or (len(args) == 1 and args[0] is message):
            return _new(EncodedCall, (message, 0, None))
        return EncodedCall(message, outweighs(size, args, kwargs))

    def serialize(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """Make the bytes of one request, which may be one of a stream."""
        return self._serialize(self._build(args, kwargs))

    def _serialize(self, request: Any) -> bytes:
        try:
            data = self.types.serialize(request)
        except RpcError:
            raise
        except Exception as error:
            text = f"{type(request).__name__} cannot be serialized for {self.types.path}: {error}"
            raise SerializationError(text, not_sent=True) from error
        if type(data) is not bytes:
            text = f"the serializer of {self.types.path} gives {type(data).__name__}, and bytes are sent"
            raise SerializationError(text, not_sent=True)
        if len(data) > self._most:
            check_request_size(len(data), self._policy)
        return data

    def decode(self, data: bytes | None, attempt: Attempt, metadata: Mapping[str, Any]) -> Outcome:
        """Make the outcome of an answer to *attempt*, with which *metadata* came; None is no answer, but for "OK"."""
        del attempt, metadata
        if data is None:
            return Outcome(error=without_answer())
        try:
            return Outcome(self.types.deserialize(data))
        except RpcError as ours:
            return Outcome(error=ours)
        except Exception as error:  # a codec may raise anything over a peer's bytes
            expected = self.types.response_class
            name = self.types.path if expected is None else expected.DESCRIPTOR.full_name
            text = f"the answer of {len(data)} bytes is no {name}: {error}"
            failure = SerializationError(text, is_remote=True, in_doubt=True)
            failure.__cause__ = error
            return Outcome(error=failure)

    def failed(self, error: RpcError) -> RpcError:
        """Return the error of a call that ended with a status other than OK, as who knows the messages words it."""
        return error
