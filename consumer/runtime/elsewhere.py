"""Callbacks that run on an executor or an event loop of the program: each exactly once, whatever becomes of that."""

from __future__ import annotations

import logging
import math
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, Protocol

from .due import DueCallback, run
from .loops import running_loop
from .timer import Timer

_LOG = logging.getLogger("callahead.consumer.callbacks")
_LOOK_S = 0.25
"""Seconds between two looks at whether a loop is closed by now."""


class EventLoop(Protocol):
    """What callbacks need of an event loop; those of ``asyncio`` and uvloop have it."""

    def call_soon_threadsafe(self, callback: Callable[..., object], /, *args: Any) -> object:
        """Call *callback* on the loop's thread, soon."""

    def is_closed(self) -> bool:
        """Tell whether it will never run again."""


Place = Executor | EventLoop
"""Where callbacks of a program may run, but for callahead's own threads."""


def require_place(place: object) -> None:
    """Refuse what can run no callback.

    Raises:
        TypeError: *place* is neither an executor nor an event loop.
    """
    runs_here = _is_loop(place) or (callable(getattr(place, "submit", None)) and not _is_of_processes(place))
    if not runs_here:
        kind = type(place).__name__
        text = "callbacks run on a concurrent.futures.Executor of this process, or an asyncio event loop"
        raise TypeError(f"{text}, not on {kind}")


def _is_of_processes(place: object) -> bool:
    processes = sys.modules.get("concurrent.futures.process")
    return processes is not None and isinstance(place, processes.ProcessPoolExecutor)


def threads_of(place: Place) -> float:
    """Tell how many callbacks *place* runs at a time; infinity where it keeps that to itself."""
    most = 1 if _is_loop(place) else getattr(place, "_max_workers", None)
    return most if isinstance(most, int) else math.inf


def is_here(place: object) -> bool:
    """Tell whether *place* is the event loop of this thread, which then runs no callback as long as this blocks it."""
    return place is not None and running_loop() is place


def _is_loop(place: object) -> bool:
    return callable(getattr(place, "call_soon_threadsafe", None))


class _Turn:
    """What a place is given to call: runs one callback, unless that was taken back."""

    __slots__ = ("_of", "place")

    def __init__(self, of: Elsewhere, place: Place) -> None:
        self._of = of
        self.place = place

    def __call__(self) -> None:
        self._of.run(self)

    def ended(self, future: Future[Any]) -> None:
        """Hear of the end that an executor tells of: it may have been cancelled, or failed before it ran."""
        if future.cancelled() or future.exception() is not None:
            self._of.take_back(self)

    @property
    def is_lost(self) -> bool:
        """The loop that was to run it is closed, and has let it fall without a word."""
        return _is_loop(self.place) and bool(self.place.is_closed())  # type: ignore[union-attr]


class Elsewhere:
    """The callbacks that wait for their turn at places of the program, or run there.

    What a place does not take, cancels or lets fall comes back: an executor that is shut down or raises at ``submit``,
    a loop that is closed. A loop that merely stands still, and an executor that never runs what it took, hold theirs.

    Args:
        back: Runs what has come back.
        tell_idle: Called where nothing waits or runs any more.

    Attributes:
        timer: Looks now and then for loops that are closed by now; None before there is one.
        members: The threads that run one of them.
    """

    timer: Timer | None = None

    def __init__(self, back: Callable[[DueCallback], object], tell_idle: Callable[[], object]) -> None:
        self._back = back
        self._tell_idle = tell_idle
        self._waiting: dict[_Turn, DueCallback] = {}
        self.members: set[int] = set()
        self._is_looking = False
        self._is_warned = False

    def put(self, place: Place, due: DueCallback) -> None:
        """Let *place* run *due*; never raises."""
        turn = _Turn(self, place)
        self._waiting[turn] = due
        try:
            if _is_loop(place):
                place.call_soon_threadsafe(turn)  # type: ignore[union-attr]
                self._look_later()
            else:
                place.submit(turn).add_done_callback(turn.ended)  # type: ignore[union-attr]
        except Exception as error:  # it is the program's, and may raise anything
            self._warn(place, due, error)
            self.take_back(turn)

    def _warn(self, place: Place, due: DueCallback, error: Exception) -> None:
        if not self._is_warned:
            self._is_warned = True
            text = "%s takes no callback (%s: %s); %s, and whatever else it refuses, runs on a callback thread"
            _LOG.warning(text, type(place).__name__, type(error).__name__, error, due[1])

    def run(self, turn: _Turn) -> None:
        """Run what *turn* stands for, on the thread of its place."""
        due = self._waiting.pop(turn, None)
        if due is None:
            return
        thread = threading.get_ident()
        is_outermost = thread not in self.members  # an executor may run what it is given at once, within another
        self.members.add(thread)
        try:
            run(*due)
        finally:
            if is_outermost:
                self.members.discard(thread)
        if self.is_idle:
            self._tell_idle()

    def take_back(self, turn: _Turn) -> None:
        """Run what *turn* stands for as if there were no such place, unless it has begun."""
        due = self._waiting.pop(turn, None)
        if due is not None:
            self._back(due)

    def take_back_lost(self) -> None:
        """Take back what loops that are closed by now will not run."""
        for turn in [turn for turn in list(self._waiting) if turn.is_lost]:
            self.take_back(turn)

    def take_back_all(self) -> None:
        """Take back whatever has not begun."""
        for turn in list(self._waiting):
            self.take_back(turn)

    def _look_later(self) -> None:
        timer = self.timer
        if timer is not None and not self._is_looking:
            self._is_looking = True
            try:
                timer.call_at(timer.now() + _LOOK_S, self._look)
            except RuntimeError:  # the system has no thread left: the next callback tries again
                self._is_looking = False

    def _look(self) -> None:
        self._is_looking = False
        self.take_back_lost()
        if any(_is_loop(turn.place) for turn in list(self._waiting)):
            self._look_later()

    @property
    def has_waiting(self) -> bool:
        """Something was given to a place that has not begun it."""
        return bool(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Nothing waits, and nothing runs."""
        return not self._waiting and not self.members

    def brought(self) -> Iterator[object]:
        """Give what those that wait bring."""
        return (brings for *_, brings in list(self._waiting.values()))

    def after_fork(self) -> None:
        """Forget what the parent's threads were to run."""
        self._waiting, self.members = {}, set()
        self._is_looking = False
