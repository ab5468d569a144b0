"""The messages of one method of a Java interface without protobuf: hessian2 in the messages that Dubbo wraps it in.

The path has no signature; the ``argTypes`` of the request choose the overload. An exception that the method threw comes
as an answer whose response header ``tri-exception-code`` is not 0: a provider of 3.3.6 sends so whatever the method and
its filters throw, and a status other than OK only for what it could not serialize or never called.

Source: Dubbo's ``ReflectionPackableMethod`` and ``ExceptionCustomizerWrapper``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from callahead.config.policy import ReferencePolicy

from ...call.attempt import Attempt
from ...call.invocation import Outcome
from ...codec.dubbo import INVOKE, error_of_thrown
from ...codec.hessian2.limits import limits_for
from ...codec.triple import EXCEPTION_HEADER, TripleRequestEncoder, decode_response
from ...errors import RemoteProtocolError, RpcError
from ...interface.java import JavaMethod, JavaSignature, convert_answer
from ...interface.java.signature import INVOKE_SIGNATURE
from ...interface.proto.service import MethodTypes
from ...runtime.weight import outweighs
from .messages import EncodedCall, Messages

# Dubbo 3.3 has no status for it: for a name without methods it fails by a NullPointerException of its own.
_NO_METHOD = re.compile(r'unimplemented method:|"methodDescriptors" is null')
_NO_SERVICE = "UNIMPLEMENTED"


class JavaMessages(Messages):
    """The `Messages` of one method of a Java interface.

    Args:
        method: Chooses the overload.
        types: As `types_of` makes them of it.
        policy: Of the reference.
    """

    def __init__(self, method: JavaMethod, types: MethodTypes, policy: ReferencePolicy) -> None:
        super().__init__(types, method.select, policy)

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> EncodedCall:
        """Choose the overload and serialize the arguments; see `MethodTransport.encode`."""
        chosen = self._build(args, kwargs)
        message = self._serialize(chosen)
        return EncodedCall(message, outweighs(len(message), args, kwargs), chosen[0])

    def decode(self, data: bytes | None, attempt: Attempt, metadata: Mapping[str, Any]) -> Outcome:
        """Make the outcome of an answer, which may be an exception."""
        outcome = super().decode(data, attempt, metadata)
        if outcome.error is not None:
            return outcome
        if metadata.get(EXCEPTION_HEADER, "0") != "0":
            return Outcome(error=error_of_thrown(outcome.value))
        request: EncodedCall = attempt.request
        assert request.signature is not None
        return Outcome(convert_answer(request.signature, outcome.value))

    def failed(self, error: RpcError) -> RpcError:
        """Tell a method that the provider does not have, for which Dubbo has no status.

        A service that it does not have, as while it starts, is ``UNIMPLEMENTED``, which no method of Java says.
        """
        if isinstance(error, RemoteProtocolError) and error.status == _NO_SERVICE:
            error.not_run = True
        if error.status != "UNKNOWN" or _NO_METHOD.search(error.status_text) is None:
            return error
        text = f"the provider does not have this method, or not with these parameter types: {error.status_text}"
        unknown = RemoteProtocolError(text, is_remote=True)
        unknown.status, unknown.status_text = error.status, error.status_text
        return unknown


def types_of(method: JavaMethod, policy: ReferencePolicy) -> MethodTypes:
    """Make the types of *method*, whose messages are Dubbo's wrappers."""
    signatures = (INVOKE_SIGNATURE,) if method.is_generic else method.signatures
    encoders = {
        one.descriptor: TripleRequestEncoder(one.wire_method, one.wire, limits=limits_for(policy.max_request_bytes))
        for one in signatures
    }

    def serialize(chosen: tuple[JavaSignature, list[Any]]) -> bytes:
        return encoders[chosen[0].descriptor].encode(chosen[1])

    return MethodTypes(
        name=method.name,
        path=f"/{policy.interface}/{INVOKE if method.is_generic else signatures[0].wire_method}",
        request_class=None,
        response_class=None,
        serialize=serialize,
        deserialize=partial(decode_response, limits=limits_for(policy.max_response_bytes)),
    )
