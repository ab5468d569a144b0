"""What every registry promises, run over every implementation.

A new one joins by adding a `Source` to SOURCES. `fixed` marks those whose list never changes; they are asked less.
"""

import itertools
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Protocol
from urllib.parse import quote_plus

import pytest
from _pytest.mark import ParameterSet
from support.applications import Applications, NobodyIsAsked, metadata_of
from support.dns_server import DnsServer
from support.nacos_server import shared as shared_nacos
from support.zookeeper_server import shared

from callahead.config.policy import RegistryPolicy
from callahead.registry import (
    DirectRegistry,
    FileRegistry,
    MemoryRegistry,
    MergedRegistry,
    RecordingListener,
    Registry,
    RegistryError,
    ServiceKey,
    Snapshot,
    Subscription,
    open_registry,
)
from callahead.registry.cached.registry import CachedRegistry
from callahead.registry.cached.store import ListStore
from callahead.registry.discovery.discovery import Discovery
from callahead.registry.discovery.registry import DiscoveringRegistry
from callahead.registry.dns import DnsRegistry
from callahead.registry.nacos.names import name_of
from callahead.registry.url import Url, endpoint_of

KEY = ServiceKey("a.B")
WAIT_S = 20.0

names = map("contract-{}".format, itertools.count())


class Source(Protocol):
    """A registry together with the hand that changes what is in it."""

    def open(self) -> Registry:
        """Make a registry that sees what `put` puts."""

    def put(self, providers: Mapping[str, Sequence[str]]) -> None:
        """Make *providers*, from service text to URLs, all that there is."""

    def close(self) -> None:
        """Take everything down again."""


class MemorySource:
    def __init__(self, _: Path) -> None:
        self.space = MemoryRegistry.named(next(names))
        self.known: set[str] = set()

    def open(self) -> Registry:
        return MemoryRegistry(RegistryPolicy(id="memory", address=f"memory://{self.space.name}"))

    def put(self, providers: Mapping[str, Sequence[str]]) -> None:
        for gone in self.known - providers.keys():
            self.space.withdraw(gone)
        for service, urls in providers.items():
            self.space.publish(service, urls)
        self.known = set(providers)

    def close(self) -> None:
        self.space.clear()


class FileSource:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "providers.yml"
        self.put({})

    def open(self) -> Registry:
        return FileRegistry(RegistryPolicy(id="file", address=f"{self.path.as_uri()}?interval=10"))

    def put(self, providers: Mapping[str, Sequence[str]]) -> None:
        lines = [f"{service}: {[*urls]}\n" for service, urls in providers.items()]
        new = self.path.with_suffix(".new")
        new.write_text("".join(lines) if lines else "{}")
        os.replace(new, self.path)

    def close(self) -> None:
        pass


class MergedSource:
    """Of two registries the second is changed; the first knows only a service that nobody asks for."""

    def __init__(self, folder: Path) -> None:
        self.parts = [MemorySource(folder), MemorySource(folder)]
        self.parts[0].put({"a.Elsewhere": ["tri://elsewhere:1"]})
        self.opened: list[Registry] = []

    def open(self) -> Registry:
        below = [part.open() for part in self.parts]
        self.opened += below
        return MergedRegistry(below)

    def put(self, providers: Mapping[str, Sequence[str]]) -> None:
        self.parts[1].put(providers)

    def close(self) -> None:
        for registry in self.opened:
            registry.close()
        for part in self.parts:
            part.close()


class DirectSource:
    """Holds what was last put when it is opened."""

    def __init__(self, _: Path) -> None:
        self.urls: list[str] = []

    def open(self) -> Registry:
        endpoints = map(endpoint_of, map(Url.parse, self.urls))
        return DirectRegistry(tuple(endpoint for endpoint in endpoints if endpoint is not None), "a test")

    def put(self, providers: Mapping[str, Sequence[str]]) -> None:
        self.urls = [url for urls in providers.values() for url in urls]

    def close(self) -> None:
        pass


