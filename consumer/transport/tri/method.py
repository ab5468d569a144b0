"""The calls of one gRPC method."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any

import grpc

from callahead.config.policy import ReferencePolicy

from ...errors import (
    CallTimeout,
    ConsumerClosed,
    RpcError,
    SerializationError,
)
from ...interface.proto.service import MethodTypes
from ...invocation import NO_ATTACHMENTS, Done, Invocation, Outcome
from ...provider import Provider
from ..api import Providers
from ..identity import ServiceIdentity
from ..request_limit import check_request_size
from .connection import Connection, ConnectionKind, Connections, unusable
from .ended import Facts, facts_of
from .metadata import Metadata, fixed_metadata, join_metadata, to_attachments, to_metadata
from .sent import OneMessage
from .status import Ended, error_of, refused
from .stream import StreamCall

Builder = Callable[[tuple[Any, ...], Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcOptions:
    """What a generated stub's call says beyond its request; see `grpc.UnaryUnaryMultiCallable`."""

    metadata: Metadata = ()
    credentials: grpc.CallCredentials | None = None
    wait_for_ready: bool | None = None
    compression: grpc.Compression | None = None


_NO_OPTIONS = GrpcOptions()

_EARLY_S = 0.005
"""How much before the deadline a status must come to be the provider's own: two clocks measure it."""


class _Bound:
    """This method on one connection."""

    __slots__ = ("connection", "fixed", "path", "stream", "unary")

    def __init__(self, connection: Connection, path: str, fixed: Metadata) -> None:
        # None in place of a serializer: bytes in, bytes out, so that a bad message is our error and not INTERNAL.
        self.connection = connection
        self.fixed = fixed
        self.path = path
        self.unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = connection.channel.unary_unary(path, None, None)
        self.stream: grpc.StreamUnaryMultiCallable[bytes, bytes] = connection.channel.stream_unary(path, None, None)


