"""Answers so large that whoever reads them where they come in would hold up all others."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context

from ..call.invocation import CallRecord
from ..runtime.callbacks import CallbackExecutor

LARGE_BYTES = 64 * 1024
"""What is larger takes longer to read than to hand to another thread."""


def read_elsewhere(read: Callable[[], object], record: CallRecord, callbacks: CallbackExecutor) -> None:
    """Let the thread that waits for the call of *record* run *read*, soon, or else one of *callbacks*."""
    if not record.hand_over(read):
        callbacks.work(Context(), f"the answer to {record.name}", read, brings=record)
