"""Places on this machine to which no connection comes about, each in a way of its own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

Place = tuple[str, int]
"""Host and port."""


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextlib.contextmanager
def refusing(host: str = "127.0.0.1") -> Iterator[Place]:
    """Keep a port that is ours and refuses connections."""
    with socket.socket(_family(host)) as holder:
        holder.bind((host, 0))
        yield host, holder.getsockname()[1]


@contextlib.contextmanager
def black_hole(host: str = "127.0.0.1") -> Iterator[Place]:
    """Keep a port whose queue of connections is full, so that a further SYN is never answered."""
    with socket.socket(_family(host)) as listener, contextlib.ExitStack() as stack:
        listener.bind((host, 0))
        listener.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket(_family(host)))
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield host, listener.getsockname()[1]
