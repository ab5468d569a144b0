"""Batches over real protocols."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from support.programs import Programs

from callahead.consumer import ConnectFailed, Consumer, batch_oneway, flush_batch, oneway
from callahead.consumer.codec.hessian2 import Long
from callahead.consumer.testing import EmbeddedProvider

HEAD = """
from callahead.consumer import batch_oneway

methods = {"put": {"parameter_types": ["long", "java.lang.String"]}}
stock = {"interface": "a.Stock", "protocol": "dubbo", "url": sys.argv[1], "timeout": 30000, "methods": methods}
consumer = Consumer({"references": {"stock": stock}})
"""


class Stock(Protocol):
    def put(self, article_id: Long, text: str) -> None: ...


class Shelf:
    def __init__(self) -> None:
        self.articles: list[int] = []
        self.came = threading.Semaphore(0)

    def put(self, number: int) -> None:
        self.articles.append(number)
        self.came.release()

    def wait(self, count: int) -> list[int]:
        for _ in range(count):
            assert self.came.acquire(timeout=20)
        return sorted(self.articles)


def put_over_dubbo(view: Any, number: int) -> Any:
    return view.put.future(number, "x" * 1000)


def put_over_tri(view: Any, number: int) -> Any:
    return view.touch.future(bar_id=number)


DUBBO: dict[str, Any] = {"interface": "a.Stock", "protocol": "dubbo", "stub": f"{__name__}:Stock", "timeout": 30_000}
TRI: dict[str, Any] = {
    "interface": "com.alibaba.bar.BarService",
    "module": "callahead.conf.bar_pb2",
    "timeout": 30_000,
}


WIRES = pytest.mark.parametrize(
    ("wire", "put"), [("dubbo", put_over_dubbo), ("grpcio", put_over_tri), ("http2", put_over_tri)]
)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def stock_url(shelf: Shelf) -> Iterator[str]:
    with EmbeddedProvider(protocol="dubbo") as provider:
        provider.serve("a.Stock", {"put": lambda number, text: shelf.put(number)}, stub=DUBBO["stub"])
        yield provider.url


@pytest.fixture
def dubbo(stock_url: str) -> Iterator[Any]:
    with Consumer({"references": {"stock": {**DUBBO, "url": stock_url}}}) as consumer:
        yield consumer.reference("stock")


@pytest.fixture
def grpcio(shelf: Shelf) -> Iterator[Any]:
    yield from over_tri(shelf, "grpcio")


@pytest.fixture
def http2(shelf: Shelf) -> Iterator[Any]:
    yield from over_tri(shelf, "http2")


def over_tri(shelf: Shelf, carrier: str) -> Iterator[Any]:
    with EmbeddedProvider() as provider:
        methods = {"touch": lambda request: shelf.put(request.bar_id) or {}}
        provider.serve(TRI["interface"], methods, module=TRI["module"])
        with Consumer({"references": {"stock": {**TRI, "carrier": carrier, "url": provider.url}}}) as consumer:
            yield consumer.reference("stock")


@WIRES
def test_a_batch_arrives(request: pytest.FixtureRequest, shelf: Shelf, wire: str, put: Any) -> None:
    """Nothing before the flush, everything after it; each future ends once its request is written."""
    view = batch_oneway(request.getfixturevalue(wire), max_delay=60)
    futures = [put(view, number) for number in range(20)]
    assert shelf.articles == []
    assert flush_batch(view, 20) == 20
    assert [future.result(5) for future in futures] == [None] * 20
    assert shelf.wait(20) == list(range(20))


@WIRES
def test_what_waits_for_a_connection_leaves(request: pytest.FixtureRequest, shelf: Shelf, wire: str, put: Any) -> None:
    """Of whichever view; over tri a connection is all that one address has, too."""
    reference = request.getfixturevalue(wire)
    views = [batch_oneway(reference, max_delay=60) for _ in range(2)]
    first = put(oneway(reference), 0)
    assert first.result(20) is None
    futures = [put(view, number) for number, view in enumerate(views, 1)]
    assert flush_batch(first.connection, 20) == 2
    assert [future.result(5) for future in futures] == [None] * 2
    assert shelf.wait(3) == [0, 1, 2]


def test_what_waits_for_another_connection_stays(stock_url: str, shelf: Shelf) -> None:
    """Although the same consumer has queued it."""
    with EmbeddedProvider(protocol="dubbo") as other:
        other.serve("a.Stock", {"put": lambda number, text: shelf.put(number)}, stub=DUBBO["stub"])
        settings = {"stock": {**DUBBO, "url": stock_url}, "other": {**DUBBO, "url": other.url}}
        with Consumer({"references": settings}) as consumer:
            views = [batch_oneway(consumer.reference(name), max_delay=60) for name in settings]
            first = put_over_dubbo(oneway(consumer.reference("stock")), 0)
            assert first.result(20) is None
            for number, view in enumerate(views, 1):
                put_over_dubbo(view, number)
            assert flush_batch(first.connection, 20) == 1
            assert shelf.wait(2) == [0, 1]
            assert flush_batch(consumer, 20) == 1


def test_the_client_of_a_python_reference_is_its_connection(shelf: Shelf) -> None:
    """What waits for it goes to its threads."""
    settings = {"protocol": "python", "methods": {"put": {"return": False, "batch": {"max_delay": "60s"}}}}
    with Consumer({"references": {"stock": settings}}) as consumer:
        stock = consumer.wrap("stock", Clerk(shelf))
        stock.put(1)
        (connection,) = consumer.connections()
        assert flush_batch(connection, 20) == 1
        assert shelf.wait(1) == [1]


class Clerk:
    """A client of this process."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def put(self, number: int) -> None:
        self._shelf.put(number)


