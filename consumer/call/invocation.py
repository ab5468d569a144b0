"""One call as the stages of the chain see it: the question, what became of it, and its trace.

`Invocation` is what is asked and does not change once a stage has passed it on; `Outcome` is how it ended; `CallRecord`
is the trace that the call leaves behind, and the only one of the three that outlives it in `RpcContext`, so it holds
neither arguments nor result. Each try of a call has a trace of its own, the `Attempt`.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from traceback import extract_tb
from types import CodeType, MappingProxyType, TracebackType
from typing import Any, Protocol, runtime_checkable

from callahead.config.policy import MethodPolicy
from callahead.registry.forking import fork_safe_lock

from ..errors import RpcError
from ..runtime.deadline import Clock, Deadline

NO_ATTACHMENTS: Mapping[str, Any] = MappingProxyType({})
NO_KWARGS: Mapping[str, Any] = MappingProxyType({})

_DEEPEST_CAUSE = 20

# Held for the count of a call's further attempts, which more than one thread may begin.
_FURTHER = fork_safe_lock()

DECIDING = fork_safe_lock()
"""Held where a call's end is told first, or the call is given up: one of the two comes before the other."""


class Outcome:
    """How a call, or one attempt of it, ended: with a value, or with an error.

    Attributes:
        value: The answer; None where *error* is set.
        error: What went wrong, or None. `concurrent.futures.CancelledError` stands for a cancelled call.
    """

    __slots__ = ("error", "value")

    def __init__(self, value: Any = None, error: BaseException | None = None) -> None:
        self.value = value
        self.error = error

    @property
    def is_success(self) -> bool:
        """It ended with a value."""
        return self.error is None

    @property
    def result(self) -> Any:
        """The value; raises the error where there is none, so that no default is taken for an answer."""
        error = self.error
        if error is None:
            return self.value
        try:
            raise error
        finally:
            del self, error  # they would tie the error to its own traceback

    def __repr__(self) -> str:
        return f"<Outcome {self.error!r}>" if self.error is not None else f"<Outcome value {type(self.value).__name__}>"


Done = Callable[[Outcome], object]
"""Takes the outcome of an invocation, or of an attempt; called exactly once, from any thread."""

Stage = Callable[["Invocation", Done], None]
"""Takes an invocation further and never blocks, except where the invocation is ``blocking``; reports by *done*."""


class Stoppable(Protocol):
    """Something under way that can be given up."""

    def cancel(self) -> object:
        """Give it up, soon; from any thread, and as often as one likes."""


@runtime_checkable
class TellsSent(Stoppable, Protocol):
    """Something under way that can tell at any time whether its request is written; what carries an attempt may be."""

    def tell_sent(self) -> None:
        """Call the attempt's ``sent`` once the request is written, now where it is; from any thread, never blocks."""


class CallEnding(Protocol):
    """Ends the call whose answer the future of its caller is."""

    def cancel(self) -> bool:
        """End it as cancelled, for all who hear of its end alike; False where it ends, or has ended, in another way."""

    def expire(self) -> None:
        """End it, which is long past its deadline."""


class Waiter(Protocol):
    """The thread that waits for a call, as those see it who end the call's attempts."""

    def hand_over(self, work: Callable[[], object], /) -> bool:
        """Let it run *work*, soon; False where it waits no more. From any thread."""


class Collected(Protocol):
    """A call as whoever collects it, such as a scope, follows it; none of these blocks or raises. From any thread."""

    def begun(self, ending: Stoppable, /) -> None:
        """The call counts as running."""

    def hold(self, future: Any, /, *, is_lazy: bool) -> None:
        """The answer will come to *future*, a `callahead.consumer.InvocationFuture`, and *is_lazy* to its user."""

    def streams(self) -> None:
        """Requests or answers will come one after another."""

    def ended(self, outcome: Outcome, /) -> None:
        """The call has ended; once, and where its consumer closes meanwhile perhaps before it has begun."""

    def now(self) -> float:
        """Return the monotonic second, of the clock by which the call is timed."""

    def waited(self, since: float, /) -> None:
        """The calling thread or task has waited for the answer, or for one of several, since *since* of `now`."""


