"""The one I/O thread of a consumer's `dubbo` connections.

Callers enqueue and go on; this thread joins all that was queued into one send per connection, reads in large pieces,
and stays awake while there is work. Measured (design, section 7): with a writer in each caller's thread and a reader
beside it the two fight for the interpreter's lock, at 40 us a call in place of 9.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ...deadline import Clock
from .poller import Poller, open_poller

_LOG = logging.getLogger("callahead.consumer.dubbo")
NEVER = float("inf")


class Handler(Protocol):
    """One socket that the thread serves."""

    def on_ready(self, events: int) -> None:
        """Handle READ, WRITE or both."""

    def flush(self) -> None:
        """Write what was queued since the last round."""

    def tick(self, now: float) -> float:
        """End what is due; returns the monotonic second at which to be asked again, or `NEVER`."""


class IoThread:
    """Serves sockets on one daemon thread, which starts with the first task.

    All but `post` and `close` is called on the thread itself, so what it serves needs no lock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tasks: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._handlers: dict[int, Handler] = {}
        self._dirty: list[Handler] = []
        self._timed: dict[Handler, float] = {}
        self._thread: threading.Thread | None = None
        self.poller: Poller | None = None
        self._asleep = False
        self._closed = False

    def post(self, function: Callable[[Any], None], argument: Any) -> None:
        """Run ``function(argument)`` on the thread, soon and in order; from any thread, never blocks."""
        self._tasks.append((function, argument))
        if self._asleep:
            self._asleep = False
            assert self.poller is not None
            self.poller.wake()
        elif self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self.poller = open_poller()
                self._thread = threading.Thread(target=self._run, name="callahead-dubbo-io", daemon=True)
                self._thread.start()

    def serve(self, fd: int, handler: Handler) -> None:
        """Pass the events of *fd* to *handler*."""
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Pass no more events of *fd*; before it is closed."""
        if self._handlers.pop(fd, None) is not None:
            assert self.poller is not None
            self.poller.forget(fd)

    def flush_later(self, handler: Handler) -> None:
        """Call ``handler.flush()`` at the end of this round."""
        self._dirty.append(handler)

    def tick_at(self, handler: Handler, when: float) -> None:
        """Call ``handler.tick(now)`` once the clock shows *when*, or earlier where an earlier time was asked for."""
        known = self._timed.get(handler)
        if known is None or when < known:
            self._timed[handler] = when

    def tick_never(self, handler: Handler) -> None:
        """Forget what `tick_at` was asked."""
        self._timed.pop(handler, None)

    def _run(self) -> None:
        poller = self.poller
        assert poller is not None
        while not self._is_over:
            try:
                self._round(poller)
            except Exception:
                _LOG.exception("the I/O thread goes on after an error that it should not have seen")
        poller.close()

    @property
    def _is_over(self) -> bool:
        """Told to end, and nothing is left: a connection that a caller holds is closed only once that hands over."""
        return self._closed and not self._handlers and not self._tasks

    def _round(self, poller: Poller) -> None:
        tasks = self._tasks
        while tasks:
            function, argument = tasks.popleft()
            function(argument)
        if self._dirty:
            dirty, self._dirty = self._dirty, []
            for handler in dirty:
                handler.flush()
        timeout = self._run_timed()
        if timeout != 0:
            self._asleep = True
            # Only now: whoever posts after this line sees the sleeper and wakes it.
            if tasks:
                self._asleep, timeout = False, 0
        ready = poller.wait(timeout)
        self._asleep = False
        for fd, events in ready:
            one = self._handlers.get(fd)
            if one is not None:
                one.on_ready(events)

    def _run_timed(self) -> float | None:
        timed = self._timed
        if timed:
            now = self._clock()
            for handler in [one for one, when in timed.items() if when <= now]:
                when = handler.tick(now)
                if when < NEVER:
                    timed[handler] = when
                else:
                    timed.pop(handler, None)
        if self._tasks or self._dirty or self._is_over:
            return 0
        return max(0.0, min(timed.values()) - now) if timed else None

    def is_current(self) -> bool:
        """Tell whether the caller is on this thread."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """End the thread, once the tasks posted before have run and nothing is served any more. Idempotent."""
        with self._lock:
            thread = self._thread
            if thread is None:
                self._closed = True
        if thread is None:
            return
        self.post(self._stop, None)
        if not self.is_current():
            thread.join()

    def _stop(self, _: None) -> None:
        self._closed = True

    def after_fork(self) -> None:
        """Forget the parent's thread and sockets, and close this process' copies of its descriptors."""
        self._lock = threading.Lock()
        self._tasks.clear()
        self._handlers = {}
        self._dirty = []
        self._timed = {}
        self._thread = None
        if self.poller is not None:
            self.poller.close()
        self.poller = None
        self._asleep = False
