"""Three real Dubbo providers in Java that register themselves in a real registry, and consumers that find them."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, TypeVar

from load import Load, wait_for
from support import nacos_server, zookeeper_server
from support.sockets import descriptors

from callahead.consumer import Consumer, InvocationFuture
from callahead.consumer.limit.gate import Gate
from tests.interop.provider import JavaProvider

T = TypeVar("T")

ECHO: Final = "org.callahead.interop.EchoService"
_TEXT: Final = "java.lang.String"
# How long a crashed provider stays in ZooKeeper: longer than one takes to start, so that its old self is beside it.
_SESSION_MS: Final = 10_000
_PROVIDERS: Final = 3
# What a list, a JVM's start or an ejection may take on a busy machine.
WAIT_S: Final = 60.0


class JavaEstate:
    """Providers of Dubbo 3.3, each with ``dubbo`` and ``tri``, and the registry that they are in.

    Args:
        registry: Its address, as consumers are given it.
        query: What the providers' has beside that.
        settings: Of every reference.
        leaves_first: A provider that stops is out of the registry before it closes its ports.

    Attributes:
        providers: In the order in which they were started.
    """

    def __init__(self, registry: str, query: str, settings: Mapping[str, Any], *, leaves_first: bool) -> None:
        self.leaves_first = leaves_first
        self._registry = registry
        self._settings = settings
        properties = {
            "interop.registry": f"{registry}?{query}",
            "interop.application": "estate",
            "dubbo.network.interface.ignored": ".*",  # they are at 127.0.0.1
        }
        self.providers = [JavaProvider("3.3", properties=properties) for _ in range(_PROVIDERS)]

    def start(self) -> None:
        """Start those that do not run."""
        down = [provider for provider in self.providers if not provider.is_running]
        with ThreadPoolExecutor(_PROVIDERS) as starters:
            list(starters.map(JavaProvider.start, down))

    def kill(self) -> None:
        """Kill all of them."""
        for provider in self.providers:
            provider.kill()

    @contextmanager
    def consumer(self, protocol: str, **settings: Any) -> Iterator[Consumer]:
        """Make a consumer that knows and has asked all providers; in the end nothing may be under way or left open."""
        methods = {"echo": {"parameter_types": [_TEXT]}, "echoAfter": {"parameter_types": [_TEXT, "int"]}}
        reference = {"interface": ECHO, "protocol": protocol, "methods": methods, "max_pending": 10_000}
        config = {
            "registry": {"id": "main", "address": self._registry},
            "references": {"echo": {**reference, **self._settings, **settings}},
        }
        self.start()
        before = len(descriptors())
        with Consumer(config) as consumer:
            wait_for(lambda: asked(consumer) == self.urls(protocol), WAIT_S)
            yield consumer
            assert consumer.wait_idle(WAIT_S)
            assert under_way(consumer) == {}
        wait_for(lambda: len(descriptors()) <= before, WAIT_S)

    def urls(self, protocol: str) -> set[str]:
        """Where they answer."""
        return {url_of(provider, protocol) for provider in self.providers}


@contextmanager
def in_zookeeper(folder: Path, mode: str, settings: Mapping[str, Any]) -> Iterator[JavaEstate]:
    """Give an estate in a ZooKeeper server of its own, where *mode* is Dubbo's ``register-mode``."""
    zookeeper_server.require()
    with zookeeper_server.ZookeeperServer(folder) as server:
        query = f"register-mode={mode}&session={_SESSION_MS}"
        yield from _running(JavaEstate(f"zookeeper://{server.address}", query, settings, leaves_first=True))


@contextmanager
def in_nacos(folder: Path, mode: str, settings: Mapping[str, Any]) -> Iterator[JavaEstate]:
    """Give an estate in a server of Nacos' API, which a provider leaves three seconds after its ``tri`` port closed."""
    nacos_server.require()
    with nacos_server.NacosServer(folder) as server:
        query = f"register-mode={mode}"
        yield from _running(JavaEstate(f"nacos://{server.address}", query, settings, leaves_first=False))


def _running(estate: JavaEstate) -> Iterator[JavaEstate]:
    try:
        estate.start()
        yield estate
    finally:
        estate.kill()


