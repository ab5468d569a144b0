"""The calls of one gRPC method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import grpc

from callahead.config.policy import ReferencePolicy

from ...call.attempt import Attempt
from ...call.invocation import NO_ATTACHMENTS, Done, Outcome
from ...errors import ConsumerClosed, RpcError
from ...runtime.deadline import bound_of
from ..api import TransportParts
from ..large_answers import LARGE_BYTES, read_elsewhere
from ..request_limit import check_request_size
from .channels import SharedChannel
from .compression import with_compression
from .messages import EncodedCall, Messages
from .metadata import Metadata, join_metadata, size_of, to_attachments, to_metadata
from .options import NO_OPTIONS, GrpcOptions
from .route import Route, Routes
from .sent import OneMessage
from .status import Ended, broken_here, error_of, let_go, refused, unread
from .stream import StreamCall

_Found = TypeVar("_Found")
_COPIES = 3
"""A request is in memory so often until it ends: as its arguments, as bytes that can be sent again, in gRPC core."""

_EARLY_S = 0.005
"""How much before the deadline a status must come to be the provider's own: two clocks measure it."""


class TriMethod:
    """A `MethodTransport` for gRPC methods.

    Args:
        messages: Makes bytes of arguments, and answers of bytes.
        policy: Of the reference.
        routes: Where it is found; shared by all who call it.
        parts: What the transport may use.
    """

    def __init__(self, messages: Messages, policy: ReferencePolicy, routes: Routes, parts: TransportParts) -> None:
        self.messages = messages
        self._policy = policy
        self._routes = routes
        self._parts = parts

    @property
    def name(self) -> str:
        """Name of the method as the service spells it."""
        return self.messages.types.name

    @property
    def is_streaming(self) -> bool:
        """Whether the answers are a stream."""
        return self.messages.types.server_streaming

    is_upload = False

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> EncodedCall:
        """Serialize the arguments; see `MethodTransport.encode`."""
        return self.messages.encode(args, kwargs)

    def send(self, attempt: Attempt, done: Done) -> None:
        """Make one attempt; see `MethodTransport.send`."""
        try:
            route = self._routes.to(attempt.provider)
            encoded: EncodedCall = attempt.request
            message = encoded.message
            metadata, size = self._metadata(route, attempt, len(message))
            call = UnaryCall(self, route.connection, attempt, done)
            route.connection.begin(call, size * _COPIES + encoded.more)
        except RpcError as error:
            done(Outcome(error=error))
            return
        if attempt.wants_sent:
            call.stream(route.stream, message, metadata)
        elif attempt.waits:
            call.block(route.unary, message, metadata)
        else:
            call.start(route.unary, message, metadata)

    def _metadata(self, route: Route, attempt: Attempt, size: int = 0) -> tuple[Metadata | None, int]:
        """Make the metadata of *attempt*, and return the size of a request that has a message of *size* bytes, too."""
        options = attempt.invocation.options
        if not attempt.attachments and options is None:
            return route.fixed or None, size
        own = to_metadata(attempt.attachments)
        if options is not None:
            own += options.metadata
        size += size_of(own)
        check_request_size(size, self._policy)
        return route.fixed + own or None, size

    def stream(self, attempt: Attempt) -> Any:
        """Begin a streaming call; see `MethodTransport.stream`."""
        route = self._routes.to(attempt.provider)
        metadata, _ = self._metadata(route, attempt)
        return StreamCall(self, route.connection, attempt).begin(
            replace(self.messages.types, path=route.path), metadata
        )

    def elsewhere(self, read: Callable[[], None], attempt: Attempt) -> None:
        """Call *read*, which reads a large answer to *attempt*, on a thread that serves no channel."""
        read_elsewhere(read, attempt, self._parts.callbacks)

    def soon(self, function: Callable[[], None]) -> None:
        """Call *function* on a thread that serves no channel."""
        self._parts.timer.call_at(self._parts.clock(), function)

    def fail(self, call: Any, connection: SharedChannel, attempt: Attempt) -> RpcError:
        """Make the error of a call that gRPC ended with a status other than OK."""
        now = self._parts.clock()
        error = error_of(
            Ended(
                code=call.code(),
                text=call.details() or "",
                attachments=attempt.response_attachments,
                timeout=attempt.timeout,
                is_early=now < attempt.ends - _EARLY_S,
                address=connection.address,
                is_unconnected=connection.is_unconnected,
                seems_unconnected=partial(connection.seems_unconnected, now),
                is_closed=connection.closed,
            ),
            attempt,
            self._policy,
        )
        error = self.messages.failed(error)
        error.protocol_trace = attempt.protocol_trace
        return error


