"""The ways of calling that are measured, by what every peer's user has: a call that begins gives a future.

Each takes how one call is made and gives a function that makes that many. An answer that is an error ends the
measurement: a figure never counts calls that failed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

Loop = Callable[[int], None]
"""Makes so many calls, and returns when the last is answered."""


class Future(Protocol):
    """What the futures of all peers have in common."""

    def result(self) -> Any:
        """Wait for the answer, or raise the error."""

    def add_done_callback(self, fn: Callable[[Any], object], /) -> object:
        """Call *fn* with the future once it has ended."""


def one_by_one(call: Callable[[], Any]) -> Loop:
    """Make a call when the one before is answered."""

    def loop(calls: int) -> None:
        for _ in range(calls):
            call()

    return loop


def windowed(begin: Callable[[], Future], limit: int) -> Loop:
    """Keep up to *limit* calls in flight, and read the answer of the oldest before another is begun."""

    def loop(calls: int) -> None:
        window: deque[Future] = deque()
        for _ in range(calls):
            window.append(begin())
            if len(window) == limit:
                window.popleft().result()
        while window:
            window.popleft().result()

    return loop


def by_callback(begin: Callable[[], Future], limit: int) -> Loop:
    """Keep up to *limit* calls in flight, whose answers are read by a callback on whichever thread the peer chooses."""

    def loop(calls: int) -> None:
        places = threading.Semaphore(limit)
        errors: list[BaseException] = []

        def ended(future: Future) -> None:
            try:
                future.result()
            except BaseException as error:  # it would be lost on the peer's thread
                errors.append(error)
            finally:
                places.release()

        for _ in range(calls):
            places.acquire()
            begin().add_done_callback(ended)
        for _ in range(limit):
            places.acquire()
        if errors:
            raise errors[0]

    return loop
