"""One call of a scope."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Protocol

from ..call.future import InvocationFuture
from ..call.invocation import CallRecord, Invocation, Outcome, Stoppable
from ..cluster.retry import may_repeat
from ..reference.caller import Caller, Chain, MethodBinding
from .trace import CallTrace


class Counting(Protocol):
    """What counts the calls that run."""

    def began_one(self) -> None:
        """Count one that runs from now on."""

    def ended_one(self, call: ScopedCall, outcome: Outcome, *, was_running: bool) -> None:
        """Count the end of *call*."""


class ScopedCall(CallTrace):
    """A call as its scope follows it.

    Args:
        scope: Hears of its beginning and end.
        binding: By which the call begins.
        invocation: What is asked.
        needed: The calls whose lazy results were among the arguments.
        is_kept: The scope may repeat the call.

    Attributes:
        future: To which the answer comes, or None.
        outcome: How the call ended, or None.
        has_begun: It was counted as running, which a stream never is.
        is_repetition: It repeats another call of the scope.
        latest: The call that repeated it last, or itself.
    """

    def __init__(
        self,
        scope: Counting,
        binding: MethodBinding,
        chain: Chain,
        invocation: Invocation,
        needed: Sequence[CallRecord],
        *,
        is_kept: bool,
    ) -> None:
        super().__init__(invocation, binding.runtime.clock, needed)
        self.future: InvocationFuture | None = None
        self.outcome: Outcome | None = None
        self.has_begun = self.is_repetition = False
        self.latest = self
        self._scope = scope
        self._ending: Stoppable | None = None
        self._chain = chain
        asked = (invocation.args, invocation.kwargs, invocation.options)
        self._again = (Caller(binding, invocation.carrier), asked) if is_kept else None

    def begun(self, ending: Stoppable) -> None:
        """Keep what ends the call from outside."""
        self.has_begun = True
        self._ending = ending
        self._scope.began_one()

    def hold(self, future: InvocationFuture, *, is_lazy: bool) -> None:
        """Keep the future, and so the answer."""
        super().hold(future, is_lazy=is_lazy)
        self.future = future

    def ended(self, outcome: Outcome) -> None:
        """Keep how it ended."""
        super().ended(outcome)
        self.outcome, self._ending = outcome, None
        self._scope.ended_one(self, outcome, was_running=self.has_begun)

    def cancel(self) -> None:
        """Give the call up, if it runs."""
        ending = self._ending
        if ending is not None:
            ending.cancel()

    def may_be_repeated(self) -> bool:
        """Tell whether it failed in a way that allows to ask again."""
        error = None if self.outcome is None else self.outcome.error
        return self._again is not None and may_repeat(error, self._chain.policy)

    def repeat(self) -> ScopedCall:
        """Begin the call once more, and return that one; the scope, whose context this is, collects it like any."""
        assert self._again is not None
        self.error_seen()
        caller, (args, kwargs, options) = self._again
        future = caller.future(self._chain, args, kwargs, sys._getframe(), options)
        future.record.repeat(self.record)
        again = future.record.collected
        assert isinstance(again, ScopedCall)
        again.is_repetition = True
        return again

    def error_seen(self) -> BaseException | None:
        """Return its error, of which the user is told."""
        if self.future is not None and self.future.done() and not self.future.cancelled():
            return self.future.exception(0)
        return None if self.outcome is None else self.outcome.error

    def value(self) -> Any:
        """Return the answer of a call that has a future and has ended, or raise its error."""
        assert self.future is not None
        return self.future.result(0)
