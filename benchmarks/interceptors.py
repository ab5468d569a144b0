"""Interceptors that do nothing, for what the chain itself costs."""

from __future__ import annotations

from typing import Any

from callahead.consumer import CallNext, Invocation, InvocationFuture, Outcome


class Inline:
    """Watches, on whichever thread brings the answer."""

    inline = True

    def on_start(self, invocation: Invocation) -> None:
        """See the beginning."""

    def on_end(self, token: Any, outcome: Outcome) -> None:
        """See the end."""


class Watching:
    """Watches, on a callback thread where nobody waits."""

    def on_start(self, invocation: Invocation) -> None:
        """See the beginning."""

    def on_end(self, token: Any, outcome: Outcome) -> None:
        """See the end."""


class Deciding:
    """Passes the answer through a function, on a callback thread where nobody waits."""

    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        """Give the answer as it came."""
        return call_next(invocation).then(lambda value: value)


class DecidingInline(Deciding):
    """Likewise, on whichever thread brings the answer."""

    inline = True


class EachAttempt(Inline):
    """Watches each attempt, on whichever thread brings its answer."""

    scope = "attempt"


def returned(value: Any) -> None:
    """Hear of an answer; what onreturn names."""
