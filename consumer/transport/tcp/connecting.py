"""Bringing a connection about, again and again: when to dial, how long at most, and when not yet."""

from __future__ import annotations

import socket
from collections.abc import Callable
from random import Random
from typing import Final

from ...runtime.deadline import Clock
from ..trouble import Trouble
from .backoff import Backoff
from .destination import Destination
from .dial import Dial
from .io_thread import NEVER, IoThread
from .resolve import Address, Resolve

_MOST_UNWELCOME: Final = 64


class Connecting:
    """Dials one destination, one `Dial` at a time, each bounded in time; lives on the I/O thread.

    An address that was reached and turned the connection away is tried after all others from then on.

    Args:
        destination: Where to.
        timeout: Longest time of one attempt, TLS handshakes included, in seconds.
        thread: Serves the socket meanwhile.
        clock: Measures the attempt, and the wait after one that failed.
        random: Spreads these waits.
        opened: Called with the socket, which is non-blocking and served by nobody.
        failed: Called with what is wrong.
        resolve: Looks the host up, in place of the thread's own way.
    """

    def __init__(
        self,
        destination: Destination,
        timeout: float,
        thread: IoThread,
        clock: Clock,
        random: Random,
        opened: Callable[[socket.socket], None],
        failed: Callable[[Trouble], None],
        resolve: Resolve | None = None,
    ) -> None:
        self._destination = destination
        self._timeout = timeout
        self._thread = thread
        self._clock = clock
        self._opened = opened
        self._failed = failed
        self._resolve = resolve
        self._reached: Address | None = None
        self._unwelcome: set[Address] = set()
        self._backoff = Backoff(random)
        self._dial: Dial | None = None
        self._is_for_calls = True
        self._due = NEVER

    def begin(self, *, is_for_calls: bool = True) -> None:
        """Dial; ends by one of the two callbacks, or by `abandon`.

        Where it is not *is_for_calls*, and fails, no call is refused for it: the first that comes may dial at once.
        """
        self._is_for_calls = is_for_calls
        self._due = self._clock() + self._timeout
        self._thread.tick_at(self, self._due)
        self._reached = None
        resolve = self._resolve or self._thread.look_ups
        self._dial = Dial(
            self._destination, self._unwelcome, self._thread, self._clock, resolve, self._succeed, self._fail
        )
        self._dial.start()

    @property
    def stage(self) -> Trouble:
        """What the attempt is at, and what may be wrong if that does not end."""
        return Trouble("") if self._dial is None else self._dial.stage

    def refusal(self) -> Trouble | None:
        """Say why a call is refused that comes before the next attempt may be made; None where it may."""
        return self._backoff.refusal(self._clock())

    def tick(self, now: float) -> float:
        """Give up what takes too long; see `Timed.tick`."""
        dial = self._dial
        if dial is None or now < self._due:
            return self._due
        dial.abandon()
        stage, about = dial.stage
        self._fail(Trouble(f"not within {self._timeout * 1000:.0f} ms (connect_timeout), {stage}", about))
        return NEVER

    def _succeed(self, opened: socket.socket, address: Address) -> None:
        self._forget()
        self._reached = address
        self._opened(opened)

    def _fail(self, trouble: Trouble) -> None:
        self._forget()
        self.turned_away(trouble)
        self._failed(trouble)

    def proved(self) -> None:
        """Note that the peer is one of use; until that is noted waits go on to grow, though connections come about."""
        self._backoff.end()

    def turned_away(self, trouble: Trouble) -> None:
        """Note that the peer ended the connection that had come about; the next one waits as after any *trouble*."""
        if self._reached is not None:
            self._put_last(self._reached)
        if self._is_for_calls:
            self._backoff.begin(trouble, self._clock())

    def _put_last(self, address: Address) -> None:
        if address in self._unwelcome or len(self._unwelcome) == _MOST_UNWELCOME:
            self._unwelcome.clear()
        self._unwelcome.add(address)

    def abandon(self) -> None:
        """Stop dialling, and tell nobody."""
        if self._dial is not None:
            self._dial.abandon()
        self._forget()

    def _forget(self) -> None:
        self._dial, self._due = None, NEVER
        self._thread.tick_never(self)
