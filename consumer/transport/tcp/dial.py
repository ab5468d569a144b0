"""Bringing one connection about: from a host name to an open socket, by whichever of its addresses is there first."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

from ...runtime.deadline import Clock
from ..shortage import is_shortage
from ..trouble import Trouble
from .approach import Approach
from .destination import Destination
from .io_thread import NEVER, IoThread
from .resolve import Address, Answer, Resolve, in_turn, place

_ALONE_S: Final = 0.25
"""How long an address is tried before the next one is, too. Source: RFC 8305, 5, "Connection Attempt Delay"."""

_MOST_AT_ONCE: Final = 16
_MOST_REASONS: Final = 3


class Dial:
    """One attempt to connect, by the first address that is reached; lives on the I/O thread and ends once, in one of
    three ways.

    The families of addresses take turns. The next address is tried after a quarter of a second, or at once where one
    has failed; each is tried once. Reached is one that has accepted and, with TLS, shaken hands. Where sixteen are
    being tried, the oldest of them gives way to the next.

    Source: RFC 8305 ("happy eyeballs"), and gRPC core, which does so too. Differs: gRPC core waits for the first frame
    of HTTP/2 before it counts an address as reached; here one that then turns out to be none is tried last afterwards.

    Args:
        destination: Where to.
        unwelcome: Addresses to try last.
        thread: Serves the sockets meanwhile.
        clock: Measures how long an address is tried alone.
        resolve: Looks the host up.
        opened: Called with the socket, which is non-blocking and served by nobody, and its address.
        failed: Called with what is wrong, at each address.

    `abandon` is the third way.
    """

    def __init__(
        self,
        destination: Destination,
        unwelcome: Collection[Address],
        thread: IoThread,
        clock: Clock,
        resolve: Resolve,
        opened: Callable[[socket.socket, Address], None],
        failed: Callable[[Trouble], None],
    ) -> None:
        self._destination = destination
        self._unwelcome = unwelcome
        self._thread = thread
        self._clock = clock
        self._resolve = resolve
        self._opened = opened
        self._failed = failed
        self._left: deque[Address] = deque()
        self._running: list[Approach] = []
        self._misses: list[tuple[Address, Trouble]] = []
        self._due = NEVER
        self._over = False

    def start(self) -> None:
        """Begin with the host's addresses."""
        thread, to = self._thread, self._destination.proxy or self._destination
        self._resolve((to.host, to.port), lambda found: thread.post(self._resolved, found))

    @property
    def stage(self) -> Trouble:
        """What it is at, at each address, and what may be wrong if that does not end."""
        if not self._running:
            return Trouble("looking the host up")
        return _joined([*((one.address, one.stage) for one in self._running), *self._misses])

    def _resolved(self, found: Answer) -> None:
        if self._over:
            return
        if isinstance(found, OSError):
            proxy = self._destination.proxy
            who = self._destination.host if proxy is None else proxy.name
            self._fail(Trouble(f"{who} cannot be looked up: {found.strerror or found}"))
        elif not found:
            self._fail(Trouble("the host has no address"))
        else:
            self._left.extend(sorted(in_turn(found), key=lambda one: one in self._unwelcome))
            self._try_next()

    def _try_next(self, _: None = None) -> None:
        if self._over or not self._left:
            return
        if len(self._running) == _MOST_AT_ONCE:
            self._give_up(self._running.pop(0))
        address = self._left.popleft()
        approach = Approach(address, self._destination, self._thread, self._reached, self._missed)
        self._running.append(approach)
        self._wait()
        try:
            approach.start()
        except OSError as error:
            approach.abandon()
            self._running.remove(approach)
            self._do_without(address, error)

    def _wait(self) -> None:
        """Try the next one in a while, if one is left."""
        self._due = self._clock() + _ALONE_S if self._left else NEVER
        if self._left:
            self._thread.tick_at(self, self._due)

    def tick(self, now: float) -> float:
        """Try one more address; see `Timed.tick`."""
        if now >= self._due:
            self._due = NEVER
            self._try_next()
        return self._due

    def _do_without(self, address: Address, error: OSError) -> None:
        """Go on though there is no socket for *address*."""
        trouble = Trouble(f"no socket: {error.strerror or error}")
        if not is_shortage(error):
            self._note(address, trouble)
        elif self._running:  # one of these gives its descriptor back, sooner or later
            self._left.appendleft(address)
            self._wait()
        else:
            self._fail(trouble)

    def _missed(self, approach: Approach, trouble: Trouble) -> None:
        self._running.remove(approach)
        self._note(approach.address, trouble)

    def _note(self, address: Address, trouble: Trouble) -> None:
        self._misses.append((address, trouble))
        if self._left:  # posted, since a thousand that fail at once must not hold up other connections
            self._thread.post(self._try_next, None)
        elif not self._running:
            self._fail(_joined(self._misses))

    def _give_up(self, approach: Approach) -> None:
        approach.abandon()
        self._misses.append((approach.address, Trouble(f"no answer while {approach.stage.text}", approach.stage.about)))

    def _reached(self, approach: Approach, opened: socket.socket) -> None:
        self._running.remove(approach)
        self.abandon()
        self._opened(opened, approach.address)

    def _fail(self, trouble: Trouble) -> None:
        self.abandon()
        self._failed(trouble)

    def abandon(self) -> None:
        """Give up, and tell nobody."""
        self._over, self._due = True, NEVER
        self._thread.tick_never(self)
        for approach in self._running:
            approach.abandon()


def _joined(troubles: Sequence[tuple[Address, Trouble]]) -> Trouble:
    """Make one of all *troubles*, of which equal ones are told once; that of a sole address does without it."""
    if len(troubles) == 1:
        return troubles[0][1]
    at: dict[str, list[Address]] = {}
    about: dict[str, None] = {}
    for address, trouble in troubles:
        at.setdefault(trouble.text, []).append(address)
        about |= dict.fromkeys(trouble.about)
    told = [f"{text} ({_some(addresses)})" for text, addresses in at.items()]
    more = [f"and {len(told) - _MOST_REASONS} more"] if len(told) > _MOST_REASONS else []
    return Trouble("; ".join(told[:_MOST_REASONS] + more), tuple(about))


def _some(addresses: list[Address]) -> str:
    first = place(addresses[0])
    return first if len(addresses) == 1 else f"{first} and {len(addresses) - 1} more"
