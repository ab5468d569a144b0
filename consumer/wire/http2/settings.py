"""What each side allows the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from .frames import (
    DEFAULT_FRAME,
    DEFAULT_WINDOW,
    ENABLE_PUSH,
    FLOW_CONTROL_ERROR,
    INITIAL_WINDOW_SIZE,
    LARGEST_WINDOW,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    PROTOCOL_ERROR,
)
from .violation import Violation

UNLIMITED: Final = 1 << 32
_LARGEST_FRAME: Final = (1 << 24) - 1
_ATTRIBUTES: Final = {
    MAX_CONCURRENT_STREAMS: "streams",
    INITIAL_WINDOW_SIZE: "window",
    MAX_FRAME_SIZE: "frame",
    MAX_HEADER_LIST_SIZE: "headers",
}


class Limits(NamedTuple):
    """What this side reads of a peer.

    Attributes:
        headers: Largest headers, each counted with its name and 32 bytes more.
        frame: Largest frame.
    """

    headers: int
    frame: int = DEFAULT_FRAME


@dataclass(slots=True)
class PeerSettings:
    """The peer's settings at the moment, which may change at any time.

    Attributes:
        streams: How many may be open at once.
        window: Bytes that may be sent on a new stream.
        frame: Largest frame.
        headers: Largest headers, each counted with its name and 32 bytes more.
    """

    streams: int = UNLIMITED
    window: int = DEFAULT_WINDOW
    frame: int = DEFAULT_FRAME
    headers: int = UNLIMITED

    def update(self, values: Iterable[tuple[int, int]]) -> int:
        """Take what the peer sent, and return by how much the windows of open streams grow; negative where they shrink.

        Raises:
            Violation: A value is out of its range.
        """
        before = self.window
        for number, value in values:
            _check(number, value)
            attribute = _ATTRIBUTES.get(number)
            if attribute is not None:
                setattr(self, attribute, value)
        return self.window - before


def _check(number: int, value: int) -> None:
    if number == INITIAL_WINDOW_SIZE and value > LARGEST_WINDOW:
        raise Violation(FLOW_CONTROL_ERROR, f"its settings allow a window of {value} bytes")
    if number == MAX_FRAME_SIZE and not DEFAULT_FRAME <= value <= _LARGEST_FRAME:
        raise Violation(PROTOCOL_ERROR, f"its settings allow frames of {value} bytes")
    if number == ENABLE_PUSH and value:
        raise Violation(PROTOCOL_ERROR, f"its settings say {value} of pushes, which a server does not")
