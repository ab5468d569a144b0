"""What references of ``dubbo`` may set, and how a connection behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from callahead.config.settings import DurationOrZero, Size, TransportSettings, count, setting


class DubboSettings(TransportSettings):
    """Heartbeats, and the limits of the queue before a connection."""

    heartbeat_ms: DurationOrZero = setting(
        60_000, "silence before a heartbeat, 0 for none; default 60s", key="heartbeat"
    )
    max_queued_requests: Annotated[int, *count(1, 10_000_000)] = setting(
        200_000, "most requests waiting for one connection, 1 to 10000000; default 200000"
    )
    max_queued_bytes: Size = setting(64 * 1024 * 1024, "most bytes of such requests; default 64MiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """How a connection behaves; connections of equal settings to one address are shared.

    Attributes:
        connect_timeout: Longest time of one connection attempt, TLS handshake included, in seconds.
        heartbeat: Seconds without a byte from the peer after which it is asked for a sign of life; 0 for never. After
            three times as long the connection counts as lost.
        max_queued_requests: Most requests that wait to be written.
        max_queued_bytes: Most bytes of them.
        max_body_bytes: Largest answer.
        max_body_setting: What the user can change if an answer is larger.
        own: 0 for a shared connection, else a number that no other has.
    """

    connect_timeout: float
    heartbeat: float
    max_queued_requests: int
    max_queued_bytes: int
    max_body_bytes: int
    max_body_setting: str
    own: int = 0
