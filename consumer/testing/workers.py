"""The threads of an embedded provider, and its clock: work may be asked for now or later."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

Entry = tuple[float, int, "Future[Any]", Callable[[], Any]]


class Workers(Executor):
    """A thread pool whose work may have a due time, so that a thousand calls can wait without a thread each.

    Threads are made when there is more work than idle ones, up to *most*. They are daemons, since a user's handler may
    never return: `stop` waits for them, but not for ever, and neither does the end of the program.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._condition = threading.Condition()
        self._queue: list[Entry] = []
        self._order = itertools.count()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._leader: threading.Thread | None = None
        self._stopped = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run *fn* as soon as a thread is free."""
        return self.later(0.0, lambda: fn(*args, **kwargs))

    def later(self, delay: float, work: Callable[[], Any]) -> Future[Any]:
        """Run *work* in *delay* seconds, or never when its future is cancelled before, or the workers are stopped."""
        future: Future[Any] = Future()
        entry = (time.monotonic() + delay, next(self._order), future, work)
        with self._condition:
            if self._stopped:
                future.cancel()
                return future
            heapq.heappush(self._queue, entry)
            if self._queue[0] is entry:
                # Whoever wakes must wait for this one, so the thread that waits for a later one no longer leads.
                self._leader = None
                self._condition.notify()
            if len(self._queue) > self._idle and len(self._threads) < self._most:
                self._add_thread()
        return future

    def stop(self, timeout: float) -> bool:
        """Drop what has not begun and wait up to *timeout* seconds for what has; False if something still runs."""
        with self._condition:
            self._stopped = True
            dropped, self._queue = self._queue, []
            threads = list(self._threads)
            self._condition.notify_all()
        for _, _, future, _ in dropped:
            future.cancel()
        deadline = time.monotonic() + timeout
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (entry := self._take()) is not None:
            _, _, future, work = entry
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # whatever it is belongs to the future
                future.set_exception(error)
            del entry, future, work  # an idle thread must not keep the last call alive

    def _take(self) -> Entry | None:
        """Wait for the first entry that is due; None when stopped."""
        me = threading.current_thread()
        with self._condition:
            while not self._stopped:
                wait = self._queue[0][0] - time.monotonic() if self._queue else None
                if wait is not None and wait <= 0:
                    entry = heapq.heappop(self._queue)
                    if self._queue and self._leader is None:
                        self._condition.notify()
                    return entry
                self._sleep(me, wait)
        return None

    def _sleep(self, me: threading.Thread, wait: float | None) -> None:
        """Wait for a notice; one thread at a time, the leader, also wakes when the first entry is due."""
        leads = wait is not None and self._leader is None
        if leads:
            self._leader = me
        self._idle += 1
        self._condition.wait(wait if leads else None)
        self._idle -= 1
        if self._leader is me:
            self._leader = None
