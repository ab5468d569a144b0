"""How much memory requests take while they run, and that none of it stays."""

from __future__ import annotations

import gc
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import tri_peers
from support.dubbo_peer import DubboPeer, echo, foo_config, wait_until

from callahead.consumer import ConnectFailed, Consumer, LimitExceeded, RpcContext, SerializationError

MIB = 1024 * 1024
WIRES: dict[str, dict[str, str]] = {
    "dubbo": {"protocol": "dubbo"},
    "grpcio": {"protocol": "tri", "carrier": "grpcio"},
    "http2": {"protocol": "tri", "carrier": "http2"},
}
ECHO = {
    "interface": "a.Foo",
    "methods": {"echo": {"parameter_types": ["java.lang.String"], "timeout": "60s", "retries": 0}},
}


@pytest.fixture(params=["reads", "frozen"])
def silent(request: pytest.FixtureRequest) -> Iterator[tri_peers.Peer]:
    """A peer that never answers, whether it reads or not."""
    with tri_peers.Peer(tri_peers.mute if request.param == "reads" else lambda _: None) as peer:
        yield peer


def texts() -> Iterator[str]:
    """Make 2,000 texts of 100 kB, no two of them the same object."""
    return (f"{number:05}" * 20_000 for number in range(2000))


def numbers() -> Iterator[list[int]]:
    """Make 200 lists that hold 700 kB each, a tenth of which is what they are on the wire."""
    return (list(range(number * 1000 + 1000, number * 1000 + 21_000)) for number in range(200))


class Strange:
    """Something that fits no parameter."""


class Text(str):
    """A text whose end can be seen."""

    __slots__ = ("__weakref__",)


class Resident:
    """The most memory that this process had while it was watched."""

    def __init__(self) -> None:
        gc.collect()
        self._before = self._most = _resident()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.002):
            self._most = max(self._most, _resident())

    def growth(self) -> int:
        """Stop, and give the bytes by which it grew."""
        self._over.set()
        self._thread.join()
        return max(self._most, _resident()) - self._before


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


@pytest.mark.parametrize(
    ("payloads", "type_name"),
    [(texts, "java.lang.String"), pytest.param(numbers, "java.util.List", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    "wire",
    [pytest.param(wire, id=name, marks=[pytest.mark.long] if name == "grpcio" else []) for name, wire in WIRES.items()],
)
def test_requests_to_a_peer_that_never_answers_are_bounded_by_bytes(
    wire: dict[str, str], silent: tri_peers.Peer, payloads: Callable[[], Iterator[Any]], type_name: str
) -> None:
    """They grow by the limit and 20 MB at most, with arguments of their own; those beyond are refused, and keep none.

    What is held counts: the arguments as they are in Python, and each copy of the bytes that were made of them.
    """
    url = silent.url.replace("tri", wire["protocol"])
    methods = {"echo": {"parameter_types": [type_name], "timeout": "60s", "retries": 0}}
    reference = {"interface": "a.Foo", **wire, "url": url, "max_queued_bytes": 16 * MIB}
    with Consumer({"references": {"foo": {**reference, "methods": methods}}}) as consumer:
        foo = consumer.reference("foo")
        futures = [foo.echo.future(None)]
        resident = Resident()
        futures += [foo.echo.future(payload) for payload in payloads()]
        wait_until(lambda: sum(future.done() for future in futures) > 0.8 * len(futures))
        assert resident.growth() <= 16 * MIB + 20_000_000
        ends = {type(future.exception(0)) for future in futures if future.done()}
        assert LimitExceeded in ends
        assert ends <= {LimitExceeded, ConnectFailed}  # gRPC's core gives a mute peer up after 20 s, on a busy machine
        consumer.close(0)


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_attachments_of_requests_count_among_their_bytes(wire: dict[str, str], silent: tri_peers.Peer) -> None:
    """Attachments alone fill the room of a connection."""
    url = silent.url.replace("tri", wire["protocol"])
    reference = {**ECHO, **wire, "url": url, "max_queued_bytes": MIB}
    with Consumer({"references": {"foo": reference}}) as consumer:
        foo = consumer.reference("foo")
        futures = []
        for _ in range(20):
            RpcContext.get_context().attachments["big"] = "x" * 100_000
            futures.append(foo.echo.future("small"))
        wait_until(lambda: sum(future.done() for future in futures) > 10)
        assert {type(future.exception(0)) for future in futures if future.done()} == {LimitExceeded}
        consumer.close(0)


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_a_call_whose_arguments_cannot_be_encoded_keeps_none_of_them(wire: dict[str, str]) -> None:
    """Nor does its error, by the frames of what led to it."""
    reference = {**ECHO, **wire, "url": "127.0.0.1:1"}
    with Consumer({"references": {"foo": reference}}) as consumer:
        future = consumer.reference("foo").echo.future(strange := Strange())
        thing = weakref.ref(strange)
        del strange
        error = future.exception(5)
        assert isinstance(error, SerializationError)
        assert thing() is None


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
@pytest.mark.parametrize("retries", [0, 2])
def test_a_call_that_has_ended_keeps_none_of_its_attachments(wire: dict[str, str], retries: int) -> None:
    """Whoever holds its future holds the answer, but nothing of what was asked; neither do its attempts."""
    methods = {"echo": {**ECHO["methods"]["echo"], "retries": retries}}
    reference = {**ECHO, "methods": methods, **wire, "url": "127.0.0.1:1"}
    with Consumer({"references": {"foo": reference}}) as consumer:
        RpcContext.get_context().attachments["big"] = big = Text("x" * 1000)
        text = weakref.ref(big)
        del big
        future = consumer.reference("foo").echo.future("small")
        assert future.exception(5) is not None
        assert future.attempts == retries + 1
        assert dict(future.invocation.attachments) == {}
        wait_until(lambda: text() is None)


def test_a_large_request_is_repeated_from_the_frame_of_the_first_attempt() -> None:
    """Its arguments are encoded once and kept once, and the next provider gets them whole."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        closed = f"dubbo://127.0.0.1:{gone.getsockname()[1]}"
    text = "x" * 300_000
    with DubboPeer(echo) as peer:
        config: dict[str, Any] = foo_config(f"{closed};{peer.url}", loadbalance="roundrobin", retries=1)
        with Consumer(config) as consumer:
            future = consumer.reference("foo").echo.future(text)
            assert future.result(5) == text
            assert future.attempts == 2
