"""Interceptors as tracers put them around every channel of a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc


class Tracer(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[type-arg]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[type-arg]
    grpc.StreamStreamClientInterceptor,  # type: ignore[type-arg]
):
    """Stands around each call and traces nothing."""

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Pass on."""
        return continuation(details, request)

    def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        """Pass on."""
        return continuation(details, requests)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        """Pass on."""
        return continuation(details, request)

    def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        """Pass on."""
        return continuation(details, requests)


class GeneratingTracer(Tracer):
    """Makes generators of streams of answers, as OpenTelemetry's does."""

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Iterator[Any]:
        """Pass on, answer by answer."""
        yield from continuation(details, request)

    def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Iterator[Any]:
        """Pass on, answer by answer."""
        yield from continuation(details, requests)
