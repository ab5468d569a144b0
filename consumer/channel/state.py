"""The state of a channel: of the connection to one provider of its reference, told to whoever has subscribed."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

import grpc

from callahead.registry.forking import fork_safe_lock, free_in_child

from ..runtime.callbacks import CallbackExecutor
from .parts import PassingTransport, StubTransport, WatchedTransport

if TYPE_CHECKING:
    from ..call.provider import Provider
    from ..reference.pipeline import Pipeline

Callback = Callable[[grpc.ChannelConnectivity], None]
"""Takes a state; what `grpc.Channel.subscribe` is given."""


class Subscribers:
    """Those who hear of the state of a channel; of any thread.

    Args:
        pipeline: Of the reference; the provider that is watched is chosen at the first subscription.
        transport: Has the connections.
    """

    def __init__(self, pipeline: Pipeline, transport: StubTransport) -> None:
        self._pipeline = pipeline
        self._transport = transport
        self._lock = fork_safe_lock()
        self._provider: Provider | None = None
        self._stops: list[tuple[Callback, Callable[[], None]]] = []

    def add(self, callback: Callback, *, connect: bool) -> None:
        """Call *callback* with the state of now, soon, and each time that it changes.

        Raises:
            NoProviderAvailable: None is known.
            ConsumerClosed: The consumer is closed.
        """
        with self._lock:
            if self._provider is None:
                self._provider = self._pipeline.any_provider("(subscribe)")
            self._stops.append((callback, self._begin(self._provider, callback, connect=connect)))

    def _begin(self, provider: Provider, callback: Callback, *, connect: bool) -> Callable[[], None]:
        """Begin to tell *callback*; returns what ends that."""
        transport = self._transport
        if isinstance(transport, PassingTransport):
            channel = transport.channel_to(provider)
            channel.subscribe(callback, connect)
            return partial(channel.unsubscribe, callback)
        assert isinstance(transport, WatchedTransport)
        teller = _Teller(callback, self._pipeline.runtime.callbacks)
        unwatch = transport.watch(provider, teller.tell, connect=connect)

        def stop() -> None:
            teller.is_over = True
            unwatch()

        return stop

    def remove(self, callback: Callback) -> None:
        """Call *callback* no more; of what was added twice one is left."""
        with self._lock:
            found = next((number for number, (known, _) in enumerate(self._stops) if known == callback), None)
            stop = None if found is None else self._stops.pop(found)[1]
        if stop is not None:
            stop()

    def clear(self) -> None:
        """Call nobody any more, as grpcio's channel does once it is closed."""
        with self._lock:
            stops, self._stops = self._stops, []
        for _, stop in stops:
            stop()


class _Teller:
    """Tells one subscriber of states, one at a time and in order, on a thread for callbacks.

    As grpcio does, it leaves out those that have passed before the subscriber has returned from the last.
    """

    def __init__(self, callback: Callback, callbacks: CallbackExecutor) -> None:
        self._callback = callback
        self._callbacks = callbacks
        self._context = copy_context()
        self._lock = fork_safe_lock()
        self._state = ""
        self._told = ""
        self._is_telling = False
        self.is_over = False
        free_in_child(self._after_fork)

    def tell(self, state: str) -> None:
        """Note that *state* came, by gRPC's name; of any thread, never blocks."""
        with self._lock:
            self._state = state
            if self._is_telling or self._told == state:
                return
            self._is_telling = True
        self._soon()

    def _after_fork(self) -> None:
        """Forget the parent's thread that may be telling the subscriber, so that the child tells of its next state."""
        self._is_telling = False

    def _soon(self) -> None:
        self._callbacks.work(self._context, "a subscriber of the channel's state", self._deliver, brings=None)

    def _deliver(self) -> None:
        with self._lock:
            state = self._told = self._state
        try:
            if not self.is_over:
                self._callback(grpc.ChannelConnectivity[state])
        finally:
            with self._lock:
                self._is_telling = self._state != self._told
            if self._is_telling:
                self._soon()
