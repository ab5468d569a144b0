"""A steady load on one reference, and what became of each of its calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from callahead.consumer import InvocationFuture


@dataclass(slots=True)
class Call:
    """One call; seconds are of `time.monotonic`."""

    began: float
    future: InvocationFuture[Any]
    ended: float = field(default=0.0)

    @property
    def error(self) -> Any:
        """Its error, or None."""
        return self.future.exception(60)


class Load:
    """Calls *begin* so many times a second on a thread of its own, while the ``with`` block runs.

    At the end of the block all calls have ended. Where the machine is busy there are fewer of them, never a burst.

    Attributes:
        calls: In the order in which they began.
    """

    def __init__(self, begin: Callable[[], InvocationFuture[Any]], per_second: float) -> None:
        self._begin = begin
        self._pause = 1 / per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self.calls: list[Call] = []

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            call = Call(time.monotonic(), self._begin())
            call.future.add_done_callback(lambda _, call=call: setattr(call, "ended", time.monotonic()))
            self.calls.append(call)

    @property
    def failed(self) -> list[Call]:
        """Those that ended with an error."""
        return [call for call in self.calls if call.error is not None]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for call in self.calls:
            call.future.exception(60)
        wait_for(lambda: all(call.ended for call in self.calls))


def wait_for(is_so: Callable[[], Any], seconds: float = 30.0) -> None:
    """Return once *is_so*; AssertionError where that takes longer than *seconds*."""
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, f"it is not so after {seconds} s"
        time.sleep(0.01)
