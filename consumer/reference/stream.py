"""Streaming methods of a reference: one provider is chosen, attachments and deadline go along, and that is all."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any, Self

from callahead.config.policy import BUILT_IN, MethodPolicy

from ..call.attempt import Attempt
from ..call.current import enter_call
from ..call.invocation import Outcome
from ..loadbalance.api import AttemptWatcher
from ..runtime.deadline import UNBOUNDED_S
from ..transport.api import MethodTransport, ResponseStream
from .caller import Chain, MethodBinding
from .ending import Runtime
from .prompt import Describe, Overloads, show_types
from .stages import Choose

_VIEW = "it is a streaming method"
_END = object()


def of_stream(policy: MethodPolicy) -> MethodPolicy:
    """Return what a streaming method obeys of *policy*: one attempt, which has the whole time.

    The built-in second of a unary call would end any stream worth the name, so that bounds none.
    """
    seconds = _seconds_of(policy)
    total_ms = round(min(seconds, UNBOUNDED_S) * 1000)
    return replace(policy, timeout_ms=total_ms, total_timeout_ms=total_ms, retries=0)


def begin_stream(
    binding: MethodBinding,
    carrier: MethodTransport,
    choose: Choose,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    given: tuple[Chain, float] | None = None,
) -> Attempt:
    """Begin a streaming call, as every call begins, and choose its one provider.

    Its chain, and the timeout of the attempt in seconds, are those *given*, or where that is None the configured ones.

    Raises:
        ConsumerClosed: The consumer is closed.
        NoProviderAvailable: None is known.
    """
    chain, seconds = given or _configured(binding.chain)
    invocation = binding.begin(chain, carrier, args, kwargs, blocking=True, timeout=seconds)
    record = invocation.record
    enter_call(record)
    record.view = _VIEW
    if record.collected is not None:
        record.collected.streams()
    attempt = Attempt(invocation, choose(invocation), waits=True)
    attempt.timeout, attempt.ends = seconds, invocation.ends
    return attempt


def _configured(chain: Chain) -> tuple[Chain, float]:
    return chain, _seconds_of(chain.policy)


def _seconds_of(policy: MethodPolicy) -> float:
    """Return the seconds that a stream may take: the configured total, infinity where only the built-in one is set."""
    origins = {policy.origin("timeout_ms"), policy.origin("total_timeout_ms")}
    return float("inf") if origins == {BUILT_IN} else policy.total_timeout_ms / 1000


class StreamMethod:
    """One method of a reference whose answers are a stream; no interceptor stands in its way and no retry follows.

    Call it with one request, or with an iterable of requests where the client streams, too. A timeout applies only
    where the configuration sets one.
    """

    def __init__(
        self,
        binding: MethodBinding,
        carrier: MethodTransport,
        choose: Choose,
        describe: Describe,
        watcher: AttemptWatcher | None = None,
    ) -> None:
        self._binding = binding
        self._carrier = carrier
        self._choose = choose
        self._describe = describe
        self._watcher = watcher
        self._dropped: deque[_Watch] = deque()

    @property
    def policy(self) -> MethodPolicy:
        """What a call obeys at this moment."""
        return self._binding.policy

    def __call__(self, *args: Any, **kwargs: Any) -> Answers:
        """Begin the stream, and return its answers.

        Raises:
            RpcError: It could not be begun.
        """
        while self._dropped:
            self._dropped.popleft().end(CancelledError())
        attempt = begin_stream(self._binding, self._carrier, self._choose, args, kwargs)
        with _Watch(attempt, self._binding.runtime, self._watcher) as watch:
            return Answers(self._carrier.stream(attempt), watch, None if self._watcher is None else self._dropped)

    def __repr__(self) -> str:
        return f"<streaming method {self.policy.reference}.{self._binding.name}>"


def _named(method: StreamMethod) -> tuple[str, Overloads]:
    name = method._binding.name
    return f"{method.policy.reference}.{name}", method._describe(name)


show_types(StreamMethod, _named, "A stream of requests is one iterable; one of answers is iterated, and has cancel().")


class _Watch:
    """Notes the end of a stream on its record, and on its error which call it ended; entered around each step.

    In a step the code stands still, which is noted where the calls of its context are collected.
    """

    def __init__(self, attempt: Attempt, runtime: Runtime, watcher: AttemptWatcher | None) -> None:
        self._attempt = attempt
        self._runtime = runtime  # by which the consumer lives as long as its streams
        self._watcher = watcher
        if watcher is not None:
            watcher.attempt_began(attempt)
        self._collected = attempt.record.collected
        self._since = 0.0

    def __enter__(self) -> Self:
        if self._collected is not None:
            self._since = self._collected.now()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if self._collected is not None:
            self._collected.waited(self._since)
        if error is not None:
            self._attempt.blame(error, self._runtime.clock)
            self.end(None if isinstance(error, StopIteration) else error)

    def end(self, error: BaseException | None = None) -> None:
        """Note the end, by *error* if that is not None, and what came back beside the answers."""
        record = self._attempt.record
        if record.ended is not None:
            return
        self._attempt.decide()
        record.end(self._runtime.clock())
        if self._watcher is not None:
            self._watcher.attempt_ended(self._attempt, Outcome(error=error))
        if self._collected is not None:
            self._collected.ended(Outcome(error=error))


class Answers(Iterator[Any], AsyncIterator[Any]):
    """The answers of a streaming call, in order; iterate them, once, to the end or until you cancel them.

    In a loop of asyncio ``async for`` waits for each on a thread of the loop's executor; a task that is cancelled there
    cancels the stream.

    The iteration raises `RpcError` where the stream fails, and `concurrent.futures.CancelledError` after `cancel`. A
    stream that is dropped before its end is cancelled.
    """

    def __init__(self, stream: Any, watch: _Watch, dropped: deque[_Watch] | None) -> None:
        self._watch = watch
        self._dropped = dropped
        self._stream: ResponseStream = stream
        self._answers = iter(stream)

    def __next__(self) -> Any:
        """Wait for the next answer."""
        with self._watch:
            return next(self._answers)

    async def __anext__(self) -> Any:
        """Wait for the next answer while the loop goes on."""
        import asyncio

        try:
            answer = await asyncio.to_thread(next, self, _END)
        except asyncio.CancelledError:
            self.cancel()
            raise
        if answer is _END:
            raise StopAsyncIteration
        return answer

    def cancel(self) -> None:
        """End the stream here and at the provider."""
        self._stream.cancel()

    def __del__(self) -> None:
        # The collector may come while this very thread holds any lock, so that nobody is told of the end here: the next
        # call of the method does that, before it chooses a provider.
        if self._dropped is not None:
            self._dropped.append(self._watch)
