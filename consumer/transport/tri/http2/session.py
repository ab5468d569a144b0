"""One connection of HTTP/2, from the moment that it is wanted until its socket is closed.

Its state belongs to whoever holds its `Ownership`: mostly the I/O thread, and while a blocking call is made on an idle
session the calling thread (see `Leading`). A session that is about to end tells so on the I/O thread, and takes nothing
new.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any, Final

from ....runtime.callbacks import CallbackExecutor
from ....runtime.deadline import Clock
from ....wire.http2.events import Broken, GoAway, PingAnswer, Settings
from ....wire.http2.frames import LARGEST_STREAM, goaway_frame
from ...tcp.counters import Counters
from ...tcp.io_thread import NEVER, IoThread
from ...tcp.leading import Leading
from ...tcp.loss import being_made, broken, closed, not_connected, wordless
from ...tcp.outbox import Outbox
from ...tcp.ownership import Ownership
from ...tcp.pace import Pace
from ...tcp.poller import READ, WRITE
from ...tcp.stream import Stream
from ...trouble import Trouble
from .call import Fed, StreamCall
from .goodbye import Goodbyes
from .greeting import greeting
from .inbox import Inbox
from .keepalive import KeepAlive
from .replies import Replies
from .settings import ConnectionSettings
from .state import State
from .streams import Streams

_READ_BYTES: Final = 64 * 1024
_WHERE: Final = ("ssl", "protocol", "urls")
_LIMITS: Final = {"frame": ("max_frame_bytes",), "headers": ("max_metadata_bytes",)}
"""The settings that decide what is read of a peer."""


@dataclass(frozen=True, slots=True)
class Hears:
    """Whom a session tells of itself, always on the I/O thread.

    Attributes:
        stage: Tells what calls wait for that no dial has brought a connection yet.
        opened: It is open.
        leaves: It takes no call any more; with those that the peer has not looked at.
        ended: It is over; with why it never came about, or None where it had, and the calls that wait for the next one.
    """

    stage: Callable[[], Trouble]
    opened: Callable[[Session], None]
    leaves: Callable[[Session, list[StreamCall]], None]
    ended: Callable[[Session, Trouble | None, Sequence[StreamCall]], None]


class Session:
    """One session with one peer, with its calls.

    Args:
        name: ``host:port``.
        settings: Of the connection.
        thread: Serves the socket.
        clock: Tells when calls time out.
        callbacks: Reads large answers.
        counters: Of the connection.
        hears: Is told of what becomes of it.

    Attributes:
        state: Where it stands.
        streams: Its calls.
        was_of_use: The peer has looked at a call, as far as it says when it leaves.
        goodbyes: What the peer has said of its end.
        lead: Carries a call on the calling thread, where that can be; see `Leading.lead`.
    """

    def __init__(
        self,
        name: str,
        settings: ConnectionSettings,
        thread: IoThread,
        clock: Clock,
        callbacks: CallbackExecutor,
        counters: Counters,
        hears: Hears,
    ) -> None:
        self.name = name
        self.state = State.DIALLING
        self.was_of_use = True
        self._settings = settings
        self._thread = thread
        self._clock = clock
        self._hears = hears
        self._owner = Ownership(thread)
        self._outbox: Outbox[Any] = Outbox()
        self.streams = streams = Streams(self._outbox, settings.room, name)
        self._replies = Replies(self._outbox, lambda: self._stream.is_led)
        self._inbox = Inbox(
            streams, settings.limits, counters, callbacks,
            say=self._outbox.put, answer=self._replies.put, rare=self._hear,
        )  # fmt: skip
        self._stream: Stream[Any] = Stream(
            self._outbox,
            thread,
            clock,
            received=self._receive,
            written=methodcaller("written"),
            lost=self._lost,
            turned_away=self._turn_away,
            speaks="HTTP/2",
        )
        self._leading: Leading[StreamCall] = Leading(
            self._owner, self._stream, self._outbox, streams, thread, clock,
            send=self._send, give_up=self._give_up, adopt=self._adopt, rest=self._settle, is_late=self._replies.is_late,
        )  # fmt: skip
        self.lead = self._leading.lead
        self._pace = Pace(self._owner, self._stream, streams, thread, self._settle, _READ_BYTES)
        self._is_tls = False
        self._is_flushing = False
        self._drains = False
        self._fd = -1
        self._greet_until = NEVER
        self._keepalive = KeepAlive(settings.keepalive, settings.keepalive_timeout)
        self.goodbyes = Goodbyes(self._keepalive)

    @property
    def was_in_vain(self) -> bool:
        """It had calls, and none of them was answered."""
        return self.streams.opened > 0 and not self._inbox.was_answered

    @property
    def keepalive(self) -> float:
        """Seconds of silence before its peer is asked for a sign of life: as set, or as that has taught it."""
        return self._keepalive.idle

    # -- calls ------------------------------------------------------------------------------------------------------

    def accept(self, calls: list[StreamCall]) -> None:
        """Let *calls* run here; on the I/O thread. Those that come too late are given back."""
        if not self._owner.enter(self._accept_late, calls):
            return
        try:
            if self.state in (State.LEAVING, State.ENDED):
                self._thread.post(self._give_back, calls)
                return
            streams, expiry = self.streams, self.streams.expiry
            for call in calls:
                call.session = self
                if (refusal := streams.put(call)) is not None:
                    call.fail(refusal)
                elif call.expires < expiry.next:
                    self._thread.tick_at(self, expiry.expect(call.expires))
            self._settle()
        finally:
            self._owner.leave()

    def _accept_late(self, calls: list[StreamCall]) -> None:
        """Accept those of *calls* that were not given up while another thread had the session."""
        for call in calls:
            if call.is_cancelled:
                call.be_cancelled()
        self.accept([call for call in calls if not call.ended])

    def _give_back(self, calls: list[StreamCall]) -> None:
        self._hears.leaves(self, calls)

    def _send(self, call: StreamCall) -> None:
        """Send a led call, which nearly always leaves whole."""
        call.session = self
        self.streams.size += call.size
        stream, replies = self._stream, self._replies
        is_due = replies.owed and replies.is_late(stream.last_read)
        self.streams.open(call, self._send_owed if is_due else stream.send)
        if self._outbox.count:
            stream.write()

    def _send_owed(self, frame: bytes) -> int:
        return self._stream.send(frame, self._replies.take(self._stream.last_read))

    def _give_up(self, call: StreamCall, error: BaseException) -> None:
        if not self.streams.give_up(call, error):
            call.fail(error)

    def _adopt(self, call: StreamCall) -> None:
        """Take over a call that its leader could not finish, or what it has left to be written."""
        self._owner.hold(self._adopt_now, call)

    def _adopt_now(self, call: StreamCall) -> None:
        if not call.ended:
            self._thread.tick_at(self, self.streams.expiry.expect(call.expires))
        self._settle()

    def give_up(self, given: tuple[StreamCall, BaseException]) -> None:
        """End a call with an error of this side, if it runs; on the I/O thread."""
        self._owner.hold(self._give_up_now, given)

    def _give_up_now(self, given: tuple[StreamCall, BaseException]) -> None:
        if self.streams.give_up(*given):
            self._settle()

    def cancel(self, call: StreamCall) -> None:
        """Stop *call*, if it runs; on the I/O thread."""
        self._owner.hold(self._cancel, call)

    def _cancel(self, call: StreamCall) -> None:
        if self.streams.cancel(call):
            self._settle()

    def watch(self, call: StreamCall) -> None:
        """Tell *call* when its request is written; on the I/O thread."""
        self._owner.hold(self.streams.watch, call)

    def feed(self, fed: Fed) -> None:
        """Let a call send more, or no more; on the I/O thread."""
        self._owner.hold(self._feed, fed)

    def _feed(self, fed: Fed) -> None:
        call, data = fed
        if not call.ended:
            call.feed(data)
        if self.streams.by_id.get(call.id) is call:
            self.streams.send(call)
            self._settle()

    def read_on(self, call: StreamCall) -> None:
        """Let the peer of *call* send more, of which some was read; on the I/O thread."""
        self._owner.hold(self._read_on, call)

    def _read_on(self, call: StreamCall) -> None:
        if self.streams.by_id.get(call.id) is call:
            self._inbox.open_window(call, 0)
            self._settle()

    # -- what goes out and comes in ---------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Do what follows from whatever has changed: let others go on, write, and end where nothing is left."""
        streams, outbox = self.streams, self._outbox
        if self._replies.owed and (streams.by_id or not self._stream.is_led):
            outbox.put(self._replies.take(self._stream.last_read))
        if streams.waiting or streams.sending:
            streams.begin_waiting()
        if streams.is_open and streams.opened >= LARGEST_STREAM:
            self._leave(LARGEST_STREAM)
        if outbox.count:
            self._write_soon()
        elif (self._drains or self.state is State.LEAVING) and not len(streams):
            if self._stream.is_led:  # its leader still waits here, until it has handed over
                self._owner.deferred.append((self._settle_later, None))
            else:
                self._end()

    def _settle_later(self, _: None) -> None:
        self._owner.hold(lambda _: self._settle(), None)

    def _write_soon(self) -> None:
        if self.state is State.ENDED:
            return
        if self._stream.is_led:
            self._stream.write()
            if self._outbox.count:  # the leader hands over, since only the I/O thread waits for room
                self._owner.deferred.append((self._flush_again, None))
        elif not self._is_flushing:
            self._is_flushing = True
            self._thread.flush_later(self)

    def flush(self) -> None:
        """Write what was queued; see `Flushable.flush`."""
        if not self._owner.enter(self._flush_again, None):
            return
        try:
            self._is_flushing = False
            self._stream.write()
            self._settle()
        finally:
            self._owner.leave()

    def _flush_again(self, _: None) -> None:
        self._thread.flush_later(self)

    def on_ready(self, events: int) -> None:
        """Read or write; see `Handler.on_ready`."""
        if not self._owner.take():
            return  # a leader reads for itself
        try:
            if events & WRITE:
                self._stream.write()
            if events & READ:
                self._pace.read()
            self._settle()
        finally:
            self._owner.leave()

    def _receive(self, data: bytes) -> None:
        self._inbox.take(data)
        if self._stream.is_led:
            self._settle()

    # -- time -------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> float:
        """End what is due; see `Timed.tick`."""
        if not self._owner.enter(self._tick_now, None):
            return NEVER
        try:
            self._pace.catch_up()
            expiry = self.streams.expire(now, self._why_waiting())
            sign = self._look_for_life(now)
            self._settle()
            return NEVER if self.state is State.ENDED else min(expiry, sign)
        finally:
            self._owner.leave()

    def _tick_now(self, _: None) -> None:
        self._thread.tick_at(self, self._clock())

    def _why_waiting(self) -> Trouble:
        """Say why calls may be waiting that have no stream."""
        if self.state is State.DIALLING:
            return self._hears.stage()
        if self.state is State.GREETING:
            return being_made(self.state.value, Trouble("as gRPC does at once", _WHERE))
        if self.streams.is_stuck:
            return Trouble("; the provider takes no more bytes until it has read what was sent")
        most = self.streams.peer.streams
        return Trouble(f"; the provider takes {most} calls at once" if len(self.streams.by_id) >= most else "")

    def _look_for_life(self, now: float) -> float:
        if self.state is State.GREETING:
            if now >= self._greet_until:
                within = f"{self._settings.connect_timeout * 1000:.0f} ms (connect_timeout)"
                self._lost(f"no word of HTTP/2 came within {within}")
            return self._greet_until
        if self.state is State.DIALLING:
            return NEVER
        is_busy, ask = bool(self.streams.by_id), self._outbox.put
        return self._keepalive.look(now, self._stream.last_read, is_busy=is_busy, ask=ask, lost=self._lost)

    # -- what the peer says of the connection -----------------------------------------------------------------------

    def _hear(self, event: Any) -> None:
        if isinstance(event, Settings):
            if self.state is State.GREETING:
                self._open()
        elif isinstance(event, GoAway):
            self._hear_goodbye(event)
        elif isinstance(event, Broken):
            self._outbox.put(goaway_frame(event.code, event.error.message))
            self._stream.write()
            self._lost(event.error.message, _LIMITS.get(event.passes, ()))
        elif isinstance(event, PingAnswer) and self._keepalive.answered():
            self._thread.post(self._tick_now, None)  # the next one may be due before the end of the patience

    def _open(self) -> None:
        self.state = State.OPEN
        self.streams.is_open = True
        self._owner.watch(self._fd)  # by TLS, too: `Stream.read` leaves nothing for which a leader would wait in vain
        if (first := self._keepalive.first(self._clock())) < NEVER:
            self._thread.tick_at(self, first)
        self._hears.opened(self)

    def _hear_goodbye(self, event: GoAway) -> None:
        self.goodbyes.hear(event)
        self._leave(event.last)

    def _leave(self, last: int) -> None:
        """Take nothing new, and give back the calls above stream *last*."""
        if self.state is State.GREETING:
            self._open()
        if self.state is State.ENDED:
            return
        self.state = State.LEAVING
        self.was_of_use = min(self.streams.opened, last) > 0
        left = self.streams.leave(last)
        self.goodbyes.blame(left)
        given_back = [call for call in left if call.begin_anew()]
        if self._stream.is_led:  # its call may be among them, which nobody else may touch before it hands over
            self._owner.deferred.append((self._give_back, given_back))
        else:
            self._thread.post(self._give_back, given_back)

    # -- from dialling to the end -----------------------------------------------------------------------------------

    def greet(self, opened: socket.socket, until: float) -> None:
        """Use *opened*, on which the peer is to say its first word *until* that monotonic second; on the I/O thread."""
        self.state = State.GREETING  # in which nobody leads, so that nothing is to be taken
        self._is_tls = isinstance(opened, ssl.SSLSocket)
        self._fd = opened.fileno()
        self._greet_until = until
        self._outbox.put(greeting(self._settings.limits))
        self._stream.open(opened, self)
        self._thread.tick_at(self, until)
        self._stream.write()

    def fail(self, trouble: Trouble) -> None:
        """End before there was a connection, because of *trouble*; on the I/O thread."""
        self._drop(None, self.streams.take_patient())
        self.streams.fail_all(lambda call, _: not_connected(trouble, call))

    def _turn_away(self, trouble: Trouble) -> None:
        """End, where the peer cannot have read a request."""
        self._drop(trouble, self.streams.take_patient())
        self.streams.fail_all(lambda call, _: not_connected(trouble, call))

    def _lost(self, problem: str, about: tuple[str, ...] = ()) -> None:
        if self.state is State.GREETING:
            is_new = self._stream.is_new
            self._turn_away(wordless(problem, "gRPC", is_tls=self._is_tls) if is_new else Trouble(problem, _WHERE))
            return
        trouble = self.goodbyes.why_lost(problem, about)
        self._drop(None)
        self.streams.fail_all(lambda call, begun: broken(trouble, call, begun=begun))

    def drain(self) -> None:
        """End once the last call has ended; on the I/O thread."""
        self._owner.hold(self._drain, None)

    def _drain(self, _: None) -> None:
        self._drains = True
        self._settle()

    def close(self) -> None:
        """End now; running calls end as `ConsumerClosed`; on the I/O thread."""
        self._owner.hold(self._close, None)

    def _close(self, _: None) -> None:
        self._drop(None)
        self.streams.fail_all(lambda _, begun: closed(begun=begun))

    def _end(self) -> None:
        self._drop(None)
        self.streams.clear()

    def _drop(self, trouble: Trouble | None, patient: Sequence[StreamCall] = ()) -> None:
        if self.state is State.ENDED:
            return
        self.state = State.ENDED
        self._owner.forget()
        self._stream.drop()
        self._thread.end(self._tell_ended, (trouble, patient))

    def _tell_ended(self, told: tuple[Trouble | None, Sequence[StreamCall]]) -> None:
        self._owner.close()
        self._thread.tick_never(self)
        self._hears.ended(self, *told)

    def after_fork(self) -> None:
        """Close this process' copy of the socket, and forget the parent's calls."""
        self.state = State.ENDED
        self._stream.after_fork()
        self._owner.after_fork()
        self._leading.after_fork()
        self.streams.clear()

    def __repr__(self) -> str:
        return f"<Session with {self.name} {self.state.value}, {len(self.streams)} calls, {self._outbox.count} queued>"
