"""callahead's errors and futures with gRPC's faces, for code written against grpcio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from functools import cache
from typing import Any, NamedTuple, NoReturn

import grpc

from ..call.future import InvocationFuture
from ..call.invocation import Outcome
from ..errors import (
    AllAttemptsFailed,
    CallTimeout,
    ConsumerClosed,
    LimitExceeded,
    NoProviderAvailable,
    ProtocolError,
    Rejected,
    RpcError,
    SerializationError,
    TransportError,
)

_CODES: tuple[tuple[type[RpcError], grpc.StatusCode], ...] = (
    (CallTimeout, grpc.StatusCode.DEADLINE_EXCEEDED),
    (NoProviderAvailable, grpc.StatusCode.UNAVAILABLE),
    (TransportError, grpc.StatusCode.UNAVAILABLE),
    (LimitExceeded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Rejected, grpc.StatusCode.PERMISSION_DENIED),
    (SerializationError, grpc.StatusCode.INTERNAL),
    (ProtocolError, grpc.StatusCode.INTERNAL),
    (ConsumerClosed, grpc.StatusCode.CANCELLED),
)


def status_of(error: BaseException | None) -> grpc.StatusCode:
    """Return the status that stands for *error*, the provider's own where it gave one."""
    if error is None:
        return grpc.StatusCode.OK
    if isinstance(error, CancelledError):
        return grpc.StatusCode.CANCELLED
    if isinstance(error, RpcError):
        last = _last(error)
        if last.status in grpc.StatusCode.__members__:
            return grpc.StatusCode[last.status]
        return next((code for kind, code in _CODES if isinstance(last, kind)), grpc.StatusCode.UNKNOWN)
    return grpc.StatusCode.UNKNOWN


def _last(error: Any) -> Any:
    return error.failures[-1] if isinstance(error, AllAttemptsFailed) else error


class Metadatum(NamedTuple):
    """A pair of metadata as grpcio has it, whose own class does not pickle."""

    key: str
    value: str | bytes


