"""Errors of what a provider itself said by a status of gRPC, whatever carried it.

Source: gRPC's status codes and Dubbo's ``TriRpcStatus``; differs: what is known of the request's fate is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...codec.status_details import DETAILS_TRAILER, debug_info
from ...errors import (
    CallTimeout,
    LimitExceeded,
    Rejected,
    RemoteError,
    RemoteProtocolError,
    RpcError,
    TransportError,
)

STATUSES: Final = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""Name of each status, by its number."""

# A server that drains, or has no room, cancels calls that no method has seen, and says nothing else.
_NO_TEXT = ("", "CANCELLED")
_REJECTED = ("PERMISSION_DENIED", "UNAUTHENTICATED")


def remote_error(status: str, text: str, attachments: Mapping[str, Any]) -> RpcError:
    """Make the error of an attempt that the provider ended by *status*, never OK, with a *text* and *attachments*."""
    if status == "DEADLINE_EXCEEDED":
        return CallTimeout(_worded("the provider said DEADLINE_EXCEEDED", text), is_remote=True, in_doubt=True)
    if status == "UNAVAILABLE":
        return TransportError(_worded("UNAVAILABLE", text), in_doubt=True)
    if status == "RESOURCE_EXHAUSTED":
        return LimitExceeded(_worded("the provider refused", text), is_remote=True, in_doubt=True)
    if status == "CANCELLED" and text in _NO_TEXT:
        return TransportError("the provider gave the call up, before its method ran or since", in_doubt=True)
    if status == "UNIMPLEMENTED":
        return RemoteProtocolError(_worded("the provider does not have this method", text), is_remote=True)
    if status in _REJECTED:
        return Rejected(_worded(status, text), is_remote=True)
    return RemoteError(_worded(status, text), type_name=status, details=_details(attachments))


def _worded(what: str, text: str) -> str:
    return f"{what}: {text}" if text else what


def _details(attachments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add what the provider put into the status for debugging."""
    if DETAILS_TRAILER not in attachments:
        return attachments
    found = debug_info(attachments[DETAILS_TRAILER])
    return attachments if found is None else {**attachments, "debug_info": found}


def without_answer() -> RemoteProtocolError:
    """Make the error of a call that ended with OK alone, for which gRPC has a status of the client's own."""
    text = "the provider says OK, and sent no answer"
    error = RemoteProtocolError(text, in_doubt=True, status="UNIMPLEMENTED")
    error.status_text = text
    return error
