"""The calls that run on one connection, and what waits to be written of them."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import LimitExceeded, RpcError
from .call import Call
from .expiry import Expiry
from .outbox import Outbox
from .settings import ConnectionSettings


class RunningCalls:
    """What a `Connection` knows of its calls, whether it is connected or not; for whoever holds its state."""

    def __init__(self, address: tuple[str, int], settings: ConnectionSettings) -> None:
        self.address = address
        self.settings = settings
        self._forget_all()

    def _forget_all(self) -> None:
        self._running: dict[int, Call] = {}
        self._outbox = Outbox()
        self._expiry = Expiry()

    @property
    def name(self) -> str:
        """``host:port``."""
        return f"{self.address[0]}:{self.address[1]}"

    def _enqueue(self, call: Call) -> None:
        frame, call.frame = call.frame, None
        assert frame is not None
        call.number = self._outbox.put(frame)
        if call.wants_written:
            self._outbox.watch(call)
        self._running[call.id] = call

    def _refuse_if_full(self, call: Call) -> RpcError | None:
        outbox, settings = self._outbox, self.settings
        if outbox.count >= settings.max_queued_requests:
            text = f"{outbox.count} requests wait to be written to {self.name}"
            return LimitExceeded(f"{text}, the most that max_queued_requests allows", not_sent=True)
        size = len(call.frame or b"")
        if outbox.size + size > settings.max_queued_bytes and outbox.size:
            text = f"{outbox.size} bytes wait to be written to {self.name}, and {size} more would pass the"
            return LimitExceeded(f"{text} {settings.max_queued_bytes} that max_queued_bytes allows", not_sent=True)
        return None

    def _expire(self, now: float, why: str) -> None:
        """End what is due; a frame that has not begun to leave never does."""
        for call in self._expiry.due(now):
            if self._running.pop(call.id, None) is not None:
                call.time_out(not_sent=self._outbox.drop(call.number), why=why)

    def _fail_all(self, make: Callable[[bool], RpcError]) -> None:
        """End every running call; *make* gets whether a byte of its request may have left."""
        running, begun = self._running, self._outbox.begun
        self._forget_all()
        for call in running.values():
            call.fail(make(call.number <= begun))
