"""Large answers are read by those who want them, and hold up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from support.dubbo_peer import DubboPeer, foo_config

from callahead.consumer import Consumer
from callahead.consumer.codec.hessian2 import JavaObject, java_type

Consume = Callable[..., Consumer]
LARGE = "x" * 100_000
READ_BY: list[str] = []


@java_type("com.example.large.Told")
@dataclass
class Told:
    """Notes which thread read it."""

    text: str

    def __post_init__(self) -> None:
        READ_BY.append(threading.current_thread().name)


@pytest.fixture
def peer() -> Any:
    """Answers out of order, so that blocking calls are not led."""
    READ_BY.clear()
    with DubboPeer() as made:
        yield made


def answer_next(peer: DubboPeer, text: str) -> None:
    link, request = peer.next_call()
    link.answer(request, JavaObject("com.example.large.Told", {"text": text}))


def test_an_async_answer_is_read_on_a_callback_thread(consume: Consume, peer: DubboPeer) -> None:
    """A small one is read at once, by whoever reads the connections."""
    foo = consume(foo_config(peer.url)).reference("foo")
    futures = [foo.echo.future(1), foo.echo.future(2)]
    for text in (LARGE, "small"):
        answer_next(peer, text)
    assert {future.result(5).text for future in futures} == {LARGE, "small"}
    assert sorted(name.rstrip("0123456789") for name in READ_BY) == ["callahead-callback_", "callahead-dubbo-io"]


def test_a_blocking_call_reads_its_own_answer(consume: Consume, peer: DubboPeer) -> None:
    """Also where another call runs on the connection, so that its caller does not lead."""
    foo = consume(foo_config(peer.url)).reference("foo")
    pending = foo.echo.future(1)
    held = peer.next_call()
    threading.Thread(target=answer_next, args=(peer, LARGE)).start()
    assert foo.echo(2).text == LARGE
    assert READ_BY == [threading.current_thread().name]
    held[0].answer(held[1], 1)
    assert pending.result(5) == 1


def test_a_blocking_call_on_the_only_callback_thread_gets_its_answer(consume: Consume, peer: DubboPeer) -> None:
    """That thread cannot come to its help while it waits."""
    config = foo_config(peer.url)
    config.setdefault("consumer", {})["callback_executor"] = {"threads": 1}
    foo = consume(config).reference("foo")
    inner: list[Any] = []
    done = threading.Event()

    def ask_again(_: object) -> None:
        inner.append(foo.echo(3).text)
        done.set()

    first, second = foo.echo.future(1), foo.echo.future(2)
    calls = [peer.next_call(), peer.next_call()]
    first.add_done_callback(ask_again)
    calls[0][0].answer(calls[0][1], 1)
    answer_next(peer, LARGE)
    assert done.wait(5)
    assert inner == [LARGE]
    calls[1][0].answer(calls[1][1], 2)
    assert second.result(5) == 2
