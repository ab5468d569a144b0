"""Calls by a generated stub, on whatever channel it is: grpcio's own, or a consumer's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
from connectrpc.conformance.v1 import config_pb2 as config
from connectrpc.conformance.v1.service_pb2_grpc import ConformanceServiceStub

from .messages import Cancellation, compression_of, error_of, metadata_of, seconds_of

_OF_ONE_ANSWER = (config.STREAM_TYPE_UNARY, config.STREAM_TYPE_CLIENT_STREAM)


class StubCall:
    """A `Call` by a stub.

    Args:
        channel: Where the server of the case is.
        request: The case.
        unbounded: What the stub is given as the timeout of a call that has none.
        futures: A single answer is waited for by a future, also where nothing is to be cancelled.
    """

    failures = (grpc.RpcError, grpc.FutureCancelledError)

    def __init__(
        self, channel: grpc.Channel, request: Any, *, unbounded: float | None = None, futures: bool = False
    ) -> None:
        self._method: Any = getattr(ConformanceServiceStub(channel), request.method)
        self._has_one_answer = request.stream_type in _OF_ONE_ANSWER
        self._futures = futures or Cancellation.of(request).is_wanted
        seconds = seconds_of(request)
        self._options = {
            "timeout": unbounded if seconds is None else seconds,
            "metadata": metadata_of(request.request_headers),
            "compression": compression_of(request),
        }
        self._call: Any = None
        self._answers: Iterator[Any] = iter(())

    def begin(self, request: Any) -> None:
        """See `Call.begin`."""
        if not self._has_one_answer:
            self._call = self._answers = self._method(request, **self._options)
        elif self._futures:
            call = self._call = self._method.future(request, **self._options)
            self._answers = (made.result() for made in [call])
        else:
            answer, self._call = self._method.with_call(request, **self._options)
            self._answers = iter([answer])

    def __next__(self) -> Any:
        """See `Call.__next__`."""
        return next(self._answers)

    def cancel(self) -> None:
        """See `Call.cancel`."""
        self._call.cancel()

    def error_of(self, error: Any) -> Any:
        """See `Call.error_of`; the error of a call that blocks is its call as well."""
        call = self._call = self._call or error
        return error_of(call.code(), call.details(), call.trailing_metadata())

    def headers(self) -> Any:
        """See `Call.headers`."""
        return self._call.initial_metadata()

    def trailers(self) -> Any:
        """See `Call.trailers`."""
        return self._call.trailing_metadata()