class ZookeeperSource:
    """A root of its own in a server that all tests share; every change is one transaction."""

    def __init__(self, _: Path) -> None:
        self.root = next(names)
        self.server = shared()
        self.client = self.server.client()
        self.nodes: set[str] = set()

    def open(self) -> Registry:
        return open_registry(
            RegistryPolicy(id="zk", address=f"zookeeper://{self.server.address}?group={self.root}&register=false")
        )

    def put(self, providers: Mapping[str, Sequence[str]]) -> None:
        wanted = {self._node(ServiceKey.parse(service), url) for service, urls in providers.items() for url in urls}
        for folder in {node.rpartition("/")[0] for node in wanted - self.nodes}:
            self.client.ensure_path(folder)
        change = self.client.transaction()
        for node in sorted(self.nodes - wanted):
            change.delete(node)
        for node in sorted(wanted - self.nodes):
            change.create(node)
        change.commit()
        self.nodes = wanted

    def _node(self, service: ServiceKey, url: str) -> str:
        told = f"{url}{'&' if '?' in url else '?'}group={service.group}&version={service.version}"
        return f"/{self.root}/{service.interface}/providers/{quote_plus(told)}"

    def close(self) -> None:
        self.client.stop()
        self.client.close()


class DnsSource:
    """SRV records of one name; it knows no services, so that of `put` only those of ``a.B`` are there."""

    def __init__(self, _: Path) -> None:
        self.server = DnsServer()

    def open(self) -> Registry:
        query = f"server={self.server.address}&refresh=10&empty_protection=false"
        return DnsRegistry(RegistryPolicy(id="dns", address=f"dns://_tri._tcp.shop.test?{query}"))

    def put(self, providers: Mapping[str, Sequence[str]]) -> None:
        urls = map(Url.parse, providers.get(str(KEY), ()))
        self.server.put("_tri._tcp.shop.test", "SRV", *(f"0 0 {url.port} {url.host}." for url in urls))

    def close(self) -> None:
        self.server.close()


class NacosSource:
    """A group of its own in a server that all tests share; its instances go one by one, and then others come."""

    def __init__(self, _: Path) -> None:
        self.group = next(names)
        self.server = shared_nacos()
        self.publisher = self.server.publisher()
        self.known: set[tuple[str, str]] = set()

    def open(self) -> Registry:
        return open_registry(
            RegistryPolicy(id="nacos", address=f"nacos://{self.server.address}?group={self.group}&settle=500ms")
        )

    def put(self, providers: Mapping[str, Sequence[str]]) -> None:
        wanted = {(name_of(ServiceKey.parse(service)), url) for service, urls in providers.items() for url in urls}
        for service, url in sorted(self.known - wanted):
            gone = Url.parse(url)
            self.publisher.deregister(service, gone.host, gone.port, group=self.group)
        for service, url in sorted(wanted - self.known):
            new = Url.parse(url)
            told = {**new.parameters, "protocol": new.protocol, "path": new.path}
            self.publisher.register(service, new.host, new.port, told, group=self.group)
        self.known = wanted

    def close(self) -> None:
        self.publisher.close()


class _Discovering(DiscoveringRegistry):
    """One with a discovery of its own, as every registry of a consumer has it."""

    def __init__(self, registry: Applications) -> None:
        self.discovery = Discovery("contract", registry, NobodyIsAsked())
        super().__init__(registry, self.discovery, step="FORCE_APPLICATION", provided_by=["shop"])

    def close(self) -> None:
        super().close()
        self.discovery.close()


class ApplicationSource:
    """Every provider is an instance of one application, with a revision of its own that the registry describes."""

    def __init__(self, _: Path) -> None:
        self.registry = Applications()
        self.known: dict[tuple[ServiceKey, str], str] = {}

    def open(self) -> Registry:
        return _Discovering(self.registry)

    def put(self, providers: Mapping[str, Sequence[str]]) -> None:
        each = [(ServiceKey.parse(service), Url.parse(url)) for service, urls in providers.items() for url in urls]
        self.registry.put_instances("shop", *(self._instance(service, url) for service, url in each))

    def _instance(self, service: ServiceKey, url: Url) -> tuple[str, dict[str, str]]:
        revision = f"r{len(self.known)}" if (service, str(url)) not in self.known else self.known[service, str(url)]
        self.known[service, str(url)] = revision
        said = {
            "name": service.interface,
            "group": service.group,
            "version": service.version,
            "protocol": url.protocol,
            "params": dict(url.parameters),
        }
        self.registry.put_metadata("shop", revision, json.dumps({"services": {"one": said}}))
        host = f"[{url.host}]" if ":" in url.host else url.host
        return f"{host}:{url.port}", metadata_of(revision, remote=True)

    def close(self) -> None:
        self.registry.close()


