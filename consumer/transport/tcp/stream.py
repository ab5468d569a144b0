"""The socket of a connection while it is open: writing what is queued, and reading."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Generic

from ...runtime.deadline import Clock
from ..trouble import TLS_ALERT, Trouble, language
from .handshake import why_refused
from .io_thread import Handler, IoThread
from .outbox import Outbox, WatchedT
from .poller import READ, WRITE

_LAST_BYTES = 64 * 1024
_MOST_LAST = 1000
"""So many portions of as many bytes are read at most of a peer to which nothing can be written any more."""


class Stream(Generic[WatchedT]):
    """What goes out and comes in on one socket after the other; for whoever holds the connection's `Ownership`.

    Args:
        outbox: What is to be written; frames may wait there before the socket is open.
        thread: Waits for the socket.
        clock: Tells when bytes came.
        received: Called with bytes that came.
        written: Called for each frame that was watched and has left whole.
        lost: Called with what is wrong; it drops the socket.
        turned_away: Called in place of it where the peer cannot have read a word, since it does not speak as this side.
        speaks: Name of the protocol, as that of `language` begins.

    Attributes:
        is_new: The peer has not said a word on this socket.
        is_led: A calling thread reads for itself, so the I/O thread does not wait for bytes.
        last_read: Monotonic second at which the last bytes came, or the socket was opened.
        resting: The events for which it waits where nothing is left to be written.
        watching: The events for which it does wait; 0 for none.
    """

    def __init__(
        self,
        outbox: Outbox[WatchedT],
        thread: IoThread,
        clock: Clock,
        received: Callable[[bytes], None],
        written: Callable[[WatchedT], None],
        lost: Callable[[str], None],
        turned_away: Callable[[Trouble], None],
        speaks: str,
    ) -> None:
        self._outbox = outbox
        self._thread = thread
        self._clock = clock
        self._received = received
        self._written = written
        self._lost = lost
        self._turned_away = turned_away
        self._speaks = speaks
        self._socket: socket.socket | None = None
        self._is_tls = False
        self._hears_out = False
        self.is_new = False
        self.is_led = False
        self.last_read = 0.0
        self.resting = READ
        self.watching = 0

    @property
    def is_open(self) -> bool:
        """There is a socket."""
        return self._socket is not None

    def open(self, opened: socket.socket, handler: Handler) -> None:
        """Use *opened* from now on, whose events *handler* hears; called on the I/O thread."""
        self._socket = opened
        self._is_tls = isinstance(opened, ssl.SSLSocket)
        self.is_new = True
        self.last_read = self._clock()
        self._thread.serve(opened.fileno(), handler)
        self.watch(READ)

    def write(self) -> None:
        """Write what is queued, as far as the kernel takes it."""
        opened = self._socket
        if opened is None:
            return
        outbox = self._outbox
        while (data := outbox.pending()) is not None:
            try:
                taken = opened.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError) as error:
                if isinstance(error, ssl.SSLError):
                    outbox.attempt()
                self.watch(self.resting | WRITE)
                return
            except OSError as error:
                self._fail_to_write(opened, error)
                return
            for one in outbox.advance(taken):
                self._written(one)
        if not self.is_led:
            self.watch(self.resting)

    def _fail_to_write(self, opened: socket.socket, error: OSError) -> None:
        if self._hears_out:  # which has let this side say more
            return
        if self._is_tls:
            self._outbox.attempt()
        self._hear_out()
        if self._socket is opened:
            self._lost(f"writing failed: {error.strerror or error}")

    def _hear_out(self) -> None:
        """Read what the peer said before it closed the connection: answers, perhaps, or what became of calls."""
        self._hears_out = True
        try:
            for _ in range(_MOST_LAST):
                if not self.read(_LAST_BYTES):
                    break
        finally:
            self._hears_out = False

    def _complaint(self, first: bytes) -> Trouble | None:
        """Tell from the first bytes of a peer that it speaks something else, so that it cannot have read a request."""
        if first.startswith(TLS_ALERT) and not self._is_tls:
            text = "the provider speaks TLS there, and this reference has no ssl: it answered with a TLS alert"
            return Trouble(text, ("ssl", "urls"))
        spoken = language(first)
        if not spoken or spoken.startswith(self._speaks):
            return None
        return Trouble(f"the provider speaks no {self._speaks} there: it answers like {spoken}", ("protocol", "urls"))

    def send(self, frame: bytes, before: bytes = b"") -> int:
        """Send *before* and *frame* where nothing waits; only what does not leave at once is queued.

        Returns:
            The number of *frame*.
        """
        assert self._socket is not None
        outbox = self._outbox
        try:
            taken = self._socket.send(before + frame if before else frame)
        except OSError:  # `write` meets it again, and says what it means
            taken = 0
        if taken == len(before) + len(frame):
            return outbox.pass_by()
        if before:
            outbox.put(before)
        number = outbox.put(frame)
        if taken:
            outbox.pending()
            outbox.advance(taken)
        return number

    def read(self, most: int) -> int:
        """Read up to *most* bytes, and all that TLS holds ready; returns how many came; *most* is 16 KiB at least."""
        came = 0
        while (opened := self._socket) is not None:
            try:
                data = opened.recv(most)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as error:
                complaint = why_refused(error) if self.is_new else None
                if complaint is not None:
                    self._turned_away(complaint)
                else:
                    self._lost(f"reading failed: {error.strerror or error}")
                break
            if not data:
                self._lost("the provider closed it")
                break
            came += len(data)
            self.last_read = self._clock()
            if self.is_new:
                self.is_new = False
                complaint = self._complaint(data)
                if complaint is not None:
                    self._turned_away(complaint)
                    break
            self._received(data)
            # Of a record, which has 16 KiB at most, TLS holds what was not asked for, and the poller does not see that.
            if not self._is_tls or len(data) < most:
                break
        return came

    def read_all(self, most: int) -> bool:
        """Read what has come, *most* bytes of it or a little more; returns whether that was all; see `read`.

        TLS gives out one record at a time, however many there are.
        """
        left = most
        while left > 0 and (came := self.read(most)):
            left -= came
            if not self._is_tls:
                break
        return left > 0

    def watch(self, events: int) -> None:
        """Let the I/O thread wait for *events*; see `Poller.watch`."""
        if events != self.watching:
            assert self._socket is not None
            assert self._thread.poller is not None
            self.watching = events
            self._thread.poller.watch(self._socket.fileno(), events)

    def watch_all(self) -> None:
        """Let the I/O thread wait for bytes, and to go on writing where something is queued."""
        self.watch(self.resting | WRITE if self._outbox.count else self.resting)

    def rest(self, events: int) -> None:
        """Let the I/O thread wait for *events* from now on where nothing is left to be written: READ or CLOSING."""
        self.resting = events
        if self._socket is not None and not self.is_led:
            self.watch_all()

    def drop(self) -> None:
        """Close the socket, if there is one."""
        opened = self._forget()
        if opened is not None:
            self._thread.forget(opened.fileno())
            opened.close()

    def after_fork(self) -> None:
        """Close this process' copy of the socket, without a word to the peer, which TLS would say."""
        opened = self._forget()
        if opened is not None:
            socket.close(opened.detach())

    def _forget(self) -> socket.socket | None:
        opened, self._socket = self._socket, None
        self.is_led = False
        self.resting = READ
        self.watching = 0
        return opened
