"""A bounded number of threads, and a bounded queue before them.

`concurrent.futures.ThreadPoolExecutor` is none: its queue has no bound and keeps what was cancelled, and at its exit
the interpreter waits for its threads, for as long as a method of a client likes to block.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import OrderedDict
from typing import Final

from callahead.config.policy import ReferencePolicy

from ...call.invocation import Outcome
from ...errors import ConsumerClosed, LimitExceeded, RpcError, TransportError
from ...runtime.deadline import GRACE_S
from ...runtime.loops import runs_loop
from ...runtime.watchdog import Watchdog
from ..api import ConnectionCounts, TransportParts
from .clients import Clients
from .task import Task

_LOG = logging.getLogger("callahead.consumer.python")
_PAUSE_S: Final = 0.005
"""Seconds between two looks for tasks whose time is over."""


class BoundedPool:
    """The threads of one reference; of any thread.

    Threads start when they are needed and are daemons, since nothing can stop a method that blocks: the end of the
    program does not wait for them, `close` only for those that no method holds.

    Args:
        policy: Of the reference.
        clients: What the methods are called on.
        parts: Time, and who may not be blocked.
    """

    def __init__(self, policy: ReferencePolicy, clients: Clients, parts: TransportParts) -> None:
        self._policy = policy
        self._clients = clients
        self._clock = parts.clock
        self._callbacks = parts.callbacks
        self._most: int = policy.transport.threads
        self._most_waiting: int = policy.transport.queue
        self._numbers = itertools.count()
        self._is_closed = False
        self._late = 0
        self._tasks: dict[Task, Task] = {}
        self._watchdog = Watchdog(parts.clock, parts.timer, self._tasks, grace=0.0, pause=_PAUSE_S)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._waiting: OrderedDict[Task, None] = OrderedDict()
        self._threads: set[threading.Thread] = set()
        self._serving = 0  # threads that have not begun to leave
        self._idle = 0  # threads that run nothing, be they about to take a task
        self._held = 0  # by methods of tasks that were given up

    def put(self, task: Task) -> RpcError | None:
        """Queue *task* and see that a thread takes it; returns why not, where that cannot be.

        Where ``when_full`` says so, this waits for room, but for no longer than the task has.
        """
        with self._lock:
            refusal: RpcError | None = None if self._has_room() else self._await_room(task)
            if refusal is None and not task.has_ended:
                refusal = self._queue(task)
        if task.ends < self._watchdog.next_end:  # looked at once it is among the tasks: see there
            self._watchdog.expect(task.ends)
        return refusal

    def _has_room(self) -> bool:
        free = self._idle + self._most - len(self._threads)
        return len(self._waiting) < self._most_waiting + free or self._is_closed

    def _await_room(self, task: Task) -> LimitExceeded | None:
        blocks = task.policy.when_full == "block"
        why_not = self._why_not_block(task) if blocks else ""
        if blocks and not why_not:
            left = task.ends - self._clock()
            if task.hold_caller(lambda: self._room.wait_for(self._has_room, left)):
                return None
            why_not = "; there was no room in time"
        origin = self._policy.origin("queue")
        text = f"{self._load()}, the most that queue allows ({origin}){why_not}"
        return LimitExceeded(text, not_sent=True)

    def _why_not_block(self, task: Task) -> str:
        """Say who would be blocked that must not be; "" where the caller may."""
        if runs_loop():
            who = "an event loop"
        elif self._callbacks.is_current():
            who = "a callback"
        elif threading.current_thread() in self._threads:
            who = "a thread that is to make room"
        elif task.number > 1:
            who = "whoever repeats a call"
        else:
            return ""
        return f"; when_full: block ({task.policy.origin('when_full')}) never blocks {who}"

    def _queue(self, task: Task) -> RpcError | None:
        if self._is_closed:
            return ConsumerClosed("the consumer is closed", not_sent=True)
        if len(self._waiting) >= self._idle and len(self._threads) < self._most:
            try:
                self._start()
            except RuntimeError as error:  # the system has none left, so those that there are do it
                if not self._threads:
                    return TransportError(f"no thread could be started for the call: {error}", not_sent=True)
        self._tasks[task] = task
        self._waiting[task] = None
        self._work.notify()
        return None

    def _start(self) -> None:
        name = f"callahead-python-{self._policy.id}_{next(self._numbers)}"
        thread = threading.Thread(target=self._serve, name=name, daemon=True)
        thread.start()
        self._threads.add(thread)
        self._serving += 1
        self._idle += 1

    def _serve(self) -> None:
        while (task := self._take()) is not None:
            self._run(task)
        self._clients.leave()
        self._leave()

    def _run(self, task: Task) -> None:
        try:
            outcome = self._outcome(task)
            if self._finish(task):
                task.tell(outcome)
        except Exception:
            _LOG.exception("%s: the end of a call raised", self._policy.id)

    def _take(self) -> Task | None:
        with self._lock:
            while not self._waiting:
                if self._is_closed:
                    return None
                self._work.wait()
            self._idle -= 1
            return self._waiting.popitem(last=False)[0]

    def _outcome(self, task: Task) -> Outcome:
        try:
            client = self._clients.of_thread()
        except BaseException as error:  # a target is anybody's code, and may even try to end the program
            return Outcome(error=error)
        with self._lock:
            if task.has_ended:  # by now, so that nobody will look at this outcome
                return Outcome()
            task.begin()
        return task.run(client)

    def _finish(self, task: Task) -> bool:
        """Let the thread take the next one; True where nobody has ended *task*."""
        with self._lock:
            self._idle += 1
            self._room.notify()
            if not task.has_ended:
                task.has_ended = True
                self._tasks.pop(task, None)
                return True
            if task.has_begun:
                self._held -= 1
                self._late += 1
            return False

    def give_up(self, task: Task) -> bool:
        """Note that *task* has ended, and take it from the queue; False where it had ended before."""
        with self._lock:
            if task.has_ended:
                return False
            task.has_ended = True
            self._tasks.pop(task, None)
            if task.has_begun:
                self._held += 1
            elif task in self._waiting:
                del self._waiting[task]
                self._room.notify()
            return True

    def load(self) -> str:
        """Say how many threads are busy, for a message."""
        with self._lock:
            return self._load()

    def _load(self) -> str:
        busy, waiting = len(self._threads) - self._idle, len(self._waiting)
        held = f" ({self._held} of them by calls that were given up)" if self._held else ""
        return f"{busy} of {self._most} threads are busy{held} and {waiting} calls wait"

    def counts(self, endpoint: str) -> ConnectionCounts:
        """Tell what holds threads, and what came too late."""
        with self._lock:
            is_open, late, held = not self._is_closed, self._late, self._held
        return ConnectionCounts(endpoint=endpoint, is_open=is_open, unknown_answers=late, held=held)

    def close(self) -> None:
        """End what runs or waits, and every thread that no method holds; the last of them closes the clients.

        Idempotent.
        """
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
            self._work.notify_all()
            self._room.notify_all()
            tasks = list(self._tasks)
            is_unused = not self._threads
        for task in tasks:
            task.close()
        if is_unused and not was_closed:
            self._clients.close_shared()
        self._join()

    def _join(self) -> None:
        """Wait, not for long, until no thread is left but those that are held, and the calling one."""
        mine = threading.current_thread() in self._threads
        with self._room:
            self._room.wait_for(lambda: len(self._threads) <= self._held + mine, GRACE_S)

    def _leave(self) -> None:
        with self._lock:
            self._idle -= 1
            self._serving -= 1
            is_last = not self._serving
        if is_last:
            self._clients.close_shared()
        with self._lock:
            self._threads.discard(threading.current_thread())
            self._room.notify_all()

    def after_fork(self) -> None:
        """Forget the parent's threads and what they are at."""
        self._tasks.clear()
        self._watchdog.after_fork()
        self._begin_anew()
