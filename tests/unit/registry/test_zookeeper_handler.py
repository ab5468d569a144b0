"""How kazoo's sockets are waited for and read from."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from callahead.registry.zookeeper.handler import Handler, _BoundedSocket


@pytest.fixture
def handler() -> Handler:
    return Handler("test", None)


@pytest.fixture
def ends() -> Iterator[tuple[_BoundedSocket, socket.socket]]:
    """What is read from, as kazoo does it, and the peer."""
    near, far = socket.socketpair()
    with _BoundedSocket(fileno=near.detach()) as bounded, far:
        bounded.setblocking(False)
        yield bounded, far


def test_what_has_come_is_taken_at_once(handler: Handler, ends: tuple[_BoundedSocket, socket.socket]) -> None:
    """The size of an answer and the answer are asked for one by one; the second is not waited for."""
    near, far = ends
    far.sendall(b"\0\0\0\5hello\0\0\0\2")
    assert handler.select([near], [], [], 10.0)[0] == [near]
    assert (near.recv(4), near.pending()) == (b"\0\0\0\5", 9)
    assert handler.select([near], [], [], 10.0)[0] == [near]
    assert (near.recv(5), near.recv(4), near.pending()) == (b"hello", b"\0\0\0\2", 0)
    assert handler.select([near], [], [], 0.0)[0] == []


def test_what_came_before_the_end_is_read(handler: Handler, ends: tuple[_BoundedSocket, socket.socket]) -> None:
    """And then the end."""
    near, far = ends
    far.sendall(b"abc")
    far.close()
    assert [near.recv(1) for _ in range(4)] == [b"a", b"b", b"c", b""]
    assert handler.select([near], [], [], 10.0)[0] == [near]


def test_a_size_that_nobody_can_mean_is_refused(ends: tuple[_BoundedSocket, socket.socket]) -> None:
    """The first bytes of HTTP, read as one."""
    near, far = ends
    far.sendall(b"HTTP")
    size = int.from_bytes(near.recv(4))
    with pytest.raises(OSError, match=f"a message of {size} bytes is announced, and may have 268435456"):
        near.recv(size)


def test_a_socket_with_room_can_be_written_to(handler: Handler, ends: tuple[_BoundedSocket, socket.socket]) -> None:
    """That is said at once, beside nothing to read."""
    near, _ = ends
    assert handler.select([], [near], [], 10.0) == ([], [near], [])


def test_a_greeting_that_does_not_come_is_waited_for_less_long_than_a_session(
    handler: Handler, ends: tuple[_BoundedSocket, socket.socket]
) -> None:
    """Twice as long at each attempt, for a server that is slow, and from the start again after one that came."""
    near, _ = ends
    first = handler._greeting_s
    handler.is_refused, handler._greeting_s = True, 0.01
    for _ in range(2):
        assert handler.select([near], [], [], 60.0) == ([], [], [])
    assert handler._greeting_s == 0.04
    handler.succeed()
    assert handler._greeting_s == first
