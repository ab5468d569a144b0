"""A file in chunks over a link of 16 Mbit/s and 20 ms there and back: callahead beside a bare socket."""

from __future__ import annotations

import socket
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from callahead.consumer import Consumer

from .files_server import INTERFACE, READ_BYTES
from .measure import Row, spread, turns
from .report import Report
from .servers import running

RATE = 2_000_000
"""Bytes a second: 16 Mbit/s."""
DELAY_S = 0.01
"""One way."""
CHUNK = 50_000
WINDOW = 4
"""Most chunks whose answer is waited for."""

Send = Callable[[bytes], int]
"""Sends a file, and returns how many bytes have arrived."""


def run(size: int, rounds: int) -> Report:
    """Send a file of *size* bytes in each way, turn about."""
    notes = (
        f"a file of {size:,} bytes in chunks of {CHUNK:,}",
        f"the link is a proxy of {RATE * 8 // 10**6} Mbit/s, {DELAY_S * 2000:.0f} ms there and back",
        "share: of the bytes a second of the bare socket in the same round",
    )
    return Report({"transfer": measured(size, rounds)}, rounds, notes)


def measured(size: int, rounds: int) -> list[Row]:
    """Make the rows; the bare socket is the first."""
    data = bytes(range(256)) * (size // 256 + 1)
    with ExitStack() as stack:
        files = stack.enter_context(over_dubbo())
        ways: Mapping[str, Send] = {
            "bare socket": stack.enter_context(over_a_socket()),
            f"a window of {WINDOW}, each chunk sent": lambda data: windowed(files, data),
            "one chunk at a time": lambda data: one_at_a_time(files, data),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for name in turns(list(ways), rounds):
            took[name].append(_took(ways[name], data[:size]))
    first = next(iter(took.values()))
    return [_row(name, own, first, size) for name, own in took.items()]


def _took(send: Send, data: bytes) -> float:
    began = time.perf_counter()
    arrived = send(data)
    took = time.perf_counter() - began
    if arrived != len(data):
        raise RuntimeError(f"{arrived:,} of {len(data):,} bytes have arrived")
    return took


def _row(name: str, own: list[float], bare: list[float], size: int) -> Row:
    shares = [its / mine for its, mine in zip(bare, own, strict=True)]
    return {
        "variant": name,
        "share": round(statistics.median(shares), 3),
        "share_iqr": round(spread(shares), 3),
        "kB_per_s": round(size / statistics.median(own) / 1000),
        "seconds": round(statistics.median(own), 2),
    }


@contextmanager
def _linked(kind: str) -> Iterator[int]:
    """Give the port of a link to a server of *kind*."""
    with running([sys.executable, "-m", "benchmarks.files_server", kind]) as server:
        link = [sys.executable, "-m", "benchmarks.link", str(server.port), str(RATE), str(DELAY_S)]
        with running(link) as near:
            yield near.port


@contextmanager
def over_a_socket() -> Iterator[Send]:
    """Send by a socket of its own, and read the count that comes back."""
    with _linked("bare") as port:

        def send(data: bytes) -> int:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                for offset in range(0, len(data), CHUNK):
                    connection.sendall(data[offset : offset + CHUNK])
                connection.shutdown(socket.SHUT_WR)
                return int(connection.recv(READ_BYTES))

        yield send


@contextmanager
def over_dubbo() -> Iterator[Any]:
    """Give a reference whose connection stands."""
    with _linked("dubbo") as port:
        files = {
            "interface": INTERFACE,
            "url": f"dubbo://127.0.0.1:{port}",
            "timeout": "60s",
            "methods": {"send": {"parameter_types": ["long", "byte[]"]}},
        }
        with Consumer({"references": {"files": files}}) as consumer:
            reference = consumer.reference("files")
            reference.send.sync(0, b"")
            yield reference


def windowed(files: Any, data: bytes) -> int:
    """Send as Ice's manual does: each chunk once this machine's network has the one before, and so many ahead."""
    window: deque[Any] = deque()
    arrived = 0
    for offset in range(0, len(data), CHUNK):
        future = files.send.future(offset, data[offset : offset + CHUNK])
        future.sent()
        window.append(future)
        if len(window) > WINDOW:
            arrived += window.popleft().result()
    return arrived + sum(future.result() for future in window)


def one_at_a_time(files: Any, data: bytes) -> int:
    """Send a chunk once the one before is answered."""
    return sum(files.send.sync(offset, data[offset : offset + CHUNK]) for offset in range(0, len(data), CHUNK))
