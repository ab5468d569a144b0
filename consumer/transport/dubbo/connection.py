"""One TCP connection that speaks the dubbo protocol: connects when it is first needed, and again once it is lost.

Its state belongs to whoever holds its `Ownership`: mostly the I/O thread, whose every entry takes it, and while a
blocking call is made on an idle connection the calling thread, which then leads (see `Leading`).
"""

from __future__ import annotations

import itertools
import logging
import socket
from concurrent.futures import CancelledError
from enum import Enum
from random import Random

from ...call.provider import Provider
from ...errors import ConnectionLost, ConsumerClosed
from ...runtime.callbacks import CallbackExecutor
from ...runtime.deadline import Clock
from ...wire.header import heartbeat_frame
from ..api import ConnectionCounts
from ..tcp.call import Call
from ..tcp.connecting import Connecting
from ..tcp.counters import Counters
from ..tcp.destination import Destination
from ..tcp.io_thread import NEVER, IoThread
from ..tcp.leading import Leading
from ..tcp.loss import being_made, broken, closed, not_connected, wordless
from ..tcp.outbox import Outbox
from ..tcp.ownership import Ownership
from ..tcp.pace import Pace
from ..tcp.poller import READ, WRITE
from ..tcp.posted import Posted
from ..tcp.redial import Redial
from ..tcp.stream import Stream
from ..trouble import Trouble
from .inbox import Inbox
from .running import RunningCalls
from .settings import ConnectionSettings
from .stop_notice import StopNotice

_LOG = logging.getLogger("callahead.consumer.dubbo")
_READ_BYTES = 64 * 1024  # a buffer of 128 KiB or more is mapped anew for every read, at 18 us
_IDLE_HEARTBEATS = 3
_STOPPING_S = 2.0
_NO_TROUBLE = Trouble("")
_HEARTBEAT_IDS = itertools.count(-1, -1)  # no call has a negative id


class State(Enum):
    """Where a connection stands."""

    IDLE = "not connected"
    DIALLING = "being made"
    OPEN = "open"
    CLOSED = "closed"


