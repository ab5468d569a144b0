"""Calls of whose end a handler or a listener hears: exactly once, whatever becomes of the call."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from dataclasses import fields, replace
from typing import Any

from callahead.registry.forking import fork_safe_lock

from ..call.current import enter_callback
from ..call.future import InvocationFuture
from ..call.hearers import Hearers, request_of
from ..call.invocation import NO_KWARGS, Collected, Invocation, Outcome, Stoppable
from .caller import Caller, Chain, MethodBinding
from .ending import Runtime

HEARING = tuple(field.name for field in fields(Hearers))
"""Options of a call that are about who hears of its end."""

_Args = tuple[Any, ...]
_KwArgs = Mapping[str, Any]

# Held for a single assignment.
_TELLING = fork_safe_lock()


class Hearing:
    """One call of whose end *hearers* hear; whoever else collects it, such as a scope, stands behind this.

    Args:
        runtime: Keeps it until they were told, or are about to be.
        hearers: Who hears.
        client: The reference.
        args: Positional arguments, until the call has begun.
        kwargs: Keyword arguments likewise.
    """

    def __init__(self, runtime: Runtime, hearers: Hearers, client: Any, args: _Args, kwargs: _KwArgs) -> None:
        self._runtime = runtime
        self._hearers = hearers
        self._client = client
        self._asked: tuple[_Args, _KwArgs] = (args, kwargs)
        self._name = "a call that did not begin"
        self._behind: Collected | None = None
        self._context: Context | None = None
        self._is_told = False
        runtime.heard.add(self)

    def follow(self, invocation: Invocation) -> None:
        """Hear of the end of *invocation*, which has just come into being."""
        record = invocation.record
        self._asked, self._name = (invocation.args, invocation.kwargs), record.name
        self._behind, record.collected = record.collected, self
        self._context = contextvars.copy_context()
        self._context.run(enter_callback, record, None)  # or it would keep the future of the call before alive

    def begun(self, ending: Stoppable) -> None:
        """Pass it on; see `callahead.consumer.call.invocation.Collected`, here and below."""
        if self._behind is not None:
            self._behind.begun(ending)

    def hold(self, future: InvocationFuture, *, is_lazy: bool) -> None:
        """Look at a failure in place of the user, who hears of it."""
        future._when_settled(_seen)
        if self._behind is not None:
            self._behind.hold(future, is_lazy=is_lazy)

    def streams(self) -> None:
        """Pass it on."""
        if self._behind is not None:
            self._behind.streams()

    def ended(self, outcome: Outcome) -> None:
        """Tell the hearers."""
        if self._behind is not None:
            self._behind.ended(outcome)
        self.tell(outcome)

    def now(self) -> float:
        """Return the monotonic second."""
        return self._runtime.clock() if self._behind is None else self._behind.now()

    def waited(self, since: float) -> None:
        """Pass it on."""
        if self._behind is not None:
            self._behind.waited(since)

    def tell(self, outcome: Outcome) -> None:
        """Let the hearers hear of *outcome*, soon; of several only the first counts."""
        with _TELLING:
            if self._is_told:
                return
            self._is_told = True
        runtime = self._runtime
        context = contextvars.copy_context() if self._context is None else self._context
        request = request_of(*self._asked)
        self._asked, self._context = ((), NO_KWARGS), None  # the call's record holds this, and must not hold them
        for what, function in self._hearers.told_by(self._client, request, outcome):
            runtime.callbacks.submit(context, f"{what} of {self._name}", function)
        runtime.heard.discard(self)  # only now, when there is something due: `Runtime.wait_idle` sees one of the two
        runtime.draining.look_again()

    def forget(self) -> None:
        """Tell nobody: this is the copy of a forked child."""
        self._is_told = True


def _seen(outcome: Outcome) -> None:
    """Look at a failure of which the hearers are told."""


class _HeardBinding(MethodBinding):
    """The binding of a single call, which *hearing* follows from its beginning."""

    __slots__ = ("_binding", "_hearing")

    def __init__(self, binding: MethodBinding, hearing: Hearing) -> None:
        super().__init__(binding.runtime, binding.name, binding.metrics, binding.chain)
        self._binding = binding
        self._hearing = hearing

    def begin(self, *asked: Any, **more: Any) -> Invocation:
        """Begin as the method's own binding does, for whoever collects the call knows that one."""
        invocation = self._binding.begin(*asked, **more)
        self._hearing.follow(invocation)
        return invocation


class HeardCaller(Caller):
    """Calls as *caller* does, and lets *hearers* hear of each end.

    Args:
        caller: Of the method.
        client: The reference that a handler is given.
        hearers: Who hears.
    """

    __slots__ = ("_client", "hearers")

    def __init__(self, caller: Caller, client: Any, hearers: Hearers) -> None:
        super().__init__(caller.binding, caller.carrier, caller._future_class)
        self._client = client
        self.hearers = hearers

    def call(self, chain: Chain, args: _Args, kwargs: _KwArgs, *more: Any, **named: Any) -> Any:
        """Call as the policy of *chain* says."""
        with self._heard(args, kwargs) as caller:
            return caller.call(chain, args, kwargs, *more, **named)

    def outcome(self, chain: Chain, args: _Args, kwargs: _KwArgs, *more: Any, **named: Any) -> Outcome:
        """Call, wait, and return how it ended."""
        with self._heard(args, kwargs) as caller:
            return caller.outcome(chain, args, kwargs, *more, **named)

    def future(self, chain: Chain, args: _Args, kwargs: _KwArgs, *more: Any, **named: Any) -> InvocationFuture:
        """Call and return the future."""
        with self._heard(args, kwargs) as caller:
            return caller.future(chain, args, kwargs, *more, **named)

    def with_hearers(self, options: Mapping[str, Any]) -> HeardCaller:
        """Return a caller whose hearers are these, but for what *options* say."""
        return HeardCaller(self, self._client, replace(self.hearers, **options))

    @contextmanager
    def _heard(self, args: _Args, kwargs: _KwArgs) -> Iterator[Caller]:
        """Give who makes one call; what is raised before that has begun, such as `ConsumerClosed`, is its end."""
        hearing = Hearing(self.binding.runtime, self.hearers, self._client, args, kwargs)
        try:
            yield Caller(_HeardBinding(self.binding, hearing), self.carrier, self._future_class)
        except BaseException as error:
            hearing.tell(Outcome(error=error))
            raise


def heard(caller: Caller, client: Callable[[], Any], options: Mapping[str, Any]) -> HeardCaller:
    """Return *caller* with the hearers of *options*, beside those that it has; *client* gives the reference.

    Raises:
        TypeError: They are none.
    """
    if isinstance(caller, HeardCaller):
        return caller.with_hearers(options)
    return HeardCaller(caller, client(), Hearers(**options))
