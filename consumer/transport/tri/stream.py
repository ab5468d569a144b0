"""Streaming calls: carried by grpcio as bytes, with messages, limits and errors that are ours."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError
from typing import Any, Protocol

import grpc

from ...call.attempt import Attempt
from ...call.invocation import NO_ATTACHMENTS
from ...errors import RpcError, SerializationError
from ...interface.proto.service import MethodTypes
from ...runtime.deadline import bound_of
from .channels import SharedChannel
from .messages import Messages
from .metadata import Metadata, join_metadata, to_attachments
from .requests import Requests, of_requests
from .status import refused


class StreamedMethod(Protocol):
    """What a stream asks its method."""

    @property
    def messages(self) -> Messages:
        """Makes bytes of requests, and answers of bytes."""

    def fail(self, call: Any, connection: SharedChannel, attempt: Attempt) -> RpcError:
        """Make the error of a call that ended with a status other than OK."""


def counted(connection: SharedChannel, begin: Callable[[], Any]) -> Any:
    """Return the call that *begin* makes; it counts as running on *connection* until it ends.

    Its messages do not: gRPC takes the next one only when the provider has room for it.

    Raises:
        LimitExceeded: As much runs there as may.
        TransportError: The connection was given up, since its provider left.
        ConsumerClosed: It was closed.
    """
    token = object()  # not the call itself: grpcio cancels a stream that nobody holds any more
    connection.begin(token, 0)
    try:
        call = begin()
    except BaseException as error:
        connection.not_begun(token, error)
        raise
    return with_end(call, lambda: connection.end(token))


def with_end(call: Any, end: Callable[[], None]) -> Any:
    """Return *call*, or what stands for it, and call *end* once it has ended: now, where it is the answer of one."""
    if isinstance(call, Iterator) and not isinstance(call, grpc.RpcContext):  # made by an interceptor
        if isinstance(call, Generator):
            call = _followed(call, end)
        weakref.finalize(call, end)
    elif not isinstance(call, grpc.RpcContext) or not call.add_callback(end):
        end()
    return call


def _followed(answers: Generator[Any, None, None], end: Callable[[], None]) -> Generator[Any, None, None]:
    try:
        yield from answers
    finally:
        end()


class StreamCall:
    """One streaming call of *method*.

    Args:
        method: Has the messages, and makes errors of statuses.
        connection: Where to.
        attempt: Whose arguments are the request, or one iterable of requests.
    """

    def __init__(self, method: StreamedMethod, connection: SharedChannel, attempt: Attempt) -> None:
        self._method = method
        self._connection = connection
        self._attempt = attempt
        self._timeout = bound_of(attempt.timeout)
        self._requests: Requests | None = None

    def begin(self, types: MethodTypes, metadata: Metadata | None) -> Any:
        """Begin; returns the `ResponseStream`.

        Raises:
            RpcError: It could not begin.
        """
        request = self._request(types)
        call = _open_callable(self._connection.channel, types)
        try:
            return TriStream(self, counted(self._connection, lambda: call(request, self._timeout, metadata)))
        except Exception as error:  # grpcio's own, or a signal handler broke in
            ours = refused(error)
            if ours is error:
                raise
            raise ours from error

    def _request(self, types: MethodTypes) -> Any:
        args, kwargs = self._attempt.args, self._attempt.kwargs
        if not types.client_streaming:
            return self._method.messages.serialize(args, kwargs)
        self._requests = Requests.of(types.path, args, kwargs, self._method.messages.serialize)
        return self._requests

    def decode(self, data: bytes | None) -> Any:
        """Make an answer of its bytes.

        Raises:
            SerializationError: They are none.
            RemoteProtocolError: The provider ended the call well, and sent no answer.
        """
        outcome = self._method.messages.decode(data, self._attempt, NO_ATTACHMENTS)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def error_of(self, call: Any) -> BaseException:
        """Make our error of the grpcio call that has failed."""
        self.note_metadata(call)
        requests = self._requests
        if requests is not None and requests.error is not None:
            return of_requests(requests.error)
        if self._attempt.is_cancelled:
            return CancelledError()
        return self._method.fail(call, self._connection, self._attempt)

    def note_metadata(self, call: Any) -> None:
        """Keep what the provider sent beside its answers; an iterator that an interceptor made does not tell."""
        if isinstance(call, grpc.Call):
            metadata = join_metadata(call.initial_metadata(), call.trailing_metadata())
            self._attempt.response_attachments = to_attachments(metadata)

    def cancel(self, call: Any) -> None:
        """Reset the stream, since nobody wants it any more."""
        self._attempt.cancel()
        reset(call)

    @property
    def is_cancelled(self) -> bool:
        """It was given up on this side."""
        return self._attempt.is_cancelled


class TriStream(Iterator[Any]):
    """A `ResponseStream` over a grpcio call; one that nobody holds any more is cancelled."""

    def __init__(self, stream: StreamCall, call: Any) -> None:
        self._stream = stream
        self._call = call

    def __next__(self) -> Any:
        """Wait for the next answer; see `ResponseStream.__iter__`."""
        try:
            data = next(self._call)
        except StopIteration:
            self._end()
            raise
        except grpc.RpcError as error:
            raise self._stream.error_of(error) from None
        except ValueError as error:  # of a channel that closed, which an interceptor hands on
            raise refused(error) from None
        try:
            return self._stream.decode(data)
        except SerializationError:
            reset(self._call)
            raise

    def _end(self) -> None:
        if self._stream.is_cancelled and isinstance(self._call, Generator):  # which just stops when it is closed
            raise CancelledError from None
        self._stream.note_metadata(self._call)

    def cancel(self) -> None:
        """End the stream; see `ResponseStream.cancel`."""
        self._stream.cancel(self._call)


def reset(call: Any) -> None:
    """Stop *call*, or the generator that an interceptor put in its place."""
    if isinstance(call, grpc.RpcContext):
        call.cancel()
    elif isinstance(call, Generator):
        with contextlib.suppress(ValueError):  # another thread waits in it, for the answer that comes next
            call.close()


def _open_callable(channel: grpc.Channel, types: MethodTypes) -> Any:
    kind: Any = channel.stream_stream if types.client_streaming else channel.unary_stream
    return kind(types.path, None, None)