class Connection:
    """A connection to one address, with its running calls.

    Attributes:
        name: ``host:port``.
        providers: Those that share it, one for each reference.
        stop_notice: Tells them when the peer is about to stop.
        counters: What happened that no call tells of.
        state: Where it stands.
        post: Hands a call to the I/O thread; see `Posted.post`.
    """

    def __init__(
        self,
        destination: Destination,
        settings: ConnectionSettings,
        thread: IoThread,
        clock: Clock,
        random: Random,
        callbacks: CallbackExecutor,
    ) -> None:
        self.name = destination.name
        self.providers: set[Provider] = set()
        self.stop_notice = StopNotice(self.providers)
        self.counters = Counters()
        self.state = State.IDLE
        self._settings = settings
        self._thread = thread
        self._clock = clock
        self._is_tls = destination.tls is not None
        self._owner = Ownership(thread)
        self._outbox: Outbox[Call] = Outbox()
        self._calls = calls = RunningCalls(self._outbox, settings, self.name)
        self._inbox = Inbox(
            settings, self.name, calls, self.counters, self.stop_notice, callbacks,
            reply=self._reply, broken=self._lost,
        )  # fmt: skip
        self._stream = Stream(
            self._outbox,
            thread,
            clock,
            received=self._inbox.take,
            written=calls.written,
            lost=self._lost,
            turned_away=self._turned_away,
            speaks="dubbo",
        )
        self._leading = Leading(
            self._owner, self._stream, self._outbox, calls.by_id, thread, clock,
            send=self._send, give_up=calls.give_up, adopt=self._adopt,
        )  # fmt: skip
        self._pace = Pace(self._owner, self._stream, calls, thread, self._close_if_drained, _READ_BYTES)
        self._connecting = Connecting(
            destination, settings.connect_timeout, thread, clock, random,
            opened=self._opened, failed=self._not_opened,
        )  # fmt: skip
        self._redial = Redial(self.providers, self._dial_again, thread, clock, random)
        self._posted: Posted[Call] = Posted(calls, settings.room, self.name, thread, self._accept_posted)
        self.post = self._posted.post
        self._is_flushing = False
        self._is_draining = False
        self._heartbeat_sent = 0.0

    # -- from any thread --------------------------------------------------------------------------------------------

    def post_cancel(self, call: Call) -> None:
        """Let the I/O thread stop *call*."""
        self._thread.end(self._cancel, call)

    def tell_written(self, call: Call) -> None:
        """Tell *call* when its frame is written: here where it is, else on the I/O thread."""
        if self._calls.is_written(call):
            call.written()
        else:
            self._thread.end(self._watch, call)

    def _watch(self, call: Call) -> None:
        if self._owner.enter(self._watch, call):
            self._calls.watch(call)
            self._owner.leave()

    def lead(self, call: Call) -> bool:
        """Carry *call* on the calling thread, where that can be; see `Leading.lead`.

        Whoever waits for the frame to be written hears that from the I/O thread.
        """
        return call.two_way and call.record.on_sent is None and self._leading.lead(call)

    def serve(self, provider: Provider) -> None:
        """Tell *provider*, which shares it from now on, whether the peer is about to stop."""
        self.stop_notice.tell(provider)

    def counts(self) -> ConnectionCounts:
        """Return what happened."""
        counters = self.counters
        return ConnectionCounts(
            endpoint=f"dubbo://{self.name}",
            is_open=self.state is State.OPEN,
            connects=counters.connects,
            unknown_answers=counters.unknown_answers,
            bad_events=counters.bad_events,
            trailing_bytes=counters.trailing_bytes,
        )

    # -- calls ------------------------------------------------------------------------------------------------------

    def _accept_posted(self, _: None) -> None:
        if not self._owner.enter(self._accept_posted, None):
            return
        try:
            for call in self._posted.take():
                self._accept(call)
            if self._outbox.count and self.state is State.OPEN:
                self._flush_soon()
        finally:
            self._owner.leave()

    def _accept(self, call: Call) -> None:
        calls = self._calls
        refusal = (None if self.state is State.OPEN else self._refuse(call)) or calls.put(call)
        if refusal is not None:
            call.fail(refusal)
            return
        if call.expires < calls.expiry.next:
            self._thread.tick_at(self, calls.expiry.expect(call.expires))
        if self.state is State.IDLE:
            self.state = State.DIALLING
            self._connecting.begin()

    def _dial_again(self, _: None = None) -> None:
        if self._owner.enter(self._dial_again, None):
            if self.state is State.IDLE:
                self.state = State.DIALLING
                self._connecting.begin(is_for_calls=False)
            self._owner.leave()

    def _refuse(self, call: Call) -> BaseException | None:
        if call.is_cancelled:
            return CancelledError()
        if self.state is State.CLOSED:
            if self._is_draining:
                return ConnectionLost("the provider has left the registry before the request was sent", not_sent=True)
            return ConsumerClosed("the connection was closed before the call", not_sent=True)
        trouble = self._connecting.refusal() if self.state is State.IDLE else None
        return None if trouble is None else not_connected(trouble, call)

    def _cancel(self, call: Call) -> None:
        if not self._owner.enter(self._cancel, call):
            return
        try:
            if self._calls.cancel(call):
                self._close_if_drained()
        finally:
            self._owner.leave()

    def _send(self, call: Call) -> None:
        """Send the frame of a led call, which nearly always leaves whole and then is never queued."""
        frame, call.frame = call.frame, None
        assert frame is not None
        call.number = self._stream.send(frame)
        calls = self._calls
        calls.by_id[call.id] = call
        calls.size += call.size
        if self._outbox.count:
            self._stream.write()

    def _adopt(self, call: Call) -> None:
        """Take over a call that its leader could not finish."""
        if not self._owner.enter(self._adopt, call):
            return
        if not call.ended:
            self._thread.tick_at(self, self._calls.expiry.expect(call.expires))
        if self._outbox.count:
            self._flush_soon()
        self._owner.leave()

    # -- by the I/O thread ------------------------------------------------------------------------------------------

    def on_ready(self, events: int) -> None:
        """Read or write; see `Handler.on_ready`."""
        if self.state is not State.OPEN or not self._owner.take():
            return  # a leader reads for itself
        try:
            if events & WRITE:
                self._stream.write()
            if events & READ:
                self._pace.read()
            self._close_if_drained()
        finally:
            self._owner.leave()

    def _flush_soon(self, _: None = None) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            self._thread.flush_later(self)

    def flush(self) -> None:
        """Write what was queued; see `Flushable.flush`."""
        if not self._owner.enter(self._flush_again, None):
            return
        try:
            self._is_flushing = False
            self._stream.write()
            self._close_if_drained()
        finally:
            self._owner.leave()

    def _flush_again(self, _: None) -> None:
        self._thread.flush_later(self)

    def tick(self, now: float) -> float:
        """End what is due; see `Timed.tick`."""
        if not self._owner.enter(self._tick_now, None):
            return NEVER
        try:
            self._pace.catch_up()
            is_open = self.state is State.OPEN
            expiry = self._calls.expire(
                now, _NO_TROUBLE if is_open else being_made(self.state.value, self._connecting.stage)
            )
            heartbeat = self._keep_alive(now) if is_open else NEVER
            self._close_if_drained()
            return NEVER if self.state is State.CLOSED else min(expiry, heartbeat)
        finally:
            self._owner.leave()

    def _reply(self, frame: bytes) -> None:
        if self._outbox.size < self._settings.room.size:  # else the peer asks for more than it reads
            self._outbox.put(frame)
            self._thread.post(self._flush_soon, None)  # this may be a leader's thread

    def _tick_now(self, _: None) -> None:
        self._thread.tick_at(self, self._clock())

    # -- from dialling to the loss ----------------------------------------------------------------------------------

    def _opened(self, opened: socket.socket) -> None:
        if not self._owner.enter(self._opened, opened):
            return
        try:
            if self.state is State.DIALLING:
                self._open(opened)
            else:  # it was closed, or given up, while this waited
                opened.close()
        finally:
            self._owner.leave()

    def _open(self, opened: socket.socket) -> None:
        self.state = State.OPEN
        self.counters.connects += 1
        self._connecting.proved()
        self._redial.opened()
        self._stream.open(opened, self)
        if not self._is_tls:  # which may hold bytes that a leader would wait for in vain
            self._owner.watch(opened.fileno())
        self._heartbeat_sent = self._stream.last_read
        if self._settings.heartbeat:
            self._thread.tick_at(self, self._heartbeat_sent + self._settings.heartbeat)
        self._stream.write()
        self._close_if_drained()

    def _not_opened(self, trouble: Trouble) -> None:
        if not self._owner.enter(self._not_opened, trouble):
            return
        try:
            if self.state is State.DIALLING:
                self.state = State.IDLE
                self._redial.begin()
                self._calls.fail_all(lambda call, _: not_connected(trouble, call))
                self._close_if_drained()
        finally:
            self._owner.leave()

    def _keep_alive(self, now: float) -> float:
        heartbeat, last_read = self._settings.heartbeat, self._stream.last_read
        if not heartbeat:
            return NEVER
        silent = now - last_read
        if silent >= heartbeat * _IDLE_HEARTBEATS:
            self._lost(f"nothing came for {silent:.0f} s, {_IDLE_HEARTBEATS} heartbeats of {heartbeat:g} s")
            return NEVER
        stalled = self._inbox.stalled(now)
        if stalled >= heartbeat * _IDLE_HEARTBEATS:
            self._lost(f"a frame had begun and did not go on for {stalled:.0f} s")
            return NEVER
        if silent >= heartbeat and now - self._heartbeat_sent >= heartbeat:
            self._heartbeat_sent = now
            self._outbox.put(heartbeat_frame(next(_HEARTBEAT_IDS)))
            self._flush_soon()
        return max(last_read, self._heartbeat_sent) + heartbeat

    def _lost(self, problem: str) -> None:
        _LOG.info("the connection to %s is lost: %s", self.name, problem)
        trouble = wordless(problem, "dubbo", is_tls=self._is_tls) if self._stream.is_new else Trouble(problem)
        self._drop_socket()
        self.state = State.IDLE
        stopped = self._clock() + _STOPPING_S
        # Posted, since this may be a leader's thread.
        self._thread.post(self._redial.begin, stopped if self.stop_notice.end(stopped) else 0.0)
        self._calls.fail_all(lambda call, begun: broken(trouble, call, begun=begun))

    def _turned_away(self, trouble: Trouble) -> None:
        self._drop_socket()
        self.state = State.IDLE
        self._connecting.turned_away(trouble)
        self._thread.post(self._redial.begin, 0.0)
        self._calls.fail_all(lambda call, _: not_connected(trouble, call))

    def _drop_socket(self) -> None:
        self._owner.forget()
        self._stream.drop()
        self._inbox.clear()

    # -- ending -----------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """It takes no call any more."""
        return self.state is State.CLOSED

    def drain(self) -> None:
        """Let the I/O thread close the connection once its last running call has ended; from any thread."""
        self._thread.end(self._drain, None)

    def _drain(self, _: None) -> None:
        if self._owner.enter(self._drain, None):
            self._is_draining = True
            self._close_if_drained()
            self._owner.leave()

    def _close_if_drained(self) -> None:
        if self._is_draining and not self._calls.by_id:
            self._close()

    def close(self) -> None:
        """Let the I/O thread close the connection; running calls end as `ConsumerClosed`; from any thread."""
        self._thread.end(self._close_now, None)

    def _close_now(self, _: None) -> None:
        if self._owner.enter(self._close_now, None):
            self._close()
            self._owner.leave()

    def _close(self) -> None:
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._connecting.abandon()
        self._redial.stop()
        self._drop_socket()
        self._owner.close()
        self._thread.tick_never(self)
        self._calls.fail_all(lambda _, begun: closed(begun=begun))

    def after_fork(self) -> None:
        """Close this process' copies of the parent's sockets, and forget the parent's calls."""
        self._stream.after_fork()
        self._connecting.abandon()
        self._owner.after_fork()
        self._leading.after_fork()
        self._posted.clear()
        self._is_flushing = False
        self._calls.clear()
        self._inbox.clear()
        if self.state is not State.CLOSED:
            self.state = State.IDLE

    def __repr__(self) -> str:
        return (
            f"<Connection {self.name} {self.state.value}, {len(self._calls.by_id)} calls, {self._outbox.count} queued>"
        )
