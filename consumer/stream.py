"""Streaming methods of a reference: one provider is chosen, attachments and deadline go along, and that is all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from callahead.config.policy import BUILT_IN, MethodPolicy

from .caller import Runtime
from .context import enter_call, take_attachments
from .deadline import Clock, Deadline
from .errors import ConsumerClosed, RpcError
from .invocation import CallRecord, Invocation
from .provider import Provider
from .transport.api import MethodTransport, ResponseStream


class StreamMethod:
    """One streaming method of a reference; no interceptor stands in its way and no retry follows.

    Call it with one request, or with an iterable of requests where the client streams. A timeout applies only where the
    configuration sets one: the built-in second of a unary call would end any stream worth the name.
    """

    def __init__(
        self,
        carried: MethodTransport,
        policy: MethodPolicy,
        runtime: Runtime,
        choose: Callable[[Invocation], Provider],
    ) -> None:
        self._carried = carried
        self.policy = policy
        self._runtime = runtime
        self._choose = choose

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Begin the stream.

        Returns:
            The answer, waited for, where the provider sends one; else an iterator of answers with ``cancel()``.

        Raises:
            RpcError: It could not be begun, or, for a single answer, has failed.
        """
        if self._runtime.closed:
            raise ConsumerClosed("the consumer is closed", not_sent=True)
        policy, clock = self.policy, self._runtime.clock
        record = CallRecord(policy, self._carried.name, clock())
        timeout = stream_timeout(policy)
        deadline = Deadline.after_ms(float("inf") if timeout is None else timeout * 1000, clock)
        attachments = {**policy.attachments, **take_attachments()}
        invocation = Invocation(policy, self._carried.name, args, kwargs, attachments, deadline, record, blocking=True)
        enter_call(record, None)
        record.view = "it is a streaming method"
        provider = self._choose(invocation)
        record.attempts, record.endpoint = 1, provider.name
        with _Watch(record, clock) as watch:
            begun = self._carried.stream(provider, invocation, timeout)
        if not isinstance(begun, Iterator):
            record.ended = clock()
            return begun
        return Answers(begun, watch)

    def __repr__(self) -> str:
        return f"<streaming method {self.policy.reference}.{self._carried.name}>"


class _Watch:
    """Notes the end of a stream on its record, and on its error which call it ended; entered around each step."""

    def __init__(self, record: CallRecord, clock: Clock) -> None:
        self._record = record
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if error is None:
            return
        record = self._record
        record.ended = self._clock()
        if isinstance(error, RpcError) and not error.reference:
            error.reference, error.method, error.endpoint = record.policy.reference, record.method, record.endpoint
            error.attempt, error.elapsed_ms = record.attempts, record.elapsed_ms or 0.0


class Answers(Iterator[Any]):
    """The answers of a streaming call, in order; iterate them, once, to the end or until you cancel them.

    The iteration raises `RpcError` where the stream fails, and `concurrent.futures.CancelledError` after `cancel`. A
    stream that is dropped before its end is cancelled.
    """

    def __init__(self, stream: Any, watch: _Watch) -> None:
        self._stream: ResponseStream = stream
        self._answers = iter(stream)
        self._watch = watch

    def __next__(self) -> Any:
        """Wait for the next answer."""
        with self._watch:
            return next(self._answers)

    def cancel(self) -> None:
        """End the stream here and at the provider."""
        self._stream.cancel()


def stream_timeout(policy: MethodPolicy) -> float | None:
    """Return the seconds that a stream may take: the configured total, or None where only the built-in one is set."""
    origins = {policy.origin("timeout_ms"), policy.origin("total_timeout_ms")}
    return None if origins == {BUILT_IN} else policy.total_timeout_ms / 1000
