"""The streaming methods of a generated stub: grpcio's own callables, at a chosen provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from callahead.config.policy import ReferencePolicy

from ..call.attempt import Attempt
from ..call.invocation import Outcome
from ..call.plain import plain_items
from ..errors import RpcError
from ..interface.proto.service import MethodTypes
from ..reference.stream import begin_stream
from ..runtime.deadline import bound_of
from ..transport.api import MethodTransport
from ..transport.tri.compression import with_compression
from ..transport.tri.metadata import Metadata
from .faces import raise_face
from .parts import PassingTransport, checked_timeout, first, grpc_options, only_by_grpcio

if TYPE_CHECKING:
    from ..reference.pipeline import Pipeline

Bind = Callable[[grpc.Channel], Any]
"""Returns grpcio's callable of the method on a channel."""


class PassedStream:
    """One streaming method of a stub.

    Args:
        ensure_open: Raises where the stub's channel is closed.
        pipeline: Of the reference.
        transport: Carries it.
        types: Of the method.
        bind: Finds it on a channel of grpcio.
    """

    def __init__(
        self,
        ensure_open: Callable[[], None],
        pipeline: Pipeline,
        transport: PassingTransport,
        types: MethodTypes,
        bind: Bind,
    ) -> None:
        self._ensure_open = ensure_open
        self._policy = pipeline.policy
        self._choose = pipeline.choose
        self._watcher = pipeline.stream_watcher
        self._transport = transport
        self._binding = pipeline.bind(types.name, is_streaming=True)
        self._carrier: MethodTransport = transport.stub_method(types, first)
        self._bind = bind

    def _begin(self, view: Callable[[Any], Callable[..., Any]], request: Any, timeout: float | None, *more: Any) -> Any:
        self._ensure_open()
        try:
            options = grpc_options(self._policy, *more)
            seconds = None if timeout is None else checked_timeout(timeout)
            attempt = begin_stream(self._binding, self._carrier, self._choose, (request,), {}, seconds)
            bound = bound_of(attempt.timeout)

            def begin(channel: grpc.Channel, own: Metadata) -> Any:
                call = view(self._bind(channel))
                return call(attempt.args[0], bound, own + options.metadata or None, *options[1:])

            if attempt.record.collected is None and self._watcher is None:
                return self._transport.pass_on(attempt, begin)
            return self._followed(attempt, lambda: self._transport.pass_on(attempt, begin))
        except RpcError as error:
            raise_face(error)

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
        return self._begin(_itself, request, timeout, metadata, credentials, wait_for_ready, compression)


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
        return self._begin(_itself, requests, timeout, metadata, credentials, wait_for_ready, compression)


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
        return self._begin(_itself, requests, timeout, metadata, credentials, wait_for_ready, compression)

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
        return self._begin(_with_call, requests, timeout, metadata, credentials, wait_for_ready, compression)

    def future(
        self,
        request_iterator: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Stream requests and return grpcio's future of the answer."""
        pairs = with_compression(tuple(metadata or ()), compression)
        return self._begin(_future, plain_items(request_iterator), timeout, pairs, credentials, wait_for_ready, None)


def _itself(callable_: Any) -> Any:
    return callable_


def _with_call(callable_: Any) -> Any:
    return callable_.with_call


def _future(callable_: Any) -> Any:
    return callable_.future


class RefusedStream:
    """A streaming method of a stub where nothing can carry it: a stub has it all the same, beside those that can be.

    Args:
        policy: Of the reference.
        name: Of the method.
    """

    def __init__(self, policy: ReferencePolicy, name: str) -> None:
        self._policy = policy
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Say which carrier it needs.

        Raises:
            ConfigError: Always, with the line of the setting.
        """
        del args, kwargs
        raise only_by_grpcio(self._policy, f"a stub's streaming method, such as {self._name}, is called")

    with_call = future = __call__
