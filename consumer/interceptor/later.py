"""Going on with a call that has waited, on a thread that may run whatever follows."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from functools import partial

from ..call.invocation import Done, Invocation, Stage
from ..runtime.callbacks import CallbackExecutor

Work = Callable[[], object]
Later = Callable[[Stage, Invocation, Done], Work]
"""Makes, on the caller's thread, what goes on with the call from any other."""


def here(stage: Stage, invocation: Invocation, done: Done) -> Work:
    """Go on on whichever thread brings the news, perhaps an I/O thread; a `Later` for where no user's code follows."""
    return partial(stage, invocation, done)


def aside(callbacks: CallbackExecutor) -> Later:
    """Make the `Later` that goes on on a callback thread, in a copy of the caller's context."""

    def later(stage: Stage, invocation: Invocation, done: Done) -> Work:
        record = invocation.record
        context, what = contextvars.copy_context(), f"what follows of {record.name}"
        return partial(callbacks.work, context, what, stage, invocation, done, brings=record)

    return later