class _Cached(CachedRegistry):
    """One with a file of its own, as every registry of a consumer has it, over a registry of its own."""

    def __init__(self, registry: Registry, file: Path) -> None:
        self.below, self.store = registry, ListStore("contract", str(file))
        super().__init__(registry, self.store)

    def close(self) -> None:
        super().close()
        self.store.close()
        self.below.close()


class CachedSource(MemorySource):
    """The lists of a registry in memory, kept in a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.file = folder / "lists.json"

    def open(self) -> Registry:
        return _Cached(super().open(), self.file)


SOURCES: dict[str, Callable[[Path], Source]] = {
    "cached": CachedSource,
    "memory": MemorySource,
    "file": FileSource,
    "merged": MergedSource,
    "applications": ApplicationSource,
}
FIXED: dict[str, Callable[[Path], Source]] = {"direct": DirectSource}
LONG: dict[str, Callable[[Path], Source]] = {"nacos": NacosSource, "zookeeper": ZookeeperSource}
# What keeps one provider of an address, whatever it speaks.
ONE_AN_ADDRESS = ("nacos",)


def params(*tables: dict[str, Callable[[Path], Source]], but: Sequence[str] = ()) -> list[ParameterSet]:
    quick = [pytest.param(kind, id=name) for table in tables for name, kind in table.items()]
    long = [(name, kind) for name, kind in LONG.items() if name not in but]
    return [*quick, *(pytest.param(kind, id=name, marks=pytest.mark.long) for name, kind in long)]


def made(kind: Callable[[Path], Source], folder: Path) -> Iterator[Source]:
    before = set(threading.enumerate())
    one = kind(folder)
    yield one
    one.close()
    assert is_soon(lambda: set(threading.enumerate()) <= before)


def is_soon(is_so: Callable[[], bool]) -> bool:
    """Wait: grpcio's threads end some time after their channel."""
    until = time.monotonic() + WAIT_S
    while not is_so() and time.monotonic() < until:
        time.sleep(0.01)
    return is_so()


@pytest.fixture(params=params(SOURCES, FIXED))
def any_source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    yield from made(request.param, tmp_path)


# What only a registry that tells services apart can be asked.
OF_SERVICES = ("test_many_subscriptions_hear_of_their_own_service", "test_only_providers_that_match_are_told")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try `source` on all, but what concerns several services on those alone that know of services."""
    if "source" in metafunc.fixturenames:
        tables = [SOURCES] if metafunc.function.__name__ in OF_SERVICES else [SOURCES, {"dns": DnsSource}]
        metafunc.parametrize("source", params(*tables), indirect=True)


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    yield from made(request.param, tmp_path)


@pytest.fixture
def registry(source: Source) -> Iterator[Registry]:
    one = source.open()
    yield one
    one.close()


def test_the_first_snapshot_is_full_and_told_before_subscribe_returns(any_source: Source) -> None:
    """A consumer can call as soon as it has subscribed."""
    any_source.put({"a.B": ["tri://h:1", "tri://h:2?weight=7", "tri://[::1]:3"]})
    registry, heard = any_source.open(), RecordingListener()
    registry.subscribe(KEY, heard)
    registry.close()
    (snapshot,) = heard.snapshots
    assert heard.addresses == ["[::1]:3", "h:1", "h:2"]
    assert sorted(endpoint.weight for endpoint in snapshot.endpoints) == [7, 100, 100]
    assert snapshot.reason


def test_no_address_is_told_twice_and_no_switched_off_one(any_source: Source) -> None:
    """Whatever stands in the registry."""
    any_source.put({"a.B": ["tri://h:1?weight=1", "tri://h:1?weight=2", "tri://h:2?disabled=true", "dubbo://h:3"]})
    registry, heard = any_source.open(), RecordingListener()
    registry.subscribe(KEY, heard)
    registry.close()
    assert sorted(map(str, heard.snapshots[0].endpoints)) == ["dubbo://h:3", "tri://h:1"]


@pytest.mark.parametrize("any_source", params(SOURCES, FIXED, but=ONE_AN_ADDRESS), indirect=True)
def test_an_address_may_speak_two_protocols(any_source: Source) -> None:
    """Each is a provider."""
    any_source.put({"a.B": ["tri://h:1", "dubbo://h:1"]})
    registry, heard = any_source.open(), RecordingListener()
    registry.subscribe(KEY, heard)
    registry.close()
    assert sorted(map(str, heard.snapshots[0].endpoints)) == ["dubbo://h:1", "tri://h:1"]


def test_a_service_without_providers_is_told_as_an_empty_list(any_source: Source) -> None:
    """Not knowing a service is an answer, not an error."""
    registry, heard = any_source.open(), RecordingListener()
    registry.subscribe(KEY, heard)
    registry.close()
    assert [snapshot.endpoints for snapshot in heard.snapshots] == [()]


def test_close_is_idempotent_and_refuses_what_comes_after(any_source: Source) -> None:
    """A closed registry answers with an error of its own."""
    registry = any_source.open()
    subscription = registry.subscribe(KEY, RecordingListener())
    registry.close()
    registry.close()
    subscription.close()
    with pytest.raises(RegistryError, match=r"closed$"):
        registry.subscribe(KEY, RecordingListener())


def test_a_subscription_may_be_closed_twice_and_from_another_thread(any_source: Source) -> None:
    """Close is idempotent from any thread."""
    registry = any_source.open()
    subscription = registry.subscribe(KEY, RecordingListener())
    closer = Thread(target=subscription.close)
    closer.start()
    closer.join(WAIT_S)
    subscription.close()
    registry.close()
    assert not closer.is_alive()


def test_each_change_is_told_as_a_full_list(source: Source, registry: Registry) -> None:
    """Additions, removals and replacements alike; versions grow."""
    heard = RecordingListener()
    registry.subscribe(KEY, heard)
    for addresses in (["h:1"], ["h:1", "h:2"], ["h:2"], ["h:3"]):
        source.put({"a.B": [f"tri://{address}" for address in addresses]})
        heard.wait_for(*addresses)
    versions = [snapshot.version for snapshot in heard.snapshots]
    assert versions == sorted(set(versions))


def test_an_emptied_list_is_announced(source: Source, registry: Registry) -> None:
    """The last provider's end is told, whether its service stays with an empty list or goes with it."""
    heard = RecordingListener()
    empty: list[dict[str, list[str]]] = [{"a.B": []}, {}]
    registry.subscribe(KEY, heard)
    for nothing in empty:
        source.put({"a.B": ["tri://h:1"]})
        heard.wait_for("h:1")
        source.put(nothing)
        assert "no provider of a.B" in heard.wait_for().reason


