"""That threads end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def none_left(within_s: float) -> Iterator[None]:
    """Require that all threads that the block starts have ended some time after it: grpcio's outlive their channel."""
    before = set(threading.enumerate())
    yield
    until = time.monotonic() + within_s
    while not set(threading.enumerate()) <= before:
        assert time.monotonic() < until
        time.sleep(0.01)
