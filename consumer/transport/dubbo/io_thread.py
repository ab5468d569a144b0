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


class Served(Protocol):
    """One socket that the thread serves."""

    def on_ready(self, events: int) -> None:
        """Handle READ, WRITE or both."""

    def flush(self) -> None:
        """Write what was queued since the last round."""

    def tick(self, now: float) -> float:
        """End what is due; returns the monotonic second at which to be asked again, or `NEVER`."""


class IoThread:
    """Serves sockets on one daemon thread, which starts with the first task.

    All but `post` and `close` is called on the thread itself, so what is served needs no lock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tasks: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._served: dict[int, Served] = {}
        self._dirty: list[Served] = []
        self._timed: dict[Served, float] = {}
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
            if self._thread is not None:
                return
            if not self._closed:
                self.poller = open_poller()
                self._thread = threading.Thread(target=self._run, name="callahead-dubbo-io", daemon=True)
                self._thread.start()
                return
        self._run_late()

    def _run_late(self) -> None:
        """Do on the calling thread what was posted too late for the I/O thread: a call must end, even then."""
        while self._tasks:
            try:
                function, argument = self._tasks.popleft()
            except IndexError:  # another thread was quicker
                return
            function(argument)

    def serve(self, fd: int, served: Served) -> None:
        """Pass the events of *fd* to *served*."""
        self._served[fd] = served

    def forget(self, fd: int) -> None:
        """Pass no more events of *fd*; before it is closed."""
        if self._served.pop(fd, None) is not None:
            assert self.poller is not None
            self.poller.forget(fd)

    def flush_later(self, served: Served) -> None:
        """Call ``served.flush()`` at the end of this round."""
        self._dirty.append(served)

    def tick_at(self, served: Served, when: float) -> None:
        """Call ``served.tick(now)`` once the clock shows *when*, or earlier where an earlier time was asked for."""
        known = self._timed.get(served)
        if known is None or when < known:
            self._timed[served] = when

    def tick_never(self, served: Served) -> None:
        """Forget what `tick_at` was asked."""
        self._timed.pop(served, None)

    def _run(self) -> None:
        poller = self.poller
        assert poller is not None
        while not self._is_over:
            try:
                self._round(poller)
            except Exception:
                _LOG.exception("the I/O thread goes on after an error that it should not have seen")
        poller.close()
        self._thread = None
        self._run_late()  # what came just before that line

    @property
    def _is_over(self) -> bool:
        """Told to end, and nothing is left: a connection that a caller holds is closed only once that hands over."""
        return self._closed and not self._served and not self._tasks

    def _round(self, poller: Poller) -> None:
        tasks = self._tasks
        while tasks:
            function, argument = tasks.popleft()
            function(argument)
        if self._dirty:
            dirty, self._dirty = self._dirty, []
            for served in dirty:
                served.flush()
        timeout = self._run_timed()
        if timeout != 0:
            self._asleep = True
            # Only now: whoever posts after this line sees the sleeper and wakes it.
            if tasks:
                self._asleep, timeout = False, 0
        ready = poller.wait(timeout)
        self._asleep = False
        for fd, events in ready:
            one = self._served.get(fd)
            if one is not None:
                one.on_ready(events)

    def _run_timed(self) -> float | None:
        timed = self._timed
        if timed:
            now = self._clock()
            for served in [one for one, when in timed.items() if when <= now]:
                when = served.tick(now)
                if when < NEVER:
                    timed[served] = when
                else:
                    timed.pop(served, None)
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
        self._served = {}
        self._dirty = []
        self._timed = {}
        self._thread = None
        if self.poller is not None:
            self.poller.close()
        self.poller = None
        self._asleep = False