def test_changes_are_told_in_their_order(source: Source, registry: Registry) -> None:
    """A later state is never followed by an earlier one, though some may be left out."""
    heard = RecordingListener()
    registry.subscribe(KEY, heard)
    for port in range(1, 101):
        source.put({"a.B": [f"tri://h:{port}"]})
    heard.wait_for("h:100")
    ports = [endpoint.port for snapshot in heard.snapshots for endpoint in snapshot.endpoints]
    assert ports == sorted(set(ports))


def test_nothing_is_told_once_close_has_returned(source: Source, registry: Registry) -> None:
    """Another subscription shows that the change went out."""
    closed, heard = RecordingListener(), RecordingListener()
    subscription = registry.subscribe(KEY, closed)
    registry.subscribe(KEY, heard)
    subscription.close()
    source.put({"a.B": ["tri://h:1"]})
    heard.wait_for("h:1")
    assert len(closed.snapshots) == 1


def test_a_listener_may_close_its_subscription(source: Source, registry: Registry) -> None:
    """It then hears no more, and nobody waits for anybody."""
    subscriptions: list[Subscription] = []
    own: list[Snapshot] = []
    heard = RecordingListener()

    def listener(snapshot: Snapshot, /) -> None:
        own.append(snapshot)
        if snapshot.endpoints:
            subscriptions[0].close()

    subscriptions.append(registry.subscribe(KEY, listener))
    registry.subscribe(KEY, heard)
    for port in (1, 2):
        source.put({"a.B": [f"tri://h:{port}"]})
        heard.wait_for(f"h:{port}")
    assert len(own) == 2


def test_a_listener_may_close_the_registry(source: Source) -> None:
    """From inside a notification close returns, and every subscription is ended."""
    registry = source.open()
    closed = Event()

    def listener(snapshot: Snapshot, /) -> None:
        if snapshot.endpoints:
            registry.close()
            closed.set()

    registry.subscribe(KEY, listener)
    source.put({"a.B": ["tri://h:1"]})
    assert closed.wait(WAIT_S)
    registry.close()


