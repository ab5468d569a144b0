"""The way to one address: a session at a time, and a new one before the old one has ended.

A session that the peer is about to end, or that has run out of streams, goes on until its calls have ended, while the
next one takes new calls, and those of the old one that the peer has not looked at.

The state belongs to the I/O thread alone; that of each session to whoever holds it.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from random import Random

from ....call.provider import Provider
from ....errors import ConnectionLost, ConsumerClosed, TransportError
from ....runtime.callbacks import CallbackExecutor
from ....runtime.deadline import Clock
from ...api import ConnectionCounts
from ...tcp.connecting import Connecting
from ...tcp.counters import Counters
from ...tcp.destination import Destination
from ...tcp.io_thread import IoThread
from ...tcp.loss import being_made, not_connected
from ...tcp.posted import Posted
from ...tcp.redial import Redial
from ...trouble import Trouble
from .call import KEPT_BYTES, Fed, StreamCall
from .connectivity import Connectivity, Tell
from .session import Hears, Session
from .settings import ConnectionSettings
from .state import State

_LOG = logging.getLogger("callahead.consumer.tri")
_MOST_IN_VAIN = 3
_WHERE = ("protocol", "urls")


class Connection:
    """All sessions with one address, of which one takes new calls.

    Attributes:
        name: ``host:port``.
        providers: Those that share it, one for each reference.
        counters: What happened that no call tells of.
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
        self.counters = Counters()
        self._settings = settings
        self._thread = thread
        self._clock = clock
        self._callbacks = callbacks
        self._session: Session | None = None
        self._needs_dial = True
        self._connectivity = Connectivity()
        self._trouble = Trouble("")
        self._old: list[Session] = []
        self._is_closed = self._is_draining = False
        self._due = 0.0
        self._in_vain = 0
        self._connecting = Connecting(
            destination, settings.connect_timeout, thread, clock, random,
            opened=self._opened, failed=self._not_opened,
        )  # fmt: skip
        self._redial = Redial(self.providers, self._dial_again, thread, clock, random)
        self._hears = Hears(
            self._why_none, opened=self._session_opened, leaves=self._session_leaves,
            ended=self._session_ended,
        )  # fmt: skip
        self._posted: Posted[StreamCall] = Posted(self, settings.room, self.name, thread, self._accept_posted)
        self.post = self._posted.post

    # -- from any thread --------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes that the requests of running calls hold."""
        session = self._session
        return 0 if session is None else session.streams.size

    @property
    def closed(self) -> bool:
        """It takes no call any more."""
        return self._is_closed

    def lead(self, call: StreamCall) -> bool:
        """Carry *call* on the calling thread, where that can be; see `Leading.lead`."""
        session = self._session
        return session is not None and call.can_be_led and session.lead(call)

    def post_cancel(self, call: StreamCall) -> None:
        """Let the I/O thread stop *call*."""
        self._thread.end(self._cancel, call)

    def _cancel(self, call: StreamCall) -> None:
        session = call.session
        if session is not None:
            session.cancel(call)

    def tell_written(self, call: StreamCall) -> None:
        """Tell *call* when its request is written: here where it is, else on the I/O thread."""
        session = call.session
        if session is not None and session.streams.is_written(call):
            call.written()
        else:
            self._thread.end(self._watch, call)

    def _watch(self, call: StreamCall) -> None:
        session = call.session
        if session is not None:
            session.watch(call)

    def feed(self, call: StreamCall, message: bytes | None) -> None:
        """Let *call* send one more message, or where that is None no more."""
        self._thread.post(self._feed, (call, message))

    def _feed(self, fed: Fed) -> None:
        call, message = fed
        session = call.session
        if session is not None:
            session.feed(fed)
        elif call.body is not None and not call.ended:  # else it is about to be given up
            call.feed(message)

    def give_up(self, call: StreamCall, error: BaseException) -> None:
        """Let the I/O thread end *call* with *error*."""
        self._thread.end(self._give_up, (call, error))

    def _give_up(self, given: tuple[StreamCall, BaseException]) -> None:
        call, error = given
        session = call.session
        if session is None:
            call.fail(error)
        else:
            session.give_up(given)

    def read_on(self, call: StreamCall) -> None:
        """Let the peer of *call* send more, of which some was read."""
        self._thread.end(self._read_on, call)

    def _read_on(self, call: StreamCall) -> None:
        session = call.session
        if session is not None:
            session.read_on(call)

    def serve(self, provider: Provider) -> None:
        """Be shared by *provider*, which has nothing to hear: what leaves takes no new call, whoever makes it."""

    def watch(self, tell: Tell, *, connect: bool) -> None:
        """Let *tell* hear of the state from now on, and with *connect* dial where that is due.

        Raises:
            ConnectFailed: The I/O thread cannot be started.
        """
        self._thread.post(self._begin_telling, (tell, connect))

    def _begin_telling(self, asked: tuple[Tell, bool]) -> None:
        tell, connect = asked
        self._connectivity.add(tell)
        if connect and self._connecting.refusal() is None:
            self._dial_again()

    def unwatch(self, tell: Tell) -> None:
        """Let *tell* hear no more."""
        self._thread.end(self._connectivity.remove, tell)

    def counts(self) -> ConnectionCounts:
        """Return what happened."""
        counters, session = self.counters, self._session
        return ConnectionCounts(
            endpoint=f"tri://{self.name}",
            is_open=session is not None and session.streams.is_open,
            connects=counters.connects,
            unknown_answers=counters.unknown_answers,
            bad_events=counters.bad_events,
        )

    # -- calls ------------------------------------------------------------------------------------------------------

    def _accept_posted(self, _: None) -> None:
        session, calls = self._session, list(self._posted.take())
        if session is None or self._is_closed:
            self._accept(calls)
        else:  # one that was given up meanwhile is stopped by what was posted behind it
            session.accept(calls)

    def _accept(self, calls: Sequence[StreamCall]) -> None:
        wanted = [call for call in calls if not self._is_refused(call)]
        if not wanted:
            return
        if self._needs_dial and self._connecting.refusal() is None:
            self._dial()
        self._made().accept(wanted)

    def _is_refused(self, call: StreamCall) -> bool:
        error = self._refusal(call)
        if error is not None:
            call.fail(error)
        return error is not None

    def _refusal(self, call: StreamCall) -> BaseException | None:
        if call.is_cancelled:
            return CancelledError()
        if self._is_closed or (self._is_draining and self._needs_dial):
            if self._is_draining:
                return ConnectionLost("the provider has left the registry before the request was sent", not_sent=True)
            return ConsumerClosed("the connection was closed before the call", not_sent=True)
        trouble = self._connecting.refusal() if self._needs_dial else None
        return None if trouble is None or call.is_patient else not_connected(trouble, call)

    # -- sessions ---------------------------------------------------------------------------------------------------

    def sessions(self) -> list[Session]:
        """List all that have not ended, the one that takes new calls last."""
        return [*self._old, *([self._session] if self._session is not None else [])]

    def _made(self) -> Session:
        """Return the session that takes new calls, where there is none one that waits to be dialled."""
        if self._session is None:
            more = (self._settings, self._thread, self._clock, self._callbacks, self.counters, self._hears)
            self._session = Session(self.name, *more)
        return self._session

    def _lose(self, *, failed: bool) -> None:
        """Have no session for new calls until the next dial, which comes by itself or with a call."""
        self._session, self._needs_dial = None, True
        self._connectivity.become("TRANSIENT_FAILURE" if failed else "IDLE")
        self._redial.begin()

    def _dial_again(self) -> None:
        if self._needs_dial and not self._is_closed:
            self._dial(is_for_calls=False)

    def _dial(self, *, is_for_calls: bool = True) -> None:
        self._made()
        self._needs_dial = False
        self._connectivity.become("CONNECTING")
        self._due = self._clock() + self._settings.connect_timeout
        self._connecting.begin(is_for_calls=is_for_calls)

    def _opened(self, opened: socket.socket) -> None:
        assert self._session is not None
        self._session.greet(opened, self._due)

    def _not_opened(self, trouble: Trouble) -> None:
        session, self._trouble = self._session, trouble
        self._lose(failed=True)
        if session is not None:
            session.fail(trouble)

    def _why_none(self) -> Trouble:
        """Say why the session that takes new calls has no connection."""
        if not self._needs_dial:
            return being_made(State.DIALLING.value, self._connecting.stage)
        return Trouble(f"; there is no connection: {self._trouble.text}", self._trouble.about)

    def _session_opened(self, session: Session) -> None:
        del session
        self.counters.connects += 1
        self._connectivity.become("READY")
        if not self._in_vain:
            self._connecting.proved()
        self._redial.opened()

    def _session_leaves(self, session: Session, calls: list[StreamCall]) -> None:
        if session.keepalive > self._settings.keepalive:
            self._ask_less_often(session.keepalive)
        if self._session is session:
            self._lose(failed=False)
            self._old.append(session)
            if self._is_draining:
                session.drain()
            self._judge(is_vain=bool(calls) and not session.was_of_use, text="before it looks at a call")
        again = [call for call in calls if not call.ended and not self._is_given_up(call, session)]
        if again:
            self._accept(again)

    def _ask_less_often(self, keepalive: float) -> None:
        self._settings = replace(self._settings, keepalive=keepalive)
        _LOG.warning("%s allows fewer pings: keepalive is %g s from now on", self.name, keepalive)

    def _judge(self, *, is_vain: bool, text: str) -> None:
        """Wait before the next attempt, ever longer, where one session after the other was in vain."""
        self._in_vain = self._in_vain + 1 if is_vain else 0
        if not is_vain:
            self._connecting.proved()
        elif self._in_vain >= _MOST_IN_VAIN:
            self._connecting.turned_away(Trouble(f"the provider ends each connection {text}", _WHERE))

    def _is_given_up(self, call: StreamCall, session: Session) -> bool:
        """End a call that cannot be sent again, or was twice where the peer looked at none; it has not looked at it.

        Nor is one sent again that may be why the peer has ended the connection, with all the others that it has.
        """
        if not call.was_sent:
            return False
        if call.can_be_moved and call is not session.suspect and (session.was_of_use or not call.was_moved):
            call.was_moved = call.was_moved or not session.was_of_use
            return False
        text = self._why_given_up(call, session)
        error = TransportError(text, not_sent=True, status="UNAVAILABLE")
        error.status_text = text
        call.fail(error)
        return True

    def _why_given_up(self, call: StreamCall, session: Session) -> str:
        reason = session.goodbyes.reason
        if call is session.suspect and reason is not None:
            said, size = reason.text, call.frame.headers
            return f"{said} before it looked at this call, perhaps because of its metadata of {size} bytes"
        text = "the provider ended the connection before it looked at the call"
        return text if call.can_be_moved else text + self._why_not_moved()

    def _why_not_moved(self) -> str:
        all_hold = f"all calls hold {self._settings.room.copies}, half of max_queued_bytes"
        most = f"{KEPT_BYTES} bytes of one are kept at most, and none where {all_hold}"
        return f"; those of its requests that have left cannot be sent again: {most}"

    def _session_ended(self, session: Session, trouble: Trouble | None, patient: Sequence[StreamCall]) -> None:
        if self._session is session:
            self._lose(failed=trouble is not None)
            if trouble is None and session.streams.opened > 0:
                self._judge(is_vain=session.was_in_vain, text="before it answers a call")
        elif session in self._old:
            self._old.remove(session)
        if trouble is not None:
            _LOG.info("no connection to %s came about: %s", self.name, trouble.text)
            self._connecting.turned_away(trouble)
            self._trouble = trouble
        wanted = [call for call in patient if not self._is_refused(call)]
        if wanted:
            self._made().accept(wanted)
        if self._is_draining and self._session is None and not self._old:
            self._close()

    # -- ending -----------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Let the I/O thread close the connection once its last running call has ended; from any thread."""
        self._thread.end(self._drain, None)

    def _drain(self, _: None) -> None:
        self._is_draining = True
        if self._session is not None and self._needs_dial:
            self._not_opened(Trouble("the provider has left the registry"))
        elif self._session is not None:
            self._session.drain()
        elif not self._old:
            self._close()

    def close(self) -> None:
        """Let the I/O thread close the connection; running calls end as `ConsumerClosed`; from any thread."""
        self._thread.end(self._close_now, None)

    def _close_now(self, _: None) -> None:
        self._close()

    def _close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._connectivity.become("SHUTDOWN")
        self._connecting.abandon()
        self._redial.stop()
        for session in self.sessions():
            session.close()

    def after_fork(self) -> None:
        """Close this process' copies of the parent's sockets, and forget the parent's calls."""
        for session in self.sessions():
            session.after_fork()
        self._session, self._needs_dial, self._old = None, True, []
        self._connectivity = Connectivity()  # who had subscribed did so in the parent
        self._connecting.abandon()
        self._posted.clear()

    def __repr__(self) -> str:
        return f"<Connection {self.name} {self._session}, {len(self._old)} older ones>"
