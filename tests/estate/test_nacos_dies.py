"""A Nacos server dies under calls, and comes back with nothing: no call fails while providers live."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.nacos_server import NacosServer, require

from callahead.consumer import Consumer
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry import ServiceKey
from callahead.registry.nacos.names import name_of

pytestmark = pytest.mark.long

FOO = "com.alibaba.foo.FooService"
CALLERS = 4
# What the list may take to be right once providers have registered.
RIGHT_S = 5.0
# What providers of Dubbo take to come back to a server.
BACK_S = 3.7


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
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def provider_in(stack: ExitStack) -> str:
    """Start one, and give its ``host:port``."""
    provider = EmbeddedProvider(protocol="dubbo")
    provider.serve(FOO, findFoo=lambda _foo_id: provider.url.removeprefix("dubbo://"))
    stack.enter_context(provider)
    return provider.url.removeprefix("dubbo://")


def register(server: NacosServer, stack: ExitStack, *addresses: str) -> None:
    """Let them be what the server knows, as long as it runs."""
    publisher = stack.enter_context(server.publisher())
    for address in addresses:
        host, _, port = address.partition(":")
        publisher.register(name_of(ServiceKey(FOO)), host, int(port), {"protocol": "dubbo", "path": FOO})


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("end", "seconds"),
    [(NacosServer.kill, 3), (NacosServer.stop, 3), (NacosServer.kill, 60)],
    ids=["killed", "stopped", "killed for a minute"],
)
def test_no_call_fails_while_nacos_is_down(tmp_path: Path, end: Callable[[NacosServer], None], seconds: float) -> None:
    """Nor when it is back with nothing; a provider that is new since is called some seconds after it has registered."""
    require()
    with ExitStack() as stack:
        server = stack.enter_context(NacosServer(tmp_path))
        first = [provider_in(stack) for _ in range(2)]
        register(server, stack, *first)
        reference = {"interface": FOO, "protocol": "dubbo", "methods": {"findFoo": {"parameter_types": ["int"]}}}
        registry = {"id": "main", "address": f"nacos://{server.address}"}
        consumer = stack.enter_context(Consumer({"registry": registry, "references": {"foo": reference}}))
        callers = Callers(consumer)
        try:
            wait_until(lambda: len(callers.answers) == len(first), RIGHT_S)
            end(server)
            server.wipe()
            time.sleep(seconds)
            server.start()
            time.sleep(BACK_S)
            new = provider_in(stack)
            register(server, stack, *first, new)
            wait_until(lambda: new in callers.answers, RIGHT_S)
        finally:
            callers.stop()
        assert set(callers.answers) == {*first, new}
