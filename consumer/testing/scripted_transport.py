"""A transport without a network, whose answers a test gives by hand."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from typing import Any

from callahead.config.extension import nearest
from callahead.config.policy import MethodPolicy, ReferencePolicy

from ..errors import CallTimeout, RpcError
from ..invocation import Done, Invocation, Outcome
from ..provider import Provider
from ..timer import Timer
from ..transport.api import Providers


class ScriptedCall:
    """One attempt that waits for its test.

    Attributes:
        provider: Whom it asks.
        invocation: What it asks.
        timeout: Seconds that it was given.
        is_cancelled: It was cancelled before it ended.
    """

    def __init__(self, provider: Provider, invocation: Invocation, timeout: float, done: Done) -> None:
        self.provider = provider
        self.invocation = invocation
        self.timeout = timeout
        self.is_cancelled = False
        self._done: Done | None = done
        self._lock = threading.Lock()

    def sent(self) -> None:
        """Say that the request is written."""
        if self.invocation.on_sent is not None:
            self.invocation.on_sent()

    def reply(self, value: Any = None, attachments: Mapping[str, Any] | None = None) -> None:
        """Answer with *value*, on the thread that calls this."""
        if attachments is not None:
            self.invocation.record.response_attachments = attachments
        self._end(Outcome(value))

    def fail(self, error: RpcError) -> None:
        """Answer with *error*, likewise."""
        self._end(Outcome(error=error))

    def _end(self, outcome: Outcome) -> None:
        with self._lock:
            # Let go of it: an error that an answer raised would hold this attempt, and so itself, by its traceback.
            done, self._done = self._done, None
        if done is not None:
            done(outcome)

    def cancel(self) -> None:
        """End as cancelled; what the framework calls."""
        self.is_cancelled = True
        self._end(Outcome(error=CancelledError()))

    def expire(self) -> None:
        """End as timed out; what the clock calls."""
        self._end(Outcome(error=CallTimeout(f"no answer within {self.timeout * 1000:.0f} ms", in_doubt=True)))


class ScriptedTransport:
    """A `Transport` that asks a function for its answers or, without one, hands each attempt to the test.

    Give it to ``Consumer(config, transports={"tri": ScriptedTransport()})``. It accepts any
    arguments, and one that is given an *answer* never starts a thread.

    Args:
        answer: Called with each invocation on the caller's thread; what it returns is the value, an `RpcError` that it
            raises the error. None: `next_call` gives the attempts.
        methods: Names of the only methods that there are, which then are known in snake_case, too; empty for any.
    """

    def __init__(self, answer: Callable[[Invocation], Any] | None = None, methods: Iterable[str] = ()) -> None:
        self._answer = answer
        self._methods = tuple(methods)
        self._calls: queue.SimpleQueue[ScriptedCall] = queue.SimpleQueue()
        self._timer = Timer(time.monotonic, "callahead-scripted-timer")
        self.released: list[Provider] = []

    def next_call(self, timeout: float = 5.0) -> ScriptedCall:
        """Return the attempt that has waited longest; AssertionError where none comes within *timeout* seconds."""
        try:
            return self._calls.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no attempt was made within {timeout} s") from None

    @property
    def is_idle(self) -> bool:
        """No attempt waits for `next_call`."""
        return self._calls.empty()

    def open(self, policy: ReferencePolicy, application: str, providers: Providers) -> ScriptedTransport:
        """Serve any reference; see `Transport.open`."""
        del policy, application, providers
        return self

    def method(self, name: str, policy: MethodPolicy) -> ScriptedMethod:
        """Serve any method, of just this name, or one of those given; see `ReferenceTransport.method`."""
        del policy
        if not self._methods:
            return ScriptedMethod(name, self)
        for known in self._methods:
            if name.replace("_", "").lower() == known.lower():
                return ScriptedMethod(known, self)
        raise LookupError(f'no method "{name}"; {nearest(name, self._methods)}')

    def methods(self) -> tuple[str, ...]:
        """Name the methods that were given."""
        return self._methods

    def carry(self, call: ScriptedCall) -> None:
        """Answer *call*, or keep it for the test."""
        if self._answer is None:
            call.invocation.record.cancelled_by(call.cancel)
            self._timer.call_at(time.monotonic() + call.timeout, call.expire)
            self._calls.put(call)
            return
        try:
            call.reply(self._answer(call.invocation))
        except RpcError as error:
            call.fail(error)

    def release(self, provider: Provider) -> None:
        """Note *provider* in ``released``."""
        self.released.append(provider)

    def close(self) -> None:
        """End the thread that watches deadlines."""
        self._timer.close()

    def after_fork(self) -> None:
        """Forget the parent's thread."""
        self._timer.after_fork()


class ScriptedMethod:
    """A `MethodTransport` of a `ScriptedTransport`."""

    is_streaming = False

    def __init__(self, name: str, transport: ScriptedTransport) -> None:
        self.name = name
        self._transport = transport

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Keep the arguments as they are."""
        return args, kwargs

    def send(self, provider: Provider, invocation: Invocation, timeout: float, done: Done) -> None:
        """Make one attempt; see `MethodTransport.send`."""
        self._transport.carry(ScriptedCall(provider, invocation, timeout, done))

    def stream(self, provider: Provider, invocation: Invocation, timeout: float | None) -> Any:
        """Refuse: nothing here streams."""
        raise NotImplementedError(f"ScriptedTransport carries no streams ({provider}, {invocation}, {timeout})")
