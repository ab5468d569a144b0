"""A conversation with one provider beside all calls, such as that by reflection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Self

from callahead.config.policy import ReferencePolicy

from ....call.attempt import Attempt
from ....call.invocation import NO_ATTACHMENTS, NO_KWARGS, CallRecord, Invocation
from ....call.provider import Provider
from ....interface.proto.service import MethodTypes
from ...api import Providers, TransportParts
from ..messages import Messages
from .answers import AnswerStream
from .method import Http2Method
from .pool import Pool

_ASKS = "(reflection)"


class AskedProvider:
    """As much of a `grpc.Channel` as a conversation takes, over the connection that calls use, too.

    See `callahead.consumer.interface.proto.reflection.Channel`.

    Args:
        provider: Is asked.
        policy: Of the reference.
        parts: What the transport may use.
        pool: All connections.
        providers: Those that are known.
    """

    def __init__(
        self, provider: Provider, policy: ReferencePolicy, parts: TransportParts, pool: Pool, providers: Providers
    ) -> None:
        self._provider = provider
        self._policy = policy
        self._parts = parts
        self._around = (parts, pool, providers)
        self._attempt: Attempt | None = None

    def stream_stream(self, path: str) -> Any:
        """Make what begins the conversation: bytes both ways, as with `grpc.Channel.stream_stream`."""
        types = MethodTypes(
            name=path.rpartition("/")[2],
            path=path,
            request_class=None,
            response_class=None,
            serialize=_unchanged,
            deserialize=_unchanged,
            client_streaming=True,
            server_streaming=True,
        )
        return partial(self._begin, _Asking(Messages(types, _first, self._policy), self._policy, (), *self._around))

    def _begin(self, method: Http2Method, questions: Iterator[bytes], *, timeout: float) -> AnswerStream:
        policy, clock = self._policy.default, self._parts.clock
        now = clock()
        ends, record = now + timeout, CallRecord(policy, _ASKS, now)
        invocation = Invocation(
            policy, _ASKS, (questions,), NO_KWARGS, NO_ATTACHMENTS, ends, clock, record, blocking=True
        )
        self._attempt = attempt = Attempt(invocation, self._provider, waits=True)
        attempt.timeout, attempt.ends = timeout, ends
        return method.stream(attempt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._attempt is not None:
            self._attempt.cancel()


class _Asking(Http2Method):
    """What is asked of the server as such, and of none of its services: their group and version do not travel."""

    is_of_service = False


def _unchanged(data: bytes) -> bytes:
    return data


def _first(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    del kwargs
    return args[0]