class TriMethod:
    """A `MethodTransport` for unary gRPC methods."""

    def __init__(
        self,
        types: MethodTypes,
        build: Builder,
        policy: ReferencePolicy,
        application: str,
        kinds: tuple[ConnectionKind, ...],
        connections: Connections,
        providers: Providers,
    ) -> None:
        self._types = types
        self._build = build
        self._policy = policy
        self._application = application
        self._constant: Metadata = ()
        self._kinds = kinds
        self._connections = connections
        self._providers = providers
        self._bound: dict[Provider, tuple[_Bound, ...]] = {}
        self._turn = itertools.count()

    @property
    def name(self) -> str:
        """Name of the method as the service spells it."""
        return self._types.name

    @property
    def types(self) -> MethodTypes | None:
        """Its messages if it has any, for what must know them beyond the protocol, such as the command line."""
        return self._types

    @property
    def is_streaming(self) -> bool:
        """Whether one side or both send more than one message."""
        return self._types.streaming

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Serialize the arguments; see `MethodTransport.encode`."""
        return self._serialize(self._build(args, kwargs))

    def _serialize(self, request: Any) -> bytes:
        try:
            data = self._types.serialize(request)
        except RpcError:
            raise
        except Exception as error:
            text = f"{type(request).__name__} cannot be serialized for {self._types.path}: {error}"
            raise SerializationError(text, not_sent=True) from error
        check_request_size(len(data), self._policy)
        return data

    def send(self, provider: Provider, invocation: Invocation, timeout: float, done: Done) -> None:
        """Make one attempt; see `MethodTransport.send`."""
        try:
            bound = self._bound_to(provider)
            metadata = self._metadata(bound.fixed, invocation)
        except RpcError as error:
            done(Outcome(error=error))
            return
        invocation.record.is_sent = False
        if timeout <= 0:
            done(Outcome(error=CallTimeout("the time was over before the attempt began", not_sent=True)))
            return
        attempt = _Attempt(self, bound.connection, invocation, timeout, done)
        if not bound.connection.begin(attempt):
            done(Outcome(error=unusable(bound.connection)))
            return
        if invocation.on_sent is not None:
            attempt.stream(bound.stream, metadata)
        elif invocation.blocking:
            attempt.block(bound.unary, metadata)
        else:
            attempt.start(bound.unary, metadata)

    def message(self, invocation: Invocation) -> bytes:
        """Give the bytes that the invocation sends, which `encode` made."""
        data: bytes = invocation.request
        return data

    def _metadata(self, metadata: Metadata, invocation: Invocation) -> Metadata | None:
        if invocation.attachments:
            metadata += to_metadata(invocation.attachments)
        if invocation.options is not None:
            metadata += invocation.options.metadata
        return metadata or None

    def _bound_to(self, provider: Provider) -> _Bound:
        bound = self._bound.get(provider)
        if bound is None:
            bound = self._bound[provider] = tuple(self._bind(provider, kind) for kind in self._kinds)
            if provider not in self._providers():  # it left meanwhile, and nobody will release it any more
                self.forget(provider)
                self._connections.release(provider)
                self._connections.release(provider)
        return bound[0] if len(bound) == 1 else bound[next(self._turn) % len(bound)]

    def _bind(self, provider: Provider, kind: ConnectionKind) -> _Bound:
        connection = self._connections.get(provider, kind)
        if connection is None:
            raise ConsumerClosed("the consumer is closed", not_sent=True)
        identity = ServiceIdentity.of(provider.endpoint, self._policy)
        fixed = fixed_metadata(identity, self._application) + self._constant
        return _Bound(connection, self._path_at(identity), fixed)

    def _path_at(self, identity: ServiceIdentity) -> str:
        """Give the path of the method, which a Dubbo provider may have exported elsewhere than under its interface."""
        path, own = self._types.path, f"/{self._policy.interface}/"
        return f"/{identity.path}/{path.removeprefix(own)}" if path.startswith(own) else path

    def stream(self, provider: Provider, invocation: Invocation, timeout: float | None) -> Any:
        """Begin a streaming call; see `MethodTransport.stream`."""
        bound = self._bound_to(provider)
        metadata = self._metadata(bound.fixed, invocation)
        return StreamCall(self, bound.connection, invocation, timeout).begin(
            replace(self._types, path=bound.path), metadata
        )

    def forget(self, provider: Provider | None) -> None:
        """Drop what was prepared for *provider*, or for all."""
        if provider is None:
            self._bound = {}
        else:
            self._bound.pop(provider, None)

    def decode(self, data: bytes, invocation: Invocation, metadata: Mapping[str, Any]) -> Outcome:
        """Make the outcome of an answer to *invocation*, with which *metadata* came."""
        del invocation, metadata
        try:
            return Outcome(self._types.deserialize(data))
        except RpcError as ours:
            return Outcome(error=ours)
        except Exception as error:  # a codec may raise anything over a peer's bytes
            expected = self._types.response_class
            name = self._types.path if expected is None else expected.DESCRIPTOR.full_name
            text = f"the answer of {len(data)} bytes is no {name}: {error}"
            failure = SerializationError(text, is_remote=True, in_doubt=True)
            failure.__cause__ = error
            return Outcome(error=failure)

    def fail(self, call: Any, connection: Connection, invocation: Invocation, timeout: float, ended: float) -> RpcError:
        """Make the error of a call that gRPC ended with a status other than OK."""
        code = call.code()
        record = invocation.record
        matters = code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        error = error_of(
            Ended(
                code=code,
                text=call.details() or "",
                attachments=record.response_attachments,
                timeout=timeout,
                is_early=time.monotonic() < ended - _EARLY_S,
                address=connection.address,
                is_unconnected=matters and connection.is_unconnected(),
                is_closed=connection.closed,
            ),
            invocation,
            self._policy,
        )
        error.protocol_trace = record.protocol_trace
        return error


class _Attempt:
    """One running attempt."""

    __slots__ = ("_connection", "_done", "_ends", "_invocation", "_method", "_timeout")

    def __init__(
        self, method: TriMethod, connection: Connection, invocation: Invocation, timeout: float, done: Done
    ) -> None:
        self._method = method
        self._connection = connection
        self._invocation = invocation
        self._timeout = timeout
        self._done = done
        self._ends = time.monotonic() + timeout

    def block(self, unary: grpc.UnaryUnaryMultiCallable[bytes, bytes], metadata: Metadata | None) -> None:
        """Ask on the calling thread, which is grpcio's quickest way: no other thread takes part."""
        invocation = self._invocation
        options: GrpcOptions = _NO_OPTIONS if invocation.options is None else invocation.options
        try:
            data, call = unary.with_call(
                self._method.message(invocation),
                self._timeout,
                metadata,
                options.credentials,
                options.wait_for_ready,
                options.compression,
            )
        except grpc.RpcError as error:
            self._end_with(error)
        except BaseException as error:  # Ctrl-C too must end the call's stages before it goes on
            self._end(Outcome(error=refused(error)))
        else:
            self._end(self._method.decode(data, invocation, self._note_metadata(facts_of(call))))

    def start(self, unary: grpc.UnaryUnaryMultiCallable[bytes, bytes], metadata: Metadata | None) -> None:
        """Ask, and return at once."""
        self._begin(unary.future, self._method.message(self._invocation), metadata)

    def stream(self, stream: grpc.StreamUnaryMultiCallable[bytes, bytes], metadata: Metadata | None) -> None:
        """Ask so that "sent" is known, and return at once."""
        self._begin(stream.future, OneMessage(self._method.message(self._invocation), self._sent), metadata)

    def _sent(self) -> None:
        on_sent = self._invocation.on_sent
        if on_sent is not None:
            on_sent()

    def _begin(self, begin: Callable[..., Any], request: Any, metadata: Metadata | None) -> None:
        invocation = self._invocation
        options: GrpcOptions = _NO_OPTIONS if invocation.options is None else invocation.options
        try:
            call = begin(
                request,
                self._timeout,
                metadata,
                options.credentials,
                options.wait_for_ready,
                options.compression,
            )
        except Exception as error:  # grpcio raises ValueError over a closed channel, TypeError over metadata
            self._end(Outcome(error=refused(error)))
            return
        invocation.record.cancelled_by(call.cancel)
        call.add_done_callback(self._end_with)

    def _end_with(self, call: Any) -> None:
        """Report how *call* ended; runs on the channel's thread for calls that did not block."""
        record = self._invocation.record
        try:
            facts = facts_of(call)
            metadata = self._note_metadata(facts)
            code = facts.code
            if code is grpc.StatusCode.OK:
                outcome = self._method.decode(facts.answer, self._invocation, metadata)
            elif code is grpc.StatusCode.CANCELLED and record.is_cancelled:
                outcome = Outcome(error=CancelledError())
            else:
                outcome = Outcome(
                    error=self._method.fail(call, self._connection, self._invocation, self._timeout, self._ends)
                )
        except Exception as error:  # whatever happens here, the call must end
            outcome = Outcome(error=refused(error))
        self._end(outcome)

    def _note_metadata(self, facts: Facts) -> Mapping[str, Any]:
        """Keep of the metadata what users see, in place of an earlier attempt's, and return all of it."""
        record = self._invocation.record
        metadata = attachments = NO_ATTACHMENTS
        if facts.initial or facts.trailing:
            metadata = join_metadata(facts.initial, facts.trailing)
            attachments = to_attachments(metadata)
        record.response_attachments = attachments
        if self._invocation.options is not None:
            record.protocol_trace = (facts.initial or (), facts.trailing or ())
        return metadata

    def _end(self, outcome: Outcome) -> None:
        self._connection.end(self)
        self._done(outcome)
