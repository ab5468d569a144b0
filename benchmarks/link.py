"""A link of so many bytes a second and so long a way: ``python -m benchmarks.link PORT RATE DELAY``.

A TCP proxy in front of 127.0.0.1:PORT. Each direction takes RATE bytes a second and hands each on DELAY seconds after
it was taken. Like a wire it keeps only what is on its way: who sends faster waits. It prints its own port, and ends
with its input.
"""

from __future__ import annotations

import queue
import socket
import sys
import threading
import time

_PIECE = 4096
_AHEAD_S = 0.005
"""What may be taken before its time, since nobody sleeps for an exact time."""


def carry(source: socket.socket, target: socket.socket, rate: float, delay: float) -> None:
    """Take what comes from *source* at *rate*, until it ends, and let *target* have it after *delay*."""
    on_its_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
    threading.Thread(target=_hand_on, args=(on_its_way, target), daemon=True).start()
    free = time.monotonic()
    data = b"-"
    while data:
        data = _received(source)
        free = max(free, time.monotonic()) + len(data) / rate
        on_its_way.put((free + delay, data))
        time.sleep(max(0.0, free - time.monotonic() - _AHEAD_S))


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(_PIECE)
    except OSError:
        return b""


def _hand_on(on_its_way: queue.SimpleQueue[tuple[float, bytes]], target: socket.socket) -> None:
    while True:
        due, data = on_its_way.get()
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(data)
        except OSError:  # nobody is there any more
            return


def serve(listener: socket.socket, port: int, rate: float, delay: float) -> None:
    """Carry each connection to *port*, both ways."""
    while True:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", port))
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=carry, args=(one, other, rate, delay), daemon=True).start()


def main(port: str, rate: str, delay: str) -> None:
    """Serve until the input ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    arguments = (listener, int(port), float(rate), float(delay))
    threading.Thread(target=serve, args=arguments, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
