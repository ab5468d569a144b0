"""Java providers that register their application in a real ZooKeeper are found, called, and seen to end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.zookeeper_server import ZookeeperServer, require

from callahead.consumer import Consumer, RpcError
from tests.interop.provider import JavaProvider
from tests.interop.wires import STUBS, java_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("java", "bound")]

ECHO = java_name("EchoService")
WAIT_S = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZookeeperServer]:
    require()
    with ZookeeperServer(tmp_path_factory.mktemp("zookeeper")) as one:
        yield one


Provide = Callable[..., JavaProvider]


@pytest.fixture
def provide(server: ZookeeperServer) -> Iterator[Provide]:
    """Start a provider that registers as at 127.0.0.1, in a session that ends soon after it."""
    with ExitStack() as ends:

        def start(version: str = "3.3", mode: str = "instance", **properties: str) -> JavaProvider:
            registry = f"zookeeper://{server.address}?register-mode={mode}&session=2000"
            given = {f"interop.{key}": value for key, value in properties.items()}
            options = {"interop.registry": registry, "dubbo.network.interface.ignored": ".*", **given}
            return ends.enter_context(JavaProvider(version, properties=options))

        yield start


def consumer_of(server: ZookeeperServer, protocol: str, **settings: Any) -> Consumer:
    reference = {"interface": ECHO, "protocol": protocol, "stub": f"{STUBS}:EchoService", "timeout": "5s"}
    registry = {"id": "main", "address": f"zookeeper://{server.address}"}
    return Consumer({"registry": registry, "references": {"echo": {**reference, **settings}}})


def known_to(consumer: Consumer) -> list[str]:
    """The providers that the reference knows; Java's own ports, so that two kinds of one are seen as two."""
    pipeline = consumer._pipelines["echo"]
    return sorted(provider.endpoint.address for provider in pipeline.directory.providers)


def wait_until(holds: Callable[[], bool], seconds: float = WAIT_S) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("metadata", ["local", "remote"])
@pytest.mark.parametrize("protocols", ["dubbo", "tri", "dubbo,tri"])
def test_an_application_is_found_and_called(
    server: ZookeeperServer, provide: Provide, protocols: str, metadata: str
) -> None:
    """Over each protocol that it has, wherever the metadata are and whichever version tells them."""
    name = f"app-{protocols.replace(',', '-')}-{metadata}"
    provider = provide(protocols=protocols, metadataType=metadata, application=name)
    for protocol in protocols.split(","):
        port = provider.dubbo_port if protocol == "dubbo" else provider.tri_port
        with consumer_of(server, protocol, migration_step="FORCE_APPLICATION") as consumer:
            assert consumer.reference("echo").echo("hello") == "hello"
            assert known_to(consumer) == [f"127.0.0.1:{port}"]


def test_a_provider_that_registers_both_ways_is_one(server: ZookeeperServer, provide: Provide) -> None:
    """Beside one of 2.7, which has only the one way; each step sees what it shall."""
    both, old = provide(mode="all", application="app-all"), provide("2.7", mode="interface")
    by_application, by_both = (
        [f"127.0.0.1:{both.dubbo_port}"],
        sorted(f"127.0.0.1:{port}" for port in (both.dubbo_port, old.dubbo_port)),
    )
    for step, expected in (
        ("APPLICATION_FIRST", by_both),
        ("FORCE_APPLICATION", by_application),
        ("FORCE_INTERFACE", by_both),
    ):
        with consumer_of(server, "dubbo", migration_step=step, provided_by="app-all") as consumer:
            assert consumer.reference("echo").echo("hello") == "hello"
            assert known_to(consumer) == expected, step


def test_starts_stops_and_crashes_are_seen(server: ZookeeperServer, provide: Provide) -> None:
    """No call fails while another instance lives, and one that comes back at its address is one provider."""
    settings = {"migration_step": "FORCE_APPLICATION", "provided_by": "app-life"}
    first = provide(application="app-life")
    with consumer_of(server, "dubbo", **settings) as consumer:
        echo = consumer.reference("echo")
        assert echo.echo("hello") == "hello"
        second = provide(application="app-life")
        both = sorted(f"127.0.0.1:{one.dubbo_port}" for one in (first, second))
        wait_until(lambda: known_to(consumer) == both)
        first.stop()
        wait_until(lambda: known_to(consumer) == [f"127.0.0.1:{second.dubbo_port}"])
        assert echo.echo("hello") == "hello"
        second.kill()
        second.start()
        wait_until(lambda: _answers(echo))
        wait_until(lambda: known_to(consumer) == [f"127.0.0.1:{second.dubbo_port}"])
        second.kill()
        wait_until(lambda: known_to(consumer) == [])


def _answers(echo: Any) -> bool:
    try:
        return bool(echo.echo("hello") == "hello")
    except RpcError:
        return False
