"""ZooKeeper dies under calls, and comes back with nothing: no call fails while providers live."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from support.applications import metadata_of
from support.zookeeper_server import ZookeeperServer, require

from callahead.consumer import Consumer
from callahead.consumer.testing import EmbeddedProvider

pytestmark = pytest.mark.long

FOO = "com.alibaba.foo.FooService"
CALLERS = 4


class Registered:
    """Providers, each written into the servers as Java does it: by interface, or by application."""

    def __init__(self, server: ZookeeperServer, stack: ExitStack, *, by_application: bool) -> None:
        self.server = server
        self._stack = stack
        self._by_application = by_application
        self.ports: list[int] = []

    def start(self) -> int:
        """Start one more, and give its port."""
        provider = EmbeddedProvider(protocol="dubbo")
        provider.serve(FOO, findFoo=lambda _foo_id: provider.url)
        self._stack.enter_context(provider)
        self.ports.append(int(provider.url.rpartition(":")[2]))
        return self.ports[-1]

    def write(self) -> None:
        """Let all that run be what the servers know."""
        client = self.server.client()
        for path, data in self._nodes():
            if not client.exists(path):
                client.create(path, data, makepath=True)
        client.stop()
        client.close()

    def _nodes(self) -> Iterator[tuple[str, bytes]]:
        if not self._by_application:
            for port in self.ports:
                yield f"/dubbo/{FOO}/providers/{quote_plus(f'dubbo://127.0.0.1:{port}/{FOO}')}", b""
            return
        service = {"name": FOO, "protocol": "dubbo", "path": FOO, "params": {"side": "provider"}}
        yield f"/dubbo/mapping/{FOO}", b"shop"
        yield "/dubbo/metadata/shop/r1", json.dumps({"services": {"foo": service}}).encode()
        for port in self.ports:
            said = {
                "address": "127.0.0.1",
                "port": port,
                "payload": {"metadata": metadata_of("r1", remote=True, dubbo=port)},
            }
            yield f"/services/shop/127.0.0.1:{port}", json.dumps(said).encode()


class Callers:
    """Threads that call until they are stopped, and count who answered and what failed."""

    def __init__(self, consumer: Consumer) -> None:
        self.answers: Counter[Any] = Counter()
        self._foo = consumer.reference("foo")
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]
        for thread in self._threads:
            thread.start()

    def _call(self) -> None:
        while not self._stopped.wait(0.002):
            try:
                answer: Any = self._foo.findFoo(1)
            except Exception as error:
                answer = type(error)
            with self._lock:
                self.answers[answer] += 1

    def stop(self) -> None:
        """Stop them."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def failures(self) -> list[Any]:
        """What failed."""
        return [answer for answer in self.answers if not isinstance(answer, str)]


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.minutes)])
@pytest.mark.parametrize("by_application", [False, True], ids=["interface", "application"])
def test_no_call_fails_while_zookeeper_is_down(tmp_path: Path, by_application: bool, seconds: float) -> None:
    """Nor when it is back with nothing, nor as the providers register again; a new one is then called, too."""
    require()
    with ExitStack() as stack:
        server = stack.enter_context(ZookeeperServer(tmp_path))
        estate = Registered(server, stack, by_application=by_application)
        first = [estate.start() for _ in range(2)]
        estate.write()
        methods = {"findFoo": {"parameter_types": ["int"]}}
        reference = {"interface": FOO, "protocol": "dubbo", "timeout": "10s", "methods": methods}
        registry = {"id": "main", "address": f"zookeeper://{server.address}?session=2s"}
        consumer = stack.enter_context(Consumer({"registry": registry, "references": {"foo": reference}}))
        callers = Callers(consumer)
        try:
            wait_until(lambda: len(callers.answers) == len(first))
            server.kill()
            server.wipe()
            time.sleep(seconds)
            server.start()
            time.sleep(3)  # long enough to see that nothing is there
            new = estate.start()
            estate.write()
            wait_until(lambda: any(str(answer).endswith(f":{new}") for answer in callers.answers))
        finally:
            callers.stop()
        assert callers.failures() == []
