"""The state of a connection, as gRPC names it, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

State = Literal["IDLE", "CONNECTING", "READY", "TRANSIENT_FAILURE", "SHUTDOWN"]
"""Names of `grpc.ChannelConnectivity`: not wanted, being made, open, not there since an attempt failed, closed."""

Tell = Callable[[str], None]
"""Hears of a state, on the I/O thread; never blocks."""


class Connectivity:
    """The state of one connection; lives on the I/O thread."""

    __slots__ = ("_listeners", "state")

    def __init__(self) -> None:
        self.state: State = "IDLE"
        self._listeners: list[Tell] = []

    def become(self, state: State) -> None:
        """Change to *state*, and tell of it; what is closed stays so."""
        if state != self.state and self.state != "SHUTDOWN":
            self.state = state
            for tell in tuple(self._listeners):
                tell(state)

    def add(self, tell: Tell) -> None:
        """Let *tell* hear of the state of now, and of all that come."""
        self._listeners.append(tell)
        tell(self.state)

    def remove(self, tell: Tell) -> None:
        """Tell *tell* no more."""
        if tell in self._listeners:
            self._listeners.remove(tell)
