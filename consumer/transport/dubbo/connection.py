"""One TCP connection that speaks the dubbo protocol: connects when it is first needed, and again after it is lost.

Everything but `post`, `post_cancel` and the attributes read by `repr` happens on the I/O thread.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Any

from ...deadline import Clock
from ...errors import ConnectFailed, ConnectionLost, ConsumerClosed, LimitExceeded, RpcError
from ...provider import Provider
from ...wire.events import (
    BadEvent,
    BadResponse,
    Broken,
    Heartbeat,
    HeartbeatAnswer,
    ReadOnly,
    Response,
    Writable,
)
from ...wire.header import heartbeat_answer_frame, heartbeat_frame
from ...wire.reader import FrameReader
from .call import Call
from .io_thread import IoThread
from .outbox import Outbox
from .poller import READ, WRITE
from .resolve import Address, resolve

_LOG = logging.getLogger("callahead.consumer.dubbo")
_READ_BYTES = 256 * 1024
_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 5.0
_IDLE_HEARTBEATS = 3
_NEVER = float("inf")
_HEARTBEAT_IDS = itertools.count(-1, -1)  # no call has a negative id


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """How a connection behaves; connections of equal settings to one address are shared.

    Attributes:
        connect_timeout: Longest time of one connection attempt, TLS handshake included, in seconds.
        heartbeat: Seconds without a byte from the peer after which it is asked for a sign of life; 0 for never. After
            three times as long the connection counts as lost.
        max_queued_requests: Most requests that wait to be written.
        max_queued_bytes: Most bytes of them.
        max_body_bytes: Largest answer.
        max_body_setting: What the user can change if an answer is larger.
        own: 0 for a shared connection, else a number that no other has.
    """

    connect_timeout: float
    heartbeat: float
    max_queued_requests: int
    max_queued_bytes: int
    max_body_bytes: int
    max_body_setting: str
    own: int = 0


class State(Enum):
    """Where a connection stands."""

    IDLE = "idle"
    RESOLVING = "resolving"
    CONNECTING = "connecting"
    HANDSHAKING = "handshaking"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(slots=True)
class Counters:
    """What happened on a connection that no call tells of.

    Attributes:
        unknown_answers: Answers to no running call: late, duplicate or made up; they reach nobody.
        bad_events: Events that mean nothing.
        connects: Times that a connection came about.
    """

    unknown_answers: int = 0
    bad_events: int = 0
    connects: int = 0


class Connection:
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
        self.address = address
        self.settings = settings
        self.users: set[Provider] = set()
        self.counters = Counters()
        self.state = State.IDLE
        self._thread = thread
        self._clock = clock
        self._tls = tls
        self._random = Random() if random is None else random  # noqa: S311 - it spreads reconnects
        self._running: dict[int, Call] = {}
        self._expiring: dict[float, deque[Call]] = {}
        self._draining = False
        self._failures = 0
        self._retry_at = 0.0
        self._last_error = ""
        self._socket: socket.socket | None = None
        self._addresses: list[Address] = []
        self._connect_by = _NEVER
        self._reset()

    def _reset(self) -> None:
        self._outbox = Outbox()
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

    # -- calls ------------------------------------------------------------------------------------------------------

    def _accept(self, call: Call) -> None:
        refusal = self._refuse(call)
        if refusal is not None:
            call.fail(refusal)
            return
        frame, call.frame = call.frame, None
        assert frame is not None
        call.number = self._outbox.put(frame)
        if call.wants_written:
            self._outbox.watch(call)
        self._running[call.id] = call
        expiring = self._expiring.get(call.timeout)
        if expiring is None:
            expiring = self._expiring[call.timeout] = deque()
        if not expiring:
            self._thread.tick_at(self, call.expires)
        expiring.append(call)
        if self.state is State.OPEN:
            self._flush_soon()
        elif self.state is State.IDLE:
            self._connect()

    def _refuse(self, call: Call) -> RpcError | None:
        if self.state is State.CLOSED:
            return ConsumerClosed("the connection was closed before the call", not_sent=True)
        outbox, settings = self._outbox, self.settings
        if outbox.count >= settings.max_queued_requests:
            text = f"{outbox.count} requests wait to be written to {self.name}, the most that max_queued_requests allows"
            return LimitExceeded(text, not_sent=True)
        size = len(call.frame or b"")
        if outbox.size + size > settings.max_queued_bytes and outbox.size:
            text = f"{outbox.size} bytes wait to be written to {self.name}, and {size} more would pass the"
            return LimitExceeded(f"{text} {settings.max_queued_bytes} that max_queued_bytes allows", not_sent=True)
        if self.state is State.IDLE and self._clock() < self._retry_at:
            wait = (self._retry_at - self._clock()) * 1000
            text = f"no connection: {self._last_error}; the next attempt is made in {wait:.0f} ms"
            return ConnectFailed(text, not_sent=True)
        return None

    def _cancel(self, call: Call) -> None:
        if self._running.pop(call.id, None) is None:
            return
        if call.number > self._outbox.begun:
            self._outbox.drop(call.number)
        call.be_cancelled()
        self._close_if_drained()

    def _fail_all(self, make: Callable[[bool], RpcError]) -> None:
        """End every running call; *make* gets whether a byte of its request may have left."""
        running, self._running = self._running, {}
        self._expiring = {}
        begun = self._outbox.begun
        self._reset()
        for call in running.values():
            call.fail(make(call.number <= begun))

    def tick(self, now: float) -> float:
        """End what is due; see `Served.tick`."""
        earliest = _NEVER
        for timeout, expiring in list(self._expiring.items()):
            while expiring and (expiring[0].ended or expiring[0].expires <= now):
                self._expire(expiring.popleft())
            if expiring:
                earliest = min(earliest, expiring[0].expires)
            else:
                del self._expiring[timeout]
        if self._connect_by <= now:
            text = f"no connection within {self.settings.connect_timeout * 1000:.0f} ms (connect_timeout)"
            self._connect_failed(text)
        elif self.state is State.OPEN:
            earliest = min(earliest, self._keep_alive(now))
        self._close_if_drained()
        return min(earliest, self._connect_by)

    def _expire(self, call: Call) -> None:
        if call.ended or self._running.pop(call.id, None) is None:
            return
        not_sent = call.number > self._outbox.begun
        if not_sent:
            self._outbox.drop(call.number)
        why = "" if self.state is State.OPEN else f"; the connection is {self.state.value}"
        call.time_out(not_sent=not_sent, why=why)

    def _trim(self) -> None:
        """Let go of ended calls that wait for a deadline; they end nearly in order, so this is cheap."""
        for expiring in self._expiring.values():
            while expiring and expiring[0].ended:
                expiring.popleft()

    # -- connecting -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self.state = State.RESOLVING
        self._connect_by = self._clock() + self.settings.connect_timeout
        self._thread.tick_at(self, self._connect_by)
        resolve(self.address, lambda found: self._thread.post(self._resolved, found))

    def _resolved(self, found: list[Address] | OSError) -> None:
        if self.state is not State.RESOLVING:
            return
        if isinstance(found, OSError):
            self._connect_failed(f"{self.address[0]} cannot be resolved: {found.strerror or found}")
            return
        self._addresses = found
        self._connect_next("no address")

    def _connect_next(self, problem: str) -> None:
        if not self._addresses:
            self._connect_failed(problem)
            return
        family, address = self._addresses.pop(0)
        self.state = State.CONNECTING
        opened = self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread.serve(opened.fileno(), self)
        code = opened.connect_ex(address)
        if code in (0, errno.EINPROGRESS):
            self._watch(WRITE)
        else:
            self._drop_socket()
            self._connect_next(os.strerror(code))

    def _connected(self) -> None:
        assert self._socket is not None
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._drop_socket()
            self._connect_next(os.strerror(code))
            return
        if self._tls is None:
            self._opened()
            return
        context, server_name = self._tls
        self.state = State.HANDSHAKING
        self._socket = context.wrap_socket(self._socket, server_hostname=server_name, do_handshake_on_connect=False)
        self._handshake()

    def _handshake(self) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
        except (ssl.SSLError, OSError) as error:
            self._connect_failed(f"the TLS handshake failed: {error}")
        else:
            self._opened()

    def _opened(self) -> None:
        now = self._clock()
        self.state = State.OPEN
        self._connect_by = _NEVER
        self._failures = 0
        self._last_read = self._heartbeat_sent = now
        self.counters.connects += 1
        if self.settings.heartbeat:
            self._thread.tick_at(self, now + self.settings.heartbeat)
        self._watch(READ)
        self.flush()

    def _connect_failed(self, problem: str) -> None:
        self._drop_socket()
        self.state = State.IDLE
        self._connect_by = _NEVER
        self._failures += 1
        self._last_error = problem
        longest = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** min(self._failures - 1, 10))
        self._retry_at = self._clock() + longest * (0.5 + self._random.random() / 2)
        self._fail_all(lambda _: ConnectFailed(f"no connection: {problem}", not_sent=True))

    # -- writing and reading ----------------------------------------------------------------------------------------

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._thread.flush_later(self)

    def flush(self) -> None:
        """Write as much as the kernel takes; see `Served.flush`."""
        self._flushing = False
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
                outbox.attempt()
                self._lost(f"writing failed: {error.strerror or error}")
                return
            for call in outbox.advance(taken):
                self._tell_written(call)
        self._watch(READ)

    def _tell_written(self, call: Call) -> None:
        if not call.two_way:
            self._running.pop(call.id, None)
        call.written()

    def on_ready(self, events: int) -> None:
        """Read, write or go on connecting; see `Served.on_ready`."""
        if self.state is State.CONNECTING:
            self._connected()
        elif self.state is State.HANDSHAKING:
            self._handshake()
        elif self.state is State.OPEN:
            if events & WRITE:
                self.flush()
            if events & READ and self.state is State.OPEN:
                self._read()

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_READ_BYTES)
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
        while self.state is State.OPEN and isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            self._handle(self._socket.recv(_READ_BYTES))

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
        self._trim()
        self._close_if_drained()

    def _handle_rare(self, event: Any) -> None:
        if isinstance(event, Heartbeat):
            if event.two_way:
                self._outbox.put(heartbeat_answer_frame(event.id))
                self._flush_soon()
        elif isinstance(event, BadResponse):
            call = self._running.pop(event.id, None)
            if call is None:
                self.counters.unknown_answers += 1
            else:
                call.fail(event.error)
        elif isinstance(event, ReadOnly | Writable):
            self._set_read_only(isinstance(event, ReadOnly))
        elif isinstance(event, Broken):
            self._lost(event.error.message)
        elif isinstance(event, BadEvent):
            self.counters.bad_events += 1
            _LOG.warning("%s: %s", self.name, event.error.message)
        elif not isinstance(event, HeartbeatAnswer):
            _LOG.warning("%s sent a request, which a consumer does not answer", self.name)

    def _keep_alive(self, now: float) -> float:
        heartbeat = self.settings.heartbeat
        if not heartbeat:
            return _NEVER
        silent = now - self._last_read
        if silent >= heartbeat * _IDLE_HEARTBEATS:
            self._lost(f"nothing came for {silent:.0f} s, {_IDLE_HEARTBEATS} heartbeats of {heartbeat:.0f} s")
            return _NEVER
        if silent >= heartbeat and now - self._heartbeat_sent >= heartbeat:
            self._heartbeat_sent = now
            self._outbox.put(heartbeat_frame(next(_HEARTBEAT_IDS)))
            self._flush_soon()
        return max(self._last_read, self._heartbeat_sent) + heartbeat

    def _set_read_only(self, value: bool) -> None:
        for provider in list(self.users):
            provider.set_read_only(value)

    def _lost(self, problem: str) -> None:
        _LOG.info("the connection to %s is lost: %s", self.name, problem)
        self._drop_socket()
        if self.state is not State.CLOSED:
            self.state = State.IDLE
        self._set_read_only(False)
        self._fail_all(
            lambda begun: ConnectionLost(f"the connection broke: {problem}", not_sent=not begun, in_doubt=begun)
        )

    # -- ending -----------------------------------------------------------------------------------------------------

    def drain(self, _: None = None) -> None:
        """Close the connection once its last running call has ended."""
        self._draining = True
        self._close_if_drained()

    def _close_if_drained(self) -> None:
        if self._draining and not self._running:
            self.close()

    def close(self, _: None = None) -> None:
        """Close the connection now; running calls end as `ConsumerClosed`."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._drop_socket()
        self._thread.tick_never(self)
        self._fail_all(
            lambda begun: ConsumerClosed("the connection was closed under the call", not_sent=not begun, in_doubt=begun)
        )

    def _watch(self, events: int) -> None:
        if events != self._watching:
            assert self._socket is not None
            self._watching = events
            assert self._thread.poller is not None
            self._thread.poller.watch(self._socket.fileno(), events)

    def _drop_socket(self) -> None:
        opened, self._socket = self._socket, None
        self._watching = 0
        if opened is not None:
            self._thread.forget(opened.fileno())
            opened.close()

    def after_fork(self) -> None:
        """Close this process' copy of the parent's socket, and forget the parent's calls."""
        if self._socket is not None:
            socket.socket(fileno=self._socket.detach()).close()
        self._socket = None
        self.state = State.IDLE
        self._running = {}
        self._expiring = {}
        self._connect_by = _NEVER
        self._reset()

    @property
    def name(self) -> str:
        """``host:port``."""
        return f"{self.address[0]}:{self.address[1]}"

    def __repr__(self) -> str:
        return f"<Connection {self.name} {self.state.value}, {len(self._running)} calls, {self._outbox.count} queued>"

