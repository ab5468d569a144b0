"""What calls are told that have no connection, or have lost it."""

from __future__ import annotations

from typing import Final

from ...errors import ConnectFailed, ConnectionLost, ConsumerClosed
from ..trouble import Trouble
from .call import Call

_ABOUT: Final = ("ssl", "protocol", "urls")
_ABOUT_TLS: Final = ("ssl.cert", "protocol", "urls")


def not_connected(trouble: Trouble, call: Call) -> ConnectFailed:
    """Make the error of *call* where no connection came about."""
    return ConnectFailed(f"no connection: {call.worded(trouble)}", not_sent=True)


def broken(trouble: Trouble, call: Call, *, begun: bool) -> ConnectionLost:
    """Make the error of *call* whose connection broke when its request had *begun* to leave, or not."""
    return ConnectionLost(f"the connection broke: {call.worded(trouble)}", not_sent=not begun, in_doubt=begun)


def closed(*, begun: bool) -> ConsumerClosed:
    """Make the error of a call over which this side closed the connection; *begun* as for `broken`."""
    return ConsumerClosed("the connection was closed under the call", not_sent=not begun, in_doubt=begun)


def wordless(problem: str, speaks: str, *, is_tls: bool) -> Trouble:
    """Say what may be wrong with a peer that ends a connection, by *problem*, before it has said a word of *speaks*.

    Whether it has read a request nobody knows: a provider that dies over its first request does the same, and that the
    kernel beneath it has acknowledged no byte does not say that it has read none.
    """
    if is_tls:
        return Trouble(f"{problem}, without a word: it may want a certificate, or not speak {speaks} there", _ABOUT_TLS)
    return Trouble(f"{problem}, without a word: it may speak TLS there, or not {speaks}", _ABOUT)


def being_made(state: str, stage: Trouble) -> Trouble:
    """Say how far it is with a connection in *state*, for a call whose time is over before it is open."""
    detail = f", {stage.text}" if stage.about else ""
    return Trouble(f"; the connection is {state}{detail}", stage.about)
