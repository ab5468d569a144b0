"""From a host name to addresses, without blocking the I/O thread."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from typing import Any

Address = tuple[int, Any]
"""Address family and socket address."""


def resolve(address: tuple[str, int], found: Callable[[list[Address] | OSError], None], *, thread_name: str) -> None:
    """Tell *found* the addresses of host and port, or why there are none.

    An address literal is answered at once; a name on a thread called *thread_name*, since the system's resolver blocks.
    """
    host, port = address
    try:
        literal = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        _look_up_aside(address, found, thread_name)
    else:
        found(_addresses(literal))


def _look_up_aside(
    address: tuple[str, int], found: Callable[[list[Address] | OSError], None], thread_name: str
) -> None:
    try:
        threading.Thread(target=_look_up, args=(address, found), name=thread_name, daemon=True).start()
    except RuntimeError as error:  # the system has no thread left
        found(OSError(errno.EAGAIN, str(error)))


def _look_up(address: tuple[str, int], found: Callable[[list[Address] | OSError], None]) -> None:
    try:
        answer = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    except OSError as error:
        found(error)
    else:
        found(_addresses(answer))


def _addresses(answer: list[Any]) -> list[Address]:
    return [(family, sockaddr) for family, _, _, _, sockaddr in answer]
