"""From a host name, or the place of a Unix socket, to addresses, without blocking the I/O thread."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any, Final, Protocol
from urllib.parse import unquote

from callahead.registry.models import bracketed

Address = tuple[int, Any]
"""Address family and socket address."""

Found = Callable[[list[Address] | OSError], None]
"""Takes the addresses, the most promising first, or why there are none; on any thread."""


_UNIX: Final = {"unix": "", "unix-abstract": "\0"}
"""What stands before the name of a socket, by the scheme of its place."""


class Resolve(Protocol):
    """Finds the addresses of a host; never blocks."""

    def __call__(self, address: tuple[str, int], found: Found, *, thread_name: str) -> None:
        """Tell *found* the addresses of host and port, once; any thread made for that is called *thread_name*."""


def resolve(address: tuple[str, int], found: Found, *, thread_name: str) -> None:
    """Ask the system, which blocks for a name and so has a thread for it; a `Resolve`."""
    host, port = address
    if not port:
        found([_unix(host)])
        return
    try:
        literal = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        _look_up_aside(address, found, thread_name)
    else:
        found(_addresses(literal))


def _unix(place: str) -> Address:
    """Read ``unix:///path``, or ``unix-abstract:name``, whose escapes are those of a URL."""
    scheme, _, name = place.partition(":")
    return socket.AF_UNIX, _UNIX[scheme] + unquote(name.removeprefix("//"))


def _look_up_aside(address: tuple[str, int], found: Found, thread_name: str) -> None:
    try:
        threading.Thread(target=_look_up, args=(address, found), name=thread_name, daemon=True).start()
    except RuntimeError as error:  # the system has no thread left
        found(OSError(errno.EAGAIN, str(error)))


def _look_up(address: tuple[str, int], found: Found) -> None:
    try:
        answer = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    except OSError as error:
        found(error)
    else:
        found(_addresses(answer))


def _addresses(answer: list[Any]) -> list[Address]:
    return [(family, sockaddr) for family, _, _, _, sockaddr in answer]


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
