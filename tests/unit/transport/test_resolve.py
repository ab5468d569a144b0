"""From hosts to addresses, and how many names are looked up at once."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator

import pytest
from support.shortage import no_threads_called

from callahead.consumer.transport.tcp.resolve import Address, Answer, LookUps, place

SOON = 10.0
ADDRESS: Address = (socket.AF_INET, ("10.0.0.1", 1))


class SlowNames:
    """Names that are looked up for as long as a test wants; a `LookUps` and who asks it.

    Attributes:
        look_ups: Under test.
        answers: What it has told, with the name that was asked for.
        asked: The names that have been asked of the system.
    """

    def __init__(self) -> None:
        self.look_ups = LookUps("callahead-test-dns", self._ask)
        self.answers: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
        self.asked: list[str] = []
        self._begun = threading.Semaphore(0)
        self._goes_on = threading.Event()

    def _ask(self, address: tuple[str, int]) -> Answer:
        self.asked.append(address[0])
        self._begun.release()
        assert self._goes_on.wait(SOON)
        return [ADDRESS]

    def ask(self, name: str) -> None:
        """Look *name* up."""
        self.look_ups((name, 1), lambda answer: self.answers.put((name, answer)))

    def wait_begun(self, count: int) -> None:
        """Wait until so many names are being looked up."""
        for _ in range(count):
            assert self._begun.acquire(timeout=SOON)

    def go_on(self) -> None:
        """Let all of them be found."""
        self._goes_on.set()

    def told(self, count: int) -> list[str]:
        """Give the names that the next answers are for."""
        return [self.answers.get(timeout=SOON)[0] for _ in range(count)]


@pytest.fixture
def names() -> Iterator[SlowNames]:
    """Names that are not found yet."""
    made = SlowNames()
    yield made
    made.go_on()


def now(host: str, port: int = 1) -> Answer:
    """What is told of *host* before the call returns."""
    told: list[Answer] = []
    LookUps("callahead-test-dns")((host, port), told.append)
    (answer,) = told
    return answer


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.0.0.1", ADDRESS),
        ("::1", (socket.AF_INET6, ("::1", 1, 0, 0))),
    ],
)
def test_an_address_needs_no_thread(host: str, address: Address) -> None:
    """It is read at once."""
    assert now(host) == [address]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("unix:///run/foo.sock", "/run/foo.sock"),
        ("unix:///run/a%20space%2fx", "/run/a space/x"),
        ("unix-abstract:foo", "\0foo"),
        ("unix-abstract:a%00b", "\0a\0b"),
    ],
)
def test_a_unix_socket_is_where_it_says(written: str, path: str) -> None:
    """The name of an abstract one stands behind a zero byte."""
    assert now(written, 0) == [(socket.AF_UNIX, path)]


@pytest.mark.parametrize("host", ["foo..bar", "a" * 64, ".foo"])
def test_what_no_name_can_be(host: str) -> None:
    """No system is asked, and no thread of ours sees an error that it does not expect."""
    answer = now(host)
    assert isinstance(answer, OSError)
    assert answer.strerror == "it is no host name"


def test_one_look_up_serves_all_who_ask_meanwhile(names: SlowNames) -> None:
    """However many connections dial, again and again, while name servers are silent."""
    for _ in range(100):
        names.ask("foo.internal")
    names.wait_begun(1)
    names.go_on()
    assert names.told(100) == ["foo.internal"] * 100
    assert names.asked == ["foo.internal"]


def test_who_asks_later_is_told_anew(names: SlowNames) -> None:
    """No answer is kept."""
    names.go_on()
    for _ in range(2):
        names.ask("foo.internal")
        assert names.told(1) == ["foo.internal"]
    assert names.asked == ["foo.internal"] * 2


def test_so_many_names_are_looked_up_at_once(names: SlowNames) -> None:
    """The others have their turn afterwards, and in the end no thread is left."""
    for number in range(200):
        names.ask(f"foo{number}.internal")
    names.wait_begun(32)
    assert sum(thread.name == "callahead-test-dns" for thread in threading.enumerate()) == 32
    names.go_on()
    assert sorted(names.told(200)) == sorted(f"foo{number}.internal" for number in range(200))
    for thread in threading.enumerate():
        if thread.name == "callahead-test-dns":
            thread.join(SOON)
            assert not thread.is_alive()


def test_without_a_thread_all_who_ask_are_told(names: SlowNames) -> None:
    """And the next one tries again."""
    with no_threads_called("dns"):
        names.ask("foo.internal")
        _, answer = names.answers.get(timeout=SOON)
    assert isinstance(answer, OSError)
    assert answer.strerror == "can't start new thread"
    names.go_on()
    names.ask("foo.internal")
    assert names.answers.get(timeout=SOON) == ("foo.internal", [ADDRESS])


@pytest.mark.parametrize(
    ("address", "written"),
    [
        (ADDRESS, "10.0.0.1:1"),
        ((socket.AF_INET6, ("::1", 2, 0, 0)), "[::1]:2"),
        ((socket.AF_UNIX, "/run/foo.sock"), "/run/foo.sock"),
    ],
)
def test_how_an_address_is_written(address: Address, written: str) -> None:
    """For messages."""
    assert place(address) == written
