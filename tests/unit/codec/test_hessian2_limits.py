"""Limits and bombs: a clear error, with numbers, in bounded time and memory."""

from __future__ import annotations

import sys
import time
import tracemalloc
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from callahead.consumer.codec.hessian2 import (
    BigInteger,
    Decoder,
    Encoder,
    JavaEntries,
    Limits,
    TypedList,
    dumps,
    loads,
)
from callahead.consumer.errors import SerializationError

MEBIBYTE = 1024 * 1024


def refused(data: bytes, limits: Limits | None = None) -> str:
    """Give the message with which data is refused."""
    with pytest.raises(SerializationError) as caught:
        loads(data, limits=limits or Limits())
    return str(caught.value)


def nested(depth: int) -> list[Any]:
    """Make lists inside lists."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (b"\x79", b""),
        (b"\x57", b"Z"),
        (b"H\x90", b"Z"),
        (b"C\x01a\x91\x01b\x60", b""),
        (b"q\x01a", b""),
    ],
)
def test_depth(begin: bytes, end: bytes) -> None:
    """Lists, maps and objects all count, to the limit and not beyond."""
    message = "hessian2: 257 levels of values inside values, the limit is 256 (limits.depth)"
    assert refused(begin * 257 + b"N" + end * 257) == message
    loads(begin * 256 + b"N" + end * 256)
    assert refused(begin * 1_000_000) == message


def test_depth_under_a_deep_stack() -> None:
    """Where the caller has used up Python's recursion limit, the error says so and nothing foreign is raised."""
    data = dumps(nested(250))

    def deeper() -> str:
        try:
            return deeper()
        except RecursionError:
            return refused(data)

    sys.setrecursionlimit(sys.getrecursionlimit())
    assert deeper() == "hessian2: Python's recursion limit came before limits.depth (256)"


def test_depth_of_what_is_written() -> None:
    """The same limit holds for encoding; a circle is no depth."""
    assert loads(dumps(nested(256))) == nested(256)
    with pytest.raises(SerializationError) as caught:
        dumps(nested(257))
    assert str(caught.value) == "hessian2: 257 levels of values inside values, the limit is 256 (limits.depth)"
    assert caught.value.not_sent


def test_elements() -> None:
    """Items, entries and fields are counted over the whole stream."""
    limits = Limits(elements=4)
    assert refused(b"\x7d" + b"\x90" * 5, limits) == (
        "hessian2: 5 list items, map entries and fields, the limit is 4 (limits.elements)"
    )
    assert "limits.elements" in refused(b"W" + b"\x90" * 5 + b"Z", limits)
    assert "limits.elements" in refused(b"H" + bytes(range(0x90, 0x9A)) + b"Z", limits)
    assert "limits.elements" in refused(b"C\x01a\x95\x01a\x01b\x01c\x01d\x01e\x60", limits)
    assert "limits.elements" in refused(b"\x7a\x7a\x90\x90\x7a\x90\x90", limits)
    decoder = Decoder(b"\x7b\x90\x90\x90" * 2, limits)
    decoder.read()
    with pytest.raises(SerializationError, match=r"6 list items, map entries and fields, the limit is 4"):
        decoder.read()


def test_bytes_to_read() -> None:
    """The size is known before anything is read."""
    assert refused(b"\x04aaaa", Limits(bytes=4)) == "hessian2: 5 bytes to read, the limit is 4 (limits.bytes)"


def test_bytes_to_write() -> None:
    """The error comes before anything is sent."""
    with pytest.raises(SerializationError) as caught:
        dumps("aaaa", limits=Limits(bytes=4))
    assert str(caught.value) == "hessian2: 5 bytes to write, the limit is 4 (limits.bytes)"
    assert caught.value.not_sent


def test_references() -> None:
    """Lists, maps and objects that could be pointed to."""
    assert refused(b"\x7a\x78\x78", Limits(references=2)) == (
        "hessian2: 3 lists, maps and objects, the limit is 2 (limits.references)"
    )


SMALLER = Limits(elements=20_000, references=10_000, bytes=256 * 1024)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x58I\x7f\xff\xff\xff" + b"\x90" * 100,
        b"C\x01aI\x7f\xff\xff\xff",
        b"V\x04[intI\x7f\xff\xff\xff",
        b"S\xff\xff",
        b"R\xff\xff" + b"a" * 0xFFFF,
        b"C\x01a\x90" * 65536,
        b"W" + b"C\x01a\x90\x60" * 50_000,
        b"W" + b"\x78" * 260_000,
        b"W" + b"\x90" * 260_000,
        b"H" + b"\x90\x78" * 130_000,
        b"W" + b"p\x00" * 130_000,
    ],
)
def test_bombs_are_refused_in_bounded_memory(bomb: bytes) -> None:
    """What little data promises is not believed; what much data holds is counted."""
    tracemalloc.start()
    try:
        refused(bomb, SMALLER)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MEBIBYTE


def test_reference_loops_do_not_multiply() -> None:
    """Each level is twice in the one above: 2**64 lists if they were copied, 65 as they are."""
    value: list[Any] = []
    for _ in range(64):
        value = [value, value]
    data = dumps(value)
    assert len(data) < 300
    again = loads(data)
    for _ in range(64):
        assert again[0] is again[1]
        again = again[0]
    assert again == []


COLLIDING = [
    [BigInteger(n * ((1 << 61) - 1)) for n in range(1, 20_000)],
    [Decimal(n * ((1 << 61) - 1)) for n in range(1, 20_000)],
    [UUID(int=n * ((1 << 61) - 1)) for n in range(1, 20_000)],
]


@pytest.mark.parametrize("keys", COLLIDING, ids=["BigInteger", "Decimal", "UUID"])
def test_keys_that_were_made_to_collide(keys: list[Any]) -> None:
    """A map or a set of them is kept as pairs or a list: a dict would take time with the square of their number."""
    entries = JavaEntries([(key, None) for key in keys])
    items = TypedList(keys, "java.util.HashSet")
    map_data, set_data = dumps(entries), dumps(items)
    started = time.process_time()
    assert type(loads(map_data)) is JavaEntries
    assert type(loads(set_data)) is TypedList
    assert time.process_time() - started < 5


def test_honest_keys_make_a_dict() -> None:
    """Many identifiers are no attack."""
    keys = {UUID(int=n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)): n for n in range(2000)}
    assert loads(dumps(keys)) == keys


def test_limits_are_of_the_stream_not_of_the_value() -> None:
    """An encoder's limit of bytes holds for all its values together."""
    encoder = Encoder(Limits(bytes=8))
    encoder.write("aaa")
    with pytest.raises(SerializationError, match=r"^hessian2: 12 bytes to write, the limit is 8 \(limits\.bytes\)$"):
        encoder.write("bbbbbbb")
