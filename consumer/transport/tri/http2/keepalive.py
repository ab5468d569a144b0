"""Asking a silent peer for a sign of life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ....wire.http2.frames import ping_frame
from ...tcp.io_thread import NEVER

PING: Final = ping_frame(b"callhead")

_LESS_OFTEN: Final = 2
"""Source: gRPC's proposal A8, "Client-side Keepalive"."""


class KeepAlive:
    """Decides when a peer is asked, and when it counts as lost.

    Args:
        idle: Seconds of silence before it is asked, 0 for never.
        patience: Seconds that it has to answer.

    Attributes:
        idle: As given; longer once the peer has complained.
    """

    __slots__ = ("_asked", "_patience", "idle")

    def __init__(self, idle: float, patience: float) -> None:
        self.idle = idle
        self._patience = patience
        self._asked = 0.0

    def look(
        self,
        now: float,
        last_read: float,
        *,
        is_busy: bool,
        ask: Callable[[bytes], object],
        lost: Callable[[str], None],
    ) -> float:
        """Ask a peer on which calls wait, or count it as lost, where that is due; returns when to look again."""
        if is_busy and (problem := self.lost(now, last_read)):
            lost(problem)
            return NEVER
        if is_busy and self.is_due(now, last_read):
            ask(PING)
        return self.next(now, last_read, is_busy=is_busy)

    def first(self, now: float) -> float:
        """Return when to look first at a connection that is open since *now*."""
        return now + self.idle if self.idle else NEVER

    def answered(self) -> bool:
        """Note that the peer has answered; False where it was not asked."""
        was_asked, self._asked = self._asked > 0, 0.0
        return was_asked

    def is_due(self, now: float, last_read: float) -> bool:
        """Tell whether to ask now a peer of which the last bytes came at *last_read*."""
        if self._asked or not self.idle or now - last_read < self.idle:
            return False
        self._asked = now
        return True

    def lost(self, now: float, last_read: float) -> str:
        """Say why the peer counts as lost; "" where it does not."""
        if last_read > self._asked:
            self._asked = 0.0
        if not self._asked or now - self._asked < self._patience:
            return ""
        return f"no answer came to a ping for {self._patience:g} s (keepalive_timeout)"

    def next(self, now: float, last_read: float, *, is_busy: bool) -> float:
        """Return when to look again; nothing is asked while no call runs."""
        if not self.idle:
            return NEVER
        if not is_busy:
            return now + self.idle
        return self._asked + self._patience if self._asked else last_read + self.idle

    def ask_less_often(self) -> None:
        """Note that the peer allows fewer pings."""
        self.idle *= _LESS_OFTEN
