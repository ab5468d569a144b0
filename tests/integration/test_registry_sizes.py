"""Ten thousand providers in real registries, and five hundred references: what they cost, from the first byte on.

``pytest --full -rP tests/integration/test_registry_sizes.py`` prints the figures that the manual shows.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote_plus

import pytest
from support.nacos_server import NacosServer
from support.nacos_server import require as require_nacos
from support.zookeeper_server import ZookeeperServer
from support.zookeeper_server import require as require_zookeeper

from callahead.consumer import Consumer

pytestmark = pytest.mark.long

COUNT = 10_000
REFERENCES = 500
# What is measured takes less than a second; a busy machine and a slower one may take some more.
MOST_CPU_S = 3.0
WAIT_S = 60.0

_TOLD = {
    "application": "shop", "deprecated": "false", "dubbo": "2.0.2", "dynamic": "true", "find.timeout": "2500",
    "generic": "false", "interface": "a.B", "methods": "find,touch", "release": "3.3.6",
    "prefer.serialization": "hessian2,fastjson2", "side": "provider", "timestamp": "1795634098890",
}  # fmt: skip
_INSTANCE = {
    "dubbo.endpoints": json.dumps([{"port": 20880, "protocol": "dubbo"}]),
    "dubbo.metadata-service.url-params": json.dumps({"port": "20880", "protocol": "dubbo", "version": "1.0.0"}),
    "dubbo.metadata.revision": "abc",
    "dubbo.metadata.storage-type": "remote",
    "timestamp": "1795634098890",
}
_SERVICE = {"name": "a.B", "protocol": "dubbo", "port": 20880, "path": "a.B", "params": _TOLD}
_METADATA = json.dumps({"app": "shop", "revision": "abc", "services": {"a.B:dubbo": _SERVICE}})


def host(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


class Kind(Protocol):
    """A registry, and the hand that fills it."""

    address: str

    def fill(self, count: int, *, by_application: bool) -> None:
        """Register *count* providers of ``a.B``."""

    def fill_many(self, count: int) -> None:
        """Register one provider of each of *count* interfaces."""

    def take_out(self) -> None:
        """Take one of them out."""

    def close(self) -> None:
        """End it."""


class Zookeeper:
    def __init__(self, folder: Path) -> None:
        require_zookeeper()
        self._server = ZookeeperServer(folder).start()
        self._client = self._server.client()
        self._made: list[str] = []
        self.address = f"zookeeper://{self._server.address}?timeout=30s&session=30s"

    def fill(self, count: int, *, by_application: bool) -> None:
        if by_application:
            self._client.create("/dubbo/mapping/a.B", b"shop", makepath=True)
            self._client.create("/dubbo/metadata/shop/abc", _METADATA.encode(), makepath=True)
            self._create({f"/services/shop/{host(number)}:20880": _node(number) for number in range(count)})
        else:
            told = "&".join(f"{key}={quote_plus(value)}" for key, value in _TOLD.items())
            urls = (f"dubbo://{host(number)}:20880/a.B?{told}" for number in range(count))
            self._create({f"/dubbo/a.B/providers/{quote_plus(url)}": b"" for url in urls})

    def fill_many(self, count: int) -> None:
        folders = (f"/dubbo/a.B{number}/providers" for number in range(count))
        self._create({f"{each}/{quote_plus('dubbo://10.0.0.1:20880')}": b"" for each in folders})

    def take_out(self) -> None:
        self._client.delete(self._made.pop())

    def close(self) -> None:
        self._client.stop()
        self._client.close()
        self._server.kill()

    def _create(self, nodes: dict[str, bytes]) -> None:
        for folder in {name.rpartition("/")[0] for name in nodes}:
            self._client.ensure_path(folder)
        for answer in [self._client.create_async(name, data) for name, data in nodes.items()]:
            answer.get(timeout=WAIT_S)
        self._made += nodes


def _node(number: int) -> bytes:
    return json.dumps({
        "name": "shop", "id": f"{host(number)}:20880", "address": host(number), "port": 20880, "sslPort": None,
        "payload": {"@class": "ZookeeperInstance", "id": host(number), "name": "shop", "metadata": _INSTANCE},
        "registrationTimeUTC": 1795634098890, "serviceType": "DYNAMIC", "uriSpec": None,
    }).encode()  # fmt: skip


class Nacos:
    def __init__(self, folder: Path) -> None:
        require_nacos()
        self._server = NacosServer(folder).start()
        self._publisher = self._server.publisher()
        self._made: list[tuple[str, str, int]] = []
        self.address = f"nacos://{self._server.address}?timeout=30s"

    def fill(self, count: int, *, by_application: bool) -> None:
        if by_application:
            self._server.publish("mapping", "a.B", "shop")
            self._server.publish("abc", "shop", _METADATA)
        service = "shop" if by_application else "providers:a.B::"
        told = _INSTANCE if by_application else {**_TOLD, "protocol": "dubbo", "path": "a.B"}
        for number in range(count):
            self._register(service, host(number), told)

    def fill_many(self, count: int) -> None:
        for number in range(count):
            self._register(f"providers:a.B{number}::", "10.0.0.1", {"protocol": "dubbo"})

    def take_out(self) -> None:
        self._publisher.deregister(*self._made.pop())

    def close(self) -> None:
        self._publisher.close()
        self._server.kill()

    def _register(self, service: str, at: str, told: dict[str, str]) -> None:
        self._publisher.register(service, at, 20880, told)
        self._made.append((service, at, 20880))


@pytest.fixture(params=[Zookeeper, Nacos], ids=["zookeeper", "nacos"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    one = request.param(tmp_path)
    yield one
    one.close()


def settings(kind: Kind, *interfaces: str) -> dict[str, Any]:
    how = {"protocol": "dubbo", "generic": True, "check": False}
    return {
        "application": {"name": "test"},
        "registry": {"id": "main", "address": kind.address},
        "references": {interface: {"interface": interface, **how} for interface in interfaces},
    }


def cpu_s(work: Callable[[], object]) -> float:
    """Processor seconds of this process, all threads, that *work* takes."""
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


def wait_for(consumer: Consumer, count: int) -> None:
    """Wait until the reference has so many providers."""
    directory = consumer._pipelines["a.B"].directory  # type: ignore[attr-defined]
    for _ in range(int(WAIT_S / 0.01)):
        if len(directory.providers) == count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{len(directory.providers)} providers, and not {count}")


def change(kind: Kind, consumer: Consumer, left: int) -> float:
    """Processor seconds until it is seen that one has left, a while after the change before."""
    time.sleep(1.0)
    return cpu_s(lambda: (kind.take_out(), wait_for(consumer, left)))


def resident_mib() -> float:
    """What of this process is in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.parametrize("by_application", [False, True], ids=["by interface", "by application"])
