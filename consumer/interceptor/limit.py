"""``actives``: a bound on the calls of one method that run at once."""

from __future__ import annotations

from typing import Any

from callahead.config.policy import MethodPolicy

from ..call.invocation import Invocation, Outcome
from ..errors import LimitExceeded
from ..runtime.forking import fork_safe_lock


class ActiveLimit:
    """Refuses a call while ``actives`` others of its method are running; an `Observer`.

    Source: Dubbo ``ActiveLimitFilter``; differs: refuses at once in place of blocking the caller for up to the timeout
    (an asynchronous call must not block), counts over all providers, and gives back on every end (dubbo#4277, #16455).
    """

    inline = True

    def __init__(self, policy: MethodPolicy) -> None:
        self._limit = policy.actives
        self._origin = policy.origin("actives")
        self._lock = fork_safe_lock()
        self._running = 0

    def on_start(self, invocation: Invocation) -> None:
        """Take a place, or refuse."""
        with self._lock:
            if self._running < self._limit:
                self._running += 1
                return
        text = f"{self._limit} calls of {invocation.record.name} are running, the most that actives allows"
        raise LimitExceeded(f"{text} ({self._origin})", not_sent=True)

    def on_end(self, token: Any, outcome: Outcome) -> None:
        """Give the place back."""
        del token, outcome
        with self._lock:
            self._running -= 1
