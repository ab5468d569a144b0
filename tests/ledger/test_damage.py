"""What the proxy does to bytes is what it is asked for."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from ledger.damage import DUBBO, HTTP2, Counting, CutAt, Damaging, Framing, Shuffling, flip
from support.proxy import DOWN, UP, Cut, Proxy


def frame(framing: Framing, body: bytes) -> bytes:
    """Make one of the protocol's, by what the framing itself says of it."""
    header = bytearray(framing.header)
    size = framing.length.stop - framing.length.start
    header[framing.length] = len(body).to_bytes(size, "big")
    return bytes(header) + body


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Listen."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_a_cut_is_behind_just_so_many_bytes() -> None:
    """What comes before it goes on, whatever pieces it comes in; the other direction is left alone."""
    way = CutAt(UP, 5)
    assert way.carry(UP, b"abc") == b"abc"
    assert way.carry(DOWN, b"1234567") == b"1234567"
    with pytest.raises(Cut) as cut:
        way.carry(UP, b"defg")
    assert cut.value.last == b"de"


@pytest.mark.parametrize("framing", [DUBBO, HTTP2], ids=["dubbo", "http2"])
def test_frames_are_damaged_whole(framing: Framing) -> None:
    """A frame that comes in pieces is damaged as one, and each damage changes it."""
    whole = frame(framing, b"an answer of some length")
    for name, damage in framing.damages.items():
        done = Counter[str]()
        way = Damaging(framing, 1.0, {name: damage}, Random(7), done)
        assert way.carry(DOWN, whole[:7]) == b""
        try:
            damaged = way.carry(DOWN, whole[7:])
        except Cut as cut:
            damaged = cut.last
        assert (damaged != whole, done[name]) == (True, 1), name


def test_a_flip_is_one_bit() -> None:
    """No more is changed."""
    changed = zip(bytes(100), flip(bytes(100), Random(7)), strict=True)
    assert sum((old ^ new).bit_count() for old, new in changed) == 1


def test_disorder_loses_nothing() -> None:
    """Each frame comes, some of them twice, and the order is another."""
    frames = [frame(DUBBO, bytes([number])) for number in range(50)]
    done = Counter[str]()
    came = Shuffling(DUBBO, 0.2, Random(7), done).carry(DOWN, b"".join(frames))
    assert {came[at : at + 17] for at in range(0, len(came), 17)} == set(frames)
    assert len(came) == 17 * (50 + done["twice"])
    assert not came.startswith(frames[0])


def test_a_proxy_carries_both_ways(server: socket.socket) -> None:
    """And each connection has a way of its own."""
    ways: list[Counting] = []

    def way() -> Counting:
        ways.append(Counting())
        return ways[-1]

    with Proxy(server.getsockname()[1], way) as proxy:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", proxy.port)) as client, server.accept()[0] as accepted:
                client.sendall(b"ask")
                assert accepted.recv(9) == b"ask"
                accepted.sendall(b"answer")
                assert client.recv(9) == b"answer"
    assert [one.bytes for one in ways] == [{UP: 3, DOWN: 6}] * 2


def test_a_proxy_that_holds_carries_nothing_until_it_lets_go(server: socket.socket) -> None:
    """What was sent meanwhile comes then."""
    with Proxy(server.getsockname()[1]) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as client, server.accept()[0] as accepted:
            proxy.hold()
            client.sendall(b"held")
            accepted.settimeout(0.1)
            with pytest.raises(TimeoutError):
                accepted.recv(9)
            proxy.release()
            accepted.settimeout(10)
            assert accepted.recv(9) == b"held"


def test_a_cut_proxy_ends_its_connections(server: socket.socket) -> None:
    """Both sides hear of it, and the next connection is carried."""
    with Proxy(server.getsockname()[1]) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as client, server.accept()[0] as accepted:
            client.sendall(b"carried")
            assert accepted.recv(9) == b"carried"
            proxy.cut()
            for one in (client, accepted):
                one.settimeout(10)
                assert _has_ended(one)
        with socket.create_connection(("127.0.0.1", proxy.port)), server.accept()[0]:
            pass


def _has_ended(one: socket.socket) -> bool:
    one.settimeout(10)
    try:
        return one.recv(9) == b""
    except ConnectionError:
        return True
