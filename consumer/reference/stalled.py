"""Synchronous calls on the thread of a running event loop, which stands still until the answer is there."""

from __future__ import annotations

import logging
import sys
from types import FrameType

from ..call.invocation import CallRecord

_LOG = logging.getLogger("callahead.consumer.call")
_PASSED = ("callahead.", "contextlib", "grpc.")

# Files and lines that were named; a program has few that call.
_NAMED: set[tuple[str, int]] = set()


def warn_of_loop(record: CallRecord) -> None:
    """Warn that a loop waits for the call of *record*, once for each line that calls."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(_PASSED):
        frame = frame.f_back
    if frame is None or (place := (frame.f_code.co_filename, frame.f_lineno)) in _NAMED:
        return
    _NAMED.add(place)
    _LOG.warning(
        "%s is synchronous, so the event loop of this thread stands still until its answer is there: called at %s:%d"
        " in %s; await its future, or call it by asyncio.to_thread", record.name, *place, frame.f_code.co_name,
    )  # fmt: skip
