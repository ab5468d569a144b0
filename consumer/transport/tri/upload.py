"""Methods that take a stream of requests and give one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc

from ...call.attempt import Attempt
from ...call.invocation import Done, Outcome
from ...errors import RpcError
from .channels import SharedChannel
from .metadata import Metadata
from .method import TriMethod, UnaryCall
from .requests import Requests, of_requests


class TriUpload(TriMethod):
    """A `MethodTransport` for uploads: what it encodes is an iterator, of which each message is made when it is due."""

    is_upload = True

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Requests:  # type: ignore[override]
        """Take the one iterable; see `MethodTransport.encode`."""
        return Requests.of(self.messages.types.path, args, kwargs, self.messages.serialize)

    def send(self, attempt: Attempt, done: Done) -> None:
        """Send the requests, on a thread of grpcio; see `MethodTransport.send`."""
        try:
            route = self._routes.to(attempt.provider)
            metadata, _ = self._metadata(route, attempt)
            call = _UploadCall(self, route.connection, attempt, done)
            route.connection.begin(call, 0)
        except RpcError as error:
            done(Outcome(error=error))
            return
        call.upload(route.stream, metadata)


class _UploadCall(UnaryCall):
    """One upload as grpcio carries it."""

    __slots__ = ("_requests",)

    def __init__(self, method: TriUpload, connection: SharedChannel, attempt: Attempt, done: Done) -> None:
        super().__init__(method, connection, attempt, done)
        self._requests: Requests = attempt.request
        if attempt.wants_sent:
            self._requests.on_end = attempt.sent

    def upload(self, stream: grpc.StreamUnaryMultiCallable[bytes, bytes], metadata: Metadata | None) -> None:
        """Begin, and return at once."""
        self._begin(stream.future, self._requests, metadata, self._end_aside)

    def _failed(self, call: Any) -> Outcome:
        error = self._requests.error
        if error is None:
            return super()._failed(call)
        self._note_metadata(call)
        return Outcome(error=of_requests(error))
