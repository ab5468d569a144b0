"""What only HTTP/2 of our own tells of Unix sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from callahead.consumer import ConnectFailed, Consumer

Greeting = Callable[..., Consumer]


@pytest.fixture
def carrier() -> str:
    """The carrier under test."""
    return "http2"


def failing(consumer: Consumer) -> str:
    with pytest.raises(ConnectFailed) as caught:
        consumer.reference("greeter").say_hello(name="Ann")
    return caught.value.message


def test_a_path_that_is_too_long(greeting: Greeting, socket_folder: Path) -> None:
    """The system allows some hundred bytes."""
    assert failing(greeting(f"unix://{socket_folder}/{'a' * 120}")) == "no connection: AF_UNIX path too long"


def test_a_server_that_accepts_nothing(greeting: Greeting, socket_folder: Path) -> None:
    """It has let so many connections wait that one more is refused, without any wait of our own."""
    place = str(socket_folder / "foo.sock")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(place)
        listener.listen(0)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(place)
        assert failing(greeting(f"unix://{place}")) == "no connection: its queue of connections is full"


def test_an_abstract_socket_is_asked_of_no_proxy(greeting: Greeting, proxy_environment: Callable[..., None]) -> None:
    """It is no host, though grpcio asks its proxy for one of that name."""
    proxy_environment(grpc_proxy="http://127.0.0.1:9")
    assert failing(greeting("unix-abstract:callahead-nobody")) == "no connection: Connection refused"
