"""One try of a call: whom it asks and for how long, and what became of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from typing import Any

from callahead.config.policy import MethodPolicy

from ..errors import RpcError
from ..runtime.deadline import Clock, Deadline
from .invocation import NO_ATTACHMENTS, CallRecord, Done, Invocation, Outcome, Stoppable, TellsSent, blame_attempt
from .provider import Provider

AttemptStage = Callable[["Attempt", Done], None]
"""Takes an attempt further and never blocks, except where it ``waits``; reports by *done*."""


class Attempt:
    """One try of a call; all that a transport sees of the call, and the only thing that it writes to.

    Several attempts of one call may run at once, and each ends by itself. An interceptor that stands around attempts
    gets it in place of the invocation, whose ``policy``, ``method``, ``args``, ``kwargs``, ``deadline`` and ``record``
    it has, too.

    Attributes:
        invocation: What is asked.
        request: What the carrier made of the arguments, until this ends, which may be after the call has.
        provider: Whom it asks.
        number: Its place among the attempts of the call, from 1.
        attachments: Travel with this request; those of the invocation, until a stage replaces the mapping.
        waits: The thread that makes the attempt has nothing to do until it ends, so the transport may block it.
        timeout: Seconds that it has, > 0; 0 until the transport is asked.
        ends: Monotonic second at which they are over; 0 likewise.
        is_cancelled: It was given up, by the user, by a closing consumer, or since another attempt was quicker.
        is_sent: The request was handed to this machine's network; only told where somebody waits for it.
        response_attachments: What the provider sent beside its answer.
        carried: What is stopped with it, by whom `carried_by` was called; None before, and after the end.
        protocol_trace: What the transport keeps for those who speak its protocol, such as gRPC's metadata; else None.
    """

    __slots__ = (
        "__weakref__", "_changed", "attachments", "carried", "ends", "invocation", "is_cancelled", "is_sent", "number",
        "protocol_trace", "provider", "request", "response_attachments", "timeout", "waits",
    )  # fmt: skip

    def __init__(self, invocation: Invocation, provider: Provider, *, waits: bool) -> None:
        self.invocation = invocation
        self.request = invocation.request
        self.provider = provider
        self.attachments = invocation.attachments
        self.waits = waits
        self.timeout = self.ends = 0.0
        self.is_cancelled = self.is_sent = False
        self.response_attachments: Mapping[str, Any] = NO_ATTACHMENTS
        self.protocol_trace: Any = None
        self.carried: Stoppable | None = None
        self._changed: Attempt | None = None
        record = invocation.record
        if record.attempts:
            self.number = record.begin_further(self)
        else:  # nobody else can have begun one yet
            self.number = record.attempts = 1
            record.first = self
        record.endpoint = provider.name
        # Looked at after the record knows of this, as a cancellation looks for attempts once it is noted.
        if record.is_cancelled:
            self.is_cancelled = True

    @property
    def policy(self) -> MethodPolicy:
        """What the call obeys."""
        return self.invocation.policy

    @property
    def method(self) -> str:
        """Name of the method as the provider spells it."""
        return self.invocation.method

    @property
    def args(self) -> tuple[Any, ...]:
        """Positional arguments, which are encoded already."""
        return self.invocation.args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Keyword arguments likewise."""
        return self.invocation.kwargs

    @property
    def deadline(self) -> Deadline:
        """By when the whole call must have ended."""
        return self.invocation.deadline

    @property
    def record(self) -> CallRecord:
        """The trace of the call."""
        return self.invocation.record

    @property
    def wants_sent(self) -> bool:
        """Somebody waits for `sent`."""
        return self.invocation.record.on_sent is not None

    def sent(self) -> None:
        """Note that the whole request was handed to this machine's network, and tell who waits for that."""
        self.is_sent = True
        on_sent = self.invocation.record.on_sent
        if on_sent is not None:
            on_sent()

    def tell_sent(self) -> None:
        """Let whatever carries the attempt call `sent` once the request is written, now where it is and that is known.

        For who begins to want it after the attempt has begun; those that begin later see `wants_sent`.
        """
        carried, changed = self.carried, self._changed
        if isinstance(carried, TellsSent):
            carried.tell_sent()
        if changed is not None:
            changed.tell_sent()

    def carried_by(self, carried: Stoppable) -> None:
        """Let *carried* be stopped with the attempt; at once where that was cancelled before."""
        self.carried = carried
        if self.is_cancelled:
            carried.cancel()

    def cancel(self) -> None:
        """Give this attempt up; the call goes on, where another attempt of it does."""
        self.is_cancelled = True
        carried, changed = self.carried, self._changed
        if carried is not None:
            carried.cancel()
        if changed is not None:
            changed.cancel()

    def replace(self, **changes: Any) -> Attempt:
        """Copy with other *attachments* or *deadline*, not yet asked: how an interceptor changes what is sent.

        The copy is the same try of the call: it is stopped with this one, and what becomes of it is what became of this
        one. The arguments are encoded already, so they cannot be changed here.
        """
        changed = copy.copy(self)
        changed.request = changed.invocation.request
        changed.timeout, changed.is_sent, changed.response_attachments = 0.0, False, NO_ATTACHMENTS
        changed.carried = changed._changed = changed.protocol_trace = None
        for name, value in changes.items():
            if name == "attachments":
                changed.attachments = value
            elif name == "deadline":
                changed.invocation = changed.invocation.replace(deadline=value)
            else:
                raise TypeError(f'an interceptor of attempts cannot replace "{name}"; only attachments and deadline')
        last = self._last()
        last._changed = changed
        if last.is_cancelled:
            changed.cancel()
        return changed

    def _last(self) -> Attempt:
        """Return what was made of this by `replace` most recently, or this."""
        last = self
        while last._changed is not None:
            last = last._changed
        return last

    def decide_on(self, outcome: Outcome) -> Outcome:
        """Return what to tell an observer of the attempt: it ends by *outcome*, whatever becomes of the call."""
        return outcome

    def decide(self, outcome: Outcome | None = None) -> None:
        """Let the record of the call tell of this attempt; a cluster's word before it hands the *outcome* up."""
        record = self.invocation.record
        if record.ended is None:
            last = self if self._changed is None else self._last()
            record.endpoint = self.provider.name
            if last.is_sent or (outcome is not None and (outcome.error is None or _tells_of_sending(outcome.error))):
                record.is_sent = True
            record.response_attachments, record.protocol_trace = last.response_attachments, last.protocol_trace

    def blame(self, error: BaseException, clock: Clock) -> None:
        """Write into *error* that it ended this attempt; see `blame_attempt`."""
        blame_attempt(error, self.invocation.record, self.provider.name, self.number, clock)

    def __repr__(self) -> str:
        return f"<Attempt {self.number} of {self.invocation.record.name} at {self.provider.name}>"


def _tells_of_sending(error: BaseException) -> bool:
    """Tell whether an attempt that failed so must have been written: its error came from the other side."""
    if isinstance(error, RpcError):
        return error.is_remote
    return not isinstance(error, CancelledError)  # what a method in this process has raised passes as it is
