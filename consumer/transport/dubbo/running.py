"""The calls that run on one connection: how many may, and when each times out."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import LimitExceeded, RpcError
from ..tcp.io_thread import NEVER
from ..tcp.outbox import Outbox
from .call import Call
from .settings import ConnectionSettings

_LOOK_S = 2e-6
"""Seconds that pass between two looks for expired calls, for each call that runs.

A look costs about 0.1 us a call, so looking takes at most a twentieth of the time however many calls run, and a call
among a hundred times out at most 0.2 ms late, one among a hundred thousand 200 ms.
"""


class RunningCalls:
    """What a connection knows of its calls, whether it is connected or not; for whoever holds its `Ownership`.

    Args:
        outbox: Where the calls' frames wait to be written.
        settings: The limits.
        name: ``host:port``, for errors.

    Attributes:
        by_id: The calls that were put and have not ended.
        next_expiry: Monotonic second before which none of them times out.
    """

    def __init__(self, outbox: Outbox[Call], settings: ConnectionSettings, name: str) -> None:
        self._outbox = outbox
        self._settings = settings
        self._name = name
        self.by_id: dict[int, Call] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all calls and frames, and tell nobody."""
        self.by_id.clear()
        self._outbox.clear()
        self.next_expiry = NEVER
        self._next_look = 0.0

    def put(self, call: Call) -> None:
        """Queue the frame of *call*, which runs from now on."""
        frame, call.frame = call.frame, None
        assert frame is not None
        call.number = self._outbox.put(frame)
        if call.wants_written:
            self._outbox.watch(call)
        self.by_id[call.id] = call

    def refuse_if_full(self, call: Call) -> LimitExceeded | None:
        """Make the error of a call whose frame may not wait beside those that do; None where it may."""
        outbox, settings = self._outbox, self._settings
        if outbox.count >= settings.max_queued_requests:
            text = f"{outbox.count} requests wait to be written to {self._name}"
            return LimitExceeded(f"{text}, the most that max_queued_requests allows", not_sent=True)
        size = len(call.frame or b"")
        # A single request of any size may wait where nothing else does.
        if outbox.size + size > settings.max_queued_bytes and outbox.size:
            text = f"{outbox.size} bytes wait to be written to {self._name}, and {size} more would pass the"
            return LimitExceeded(f"{text} {settings.max_queued_bytes} that max_queued_bytes allows", not_sent=True)
        return None

    def written(self, call: Call) -> None:
        """Tell *call* that its frame has left; without an answer to come that is its end."""
        if not call.two_way:
            self.by_id.pop(call.id, None)
        call.written()

    def cancel(self, call: Call) -> bool:
        """End *call* as cancelled; False where it has ended."""
        if self.by_id.pop(call.id, None) is None:
            return False
        self._outbox.drop(call.number)
        call.be_cancelled()
        return True

    def give_up(self, call: Call, error: BaseException) -> None:
        """End *call*, which may have been put only in part, with *error*."""
        self.by_id.pop(call.id, None)
        self._outbox.drop(call.number)
        call.fail(error)

    def expect(self, expires: float) -> float:
        """Note that the first call times out at *expires*, and return when to look."""
        self.next_expiry = expires
        return max(expires, self._next_look)

    def expire(self, now: float, why: str) -> float:
        """End what is due, and return when to look again; a frame that has not begun to leave never does.

        Looks at every running call: nothing is kept per call, for nearly all of them end long before.
        """
        if self.next_expiry <= now and self._next_look <= now:
            running = self.by_id
            for call in [call for call in running.values() if call.expires <= now]:
                if running.pop(call.id, None) is not None:
                    call.time_out(not_sent=self._outbox.drop(call.number), why=why)
            self.next_expiry = min((call.expires for call in running.values()), default=NEVER)
            self._next_look = now + len(running) * _LOOK_S
        return max(self.next_expiry, self._next_look)

    def fail_all(self, make: Callable[[bool], RpcError]) -> None:
        """End every running call; *make* gets whether a byte of its request may have left."""
        running, begun = list(self.by_id.values()), self._outbox.begun
        self.clear()
        for call in running:
            call.fail(make(call.number <= begun))
