"""One call as an embedded provider sees it: what a handler works with, and what a test looks at afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import grpc

from callahead.consumer.testing.script import make_error

RUNNING = "RUNNING"
CENTURY_S = 3.2e9  # a call without a deadline has, to grpcio, one in nearly endless time
RESERVED_METADATA = ("user-agent", "grpc-", "tri-")


class ProviderCall:
    """A call that came in; handlers that take two arguments get it as the second.

    A handler may use it as the ``context`` of a generated servicer as well: what is not described here is passed on to
    the `grpc.ServicerContext`. Its fields may be read from any thread, during the call and after it.

    Attributes:
        interface: Full name of the service.
        method: As the service spells it.
        request: The request message; None for a method whose requests are a stream.
        metadata: All that the client sent with the call, by lower-case key; bytes under the keys ending in ``-bin``.
        timeout: Seconds that the client gave the call when it arrived, or None.
        peer: The client's address, as gRPC writes it.
        response_attachments: What a handler puts here travels back in the trailers.
    """

    def __init__(self, interface: str, method: str, request: Any, context: grpc.ServicerContext) -> None:
        self.interface = interface
        self.method = method
        self.request = request
        self.metadata: Mapping[str, str | bytes] = MappingProxyType(dict(context.invocation_metadata()))
        self.peer: str = context.peer()
        remaining = context.time_remaining()
        self.timeout: float | None = None if remaining is None or remaining > CENTURY_S else remaining
        self.response_attachments: dict[str, str | bytes] = {}
        self._arrived = time.monotonic()
        self._context: grpc.ServicerContext | None = context
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

    @property
    def attachments(self) -> dict[str, str]:
        """The text part of `metadata` without what gRPC and Triple themselves sent."""
        return {
            key: value
            for key, value in self.metadata.items()
            if isinstance(value, str) and not key.startswith(RESERVED_METADATA)
        }

    @property
    def outcome(self) -> str:
        """``RUNNING``, or the name of the gRPC status it ended with; ``CANCELLED`` where somebody gave it up."""
        return self._outcome

    @property
    def time_remaining(self) -> float | None:
        """Seconds until the client's deadline, 0 when it has passed, None where there is none."""
        if self.timeout is None:
            return None
        return max(0.0, self.timeout - (time.monotonic() - self._arrived))

    def abort(self, code: grpc.StatusCode | str, message: str = "") -> NoReturn:
        """End the call with an error, and the handler with it.

        Args:
            code: A gRPC status other than OK, as itself or by its name.
            message: For the client.

        Raises:
            RemoteError: Always, unless *code* is no error status, which is a `ConfigError`.
        """
        raise make_error((code.name if isinstance(code, grpc.StatusCode) else code, message))

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
