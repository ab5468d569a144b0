"""One attempt, from the moment it is handed to the I/O thread to its one end."""

from __future__ import annotations

from concurrent.futures import CancelledError
from functools import partial
from typing import Any, Protocol

from ...call.attempt import Attempt
from ...call.invocation import CallRecord, Done, Outcome
from ...errors import CallTimeout
from ...runtime.callbacks import CallbackExecutor
from ..large_answers import read_elsewhere
from ..time_limit import time_limit
from ..trouble import Trouble


class CalledMethod(Protocol):
    """What is called; never raises."""

    def decode(self, head: Any, body: Any, tail: Any, attempt: Attempt, /) -> Outcome:
        """Read *body* as the answer to *attempt*; *head* and *tail* are what the protocol has around it."""

    def worded(self, trouble: Trouble, /) -> str:
        """Word *trouble* with the places of the settings that decide it."""


class Carrier(Protocol):
    """Carries attempts, calls of a class that it knows; all of it may be called from any thread."""

    def lead(self, call: Any, /) -> bool:
        """Carry *call* to its end on this thread; False where that cannot be, and nothing was done."""

    def post(self, call: Any, /) -> None:
        """Carry *call*, soon, on the I/O thread."""

    def post_cancel(self, call: Any, /) -> None:
        """Stop *call*, soon."""

    def tell_written(self, call: Any, /) -> None:
        """Tell *call*, which did not ask for it when it began, when its frame is written, or now where it is."""


class Call:
    """What a connection keeps of an attempt while it runs.

    Attributes:
        id: Of no other attempt on its connection; 0 where the connection has yet to give it one.
        frame: The request as its protocol puts it on the wire, until it is queued.
        two_way: An answer is expected; otherwise the attempt ends when the frame is written.
        expires: Monotonic second at which it times out.
        number: The place of its last byte in the order of its connection's frames, from 1; 0 until it has one.
        size: Bytes that its request holds, with what that was made of.
        ended: The outcome is out, or held.
        is_held: The end is kept here until `hand_out`, since whoever brings it about holds the connection.
        record: Of the call that it is an attempt of. Its ``on_sent`` is looked at once the frame is queued: who has set
            it until then is told, who sets it later finds this.
    """

    __slots__ = (
        "_attempt", "_connection", "_done", "_held", "_method",
        "ended", "expires", "frame", "id", "is_held", "number", "record", "size", "two_way",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        frame: Any,
        size: int,
        two_way: bool,
        attempt: Attempt,
        method: CalledMethod,
        done: Done,
    ) -> None:
        self.id = number
        self.frame: Any = frame
        self.size = size
        self.two_way = two_way
        self.expires = attempt.ends
        self.number = 0
        self.ended = False
        self.record: CallRecord = attempt.invocation.record
        self._attempt: Attempt | None = attempt
        self._method = method
        self._done: Done | None = done
        self._connection: Carrier | None = None
        self.is_held = False
        self._held: Outcome | tuple[Any, Any, Any] | None = None

    @property
    def is_cancelled(self) -> bool:
        """The attempt was given up before its frame was queued."""
        return self._attempt is not None and self._attempt.is_cancelled

    def begin(self, connection: Carrier) -> None:
        """Hand the attempt over; from any thread."""
        attempt = self._attempt
        assert attempt is not None
        self._connection = connection
        if attempt.waits and connection.lead(self):
            return
        attempt.carried = self
        connection.post(self)
        if attempt.is_cancelled:  # looked at once it is posted: who has cancelled before that stopped nothing
            self.cancel()

    def be_stoppable(self) -> None:
        """Let the attempt's cancellation stop this from now on."""
        attempt = self._attempt
        if attempt is not None:
            attempt.carried_by(self)

    def cancel(self) -> None:
        """Stop the attempt, soon; from any thread."""
        connection = self._connection
        if connection is not None:
            connection.post_cancel(self)

    def tell_sent(self) -> None:
        """Tell the attempt when the frame is written, or now where it is; one without an answer is told anyway."""
        connection = self._connection
        if connection is not None and self.two_way:
            connection.tell_written(self)

    def written(self) -> None:
        """The kernel has taken the last byte of the frame."""
        attempt = self._attempt
        if attempt is not None and attempt.wants_sent:
            attempt.sent()
        if not self.two_way:
            self.end(Outcome(None))

    def answer(self, head: Any, body: Any, tail: Any) -> None:
        """End with what came; see `CalledMethod.decode`."""
        attempt, done = self._attempt, self._done
        if attempt is None or done is None:
            return
        self.ended = True
        if self.is_held:
            self._held = (head, body, tail)
            return
        self._done = self._attempt = self.frame = self._connection = None
        done(self._method.decode(head, body, tail, attempt))

    def answer_elsewhere(self, head: Any, body: Any, tail: Any, callbacks: CallbackExecutor) -> None:
        """End as `answer` does, but let the thread that waits read the answer, or else one of *callbacks*."""
        attempt = self._attempt
        if attempt is None:
            return
        if self.is_held:  # by that very thread
            self.answer(head, body, tail)
            return
        read_elsewhere(partial(self.answer, head, body, tail), attempt, callbacks)

    def fail(self, error: BaseException) -> None:
        """End with *error*."""
        self.end(Outcome(error=error))

    def end(self, outcome: Outcome) -> None:
        """Hand out the outcome, once, and let go of everything."""
        done = self._done
        if done is None:
            return
        self.ended = True
        if self.is_held:
            self._held = outcome
            return
        self._done = self._attempt = self.frame = self._connection = None
        done(outcome)

    def hand_out(self) -> None:
        """Hand out the outcome, where there is one, or else once it comes."""
        self.is_held = False
        held, self._held = self._held, None
        if isinstance(held, Outcome):
            self.end(held)
        elif held is not None:
            self.answer(*held)

    def worded(self, trouble: Trouble) -> str:
        """Word *trouble* with the places of the settings that decide it."""
        return self._method.worded(trouble)

    def time_out(self, *, not_sent: bool, why: Trouble) -> None:
        """End as timed out."""
        attempt = self._attempt
        if attempt is not None:
            self.fail(timed_out(attempt, not_sent=not_sent, why=self.worded(why)))

    def be_cancelled(self) -> None:
        """End as cancelled."""
        self.fail(CancelledError())

    def __repr__(self) -> str:
        return f"<Call {self.id} number {self.number}>"


def timed_out(attempt: Attempt, *, not_sent: bool, why: str = "") -> CallTimeout:
    """Make the error of *attempt* whose time is over; *why* is put behind the setting."""
    what = "the request was not sent" if not_sent else "no answer"
    text = f"{what} within {time_limit(attempt.timeout, attempt.policy)}{why}"
    return CallTimeout(text, not_sent=not_sent, in_doubt=not not_sent)
