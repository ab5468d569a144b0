"""Reading a busy connection by the clock, in place of at each answer."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any, Final, Protocol

from .io_thread import NEVER, IoThread
from .ownership import Ownership
from .poller import CLOSING, READ
from .stream import Stream

LONGEST_S: Final = 0.004
SHORTEST_S: Final = 0.001
"""No system's poll waits for less."""

_SHARE: Final = 8
_FEWEST: Final = 2
_HOLDS_OFF_S: Final = 1.0


class Running(Sized, Protocol):
    """The calls that run on a connection.

    Attributes:
        youngest: Monotonic second at which the last of those began that have ended since this was set to 0; infinity
            where somebody may wait for a part of one that goes on.
    """

    youngest: float


class Pace:
    """Decides, by how long the calls took that have just ended, when to read again.

    To wake for an answer and to wake who waits for it costs more than to read it, and who answers one call after the
    other makes its consumer pay that each time. Where all calls take long enough the answers of some milliseconds are
    read together: no call takes longer for that by more than an eighth of its time, nor than 4 ms. A call that is quick
    keeps its connection from it for a second, so that the long ones beside it cost it nothing.

    Source: NAPI of Linux, which polls a busy network card in place of being interrupted by it.

    Args:
        owner: Who holds the connection.
        stream: Its socket.
        running: The calls that run there.
        thread: Waits for the socket, or for the clock.
        settle: Does what follows from what was read; for who holds the connection.
        most: How many bytes are read at once.
    """

    def __init__(
        self,
        owner: Ownership,
        stream: Stream[Any],
        running: Running,
        thread: IoThread,
        settle: Callable[[], None],
        most: int,
    ) -> None:
        self._owner = owner
        self._stream = stream
        self._running = running
        self._thread = thread
        self._settle = settle
        self._most = most
        self._since = self._not_before = 0.0
        self._rounds = self._ended = 0

    def read(self) -> None:
        """Read what has come, and see whether to go on by the clock; on the I/O thread, as it holds the connection."""
        self._read()
        self._rounds += 1
        now = self._stream.last_read
        if now - self._since >= LONGEST_S:
            is_often = self._rounds >= _FEWEST and now >= self._not_before
            age = self._age(now)
            if is_often and age >= _SHARE * SHORTEST_S and self._stream.is_open:
                self._stream.rest(CLOSING)
                self._thread.tick_at(self, now + _period(age))

    def catch_up(self) -> None:
        """Read what has come and would wait, before calls are judged by the clock; for who holds the connection."""
        if self._stream.resting == CLOSING:
            self._read()

    def _read(self) -> None:
        running = self._running
        before = len(running)
        self._stream.read(self._most)
        self._ended += before - len(running)

    def _age(self, now: float) -> float:
        """Tell how many seconds the quickest call took that has ended since this was asked; 0 where too few have."""
        ended, seconds, running = self._ended, now - self._since, self._running
        age = max(0.0, now - running.youngest)
        running.youngest, self._since, self._rounds, self._ended = 0.0, now, 0, 0
        return age if ended * LONGEST_S >= _FEWEST * seconds else 0.0

    def tick(self, now: float) -> float:
        """Read what has come since the last time, as long as that is worth it; see `Timed.tick`."""
        if not self._owner.take():  # who leads reads for itself
            return now + SHORTEST_S
        try:
            if self._stream.resting != CLOSING:  # it was another socket
                return NEVER
            self._read()
            self._settle()
            age = self._age(now)
            if age >= LONGEST_S and self._stream.is_open:
                return now + _period(age)
            if age:
                self._not_before = now + _HOLDS_OFF_S
            self._stream.rest(READ)
            return NEVER
        finally:
            self._owner.leave()


def _period(age: float) -> float:
    return min(max(age / _SHARE, SHORTEST_S), LONGEST_S)
