"""However a peer cuts its bytes, reading them takes a time in proportion to how many they are."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator

import pytest

from callahead.consumer.codec.hessian2 import Limits, loads
from callahead.consumer.errors import SerializationError

LIMITS = Limits(bytes=1 << 26, elements=1 << 24, references=1 << 24)
SMALL, FACTOR = 20_000, 8
# Four times what is linear, and half of what is quadratic.
MOST = 32.0


def number(value: int) -> bytes:
    return b"I" + value.to_bytes(4, "big")


INPUTS: dict[str, Callable[[int], bytes]] = {
    "chunks of one unit": lambda n: b"R\0\1x" * n + b"\1x",
    "chunks of one unit of two bytes": lambda n: b"R\0\1\xc3\xa9" * n + b"\1x",
    "empty chunks": lambda n: b"R\0\0" * n + b"\0",
    "binary chunks of one byte": lambda n: b"A\0\1x" * n + b"\x20",
    "continuation bytes without end": lambda n: b"\1" + b"\x80" * n,
    "a long text": lambda n: b"".join(b"R\x03\xe8" + b"\xe4\xb8\xad" * 1000 for _ in range(n // 1000)) + b"\0",
    "a large BigInteger": lambda n: (
        b"C\x14java.math.BigInteger\x92\x03mag\x06signum\x60V\x04[int" + number(n) + b"\x91" * n + b"\x91"
    ),
    "a long BigDecimal": lambda n: (
        b"C\x14java.math.BigDecimal\x91\x05value\x60"
        + b"".join(b"R\x03\xe8" + b"1" * 1000 for _ in range(n // 1000))
        + b"\0"
    ),
    "a list": lambda n: b"X" + number(n) + b"\x91" * n,
    "lists inside a list": lambda n: b"X" + number(n) + b"\x78" * n,
    "references to one list": lambda n: b"X" + number(n + 1) + b"\x78" + b"Q\x91" * n,
    "a map of numbers": lambda n: b"H" + b"".join(b"L" + (i << 40).to_bytes(8, "big") + b"N" for i in range(n)) + b"Z",
    "a map with lists as keys": lambda n: b"H" + b"\x78N" * n + b"Z",
    "a set": lambda n: b"V\x11java.util.HashSet" + number(n) + b"".join(map(number, range(n))),
    "class definitions": lambda n: b"".join(b"C\4%04x\x90" % (i % 65536) for i in range(n)) + b"N",
    "one definition again and again": lambda n: b"C\1a\x91\1b" * n + b"N",
    "empty maps with a heavy key": lambda n: (
        b"X"
        + number(n + 1)
        + b"C\x14java.math.BigInteger\x92\x03mag\x06signum\x60V\x04[int"
        + number(n)
        + b"\x91" * n
        + b"\x91"
        + b"H\x51\x91NZ" * n
    ),
}


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    """Keep out the work of the collector, which depends on all that the other tests have left."""
    gc.disable()
    yield
    gc.enable()


def seconds(data: bytes) -> float:
    begin = time.thread_time()
    with contextlib.suppress(SerializationError):
        loads(data, limits=LIMITS)
    return time.thread_time() - begin


@pytest.mark.parametrize("what", INPUTS)
def test_reading_takes_time_in_proportion_to_the_bytes(what: str) -> None:
    """Eight times the bytes, not sixty-four times the work; what takes no time at all is not compared."""
    make = INPUTS[what]
    small = min(seconds(make(SMALL)) for _ in range(3))
    large = min(seconds(make(SMALL * FACTOR)) for _ in range(3))
    assert large < max(small, 0.005) * MOST
