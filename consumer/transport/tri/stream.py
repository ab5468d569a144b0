"""Streaming calls: passed through to grpcio, with its errors turned into ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import grpc

from ...invocation import Invocation
from .connection import Connection
from .metadata import Metadata, from_metadata
from .method_types import MethodTypes

Fail = Callable[[Any, float], BaseException]
"""Makes our error of an ended grpcio call and of the monotonic second that was its deadline."""


def open_callable(channel: grpc.Channel, types: MethodTypes) -> Any:
    """Make the grpcio callable of a method of any kind."""
    kinds: dict[tuple[bool, bool], Any] = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    return kinds[types.client_streaming, types.server_streaming](types.path, types.serialize, types.deserialize)


def counted(connection: Connection, call: Any) -> Any:
    """Return *call*, which counts as running on *connection* until it ends; an ended one as it is."""
    if isinstance(call, grpc.RpcContext):
        connection.begin(call)
        if not call.add_callback(lambda: connection.end(call)):
            connection.end(call)
    return call


def begin_stream(
    types: MethodTypes,
    connection: Connection,
    invocation: Invocation,
    metadata: Metadata | None,
    timeout: float | None,
    fail: Fail,
) -> Any:
    """Begin the call; returns the answer of a client stream, or the `ResponseStream` of any other."""
    ends = time.monotonic() + (timeout if timeout is not None else float("inf"))
    call = open_callable(connection.channel, types)
    request = iter(invocation.request) if types.client_streaming else invocation.request
    if types.server_streaming:
        return TriStream(counted(connection, call(request, timeout, metadata)), invocation, fail, ends)
    try:
        answer, ended = call.with_call(request, timeout, metadata)
    except grpc.RpcError as error:
        raise fail(error, ends) from error
    invocation.record.response_attachments = from_metadata(ended.initial_metadata(), ended.trailing_metadata())
    return answer


class TriStream(Iterator[Any]):
    """A `ResponseStream` over a grpcio call."""

    def __init__(self, call: Any, invocation: Invocation, fail: Fail, ends: float) -> None:
        self._call = call
        self._invocation = invocation
        self._fail = fail
        self._ends = ends

    def __next__(self) -> Any:
        """Wait for the next answer; see `ResponseStream.__iter__`."""
        try:
            return next(self._call)
        except StopIteration:
            self._note_metadata()
            raise
        except grpc.RpcError as error:
            self._note_metadata()
            if self._invocation.record.is_cancelled:
                raise CancelledError from None
            raise self._fail(error, self._ends) from error

    def _note_metadata(self) -> None:
        call = self._call
        self._invocation.record.response_attachments = from_metadata(call.initial_metadata(), call.trailing_metadata())

    def cancel(self) -> None:
        """End the stream; see `ResponseStream.cancel`."""
        self._invocation.record.cancelled_by(self._call.cancel)
        self._invocation.record.cancel()
