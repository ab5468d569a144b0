"""Where a session stands."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """From the moment that a session is wanted until its socket is closed."""

    DIALLING = "being made"
    GREETING = "being made, and the provider has yet to say a word of HTTP/2"
    OPEN = "open"
    LEAVING = "about to end"
    ENDED = "closed"
