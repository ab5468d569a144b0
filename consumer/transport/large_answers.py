"""Answers so large that whoever reads them where they come in would hold up all others."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context

from ..call.attempt import Attempt
from ..runtime.callbacks import CallbackExecutor

LARGE_BYTES = 64 * 1024
"""What is larger takes longer to read than to hand to another thread."""


def read_elsewhere(read: Callable[[], object], attempt: Attempt, callbacks: CallbackExecutor) -> None:
    """Let the thread that waits for the call of *attempt* run *read*, soon, or else one of *callbacks*.

    Who waits for no more than the writing goes on at once: there is an answer. Nobody else might ever say so, as grpcio
    does not once the call is over, and the reading may take long.
    """
    if attempt.wants_sent and not attempt.is_sent:
        attempt.sent()
    record = attempt.record
    if not record.hand_over(read):
        callbacks.work(Context(), f"the answer to {record.name}", read, brings=record)
