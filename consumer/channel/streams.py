"""The streaming methods of a generated stub, at a chosen provider."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from ..call.attempt import Attempt
from ..call.invocation import Outcome
from ..call.plain import plain_items
from ..errors import RpcError
from ..reference.stream import begin_stream
from ..runtime.deadline import bound_of
from ..transport.api import MethodTransport
from ..transport.tri.compression import with_compression
from ..transport.tri.credentials import plugins_of
from ..transport.tri.metadata import Metadata
from ..transport.tri.options import GrpcOptions
from ..transport.tri.stream import with_end
from .carried import StreamingMethod
from .carried import carry as carry_own
from .faces import raise_face
from .parts import PassingTransport, checked_timeout, grpc_options

if TYPE_CHECKING:
    from ..reference.caller import Chain
    from ..reference.ending import Runtime
    from ..reference.pipeline import Pipeline

Carry = Callable[[Attempt, str, GrpcOptions], Any]
"""Begins an attempt, and returns what the view of that name of grpcio's callable would."""


class PassedStream:
    """One streaming method of a stub.

    Args:
        ensure_open: Raises where the stub's channel is closed.
        timed: Gives a chain the time of a call.
        pipeline: Of the reference.
        carrier: Stands for the method towards the chain, of which it uses the head alone.
        name: Of the method.
        carry: Begins each call.
    """

    def __init__(
        self,
        ensure_open: Callable[[], None],
        timed: Callable[[Chain, float], Chain],
        pipeline: Pipeline,
        carrier: MethodTransport,
        name: str,
        carry: Carry,
    ) -> None:
        self._ensure_open = ensure_open
        self._timed = timed
        self._policy = pipeline.policy
        self._choose = pipeline.choose
        self._watcher = pipeline.stream_watcher
        self._binding = pipeline.bind(name, is_streaming=True)
        self._carrier = carrier
        self._carry = carry

    def _begin(self, view: str, request: Any, timeout: float | None, *more: Any) -> Any:
        self._ensure_open()
        try:
            options = grpc_options(self._policy, *more)
            given = None if timeout is None else self._given(timeout)
            attempt = begin_stream(self._binding, self._carrier, self._choose, (request,), {}, given)
            if attempt.record.collected is None and self._watcher is None:
                return self._carry(attempt, view, options)
            return self._followed(attempt, lambda: self._carry(attempt, view, options))
        except RpcError as error:
            raise_face(error)

    def _given(self, timeout: float) -> tuple[Chain, float]:
        seconds = checked_timeout(timeout)
        return self._timed(self._binding.chain, timeout), seconds

    def _followed(self, attempt: Attempt, pass_on: Callable[[], Any]) -> Any:
        """Begin a stream that is shown or counted, and note its end; now, where *pass_on* returns the answer."""
        watcher = self._watcher

        def end(error: BaseException | None = None) -> None:
            attempt.record.end(self._binding.runtime.clock())
            if watcher is not None:
                watcher.attempt_ended(attempt, Outcome(error=error))

        if watcher is not None:
            watcher.attempt_began(attempt)
        try:
            begun = pass_on()
        except BaseException as error:
            end(error)
            raise

        if not (isinstance(begun, grpc.RpcContext) and begun.add_callback(end)):
            end()
        return begun


class PassedUnaryStream(PassedStream, grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]
    """One request, and a stream of answers."""

    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Begin the stream; the rest is grpcio's."""
        return self._begin("__call__", request, timeout, metadata, credentials, wait_for_ready, compression)


class PassedStreamStream(PassedStream, grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]
    """Streams both ways."""

    def __call__(
        self,
        request_iterator: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Begin the streams; the rest is grpcio's."""
        requests = plain_items(request_iterator)
        return self._begin("__call__", requests, timeout, metadata, credentials, wait_for_ready, compression)


class PassedStreamUnary(PassedStream, grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    """A stream of requests, and one answer."""

    def __call__(
        self,
        request_iterator: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Stream requests, and wait for the answer."""
        requests = plain_items(request_iterator)
        return self._begin("__call__", requests, timeout, metadata, credentials, wait_for_ready, compression)

    def with_call(
        self,
        request_iterator: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Stream requests, wait for the answer, and return it with its call."""
        requests = plain_items(request_iterator)
        return self._begin("with_call", requests, timeout, metadata, credentials, wait_for_ready, compression)

    def future(
        self,
        request_iterator: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Stream requests and return the future of the answer."""
        requests = plain_items(request_iterator)
        return self._begin("future", requests, timeout, metadata, credentials, wait_for_ready, compression)


def by_grpcio(find: Callable[[], PassingTransport], bind: Callable[[grpc.Channel], Any], runtime: Runtime) -> Carry:
    """Let grpcio carry the calls of what *bind* finds on a channel, over the transport that *find* returns."""
    keep = partial(_let_go, runtime)

    def carry(attempt: Attempt, view: str, options: GrpcOptions) -> Any:
        bound, metadata, compression = bound_of(attempt.timeout), options.metadata, options.compression
        if view == "future":
            metadata, compression = with_compression(metadata, compression), None

        def begin(channel: grpc.Channel, own: Metadata) -> Any:
            call = getattr(bind(channel), view)
            more = (options.credentials, options.wait_for_ready, compression)
            return call(attempt.args[0], bound, own + metadata or None, *more)

        return with_end(find().pass_on(attempt, begin), keep)

    return carry


def _let_go(_: Runtime) -> None:
    """Do nothing: until a stream of grpcio's ends it holds this call, and by that its consumer."""


def by_http2(method: StreamingMethod, runtime: Runtime, carry_by_grpcio: Carry) -> Carry:
    """Let HTTP/2 of our own carry the calls of *method*, but for those with credentials that only gRPC core can ask."""

    def carry(attempt: Attempt, view: str, options: GrpcOptions) -> Any:
        if options.credentials is not None and plugins_of(options.credentials) is None:
            return carry_by_grpcio(attempt, view, options)
        return carry_own(method, attempt, view, options, lambda face: face(attempt, runtime))

    return carry
