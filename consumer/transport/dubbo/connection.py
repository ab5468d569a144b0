"""One TCP connection that speaks the dubbo protocol: connects when it is first needed, and again after it is lost.

Its state belongs to whoever holds its `Ownership`: mostly the I/O thread, whose every entry takes it, and while a
blocking call is made on an idle connection the calling thread, which then leads (see `Connection.lead`).
"""

from __future__ import annotations

import itertools
import logging
import socket
import ssl
from collections import deque
from random import Random

from ...deadline import Clock
from ...errors import ConnectFailed, ConnectionLost, ConsumerClosed, RpcError
from ...wire.header import heartbeat_frame
from ..tcp.backoff import Backoff
from ..tcp.dial import Dial
from ..tcp.io_thread import NEVER, IoThread
from ..tcp.poller import CLOSING, READ
from .call import Call
from .link import Link, Pause, State
from .settings import ConnectionSettings

_LOG = logging.getLogger("callahead.consumer.dubbo")
_LED_READ_BYTES = 16 * 1024
_IDLE_HEARTBEATS = 3
_STOPPING_S = 2.0
_HEARTBEAT_IDS = itertools.count(-1, -1)  # no call has a negative id


class Connection(Link):
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
        super().__init__(address, settings, thread, clock, tls=tls is not None)
        self._tls = tls
        self._dial: Dial | None = None
        self._dial_by = NEVER
        self._draining = False
        self._backoff = Backoff(Random() if random is None else random)  # noqa: S311 - it spreads reconnects
        self._posted: deque[Call] = deque()
        self._is_posted = False

    def _forget_all(self) -> None:
        super()._forget_all()
        self._heartbeat_sent = 0.0

    # -- from any thread --------------------------------------------------------------------------------------------

    def post(self, call: Call) -> None:
        """Hand *call* to the I/O thread."""
        self._posted.append(call)
        if not self._is_posted:
            self._is_posted = True
            self._thread.post(self._accept_posted, None)

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
        if self.state is not State.OPEN or self._running or self._is_tls or not owner.take():
            return False
        try:
            is_idle = self.state is State.OPEN and not self._running and not self._outbox.count
            if not is_idle or not owner.is_ready or owner.deferred:
                return False
            is_over = self._lead(call)
        finally:
            owner.leave()
        if is_over:  # told only now: its stages may take long, or call again over this very connection
            call.hand_out()
        return True

    def _lead(self, call: Call) -> bool:
        self._is_led = True
        if self._watching != CLOSING:  # before the answer can come, which would wake the I/O thread
            self._watch(CLOSING)
        call.is_held = True
        try:
            self._send_now(call)
            if not self._outbox.count:
                while not call.ended and self._owner.wait(call.expires - self._clock()):
                    self._read(_LED_READ_BYTES)
        except BaseException as error:  # Ctrl-C: the call ends here, with all its stages
            self._running.pop(call.id, None)
            self._outbox.drop(call.number)
            call.fail(error)
        self._end_leading()
        is_over = call.ended
        if not is_over:
            call.hand_out()
            call.be_stoppable()
        if not is_over or self._outbox.count:
            self._thread.post(self._adopt, call)
        return is_over

    # -- calls ------------------------------------------------------------------------------------------------------

    def _accept_posted(self, _: None) -> None:
        if not self._owner.enter(self._accept_posted, None):
            return
        # Before the calls are taken: what is posted after this line is posted anew.
        self._is_posted = False
        try:
            posted = self._posted
            for _call in range(len(posted)):
                self._accept(posted.popleft())
            if self._outbox.count and self.state is State.OPEN:
                self._flush_soon()
        finally:
            self._owner.leave()

    def _accept(self, call: Call) -> None:
        is_usual = self.state is State.OPEN and not call.is_cancelled
        refusal = self._refuse_if_full(call) if is_usual else self._refuse(call)
        if refusal is not None:
            call.fail(refusal)
            return
        self._enqueue(call)
        if call.expires < self._next_expiry:
            self._expire_from(call.expires)
        if self.state is State.IDLE:
            self._connect()

    def _adopt(self, call: Call) -> None:
        """Take over a call that its leader could not finish."""
        if not self._owner.enter(self._adopt, call):
            return
        if not call.ended:
            self._expire_from(min(call.expires, self._next_expiry))
        if self._outbox.count:
            self._flush_soon()
        self._owner.leave()

    def _expire_from(self, when: float) -> None:
        self._next_expiry = when
        self._thread.tick_at(self, max(when, self._next_look))

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
        """End what is due; see `Handler.tick`."""
        if not self._owner.enter(self._tick_now, None):
            return NEVER
        try:
            expiry = self._expire(now, "" if self.state is State.OPEN else f"; the connection is {self.state.value}")
            if self._dial is not None and self._dial_by <= now:
                stage = self._dial.stage
                self._dial.abandon()
                limit = f"{self.settings.connect_timeout * 1000:.0f} ms (connect_timeout)"
                self._give_up_dialling(f"not within {limit}, {stage}")
            heartbeat = self._keep_alive(now) if self.state is State.OPEN else NEVER
            self._close_if_drained()
            if self.state is State.CLOSED:
                return NEVER
            return min(expiry, self._dial_by, heartbeat)
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

    # -- heartbeats --------------------------------------------------------------------------------------------------

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

    def after_fork(self) -> None:
        """Close this process' copies of the parent's sockets, and forget the parent's calls."""
        if self._socket is not None:
            socket.close(self._socket.detach())  # without a word to the peer, which TLS would say
        if self._dial is not None:
            self._dial.abandon()
        self._socket, self._dial, self._dial_by = None, None, NEVER
        self._owner.after_fork()
        self._pause = Pause(self)
        self._posted.clear()
        self._is_posted = False
        self._forget_all()
        if self.state is not State.CLOSED:
            self.state = State.IDLE

    def __repr__(self) -> str:
        return f"<Connection {self.name} {self.state.value}, {len(self._running)} calls, {self._outbox.count} queued>"
