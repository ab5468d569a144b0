"""A transport without all that stands above it: no chain, no cluster, no future, no context."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import SimpleQueue
from random import Random
from typing import Any

from callahead.config import load_mapping
from callahead.consumer.call.attempt import Attempt
from callahead.consumer.call.invocation import NO_ATTACHMENTS, CallRecord, Invocation, Outcome
from callahead.consumer.call.provider import Provider
from callahead.consumer.runtime.callbacks import CallbackExecutor
from callahead.consumer.runtime.timer import Timer
from callahead.consumer.transport.api import TransportParts
from callahead.consumer.transport.dubbo import DubboTransport
from callahead.registry import DirectRegistry

from .loops import Loop

_TIMEOUT_S = 30.0


class BareMethod:
    """One method of a `MethodTransport`, asked of one provider with the same arguments each time.

    An invocation is made for each call, since a transport takes nothing less.
    """

    def __init__(
        self, transport: DubboTransport, config: Mapping[str, Any], method: str, args: tuple[Any, ...]
    ) -> None:
        [reference] = load_mapping(config).references.values()
        self._provider = Provider(DirectRegistry.of(reference).endpoints[0], lambda _: None)
        self._policy = reference.default
        self._method = transport.open(reference, lambda: (self._provider,)).method(method, self._policy)
        self._args = args

    def begin(self, done: Callable[[Outcome], None], *, blocking: bool) -> None:
        """Begin one call, whose outcome *done* takes; with *blocking* this thread may carry it to its end."""
        now = time.monotonic()
        record = CallRecord(self._policy, self._method.name, now)
        invocation = Invocation(
            *(self._policy, self._method.name, self._args, {}, NO_ATTACHMENTS),
            *(now + _TIMEOUT_S, time.monotonic, record, blocking),
        )
        invocation.request = self._method.encode(self._args, {})
        attempt = Attempt(invocation, self._provider, waits=blocking)
        attempt.timeout, attempt.ends = _TIMEOUT_S, now + _TIMEOUT_S
        self._method.send(attempt, done)


@contextmanager
def bare_dubbo(config: Mapping[str, Any], method: str, *args: Any) -> Iterator[BareMethod]:
    """The dubbo transport by itself, towards the first address of the one reference in *config*."""
    timer, callbacks = Timer(time.monotonic), CallbackExecutor(1)
    parts = TransportParts(clock=time.monotonic, random=Random(), timer=timer, callbacks=callbacks)
    transport = DubboTransport(parts)
    try:
        yield BareMethod(transport, config, method, args)
    finally:
        transport.close()


def waiting(method: BareMethod) -> Loop:
    """Make a call when the one before is answered."""

    def loop(calls: int) -> None:
        ended: SimpleQueue[Outcome] = SimpleQueue()
        for _ in range(calls):
            method.begin(ended.put, blocking=True)
            _require_value(ended.get())

    return loop


def ahead(method: BareMethod, limit: int) -> Loop:
    """Keep up to *limit* calls in flight."""

    def loop(calls: int) -> None:
        ended: SimpleQueue[Outcome] = SimpleQueue()
        for number in range(1, calls + 1):
            method.begin(ended.put, blocking=False)
            if number >= limit:
                _require_value(ended.get())
        for _ in range(min(calls, limit - 1)):
            _require_value(ended.get())

    return loop


def _require_value(outcome: Outcome) -> None:
    if outcome.error is not None:
        raise outcome.error