class CallRecord:
    """The trace of one call; written by the stages, read by users through `RpcContext.last_call` and the future.

    While attempts run it tells of the newest; once the call has ended, of the one that decided it.

    Attributes:
        policy: What the call obeyed.
        method: Name of the method as the provider spells it.
        started: Monotonic seconds at which the call began.
        ended: Likewise for its end, or None while it runs.
        attempts: Attempts begun so far.
        endpoint: ``protocol://host:port`` of the attempt, or None.
        response_attachments: What came back beside the answer; empty until then.
        is_sent: A request was handed to this machine's network. An answer tells, and before that whoever carries it,
            but only where somebody asks.
        on_sent: Called each time that a request was handed over, perhaps twice for one; None where nobody asks.
        written: The future of just that, where a user has asked for it and the call runs; see `InvocationFuture.sent`.
        protocol_trace: What a transport keeps for those who speak its protocol, such as gRPC's metadata; else None.
        is_cancelled: The user or a closing consumer gave the call up.
        is_decided: Somebody was told how the call ends, so it cannot be cancelled any more.
        view: Why the call has the mode that it has where the configuration does not say it, such as
            ``"called through .sync"``; "" otherwise.
        thread: Identifier of the thread that waits for the call; 0 where none does.
        overwrote: The call before it in its context, where nobody had asked for the future of that one.
        waiter: That thread, for work that would hold up others; None where none waits.
        first: The first attempt, while the call runs; likewise *further*, those after it, and what else is stopped with
            the call. They may have ended.
        collected: How whoever collects the calls of its context, such as a scope, follows it; else None.
    """

    ended: float | None = None
    attempts: int = 0
    endpoint: str | None = None
    response_attachments: Mapping[str, Any] = NO_ATTACHMENTS
    is_sent: bool = False
    on_sent: Callable[[], object] | None = None
    written: Any = None
    protocol_trace: Any = None
    view: str = ""
    thread: int = 0
    waiter: Waiter | None = None
    _site: tuple[CodeType, int] | None = None
    is_cancelled: bool = False
    overwrote: CallRecord | None = None
    is_decided: bool = False
    first: Stoppable | None = None
    further: tuple[Stoppable, ...] = ()
    collected: Collected | None = None

    def __init__(self, policy: MethodPolicy, method: str, started: float) -> None:
        self.policy = policy
        self.method = method
        self.started = started

    @property
    def name(self) -> str:
        """``reference.method``."""
        return f"{self.policy.reference}.{self.method}"

    @property
    def ends(self) -> float:
        """Monotonic second by which the call, retries included, must have ended."""
        return self.started + self.policy.total_timeout_ms / 1000

    @property
    def elapsed_ms(self) -> float | None:
        """Milliseconds from begin to end, or None while the call runs."""
        return None if self.ended is None else (self.ended - self.started) * 1000

    @property
    def call_site(self) -> str:
        """``file:line in function`` of the code that made the call, or "" where it was not kept (synchronous calls)."""
        if self._site is None:
            return ""
        code, instruction = self._site
        lines = (line for start, end, line in code.co_lines() if start <= instruction < end and line is not None)
        return f"{code.co_filename}:{next(lines, code.co_firstlineno)} in {code.co_name}"

    def repeat(self, other: CallRecord) -> None:
        """Take the call site of *other*, which this call repeats."""
        self._site = other._site

    def begin_further(self, attempt: Stoppable) -> int:
        """Count *attempt*, which is not the first, and let the cancellation of the call stop it; returns its number."""
        with _FURTHER:
            self.attempts = number = self.attempts + 1
            self.further = (*self.further, attempt)
        return number

    def stop_also(self, one: Stoppable) -> None:
        """Let the cancellation of the call stop *one*, too, which is no attempt."""
        with _FURTHER:
            self.further = (*self.further, one)

    def stop_no_more(self, one: Stoppable) -> None:
        """Forget *one*, which is over."""
        with _FURTHER:
            self.further = tuple(other for other in self.further if other is not one)

    def decide(self, outcome: Outcome) -> Outcome:
        """Return how the call ends, to be told to somebody: by *outcome*, or as cancelled where it was given up before.

        What was told stays: `is_decided` keeps the call from being cancelled.
        """
        with DECIDING:
            if not self.is_cancelled:
                self.is_decided = True
                return outcome
        return outcome if isinstance(outcome.error, CancelledError) else Outcome(error=CancelledError())

    def end(self, now: float) -> None:
        """Note the end, and let go of the attempts, which refer back to this record."""
        self.ended = now
        self.first = None
        if self.further:
            self.further = ()

    def let_go(self) -> None:
        """Forget the attempts without a word to them: in a forked child they are the parent's."""
        self.first = None
        self.further = ()

    def cancel(self) -> None:
        """Stop the running attempts, and each that would follow."""
        self.is_cancelled = True
        first = self.first
        if first is not None:
            first.cancel()
        for attempt in self.further:
            attempt.cancel()

    def tell_sent(self) -> None:
        """Let ``on_sent``, which was set while the call runs, hear of what is written, and of what was."""
        for attempt in (self.first, *self.further):
            if isinstance(attempt, TellsSent):
                attempt.tell_sent()

    @property
    def is_over(self) -> bool:
        """Nobody waits for a further attempt: the call was given up, or has ended."""
        return self.is_cancelled or self.ended is not None

    def hand_over(self, work: Callable[[], object]) -> bool:
        """Let the thread that waits for the call run *work*, soon; False where none does. From any other thread."""
        waiter = self.waiter
        return waiter is not None and waiter.hand_over(work)

    def on_callers_thread(self) -> bool:
        """Tell whether this runs on the thread that waits for the call, where users' code may run without harm."""
        return self.thread == threading.get_ident()

    def __repr__(self) -> str:
        state = "running" if self.ended is None else f"ended after {self.elapsed_ms:.1f} ms"
        return f"<call {self.name} {state}, {self.attempts} attempts, provider {self.endpoint}>"