BATCHED = {"return": False, "batch": {"max_count": 20, "max_delay": "60s"}}


def test_a_batch_by_configuration_arrives_over_dubbo(stock_url: str, shelf: Shelf) -> None:
    """The twentieth call takes the others along; the call site is a plain call."""
    settings = {**DUBBO, "url": stock_url, "methods": {"put": BATCHED}}
    with Consumer({"references": {"stock": settings}}) as consumer:
        _put_twenty(lambda number: consumer.reference("stock").put(number, "x"), shelf)


def test_a_batch_by_configuration_arrives_over_tri(shelf: Shelf) -> None:
    """Each request is a stream of its own there; they are handed to gRPC one behind the other."""
    with EmbeddedProvider() as provider:
        methods = {"touch": lambda request: shelf.put(request.bar_id) or {}}
        provider.serve(TRI["interface"], methods, module=TRI["module"])
        settings = {**TRI, "url": provider.url, "methods": {"touch": BATCHED}}
        with Consumer({"references": {"stock": settings}}) as consumer:
            _put_twenty(lambda number: consumer.reference("stock").touch(bar_id=number), shelf)


def test_a_batch_by_configuration_arrives_over_python(shelf: Shelf) -> None:
    """They go to the threads of the reference at once."""
    settings = {"protocol": "python", "methods": {"put": BATCHED}}
    with Consumer({"references": {"stock": settings}}) as consumer:
        _put_twenty(consumer.wrap("stock", Clerk(shelf)).put, shelf)


def _put_twenty(put: Callable[[int], object], shelf: Shelf) -> None:
    for number in range(19):
        assert put(number) is None
    assert shelf.articles == []
    put(19)
    assert shelf.wait(20) == list(range(20))


def test_what_waits_when_the_consumer_closes_leaves(stock_url: str, shelf: Shelf) -> None:
    """Long before its time."""
    settings = {**DUBBO, "url": stock_url, "methods": {"put": BATCHED}}
    with Consumer({"references": {"stock": settings}}) as consumer:
        consumer.reference("stock").put(1, "x")
    assert shelf.wait(1) == [1]


def test_they_leave_by_their_bytes(dubbo: Any, shelf: Shelf) -> None:
    """Two of a thousand bytes are more than fifteen hundred."""
    view = batch_oneway(dubbo, max_bytes=1500, max_delay=60)
    for number in range(3):
        put_over_dubbo(view, number)
    assert shelf.wait(2) == [0, 1]
    assert flush_batch(view, 20) == 1
    assert shelf.wait(1) == [0, 1, 2]


def test_a_batch_for_a_provider_that_is_not_there(closed_port: str) -> None:
    """Each call has its error, and the flush all of them."""
    url = closed_port.replace("tri://", "dubbo://")
    with Consumer({"references": {"stock": {**DUBBO, "url": url, "retries": 0}}}) as consumer:
        view = batch_oneway(consumer.reference("stock"), max_delay=60)
        futures = [put_over_dubbo(view, number) for number in range(3)]
        with pytest.raises(ExceptionGroup) as caught:
            flush_batch(consumer, 20)
        assert [type(future.exception(5)) for future in futures] == [ConnectFailed] * 3
        assert len(caught.value.exceptions) == 3


@pytest.mark.slow
def test_what_waits_when_the_interpreter_exits_leaves(programs: Programs, stock_url: str, shelf: Shelf) -> None:
    """Nobody has flushed, and nobody has closed the consumer."""
    program = """
    view = batch_oneway(consumer.reference("stock"), max_delay=0.3)
    for number in range(5):
        view.put(number, "x")
    """
    done = programs.run(program, stock_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert shelf.wait(5) == list(range(5))
