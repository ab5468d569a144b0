"""One-way views of a reference whose requests leave together, and what lets them leave."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar, cast

from callahead.config.policy import BatchPolicy

from ..transport.api import ConnectionCounts
from .batch import Batch, BatchingMethod, flush_all
from .caller import Caller, Chain
from .reference import Method, Reference, view_of
from .views import OneWayMethod, require_unary

S = TypeVar("S")

_DEFAULTS = BatchPolicy()


class BatchMethod(OneWayMethod):
    """One method of a batch view; its calls never wait, ``sent: true`` or not."""

    __slots__ = ()

    def _override(self, current: Chain) -> tuple[Chain, Chain]:
        overridden = super()._override(current)[1]
        return current, replace(overridden, policy=replace(overridden.policy, sent=False))


def batch_oneway(
    reference: S,
    *,
    max_bytes: int = _DEFAULTS.max_bytes,
    max_count: int = _DEFAULTS.max_count,
    max_delay: float = _DEFAULTS.max_delay_ms / 1000,
) -> S:
    """Return *reference* with one-way methods whose requests wait, and leave together.

    They leave by `flush_batch`, and by themselves once there are *max_count* of them or they have *max_bytes*, and
    *max_delay* seconds after the first of them was queued; at the latest once half its ``timeout`` is over, which runs
    meanwhile. For the rest this is `oneway`: each call passes the interceptors when it is made, and what becomes of it
    is told by its own ``future``, or by ``on_drop``. ``batch`` of the configuration does so without a view.
    """
    if max_bytes <= 0 or max_count <= 0 or max_delay <= 0:
        raise ValueError("max_bytes, max_count and max_delay are above 0")
    batch, given = Batch(max_bytes, max_count, max_delay), cast("Reference", reference)

    def make(method: Any) -> BatchMethod:
        unary: Method = require_unary(method)
        binding = unary._caller.binding
        binding.runtime.batches.add(batch)
        carrier = BatchingMethod(unary._caller.carrier, batch, binding.runtime.timer)
        return BatchMethod(Caller(binding, carrier), unary._describe, unary._client, unary._options)

    view = view_of(given, make)
    view._batches = weakref.WeakSet([batch])
    given._batches.add(batch)
    return cast("S", view)


def flush_batch(of: Any, timeout: float | None = None) -> int:
    """Let queued requests leave, and wait until each is written or has failed; see `flush_batch_async`.

    Raises:
        TimeoutError: *timeout* seconds passed; they leave all the same.
        ExceptionGroup: Some were not written. Each call is told of its own failure, too.
    """
    return flush_batch_async(of).result(timeout)


def flush_batch_async(of: Any) -> Future[int]:
    """Let the requests leave that wait in a batch view, in all of a reference or `Consumer`, or for a connection.

    Those that wait by the ``batch`` of a reference's methods are the reference's. A connection is one of
    `Consumer.connections`, such as ``future.connection``: what its consumer has queued for its address leaves,
    whichever reference it was queued by and whichever of the address's connections then takes it.

    Returns:
        A future of their number, which ends once each is written; by an `ExceptionGroup` where some were not.

    Raises:
        TypeError: *of* is none of these.
        ValueError: It is a connection whose consumer is gone, or that no consumer has given.
    """
    if isinstance(of, ConnectionCounts):
        return flush_all(_batches_of(_consumer_of(of)), to=of.endpoint)
    return flush_all(_batches_of(of))


def _batches_of(of: Any) -> Iterable[Batch]:
    holder = of if isinstance(of, Reference) else getattr(of, "_runtime", None)
    if holder is None:
        why = "; a call has no connection before it has a provider that was connected to" if of is None else ""
        text = "what can be flushed is a batch view, a reference, a consumer or a connection"
        raise TypeError(f"{text}, not {of!r}{why}")
    return list(holder._batches if isinstance(of, Reference) else holder.batches)


def _consumer_of(connection: ConnectionCounts) -> Any:
    consumer = connection.consumer
    if consumer is None:
        text = "is a connection whose consumer is gone, or that no consumer has given; take that of a future"
        raise ValueError(f"{connection.endpoint} {text}")
    return consumer
