"""From a provider's statuses and exceptions to callahead's errors.

A status other than OK comes with a text and says that dubbo failed; an exception in an answer of status OK was thrown
by the method, or by dubbo at the provider as ``RpcException`` with a code of its own.

Source: Java ``DefaultFuture.doReceived`` and ``RpcException``, dubbo-go ``doHandleRequest``; differs: each error says
whether the method may have run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ...errors import (
    CallTimeout,
    ConnectionLost,
    LimitExceeded,
    NoProviderAvailable,
    Rejected,
    RemoteError,
    RemoteProtocolError,
    RpcError,
    SerializationError,
    TransportError,
)
from ...runtime.shown import shown
from ...wire.header import STATUSES
from ..hessian2 import Decoder, JavaObject, JavaThrowable
from ..hessian2.binding import binding_of_class
from ..hessian2.handles import java_class_of
from .trailing import Trailing, ignore_trailing

_RPC_EXCEPTIONS = (
    "org.apache.dubbo.rpc.RpcException",
    "com.alibaba.dubbo.rpc.RpcException",
    "org.apache.dubbo.rpc.StatusRpcException",
)
_GENERIC_EXCEPTIONS = (
    "org.apache.dubbo.rpc.service.GenericException",
    "com.alibaba.dubbo.rpc.service.GenericException",
)
_THROWABLE_FIELDS = ("detailMessage", "cause", "stackTrace", "suppressedExceptions")
_CLASS_AT_START = re.compile(r"((?:[a-z][\w$]*\.)+[A-Z][\w$]*)(?:: (.*)|$)")
_STACK_LINE = "\n\tat "
_NOT_EXPORTED = "RemotingException: Not found exported service"
# The words of the token filter, the one check of rights that Dubbo itself has; 2.6 to 3.3 have them, tri a status too.
_FORBIDDEN = re.compile(r"[\w.]+\.RpcException: (?:Invalid token! )?Forbid invoke remote service ")
# dubbo-go has no codes and answers with status OK: these are the words of its protocol, proxy and token filter.
_GO_EXCEPTION = "java.lang.Throwable"
_GO_NOT_EXPORTED = re.compile(r"don't have this exporter, key: |cannot find (?:service|method) \[")
_GO_REJECTED = re.compile(r"Invalid token! Forbid invoke remote service ")
_MAX_CAUSES: Final = 64
_SHOWN_BYTES = 40


def status_error(status: int, body: bytes, *, trailing: Trailing = ignore_trailing) -> RpcError:
    """Make the error of an answer whose status is not OK.

    Args:
        status: Any byte but 20.
        body: One hessian string; where it is none, its first bytes are shown in its place.
        trailing: Hears how many bytes follow the string, where there are any.
    """
    text = _text_of(body, trailing)
    make = _BY_STATUS.get(status, _unknown_status)
    error = make(f"{STATUSES.get(status, 'unknown status')} ({status}): {_headline(text)}", text)
    error.status, error.status_text = str(status), text
    return error


def _text_of(body: bytes, trailing: Trailing) -> str:
    try:
        decoder = Decoder(body)
        text = decoder.read()
    except SerializationError:
        text = None
    if not isinstance(text, str):
        return f"(no text, but {len(body)} bytes: {body[:_SHOWN_BYTES].hex()})"
    if not decoder.at_end:
        trailing(len(body) - decoder.position)
    return text


def _headline(text: str) -> str:
    """Leave out the Java stack, which stays in ``status_text``."""
    return text.partition(_STACK_LINE)[0].partition("\n")[0] or "no reason was given"


def _serialization(message: str, _: str) -> RpcError:
    return SerializationError(message, is_remote=True, in_doubt=True)


def _timeout(message: str, _: str) -> RpcError:
    return CallTimeout(message, is_remote=True, in_doubt=True)


def _inactive(message: str, _: str) -> RpcError:
    return ConnectionLost(message, is_remote=True, in_doubt=True)


def _bad_request(message: str, _: str) -> RpcError:
    hint = "; does the provider have this service (group, version) and this method with these parameter types?"
    error = RemoteProtocolError(message + hint, is_remote=True)
    error.not_run = True
    return error


def _not_exported(message: str, _: str) -> RpcError:
    # Another provider may have it: Java, to which this is RpcException NETWORK, asks another one too.
    hint = "; does the provider have this service in this group and version, or is it about to stop?"
    return NoProviderAvailable(message + hint, is_remote=True)


def _bad_response(message: str, _: str) -> RpcError:
    return RemoteProtocolError(message, is_remote=True, in_doubt=True)


def _service_error(message: str, text: str) -> RpcError:
    if _NOT_EXPORTED in text.partition("\n")[0]:  # an unknown group or version; 2.7 says so too while it stops
        return _not_exported(message, text)
    if _FORBIDDEN.match(text):
        return Rejected(message, is_remote=True)
    headline = _headline(text)
    found = _CLASS_AT_START.match(headline)
    name, alone = ("", headline) if found is None else found.groups()
    details: dict[str, Any] = {"message": alone, "stack": (), "cause": None, "fields": {}, "thrown": None}
    # The filters of the provider fail this way, before or after the method.
    return RemoteError(message, type_name=name, details=details, in_doubt=True)


def _exhausted(message: str, _: str) -> RpcError:
    return LimitExceeded(message, is_remote=True)


_unknown_status = _bad_response
_BY_STATUS: Mapping[int, Callable[[str, str], RpcError]] = {
    25: _serialization,
    30: _timeout,
    31: _timeout,
    35: _inactive,
    40: _bad_request,
    50: _bad_response,
    60: _not_exported,
    70: _service_error,
    80: _service_error,
    90: _bad_response,
    100: _exhausted,
}


def error_of_thrown(thrown: Any) -> RpcError:
    """Make the error of an exception in an answer.

    A `RemoteError` has the Java class as ``type_name``, ``Class: message`` as its message, its causes as ``__cause__``
    one after another, and ``details``: ``message`` alone, ``stack`` (tuple of `StackFrame`), ``cause`` (a `RemoteError`
    or None), ``fields`` (those of the exception's own class) and ``thrown`` (what was decoded). Dubbo's own exceptions
    become the error that their code means, with that `RemoteError` as its cause.

    Args:
        thrown: What `decode_response` gave with `EXCEPTION`.
    """
    error = _remote_error(thrown, set())
    mapped = _of_framework(error)
    if mapped is None:
        return error
    mapped.__cause__ = error
    mapped.status_text = str(error.details["message"])
    return mapped


def _of_framework(error: RemoteError) -> RpcError | None:
    """Make the error of what dubbo itself threw at the provider; None where the method did."""
    if error.type_name in _RPC_EXCEPTIONS:
        code = error.details["fields"].get("code")
        mapped = _of_code(code, error.message) if isinstance(code, int) else None
        if mapped is not None:
            mapped.status = f"RpcException {code}"
        return mapped
    text = error.details["message"]
    if error.type_name != _GO_EXCEPTION or text is None or error.details["stack"]:
        return None
    if _GO_REJECTED.match(text):
        return Rejected(error.message, is_remote=True)
    return _not_exported(error.message, text) if _GO_NOT_EXPORTED.match(text) else None


def _of_code(code: int, message: str) -> RpcError | None:
    """Make the error of ``RpcException.getCode()``; None where it says no more than that the provider failed."""
    if code == 1:
        return TransportError(f"the provider lost a connection of its own: {message}", is_remote=True, in_doubt=True)
    if code in (2, 8):
        return CallTimeout(message, is_remote=True, in_doubt=True)
    if code in (4, 12, 13):
        return Rejected(message, is_remote=True)
    if code == 5:
        return SerializationError(message, is_remote=True, in_doubt=True)
    if code == 7:
        return LimitExceeded(message, is_remote=True)
    if code == 11:
        return RemoteProtocolError(message, is_remote=True)
    return None


def _remote_error(thrown: Any, above: set[int]) -> RemoteError:
    above.add(id(thrown))
    fields = _fields(thrown)
    name = _class_of(thrown)
    text = fields.get("detailMessage")
    if name in _GENERIC_EXCEPTIONS and isinstance(fields.get("exceptionClass"), str):
        name, text = fields["exceptionClass"], fields.get("exceptionMessage")
    message = text if isinstance(text, str) else None
    cause = _cause(fields.get("cause"), above)
    error = RemoteError(
        name if message is None else f"{name}: {message}",
        type_name=name,
        details={
            "message": message,
            "stack": thrown.stack if isinstance(thrown, JavaThrowable) else (),
            "cause": cause,
            "fields": {key: value for key, value in fields.items() if key not in _THROWABLE_FIELDS},
            "thrown": thrown,
        },
    )
    error.__cause__ = cause
    return error


def _cause(cause: Any, above: set[int]) -> RemoteError | None:
    """Convert a cause; Java marks "none" by the exception itself, and a peer may make any other circle."""
    if cause is None or id(cause) in above or len(above) >= _MAX_CAUSES:
        return None
    return _remote_error(cause, above)


def _fields(thrown: Any) -> Mapping[str, Any]:
    if isinstance(thrown, JavaObject):
        return thrown.fields
    binding = binding_of_class(type(thrown))
    if binding is None:  # no exception at all, but somebody sent it as one
        return {"detailMessage": thrown if isinstance(thrown, str) else None if thrown is None else shown(thrown)}
    return {name: getattr(thrown, attribute) for name, attribute in binding.attributes.items()}


def _class_of(thrown: Any) -> str:
    if isinstance(thrown, JavaObject):
        return thrown.java_class
    binding = binding_of_class(type(thrown))
    return java_class_of(thrown) if binding is None else binding.java_class
