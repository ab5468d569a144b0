"""Requests that are kept until there are several, and then leave together.

A queued request has passed the whole chain: it is counted, encoded and has its provider, and only the transport gets it
later. So interceptors see each call, limits count it, its time runs, and what becomes of it is told as ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

from callahead.registry.forking import fork_safe_lock

from ..call.attempt import Attempt
from ..call.invocation import Done, Invocation, Outcome, Stage
from ..errors import CallTimeout
from ..limit import size_of
from ..runtime.timer import Timer
from ..transport.api import MethodTransport

_MOST_OF_TIMEOUT = 0.5
"""Part of its timeout that a request may wait, whatever the batch allows."""


class Batch:
    """The requests that wait for each other: of one batch view, or of methods that the configuration says so of.

    Args:
        max_bytes: They leave once they have as many, or more.
        max_count: They leave once there are as many.
        max_delay: Seconds after which they leave, counted from the first of them.
    """

    def __init__(self, max_bytes: int, max_count: int, max_delay: float) -> None:
        self._max_bytes = max_bytes
        self._max_count = max_count
        self._max_delay = max_delay
        self._lock = fork_safe_lock()
        self._queued: list[_Queued] = []
        self._bytes = 0
        self._round = 0
        self._process = os.getpid()

    def put(self, queued: _Queued, timer: Timer) -> None:
        """Queue one more, and let all leave where that is too many."""
        with self._lock:
            self._forget_parents()
            self._queued.append(queued)
            self._bytes += queued.size
            is_first, this = len(self._queued) == 1, self._round
            is_full = self._bytes >= self._max_bytes or len(self._queued) >= self._max_count
        if is_full:
            self._leave(this)
        elif is_first:
            delay = min(self._max_delay, queued.attempt.timeout * _MOST_OF_TIMEOUT)
            timer.call_at(timer.now() + delay, lambda: self._leave(this))

    def drop(self, queued: _Queued) -> bool:
        """Take *queued* out; False where it has left."""
        with self._lock:
            if queued not in self._queued:
                return False
            self._queued.remove(queued)
            self._bytes -= queued.size
            return True

    def take(self, of: int | None = None, to: str | None = None) -> Sequence[_Queued]:
        """Take out what waits, of all or for provider *to*, to leave now; none where those of round *of* have left."""
        with self._lock:
            self._forget_parents()
            if of not in (None, self._round):
                return ()
            waiting, self._queued = self._queued, []
            if to is not None:
                self._queued = [queued for queued in waiting if queued.to != to]
                waiting = [queued for queued in waiting if queued.to == to]
            self._bytes = sum(queued.size for queued in self._queued)
            if not self._queued:  # else the time of those that stay goes on
                self._round += 1
            return waiting

    def leave(self) -> None:
        """Let all that wait leave; each tells of itself what becomes of it."""
        self._leave(None)

    def _leave(self, this: int | None) -> None:
        for queued in self.take(this):
            queued.leave(None)

    def _forget_parents(self) -> None:
        """Forget, in a forked child, what the parent will send."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._queued, self._bytes = [], 0


def flush_all(batches: Iterable[Batch], to: str | None = None) -> Future[int]:
    """Let all leave that wait in *batches*, or for *to* only; the future ends once each is written, or has failed."""
    leaving = [queued for batch in batches for queued in batch.take(to=to)]
    flush = _Flush(len(leaving))
    for queued in leaving:
        queued.leave(flush)
    return flush.future


class _Flush:
    """Ends its *future* once *count* requests are written, or have failed."""

    def __init__(self, count: int) -> None:
        self._lock = fork_safe_lock()
        self._count = self._left = count
        self._errors: list[Exception] = []
        self.future: Future[int] = Future()
        if not count:
            self.future.set_result(0)

    def ended(self, error: BaseException | None) -> None:
        """Note the end of one."""
        with self._lock:
            self._left -= 1
            if error is not None:
                self._errors.append(error if isinstance(error, Exception) else RuntimeError(repr(error)))
            is_over = not self._left
        if not is_over:
            return
        if self._errors:
            text = f"{len(self._errors)} of {self._count} requests of the batch were not written"
            self.future.set_exception(ExceptionGroup(text, self._errors))
        else:
            self.future.set_result(self._count)


