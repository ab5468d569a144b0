"""From a host name, or the place of a Unix socket, to addresses, without blocking the I/O thread."""

from __future__ import annotations

import errno
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any, Final, Protocol
from urllib.parse import unquote

from callahead.registry.models import bracketed

Address = tuple[int, Any]
"""Address family and socket address."""

Answer = list[Address] | OSError
"""The addresses, the most promising first, or why there are none."""

Ask = Callable[[tuple[str, int]], Answer]

Found = Callable[[Answer], None]
"""Takes the answer; on any thread."""

_UNIX: Final = {"unix": "", "unix-abstract": "\0"}
"""What stands before the name of a socket, by the scheme of its place."""

_MOST_THREADS: Final = 32


class Resolve(Protocol):
    """Finds the addresses of a host; never blocks."""

    def __call__(self, address: tuple[str, int], found: Found) -> None:
        """Tell *found* the addresses of host and port, once."""


class LookUps:
    """Asks the system, which blocks for a name and so has a thread for it; a `Resolve` for any thread.

    Who asks for a name that is being looked up waits for the same answer, and no more than 32 threads look up at once:
    where name servers are silent, each dial of each connection would else hold one more.

    Args:
        thread_name: Of its threads, which end when nothing is left to look up.
        ask: Blocks until the addresses of host and port are known, or why there are none.
    """

    def __init__(self, thread_name: str, ask: Ask | None = None) -> None:
        self._thread_name = thread_name
        self._ask = ask or ask_system
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, int], list[Found]] = {}
        self._waiting: deque[tuple[str, int]] = deque()
        self._threads = 0

    def __call__(self, address: tuple[str, int], found: Found) -> None:
        """Find the addresses; see `Resolve`."""
        host, port = address
        if not port:
            found([_unix(host)])
            return
        literal = ask_system(address, socket.AI_NUMERICHOST)
        if isinstance(literal, OSError):
            self._look_up_aside(address, found)
        else:
            found(literal)

    def _look_up_aside(self, address: tuple[str, int], found: Found) -> None:
        with self._lock:
            if address in self._asked:
                self._asked[address].append(found)
                return
            self._asked[address] = [found]
            if self._threads == _MOST_THREADS:
                self._waiting.append(address)
                return
            self._threads += 1
        self._start(address)

    def _start(self, address: tuple[str, int]) -> None:
        try:
            threading.Thread(target=self._serve, args=(address, self._ask), name=self._thread_name, daemon=True).start()
        except RuntimeError as error:  # the system has no thread left
            shortage = OSError(errno.EAGAIN, str(error))
            self._serve(address, lambda _: shortage)

    def _serve(self, first: tuple[str, int], ask: Ask) -> None:
        """Tell what *ask* says of *first*, and of all that wait for their turn."""
        address: tuple[str, int] | None = first
        while address is not None:
            address = self._end(address, ask(address))

    def _end(self, address: tuple[str, int], answer: Answer) -> tuple[str, int] | None:
        """Tell the answer to all who have asked for *address*; returns the next one, None where none waits."""
        with self._lock:
            told = self._asked.pop(address)
            following = self._waiting.popleft() if self._waiting else None
            if following is None:
                self._threads -= 1
        for found in told:
            found(answer)
        return following


def ask_system(address: tuple[str, int], flags: int = 0) -> Answer:
    """Look *address* up; blocks, unless *flags* say that it is no name."""
    try:
        answer = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=flags)
    except OSError as error:
        return error
    except UnicodeError:  # a part of it is empty, or too long for any name
        return OSError(socket.EAI_NONAME, "it is no host name")
    return [(family, sockaddr) for family, _, _, _, sockaddr in answer]


def _unix(place: str) -> Address:
    """Read ``unix:///path``, or ``unix-abstract:name``, whose escapes are those of a URL."""
    scheme, _, name = place.partition(":")
    return socket.AF_UNIX, _UNIX[scheme] + unquote(name.removeprefix("//"))


def in_turn(addresses: Iterable[Address]) -> list[Address]:
    """Order *addresses* so that their families take turns, beginning with that of the first; none stays twice.

    Source: RFC 8305, 4, with a "First Address Family Count" of 1.
    """
    families: dict[int, list[Address]] = {}
    for one in dict.fromkeys(addresses):
        families.setdefault(one[0], []).append(one)
    return [one for turn in zip_longest(*families.values()) for one in turn if one is not None]


def place(address: Address) -> str:
    """Write *address* for a message: ``127.0.0.1:50051``, or the path of a Unix socket."""
    where = address[1]
    if isinstance(where, str):
        return where
    host, port, *_ = where
    return f"{bracketed(host)}:{port}"
