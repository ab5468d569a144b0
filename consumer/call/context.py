"""`RpcContext`: what the current thread or asyncio task last called, and what its next call takes along.

Source: Dubbo ``RpcContext`` and ``FutureContext``; differs: task-local
as well as thread-local; a synchronous call clears the future; a missing future is an error that names the call; what
was handed out is held weakly, so no result is kept alive (dubbo#6866, #12493); attachments leave with one call only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from callahead.config.errors import CallaheadError

from .current import calling_ahead, hand_out, is_handed_out, last_record, next_attachments, set_attachments
from .future import InvocationFuture
from .invocation import NO_ATTACHMENTS, CallRecord
from .plain import resolve

P = ParamSpec("P")
T = TypeVar("T")


class NoFutureError(CallaheadError, LookupError):
    """`RpcContext.get_future` was asked for a future that the last call does not have; the message says why."""


@dataclass(frozen=True, slots=True)
class LastCall:
    """The last call of a context, as it stands at the moment of asking.

    Attributes:
        reference: Id of the reference.
        method: Name of the method as the provider spells it.
        provider: ``protocol://host:port`` of the last attempt, or None where none was begun.
        attempts: Attempts begun.
        elapsed_ms: Milliseconds from begin to end, or None while the call runs.
    """

    reference: str
    method: str
    provider: str | None
    attempts: int
    elapsed_ms: float | None


class Attachments(MutableMapping[str, Any]):
    """What the next call of this context takes along; each change makes a new mapping, so no other task sees it."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        return next_attachments()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        value = resolve(value)
        if not (isinstance(key, str) and isinstance(value, str | bytes)):
            pair = f"{type(key).__name__} to {type(value).__name__}"
            raise TypeError(f"an attachment maps text to text or bytes, not {pair} (key {key!r})")
        set_attachments({**next_attachments(), key: value})

    def __delitem__(self, key: str) -> None:
        rest = dict(next_attachments())
        del rest[key]
        set_attachments(rest)

    def __iter__(self) -> Iterator[str]:
        return iter(next_attachments())

    def __len__(self) -> int:
        return len(next_attachments())

    def __repr__(self) -> str:
        return f"Attachments({dict(self)!r})"


_LOG = logging.getLogger("callahead.consumer.call")


def _why_no_future(record: CallRecord | None, handed_out: bool) -> str:
    if record is None:
        return "there is no future: this thread or task has made no call yet"
    if handed_out:
        return f"the future of {record.name} was handed out before and nobody has kept it"
    policy = record.policy
    if not policy.returns:
        return f"{record.name} has no future: return is false, {policy.origin('returns')}"
    if record.view:
        return f"{record.name} was synchronous: {record.view}"
    return f"{record.name} was synchronous: async is false, {policy.origin('is_async')}"


def _overwritten_by(record: CallRecord | None) -> str:
    """Name the call whose future nobody can have any more, since *record*'s call came before somebody asked for it."""
    lost = None if record is None else record.overwrote
    return "" if lost is None else f"; that of {lost.name}, called at {lost.call_site}, was overwritten by this call"


class RpcContext:
    """What the current thread or asyncio task last called; use `RpcContext.get_context`.

    Every attribute speaks of the thread or task that reads it.
    """

    __slots__ = ()

    @staticmethod
    def get_context() -> RpcContext:
        """Return the context of the current thread or task."""
        return _CONTEXT

    def get_future(self) -> InvocationFuture:
        """Hand out the future of the most recent call.

        Raises:
            NoFutureError: The most recent call has none, or there was no call; the message names the call and the
                setting (``file:line``) that made it so, and the earlier call whose future it has overwritten.
        """
        handed_out, record = is_handed_out(), last_record()
        future = self.future
        if future is None:
            raise NoFutureError(_why_no_future(record, handed_out) + _overwritten_by(record))
        if handed_out and record is not None and record.overwrote is not None:
            text = "the future of %s was asked for again%s"
            _LOG.warning(text, record.name, _overwritten_by(record))
            record.overwrote = None  # once is enough
        return future

    def async_call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> InvocationFuture[T]:
        """Run ``fn(*args, **kwargs)`` so that its synchronous calls are asynchronous; hand out the last one's future.

        Such a call gives None to *fn*, at once, and what *fn* returns is not looked at. Lazy and one-way calls stay
        what they are, as does whatever says ``.sync``. Source: Dubbo ``RpcContext.asyncCall``; differs: the mode does
        not reach callbacks or other threads, what is returned is no answer, and what *fn* raises is raised.

        Raises:
            NoFutureError: *fn* made no call, or its last one has no future, such as one whose ``return`` is false.
        """
        before = last_record()
        with calling_ahead():
            fn(*args, **kwargs)
        if last_record() is before:
            raise NoFutureError(f"async_call has no future to give: {fn!r} made no call in this thread or task")
        return self.get_future()

    @property
    def future(self) -> InvocationFuture | None:
        """The future of the most recent call, or None."""
        future: InvocationFuture | None = hand_out()
        return future

    @property
    def attachments(self) -> Attachments:
        """What the next call takes along, and only the next; assign keys to it."""
        return _ATTACHMENTS

    @property
    def response_attachments(self) -> Mapping[str, Any]:
        """What the provider sent beside the last call's answer; empty until the answer is there."""
        record = last_record()
        return NO_ATTACHMENTS if record is None else record.response_attachments

    @property
    def remote_address(self) -> str | None:
        """``host:port`` of the provider of the last call, or None."""
        record = last_record()
        return None if record is None or record.endpoint is None else record.endpoint.partition("://")[2]

    @property
    def last_call(self) -> LastCall | None:
        """An immutable record of the last call, or None; readable after synchronous and asynchronous calls alike."""
        record = last_record()
        if record is None:
            return None
        policy = record.policy
        return LastCall(policy.reference, record.method, record.endpoint, record.attempts, record.elapsed_ms)

    def __repr__(self) -> str:
        record = last_record()
        return f"<RpcContext, last call {'none yet' if record is None else record.name}>"


_CONTEXT = RpcContext()
_ATTACHMENTS = Attachments()
