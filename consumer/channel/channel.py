"""A `grpc.Channel` over a reference, for generated stubs that are not to be changed.

``GreeterStub(consumer.channel("greeter"))`` is the one line that existing gRPC code changes. A unary call then runs
through the reference's chain and obeys its configuration; the stub's own ``future`` and ``with_call`` keep their
meaning. Streaming calls go to one provider of the reference, with its attachments and deadline. Errors are `RpcError`
and `grpc.RpcError` at once, so existing ``except`` clauses go on working.

`grpc.intercept_channel` makes a stub's plain call of the ``with_call`` that it finds beneath, so within it ``async``
and ``return`` have no effect: a call that has to return its call object can only wait. Nothing tells such a
``with_call`` from one that the program made itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import grpc

from callahead.config.errors import ConfigError
from callahead.config.policy import ReferencePolicy

from ..errors import RpcError
from ..interface.named import streaming_problems
from ..interface.proto.service import MethodTypes
from ..reference.caller import Caller, Chain
from ..runtime.deadline import UNBOUNDED_S
from ..transport.tri.credentials import plugins_of
from .faces import ChannelFuture, EndedCall, raise_face
from .parts import (
    LendingTransport,
    PassingTransport,
    StubTransport,
    checked_timeout,
    first,
    grpc_options,
    unchanged,
)
from .state import Subscribers
from .streams import PassedStream, PassedStreamStream, PassedStreamUnary, PassedUnaryStream, by_grpcio, by_http2

if TYPE_CHECKING:
    from ..reference.pipeline import Pipeline

_KEPT_TIMEOUTS = 64


class ConsumerChannel(grpc.Channel):
    """The channel of one reference; made by `Consumer.channel`."""

    def __init__(self, pipeline: Pipeline) -> None:
        if not isinstance(pipeline.transport, StubTransport):
            raise _without_stubs(pipeline.policy)
        self._pipeline = pipeline
        transport: Any = pipeline.transport
        is_passing, is_lending = isinstance(transport, PassingTransport), isinstance(transport, LendingTransport)
        self._transport: StubTransport = transport
        self._passing_transport: PassingTransport | None = transport if is_passing else None
        self._lending_transport: LendingTransport | None = transport if is_lending else None
        self._subscribers = Subscribers(pipeline, transport)
        self._closed = False
        self._timed: dict[tuple[str, float], tuple[Chain, Chain]] = {}

    def unary_unary(
        self,
        method: Any,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: Any = None,
    ) -> Any:
        """Make the callable of a unary method; see `grpc.Channel.unary_unary`."""
        types = _types(method, request_serializer, response_deserializer)
        return _UnaryUnary(self, self._pipeline, self._transport, self._lending_transport, types)

    def unary_stream(
        self,
        method: Any,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: Any = None,
    ) -> Any:
        """Make the callable of a server-streaming method; see `grpc.Channel.unary_stream`."""
        return self._passing(PassedUnaryStream, "unary_stream", method, request_serializer, response_deserializer)

    def stream_unary(
        self,
        method: Any,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: Any = None,
    ) -> Any:
        """Make the callable of a client-streaming method; see `grpc.Channel.stream_unary`."""
        return self._passing(PassedStreamUnary, "stream_unary", method, request_serializer, response_deserializer)

    def stream_stream(
        self,
        method: Any,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: Any = None,
    ) -> Any:
        """Make the callable of a method that streams both ways; see `grpc.Channel.stream_stream`."""
        return self._passing(PassedStreamStream, "stream_stream", method, request_serializer, response_deserializer)

    def _passing(self, made: type[PassedStream], kind: str, method: Any, serialize: Any, deserialize: Any) -> Any:
        types = _types(method, serialize, deserialize)
        problems = streaming_problems(self._pipeline.policy.default, self._pipeline.policy_of(types.name))
        if problems:
            raise ConfigError(problems)

        def bind(channel: grpc.Channel) -> Any:
            return getattr(channel, kind)(types.path, serialize, deserialize)

        passing, lending, runtime = self._passing_transport, self._lending_transport, self._pipeline.runtime
        if passing is not None:
            carrier: Any = passing.stub_method(types, first)
            carry = by_grpcio(lambda: passing, bind, runtime)
        else:
            assert lending is not None
            client, server = kind.startswith("stream_"), kind.endswith("_stream")
            carrier = lending.stub_method(replace(types, client_streaming=client, server_streaming=server), first)
            carry = by_http2(carrier, runtime, by_grpcio(lending.by_grpcio, bind, runtime))
        return made(self.ensure_open, self.timed, self._pipeline, carrier, types.name, carry)

    def subscribe(self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool = False) -> None:
        """Watch the connection to one of the providers; see `grpc.Channel.subscribe`."""
        self.ensure_open()
        self._subscribers.add(callback, connect=try_to_connect)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        """End what `subscribe` began."""
        self._subscribers.remove(callback)

    def close(self) -> None:
        """Take no more calls, and tell nobody of the state; the connections are the consumer's and stay open."""
        self._closed = True
        self._subscribers.clear()

    def ensure_open(self) -> None:
        """Raise the `ValueError` that grpcio raises over a closed channel, where this one is closed."""
        if self._closed:
            raise ValueError("Cannot invoke RPC on closed channel!")

    def timed(self, chain: Chain, timeout: float) -> Chain:
        """Make the policy of *chain* bound the whole call and each of its attempts by *timeout* seconds.

        Kept here and not with a stub, since some programs make a stub for each request.
        """
        policy = chain.policy
        known = self._timed.get((policy.method, timeout))
        if known is not None and known[0] is chain:
            return known[1]
        milliseconds = _milliseconds(checked_timeout(timeout))
        made = replace(chain, policy=policy.override(timeout_ms=milliseconds, total_timeout_ms=milliseconds))
        if len(self._timed) >= _KEPT_TIMEOUTS:
            self._timed.clear()
        self._timed[policy.method, timeout] = (chain, made)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ConsumerChannel of {self._pipeline.policy.id}>"


