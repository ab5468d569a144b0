"""Takes the chunks of a file: ``python -m benchmarks.files_server bare | dubbo``; ends with its input."""

from __future__ import annotations

import socket
import sys
import threading

from callahead.consumer.testing import EmbeddedProvider

INTERFACE = "callahead.bench.Files"
READ_BYTES = 65536


def take_bare(listener: socket.socket) -> None:
    """Answer each connection, once its other side has sent what it has, with the number of bytes."""
    while True:
        connection, _ = listener.accept()
        with connection:
            count = 0
            while data := connection.recv(READ_BYTES):
                count += len(data)
            connection.sendall(str(count).encode())


def _count(offset: int, data: bytes) -> int:
    del offset
    return len(data)


def main(kind: str) -> None:
    """Print the port, and serve until the input ends."""
    if kind == "bare":
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=take_bare, args=(listener,), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        sys.stdin.read()
        return
    with EmbeddedProvider(protocol="dubbo", keep_calls=1) as provider:
        provider.serve(INTERFACE, {"send": _count})
        print(provider.url.rpartition(":")[2], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