def told(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[Metadatum, ...]:
    """Return *metadata* as grpcio tells them."""
    return tuple(Metadatum(*pair) for pair in metadata)


CANCELLED_HERE = "Locally cancelled by application!"
"""What grpcio says of a call that was given up."""


class _ErrorFace(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """What grpcio's own errors can do beside being raised: they are the ended call and its future as well."""

    def code(self) -> grpc.StatusCode:
        """Return the status of the call."""
        return status_of(self)

    def details(self) -> str:
        """Return the text of the status, "" where it has none; callahead's message where there was no status."""
        last = _last(self)
        return last.status_text if last.status in grpc.StatusCode.__members__ else str(self)

    def debug_error_string(self) -> str:
        """Return callahead's message, which names the call, the provider, the time and the attempts."""
        return str(self)

    def initial_metadata(self) -> Any:
        """Return the metadata that came before the answer."""
        return (_last(self).protocol_trace or ((), ()))[0]

    def trailing_metadata(self) -> Any:
        """Return the metadata that came after the answer."""
        return (_last(self).protocol_trace or ((), ()))[1]

    def is_active(self) -> bool:
        """Return False: the call has ended."""
        return False

    def time_remaining(self) -> Any:
        """Return None: the call has ended."""
        return None

    def cancel(self) -> bool:
        """Return False: the call has ended."""
        return False

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Return False, and never call *callback*: the call has ended."""
        del callback
        return False

    def cancelled(self) -> bool:
        """Return False: the call has failed."""
        return False

    def running(self) -> bool:
        """Return False: the call has ended."""
        return False

    def done(self) -> bool:
        """Return True: the call has ended."""
        return True

    def result(self, timeout: float | None = None) -> Any:
        """Raise this error."""
        del timeout
        raise self

    def exception(self, timeout: float | None = None) -> Any:
        """Return this error."""
        del timeout
        return self

    def traceback(self, timeout: float | None = None) -> Any:
        """Return where this error was raised."""
        del timeout
        try:
            return self.__traceback__ or _traceback_of(self)
        finally:
            del self  # the traceback would tie the error to itself

    def __reduce__(self) -> Any:
        return _make_face, (type(self).__bases__[1], self.args, self.__dict__)

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Call ``fn(self)`` at once: the call has ended."""
        fn(self)


@cache  # the type checker takes the classes' own __hash__ for that of their instances
def _face_of(kind: Any) -> Any:
    return type(kind.__name__, (_ErrorFace, kind), {"__module__": kind.__module__, "__doc__": kind.__doc__})


def grpc_error(error: RpcError) -> RpcError:
    """Return *error* as one that is a `grpc.RpcError` too.

    ``code()`` and ``details()`` are methods there, as gRPC has them; a `RemoteError`'s own ``details`` are its
    ``remote_details``.
    """
    if isinstance(error, grpc.RpcError):
        return error
    fields = dict(error.__dict__)
    if "details" in fields:
        fields["remote_details"] = fields.pop("details")
    if error.protocol_trace is not None:
        fields["protocol_trace"] = tuple(told(part) for part in error.protocol_trace)
    cause = error.__cause__
    if isinstance(error, AllAttemptsFailed):
        fields["failures"] = failures = tuple(grpc_error(failure) for failure in error.failures)
        cause = failures[-1] if failures else cause
    face = _make_face(type(error), error.args, fields)
    face.__cause__ = cause
    return face.with_traceback(error.__traceback__)


def raise_face(error: RpcError) -> NoReturn:
    """Raise *error* as `grpc_error` makes it."""
    face = grpc_error(error)
    raise face from face.__cause__


def _make_face(kind: type[RpcError], args: tuple[Any, ...], fields: Mapping[str, Any]) -> RpcError:
    """Make an error without its ``__init__``, whose parameters may be any; also what unpickling calls."""
    faced = _face_of(kind)  # type: ignore[arg-type]
    face: RpcError = faced.__new__(faced)
    face.args = args
    face.__dict__.update(fields)
    return face


def _traceback_of(error: BaseException) -> Any:
    """Make the traceback that a future's error does not have, since nobody has raised it."""
    try:
        raise error
    except BaseException as raised:
        return raised.__traceback__
    finally:
        del error  # likewise


class _WaitedTooLong(TimeoutError, grpc.FutureTimeoutError):
    """The time given to ``result`` or ``exception`` has passed; the call goes on."""


class _Cancelled(CancelledError, grpc.FutureCancelledError):
    """The call was cancelled."""


class ChannelFuture(InvocationFuture, grpc.Call, grpc.Future):  # type: ignore[misc, type-arg]
    """An `InvocationFuture` that is a `grpc.Future` and a `grpc.Call` as well, as grpcio's own are."""

    def _settle(self, outcome: Outcome) -> bool:
        """End the call; its error gets gRPC's face."""
        if isinstance(outcome.error, RpcError):
            outcome = Outcome(error=grpc_error(outcome.error))
        return super()._settle(outcome)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the answer; see `InvocationFuture.result` and `grpc.Future.result`."""
        return self._waiting(super().result, timeout)

    def exception(self, timeout: float | None = None) -> Any:
        """Wait for the error, None for none; see `grpc.Future.exception`."""
        return self._waiting(super().exception, timeout)

    def _waiting(self, wait: Callable[[float | None], Any], timeout: float | None) -> Any:
        try:
            return wait(timeout)
        except CancelledError:
            raise _Cancelled from None
        except TimeoutError as error:
            if isinstance(error, RpcError):
                raise
            raise _WaitedTooLong(*error.args) from None

    def traceback(self, timeout: float | None = None) -> Any:
        """Wait for the error's traceback, None for none; see `grpc.Future.traceback`."""
        error = self.exception(timeout)
        try:
            return None if error is None else error.__traceback__ or _traceback_of(error)
        finally:
            del self, error  # as in an error's own

    def code(self) -> grpc.StatusCode:
        """Wait for the status of the call."""
        return status_of(self._ended())

    def details(self) -> str:
        """Wait for what the provider said."""
        error = self._ended()
        if isinstance(error, CancelledError):
            return CANCELLED_HERE
        return str(error.details()) if isinstance(error, _ErrorFace) else "" if error is None else str(error)

    def initial_metadata(self) -> Any:
        """Wait for the metadata that came before the answer."""
        self._ended()
        return told((self.record.protocol_trace or ((), ()))[0])

    def trailing_metadata(self) -> Any:
        """Wait for the metadata that came after the answer."""
        self._ended()
        return told((self.record.protocol_trace or ((), ()))[1])

    def _ended(self) -> BaseException | None:
        try:
            error: BaseException | None = self.exception()
        except CancelledError as cancelled:
            return cancelled
        return error

    def is_active(self) -> bool:
        """Tell whether the call runs."""
        return not self.done()

    def time_remaining(self) -> Any:
        """Seconds until the deadline, or None once the call has ended."""
        return None if self.done() else max(0.0, self.invocation.deadline.remaining())

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Call *callback* without argument once the call ends; False, and no call, where it has ended."""
        if self.done():
            return False
        self.add_done_callback(lambda _: callback())
        return True


class EndedCall(grpc.Call):
    """The second half of what ``with_call`` returns."""

    def __init__(self, future: ChannelFuture) -> None:
        self._future = future

    def code(self) -> grpc.StatusCode:
        """Return OK."""
        return self._future.code()

    def details(self) -> str:
        """Return "": nothing went wrong."""
        return self._future.details()

    def initial_metadata(self) -> Any:
        """Return the metadata that came before the answer."""
        return self._future.initial_metadata()

    def trailing_metadata(self) -> Any:
        """Return the metadata that came after the answer."""
        return self._future.trailing_metadata()

    def is_active(self) -> bool:
        """Return False."""
        return False

    def time_remaining(self) -> Any:
        """Return None."""
        return None

    def cancel(self) -> bool:
        """Return False: there is nothing left to cancel."""
        return False

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Return False, and never call *callback*."""
        del callback
        return False
