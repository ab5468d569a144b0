"""What references of ``dubbo`` may set, and how a connection behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from callahead.config.settings import DurationOrZero, TransportSettings, setting

from ..request_limit import Room


class DubboSettings(TransportSettings):
    """Signs of life of a connection."""

    knows_sent: ClassVar[str] = "once the system has taken its last byte"

    heartbeat_ms: DurationOrZero = setting(
        60_000, "silence before a heartbeat, 0 for none; default 60s", key="heartbeat"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """How a connection behaves; connections of equal settings to one address are shared.

    Attributes:
        connect_timeout: Longest time of one connection attempt, TLS handshake included, in seconds.
        heartbeat: Seconds without a byte from the peer after which it is asked for a sign of life; 0 for never. After
            three times as long the connection counts as lost.
        room: How much may be begun and not ended.
        max_body_bytes: Largest answer.
        max_body_setting: What the user can change if an answer is larger.
        own: 0 for a shared connection, else a number that no other has.
    """

    connect_timeout: float
    heartbeat: float
    room: Room
    max_body_bytes: int
    max_body_setting: str
    own: int = 0
