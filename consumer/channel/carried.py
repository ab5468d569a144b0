"""The calls of a stub's streaming methods over HTTP/2 of our own, as grpcio's own calls look."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextvars import Context, copy_context
from typing import Any, Protocol

import grpc

from ..call.attempt import Attempt
from ..call.invocation import Done, Outcome
from ..errors import RpcError, TransportError
from ..reference.ending import Runtime
from ..runtime.callbacks import CallbackExecutor
from ..runtime.deadline import Clock, bound_of
from ..transport.api import MethodTransport, ResponseStream
from ..transport.tri.metadata import Metadata
from ..transport.tri.options import GrpcOptions
from .faces import CANCELLED_HERE, grpc_error, status_of, told


class Hears(Protocol):
    """Hears how far a call is; on the thread that serves its connection."""

    def on_head(self, metadata: Metadata, /) -> None:
        """The answers are about to come, and have *metadata*."""


class StreamingMethod(MethodTransport, Protocol):
    """A method of a stub that streams."""

    def answers(self, attempt: Attempt, hears: Hears, done: Done, /) -> ResponseStream:
        """Begin a call with a stream of answers, whose end *done* hears before who iterates them."""

    def upload(self, attempt: Attempt, hears: Hears, done: Done, /) -> None:
        """Begin a call with one answer, which *done* takes."""


class CarriedCall(grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """One call; its ``result`` is the answer, where it has a single one.

    Args:
        attempt: Which it is.
        runtime: Of the consumer, which lives as long as whoever holds this may iterate it.
    """

    def __init__(self, attempt: Attempt, runtime: Runtime) -> None:
        self._attempt = attempt
        self._runtime = runtime
        self._progress = Progress(attempt, runtime.clock, runtime.callbacks)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    def code(self) -> grpc.StatusCode:
        """Wait for the end, and return its status."""
        return status_of(self._progress.wait().error)

    def details(self) -> str:
        """Wait for the end, and return what the provider said."""
        error = self._progress.error()
        return "" if error is None else str(error.details())

    def initial_metadata(self) -> Any:
        """Wait for the metadata before the answers."""
        return told(self._progress.wait_head())

    def trailing_metadata(self) -> Any:
        """Wait for the metadata behind the answers."""
        self._progress.wait()
        return told((self._attempt.protocol_trace or ((), ()))[1])

    def debug_error_string(self) -> str:
        """Wait for the end, and return callahead's message, which names the call, the provider and the time."""
        return str(self._progress.error() or "")

    def is_active(self) -> bool:
        """Tell whether it runs."""
        return not self.done()

    def time_remaining(self) -> Any:
        """Return the seconds that it has left, None where it has no bound."""
        bound = bound_of(self._attempt.ends - self._runtime.clock())
        return None if bound is None else max(0.0, bound)

    def cancel(self) -> bool:
        """Give it up, which ends it for this side at once, as it does grpcio's; False where it has ended."""
        if not self._progress.end(Outcome(error=CancelledError())):
            return False
        self._attempt.cancel()
        return True

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Call *callback* once it ends; False, and no call, where it has ended."""
        return self._progress.once_over(callback)

    def cancelled(self) -> bool:
        """Tell whether it was given up."""
        return self.done() and isinstance(self._progress.wait().error, CancelledError)

    def running(self) -> bool:
        """Tell whether it runs."""
        return not self.done()

    def done(self) -> bool:
        """Tell whether it has ended."""
        return self._progress.is_over

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the answer, or raise the error."""
        outcome = self._progress.wait(timeout)
        if isinstance(outcome.error, CancelledError):
            raise grpc.FutureCancelledError
        if outcome.error is not None:
            raise self._progress.face(outcome.error)
        return outcome.value

    def exception(self, timeout: float | None = None) -> Any:
        """Wait for the error, None for none."""
        outcome = self._progress.wait(timeout)
        if isinstance(outcome.error, CancelledError):
            raise grpc.FutureCancelledError
        return self._progress.error()

    def traceback(self, timeout: float | None = None) -> Any:
        """Wait for the error's traceback, None for none."""
        error = self.exception(timeout)
        return None if error is None else error.traceback()

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Call ``fn(self)`` once it ends, or now."""
        if not self._progress.once_over(lambda: fn(self)):
            fn(self)

    def __repr__(self) -> str:
        if not self.done():
            return f"<{self._attempt}, in flight>"
        return f"<{self._attempt}, status = {self.code()}, details = {self.details()!r}>"


class CarriedStream(CarriedCall, Iterator[Any]):
    """One call with a stream of answers; begun by `begin`, and given up with the last who holds it."""

    _answers: Iterator[Any]

    def begin(self, method: StreamingMethod) -> None:
        """Begin it.

        Raises:
            RpcError: It could not be begun.
        """
        self._answers = iter(method.answers(self._attempt, self._progress, self._progress.on_end))

    def __next__(self) -> Any:
        """Wait for the next answer."""
        try:
            return next(self._answers)
        except (RpcError, CancelledError) as error:
            raise self._progress.face(error) from None


class Progress:
    """How far a call is: what it was told is kept, and who asks for it waits; of any thread."""

    def __init__(self, attempt: Attempt, clock: Clock, callbacks: CallbackExecutor) -> None:
        self._attempt = attempt
        self._clock = clock
        self._executor = callbacks
        self._context: Context = copy_context()
        self._lock = threading.Lock()
        self._has_head, self._is_over = threading.Event(), threading.Event()
        self._head: Metadata = ()
        self._outcome = Outcome()
        self._callbacks: list[Callable[[], None]] = []

    def on_head(self, metadata: Metadata) -> None:
        """Note the metadata before the answers; see `Hears`."""
        self._head = metadata
        self._has_head.set()

    def on_end(self, outcome: Outcome) -> None:
        """Note how it has ended, unless it was given up."""
        if isinstance(outcome.error, RpcError):
            self._attempt.blame(outcome.error, self._clock)
        self.end(outcome)

    def end(self, outcome: Outcome) -> bool:
        """Let it end so, and call those who wanted to know; False where it had ended."""
        with self._lock:
            if self.is_over:
                return False
            self._outcome = outcome
            callbacks, self._callbacks = self._callbacks, []
            self._is_over.set()
        self._has_head.set()
        for callback in callbacks:
            self._executor.submit(self._context.copy(), f"the end of {self._attempt}", callback)
        return True

    def once_over(self, callback: Callable[[], None]) -> bool:
        """Call *callback* at the end; False where that has come."""
        with self._lock:
            if self.is_over:
                return False
            self._callbacks.append(callback)
            return True

    @property
    def is_over(self) -> bool:
        """It has ended."""
        return self._is_over.is_set()

    def wait(self, timeout: float | None = None) -> Outcome:
        """Wait for the end.

        Raises:
            grpc.FutureTimeoutError: That takes more than *timeout* seconds.
        """
        if not self._is_over.wait(timeout):
            raise grpc.FutureTimeoutError
        return self._outcome

    def wait_head(self) -> Metadata:
        """Wait for the metadata before the answers, or for the end."""
        self._has_head.wait()
        return self._head

    def error(self) -> Any:
        """Wait for the end, and return its error as gRPC's, None for none."""
        error = self.wait().error
        return None if error is None else self.face(error)

    def face(self, error: BaseException) -> Any:
        """Make gRPC's error of *error*; one who gave the call up sees CANCELLED."""
        if not isinstance(error, RpcError):
            ours = TransportError(CANCELLED_HERE, in_doubt=True, status="CANCELLED")
            ours.status_text = CANCELLED_HERE
            error = ours
        if error.protocol_trace is None:  # it is no word of the provider's, which may have said something before
            error.protocol_trace = (self._head, ())
        self._attempt.blame(error, self._clock)
        return grpc_error(error)


def carry(
    method: StreamingMethod,
    attempt: Attempt,
    view: str,
    options: GrpcOptions,
    made: Callable[[type[Any]], Any],
) -> Any:
    """Begin *attempt*, and return what the *view* of a streaming method gives; *made* makes a face of its class.

    Raises:
        RpcError: It could not be begun, or where *view* waits it has failed.
    """
    attempt.invocation.options = options
    if not method.is_upload:
        stream: CarriedStream = made(CarriedStream)
        stream.begin(method)
        return stream
    call: CarriedCall = made(CarriedCall)
    method.upload(attempt, call.progress, call.progress.on_end)
    if view == "future":
        return call
    answer = call.result()
    return (answer, call) if view == "with_call" else answer
