"""Real providers that die, stop, hang and come back: each call ends once, in time, and says what became of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Self

import pytest

from callahead.consumer import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    Consumer,
    LimitExceeded,
    Reference,
    RemoteProtocolError,
    RpcContext,
    RpcError,
    TransportError,
)
from tests.interop.conftest import Consume, Providers
from tests.interop.peers import Peer, peer_of, until
from tests.interop.provider import JavaProvider
from tests.interop.record_frames import FrameProxy
from tests.interop.wires import ALL_WIRES, DUBBO_27, DUBBO_33, JAVA_WIRES, Wire

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("bound")]

HEARTBEAT_MS = 1000
DUBBO_WIRES = (DUBBO_27, DUBBO_33)
each_wire = pytest.mark.parametrize("wire", ALL_WIRES, ids=lambda wire: wire.name)
each_java_wire = pytest.mark.parametrize("wire", JAVA_WIRES, ids=lambda wire: wire.name)
each_dubbo_wire = pytest.mark.parametrize("wire", DUBBO_WIRES, ids=lambda wire: wire.name)


@pytest.fixture(scope="module")
def own(java: None) -> Iterator[dict[str, JavaProvider]]:
    """Providers that only this file uses, since it kills them; they end a connection that is silent for 3 s."""
    properties = {"interop.heartbeat": HEARTBEAT_MS}
    providers = {version: JavaProvider(version, properties=properties) for version in ("2.7", "3.3")}
    yield providers
    for provider in providers.values():
        provider.kill()


@pytest.fixture
def provider(own: dict[str, JavaProvider], wire: Wire) -> Iterator[JavaProvider]:
    """The provider of the wire, running when the test begins."""
    provider = own[wire.version]
    if not provider.is_running:
        provider.start()
    yield provider
    if provider.is_running:
        provider.resume()


def answers(call: Callable[[], Any]) -> bool:
    """Whether a call gets an answer."""
    try:
        call()
    except RpcError:
        return False
    return True


def dubbo_counters(consumer: Consumer) -> Any:
    """What the one dubbo connection of a consumer has counted; there is no public way to it."""
    transport: Any = consumer._transports["dubbo"]
    (connection,) = transport._pool._shared.open()
    return connection.counters


def pending(peer: Peer, consumer: Consumer, count: int, delay_ms: int) -> list[Any]:
    """Begin that many calls and return their futures, once all are written."""
    futures = []
    for number in range(count):
        peer.echo_after(consumer, str(number), delay_ms)
        futures.append(RpcContext.get_context().get_future())
    return futures


@each_wire
def test_killed_under_calls_and_back(wire: Wire, provider: JavaProvider, consume: Consume) -> None:
    """A crash ends every pending call at once and in doubt, later calls as not sent; after a restart all is well."""
    peer = peer_of(wire, provider)
    consumer = consume(peer.references(), **{"async": True, "sent": True})
    peer.warm(consumer)
    futures = pending(peer, consumer, 20, 8000)
    provider.kill()
    began = time.monotonic()
    done, _ = wait(futures, timeout=5)
    assert time.monotonic() - began < 1.5
    assert len(done) == len(futures)
    for future in futures:
        error = future.exception()
        assert isinstance(error, ConnectionLost)
        assert (error.not_sent, error.in_doubt) == (False, True)
    with pytest.raises(TransportError) as caught:
        peer.echo_after(consumer, "down", 0)
    assert isinstance(caught.value, ConnectFailed)
    assert (caught.value.not_sent, caught.value.in_doubt) == (True, False)
    provider.start()
    assert until(lambda: answers(lambda: peer.count(consumer, "back")), 15)
    back = pending(peer, consumer, 20, 10)
    assert [peer.text_of(future.result(5)) for future in back] == [str(number) for number in range(20)]


@each_java_wire
def test_killed_under_synchronous_calls(wire: Wire, provider: JavaProvider, consume: Consume) -> None:
    """Threads that wait for an answer are released by the crash, not by their deadline."""
    echo = consume({"echo": wire.java(provider, "EchoService")}).reference("echo")
    echo.echo("warm")
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(echo.echo_after, "x", 8000) for _ in range(8)]
        time.sleep(0.3)  # for the requests to be written
        provider.kill()
        began = time.monotonic()
        errors = [future.exception(5) for future in waiting]
    assert time.monotonic() - began < 1.5
    assert {type(error) for error in errors} == {ConnectionLost}
    assert all(error.in_doubt for error in errors if isinstance(error, RpcError))


@each_java_wire
def test_killed_under_idempotent_calls(
    wire: Wire, provider: JavaProvider, providers: Providers, consume: Consume
) -> None:
    """What may run twice is tried at the other provider, and nobody notices; the rest is in doubt."""
    both = [wire.url(provider), wire.url(providers(wire.version))]
    reference = wire.java(provider, "EchoService", url=both, loadbalance="roundrobin", retries=2)
    consumer = consume({"sure": {**reference, "idempotent": True}, "once": reference})
    sure, once = consumer.reference("sure"), consumer.reference("once")
    for echo in (sure, once):
        assert [echo.echo("warm") for _ in range(4)] == ["warm"] * 4
    repeated = [sure.echo_after.future(str(number), 1500) for number in range(8)]
    single = [once.echo_after.future(str(number), 1500) for number in range(8)]
    time.sleep(0.5)
    provider.kill()
    assert [future.result(8) for future in repeated] == [str(number) for number in range(8)]
    assert sorted(future.attempts for future in repeated) == [1] * 4 + [2] * 4
    errors = [future.exception(8) for future in single]
    assert sum(error is None for error in errors) == 4
    assert sum(isinstance(error, ConnectionLost) and error.in_doubt for error in errors) == 4


@each_dubbo_wire
def test_one_way_calls_to_a_dead_provider(wire: Wire, provider: JavaProvider, consume: Consume) -> None:
    """A one-way call that could not be sent is counted as dropped; with sent it raises."""
    methods = {"touchKey": {"return": False}, "touchKeyThenFail": {"return": False, "sent": True}}
    consumer = consume({"counter": wire.java(provider, "CounterService", methods=methods)})
    counter = consumer.reference("counter")
    assert counter.count() == 0
    provider.kill()
    assert until(lambda: not answers(counter.count))
    assert counter.touch_key("k") is None
    assert until(lambda: consumer.counts()["counter"]["touchKey"].dropped == 1)
    with pytest.raises(ConnectFailed) as caught:
        counter.touch_key_then_fail("k")
    assert caught.value.not_sent


@each_dubbo_wire
def test_one_way_failure_is_never_heard_of(wire: Wire, provider: JavaProvider, consume: Consume) -> None:
    """The provider runs a one-way method that throws, and answers nothing: no error, no answer, no drop."""
    methods = {"touchKeyThenFail": {"return": False}}
    consumer = consume({"counter": wire.java(provider, "CounterService", methods=methods)})
    counter = consumer.reference("counter")
    for _ in range(5):
        assert counter.touch_key_then_fail("silent") is None
    assert until(lambda: counter.count_of("silent") == 5)
    assert consumer.counts()["counter"]["touchKeyThenFail"].dropped == 0
    assert dubbo_counters(consumer).unknown_answers == 0


class Stopping:
    """Stops a provider gracefully on a thread of its own, while the test goes on."""

    def __init__(self, provider: JavaProvider) -> None:
        self._thread = threading.Thread(target=provider.stop)

    def __enter__(self) -> Self:
        """Send the signal."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for its end."""
        self._thread.join()

    @property
    def is_over(self) -> bool:
        """The provider has ended."""
        return not self._thread.is_alive()


