"""One TCP connection that speaks the dubbo protocol: connects when it is first needed, and again after it is lost.

Its state belongs to whoever holds its `Ownership`: mostly the I/O thread, whose every entry takes it, and while a
blocking call is made on an idle connection the calling thread, which then leads (see `Connection.lead`).
"""

from __future__ import annotations

import itertools
import logging
import socket
import ssl
from enum import Enum
from random import Random
from typing import Any

from ...deadline import Clock
from ...errors import ConnectFailed, ConnectionLost, ConsumerClosed, RpcError
from ...wire.events import BadEvent, BadResponse, Broken, Heartbeat, HeartbeatAnswer, ReadOnly, Response, Writable
from ...wire.header import heartbeat_answer_frame, heartbeat_frame
from ...wire.reader import FrameReader
from .backoff import Backoff
from .call import Call
from .dial import Dial
from .expiry import NEVER
from .io_thread import IoThread
from .ownership import Ownership
from .poller import READ, WRITE
from .running import RunningCalls
from .settings import ConnectionSettings, Counters
from .users import Users

_LOG = logging.getLogger("callahead.consumer.dubbo")
_READ_BYTES = 256 * 1024
_IDLE_HEARTBEATS = 3
_STOPPING_S = 2.0
_HEARTBEAT_IDS = itertools.count(-1, -1)  # no call has a negative id


class State(Enum):
    """Where a connection stands."""

    IDLE = "not connected"
    DIALLING = "being made"
    OPEN = "open"
    CLOSED = "closed"


