"""Calls by a reference, as far as one can say what a case asks for; ``cases/reference.skip.txt`` names the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import grpc
from connectrpc.conformance.v1 import config_pb2 as config
from connectrpc.conformance.v1 import service_pb2

from callahead.consumer import Consumer, RpcContext, RpcError
from callahead.consumer.channel.faces import grpc_error

from .messages import Pairs, error_of, metadata_of

RequestInfo = service_pb2.ConformancePayload.RequestInfo


class ReferenceCall:
    """A `Call` by the reference ``conformance`` of *consumer*, whose configuration has the timeout."""

    failures = (RpcError, CancelledError)

    def __init__(self, consumer: Consumer, request: Any) -> None:
        self._method = getattr(consumer.reference("conformance"), request.method)
        self._stream_type = request.stream_type
        # Where the case asks for none, a unary call has the built-in timeout all the same, and the server tells of it.
        self._is_unbounded = not request.HasField("timeout_ms") and self._stream_type == config.STREAM_TYPE_UNARY
        self._context = RpcContext.get_context()
        self._context.attachments.update(_joined(metadata_of(request.request_headers)))
        self._call: Any = None
        self._answers: Iterator[Any] = iter(())

    def begin(self, request: Any) -> None:
        """See `Call.begin`."""
        if self._stream_type == config.STREAM_TYPE_UNARY:
            call = self._call = self._method.future(request)
            self._answers = (made.result() for made in [call])
        elif self._stream_type == config.STREAM_TYPE_CLIENT_STREAM:
            self._answers = iter([self._method(request)])
        else:
            self._call = self._answers = self._method(request)

    def __next__(self) -> Any:
        """See `Call.__next__`."""
        answer = next(self._answers)
        if self._is_unbounded:
            answer.payload.request_info.ClearField("timeout_ms")
        return answer

    def _without_timeout(self, error: Any) -> Any:
        """Take the timeout out of what the server tells of the request in *error*."""
        info = RequestInfo()
        for detail in error.details:
            if self._is_unbounded and detail.Unpack(info):
                info.ClearField("timeout_ms")
                detail.Pack(info)
        return error

    def cancel(self) -> None:
        """See `Call.cancel`."""
        self._call.cancel()

    def error_of(self, error: BaseException) -> Any:
        """See `Call.error_of`."""
        if not isinstance(error, RpcError):
            return error_of(grpc.StatusCode.CANCELLED, "", ())
        face: Any = grpc_error(error)
        return self._without_timeout(error_of(face.code(), face.details(), self.trailers()))

    def headers(self) -> Any:
        """See `Call.headers`; a reference does not tell them from trailers."""
        return self._context.response_attachments.items()

    def trailers(self) -> Any:
        """See `Call.trailers`."""
        return self._context.response_attachments.items()


def _joined(metadata: Pairs) -> dict[str, str | bytes]:
    """Join the values of a key with commas, as HTTP allows: an attachment has one value."""
    values = defaultdict(list)
    for key, value in metadata:
        values[key].append(value)
    return {key: b",".join(found) if isinstance(found[0], bytes) else ",".join(found) for key, found in values.items()}