def test_ten_thousand_providers_are_taken_over_in_less_than_a_second(
    kind: Kind, by_application: bool, request: pytest.FixtureRequest
) -> None:
    """Of processor time, from the registry to the list that calls see; and one that goes is seen, for less."""
    kind.fill(COUNT, by_application=by_application)
    with Consumer(settings(kind, "a.B", "a.Nothing")) as consumer:
        consumer.reference("a.Nothing")  # imports, and the session
        before = resident_mib()
        first = cpu_s(lambda: (consumer.reference("a.B"), wait_for(consumer, COUNT)))
        held = (resident_mib() - before) / COUNT * 1024
        changes = [change(kind, consumer, COUNT - number) for number in (1, 2, 3)]
    name = request.node.callspec.id
    print(f"{name}: first {first:.2f} s, then one left {sorted(changes)[1]:.2f} s; {held:.1f} KiB for each provider")
    assert first < MOST_CPU_S
    assert max(changes) < MOST_CPU_S


def test_five_hundred_references_start_in_seconds(kind: Kind, request: pytest.FixtureRequest) -> None:
    """Their number, and not its square, says how long; every one has its provider."""
    kind.fill_many(REFERENCES)
    names = [f"a.B{number}" for number in range(REFERENCES)]
    with Consumer(settings(kind, "a.Nothing", *names)) as consumer:
        consumer.reference("a.Nothing")
        half = cpu_s(lambda: [consumer.reference(name) for name in names[: REFERENCES // 2]])
        rest = cpu_s(lambda: [consumer.reference(name) for name in names[REFERENCES // 2 :]])
        assert all(len(consumer.providers(name).providers) == 1 for name in names)
    print(f"{request.node.callspec.id}: the first half {half:.2f} s, the second {rest:.2f} s")
    assert rest < half * 2  # three times as much, were all looked at whenever one was read
