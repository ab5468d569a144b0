"""The threads of an embedded provider, and its clock: work may be asked for now or later."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any

Work = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class Workers(Executor):
    """A thread pool whose work may have a due time, so that a thousand calls can wait without a thread each.

    Threads are made when no idle one is left, up to *most*, and one more for the clock once something is to wait. They
    are daemons, since a user's handler may never return: `stop` waits for them, but not for ever, and neither does the
    end of the program.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._clock_changed = threading.Condition(self._lock)
        self._due: list[tuple[float, int, Work]] = []
        self._order = itertools.count()
        self._clock: threading.Thread | None = None
        self._stopped = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run *fn* as soon as a thread is free."""
        future: Future[Any] = Future()
        with self._lock:
            self._put((future, fn, args, kwargs))
        return future

    def later(self, delay: float, work: Callable[[], Any]) -> Future[Any]:
        """Run *work* in *delay* seconds, or never when its future is cancelled before, or the workers are stopped."""
        future: Future[Any] = Future()
        entry: tuple[float, int, Work] = (time.monotonic() + delay, next(self._order), (future, work, (), {}))
        with self._lock:
            heapq.heappush(self._due, entry)
            if self._clock is None and not self._stopped:
                self._clock = self._thread(self._tick)
            elif self._due[0] is entry:
                self._clock_changed.notify()
            stopped = self._stopped
        if stopped:
            future.cancel()
        return future

    def stop(self, timeout: float) -> bool:
        """Drop what has not begun and wait up to *timeout* seconds for what has; False if something still runs."""
        with self._lock:
            self._stopped = True
            due, self._due = self._due, []
            threads = [*self._threads, *([] if self._clock is None else [self._clock])]
            self._clock_changed.notify()
            for _ in self._threads:
                self._queue.put(None)
        for _, _, (future, *_) in due:
            future.cancel()
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _put(self, work: Work) -> None:
        """Queue *work* for a thread that is idle or, if there is none and there may be more, for a new one; locked."""
        if self._stopped:
            work[0].cancel()
            return
        if self._idle:
            self._idle -= 1
        elif len(self._threads) < self._most:
            self._threads.append(self._thread(self._serve))
        self._queue.put(work)

    def _thread(self, target: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"{self._name}-{len(self._threads)}", daemon=True)
        thread.start()
        return thread

    def _serve(self) -> None:
        while (work := self._queue.get()) is not None:
            _run(*work, stopped=self._stopped)
            del work  # an idle thread must not keep the last call alive
            with self._lock:
                self._idle += 1

    def _tick(self) -> None:
        with self._lock:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._clock_changed.wait(wait)
                else:
                    self._put(heapq.heappop(self._due)[2])


def _run(
    future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, stopped: bool
) -> None:
    if stopped:
        future.cancel()
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(fn(*args, **kwargs))
    except BaseException as error:  # whatever it is belongs to the future
        future.set_exception(error)
