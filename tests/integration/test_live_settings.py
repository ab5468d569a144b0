"""Configurators in real registries: what they change in a consumer that runs, and that it ends with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from support import nacos_server, zookeeper_server

from callahead.consumer import CallTimeout, Consumer
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry import ServiceKey
from callahead.registry.nacos.names import name_of

pytestmark = pytest.mark.long

WAIT_S = 20.0


class Kept(NamedTuple):
    """A registry in which one interface has providers.

    Attributes:
        address: Of the registry.
        interface: The interface, of this test alone.
        write: Keeps the configurators of the interface, or none.
    """

    address: str
    interface: str
    write: Callable[[str | None], None]


@contextmanager
def in_zookeeper(interface: str, urls: list[str]) -> Iterator[Kept]:
    server = zookeeper_server.shared()
    key = f"/dubbo/config/dubbo/{interface}::.configurators"

    def write(text: str | None) -> None:
        zookeeper_server.change(server, lambda zk: _replaced(zk, key, text))

    folder = f"/dubbo/{interface}/providers"
    zookeeper_server.change(
        server, lambda zk: [zk.create(f"{folder}/{quote_plus(url)}", makepath=True) for url in urls]
    )
    yield Kept(f"zookeeper://{server.address}", interface, write)


def _replaced(zk: KazooClient, key: str, text: str | None) -> None:
    with suppress(NoNodeError):
        zk.delete(key)
    if text is not None:
        zk.create(key, text.encode(), makepath=True)


@contextmanager
def in_nacos(interface: str, urls: list[str]) -> Iterator[Kept]:
    server = nacos_server.shared()
    with server.publisher() as publisher:
        for url in urls:
            host, _, port = url.removeprefix("dubbo://").partition(":")
            told = {"protocol": "dubbo", "path": interface}
            publisher.register(name_of(ServiceKey(interface)), host, int(port), told)
        key = f"{interface}::.configurators"
        yield Kept(f"nacos://{server.address}", interface, lambda text: server.publish("dubbo", key, text))


class Running:
    """A consumer that runs, and its two providers ``a`` and ``b``.

    Args:
        place: `in_zookeeper` or `in_nacos`.
        interface: As of `Kept`.
        ends: Ends all.
    """

    def __init__(self, place: Any, interface: str, ends: ExitStack) -> None:
        made = [ends.enter_context(EmbeddedProvider(protocol="dubbo", threads=1)) for _ in range(2)]
        for name, provider in zip("ab", made, strict=True):
            provider.serve(interface, find=lambda _argument, name=name: name)
        self.a = made[0]
        self.kept: Kept = ends.enter_context(place(interface, [provider.url for provider in made]))
        settings = {
            "registry": {"id": "main", "address": self.kept.address},
            "consumer": {"timeout": 30_000, "retries": 0, "loadbalance": "roundrobin"},
            "references": {
                "foo": {
                    "interface": interface,
                    "protocol": "dubbo",
                    "migration_step": "FORCE_INTERFACE",
                    "methods": {"find": {"parameter_types": ["int"]}},
                }
            },
        }
        self.consumer = ends.enter_context(Consumer(settings))
        self.find = self.consumer.reference("foo").find
        wait_until(lambda: self.answers() == {"a", "b"})

    def rule(self, parameters: str, providers: str = "") -> str:
        """Write a rule."""
        return f"configVersion: v3.0\nconfigs: [{{side: consumer, {providers}parameters: {{{parameters}}}}}]"

    def rule_of_a(self, parameters: str) -> str:
        """Write one of a provider."""
        address = self.a.url.removeprefix("dubbo://")
        return self.rule(parameters, f"providerAddresses: ['{address}'], ")

    def answers(self) -> set[str]:
        """Tell who answers."""
        return {self.find(1) for _ in range(20)}


def wait_until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < ends
        threading.Event().wait(0.02)


@pytest.fixture(params=[in_zookeeper, in_nacos], ids=["zookeeper", "nacos"])
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    with ExitStack() as ends:
        yield Running(request.param, f"a.{request.node.originalname}", ends)


def test_the_timeout_of_calls_changes(running: Running) -> None:
    """Of those that begin from then on; the policy names the rule."""
    running.kept.write(running.rule("timeout: 200"))
    wait_until(lambda: running.find.policy.timeout_ms == 200)
    assert running.find.policy.origin("timeout_ms") == f"{running.kept.interface}::.configurators:2"
    running.a.script("find", hang=True, times=1)
    with pytest.raises(CallTimeout, match="200 ms"):
        running.answers()
    running.kept.write(None)
    wait_until(lambda: running.find.policy.timeout_ms == 30_000)


def test_the_weight_of_a_provider_changes(running: Running) -> None:
    """One of 0 is asked no more."""
    running.kept.write(running.rule_of_a("weight: 0"))
    wait_until(lambda: running.answers() == {"b"})
    running.kept.write(None)
    wait_until(lambda: running.answers() == {"a", "b"})


def test_a_provider_is_disabled(running: Running) -> None:
    """It is listed no more."""
    running.kept.write(running.rule_of_a("disabled: true"))
    wait_until(lambda: running.answers() == {"b"})
    assert len(running.consumer.providers("foo").providers) == 1
    running.kept.write(None)
    wait_until(lambda: running.answers() == {"a", "b"})


def test_the_load_balancer_changes(running: Running) -> None:
    """Equal arguments are then asked of one provider."""
    running.kept.write(running.rule("loadbalance: consistenthash"))
    wait_until(lambda: len(running.answers()) == 1)
    running.kept.write(None)
    wait_until(lambda: running.answers() == {"a", "b"})