def test_a_listener_may_subscribe(source: Source, registry: Registry) -> None:
    """The inner listener has its first snapshot when subscribe returns, and hears on."""
    inner = RecordingListener()
    counts: list[int] = []

    def listener(snapshot: Snapshot, /) -> None:
        if snapshot.version == 1:
            registry.subscribe(KEY, inner)
            counts.append(len(inner.snapshots))

    registry.subscribe(KEY, listener)
    source.put({"a.B": ["tri://h:1"]})
    inner.wait_for("h:1")
    assert counts == [1]


def test_a_listener_that_raises_stops_nobody(
    source: Source, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the others nor itself the next time; the log has the traceback."""
    before, failing, after = RecordingListener(), RecordingListener(), RecordingListener()

    def listener(snapshot: Snapshot, /) -> None:
        failing(snapshot)
        raise LookupError("the listener's own fault")

    with caplog.at_level(logging.ERROR, "callahead.registry"):
        for each in (before, listener, after):
            registry.subscribe(KEY, each)
        source.put({"a.B": ["tri://h:1"]})
        for one in (before, failing, after):
            one.wait_for("h:1")
    assert "the listener of a.B failed" in caplog.text
    assert "the listener's own fault" in caplog.text


def test_many_subscriptions_hear_of_their_own_service(source: Source, registry: Registry) -> None:
    """A hundred services, each with its list."""
    listeners = [RecordingListener() for _ in range(100)]
    for number, listener in enumerate(listeners):
        registry.subscribe(ServiceKey(f"s.S{number}"), listener)
    source.put({f"s.S{number}": [f"tri://h:{number + 1}"] for number in range(100)})
    for number, listener in enumerate(listeners):
        listener.wait_for(f"h:{number + 1}")


def test_who_subscribes_during_changes_ends_with_the_last_one(source: Source, registry: Registry) -> None:
    """Between the first snapshot and the changes nothing is lost, repeated or told twice at once."""
    heard = [RecordingListener() for _ in range(20)]
    running: list[int] = []
    most: list[int] = []

    def listening(to: RecordingListener) -> Callable[[Snapshot], None]:
        def listener(snapshot: Snapshot, /) -> None:
            running.append(1)
            most.append(len(running))
            to(snapshot)
            running.pop()

        return listener

    def subscribe(some: Sequence[RecordingListener]) -> None:
        for each in some:
            registry.subscribe(KEY, listening(each))
            assert each.snapshots

    threads = [Thread(target=subscribe, args=(heard[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for port in range(1, 201):
        source.put({"a.B": [f"tri://h:{port}"]})
    for thread in threads:
        thread.join(WAIT_S)
    for each in heard:
        each.wait_for("h:200")
        versions = [snapshot.version for snapshot in each.snapshots]
        ports = [endpoint.port for snapshot in each.snapshots for endpoint in snapshot.endpoints]
        assert versions == sorted(set(versions))
        assert ports == sorted(set(ports))
    assert max(most) == 1


ALL = {
    "a.B": ["tri://plain:1"],
    "g/a.B": ["tri://g:1"],
    "h/a.B:1.0": ["tri://h10:1"],
    "a.B:2.0": ["tri://20:1"],
    "a.Other": ["tri://other:1"],
}


@pytest.mark.parametrize(
    ("asked", "hosts"),
    [
        (ServiceKey("a.B"), ["plain"]),
        (ServiceKey("a.B", "g"), ["g"]),
        (ServiceKey("a.B", "h"), []),
        (ServiceKey("a.B", "h", "1.0"), ["h10"]),
        (ServiceKey("a.B", "*"), ["g", "plain"]),
        (ServiceKey("a.B", "*", "*"), ["20", "g", "h10", "plain"]),
        (ServiceKey("a.B", "", "2.0"), ["20"]),
        (ServiceKey("a.B", "g,h", "*"), ["g", "h10"]),
        (ServiceKey("a.B", "*", "1.0,2.0"), ["20", "h10"]),
        (ServiceKey("*", "h", "*"), ["h10"]),
        (ServiceKey("a.b"), []),
    ],
    ids=str,
)
def test_only_providers_that_match_are_told(source: Source, asked: ServiceKey, hosts: list[str]) -> None:
    """Interface, group and version as Dubbo compares them."""
    source.put(ALL)
    registry, heard = source.open(), RecordingListener()
    registry.subscribe(asked, heard)
    registry.close()
    assert sorted(endpoint.host for endpoint in heard.snapshots[0].endpoints) == hosts
