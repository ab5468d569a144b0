"""A registry that is killed at the worst moment, and consumers that are closed while it is away."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote_plus

import pytest
from support.nacos_server import NacosServer
from support.nacos_server import require as require_nacos
from support.zookeeper_server import ZookeeperServer, change
from support.zookeeper_server import require as require_zookeeper

from callahead.consumer import Consumer

pytestmark = pytest.mark.long

COUNT = 40
WAIT_S = 30.0
# What a close may take: a goodbye of a second here and there, where each is bounded.
MOST_CLOSE_S = 8.0
INTERFACES = [f"a.B{number}" for number in range(COUNT)]


class Server(Protocol):
    """A server of which a test does what may befall one."""

    @property
    def address(self) -> str:
        """``host:port``."""

    def start(self) -> Any:
        """Start it."""

    def kill(self) -> None:
        """End it as a crash does."""

    def wipe(self) -> None:
        """Throw away its data, while it is down."""

    def pause(self) -> None:
        """Freeze it."""

    def resume(self) -> None:
        """Let it go on."""


class Estate(ExitStack):
    """A server with a provider of each interface, and of whatever registers again after its data are gone."""

    server: Server
    address: str

    def publish(self) -> None:
        """Register the providers."""
        raise NotImplementedError


class Zookeeper(Estate):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        require_zookeeper()
        self.server: ZookeeperServer = ZookeeperServer(folder)
        self.callback(self.server.kill)
        self.address = f"zookeeper://{self.server.address}?timeout=1s&session=4s"

    def publish(self) -> None:
        url = quote_plus("dubbo://10.0.0.1:20880")
        change(self.server, lambda zk: [self._put(zk, f"/dubbo/{each}/providers/{url}") for each in INTERFACES])

    @staticmethod
    def _put(client: Any, path: str) -> None:
        if not client.exists(path):
            client.create(path, makepath=True)


class Nacos(Estate):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        require_nacos()
        self.server: NacosServer = NacosServer(folder)
        self.callback(self.server.kill)
        self.address = f"nacos://{self.server.address}?timeout=1s&settle=1s"

    def publish(self) -> None:
        publisher = self.enter_context(self.server.publisher())
        for each in INTERFACES:
            publisher.register(f"providers:{each}::", "10.0.0.1", 20880, {"protocol": "dubbo"})


@pytest.fixture(params=[Zookeeper, Nacos], ids=["zookeeper", "nacos"])
def estate(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Estate]:
    with request.param(tmp_path) as one:
        one.server.start()
        one.publish()
        yield one


def settings(estate: Estate) -> dict[str, Any]:
    how = {"protocol": "dubbo", "generic": True, "check": False}
    return {
        "application": {"name": "test"},
        "registry": {"id": "main", "address": estate.address},
        "references": {each: {"interface": each, **how} for each in INTERFACES},
    }


def until(holds: Callable[[], bool], seconds: float = WAIT_S) -> bool:
    ticks = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if holds():
            return True
        ticks.wait(0.05)
    return holds()


def has_all(consumer: Consumer) -> bool:
    return all(len(consumer.providers(each).providers) == 1 for each in INTERFACES)


def left() -> list[str]:
    """Threads of registries that still run, grpcio's own and kazoo's included."""
    return [each.name for each in threading.enumerate() if each.name.startswith("callahead-registry")]


def closed(consumer: Consumer) -> bool:
    """Close it; True where that ended in bounded time, and nothing of its registries runs any more."""
    closing = threading.Thread(target=consumer.close)
    closing.start()
    closing.join(MOST_CLOSE_S)
    return not closing.is_alive() and until(lambda: not left(), 5.0)


def making(consumer: Consumer, made: list[str]) -> threading.Thread:
    """Make the references one by one on a thread."""

    def make() -> None:
        for each in INTERFACES:
            consumer.reference(each)
            made.append(each)

    thread = threading.Thread(target=make)
    thread.start()
    return thread


@pytest.mark.parametrize("after", [0, 1, 7])
def test_a_registry_that_is_killed_while_references_are_made(estate: Estate, after: int) -> None:
    """Each reference is made in bounded time, and all have their providers once the registry is there again."""
    made: list[str] = []
    with Consumer(settings(estate)) as consumer:
        thread = making(consumer, made)
        assert until(lambda: len(made) >= after)
        estate.server.kill()
        thread.join(WAIT_S)
        assert len(made) == COUNT
        estate.server.start()
        estate.publish()
        assert until(lambda: has_all(consumer))
        assert closed(consumer), left()


def down(estate: Estate) -> None:
    estate.server.kill()


def frozen(estate: Estate) -> None:
    estate.server.pause()


def back(estate: Estate) -> None:
    estate.server.kill()
    estate.server.start()


def wiped(estate: Estate) -> None:
    estate.server.kill()
    estate.server.wipe()
    estate.server.start()


@pytest.mark.parametrize("befalls", [down, frozen, back, wiped])
def test_a_consumer_is_closed_in_bounded_time_whatever_befalls_its_registry(
    estate: Estate, befalls: Callable[[Estate], None]
) -> None:
    """At once afterwards, with all lists known; no thread and no descriptor of a registry is left."""
    before = descriptors()
    consumer = Consumer(settings(estate))
    for each in INTERFACES:
        consumer.reference(each)
    befalls(estate)
    try:
        assert closed(consumer), left()
        assert until(lambda: descriptors() <= before)
    finally:
        if befalls is frozen:
            estate.server.resume()


@pytest.mark.parametrize("befalls", [down, frozen])
def test_a_consumer_may_be_closed_while_its_references_are_made(
    estate: Estate, befalls: Callable[[Estate], None]
) -> None:
    """Whoever makes one then is told that it is closed, and nobody waits for a registry that is away."""
    failed: list[BaseException] = []

    def make() -> None:
        try:
            for each in INTERFACES:
                consumer.reference(each)
        except Exception as error:
            failed.append(error)

    consumer = Consumer(settings(estate))
    befalls(estate)
    maker = threading.Thread(target=make)
    maker.start()
    try:
        assert closed(consumer), left()
        maker.join(MOST_CLOSE_S)
        assert not maker.is_alive()
        assert {type(error).__name__ for error in failed} <= {"ConsumerClosed"}
    finally:
        if befalls is frozen:
            estate.server.resume()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
