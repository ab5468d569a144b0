"""A transport without a network, whose answers a test gives by hand."""

from __future__ import annotations

import queue
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from callahead.config.extension import nearest
from callahead.config.policy import MethodPolicy, ReferencePolicy

from ..call.attempt import Attempt
from ..call.invocation import Done, Outcome
from ..call.provider import Provider
from ..errors import CallTimeout, ConnectFailed, ConsumerClosed, RpcError
from ..interface.description import MethodDescription, ServiceDescription
from ..runtime.timer import Timer
from ..transport.api import ConnectionCounts, Providers


class ScriptedCall:
    """One attempt that waits for its test.

    Attributes:
        attempt: As the transport got it.
        provider: Whom it asks.
        invocation: What it asks.
        timeout: Seconds that it was given.
        is_cancelled: It was cancelled before it ended.
    """

    def __init__(self, attempt: Attempt, done: Done) -> None:
        self.attempt = attempt
        self.provider = attempt.provider
        self.invocation = attempt.invocation
        self.timeout = attempt.timeout
        self.is_cancelled = False
        self._done: Done | None = done
        self._lock = threading.Lock()

    @property
    def has_ended(self) -> bool:
        """Its outcome is out."""
        return self._done is None

    def sent(self) -> None:
        """Say that the request is written; without effect once the attempt has ended."""
        if not self.has_ended:
            self.attempt.sent()

    def tell_sent(self) -> None:
        """Say again what `sent` has said, to who asks only now; what the framework calls."""
        if self.attempt.is_sent:
            self.sent()

    def reply(self, value: Any = None, attachments: Mapping[str, Any] | None = None) -> None:
        """Answer with *value*, on the thread that calls this."""
        self._end(Outcome(value), attachments)

    def fail(self, error: RpcError) -> None:
        """Answer with *error*, likewise."""
        self._end(Outcome(error=error))

    def _end(self, outcome: Outcome, attachments: Mapping[str, Any] | None = None) -> None:
        with self._lock:
            # Let go of it: an error that an answer raised would hold this attempt, and so itself, by its traceback.
            done, self._done = self._done, None
        if done is None:
            return
        if attachments is not None:
            self.attempt.response_attachments = attachments
        done(outcome)

    def cancel(self) -> None:
        """End as cancelled; what the framework calls."""
        self.is_cancelled = True
        self._end(Outcome(error=CancelledError()))

    def close(self) -> None:
        """End as closed under the call; what the transport calls."""
        self._end(Outcome(error=ConsumerClosed("the transport was closed under the call", in_doubt=True)))

    def expire(self) -> None:
        """End as timed out; what the clock calls."""
        self._end(Outcome(error=CallTimeout(f"no answer within {self.timeout * 1000:.0f} ms", in_doubt=True)))


class ScriptedTransport:
    """A `Transport` that asks a function for its answers or, without one, hands each attempt to the test.

    Give it to ``Consumer(config, transports={"tri": ScriptedTransport()})``. It accepts any
    arguments, and one that is given an *answer* never starts a thread.

    Args:
        answer: Called with each attempt, which has all that an invocation has and the provider, on the caller's thread;
            what it returns is the value, an `RpcError` that it raises the error. None: `next_call` gives the attempts.
        methods: Names of the only methods that there are, which then are known in snake_case, too; empty for any.

    Attributes:
        released: The providers that have left.
        connected: Those that were to be connected before a call, by ``lazy: false``.
        unreachable: Addresses, ``host:port``, to which that fails.
    """

    settings = None

    def __init__(self, answer: Callable[[Attempt], Any] | None = None, methods: Iterable[str] = ()) -> None:
        self._answer = answer
        self._methods = tuple(methods)
        self._calls: queue.SimpleQueue[ScriptedCall] = queue.SimpleQueue()
        self._timer = Timer(time.monotonic, "callahead-scripted-timer")
        self.released: list[Provider] = []
        self.connected: list[Provider] = []
        self.unreachable: set[str] = set()
        self.refreshed: list[Provider] = []
        self._running: weakref.WeakSet[ScriptedCall] = weakref.WeakSet()
        self._closed = False

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

    def open(self, policy: ReferencePolicy, providers: Providers) -> ScriptedTransport:
        """Serve any reference; see `Transport.open`."""
        del policy, providers
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

    def connect(self, attempt: Attempt, done: Done) -> None:
        """Note the provider in ``connected``, and fail where it is ``unreachable``."""
        self.connected.append(attempt.provider)
        is_there = attempt.provider.endpoint.address not in self.unreachable
        done(Outcome(error=None if is_there else ConnectFailed("refused", not_sent=True)))

    def attribute(self, name: str) -> Any:
        """Have none; see `ReferenceTransport.attribute`."""
        raise LookupError(name)

    def methods(self) -> tuple[str, ...]:
        """Name the methods that were given."""
        return self._methods

    def describe(self) -> ServiceDescription:
        """Name the methods, of which nothing more is known."""
        methods = tuple(MethodDescription(name=name) for name in self._methods)
        return ServiceDescription("", "a script", methods, is_open=not methods)

    def carry(self, call: ScriptedCall) -> None:
        """Answer *call*, or keep it for the test."""
        if self._closed:
            call.fail(ConsumerClosed("the consumer is closed", not_sent=True))
        elif self._answer is None:
            self._running.add(call)
            call.attempt.carried_by(call)
            self._timer.call_at(time.monotonic() + call.timeout, call.expire)
            self._calls.put(call)
        else:
            self._answer_at_once(call, self._answer)

    def _answer_at_once(self, call: ScriptedCall, answer: Callable[[Attempt], Any]) -> None:
        try:
            call.reply(answer(call.attempt))
        except RpcError as error:
            call.fail(error)

    def refresh(self, provider: Provider) -> None:
        """Note *provider* in ``refreshed``."""
        self.refreshed.append(provider)

    def release(self, provider: Provider) -> None:
        """Note *provider* in ``released``."""
        self.released.append(provider)

    def connections(self) -> tuple[ConnectionCounts, ...]:
        """Return nothing: there are none."""
        return ()

    def close(self) -> None:
        """End what runs, and the thread that watches deadlines."""
        self._closed = True
        for call in list(self._running):
            call.close()
        self._timer.close()

    def after_fork(self) -> None:
        """Forget the parent's thread and calls."""
        self._running.clear()
        self._timer.after_fork()


class _Request(NamedTuple):
    """The arguments of a call, in place of bytes."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def key(self) -> Hashable | None:
        """What is equal for equal arguments; None where they cannot tell."""
        key = (self.args, *sorted(self.kwargs.items()))
        try:
            hash(key)
        except TypeError:
            return None
        return key


class ScriptedMethod:
    """A `MethodTransport` of a `ScriptedTransport`."""

    is_streaming = is_upload = False

    def __init__(self, name: str, transport: ScriptedTransport) -> None:
        self.name = name
        self._transport = transport

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Keep the arguments as they are."""
        return _Request(args, kwargs)

    def send(self, attempt: Attempt, done: Done) -> None:
        """Make one attempt; see `MethodTransport.send`."""
        self._transport.carry(ScriptedCall(attempt, done))

    def stream(self, attempt: Attempt) -> Any:
        """Refuse: nothing here streams."""
        raise NotImplementedError(f"{attempt} cannot be a stream: ScriptedTransport carries none")
