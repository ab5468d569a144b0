"""What a peer says before it ends a connection, and what the calls hear that end with it."""

from __future__ import annotations

from typing import Final

from ....wire.http2.events import GoAway
from ....wire.http2.frames import ENHANCE_YOUR_CALM, error_name
from ...trouble import Trouble
from .keepalive import KeepAlive

_TOO_MANY_PINGS: Final = "too_many_pings"
_OFTENER: Final = "it was asked for a sign of life more often than it allows"


class Goodbyes:
    """Those of one connection, of which there may be several: without a reason at first, and then with one.

    Args:
        keepalive: Asks the peer for signs of life.

    Attributes:
        reason: What it said as it left because of an error; None where there was none.
    """

    __slots__ = ("_keepalive", "_parting", "reason")

    def __init__(self, keepalive: KeepAlive) -> None:
        self._keepalive = keepalive
        self.reason: Trouble | None = None
        self._parting = ""

    def hear(self, goodbye: GoAway) -> None:
        """Keep what it says; a peer that was asked for signs of life too often is asked less often from now on."""
        if goodbye.code:
            self.reason = self._reason_of(goodbye)
        else:
            self._parting = f", after its goodbye{f' ({goodbye.text})' if goodbye.text else ''}"

    def _reason_of(self, goodbye: GoAway) -> Trouble:
        text = f"the provider ends the connection: {error_name(goodbye.code)} {goodbye.text}".rstrip()
        if not self._keepalive.idle or goodbye.code != ENHANCE_YOUR_CALM or goodbye.text != _TOO_MANY_PINGS:
            return Trouble(text)
        self._keepalive.ask_less_often()
        return Trouble(f"{text}: {_OFTENER}", ("keepalive_ms",))

    def why_lost(self, problem: str, about: tuple[str, ...]) -> Trouble:
        """Say why the connection is lost, by the peer's own reason where it gave one; else by *problem*."""
        return self.reason or Trouble(f"{problem}{self._parting}", about)
