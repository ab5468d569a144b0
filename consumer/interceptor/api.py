"""What users write to stand between a call site and the providers.

There are two kinds. An `Interceptor` decides: it may change the invocation, answer in its place, or make something else
of the outcome. An `Observer` only watches, and is told of the end of each call that it was told the beginning of.

An optional attribute ``scope`` says where a class stands: ``"call"`` (once per call, the default) or ``"attempt"``
(once per try, beneath the retries). An optional ``inline = True`` declares that its completion side is cheap and never
blocks, so that it runs on whichever thread brings the answer in place of a callback thread.

A class named in YAML is made once per method, with no argument. Source: the chain of connect-python and Finagle's
``Filter``; differs from Dubbo's ``Filter``: nobody ever sees the unfinished result of a pending call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from ..call.future import InvocationFuture
from ..call.invocation import Invocation, Outcome

CallNext = Callable[[Invocation], InvocationFuture]
"""Takes an invocation to the next stage; may be called never, once, or again with a replaced invocation."""


@runtime_checkable
class Interceptor(Protocol):
    """Decides what becomes of a call."""

    def intercept(self, invocation: Invocation, call_next: CallNext) -> InvocationFuture:
        """Answer *invocation*, most often by way of *call_next*.

        Act on the end of the call with `InvocationFuture.then`; waiting for the future here would make an asynchronous
        call synchronous. Answer without a provider with ``answer(invocation, value)``. What this raises ends the call.
        Runs on the caller's thread; for a repeated attempt (``scope = "attempt"``) on a callback thread.
        """


@runtime_checkable
class Observer(Protocol):
    """Watches calls begin and end."""

    def on_start(self, invocation: Invocation) -> Any:
        """Note the beginning; what is returned comes back as *token*. What this raises ends the call."""

    def on_end(self, token: Any, outcome: Outcome) -> None:
        """Note the end of the call that *token* stands for; called exactly once for each `on_start` that returned.

        What this raises is logged and changes nothing.
        """