class _Queued:
    """One request that waits, or leaves; a `Stoppable`."""

    __slots__ = ("_batch", "_before", "_done", "_flush", "_lock", "_send", "_timer", "attempt", "size")

    def __init__(
        self, batch: Batch, timer: Timer, attempt: Attempt, done: Done, send: Callable[[Attempt, Done], None]
    ) -> None:
        self._timer = timer
        self.attempt = attempt
        self.size = size_of(attempt.request)
        self._batch = batch
        self._done = done
        self._send = send
        self._flush: _Flush | None = None
        self._before: Callable[[], object] | None = None
        self._lock = fork_safe_lock()

    @property
    def to(self) -> str:
        """``protocol://host:port`` of the provider that it will leave for."""
        return self.attempt.provider.name

    def cancel(self) -> None:
        """End as cancelled, if it waits; it then never leaves."""
        if self._batch.drop(self):
            self._done(Outcome(error=CancelledError()))

    def leave(self, flush: _Flush | None) -> None:
        """Hand the request to the transport, and tell *flush* once it is written or has failed."""
        attempt, record = self.attempt, self.attempt.record
        attempt.carried = None
        self._flush = flush
        if attempt.is_cancelled:
            self._end(Outcome(error=CancelledError()))
            return
        if self._timer.now() >= attempt.ends:
            self._end(Outcome(error=CallTimeout("its time passed while it waited in a batch", not_sent=True)))
            return
        if flush is not None:
            self._before, record.on_sent = record.on_sent, self._sent
        self._send(attempt, self._end)

    def _sent(self) -> None:
        self._tell(None)
        if self._before is not None:
            self._before()

    def _end(self, outcome: Outcome) -> None:
        error = outcome.error
        self._tell(None if getattr(error, "is_remote", False) else error)
        self._done(outcome)

    def _tell(self, error: BaseException | None) -> None:
        with self._lock:
            flush, self._flush = self._flush, None
        if flush is not None:
            flush.ended(error)


def batching(following: Stage, batch: Batch, timer: Timer) -> Stage:
    """Make the stage by which the requests of one-way calls, whichever carrier they have, wait in *batch*."""

    def stage(invocation: Invocation, done: Done) -> None:
        carrier = invocation.carrier
        if invocation.one_way and not isinstance(carrier, BatchingMethod):  # else a view has a batch of its own
            invocation.carrier = BatchingMethod(carrier, batch, timer)
        following(invocation, done)

    return stage


class BatchingMethod:
    """A `MethodTransport` whose requests wait in a batch; a further attempt of a call leaves at once.

    Args:
        carrier: What carries them then.
        batch: Where they wait.
        timer: Of the consumer.
    """

    def __init__(self, carrier: MethodTransport, batch: Batch, timer: Timer) -> None:
        self._carrier = carrier
        self._batch = batch
        self._timer = timer

    @property
    def name(self) -> str:
        """See `MethodTransport.name`."""
        return self._carrier.name

    @property
    def is_streaming(self) -> bool:
        """See `MethodTransport.is_streaming`."""
        return self._carrier.is_streaming

    @property
    def is_upload(self) -> bool:
        """See `MethodTransport.is_upload`."""
        return self._carrier.is_upload

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """See `MethodTransport.encode`."""
        return self._carrier.encode(args, kwargs)

    def send(self, attempt: Attempt, done: Done) -> None:
        """Queue *attempt*; see `MethodTransport.send`."""
        if attempt.number > 1:
            self._carrier.send(attempt, done)
            return
        queued = _Queued(self._batch, self._timer, attempt, done, self._carrier.send)
        attempt.carried_by(queued)
        if not attempt.is_cancelled:
            self._batch.put(queued, self._timer)
        else:
            done(Outcome(error=CancelledError()))

    def stream(self, attempt: Attempt) -> Any:
        """See `MethodTransport.stream`."""
        return self._carrier.stream(attempt)
