"""How a task of asyncio waits for what a thread brings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any

from .invocation import Done, Outcome

if TYPE_CHECKING:
    import asyncio

_NO_LOOP = (
    "a future of callahead is awaited in a running loop of asyncio, and there is none in this thread; under another"
    " library, wait for its result() on a thread, as by trio.to_thread.run_sync(future.result)"
)


def waiter_of(when_settled: Callable[[Done], None], cancel: Callable[[], object]) -> asyncio.Future[Any]:
    """Make a future of the running loop that ends as *when_settled* tells, and whose cancellation *cancel* hears.

    Raises:
        RuntimeError: No loop of asyncio runs in this thread.
    """
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(_NO_LOOP) from None
    waiter: asyncio.Future[Any] = loop.create_future()
    when_settled(partial(_wake, loop, waiter))
    waiter.add_done_callback(partial(_follow, cancel))
    return waiter


def _follow(cancel: Callable[[], object], waiter: asyncio.Future[Any]) -> None:
    if waiter.cancelled():
        cancel()


def _wake(loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[Any], outcome: Outcome) -> None:
    with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
        loop.call_soon_threadsafe(_hand_over, waiter, outcome)


def _hand_over(waiter: asyncio.Future[Any], outcome: Outcome) -> None:
    if waiter.done():
        return
    if outcome.error is None:
        waiter.set_result(outcome.value)
    elif isinstance(outcome.error, CancelledError):
        waiter.cancel()
    else:
        waiter.set_exception(outcome.error)
