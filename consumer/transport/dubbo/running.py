"""The calls that run on one connection: how many may, and when each times out."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import LimitExceeded, RpcError
from ..tcp.call import Call
from ..tcp.expiry import Expiry
from ..tcp.outbox import Outbox
from ..trouble import Trouble
from .settings import ConnectionSettings


class RunningCalls:
    """What a connection knows of its calls, whether it is connected or not; for whoever holds its `Ownership`.

    Args:
        outbox: Where the calls' frames wait to be written.
        settings: The limits.
        name: ``host:port``, for errors.

    Attributes:
        by_id: The calls that were put and have not ended.
        size: Bytes that their requests hold.
        expiry: When to look for those whose time is over.
        youngest: See `Answered`.
    """

    def __init__(self, outbox: Outbox[Call], settings: ConnectionSettings, name: str) -> None:
        self._outbox = outbox
        self._room = settings.room
        self._name = name
        self.by_id: dict[int, Call] = {}
        self.expiry = Expiry()
        self.clear()

    def clear(self) -> None:
        """Forget all calls and frames, and tell nobody."""
        self.by_id.clear()
        self._outbox.clear()
        self.expiry.clear()
        self.size = 0
        self.youngest = 0.0

    def put(self, call: Call) -> LimitExceeded | None:
        """Queue the frame of *call*, which runs from now on, or make the error of one that has no room."""
        room, count = self._room, len(self.by_id)
        if count >= room.requests or (self.size + call.size > room.size and count):
            return room.refusal(self._name, count, self.size, call.size)
        frame, call.frame = call.frame, None
        assert frame is not None
        call.number = self._outbox.put(frame)
        if not call.two_way or call.record.on_sent is not None:
            self._outbox.watch(call)
        self.size += call.size
        self.by_id[call.id] = call
        return None

    def take(self, number: int) -> Call | None:
        """Let the call of that id run no more; None where none does."""
        call = self.by_id.pop(number, None)
        if call is not None:
            self.size -= call.size
        return call

    def is_written(self, call: Call) -> bool:
        """Tell whether the frame of *call* has left whole and the call runs; from any thread.

        Whether it runs is looked at last: numbers begin anew only after all that ran before have ended.
        """
        number = call.number
        return 0 < number <= self._outbox.written and not call.ended

    def watch(self, call: Call) -> None:
        """Tell *call* when its frame is written, or now where it is; one that has not come yet is told anyway."""
        if self.by_id.get(call.id) is not call:
            return
        if self.is_written(call):
            call.written()
        else:
            self._outbox.watch(call)

    def written(self, call: Call) -> None:
        """Tell *call* that its frame has left; without an answer to come that is its end."""
        if not call.two_way:
            self.take(call.id)
        call.written()

    def cancel(self, call: Call) -> bool:
        """End *call* as cancelled; False where it has ended."""
        if self.take(call.id) is None:
            return False
        self._outbox.drop(call.number)
        call.be_cancelled()
        return True

    def give_up(self, call: Call, error: BaseException) -> None:
        """End *call*, which may have been put only in part, with *error*."""
        self.take(call.id)
        self._outbox.drop(call.number)
        call.fail(error)

    def expire(self, now: float, why: Trouble) -> float:
        """End what is due, and return when to look again; a frame that has not begun to leave never does."""
        expiry = self.expiry
        if expiry.due <= now:
            running = self.by_id
            for call in [call for call in running.values() if call.expires <= now]:
                if self.take(call.id) is not None:
                    call.time_out(not_sent=self._outbox.drop(call.number), why=why)
            expiry.looked(now, running.values())
        return expiry.due

    def fail_all(self, make: Callable[[Call, bool], RpcError]) -> None:
        """End every running call; *make* gets it, and whether a byte of its request may have left."""
        running, begun = list(self.by_id.values()), self._outbox.begun
        self.clear()
        for call in running:
            call.fail(make(call, call.number <= begun))
