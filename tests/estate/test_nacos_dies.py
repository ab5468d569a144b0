"""A Nacos server dies under calls, and comes back with nothing: no call fails while providers live."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from load import Load, wait_for
from support.nacos_server import NacosServer, require

from callahead.consumer import Consumer
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry import ServiceKey
from callahead.registry.nacos.names import name_of

pytestmark = pytest.mark.long

FOO = "com.alibaba.foo.FooService"
# What the list may take to be right once providers have registered.
RIGHT_S = 5.0
# What providers of Dubbo take to come back to a server.
BACK_S = 3.7


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


@pytest.mark.parametrize(
    ("end", "seconds"),
    [
        pytest.param(NacosServer.kill, 3, id="killed"),
        pytest.param(NacosServer.stop, 3, id="stopped"),
        pytest.param(NacosServer.kill, 60, id="killed for a minute", marks=pytest.mark.minutes),
    ],
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
        with Load(lambda: consumer.reference("foo").findFoo.future(1), 500) as load:
            wait_for(lambda: answers_in(load) == set(first), RIGHT_S)
            end(server)
            server.wipe()
            time.sleep(seconds)
            server.start()
            time.sleep(BACK_S)
            new = provider_in(stack)
            register(server, stack, *first, new)
            wait_for(lambda: answers_in(load) == {*first, new}, RIGHT_S)
        assert load.failed == []


def answers_in(load: Load) -> set[str]:
    """Who has answered."""
    ended = [call.future for call in load.calls if call.future.done()]
    return {future.result() for future in ended if future.exception() is None}
