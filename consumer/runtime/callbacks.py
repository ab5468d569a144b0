"""Where users' callbacks run: on a small pool of threads, in a copy of the caller's context, never on an I/O thread.

A grpcio callback runs on the channel's thread in the context of whichever call started that thread, so one call's
context variables leak into another (measured; rule R4 of the reference). Here each callback gets its own copy.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any

from callahead.registry.forking import fork_safe_lock

from .due import DueCallback, run
from .elsewhere import Elsewhere, Place, is_here, require_place, threads_of
from .overflow import Overflow

_REST_S = 0.02
"""A thread of the pool with nothing to do waits so long for more: to wake it costs a tenth of what the pool takes."""

Needs = Callable[[Iterable[object]], bool]
"""Tells whether a wait ends by one of the callbacks that are due, each given as what it ``brings``."""


class _Wait:
    """One thread's wait for what *needs* tells of."""

    __slots__ = ("is_own", "is_vain", "needs", "over")

    def __init__(self, over: threading.Event, needs: Needs, *, is_own: bool) -> None:
        self.over = over
        self.needs = needs
        self.is_own = is_own
        self.is_vain = False


class CallbackExecutor:
    """Runs callbacks on at most *threads* threads, which start when first needed, or at a place of the program's own.

    What a callback raises is logged with the call that it belongs to, and goes no further.

    Callbacks come in bursts, a whole read's worth of answers at once, and to give a pool one piece of work costs more
    than most of them. So what the pool gets is rounds, each of which runs whatever is due until nothing is, and then
    rests a while before it ends. One thread is woken for a burst; that one wakes another before it begins a callback,
    where more are due. A place of the program gets each callback by itself, for it has other work to do.

    A callback may wait for something that another one brings. Where every thread does so for what is only due, nothing
    would ever come of it, and one of them is told.

    Args:
        threads: How many there are at most.
        name: What theirs begin with.
        queue: Most callbacks that may wait for a thread, 0 for any number; see `Overflow`.
        blocks: What becomes of one more, likewise.
        origin: Where *queue* was set.

    Attributes:
        owner: Gives whose callbacks they are, and None once that is gone.
        tell_idle: Called when a round ends, on its thread; None where nobody wants to know.
        overflow: The bound of what waits for a thread.
        elsewhere: What waits for a place of the program, or runs there.
        owed: What callbacks are to be submitted for, by whoever ends a call at this very moment.
    """

    owner: Callable[[], Any] = staticmethod(lambda: None)
    tell_idle: Callable[[], None] | None = None

    def __init__(
        self, threads: int, name: str = "callahead-callback", *, queue: int = 0, blocks: bool = True, origin: str = ""
    ) -> None:
        self._threads = threads
        self._name = name
        self._lock = fork_safe_lock()
        self._pool: ThreadPoolExecutor | None = None
        self._due: deque[DueCallback] = deque()
        self._rounds = 0
        self._resting: list[threading.Lock] = []  # each holds up a round that has nothing to do
        self._is_called = False  # a round is about to look at what is due
        self._members: set[int] = set()
        self._waits: dict[int, _Wait] = {}
        self._closed = False
        self._wake: Callable[[], object] | None = None
        self._place: Place | None = None
        self.overflow = Overflow(self._due, queue, blocks=blocks, origin=origin)
        self.elsewhere = Elsewhere(self._put, self._told_idle)
        self.owed: set[object] = set()

    @property
    def threads(self) -> float:
        """How many callbacks may run at a time; infinity where the place keeps that to itself."""
        return self._threads if self._place is None else threads_of(self._place)

    def move_to(self, place: Place) -> None:
        """Run what is submitted at *place* from now on.

        Raises:
            TypeError: It is neither an executor nor an event loop.
        """
        require_place(place)
        self._place = place

    def submit(
        self,
        context: Context,
        what: object,
        function: Callable[..., Any],
        *args: Any,
        brings: object = None,
        at: Place | None = None,
    ) -> None:
        """Run ``function(*args)``, which is code of the user, in a copy of *context*, soon.

        *what* names the callback and its call in the log, such as ``"done callback of foo.findFoo"``, by `str`. Never
        blocks and never raises what *function* raises. Somebody may wait for what it *brings*: the end of a future or a
        call. It runs *at* another place than the others do where one is given. On threads of our own it runs at once
        after `close`, on the calling thread.
        """
        due = (context, what, function, args, brings)
        place = self._place if at is None else at
        if place is None:
            if not (self.overflow.refuses and self.overflow.refuse(due)):
                self._put(due)
            return
        self.elsewhere.put(place, due)
        if self._waits:
            self._look_for_vain()

    def work(self, context: Context, what: str, function: Callable[..., Any], *args: Any, brings: object) -> None:
        """Do likewise what callahead itself has to do for a call, always on a thread of its own."""
        self._put((context, what, function, args, brings))

    def _put(self, due: DueCallback) -> None:
        self._due.append(due)
        # Looked at once it is due, as a round that ends looks again once it is counted: one of the two sees the other.
        if not self._is_called and self._rounds < self._threads and not self._begin_round():
            self.run_due()
        if self._waits:
            self._look_for_vain()

    @property
    def is_idle(self) -> bool:
        """Nothing is due, or about to be, and nothing runs."""
        # In this order: what is owed is due before it is paid, and what is elsewhere may come back.
        return not self.owed and self.elsewhere.is_idle and not self._due and not self._rounds

    def is_current(self) -> bool:
        """Tell whether the caller is on one of the threads, in a callback elsewhere, or on the loop that runs them."""
        thread = threading.get_ident()
        is_ours = thread in self._members or thread in self.elsewhere.members
        return is_ours or (self._place is not None and is_here(self._place))

    def wait(self, over: threading.Event, needs: Needs, timeout: float | None) -> bool:
        """Wait on one of the threads until *over* is set, for at most *timeout* seconds.

        Returns:
            False where it is vain: every thread waits like this, for what has no thread left to run.
        """
        wait = self._waits[threading.get_ident()] = self._waiting(over, needs)
        try:
            self._look_for_vain()
            over.wait(timeout)
        finally:
            del self._waits[threading.get_ident()]
        return not wait.is_vain

    def _waiting(self, over: threading.Event, needs: Needs) -> _Wait:
        return _Wait(over, needs, is_own=threading.get_ident() in self._members)

    def would_be_vain(self, needs: Needs) -> bool:
        """Tell whether `wait` would return False at once."""
        wait = self._waiting(threading.Event(), needs)
        return self._is_vain([*self._beside(wait), wait])

    def _beside(self, wait: _Wait) -> list[_Wait]:
        return [one for one in list(self._waits.values()) if one.is_own is wait.is_own]

    def _look_for_vain(self) -> None:
        """Let one wait end that has become vain; its thread is then free for what the others wait for."""
        for last in list(self._waits.values())[::-1]:
            if self._is_vain(self._beside(last)):
                last.is_vain = True
                last.over.set()
                return

    def _is_vain(self, waits: Sequence[_Wait]) -> bool:
        """Tell it of *waits*, all of them on threads of ours, or none."""
        if not waits or len(waits) < (self._threads if waits[0].is_own else self.threads):
            return False
        due = [brings for *_, brings in list(self._due)] if waits[0].is_own else list(self.elsewhere.brought())
        return all(wait.needs(due) for wait in waits)

    def _begin_round(self) -> bool:
        wake = self._wake
        if wake is not None:
            wake()
            return True
        with self._lock:
            if self._closed:
                return False
            self._is_called = True  # before the round can begin, which takes it back
            try:
                self._call_round()
            except RuntimeError:  # the interpreter is shutting down, or the system has no thread left
                self._is_called = False
                return self._is_served()
            except BaseException:  # a signal handler broke in: the next callback must call a round, if this did not
                self._is_called = False
                raise
            self._rounds += 1
            return True

    def _call_round(self) -> None:
        if self._resting:
            self._resting.pop().release()
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, self._name, initializer=self._join)
        self._pool.submit(self._round)

    def _is_served(self) -> bool:
        """Tell whether a round runs, which will see what is due; without any, late is worse than on this thread."""
        if self._rounds:
            return True
        assert self._pool is not None
        self._pool.shutdown(wait=False, cancel_futures=True)  # it kept the round that no thread has begun
        self._pool = None
        return False

    def _round(self) -> None:
        gate = threading.Lock()
        gate.acquire()
        goes_on = True
        while goes_on:
            self._is_called = False  # before it looks: who has something due after this line calls anew
            self._run(shares=True)
            goes_on = self._rest(gate)

    def _rest(self, gate: threading.Lock) -> bool:
        """Wait a while before *gate* until more is due, where nothing is; False where the round is to end."""
        with self._lock:
            if self._due:
                return True
            # A round that was not counted, since no thread could be started for it, may be run by another's.
            self._rounds = max(0, self._rounds - 1)
            is_over = self._closed
            if not is_over:
                self._resting.append(gate)
        self._told_idle()
        return not is_over and self._is_woken(gate)

    def _is_woken(self, gate: threading.Lock) -> bool:
        if gate.acquire(timeout=_REST_S):
            return True
        with self._lock:
            if gate in self._resting:
                self._resting.remove(gate)
                return False
        return gate.acquire()  # it was woken just then

    def _told_idle(self) -> None:
        tell_idle = self.tell_idle
        if tell_idle is not None:
            tell_idle()

    def leave_to(self, wake: Callable[[], object]) -> None:
        """Start no thread any more, and use no other: call *wake* where something is due, for others to `run_due`."""
        self._wake, self._place, self._is_called = wake, None, False
        self.elsewhere.take_back_all()

    def has_due(self) -> bool:
        """Tell whether something waits for its turn."""
        return bool(self._due)

    def run_due(self) -> None:
        """Run all that is due, on the calling thread."""
        self._run(shares=False)

    def _run(self, *, shares: bool) -> None:
        """Run all that is due here; who *shares* calls another round for what is due behind the next callback."""
        due = self._due
        while due:
            try:
                one = due.popleft()
            except IndexError:  # another thread was quicker
                return
            if shares and due and not self._is_called and self._rounds < self._threads:
                self._begin_round()
            if self.overflow.awaited:
                self.overflow.look_again()
            run(*one)
            del one  # what a callback holds must not live until the next one comes

    def _join(self) -> None:
        self._members.add(threading.get_ident())

    def close(self, *, wait: bool) -> None:
        """Accept no more, run what was accepted; with *wait* return when that is done, but elsewhere. Idempotent."""
        self.elsewhere.take_back_lost()
        with self._lock:
            self._closed, pool = True, self._pool
            self._rounds += len(self._resting)  # each of which looks once more, and ends
            while self._resting:
                self._resting.pop().release()
        if pool is not None:
            # A callback that closes its own consumer must not wait for itself.
            pool.shutdown(wait=wait and threading.get_ident() not in self._members)
            self._pool = None

    def after_fork(self) -> None:
        """Forget the parent's threads, which a forked child does not have, and what they were to run."""
        self._place = None  # whose threads the child does not have either
        self._pool = None
        self._due = deque()
        self._rounds = 0
        self._resting, self._is_called = [], False
        self._members = set()
        self._waits = {}
        self.owed = set()
        self.overflow.after_fork(self._due)
        self.elsewhere.after_fork()
