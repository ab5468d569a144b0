"""The calls that run on one connection, what waits to be written of them, and when the next one times out."""

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
    """What a `Connection` knows of its calls, whether it is connected or not; for whoever holds its state."""

    def __init__(self, address: tuple[str, int], settings: ConnectionSettings) -> None:
        self.address = address
        self.settings = settings
        self._forget_all()

    def _forget_all(self) -> None:
        self._running: dict[int, Call] = {}
        self._outbox = Outbox()
        self._next_expiry = NEVER
        self._next_look = 0.0

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

    def _refuse_if_full(self, call: Call) -> LimitExceeded | None:
        outbox, settings = self._outbox, self.settings
        if outbox.count >= settings.max_queued_requests:
            text = f"{outbox.count} requests wait to be written to {self.name}"
            return LimitExceeded(f"{text}, the most that max_queued_requests allows", not_sent=True)
        size = len(call.frame or b"")
        # A single request of any size may wait where nothing else does.
        if outbox.size + size > settings.max_queued_bytes and outbox.size:
            text = f"{outbox.size} bytes wait to be written to {self.name}, and {size} more would pass the"
            return LimitExceeded(f"{text} {settings.max_queued_bytes} that max_queued_bytes allows", not_sent=True)
        return None

    def _expire(self, now: float, why: str) -> float:
        """End what is due, and return when to look again; a frame that has not begun to leave never does.

        Looks at every running call: nothing is kept per call, for nearly all of them end long before.
        """
        if self._next_expiry <= now and self._next_look <= now:
            running = self._running
            for call in [call for call in running.values() if call.expires <= now]:
                if running.pop(call.id, None) is not None:
                    call.time_out(not_sent=self._outbox.drop(call.number), why=why)
            self._next_expiry = min((call.expires for call in running.values()), default=NEVER)
            self._next_look = now + len(running) * _LOOK_S
        return max(self._next_expiry, self._next_look)

    def _fail_all(self, make: Callable[[bool], RpcError]) -> None:
        """End every running call; *make* gets whether a byte of its request may have left."""
        running, begun = self._running, self._outbox.begun
        self._forget_all()
        for call in running.values():
            call.fail(make(call.number <= begun))
