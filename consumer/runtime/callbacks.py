"""Where users' callbacks run: on a small pool of threads, in a copy of the caller's context, never on an I/O thread.

A grpcio callback runs on the channel's thread in the context of whichever call started that thread, so one call's
context variables leak into another (measured; rule R4 of the reference). Here each callback gets its own copy.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any

_LOG = logging.getLogger("callahead.consumer.callbacks")


_Due = tuple[Context, str, Callable[..., Any], tuple[Any, ...], object]

Needs = Callable[[Iterable[object]], bool]
"""Tells whether a wait ends by one of the callbacks that are due, each given as what it ``brings``."""


class _Wait:
    """One thread's wait for what *needs* tells of."""

    __slots__ = ("is_vain", "needs", "over")

    def __init__(self, over: threading.Event, needs: Needs) -> None:
        self.over = over
        self.needs = needs
        self.is_vain = False


class CallbackExecutor:
    """Runs callbacks on at most *threads* threads, which start when first needed.

    What a callback raises is logged with the call that it belongs to, and goes no further.

    Callbacks come in bursts, a whole read's worth of answers at once, and to give a pool one piece of work costs more
    than most of them. So what the pool gets is rounds, each of which runs whatever is due until nothing is.

    A callback may wait for something that another one brings. Where every thread does so for what is only due, nothing
    would ever come of it, and one of them is told.

    Attributes:
        threads: How many there are at most.
        owner: Gives whose callbacks they are, and None once that is gone.
        tell_idle: Called when a round ends, on its thread; None where nobody wants to know.
    """

    owner: Callable[[], Any] = staticmethod(lambda: None)
    tell_idle: Callable[[], None] | None = None

    def __init__(self, threads: int, name: str = "callahead-callback") -> None:
        self.threads = threads
        self._name = name
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._due: deque[_Due] = deque()
        self._rounds = 0
        self._members: set[int] = set()
        self._waits: dict[int, _Wait] = {}
        self._closed = False
        self._wake: Callable[[], object] | None = None

    def submit(
        self, context: Context, what: str, function: Callable[..., Any], *args: Any, brings: object = None
    ) -> None:
        """Run ``function(*args)`` in a copy of *context*, soon; after `close` at once, on the calling thread.

        *what* names the callback and its call in the log, such as ``"done callback of foo.findFoo"``. Never blocks and
        never raises what *function* raises. Somebody may wait for what it *brings*: the end of a future or a call.
        """
        self._due.append((context, what, function, args, brings))
        # Looked at once it is due, as a round that ends looks again once it is counted: one of the two sees the other.
        if self._rounds < self.threads and not self._begin_round():
            self.run_due()
        if self._waits:
            self._look_for_vain()

    @property
    def is_idle(self) -> bool:
        """Nothing is due, and nothing runs."""
        return not self._due and not self._rounds

    def is_current(self) -> bool:
        """Tell whether the caller is on one of the threads."""
        return threading.get_ident() in self._members

    def wait(self, over: threading.Event, needs: Needs, timeout: float | None) -> bool:
        """Wait on one of the threads until *over* is set, for at most *timeout* seconds.

        Returns:
            False where it is vain: every thread waits like this, for what has no thread left to run.
        """
        wait = self._waits[threading.get_ident()] = _Wait(over, needs)
        try:
            self._look_for_vain()
            over.wait(timeout)
        finally:
            del self._waits[threading.get_ident()]
        return not wait.is_vain

    def would_be_vain(self, needs: Needs) -> bool:
        """Tell whether `wait` would return False at once."""
        return self._is_vain([*self._waits.values(), _Wait(threading.Event(), needs)])

    def _look_for_vain(self) -> None:
        """Let one wait end that has become vain; its thread is then free for what the others wait for."""
        waits = list(self._waits.values())
        if self._is_vain(waits):
            waits[-1].is_vain = True
            waits[-1].over.set()

    def _is_vain(self, waits: Sequence[_Wait]) -> bool:
        if len(waits) < self.threads:
            return False
        due = [brings for *_, brings in list(self._due)]
        return all(wait.needs(due) for wait in waits)

    def _begin_round(self) -> bool:
        wake = self._wake
        if wake is not None:
            wake()
            return True
        with self._lock:
            if self._closed:
                return False
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, self._name, initializer=self._join)
            try:
                self._pool.submit(self._round)
            except RuntimeError:  # the interpreter is shutting down, or the system has no thread left
                return self._is_served()
            self._rounds += 1
            return True

    def _is_served(self) -> bool:
        """Tell whether a round runs, which will see what is due; without any, late is worse than on this thread."""
        if self._rounds:
            return True
        assert self._pool is not None
        self._pool.shutdown(wait=False, cancel_futures=True)  # it kept the round that no thread has begun
        self._pool = None
        return False

    def _round(self) -> None:
        while True:
            self.run_due()
            with self._lock:
                # A round that was not counted, since no thread could be started for it, may be run by another's.
                self._rounds = max(0, self._rounds - 1)
                if not self._due:
                    break
                self._rounds += 1
        tell_idle = self.tell_idle
        if tell_idle is not None:
            tell_idle()

    def leave_to(self, wake: Callable[[], object]) -> None:
        """Start no thread any more: call *wake* where something is due, whoever hears of it calls `run_due`."""
        self._wake = wake

    def has_due(self) -> bool:
        """Tell whether something waits for its turn."""
        return bool(self._due)

    def run_due(self) -> None:
        """Run all that is due, on the calling thread."""
        due = self._due
        while due:
            try:
                one = due.popleft()
            except IndexError:  # another thread was quicker
                return
            _run(*one)
            del one  # what a callback holds must not live until the next one comes

    def _join(self) -> None:
        self._members.add(threading.get_ident())

    def close(self, *, wait: bool) -> None:
        """Accept no more, run what was accepted; with *wait* return when that is done. Idempotent."""
        with self._lock:
            self._closed, pool = True, self._pool
        if pool is not None:
            # A callback that closes its own consumer must not wait for itself.
            pool.shutdown(wait=wait and not self.is_current())
            self._pool = None

    def after_fork(self) -> None:
        """Forget the parent's threads, which a forked child does not have, and what they were to run."""
        self._lock = threading.Lock()
        self._pool = None
        self._due = deque()
        self._rounds = 0
        self._members = set()
        self._waits = {}


def _run(context: Context, what: str, function: Callable[..., Any], args: tuple[Any, ...], _: object) -> None:
    try:
        context.copy().run(function, *args)
    except BaseException:  # a callback must neither vanish silently nor take the thread along
        _LOG.exception("%s raised", what)
