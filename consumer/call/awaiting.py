"""How a task of asyncio, or of trio, waits for what a thread brings."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any

from .invocation import Done, Outcome

if TYPE_CHECKING:
    import asyncio

_NO_LOOP = (
    "a future of callahead is awaited in a running loop of asyncio or trio, and there is none in this thread; under"
    " another library, wait for its result() on a thread"
)


def waiter_of(when_settled: Callable[[Done], None], cancel: Callable[[], bool]) -> Awaitable[Any]:
    """Make what the running task awaits: it ends as *when_settled* tells, and *cancel* hears of its cancellation.

    Raises:
        RuntimeError: Neither a loop of asyncio nor one of trio runs in this thread.
    """
    trio = sys.modules.get("trio")
    if trio is not None and _is_in_task(trio):  # first: trio may run as a guest of asyncio
        return _TrioWaiter(trio, when_settled, cancel)
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(_NO_LOOP) from None
    waiter: asyncio.Future[Any] = loop.create_future()
    when_settled(partial(_wake, loop, waiter))
    waiter.add_done_callback(partial(_follow, cancel))
    return waiter


def _is_in_task(trio: Any) -> bool:
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class _TrioWaiter:
    """Lets a task of trio sleep until *when_settled* tells; a cancelled scope gives the call up."""

    def __init__(self, trio: Any, when_settled: Callable[[Done], None], cancel: Callable[[], bool]) -> None:
        self._trio = trio
        self._when_settled = when_settled
        self._cancel = cancel
        self._task = trio.lowlevel.current_task()
        self._token = trio.lowlevel.current_trio_token()
        self._outcome: Outcome | None = None
        self._is_over = False

    def __await__(self) -> Generator[Any, None, Any]:
        self._when_settled(self._wake)
        yield from self._trio.lowlevel.wait_task_rescheduled(self._abort).__await__()
        outcome = self._outcome
        assert outcome is not None
        try:
            if outcome.error is not None:
                raise outcome.error
            return outcome.value
        finally:
            del self, outcome  # they would tie the error to its own traceback

    def _wake(self, outcome: Outcome) -> None:
        with contextlib.suppress(RuntimeError):  # the run is over: nobody waits there any more
            self._token.run_sync_soon(self._resume, outcome)

    def _resume(self, outcome: Outcome) -> None:
        if not self._is_over:
            self._is_over, self._outcome = True, outcome
            self._trio.lowlevel.reschedule(self._task)

    def _abort(self, _: object) -> Any:
        """Give the call up; where it has ended otherwise, that is on its way here."""
        self._is_over = self._cancel() or self._is_over
        abort = self._trio.lowlevel.Abort
        return abort.SUCCEEDED if self._is_over else abort.FAILED


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