def _without_stubs(policy: ReferencePolicy) -> ConfigError:
    return policy.error("protocol", f'a channel needs protocol "tri", not "{policy.protocol}"')


def _milliseconds(seconds: float) -> int:
    """Return a time of at least 1 ms where *seconds* are above 0, else none: the call then ends before it is sent."""
    if seconds <= 0:
        return 0
    return max(1, round(min(seconds, UNBOUNDED_S) * 1000))


def _types(method: str | bytes, serialize: Any, deserialize: Any) -> MethodTypes:
    path = method.decode() if isinstance(method, bytes) else method
    return MethodTypes(
        name=path.rpartition("/")[2],
        path=path,
        request_class=None,
        response_class=None,
        serialize=serialize or unchanged,
        deserialize=deserialize or unchanged,
    )


class _UnaryUnary(grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
    """What a generated stub has as the attribute of a unary method."""

    def __init__(
        self,
        channel: ConsumerChannel,
        pipeline: Pipeline,
        transport: StubTransport,
        lending: LendingTransport | None,
        types: MethodTypes,
    ) -> None:
        self._channel = channel
        self._reference = pipeline.policy
        self._lending = lending
        self._types = types
        self._caller = Caller(pipeline.bind(types.name), transport.stub_method(types, first), ChannelFuture)
        self._caller_by_grpcio: Caller | None = None

    def _caller_with(self, credentials: grpc.CallCredentials) -> Caller:
        """Return who calls with *credentials*: grpcio where only gRPC core can ask them."""
        if self._lending is None or plugins_of(credentials) is not None:
            return self._caller
        if self._caller_by_grpcio is None:
            carrier: Any = self._lending.by_grpcio().stub_method(self._types, first)
            self._caller_by_grpcio = Caller(self._caller.binding, carrier, ChannelFuture)
        return self._caller_by_grpcio

    def _chain_for(self, timeout: float | None) -> Chain:
        """Let gRPC's ``timeout``, in seconds, bound the whole call and each of its attempts."""
        chain = self._caller.binding.chain
        return chain if timeout is None else self._channel.timed(chain, timeout)

    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Call as the configuration says: the answer, or None where the method is asynchronous or one-way."""
        self._channel.ensure_open()
        try:
            options = grpc_options(self._reference, metadata, credentials, wait_for_ready, compression)
            caller = self._caller if credentials is None else self._caller_with(credentials)
            return caller.call(self._chain_for(timeout), (request,), {}, sys._getframe(1), options)
        except RpcError as error:
            raise_face(error)

    def with_call(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> tuple[Any, grpc.Call]:
        """Call, wait, and return the answer with its call, whatever the configuration says."""
        future = self._future(request, timeout, metadata, credentials, wait_for_ready, compression)
        return future.result(), EndedCall(future)

    def future(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Call and return the future, a `ChannelFuture`, whatever the configuration says."""
        return self._future(request, timeout, metadata, credentials, wait_for_ready, compression)

    def _future(self, request: Any, timeout: float | None, *options: Any) -> ChannelFuture:
        self._channel.ensure_open()
        frame = sys._getframe(2)
        try:
            given = grpc_options(self._reference, *options)
            caller = self._caller if given.credentials is None else self._caller_with(given.credentials)
            future = caller.future(self._chain_for(timeout), (request,), {}, frame, given)
        except RpcError as error:
            raise_face(error)
        assert isinstance(future, ChannelFuture)
        return future
