"""Reading a busy connection by the clock, in place of at each answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from .io_thread import NEVER, IoThread
from .ownership import Ownership
from .poller import CLOSING, READ
from .stream import Stream

_STEP_S: Final = 0.001
"""A system's poll waits for whole milliseconds."""

_MOST_STEPS: Final = 4
_WINDOW_S: Final = _MOST_STEPS * _STEP_S
_EARLY_S: Final = 0.0002
"""So much earlier it is due, since what is left of a millisecond is rounded up."""

_SHARE: Final = 8
_MOST_SHARE: Final = 4
_FEWEST: Final = 2
_REMEMBERED_S: Final = 0.1
_WHILE_LED_S: Final = 0.02


class Answered(Protocol):
    """The calls of a connection that were answered.

    Attributes:
        youngest: Monotonic second at which the last of those began that were answered since this was set to 0; infinity
            where somebody may wait for what comes in the midst of one.
    """

    youngest: float


class Pace:
    """Decides, by how long the calls took that have just ended, when to read again.

    To wake for an answer and to wake who waits for it costs more than to read it, and who answers one call after the
    other makes its consumer pay that each time. Where all calls take 8 ms or more, and so many run that it spares half
    of that, what comes in some milliseconds is read together: in an eighth of the time that the quickest of the last
    calls took, and 4 ms at most. Once one has waited for more than a quarter of its own time the connection keeps to
    what that one asks for, for a tenth of a second. As quick as can be counts what goes on in parts: a stream of
    answers, a request that waits for the peer's leave, be it until another was answered, and bytes that come so fast
    that the peer may have had to wait.

    Source: NAPI of Linux, which polls a busy network card in place of being interrupted by it.

    Args:
        owner: Who holds the connection.
        stream: Its socket.
        answered: The calls that were answered there.
        thread: Waits for the socket, or for the clock.
        settle: Does what follows from what was read; for who holds the connection.
        most: How many bytes are read at once.
    """

    def __init__(
        self,
        owner: Ownership,
        stream: Stream[Any],
        answered: Answered,
        thread: IoThread,
        settle: Callable[[], None],
        most: int,
    ) -> None:
        self._owner = owner
        self._stream = stream
        self._answered = answered
        self._thread = thread
        self._settle = settle
        self._most = most
        self._since = 0.0
        self._rounds = 0
        self._steps = 0  # by which it goes on; 0 where it reads what comes as it comes
        self._limit = _MOST_STEPS
        self._until = 0.0

    def read(self) -> None:
        """Read what has come, and see whether to go on by the clock; on the I/O thread, as it holds the connection."""
        self._stream.read(self._most)
        self._rounds += 1
        now = self._stream.last_read
        if now - self._since >= _WINDOW_S:
            self._judge(now)

    def _judge(self, now: float) -> None:
        """Go on by the clock where that spares half of the rounds that reading at each answer has taken."""
        rounds, seconds = self._rounds, now - self._since
        self._rounds, self._since = 0, now
        steps = self._due_steps(now)
        if steps and rounds * steps * _STEP_S >= _FEWEST * seconds and self._stream.is_open:
            self._steps = steps
            self._thread.tick_at(self, now + steps * _STEP_S - _EARLY_S)
            self._stream.rest(CLOSING)

    def _due_steps(self, now: float) -> int:
        """Tell after how many steps to read again, by the calls answered since this was asked; 0 for as they come."""
        began, self._answered.youngest = self._answered.youngest, 0.0
        if not began:
            return 0
        age = max(0.0, now - began)
        steps = min(int(age / (_SHARE * _STEP_S)), _MOST_STEPS)
        if age < _MOST_SHARE * _STEP_S * self._steps:
            self._limit, self._until = steps, now + _REMEMBERED_S
        elif self._steps:  # calls of little less than 8 ms are no reason to begin and end all the time
            steps = max(steps, 1)
        return min(steps, self._limit) if now < self._until else steps

    def catch_up(self) -> None:
        """Read what has come and would wait, before calls are judged by the clock; for who holds the connection."""
        if self._stream.resting == CLOSING and not self._stream.read_all(self._most):
            self._answered.youngest = NEVER  # the system keeps only so much: the peer may have to wait

    def tick(self, now: float) -> float:
        """Read what has come since the last time, as long as that is worth it; see `Timed.tick`."""
        stream = self._stream
        if not self._owner.take():  # who leads reads for itself, and calls that come now may be quick
            was, stream.resting = stream.resting, READ
            return now + (_WHILE_LED_S if was == READ else _STEP_S)  # at which it may have looked just before
        try:
            if stream.resting == CLOSING:
                self.catch_up()
                self._settle()
                self._since = now
                self._steps = self._due_steps(now)
                if self._steps:
                    return now + self._steps * _STEP_S - _EARLY_S
            self._steps = 0
            stream.rest(READ)
            return NEVER
        finally:
            self._owner.leave()
