"""`Gate`: so many calls, and so many bytes, at once; the others wait in order, or are refused."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Literal

from callahead.registry.forking import fork_safe_lock, free_in_child

from ..call.in_time import end_in_time
from ..call.invocation import Done, Invocation, Outcome
from ..errors import CallTimeout, LimitExceeded
from ..runtime.timer import Timer

WhenFull = Literal["block", "reject", "delay", "shed_oldest"]
"""What becomes of a call that finds no place; as ``when_full`` in YAML."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much may be under way at once.

    Attributes:
        whose: Whose calls are counted, for messages: ``foo.findFoo``, ``reference foo``.
        calls: Most calls, 0 for no limit.
        size: Most bytes of their requests, 0 for no limit; a single call of any size has a place where no other is.
        key: The setting of *calls*, as in YAML; that of *size* is ``key + "_bytes"``.
        origin: Where the setting was made.
    """

    whose: str
    calls: int = 0
    size: int = 0
    key: str = "max_pending"
    origin: str = field(default="", compare=False)

    def refusal(self, calls: int, size: int, more: int) -> LimitExceeded:
        """Make the error of a call of *more* bytes, beside *calls* others of *size* bytes."""
        if self.calls and calls >= self.calls:
            text = f"{calls} calls of {self.whose} are running, the most that {self.key} allows"
        else:
            text = (
                f"calls of {self.whose} with {size} bytes are running, and {more} more would pass the {self.size} that"
            )
            text = f"{text} {self.key}_bytes allows"
        return LimitExceeded(f"{text} ({self.origin})", not_sent=True)


class Gate:
    """Lets calls through while there is a place for them, and takes each place back when its call ends.

    Calls that wait go first, in the order in which they came. It counts at most as many as there are, never more
    (source: Aerospike ``AsyncScheduler``), and runs no code of anybody's under its lock.

    Args:
        limit: How much there is.
        timer: Ends the waiting of those whose deadline comes first.
    """

    def __init__(self, limit: Limit, timer: Timer) -> None:
        self.limit = limit
        self._timer = timer
        self._lock = fork_safe_lock()
        self._calls = self._size = self._delayed_size = 0
        self._waiting: deque[Waiting] = deque()
        self._admitting: set[int] = set()
        free_in_child(self._after_fork)

    def enter(self, size: int) -> bool:
        """Take a place for a call of *size* bytes; False where there is none, or others wait for one."""
        with self._lock:
            if self._waiting or not self._has_place(size):
                return False
            self._take(size)
            return True

    def refusal(self, size: int) -> LimitExceeded:
        """Make the error of a call of *size* bytes that found no place."""
        return self.limit.refusal(self._calls, self._size, size)

    def queue(self, waiting: Waiting, most: int, most_bytes: int, *, sheds: bool) -> None:
        """Let a call wait for its place, or refuse it where *most* others, or *most_bytes* of them, wait.

        Where it *sheds*, the one that has waited longest is refused in place of the newcomer.
        """
        shed: list[Waiting] = []
        waiting.stop_with_call()
        with self._lock:
            self._waiting.append(waiting)
            self._delayed_size += waiting.size
            while len(self._waiting) > most or (len(self._waiting) > 1 and self._delayed_size > most_bytes):
                shed.append(self._waiting.popleft() if sheds else self._waiting.pop())
                self._delayed_size -= shed[-1].size
        for one in shed:
            one.end(_shed(self.limit, most, most_bytes, sheds=sheds))
        waiting.watch(self._timer)
        self.admit()  # a place may have become free since it was looked for

    def remove(self, waiting: Waiting) -> bool:
        """Let *waiting* wait no more; False where it does not."""
        with self._lock:
            try:
                self._waiting.remove(waiting)
            except ValueError:
                return False
            self._delayed_size -= waiting.size
        return True

    def leave(self, size: int) -> None:
        """Give the place of a call of *size* bytes back; `admit` lets the next one in."""
        with self._lock:
            self._calls -= 1
            self._size -= size

    def admit(self) -> None:
        """Let those in who wait and have a place now, on this thread.

        What goes in may end at once, and lead here again: the loop that runs goes on then, in place of another one
        within it.
        """
        thread = threading.get_ident()
        if not self._waiting or thread in self._admitting:
            return
        self._admitting.add(thread)
        try:
            while (waiting := self._next()) is not None:
                waiting.go()
        finally:
            self._admitting.discard(thread)

    def _next(self) -> Waiting | None:
        with self._lock:
            if not self._waiting or not self._has_place(self._waiting[0].size):
                return None
            waiting = self._waiting.popleft()
            self._delayed_size -= waiting.size
            self._take(waiting.size)
            return waiting

    def _has_place(self, size: int) -> bool:
        limit = self.limit
        if limit.calls and self._calls >= limit.calls:
            return False
        return not limit.size or not self._calls or self._size + size <= limit.size

    def _take(self, size: int) -> None:
        self._calls += 1
        self._size += size

    def _after_fork(self) -> None:
        """Forget the parent's calls."""
        self._calls = self._size = self._delayed_size = 0
        self._waiting.clear()
        self._admitting.clear()


def _shed(limit: Limit, most: int, most_bytes: int, *, sheds: bool) -> LimitExceeded:
    why = "newer calls have taken its place" if sheds else "no more may wait"
    text = f"{limit.whose} has no place for the call ({limit.key}, {limit.origin}), and {why}: at most {most} calls"
    return LimitExceeded(f"{text} (max_delayed) or {most_bytes} bytes (max_delayed_bytes)", not_sent=True)


class Waiting:
    """A call that waits for its place at a gate; it goes in, or ends, once.

    Args:
        gate: At which it waits.
        invocation: What is asked.
        size: Of the request, in bytes.
        go: Called once it has its place.
        done: Called with the outcome where it never gets one.
    """

    def __init__(self, gate: Gate, invocation: Invocation, size: int, go: Callable[[], object], done: Done) -> None:
        self.size = size
        self._gate = gate
        self._invocation: Invocation | None = invocation
        self._go: Callable[[], object] | None = go
        self._done: Done | None = done

    def stop_with_call(self) -> None:
        """Let whoever gives the call up find it; before it may go in, for then another takes this place.

        It may have waited at another gate before, which has nothing to stop any more.
        """
        assert self._invocation is not None
        record = self._invocation.record
        if not record.attempts:
            record.first = self

    def watch(self, timer: Timer) -> None:
        """End with the call: when it was given up meanwhile, or its deadline comes."""
        invocation = self._invocation
        if invocation is not None:  # else it went in, or ended, already
            end_in_time(self, invocation, timer)

    def go(self) -> None:
        """Go in; its place is taken."""
        go, _ = self._forget()
        if go is not None:
            go()

    def end(self, error: BaseException) -> None:
        """End without a place."""
        _, done = self._forget()
        if done is not None:
            done(Outcome(error=error))

    def cancel(self) -> None:
        """End as given up, if it still waits."""
        if self._gate.remove(self):
            self.end(CancelledError())

    def expire(self) -> None:
        """End as too late, likewise."""
        invocation = self._invocation
        if invocation is None or not self._gate.remove(self):
            return
        waited = (invocation.ends - invocation.record.started) * 1000
        limit = self._gate.limit
        text = f"no place became free within {waited:.0f} ms ({limit.key} of {limit.whose}, {limit.origin})"
        self.end(CallTimeout(text, not_sent=True))

    def _forget(self) -> tuple[Callable[[], object] | None, Done | None]:
        """Let go of what the timer would keep until the deadline."""
        go, done = self._go, self._done
        self._invocation = self._go = self._done = None
        return go, done
