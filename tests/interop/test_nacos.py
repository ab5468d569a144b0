"""Java providers that register themselves in a real server of Nacos' API are found, called, and seen to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.nacos_server import PASSWORD, USER, NacosServer, require

from callahead.config.policy import RegistryPolicy
from callahead.consumer import Consumer
from callahead.registry import RecordingListener, ServiceKey, open_registry
from tests.interop.provider import JavaProvider
from tests.interop.wires import JAVA_WIRES, STUBS, java_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("java", "bound")]

ECHO = java_name("EchoService")
WAIT_S = 30.0


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NacosServer]:
    require()
    with NacosServer(tmp_path_factory.mktemp("nacos")) as one:
        yield one


@pytest.fixture
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NacosServer]:
    require()
    with NacosServer(tmp_path_factory.mktemp("nacos"), auth=True) as one:
        yield one


def registering(version: str, server: NacosServer, query: str, **properties: str) -> JavaProvider:
    """A provider that registers as at 127.0.0.1."""
    given = {f"interop.{key}": value for key, value in properties.items()}
    registry = f"nacos://{server.address}?{query}"
    options = {"interop.registry": registry, "dubbo.network.interface.ignored": ".*", **given}
    return JavaProvider(version, properties=options)


def echoed(server: NacosServer, protocol: str, query: str = "", **settings: Any) -> str:
    """What a provider answers that was found in the registry."""
    reference = {"interface": ECHO, "protocol": protocol, "stub": f"{STUBS}:EchoService", "timeout": "10s", **settings}
    registry = {"id": "main", "address": f"nacos://{server.address}?{query}"}
    with Consumer({"registry": registry, "references": {"echo": reference}}) as consumer:
        answer: str = consumer.reference("echo").echo("hello")
        return answer


def test_java_providers_are_found_called_and_seen_to_end(server: NacosServer) -> None:
    """Over dubbo and tri, of both versions: start, stop and kill; and the server starts again meanwhile."""
    heard = RecordingListener()
    registry = open_registry(RegistryPolicy(id="main", address=f"nacos://{server.address}?settle=1s"))
    with ExitStack() as ends:
        ends.callback(registry.close)
        registry.subscribe(ServiceKey(ECHO), heard)
        old = ends.enter_context(registering("2.7", server, ""))
        new = ends.enter_context(registering("3.3", server, "register-mode=all"))
        of_old, of_new = [f"127.0.0.1:{old.dubbo_port}"], [f"127.0.0.1:{new.dubbo_port}", f"127.0.0.1:{new.tri_port}"]
        heard.wait_for(*of_old, *of_new, timeout_s=WAIT_S)
        for wire in JAVA_WIRES:
            for step in ("FORCE_INTERFACE", "FORCE_APPLICATION", "APPLICATION_FIRST"):
                assert echoed(server, wire.protocol, migration_step=step, **wire.more) == "hello"
        server.kill()
        server.start()
        before = len(heard.snapshots)
        heard.wait(lambda one: len(one.endpoints) == 3 and "not renewed" not in one.reason, WAIT_S)
        assert all(snapshot.endpoints for snapshot in heard.snapshots[before:])
        old.stop()
        heard.wait_for(*of_new, timeout_s=WAIT_S)
        new.kill()
        heard.wait_for(timeout_s=WAIT_S)


@pytest.mark.parametrize("metadata", ["local", "remote"])
def test_an_application_in_a_namespace_and_a_group_is_found_behind_a_log_in(
    guarded_server: NacosServer, metadata: str
) -> None:
    """Over each protocol, wherever its metadata are."""
    where = "namespace=live&group=SHOP"
    account = f"username={USER}&password={PASSWORD}"
    query = f"register-mode=instance&{where}&{account}"
    with registering("3.3", guarded_server, query, application="shop", metadataType=metadata):
        for protocol in ("dubbo", "tri"):
            settings = {"migration_step": "FORCE_APPLICATION"}
            assert echoed(guarded_server, protocol, f"{where}&{account}", **settings) == "hello"
