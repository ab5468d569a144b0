"""One-way views of a reference whose requests leave together, and what lets them leave."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar, cast

from callahead.config.policy import BatchPolicy, MethodPolicy

from .batch import Batch, BatchingMethod, flush_all
from .caller import Caller
from .reference import Method, Reference, view_of
from .views import OneWayMethod, require_unary

S = TypeVar("S")

_DEFAULTS = BatchPolicy()


class BatchMethod(OneWayMethod):
    """One method of a batch view; its calls never wait, ``sent: true`` or not."""

    __slots__ = ()

    def _override(self, current: MethodPolicy) -> tuple[MethodPolicy, MethodPolicy]:
        return current, replace(super()._override(current)[1], sent=False)


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
    """Let the requests leave that wait in a batch view, in all of a reference, or in all of a `Consumer`.

    Those that wait by the ``batch`` of a reference's methods are the reference's.

    Returns:
        A future of their number, which ends once each is written; by an `ExceptionGroup` where some were not.
    """
    return flush_all(_batches_of(of))


def _batches_of(of: Any) -> Iterable[Batch]:
    return list(of._batches if isinstance(of, Reference) else of._runtime.batches)