class Connection(RunningCalls):
    """A connection to one address, with its running calls."""

    def __init__(
        self,
        address: tuple[str, int],
        settings: ConnectionSettings,
        thread: IoThread,
        clock: Clock,
        tls: tuple[ssl.SSLContext, str] | None = None,
        random: Random | None = None,
    ) -> None:
        super().__init__(address, settings)
        self.users = Users()
        self.counters = Counters()
        self.state = State.IDLE
        self._thread = thread
        self._clock = clock
        self._tls = tls
        self._dial: Dial | None = None
        self._dial_by = NEVER
        self._draining = False
        self._backoff = Backoff(Random() if random is None else random)  # noqa: S311 - it spreads reconnects
        self._socket: socket.socket | None = None
        self._owner = Ownership(thread)

    def _forget_all(self) -> None:
        super()._forget_all()
        self._reader = FrameReader(self.settings.max_body_bytes, setting=self.settings.max_body_setting)
        self._flushing = False
        self._watching = 0
        self._last_read = 0.0
        self._heartbeat_sent = 0.0

    # -- from any thread --------------------------------------------------------------------------------------------

    def post(self, call: Call) -> None:
        """Hand *call* to the I/O thread."""
        self._thread.post(self._accept, call)

    def post_cancel(self, call: Call) -> None:
        """Let the I/O thread stop *call*."""
        self._thread.post(self._cancel, call)

    # -- by the calling thread --------------------------------------------------------------------------------------

    def lead(self, call: Call) -> bool:
        """Carry *call* on the calling thread, from the send to the answer, where the connection is open and idle.

        Saves two changes of threads, which cost more than all the rest of a single call. The call may come back
        unfinished, because others need the connection or its time is over; the I/O thread then has it.

        Returns:
            False where this cannot be, and nothing was done.
        """
        owner = self._owner
        if self.state is not State.OPEN or self._running or self._tls is not None or not owner.take():
            return False
        try:
            is_idle = self.state is State.OPEN and not self._running and not self._outbox.count
            if not is_idle or not owner.is_ready or owner.is_wanted:
                return False
            self._lead(call)
            return True
        finally:
            owner.leave()

    def _lead(self, call: Call) -> None:
        try:
            self._enqueue(call)
            self._write()
            if not call.ended and not self._outbox.count:
                self._watch(0)
                while not call.ended and self._may_wait(call.expires):
                    self._read()
        except BaseException as error:  # Ctrl-C: the call ends here, with all its stages
            self._running.pop(call.id, None)
            self._outbox.drop(call.number)
            call.fail(error)
        if self.state is State.OPEN and not self._outbox.count:
            self._watch(READ)
        if not call.ended or self._outbox.count:
            call.be_stoppable()
            self._thread.post(self._adopt, call)

    def _may_wait(self, until: float) -> bool:
        left = until - self._clock()
        return left > 0 and self._owner.wait(left)

    # -- calls ------------------------------------------------------------------------------------------------------

    def _accept(self, call: Call) -> None:
        if not self._owner.enter(self._accept, call):
            return
        try:
            refusal = self._refuse(call)
            if refusal is not None:
                call.fail(refusal)
                return
            self._enqueue(call)
            self._remember(call)
            if self.state is State.OPEN:
                self._flush_soon()
            elif self.state is State.IDLE:
                self._connect()
        finally:
            self._owner.leave()

    def _adopt(self, call: Call) -> None:
        """Take over a call that its leader could not finish."""
        if not self._owner.enter(self._adopt, call):
            return
        if not call.ended:
            self._remember(call)
        if self._outbox.count:
            self._flush_soon()
        self._owner.leave()

    def _remember(self, call: Call) -> None:
        if self._expiry.add(call):
            self._thread.tick_at(self, call.expires)

    def _refuse(self, call: Call) -> RpcError | None:
        if call.is_cancelled:
            return ConsumerClosed("the call was cancelled", not_sent=True)
        if self.state is State.CLOSED:
            if self._draining:
                return ConnectionLost("the provider has left the registry before the request was sent", not_sent=True)
            return ConsumerClosed("the connection was closed before the call", not_sent=True)
        full = self._refuse_if_full(call)
        if full is None and self.state is State.IDLE:
            return self._backoff.refusal(self._clock())
        return full

    def _cancel(self, call: Call) -> None:
        if not self._owner.enter(self._cancel, call):
            return
        try:
            if self._running.pop(call.id, None) is not None:
                self._outbox.drop(call.number)
                call.be_cancelled()
                self._close_if_drained()
        finally:
            self._owner.leave()

    def tick(self, now: float) -> float:
        """End what is due; see `Served.tick`."""
        if not self._owner.enter(self._tick_now, None):
            return NEVER
        try:
            self._expire(now, "" if self.state is State.OPEN else f"; the connection is {self.state.value}")
            if self._dial is not None and self._dial_by <= now:
                stage = self._dial.stage
                self._dial.abandon()
                limit = f"{self.settings.connect_timeout * 1000:.0f} ms (connect_timeout)"
                self._give_up_dialling(f"not within {limit}, {stage}")
            heartbeat = self._keep_alive(now) if self.state is State.OPEN else NEVER
            self._close_if_drained()
            if self.state is State.CLOSED:
                return NEVER
            return min(self._expiry.next_at(), self._dial_by, heartbeat)
        finally:
            self._owner.leave()

    def _tick_now(self, _: None) -> None:
        self._thread.tick_at(self, self._clock())

    # -- connecting -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self.state = State.DIALLING
        self._dial_by = self._clock() + self.settings.connect_timeout
        self._thread.tick_at(self, self._dial_by)
        self._dial = Dial(self.address, self._tls, self._thread, self._opened, self._dial_failed)
        self._dial.start()

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
        now = self._clock()
        self._socket = opened
        self._dial, self._dial_by = None, NEVER
        self._backoff.end()
        self._last_read = self._heartbeat_sent = now
        self.counters.connects += 1
        self._thread.serve(opened.fileno(), self)
        self._owner.watch(opened.fileno())
        self.state = State.OPEN
        if self.settings.heartbeat:
            self._thread.tick_at(self, now + self.settings.heartbeat)
        self._watch(READ)
        self._write()
        self._close_if_drained()

    def _dial_failed(self, problem: str) -> None:
        if not self._owner.enter(self._dial_failed, problem):
            return
        try:
            if self.state is State.DIALLING:
                self._give_up_dialling(problem)
                self._close_if_drained()
        finally:
            self._owner.leave()

    def _give_up_dialling(self, problem: str) -> None:
        self._dial, self._dial_by = None, NEVER
        self.state = State.IDLE
        self._backoff.begin(problem, self._clock())
        self._fail_all(lambda _: ConnectFailed(f"no connection: {problem}", not_sent=True))

    # -- writing and reading ----------------------------------------------------------------------------------------

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._thread.flush_later(self)

    def flush(self) -> None:
        """Write what was queued; see `Served.flush`."""
        if not self._owner.enter(self._flush_again, None):
            return
        try:
            self._flushing = False
            self._write()
            self._close_if_drained()
        finally:
            self._owner.leave()

    def _flush_again(self, _: None) -> None:
        self._thread.flush_later(self)

    def _write(self) -> None:
        if self.state is not State.OPEN:
            return
        assert self._socket is not None
        outbox = self._outbox
        while (data := outbox.pending()) is not None:
            try:
                taken = self._socket.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError) as error:
                if isinstance(error, ssl.SSLError):
                    outbox.attempt()
                self._watch(READ | WRITE)
                return
            except OSError as error:
                if self._tls is not None:
                    outbox.attempt()
                self._lost(f"writing failed: {error.strerror or error}")
                return
            for call in outbox.advance(taken):
                if not call.two_way:
                    self._running.pop(call.id, None)
                call.written()
        self._watch(READ)

    def on_ready(self, events: int) -> None:
        """Read or write; see `Served.on_ready`."""
        if self.state is not State.OPEN or not self._owner.take():
            return  # a leader reads for itself
        try:
            if events & WRITE:
                self._write()
            if events & READ:
                self._read()
            self._close_if_drained()
        finally:
            self._owner.leave()

    def _read(self) -> None:
        while self.state is State.OPEN:
            opened = self._socket
            assert opened is not None
            try:
                data = opened.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self._lost(f"reading failed: {error.strerror or error}")
                return
            if not data:
                self._lost("the provider closed it")
                return
            self._last_read = self._clock()
            self._handle(data)
            # TLS may hold decrypted bytes that the poller does not see.
            if self._tls is None or not isinstance(opened, ssl.SSLSocket) or not opened.pending():
                return

    def _handle(self, data: bytes) -> None:
        running = self._running
        for event in self._reader.feed(data):
            if type(event) is Response:
                call = running.pop(event.id, None)
                if call is None:
                    self.counters.unknown_answers += 1
                else:
                    call.answer(event.status, event.body)
            else:
                self._handle_rare(event)
        self._expiry.trim(len(self._running))

    def _handle_rare(self, event: Any) -> None:
        if isinstance(event, Heartbeat):
            if event.two_way:
                self._outbox.put(heartbeat_answer_frame(event.id))
                self._thread.post(self._flush_queued, None)  # this may be a leader's thread
        elif isinstance(event, BadResponse):
            call = self._running.pop(event.id, None)
            if call is None:
                self.counters.unknown_answers += 1
            else:
                call.fail(event.error)
        elif isinstance(event, ReadOnly | Writable):
            self.users.set_read_only(isinstance(event, ReadOnly))
        elif isinstance(event, Broken):
            self._lost(event.error.message)
        elif isinstance(event, BadEvent):
            self.counters.bad_events += 1
            _LOG.warning("%s: %s", self.name, event.error.message)
        elif not isinstance(event, HeartbeatAnswer):
            self.counters.bad_events += 1
            _LOG.warning("%s sent a request, which a consumer does not answer", self.name)

    def _flush_queued(self, _: None) -> None:
        self._flush_soon()

    def _keep_alive(self, now: float) -> float:
        heartbeat = self.settings.heartbeat
        if not heartbeat:
            return NEVER
        silent = now - self._last_read
        if silent >= heartbeat * _IDLE_HEARTBEATS:
            self._lost(f"nothing came for {silent:.0f} s, {_IDLE_HEARTBEATS} heartbeats of {heartbeat:g} s")
            return NEVER
        if silent >= heartbeat and now - self._heartbeat_sent >= heartbeat:
            self._heartbeat_sent = now
            self._outbox.put(heartbeat_frame(next(_HEARTBEAT_IDS)))
            self._flush_soon()
        return max(self._last_read, self._heartbeat_sent) + heartbeat

    def _lost(self, problem: str) -> None:
        _LOG.info("the connection to %s is lost: %s", self.name, problem)
        self._drop_socket()
        self.state = State.IDLE
        self.users.lost(self._clock() + _STOPPING_S)
        self._fail_all(
            lambda begun: ConnectionLost(f"the connection broke: {problem}", not_sent=not begun, in_doubt=begun)
        )

    # -- ending -----------------------------------------------------------------------------------------------------

    def drain(self, _: None = None) -> None:
        """Close the connection once its last running call has ended."""
        if self._owner.enter(self.drain, None):
            self._draining = True
            self._close_if_drained()
            self._owner.leave()

    def _close_if_drained(self) -> None:
        if self._draining and not self._running:
            self._close()

    def close(self, _: None = None) -> None:
        """Close the connection now; running calls end as `ConsumerClosed`."""
        if self._owner.enter(self.close, None):
            self._close()
            self._owner.leave()

    def _close(self) -> None:
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        if self._dial is not None:
            self._dial.abandon()
        self._dial, self._dial_by = None, NEVER
        self._drop_socket()
        self._owner.close()
        self._thread.tick_never(self)
        self._fail_all(
            lambda begun: ConsumerClosed("the connection was closed under the call", not_sent=not begun, in_doubt=begun)
        )

    def _watch(self, events: int) -> None:
        if events != self._watching:
            assert self._socket is not None
            assert self._thread.poller is not None
            self._watching = events
            self._thread.poller.watch(self._socket.fileno(), events)

    def _drop_socket(self) -> None:
        opened, self._socket = self._socket, None
        self._owner.forget()
        self._watching = 0
        if opened is not None:
            self._thread.forget(opened.fileno())
            opened.close()

    def after_fork(self) -> None:
        """Close this process' copies of the parent's sockets, and forget the parent's calls."""
        if self._socket is not None:
            socket.close(self._socket.detach())  # without a word to the peer, which TLS would say
        if self._dial is not None:
            self._dial.abandon()
        self._socket, self._dial, self._dial_by = None, None, NEVER
        self._owner.after_fork()
        self._forget_all()
        if self.state is not State.CLOSED:
            self.state = State.IDLE

    def __repr__(self) -> str:
        return f"<Connection {self.name} {self.state.value}, {len(self._running)} calls, {self._outbox.count} queued>"
