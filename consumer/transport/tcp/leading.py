"""Carrying a call on the thread that waits for it, from the send to the answer, where its connection is idle.

That saves two changes of threads, which cost more than all the rest of a single call.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any, Generic, Protocol, TypeVar

from ...runtime.deadline import Clock
from .io_thread import NEVER, IoThread
from .outbox import Outbox
from .ownership import Ownership
from .poller import CLOSING, READ
from .stream import Stream

_READ_BYTES = 16 * 1024
_PAUSE_S = 0.02


class Led(Protocol):
    """A call that can be led.

    Attributes:
        expires: Monotonic second at which its time is over.
        ended: Its outcome is known.
        is_held: The outcome is kept until `hand_out`, since whoever brings it about holds the connection.
    """

    expires: float
    ended: bool
    is_held: bool

    def hand_out(self) -> None:
        """Hand out the outcome, where there is one, or else once it comes."""

    def be_stoppable(self) -> None:
        """Let the call be cancelled from now on."""


LedT = TypeVar("LedT", bound=Led)


class Leading(Generic[LedT]):
    """Lets calling threads lead the calls of one connection, one at a time.

    While a calling thread leads, it alone reads, and the I/O thread does not wait for the socket. Nor does it for some
    milliseconds after, since blocking calls follow one another, and to change what a poller waits for costs two system
    calls each time.

    Args:
        owner: Who holds the connection.
        stream: Its socket.
        outbox: What waits to be written there.
        running: The calls that run there; as long as it is true nobody begins to lead.
        thread: Takes over what a leader cannot finish.
        clock: Tells when a call's time is over.
        send: Sends a call, and notes it in *running*.
        give_up: Ends a call with the exception that was raised meanwhile.
        adopt: Called on the I/O thread with a call whose leader could not finish it.
        rest: Called there, for who holds the connection, where nobody has led for some milliseconds, or a leader has
            handed over since something *is_late*.
        is_late: Tells there whether by that monotonic second anything should have left that waited for another call.
    """

    def __init__(
        self,
        owner: Ownership,
        stream: Stream[Any],
        outbox: Outbox[Any],
        running: Sized,
        thread: IoThread,
        clock: Clock,
        send: Callable[[LedT], None],
        give_up: Callable[[LedT, BaseException], None],
        adopt: Callable[[LedT], None],
        rest: Callable[[], None] = lambda: None,
        is_late: Callable[[float], bool] = lambda _: False,
    ) -> None:
        self._owner = owner
        self._stream = stream
        self._outbox = outbox
        self._running = running
        self._thread = thread
        self._clock = clock
        self._send = send
        self._give_up = give_up
        self._adopt = adopt
        self._rest = rest
        self._is_late = is_late
        self._resumes = False  # a tick is planned or due; belongs to whoever holds the connection

    def lead(self, call: LedT) -> bool:
        """Carry *call* on this thread, where the connection is open and idle.

        The call may come back unfinished, because others need the connection or its time is over; the I/O thread then
        has it.

        Returns:
            False where this cannot be, and nothing was done.
        """
        owner = self._owner
        if not owner.is_ready or not owner.take():
            return False
        try:
            if self._running or self._outbox.count or not owner.is_ready or owner.deferred:
                return False
            is_over = self._carry(call)
        finally:
            owner.leave()
        if is_over:  # told only now: its stages may take long, or call again over this very connection
            call.hand_out()
        return True

    def _carry(self, call: LedT) -> bool:
        stream, outbox = self._stream, self._outbox
        stream.is_led = True
        if stream.watching != CLOSING:  # before the answer can come, which would wake the I/O thread
            stream.watch(CLOSING)
        call.is_held = True
        try:
            self._send(call)
            if not outbox.count:
                while not call.ended and self._owner.wait(call.expires - self._clock()):
                    stream.read(_READ_BYTES)
        except BaseException as error:  # Ctrl-C: the call ends here, with all its stages
            self._give_up(call, error)
        self._stop()
        is_over = call.ended
        if not is_over:
            call.hand_out()
            call.be_stoppable()
        if not is_over or outbox.count:
            self._thread.post(self._adopt, call)
        return is_over

    def _stop(self) -> None:
        stream = self._stream
        stream.is_led = False
        if not self._owner.is_ready:  # lost meanwhile
            return
        if self._running or self._outbox.count:  # the I/O thread has to go on with them at once
            stream.watch_all()
        elif stream.watching == CLOSING and not self._resumes:
            self._resumes = True
            self._thread.post(self._plan, None)

    def _plan(self, _: None) -> None:
        self._thread.tick_at(self, self._clock() + _PAUSE_S)

    def tick(self, now: float) -> float:
        """Let the I/O thread wait for the socket again where nobody has led for some milliseconds; see `Timed.tick`.

        Ticks by itself, since the connection's own tick would ask a leader to hand over.
        """
        if not self._owner.take():
            if self._is_late(now):
                self._owner.hold(lambda _: self._rest(), None)
            return now + _PAUSE_S
        try:
            if self._stream.watching == CLOSING:
                until = self._stream.last_read + _PAUSE_S
                if now < until:
                    return until
                self._stream.watch(READ)
            self._resumes = False
            self._rest()
            return NEVER
        finally:
            self._owner.leave()

    def after_fork(self) -> None:
        """Forget what was planned on the parent's thread."""
        self._resumes = False
