"""The open socket of a connection: writing what is queued, and reading answers to their calls."""

from __future__ import annotations

import logging
import socket
import ssl
from abc import abstractmethod
from enum import Enum
from typing import Any

from ...deadline import Clock
from ...wire.events import BadEvent, BadResponse, Broken, Heartbeat, HeartbeatAnswer, ReadOnly, Response, Writable
from ...wire.header import heartbeat_answer_frame
from ...wire.reader import FrameReader
from ..api import ConnectionCounts
from ..tcp.io_thread import NEVER, IoThread
from ..tcp.ownership import Ownership
from ..tcp.poller import CLOSING, READ, WRITE
from .call import Call
from .running import RunningCalls
from .settings import ConnectionSettings, Counters
from .users import Users

_LOG = logging.getLogger("callahead.consumer.dubbo")
_READ_BYTES = 64 * 1024  # a buffer of 128 KiB or more is mapped anew for every read, at 18 us
_PAUSE_S = 0.005
_PAUSE_WHILE_LED_S = 0.02


class State(Enum):
    """Where a connection stands."""

    IDLE = "not connected"
    DIALLING = "being made"
    OPEN = "open"
    CLOSED = "closed"


class Link(RunningCalls):
    """What a connection does with its socket; for whoever holds its `Ownership`.

    While a calling thread leads, it alone reads, and the I/O thread does not wait for the socket. Nor does it for some
    milliseconds after, since blocking calls follow one another, and to change what a poller waits for costs two system
    calls each time.
    """

    def __init__(
        self, address: tuple[str, int], settings: ConnectionSettings, thread: IoThread, clock: Clock, *, tls: bool
    ) -> None:
        super().__init__(address, settings)
        self.users = Users()
        self.counters = Counters()
        self.state = State.IDLE
        self._thread = thread
        self._clock = clock
        self._is_tls = tls
        self._socket: socket.socket | None = None
        self._owner = Ownership(thread)
        self._pause = Pause(self)

    def _forget_all(self) -> None:
        super()._forget_all()
        self._reader = FrameReader(self.settings.max_body_bytes, setting=self.settings.max_body_setting)
        self._flushing = False
        self._watching = 0
        self._is_led = False
        self._last_read = 0.0

    @abstractmethod
    def tick(self, now: float) -> float:
        """End what is due; see `Handler.tick`."""

    @abstractmethod
    def _lost(self, problem: str) -> None:
        """End every running call, and make ready to connect again."""

    @abstractmethod
    def _close_if_drained(self) -> None:
        """Close, where that waits only for the last running call."""

    def counts(self) -> ConnectionCounts:
        """Return what happened; from any thread."""
        counters = self.counters
        return ConnectionCounts(
            endpoint=f"dubbo://{self.name}",
            is_open=self.state is State.OPEN,
            connects=counters.connects,
            unknown_answers=counters.unknown_answers,
            bad_events=counters.bad_events,
        )

    # -- writing ----------------------------------------------------------------------------------------------------

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._thread.flush_later(self)

    def flush(self) -> None:
        """Write what was queued; see `Handler.flush`."""
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
                if self._is_tls:
                    outbox.attempt()
                self._lost(f"writing failed: {error.strerror or error}")
                return
            for call in outbox.advance(taken):
                if not call.two_way:
                    self._running.pop(call.id, None)
                call.written()
        if not self._is_led:
            self._watch(READ)

    def _send_now(self, call: Call) -> None:
        """Send the frame of a led call, which nearly always leaves whole and then is never queued."""
        assert self._socket is not None
        assert call.frame is not None
        try:
            taken = self._socket.send(call.frame)
        except OSError:  # `_write` meets it again, and says what it means
            taken = 0
        if taken == len(call.frame):
            call.number = self._outbox.pass_by()
            call.frame = None
            self._running[call.id] = call
            return
        self._enqueue(call)
        if taken:
            self._outbox.pending()
            self._outbox.advance(taken)
        self._write()

    # -- reading ----------------------------------------------------------------------------------------------------

    def on_ready(self, events: int) -> None:
        """Read or write; see `Handler.on_ready`."""
        if self.state is not State.OPEN or not self._owner.take():
            return  # a leader reads for itself
        try:
            if events & WRITE:
                self._write()
            if events & READ:
                self._read(_READ_BYTES)
            self._close_if_drained()
        finally:
            self._owner.leave()

    def _read(self, most: int) -> None:
        while self.state is State.OPEN:
            opened = self._socket
            assert opened is not None
            try:
                data = opened.recv(most)
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
            if not (self._is_tls and isinstance(opened, ssl.SSLSocket) and opened.pending()):
                return

    def _handle(self, data: bytes) -> None:
        running = self._running
        for event in self._reader.feed(data):
            if type(event) is Response:
                number, status, body = event
                call = running.pop(number, None)
                if call is None:
                    self.counters.unknown_answers += 1
                else:
                    call.answer(status, body)
            else:
                self._handle_rare(event)

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

    # -- who waits for the socket -----------------------------------------------------------------------------------

    def _watch(self, events: int) -> None:
        if events != self._watching:
            assert self._socket is not None
            assert self._thread.poller is not None
            self._watching = events
            self._thread.poller.watch(self._socket.fileno(), events)

    def _end_leading(self) -> None:
        self._is_led = False
        if self.state is State.OPEN:
            if self._running or self._outbox.count:  # the I/O thread has to go on with them at once
                self._watch(READ | WRITE if self._outbox.count else READ)
            elif self._watching == CLOSING and not self._pause.is_planned:
                self._pause.begin()

    def resume(self, now: float) -> float:
        """Wait for the socket again where nobody has led for some milliseconds; else say when to look again."""
        if not self._owner.take():
            return now + _PAUSE_WHILE_LED_S
        try:
            if self.state is State.OPEN and self._watching == CLOSING:
                until = self._last_read + _PAUSE_S
                if now < until:
                    return until
                self._watch(READ)
            self._pause.is_planned = False
            return NEVER
        finally:
            self._owner.leave()

    def _drop_socket(self) -> None:
        opened, self._socket = self._socket, None
        self._owner.forget()
        self._watching = 0
        if opened is not None:
            self._thread.forget(opened.fileno())
            opened.close()


class Pause:
    """Ends the pause in which the I/O thread does not wait for a connection's socket.

    Has a clock of its own in the I/O thread, since the connection's would ask a leader to hand over.

    Attributes:
        is_planned: It will look whether the pause is over; belongs to whoever holds the connection.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self.is_planned = False

    def begin(self) -> None:
        """See to it that `Link.resume` is called; from the leader, once it has nothing more to do."""
        self.is_planned = True
        self._link._thread.post(self._plan, None)

    def _plan(self, _: None) -> None:
        thread = self._link._thread
        thread.tick_at(self, self._link._clock() + _PAUSE_S)

    def tick(self, now: float) -> float:
        """Look whether somebody has led meanwhile; see `Handler.tick`."""
        return self._link.resume(now)

    def on_ready(self, events: int) -> None:
        """Be never called: it has no socket."""

    def flush(self) -> None:
        """Be never called: it queues nothing."""
