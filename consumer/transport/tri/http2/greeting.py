"""The first words of this side, and the windows that they tell."""

from __future__ import annotations

from typing import Final

from ....wire.http2.frames import (
    DEFAULT_FRAME,
    DEFAULT_WINDOW,
    ENABLE_PUSH,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    PREFACE,
    settings_frame,
    window_update_frame,
)
from ....wire.http2.settings import Limits

STREAM_WINDOW: Final = 1 << 20
"""Bytes of one answer that may be on their way, or wait for their reader."""

CONNECTION_WINDOW: Final = 1 << 24
"""Likewise of all answers; what comes is handed to its stream at once, so that this bounds no memory."""


def greeting(limits: Limits) -> bytes:
    """Make what a client sends before anything else, of which *limits* are read."""
    settings = {
        HEADER_TABLE_SIZE: 0,
        ENABLE_PUSH: 0,
        INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        MAX_HEADER_LIST_SIZE: limits.headers,
    }
    if limits.frame != DEFAULT_FRAME:
        settings[MAX_FRAME_SIZE] = limits.frame
    return PREFACE + settings_frame(settings) + window_update_frame(0, CONNECTION_WINDOW - DEFAULT_WINDOW)
