"""Java providers that register themselves in a real ZooKeeper are found, called, and seen to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.zookeeper_server import ZookeeperServer, require

from callahead.config.policy import RegistryPolicy
from callahead.consumer import Consumer
from callahead.registry import RecordingListener, ServiceKey, open_registry
from tests.interop.provider import JavaProvider
from tests.interop.wires import JAVA_WIRES, STUBS, java_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("java", "bound")]


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZookeeperServer]:
    require()
    with ZookeeperServer(tmp_path_factory.mktemp("zookeeper")) as one:
        yield one


def registering(version: str, server: ZookeeperServer) -> JavaProvider:
    """A provider that registers its interfaces, as at 127.0.0.1, in a session that ends soon after it."""
    registry = f"zookeeper://{server.address}?register-mode=interface&session=2000"
    return JavaProvider(version, properties={"interop.registry": registry, "dubbo.network.interface.ignored": ".*"})


def test_java_providers_are_found_called_and_seen_to_end(server: ZookeeperServer) -> None:
    """Over dubbo and tri, of both versions: start, stop and kill."""
    heard = RecordingListener()
    registry = open_registry(RegistryPolicy(id="main", address=f"zookeeper://{server.address}"))
    with ExitStack() as ends:
        ends.callback(registry.close)
        registry.subscribe(ServiceKey(java_name("EchoService")), heard)
        old, new = (ends.enter_context(registering(version, server)) for version in ("2.7", "3.3"))
        of_old, of_new = [f"127.0.0.1:{old.dubbo_port}"], [f"127.0.0.1:{new.dubbo_port}", f"127.0.0.1:{new.tri_port}"]
        heard.wait_for(*of_old, *of_new, timeout_s=20)
        for wire in JAVA_WIRES:
            assert echoed(server, wire.protocol, **wire.more) == "hello"
        old.stop()
        heard.wait_for(*of_new, timeout_s=20)
        new.kill()
        heard.wait_for(timeout_s=20)


def echoed(server: ZookeeperServer, protocol: str, **settings: str) -> str:
    """What a provider answers that was found in the registry."""
    own = {"interface": java_name("EchoService"), "protocol": protocol, "stub": f"{STUBS}:EchoService"}
    reference = {**own, "timeout": "10s", **settings}
    registry = {"id": "main", "address": f"zookeeper://{server.address}"}
    with Consumer({"registry": registry, "references": {"echo": reference}}) as consumer:
        answer: str = consumer.reference("echo").echo("hello")
        return answer