class Invocation:
    """What is asked, whoever will be asked.

    Attributes:
        policy: What the call obeys, per-call options included.
        method: Name of the method as the provider spells it.
        args: Positional arguments as the user gave them; none once a call that has a future is over.
        kwargs: Keyword arguments likewise.
        attachments: Side data that travels with the request, text to text (or bytes, where the protocol can). A stage
            that adds some replaces the mapping, and never changes it; none once a call that has a future is over.
        ends: The point of the ``deadline``, in monotonic seconds.
        record: The call's trace.
        blocking: The calling thread has nothing to do until the answer is there, so a stage may block it.
        one_way: Nobody waits for the answer, so the provider may be told to send none.
        carrier: The `callahead.consumer.transport.api.MethodTransport` by which the caller knows the method.
        request: What the carrier made of the arguments; None until its ``encode`` ran, and once the call is over.
        options: What only one transport understands, such as gRPC call credentials; None for nothing.
    """

    one_way: bool = False
    request: Any = None
    options: Any = None

    def __init__(
        self,
        policy: MethodPolicy,
        method: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        attachments: Mapping[str, Any],
        ends: float,
        clock: Clock,
        record: CallRecord,
        blocking: bool,
        carrier: Any = None,
    ) -> None:
        self.policy = policy
        self.method = method
        self.args = args
        self.kwargs = kwargs
        self.attachments = attachments
        self.ends = ends
        self._clock = clock
        self.record = record
        self.blocking = blocking
        self.carrier = carrier

    @property
    def deadline(self) -> Deadline:
        """By when the whole call, retries included, must have ended."""
        return Deadline(self.ends, self._clock)

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self.ends = deadline.at

    def decide_on(self, outcome: Outcome) -> Outcome:
        """Return what to tell an observer of the call, for which *outcome* came; see `CallRecord.decide`."""
        return self.record.decide(outcome)

    def replace(self, **changes: Any) -> Invocation:
        """Copy with *changes*: how an interceptor passes on other arguments or attachments; the record is shared."""
        changed = copy.copy(self)
        for name, value in changes.items():
            if name not in ("args", "kwargs", "attachments", "deadline"):
                raise TypeError(f'an interceptor cannot replace "{name}"; only args, kwargs, attachments and deadline')
            setattr(changed, name, value)
        return changed

    def __repr__(self) -> str:
        return f"<Invocation {self.record.name} with {len(self.args) + len(self.kwargs)} arguments>"


def blame(error: BaseException, record: CallRecord, clock: Clock) -> None:
    """Write into *error* which call it ended, and what its record says of attempts; see `blame_attempt`."""
    blame_attempt(error, record, record.endpoint, record.attempts, clock)


def _let_go(error: BaseException) -> None:
    """Drop the tracebacks of whatever led to *error*; what is not its cause is shown to nobody, and goes."""
    origin = error.__context__ = error.__cause__
    for _ in range(_DEEPEST_CAUSE):
        if origin is None:
            return
        if origin.__traceback__ is not None:
            _note_place(origin, origin.__traceback__)
            origin.__traceback__ = None
        origin = origin.__cause__ or origin.__context__


def _note_place(error: BaseException, traceback: TracebackType) -> None:
    place = extract_tb(traceback, limit=-1)[0]
    note = f"raised at {place.filename}:{place.lineno} in {place.name}"
    if note not in getattr(error, "__notes__", ()):  # somebody may raise the same object again and again
        error.add_note(note)


def blame_attempt(error: BaseException, record: CallRecord, endpoint: str | None, number: int, clock: Clock) -> None:
    """Write into *error* which attempt of which call it ended; without effect on what is no `RpcError`, or told.

    Its traceback is dropped: it leads through this framework only, and its frames would tie the error to the call and
    all that the caller's stack holds, until the collector comes. The error tells the line that made the call instead.
    So does what it came from, whose frames would keep the arguments, or an answer: a note tells where that was raised.
    """
    if isinstance(error, RpcError) and not error.reference:
        error.__traceback__ = None
        _let_go(error)
        error.reference, error.method, error.endpoint = record.policy.reference, record.method, endpoint
        error.attempt, error.elapsed_ms = number, (clock() - record.started) * 1000