def asked(echo: Reference) -> str | None:
    """Which provider answers the next call."""
    assert echo.echo("who") == "who"
    call = RpcContext.get_context().last_call
    assert call is not None
    return call.provider


def asked_while_stopping(echo: Reference, wire: Wire) -> str | None:
    """Likewise; over tri a stopping provider may take the call with it, in doubt, for gRPC has no read-only event."""
    try:
        return asked(echo)
    except ConnectionLost as error:
        if wire.protocol == "tri" and error.in_doubt:
            return error.endpoint
        raise


@each_java_wire
def test_graceful_stop(wire: Wire, provider: JavaProvider, providers: Providers, consume: Consume) -> None:
    """A provider that stops answers its running calls and gets no new ones; back again, it is asked.

    No call over dubbo fails. That 2.7 withdraws its services before it sends the read-only event goes unnoticed: what
    it refuses meanwhile is asked of the other.
    """
    stays = wire.url(providers(wire.version))
    stops = wire.url(provider)
    settings = {"loadbalance": "roundrobin", "retries": 2, "url": [stops, stays]}
    echo = consume({"echo": wire.java(provider, "EchoService", **settings)}).reference("echo")
    assert {asked(echo) for _ in range(4)} == {stops, stays}
    running = [echo.echo_after.future(str(number), 1000) for number in range(6)]
    time.sleep(0.2)
    with Stopping(provider) as stopping:
        # That it stops is known while it still runs: four calls in a row then find the other alone.
        assert until(lambda: {asked_while_stopping(echo, wire) for _ in range(4)} == {stays}, 3)
        assert wire.protocol != "dubbo" or not stopping.is_over
        while not stopping.is_over:
            assert asked_while_stopping(echo, wire) == stays or wire.protocol == "tri"
            time.sleep(0.02)
        assert [future.result(5) for future in running] == [str(number) for number in range(6)]
        assert {future.attempts for future in running} == {1}
    provider.start()
    assert until(lambda: stops in {asked(echo) for _ in range(4)}, 15)


