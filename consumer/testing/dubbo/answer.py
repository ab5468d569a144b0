"""What a function gave or raised, as the answer that a dubbo consumer reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc

from callahead.config.extension import nearest

from ...codec.dubbo import encode_response, encode_text_body, make_throwable, throwable_of
from ...codec.hessian2 import JavaThrowable
from ...errors import RemoteError, RpcError, SerializationError
from ...wire import OK, STATUSES
from ..mistake import wrong
from ..script import SCRIPTED, Error

_GENERIC_EXCEPTION = "org.apache.dubbo.rpc.service.GenericException"
_BAD_RESPONSE = 50
_NUMBERS = {name: number for number, name in STATUSES.items() if number != OK}


class Reply(NamedTuple):
    """The answer to one request.

    Attributes:
        status: Of the response frame.
        body: Its body.
        outcome: What the provider's record says of the call.
    """

    status: int
    body: bytes
    outcome: str


def text_answer(status: int, text: str) -> Reply:
    """Make an answer whose status is not OK."""
    return Reply(status, encode_text_body(text), STATUSES[status])


def value_answer(value: Any, attachments: Mapping[str, Any] | None) -> Reply:
    """Make the answer of a call that went well.

    Raises:
        SerializationError: The value has no Java form.
    """
    return Reply(OK, encode_response(value, attachments), "OK")


def unwritable_answer(what: str, error: SerializationError) -> Reply:
    """Make the answer for what cannot be written, as Java does."""
    return text_answer(_BAD_RESPONSE, f"Failed to send response: {what}, cause: {error.message}")


def error_answer(error: BaseException, attachments: Mapping[str, Any] | None, *, generic: bool = False) -> Reply:
    """Make the answer of a call that failed: a status where *error* has one, else a Java exception.

    Args:
        error: What a function raised, or a script asked for.
        attachments: Beside an exception; None for an old consumer.
        generic: The exception is told by name, for a consumer that has no classes.

    Raises:
        SerializationError: The exception has a field that has no Java form.
    """
    status = _status_of(error)
    if status is not None:
        assert isinstance(error, RpcError)
        return text_answer(status, error.status_text or error.message)
    thrown = _thrown(error)
    sent = _as_generic(thrown) if generic else thrown
    return Reply(OK, encode_response(sent, attachments, thrown=True), thrown.java_class)


def make_dubbo_error(error: Error) -> BaseException:
    """Make the exception that ends a call as *error* says.

    Args:
        error: An exception; a `JavaThrowable`; the full name of a Java class; a status by number or name; either of
            the last two in a pair with a message.

    Raises:
        ConfigError: It is none of these.
    """
    if isinstance(error, BaseException):
        return error
    if isinstance(error, JavaThrowable):
        return RemoteError(error.message or "", type_name=error.java_class, details={"thrown": error})
    code, message = error if isinstance(error, tuple) else (error, SCRIPTED)
    if isinstance(code, str) and "." in code:
        return RemoteError(message, type_name=code)
    number = None if isinstance(code, grpc.StatusCode) else _number(str(code))
    if number is None:
        shown = code.name if isinstance(code, grpc.StatusCode) else code
        raise wrong(
            f'"{shown}" is neither a dubbo error status nor the full name of a Java class',
            nearest(str(shown), _NUMBERS),
        )
    return RemoteError(message, status=str(number))


def _status_of(error: BaseException) -> int | None:
    return _number(error.status) if isinstance(error, RpcError) else None


def _number(status: str) -> int | None:
    found = _NUMBERS.get(status)
    if found is None and status.isdecimal() and int(status) in _NUMBERS.values():
        return int(status)
    return found


def _thrown(error: BaseException) -> JavaThrowable:
    """Give what came from another provider unchanged, with its stack."""
    passed = error.details.get("thrown") if isinstance(error, RemoteError) else None
    return passed if isinstance(passed, JavaThrowable) else throwable_of(error)


def _as_generic(thrown: JavaThrowable) -> JavaThrowable:
    fields = {"exceptionClass": thrown.java_class, "exceptionMessage": thrown.message}
    return make_throwable(_GENERIC_EXCEPTION, thrown.message, fields=fields)
