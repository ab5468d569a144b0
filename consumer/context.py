"""`RpcContext`: what the current thread or asyncio task last called, and what its next call takes along.

The only module that knows contextvars-extras. Source: Dubbo ``RpcContext`` and ``FutureContext``; differs: task-local
as well as thread-local; a synchronous call clears the future; a missing future is an error that names the call; what
was handed out is held weakly, so no result is kept alive (dubbo#6866, #12493); attachments leave with one call only.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contextvars_extras import ContextVarsRegistry

from callahead.config.errors import CallaheadError

from .invocation import NO_ATTACHMENTS, CallRecord

if TYPE_CHECKING:
    from .future import InvocationFuture


class NoFutureError(CallaheadError, LookupError):
    """`RpcContext.get_future` was asked for a future that the last call does not have; the message says why."""


class _Variables(ContextVarsRegistry):  # type: ignore[misc]
    record: Any = None
    future: Any = None
    attachments: Any = NO_ATTACHMENTS


# The descriptors' own methods are those of the context variables themselves: 0.1 us instead of 0.5 us. Their `get`
# looks for deleted and deferred values, of which there are none here.
_set_record: Callable[[CallRecord | None], Any] = _Variables.record.set
_set_future: Callable[[Callable[[], InvocationFuture | None] | None], Any] = _Variables.future.set
_set_attachments: Callable[[Mapping[str, Any]], Any] = _Variables.attachments.set
_get_record: Callable[[], CallRecord | None] = _Variables.record.get_raw
_get_future: Callable[[], Callable[[], InvocationFuture | None] | None] = _Variables.future.get_raw
_get_attachments: Callable[[], Mapping[str, Any]] = _Variables.attachments.get_raw


class _Held:
    """Holds a future that nobody has asked for yet."""

    __slots__ = ("_future",)

    def __init__(self, future: InvocationFuture) -> None:
        self._future = future

    def __call__(self) -> InvocationFuture:
        return self._future


def enter_call(record: CallRecord, future: InvocationFuture | None) -> None:
    """Make *record* the last call of this context; *future* is None where the call has none, or not yet."""
    _set_record(record)
    _set_future(None if future is None else _Held(future))


def enter_future(future: InvocationFuture, *, held: bool) -> None:
    """Make *future* that of the last call; not *held* where the caller has it already, who then decides its life."""
    _set_future(_Held(future) if held else weakref.ref(future))


def enter_callback(record: CallRecord, future: InvocationFuture | None) -> None:
    """Make *record* the last call of a callback's own copy of the context, without keeping *future* alive."""
    _set_record(record)
    _set_future(None if future is None else weakref.ref(future))


def take_attachments() -> Mapping[str, Any]:
    """Return what the next call takes along, and forget it."""
    attachments = _get_attachments()
    if attachments is not NO_ATTACHMENTS:
        _set_attachments(NO_ATTACHMENTS)
    return attachments


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
        return _get_attachments()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not (isinstance(key, str) and isinstance(value, str | bytes)):
            pair = f"{type(key).__name__} to {type(value).__name__}"
            raise TypeError(f"an attachment maps text to text or bytes, not {pair} (key {key!r})")
        _set_attachments({**_get_attachments(), key: value})

    def __delitem__(self, key: str) -> None:
        rest = dict(_get_attachments())
        del rest[key]
        _set_attachments(rest)

    def __iter__(self) -> Iterator[str]:
        return iter(_get_attachments())

    def __len__(self) -> int:
        return len(_get_attachments())

    def __repr__(self) -> str:
        return f"Attachments({dict(self)!r})"


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
                setting (``file:line``) that made it so.
        """
        held = _get_future()
        future = self.future
        if future is None:
            raise NoFutureError(_why_no_future(_get_record(), handed_out=held is not None))
        return future

    @property
    def future(self) -> InvocationFuture | None:
        """The future of the most recent call, or None."""
        held = _get_future()
        if held is None:
            return None
        future = held()
        if future is not None and type(held) is _Held:
            _set_future(weakref.ref(future))
        return future

    @property
    def attachments(self) -> Attachments:
        """What the next call takes along, and only the next; assign keys to it."""
        return _ATTACHMENTS

    @property
    def response_attachments(self) -> Mapping[str, Any]:
        """What the provider sent beside the last call's answer; empty until the answer is there."""
        record = _get_record()
        return NO_ATTACHMENTS if record is None else record.response_attachments

    @property
    def remote_address(self) -> str | None:
        """``host:port`` of the provider of the last call, or None."""
        record = _get_record()
        return None if record is None or record.endpoint is None else record.endpoint.partition("://")[2]

    @property
    def last_call(self) -> LastCall | None:
        """An immutable record of the last call, or None; readable after synchronous and asynchronous calls alike."""
        record = _get_record()
        if record is None:
            return None
        policy = record.policy
        return LastCall(policy.reference, record.method, record.endpoint, record.attempts, record.elapsed_ms)


_CONTEXT = RpcContext()
_ATTACHMENTS = Attachments()