class UnaryCall:
    """One attempt as grpcio carries it."""

    __slots__ = ("_attempt", "_connection", "_done", "_method")

    def __init__(self, method: TriMethod, connection: SharedChannel, attempt: Attempt, done: Done) -> None:
        self._method = method
        self._connection = connection
        self._attempt = attempt
        self._done = done

    def block(
        self, unary: grpc.UnaryUnaryMultiCallable[bytes, bytes], message: bytes, metadata: Metadata | None
    ) -> None:
        """Ask on the calling thread, which is grpcio's quickest way: no other thread takes part."""
        try:
            outcome = self._ask(unary, message, metadata)
        except BaseException as error:  # what a signal handler raises must end the call's stages before it goes on
            let_go(error)
            outcome = Outcome(error=refused(error))
        self._end(outcome)

    def _ask(
        self, unary: grpc.UnaryUnaryMultiCallable[bytes, bytes], message: bytes, metadata: Metadata | None
    ) -> Outcome:
        attempt = self._attempt
        options: GrpcOptions = attempt.invocation.options or NO_OPTIONS
        try:
            data, call = unary.with_call(
                message,
                bound_of(attempt.timeout),
                metadata,
                options.credentials,
                options.wait_for_ready,
                options.compression,
            )
        except grpc.RpcError as error:
            return self._read(self._failed, error)
        return self._method.messages.decode(data, attempt, self._note_metadata(call))

    def start(
        self, unary: grpc.UnaryUnaryMultiCallable[bytes, bytes], message: bytes, metadata: Metadata | None
    ) -> None:
        """Ask, and return at once."""
        self._begin(unary.future, message, metadata, self._end_with)

    def stream(
        self, stream: grpc.StreamUnaryMultiCallable[bytes, bytes], message: bytes, metadata: Metadata | None
    ) -> None:
        """Ask so that "sent" is known, and return at once."""
        options: GrpcOptions | None = self._attempt.invocation.options
        if options is not None and options.compression is not None:
            metadata = with_compression(metadata or (), options.compression)
        self._begin(stream.future, OneMessage(message, self._attempt.sent), metadata, self._end_aside)

    def _begin(
        self, begin: Callable[..., Any], request: Any, metadata: Metadata | None, end: Callable[[Any], None]
    ) -> None:
        attempt = self._attempt
        options: GrpcOptions = attempt.invocation.options or NO_OPTIONS
        try:
            call = begin(
                request,
                bound_of(attempt.timeout),
                metadata,
                options.credentials,
                options.wait_for_ready,
                options.compression,
            )
        except BaseException as error:  # grpcio's own over what it was given, or over a thread that it could not start
            self._connection.not_begun(self, error)
            ours = refused(error)
            if ours is error:  # a signal handler broke in
                raise
            self._done(Outcome(error=ours))
            return
        attempt.carried_by(call)
        call.add_done_callback(end)

    def _end_with(self, call: Any) -> None:
        """Report how *call* ended; runs on the channel's thread, or on the timer's."""
        outcome = self._read(self._outcome_of, call)
        if outcome is not None:
            self._end(outcome)

    def _end_aside(self, call: Any) -> None:
        """Report how *call*, a client stream, ended, from another thread than the channel's.

        On that thread its ``initial_metadata()`` might wait for what only that thread can bring.
        """
        if self._attempt.is_cancelled:
            self._end(Outcome(error=CancelledError()))
        elif self._connection.closed:
            self._end(Outcome(error=ConsumerClosed("the connection was closed under the call", in_doubt=True)))
        else:
            self._hand_over(call)

    def _hand_over(self, call: Any) -> None:
        try:
            self._method.soon(partial(self._end_with, call))
        except RuntimeError as error:  # no thread can be started
            self._end(Outcome(error=unread(error)))

    def _read(self, look: Callable[[Any], _Found], call: Any) -> _Found | Outcome:
        try:
            return look(call)
        except Exception as error:  # whatever happens here, the call must end
            return Outcome(error=unread(error))

    def _outcome_of(self, call: Any) -> Outcome | None:
        """Return how *call* ended; None where its answer is large, so that another thread reads it and reports."""
        # Each of grpcio's accessors takes a lock, so the status is asked for only where there is no answer.
        try:
            answer = call.result()
        except Exception as error:
            if error is call:
                call.__traceback__ = None  # which would tie it to itself
            return self._failed(call)
        metadata = self._note_metadata(call)
        if answer is not None and len(answer) > LARGE_BYTES:
            self._method.elsewhere(partial(self._end_large, answer, metadata), self._attempt)
            return None
        return self._method.messages.decode(answer, self._attempt, metadata)

    def _end_large(self, answer: bytes, metadata: Mapping[str, Any]) -> None:
        """Report *answer*; runs on the thread that waits for it, or on one for callbacks."""
        self._end(self._read(lambda data: self._method.messages.decode(data, self._attempt, metadata), answer))

    def _failed(self, call: Any) -> Outcome:
        self._note_metadata(call)
        attempt = self._attempt
        if attempt.is_cancelled and call.code() is grpc.StatusCode.CANCELLED:
            return Outcome(error=CancelledError())
        return Outcome(error=broken_here(call) or self._method.fail(call, self._connection, attempt))

    def _note_metadata(self, call: Any) -> Mapping[str, Any]:
        """Keep of the metadata what users see, and return all of it."""
        attempt = self._attempt
        metadata = NO_ATTACHMENTS
        initial, trailing = call.initial_metadata(), call.trailing_metadata()
        if initial or trailing:
            metadata = join_metadata(initial, trailing)
            attempt.response_attachments = to_attachments(metadata)
        if attempt.invocation.options is not None:
            attempt.protocol_trace = (initial or (), trailing or ())
        return metadata

    def _end(self, outcome: Outcome) -> None:
        self._connection.end(self)
        if isinstance(outcome.error, RpcError):
            outcome.error.protocol_trace = self._attempt.protocol_trace
        self._done(outcome)
