"""The one I/O thread that serves all connections of a transport.

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

from ...errors import ConnectFailed
from ...runtime.deadline import Clock
from .poller import Poller, open_poller
from .resolve import LookUps

NEVER = float("inf")
LONGEST_SLEEP_S = 3600.0
"""No system's poll takes any time; a call without bound has a year."""

_Task = tuple[Callable[[Any], None], Any]


class Handler(Protocol):
    """Hears of one socket."""

    def on_ready(self, events: int) -> None:
        """Handle READ, WRITE or both."""


class Flushable(Protocol):
    """Queues what the end of a round writes."""

    def flush(self) -> None:
        """Write what was queued since the last round."""


class Timed(Protocol):
    """Has something that is due at some time."""

    def tick(self, now: float) -> float:
        """End what is due; returns the monotonic second at which to be asked again, or `NEVER`."""


class IoThread:
    """Serves sockets on one daemon thread, which starts with the first task.

    All but `post`, `end` and `close` is called on the thread itself, so what it serves needs no lock.

    Attributes:
        protocol: What is spoken on the sockets; stands in the names of threads and of the log.
        poller: Waits for the sockets; None until the thread starts.
        look_ups: Find the addresses of hosts, on threads of their own.
    """

    def __init__(self, clock: Clock, protocol: str) -> None:
        self.protocol = protocol
        self._clock = clock
        self._log = logging.getLogger(f"callahead.consumer.{protocol}")
        self._lock = threading.RLock()
        self._tasks: deque[_Task] = deque()
        self._handlers: dict[int, Handler] = {}
        self._dirty: list[Flushable] = []
        self._timed: dict[Timed, float] = {}
        self._thread: threading.Thread | None = None
        self.poller: Poller | None = None
        self.look_ups = self._new_look_ups()
        self._asleep = False
        self._closed = False

    def _new_look_ups(self) -> LookUps:
        return LookUps(f"callahead-{self.protocol}-dns")

    def post(self, function: Callable[[Any], None], argument: Any) -> None:
        """Run ``function(argument)`` on the thread, soon and in order; from any thread, never blocks.

        Raises:
            ConnectFailed: The thread cannot be started, since the system has no descriptor or no thread left. The task
                is forgotten, and the next one tries again.
        """
        task = (function, argument)
        self._tasks.append(task)
        if self._asleep:
            self._wake()
        elif self._thread is None:
            self._start(task)

    def _wake(self) -> None:
        assert self.poller is not None
        try:
            self._asleep = False
            self.poller.wake()
        except BaseException:  # a signal handler broke in: the next task must wake the thread, if this did not
            self._asleep = True
            raise

    def end(self, function: Callable[[Any], None], argument: Any) -> None:
        """Run what ends something, like `post`; here and now where the thread does not run and so serves nothing."""
        with self._lock:  # which keeps the thread from being started meanwhile
            if self._thread is None:
                function(argument)
                return
        self.post(function, argument)

    def _start(self, task: _Task) -> None:
        with self._lock:
            if self._thread is not None:
                return
            if not self._closed:
                self._start_for(task)
                return
        self._run_late()

    def _start_for(self, task: _Task) -> None:
        """Start the thread for *task*; who else has posted comes here by himself, where this fails."""
        try:
            self._launch(open_poller())
        except (OSError, RuntimeError) as error:
            self._tasks.remove(task)
            why = error.strerror if isinstance(error, OSError) else error
            raise ConnectFailed(f"no connection: the I/O thread cannot be started: {why}", not_sent=True) from None

    def _launch(self, poller: Poller) -> None:
        """Start the thread; the one place that does. Only a thread that runs is noted as such."""
        self.poller = poller
        name = f"callahead-{self.protocol}-io"
        thread = threading.Thread(target=self._run, args=(poller,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no thread left
            self.poller = None
            poller.close()
            raise
        except BaseException:  # a signal handler broke in while this waited for the thread to begin
            self._thread = thread
            raise
        self._thread = thread

    def _run_late(self) -> None:
        """Do on the calling thread what was posted too late for the I/O thread: a call must end, even then."""
        while self._tasks:
            try:
                function, argument = self._tasks.popleft()
            except IndexError:  # another thread was quicker
                return
            function(argument)

    def serve(self, fd: int, handler: Handler) -> None:
        """Pass the events of *fd* to *handler*."""
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Pass no more events of *fd*; before it is closed."""
        if self._handlers.pop(fd, None) is not None:
            assert self.poller is not None
            self.poller.forget(fd)

    def flush_later(self, flushable: Flushable) -> None:
        """Call ``flushable.flush()`` at the end of this round."""
        self._dirty.append(flushable)

    def tick_at(self, timed: Timed, when: float) -> None:
        """Call ``timed.tick(now)`` once the clock shows *when*, or earlier where an earlier time was asked for."""
        known = self._timed.get(timed)
        if known is None or when < known:
            self._timed[timed] = when

    def tick_never(self, timed: Timed) -> None:
        """Forget what `tick_at` was asked."""
        self._timed.pop(timed, None)

    def _run(self, poller: Poller) -> None:
        while not (self._closed and self._is_empty):
            try:
                self._round(poller)
            except Exception:
                self._log.exception("the I/O thread goes on after an error that it should not have seen")
        poller.close()
        self._thread = None
        self._run_late()  # what came just before that line

    @property
    def _is_empty(self) -> bool:
        """Nothing is left to do; a connection that a caller holds is closed only once that hands over."""
        return not self._handlers and not self._tasks

    def _round(self, poller: Poller) -> None:
        tasks = self._tasks
        while tasks:
            function, argument = tasks.popleft()
            function(argument)
        if self._dirty:
            dirty, self._dirty = self._dirty, []
            for flushable in dirty:
                flushable.flush()
        timeout = self._run_timed()
        if timeout != 0:
            self._asleep = True
            # Only now: whoever posts after this line sees the sleeper and wakes it.
            if tasks:
                self._asleep, timeout = False, 0
        ready = poller.wait(timeout)
        self._asleep = False
        for fd, events in ready:
            handler = self._handlers.get(fd)
            if handler is not None:
                handler.on_ready(events)

    def _run_timed(self) -> float | None:
        timed = self._timed
        if timed:
            now = self._clock()
            if min(timed.values()) <= now:
                self._tick(now)
        if self._tasks or self._dirty or (self._closed and self._is_empty):
            return 0
        return max(0.0, min(min(timed.values()) - now, LONGEST_SLEEP_S)) if timed else None

    def _tick(self, now: float) -> None:
        timed = self._timed
        for due in [one for one, when in timed.items() if when <= now]:
            when = due.tick(now)
            if when < NEVER:
                timed[due] = when
            else:
                timed.pop(due, None)

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
        self._lock = threading.RLock()
        self._tasks.clear()
        self._handlers = {}
        self._dirty = []
        self._timed = {}
        self._thread = None
        if self.poller is not None:
            self.poller.close()
        self.poller = None
        self.look_ups = self._new_look_ups()
        self._asleep = False
