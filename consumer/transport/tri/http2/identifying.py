"""Who makes a call, as the plugins of its credentials say it before it begins."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from ....call.attempt import Attempt
from ....errors import LocalProtocolError, Rejected, RpcError, TransportError
from ....runtime.deadline import bound_of
from ...api import TransportParts
from ...trouble import Trouble
from ..metadata import Metadata, checked_metadata
from .call import StreamCall

if TYPE_CHECKING:
    from ..credentials import Plugin, Plugins

_SILENT: Final = Trouble("; the call's credentials have not answered")
_HTTPS_PORT: Final = ":443"


class PluginContext(NamedTuple):
    """For which call a plugin is asked; see `callahead.consumer.transport.tri.credentials.CallContext`."""

    service_url: str
    method_name: str

    @classmethod
    def of(cls, authority: str, path: str) -> PluginContext:
        """Make that of the method at *path*, as gRPC core makes it: a port of 443 is left out."""
        service, _, method = path.rpartition("/")
        return cls(f"https://{authority.removesuffix(_HTTPS_PORT)}{service}", method)


class Identifying:
    """Asks the plugins of one call, one after the other, and lets the call begin with what they say; a `Stoppable`.

    They run on threads for callbacks, and answer on any. Until the last has answered no connection knows of the call,
    so what may end it meanwhile is looked after here: its time, its cancellation, and a plugin that fails.

    Args:
        call: Is to begin; of *attempt*.
        attempt: As given.
        plugins: Are asked.
        context: For which method.
        begin: Begins *call* with their metadata; what it raises ends that.
        parts: What the transport may use.
    """

    def __init__(
        self,
        call: StreamCall,
        attempt: Attempt,
        plugins: Plugins,
        context: PluginContext,
        begin: Callable[[Metadata], None],
        parts: TransportParts,
    ) -> None:
        self._call = call
        self._attempt = attempt
        self._plugins = iter(plugins.all)
        self._asked_in = plugins.context
        self._context = context
        self._begin = begin
        self._parts = parts
        self._metadata: Metadata = ()
        self._ending = threading.Lock()  # taken for good by whatever ends the waiting

    def start(self) -> None:
        """Ask, soon."""
        attempt = self._attempt
        attempt.waits = False  # a plugin's thread goes on with it
        attempt.carried_by(self)
        if bound_of(attempt.timeout) is not None:
            try:
                self._parts.timer.call_at(attempt.ends, partial(_time_out, weakref.ref(self)))
            except RuntimeError as error:  # the system has no thread left
                self._fail(TransportError(f"no thread can bound the call's time: {error}", not_sent=True))
                return
        self._ask_next()

    def _ask_next(self) -> None:
        plugin = next(self._plugins, None)
        if plugin is not None:
            record = self._attempt.record
            what = f"the credentials of {record.name}"
            self._parts.callbacks.work(self._asked_in, what, self._ask, plugin, brings=record)
        elif self._ending.acquire(blocking=False):
            self._go_on()

    def _ask(self, plugin: Plugin) -> None:
        answer = _Answer(self._take)
        try:
            plugin(self._context, answer)
        except Exception as error:
            if answer.take():
                self._fail(_failed(error))

    def _take(self, metadata: Iterable[tuple[str, str | bytes]] | None, error: Exception | None) -> None:
        if error is not None:
            self._fail(_failed(error))
            return
        try:
            self._metadata += checked_metadata(metadata or ())
        except Exception as wrong:  # a plugin may say anything
            reason = wrong.message if isinstance(wrong, LocalProtocolError) else repr(wrong)
            self._fail(_rejected(f"Illegal metadata: {reason}"))
            return
        self._ask_next()

    def _go_on(self) -> None:
        if self._attempt.is_cancelled:
            self._call.be_cancelled()
            return
        try:
            self._begin(self._metadata)
        except RpcError as error:
            self._call.fail(error)

    def _fail(self, error: RpcError) -> None:
        if self._ending.acquire(blocking=False):
            self._call.fail(error)

    def cancel(self) -> None:
        """End the call as cancelled, unless it has begun."""
        if self._ending.acquire(blocking=False):
            self._call.be_cancelled()

    def time_out(self) -> None:
        """End the call, unless it has begun: its time is over."""
        if self._ending.acquire(blocking=False):
            self._call.time_out(not_sent=True, why=_SILENT)


class _Answer:
    """What a plugin calls, once, from any thread; as grpcio does, a second call raises RuntimeError."""

    __slots__ = ("_once", "_take")

    def __init__(self, take: Callable[[Iterable[tuple[str, str | bytes]] | None, Exception | None], None]) -> None:
        self._take = take
        self._once = threading.Lock()

    def take(self) -> bool:
        """Tell whether it was not called yet, and let it not be called any more."""
        return self._once.acquire(blocking=False)

    def __call__(self, metadata: Iterable[tuple[str, str | bytes]] | None, error: Exception | None) -> None:
        if not self.take():
            raise RuntimeError("the call's credentials have answered, or failed, before")
        self._take(metadata, error)


def _time_out(waiting: weakref.ref[Identifying]) -> None:
    found = waiting()
    if found is not None:
        found.time_out()


def _failed(error: BaseException) -> Rejected:
    return _rejected(f"Getting metadata from plugin failed with error: {error}")


def _rejected(text: str) -> Rejected:
    """Make the error of credentials that give no metadata, with the status and words of gRPC core."""
    error = Rejected(f"the call's credentials: {text}", not_sent=True, status="UNAVAILABLE")
    error.status_text = text
    return error
