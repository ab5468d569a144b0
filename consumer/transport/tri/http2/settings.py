"""How a connection behaves."""

from __future__ import annotations

from dataclasses import dataclass

from ....wire.http2.settings import Limits
from ...request_limit import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """Connections of equal settings to one address are shared.

    Attributes:
        connect_timeout: Longest time of one connection attempt, until the peer has said its first word, in seconds.
        keepalive: Seconds without a byte from the peer after which it is asked for a sign of life, where calls run;
            0 for never.
        keepalive_timeout: Seconds after which the connection counts as lost that gave no answer to that.
        room: How much may be begun and not ended.
        limits: What is read of the peer.
        http_proxy: A proxy that the environment names is obeyed.
        own: 0 for a shared connection, else a number that no other has.
    """

    connect_timeout: float
    keepalive: float
    keepalive_timeout: float
    room: Room
    limits: Limits
    http_proxy: bool = True
    own: int = 0
