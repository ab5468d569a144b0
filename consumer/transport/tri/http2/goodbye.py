"""What a peer says before it ends a connection, and what the calls hear that end with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ....wire.http2.events import GoAway
from ....wire.http2.frames import ENHANCE_YOUR_CALM, error_name
from ...trouble import Trouble
from .call import StreamCall
from .keepalive import KeepAlive

_TOO_MANY_PINGS: Final = "too_many_pings"
_OFTENER: Final = "it was asked for a sign of life more often than it allows"


class Goodbyes:
    """Those of one connection, of which there may be several: without a reason at first, and then with one.

    Args:
        keepalive: Asks the peer for signs of life.

    Attributes:
        suspect: The first call at which the peer has not looked, where that may be why it ends the connection.
    """

    __slots__ = ("_keepalive", "_may_blame", "_parting", "_reason", "suspect")

    def __init__(self, keepalive: KeepAlive) -> None:
        self._keepalive = keepalive
        self._reason: Trouble | None = None
        self._parting = ""
        self._may_blame = False
        self.suspect: StreamCall | None = None

    def hear(self, goodbye: GoAway) -> None:
        """Keep what it says; a peer that was asked for signs of life too often is asked less often from now on."""
        if goodbye.code:
            self._reason = self._reason_of(goodbye)
            self._may_blame = goodbye.code != ENHANCE_YOUR_CALM  # which is said of all calls together
        else:
            self._parting = f", after its goodbye{f' ({goodbye.text})' if goodbye.text else ''}"

    def _reason_of(self, goodbye: GoAway) -> Trouble:
        text = f"the provider ends the connection: {error_name(goodbye.code)} {goodbye.text}".rstrip()
        if not self._keepalive.idle or goodbye.code != ENHANCE_YOUR_CALM or goodbye.text != _TOO_MANY_PINGS:
            return Trouble(text)
        self._keepalive.ask_less_often()
        return Trouble(f"{text}: {_OFTENER}", ("keepalive_ms",))

    def blame(self, left: Sequence[StreamCall]) -> None:
        """Take the first of those that the peer has *left*, where it had a stream, for the reason, where one may be it.

        HAProxy, for one, ends a connection by an error at the first metadata that are too large for it.
        """
        if self._may_blame and left and left[0].id:
            self.suspect = left[0]

    def why_left(self, call: StreamCall) -> str:
        """Say why *call* is not sent again though the peer has not looked at it, where it is the suspect."""
        said = "" if self._reason is None else self._reason.text
        return f"{said} before it looked at this call, perhaps because of its metadata of {call.frame.headers} bytes"

    def why_lost(self, problem: str, about: tuple[str, ...]) -> Trouble:
        """Say why the connection is lost, by the peer's own reason where it gave one; else by *problem*."""
        return self._reason or Trouble(f"{problem}{self._parting}", about)
