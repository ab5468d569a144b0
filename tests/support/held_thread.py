"""An I/O thread that stands still: a test runs what it is given, on its own thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from callahead.consumer.runtime.deadline import Clock
from callahead.consumer.transport.tcp.io_thread import NEVER, Flushable, Handler, IoThread, Timed


class RecordingPoller:
    """A `Poller` that only notes what it is to wait for."""

    def __init__(self) -> None:
        self.watched: dict[int, int] = {}

    def watch(self, fd: int, events: int) -> None:
        """Note *events* of *fd*."""
        self.watched[fd] = events

    def forget(self, fd: int) -> None:
        """Note that nobody waits for *fd* any more."""
        self.watched.pop(fd, None)

    def wait(self, timeout: float | None) -> Sequence[tuple[int, int]]:
        """Find nothing."""
        del timeout
        return ()

    def wake(self) -> None:
        """Wake nobody."""

    def close(self) -> None:
        """Give nothing back."""


class HeldThread(IoThread):
    """Notes what it is asked; `run` does what was posted.

    Attributes:
        due: Who is to tick when.
        handlers: Who hears of which descriptor.
        watched: What it waits for, by descriptor.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, "test")
        self._posted: deque[tuple[Callable[[Any], None], Any]] = deque()
        poller = RecordingPoller()
        self.poller = poller
        self.watched = poller.watched
        self.due: dict[Timed, float] = {}
        self.handlers: dict[int, Handler] = {}
        self.flushes: list[Flushable] = []

    def post(self, function: Callable[[Any], None], argument: Any) -> None:
        """Keep the task for `run`."""
        self._posted.append((function, argument))

    def end(self, function: Callable[[Any], None], argument: Any) -> None:
        """Keep the task likewise, as a thread that runs does."""
        self.post(function, argument)

    def run(self) -> int:
        """Run the tasks posted so far, and return how many there were."""
        count = len(self._posted)
        for _ in range(count):
            function, argument = self._posted.popleft()
            function(argument)
        return count

    def tick(self, now: float) -> None:
        """Let tick what is due at *now*."""
        for timed in [one for one, when in self.due.items() if when <= now]:
            when = timed.tick(now)
            if when < NEVER:
                self.due[timed] = when
            else:
                self.due.pop(timed, None)

    def serve(self, fd: int, handler: Handler) -> None:
        """Note *handler*."""
        self.handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Note that *fd* is served no more."""
        self.handlers.pop(fd, None)
        self.watched.pop(fd, None)

    def flush_later(self, flushable: Flushable) -> None:
        """Note *flushable*."""
        self.flushes.append(flushable)

    def tick_at(self, timed: Timed, when: float) -> None:
        """Note the earliest time asked for."""
        self.due[timed] = min(when, self.due.get(timed, when))

    def tick_never(self, timed: Timed) -> None:
        """Forget what was asked."""
        self.due.pop(timed, None)