def url_of(provider: JavaProvider, protocol: str) -> str:
    """Where *provider* answers."""
    return f"{protocol}://127.0.0.1:{provider.dubbo_port if protocol == 'dubbo' else provider.tri_port}"


def echo(consumer: Consumer) -> InvocationFuture[Any]:
    """Begin the least of calls."""
    future: InvocationFuture[Any] = consumer.reference("echo").echo.future("hello")
    return future


def echo_after(consumer: Consumer, delay_ms: int) -> InvocationFuture[Any]:
    """Begin a call that runs for *delay_ms*."""
    future: InvocationFuture[Any] = consumer.reference("echo").echoAfter.future("hello", delay_ms)
    return future


def asked(consumer: Consumer, calls: int = 60) -> set[str | None]:
    """Make *calls* calls, which may take their time, since a JVM's first answers do; return who answered."""
    patient = consumer.reference("echo").echo.with_options(timeout=f"{WAIT_S}s")
    futures = [patient.future("hello") for _ in range(calls)]
    return {future.provider for future in futures if future.exception(WAIT_S) is None}


def every(kind: type[T]) -> Iterator[T]:
    """Give all objects of *kind* that there are, whoever has them."""
    return (one for one in gc.get_objects() if type(one) is kind)


def under_way(consumer: Consumer) -> dict[str, int]:
    """Count what is, or was not given back, wherever calls are counted; what is zero is left out."""
    methods = [counts for methods in consumer.counts().values() for counts in methods.values()]
    found = {
        "calls": sum(counts.running for counts in methods) + len(consumer._runtime.running),
        "places": sum(gate._calls + gate._size + len(gate._waiting) for gate in every(Gate)),
        "in flight": sum(map(_in_flight, consumer._transports.values())),
    }
    return {name: count for name, count in found.items() if count}


def _in_flight(transport: Any) -> int:
    pools = [getattr(transport, name, None) for name in ("_pool", "_channels")]
    return sum(_calls_on(connection) for pool in pools if pool is not None for connection in pool._shared.open())


def _calls_on(connection: Any) -> int:
    if hasattr(connection, "is_busy"):  # grpcio's
        return connection.is_busy
    if hasattr(connection, "_calls"):
        return len(connection._calls.by_id)
    return sum(len(session.streams) for session in connection.sessions())


def load_on(consumer: Consumer, per_second: float) -> Load:
    """Make a load of `echo`."""
    return Load(partial(echo, consumer), per_second)


def first_answer(load: Load, url: str, since: float) -> float:
    """Wait for an answer from *url* to a call of *load* that began after *since*; how long after that it came.

    Both are seconds of `time.monotonic`.
    """

    def answers() -> list[float]:
        later = takewhile(lambda call: call.began >= since, reversed(load.calls))
        return [call.ended for call in later if call.ended and call.future.provider == url and call.error is None]

    wait_for(answers, WAIT_S)
    return min(answers()) - since


def errors_of(load: Load) -> Counter[str]:
    """Count the errors of its calls, by where and what they are."""
    return Counter(f"{call.error.endpoint}: {call.error.message}" for call in load.failed)


def told(what: str, load: Load, recovered: list[float]) -> str:
    """Say in one line what a load has seen; shown by ``pytest -rP``."""
    took = sorted(call.ended - call.began for call in load.calls)
    seconds = load.calls[-1].began - load.calls[0].began
    return (
        f"{what}: {len(load.calls)} calls in {seconds:.0f} s, {len(load.failed)} errors,"
        f" repeated {sum(call.future.attempts > 1 for call in load.calls)},"
        f" slowest answer {took[-1] * 1000:.0f} ms, 99 % within {took[len(took) * 99 // 100] * 1000:.0f} ms;"
        f" {len(recovered)} restarts, slowest recovery {max(recovered, default=0.0):.2f} s"
    )


def restart(provider: JavaProvider, end: Callable[[JavaProvider], Any], down_s: float = 1.0) -> float:
    """End *provider* and start it again; the second of `time.monotonic` from which on it serves."""
    end(provider)
    time.sleep(down_s)
    provider.start()
    return time.monotonic()
