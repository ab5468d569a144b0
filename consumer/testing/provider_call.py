"""One call as an embedded provider sees it: what a handler works with, and what a test looks at afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import grpc

from .script import make_error

RUNNING = "RUNNING"
CANCELLED = "CANCELLED"
CENTURY_S = 3.2e9  # a call without a deadline has, to grpcio, one in nearly endless time
RESERVED_METADATA = ("user-agent", "grpc-", "tri-")


class ProviderCall:
    """A call that came in; handlers with room for one more argument get it as the last.

    Over ``tri`` a handler may use it as the ``context`` of a generated servicer as well: what is not described here is
    passed on to the `grpc.ServicerContext`. Its fields may be read from any thread, during the call and after it.

    Attributes:
        interface: Full name of the service.
        method: As the service spells it.
        request: The request message, None for a method whose requests are a stream; over ``dubbo`` the tuple of
            arguments.
        metadata: All that the client sent with the call: over ``tri`` by lower-case key, with bytes under the keys
            ending in ``-bin``; over ``dubbo`` its attachments.
        attachments: The text part of *metadata*, without what the protocol itself sent.
        timeout: Seconds that the client gave the call when it arrived, or None.
        peer: The client's address, as gRPC writes it.
        response_attachments: What a handler puts here travels back beside the answer.
    """

    def __init__(
        self,
        interface: str,
        method: str,
        request: Any,
        *,
        metadata: Mapping[str, Any],
        attachments: Mapping[str, str],
        peer: str,
        timeout: float | None,
        error: Callable[[Any], BaseException],
        context: grpc.ServicerContext | None = None,
    ) -> None:
        self.interface = interface
        self.method = method
        self.request = request
        self.metadata: Mapping[str, Any] = MappingProxyType(dict(metadata))
        self.attachments = dict(attachments)
        self.peer = peer
        self.timeout = timeout
        self.response_attachments: dict[str, Any] = {}
        self._make_error = error
        self._arrived = time.monotonic()
        self._context = context
        self._lock = threading.Lock()
        self._outcome = RUNNING
        self._ended = threading.Event()

    def __repr__(self) -> str:
        return f"<ProviderCall {self.interface}.{self.method} {self.outcome}>"

    def __getattr__(self, name: str) -> Any:
        context = self.__dict__.get("_context")
        if context is None:
            raise AttributeError(f"a ProviderCall has no {name!r}, or no longer since the call has ended")
        return getattr(context, name)

    @classmethod
    def of_grpc(cls, interface: str, method: str, request: Any, context: grpc.ServicerContext) -> ProviderCall:
        """Make it of what grpcio gives a handler."""
        metadata = dict(context.invocation_metadata())
        remaining = context.time_remaining()
        return cls(
            interface,
            method,
            request,
            metadata=metadata,
            attachments={
                key: value
                for key, value in metadata.items()
                if isinstance(value, str) and not key.startswith(RESERVED_METADATA)
            },
            peer=context.peer(),
            timeout=None if remaining is None or remaining > CENTURY_S else remaining,
            error=make_error,
            context=context,
        )

    @property
    def outcome(self) -> str:
        """``RUNNING``, or how it ended.

        ``OK``; ``CANCELLED`` where somebody gave it up; else the name of the gRPC status or, over ``dubbo``, of the
        status or the class of the Java exception.
        """
        return self._outcome

    @property
    def time_remaining(self) -> float | None:
        """Seconds until the client's deadline, 0 when it has passed, None where there is none."""
        if self.timeout is None:
            return None
        return max(0.0, self.timeout - (time.monotonic() - self._arrived))

    def abort(self, code: grpc.StatusCode | str | int, message: str = "") -> NoReturn:
        """End the call with an error, and the handler with it.

        Args:
            code: A gRPC status other than OK, as itself or by its name; over ``dubbo`` the full name of a Java class,
                or a status by its number or name.
            message: For the client.

        Raises:
            RemoteError: Always, unless *code* is none of these, which is a `ConfigError`.
        """
        raise self._make_error((code, message))

    def wait(self, seconds: float) -> bool:
        """Sleep, and wake early when nobody waits for the answer any more; True if the call still runs."""
        return not self._ended.wait(seconds)

    def wait_ended(self, timeout: float) -> str:
        """Wait until the call has ended and say how, as `outcome` does.

        Raises:
            TimeoutError: It still runs after *timeout* seconds.
        """
        if not self._ended.wait(timeout):
            raise TimeoutError(f"{self!r} has not ended within {timeout} s")
        return self._outcome

    def end(self, outcome: str) -> None:
        """Note how the call ended; only the first note counts. For `EmbeddedProvider`."""
        with self._lock:
            if self._outcome is not RUNNING:
                return
            self._outcome = outcome
            self._context = None
        self._ended.set()
