"""Between the suite's messages and what clients of gRPC have: metadata, statuses, and when to cancel."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import grpc
from connectrpc.conformance.v1 import config_pb2, service_pb2

Pairs = Iterable[tuple[str, str | bytes]]

_DETAILS = "grpc-status-details-bin"
_ROUNDED_S = 0.012
_COMPRESSIONS = {config_pb2.COMPRESSION_GZIP: grpc.Compression.Gzip}


def metadata_of(headers: Iterable[Any]) -> list[tuple[str, str | bytes]]:
    """Make metadata of headers, whose binary values are base64 here."""
    return [(header.name.lower(), _raw(header.name, value)) for header in headers for value in header.value]


def _raw(name: str, value: str) -> str | bytes:
    return base64.b64decode(value + "=" * (-len(value) % 4)) if name.lower().endswith("-bin") else value


def headers_of(metadata: Pairs | None) -> list[Any]:
    """Make headers of metadata."""
    values = defaultdict(list)
    for key, value in metadata or ():
        values[key].append(base64.b64encode(value).decode().rstrip("=") if isinstance(value, bytes) else value)
    return [service_pb2.Header(name=name, value=found) for name, found in values.items()]


def error_of(code: grpc.StatusCode, text: str | None, trailers: Pairs | None) -> Any:
    """Make an error of a status; it has the fields of ``google.rpc.Status``, by number and type."""
    error = service_pb2.Error.FromString(dict(trailers or ()).get(_DETAILS) or b"")
    error.code = code.value[0]
    error.message = text or ""
    return error


def messages_of(request: Any) -> list[Any]:
    """Unpack the messages that a case sends."""
    return [
        getattr(service_pb2, one.TypeName().rpartition(".")[2]).FromString(one.value)
        for one in request.request_messages
    ]


def compression_of(request: Any) -> grpc.Compression | None:
    """Return how a case compresses what it sends."""
    return _COMPRESSIONS.get(request.compression)


def seconds_of(request: Any) -> float | None:
    """Return the timeout of a case, None for no bound; less what gRPC core adds, which rounds up to whole 10 ms."""
    return request.timeout_ms / 1000 - _ROUNDED_S if request.HasField("timeout_ms") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """When a case is cancelled, if at all.

    Attributes:
        before_close: In place of the end of the requests.
        after_close_s: So many seconds after that end; None for not.
        after_answers: As soon as so many answers were read; 0 for not.
    """

    before_close: bool
    after_close_s: float | None
    after_answers: int

    @property
    def is_wanted(self) -> bool:
        """The case is cancelled at all."""
        return self.before_close or self.after_close_s is not None or self.after_answers > 0

    @classmethod
    def of(cls, request: Any) -> Self:
        """Read it out of a case; where that does not say when, it is at once after the end of the requests."""
        cancel, which = request.cancel, request.cancel.WhichOneof("cancel_timing")
        at_close = request.HasField("cancel") and which in {None, "after_close_send_ms"}
        return cls(
            before_close=which == "before_close_send",
            after_close_s=cancel.after_close_send_ms / 1000 if at_close else None,
            after_answers=cancel.after_num_responses,
        )