@each_java_wire
def test_paused(wire: Wire, provider: JavaProvider, consume: Consume) -> None:
    """While the provider hangs calls end by their own deadlines; its late answers reach nobody."""
    consumer = consume({"echo": wire.java(provider, "EchoService", timeout=400)})
    echo = consumer.reference("echo")
    assert echo.echo.with_options(timeout=5000)("warm") == "warm"  # a fresh JVM's first answer takes its time
    provider.pause()
    began = time.monotonic()
    futures = [echo.echo.future(f"late {number}") for number in range(10)]
    soon = echo.echo.with_options(timeout=150).future("sooner")
    assert isinstance(soon.exception(2), CallTimeout)
    assert 0.15 <= time.monotonic() - began < 0.35
    errors = [future.exception(2) for future in futures]
    assert 0.4 <= time.monotonic() - began < 0.65
    for error in errors:
        assert isinstance(error, CallTimeout)
        assert (error.not_sent, error.in_doubt, error.is_remote) == (False, True, False)
    provider.resume()
    for number in range(20):
        assert echo.echo.with_options(timeout=5000)(f"next {number}") == f"next {number}"
    if wire.protocol == "dubbo":
        assert until(lambda: dubbo_counters(consumer).unknown_answers == 11)
        assert dubbo_counters(consumer).connects == 1


@each_dubbo_wire
def test_paused_before_the_first_call(wire: Wire, provider: JavaProvider, consume: Consume) -> None:
    """The system still accepts connections for a provider that hangs; calls time out, and succeed afterwards."""
    echo = consume({"echo": wire.java(provider, "EchoService", timeout=300)}).reference("echo")
    provider.pause()
    began = time.monotonic()
    with pytest.raises(CallTimeout):
        echo.echo("x")
    assert 0.3 <= time.monotonic() - began < 0.55
    provider.resume()
    assert echo.echo.with_options(timeout=5000)("y") == "y"


@each_dubbo_wire
def test_silence_is_noticed_by_heartbeats(wire: Wire, provider: JavaProvider, consume: Consume) -> None:
    """After three unanswered heartbeats the connection is lost, long before the deadline of its calls."""
    settings = {"heartbeat": 200, "timeout": 8000}
    consumer = consume({"echo": wire.java(provider, "EchoService", **settings)})
    echo = consumer.reference("echo")
    assert echo.echo("warm") == "warm"
    provider.pause()
    began = time.monotonic()
    error = echo.echo.future("x").exception(8)
    assert isinstance(error, ConnectionLost)
    assert error.in_doubt
    assert 0.4 < time.monotonic() - began < 1.5
    provider.resume()
    assert until(lambda: answers(lambda: echo.echo("y")))


@each_dubbo_wire
def test_heartbeats_keep_the_connection(wire: Wire, provider: JavaProvider, consume: Consume) -> None:
    """The provider answers heartbeats, each by its id, and ends a silent connection only where none come.

    Another one is opened in its place without a call, and the next call succeeds.
    """
    mute = consume({"echo": wire.java(provider, "EchoService", heartbeat=0)})
    assert mute.reference("echo").echo("before") == "before"
    counters = dubbo_counters(mute)
    with FrameProxy(provider.dubbo_port) as proxy:
        settings = {"heartbeat": 400, "url": f"dubbo://127.0.0.1:{proxy.port}"}
        consumer = consume({"echo": wire.java(provider, "EchoService", **settings)})
        echo = consumer.reference("echo")
        assert echo.echo("before") == "before"
        proxy.take()
        time.sleep(4.2)  # longer than the three seconds of silence that this provider bears
        frames = proxy.take()
        assert echo.echo("after") == "after"
        assert dubbo_counters(consumer).connects == 1
        consumer.close(timeout=0)
    beats = [frame["hex"] for frame in frames if frame["from"] == "consumer" and frame["hex"].startswith("dabbe2")]
    answered = [frame["hex"] for frame in frames if frame["from"] == "provider" and frame["hex"].startswith("dabb2214")]
    assert 6 <= len(beats) <= 12
    assert [beat[8:24] for beat in beats] == [answer[8:24] for answer in answered]
    assert len(frames) == len(beats) + len(answered)
    assert until(lambda: counters.connects > 1)
    assert mute.reference("echo").echo("after") == "after"


@each_dubbo_wire
def test_answer_beyond_the_limit(wire: Wire, provider: JavaProvider, consume: Consume) -> None:
    """An answer larger than this side's limit is an error with numbers; the connection's other calls go on."""
    settings = {"max_response_bytes": 100_000}
    echo = consume({"echo": wire.java(provider, "EchoService", **settings)}).reference("echo")
    other = echo.echo_after.future("other", 200)
    with pytest.raises((LimitExceeded, RemoteProtocolError), match=r"100000.*max_response_bytes"):
        echo.string_of(200_000)
    assert other.result(5) == "other"
    assert len(echo.string_of(99_000)) == 99_000
