"""What every registry that lists URLs of rules promises, run over every implementation.

A new one joins by adding a `Source` to SOURCES, or to LONG where it needs a server.
"""

import itertools
from collections.abc import Callable, Iterator
from threading import Condition
from typing import Protocol
from urllib.parse import quote_plus

import pytest
from support.zookeeper_server import shared

from callahead.config.policy import RegistryPolicy
from callahead.registry import MemoryRegistry, MergedRegistry, Registry, RegistryError, Url, UrlLists, open_registry

WAIT_S = 20.0
INTERFACE, CATEGORY = "demo.Greeting", "configurators"
ONE = "override://0.0.0.0/demo.Greeting?category=configurators&timeout=1000"
TWO = "override://10.0.0.1:20880/demo.Greeting?category=configurators&mock=force%3Areturn%2Bnull"

names = map("urls-{}".format, itertools.count())


class Source(Protocol):
    """A registry together with the hand that changes what it lists."""

    def open(self) -> Registry:
        """Make a registry that sees what `put` puts."""

    def put(self, interface: str, category: str, *urls: str) -> None:
        """Make *urls* what stands there."""

    def close(self) -> None:
        """Take everything down again."""


class MemorySource:
    """A space of its own."""

    def __init__(self) -> None:
        self.space = MemoryRegistry.named(next(names))

    def open(self) -> Registry:
        return MemoryRegistry(RegistryPolicy(id="memory", address=f"memory://{self.space.name}"))

    def put(self, interface: str, category: str, *urls: str) -> None:
        self.space.list_urls(interface, category, urls)

    def close(self) -> None:
        self.space.clear()


class MergedSource(MemorySource):
    """Of two registries the first lists nothing."""

    def open(self) -> Registry:
        other = MemoryRegistry(RegistryPolicy(id="other", address=f"memory://{next(names)}"))
        return MergedRegistry([other, super().open()])


class ZookeeperSource:
    """A root of its own in a server that all tests share."""

    def __init__(self) -> None:
        self.root = next(names)
        self.server = shared()
        self.client = self.server.client()

    def open(self) -> Registry:
        return open_registry(RegistryPolicy(id="zk", address=f"zookeeper://{self.server.address}?group={self.root}"))

    def put(self, interface: str, category: str, *urls: str) -> None:
        folder = f"/{self.root}/{interface}/{category}"
        wanted = {quote_plus(url) for url in urls}
        self.client.ensure_path(folder)
        there = set(self.client.get_children(folder))
        change = self.client.transaction()  # so that no list between the two is seen
        for name in sorted(wanted - there):
            change.create(f"{folder}/{name}")
        for name in sorted(there - wanted):
            change.delete(f"{folder}/{name}")
        change.commit()

    def close(self) -> None:
        self.client.stop()
        self.client.close()


SOURCES: dict[str, Callable[[], Source]] = {"memory": MemorySource, "merged": MergedSource}
LONG: dict[str, Callable[[], Source]] = {"zookeeper": ZookeeperSource}

KINDS = [
    *(pytest.param(kind, id=name) for name, kind in SOURCES.items()),
    *(pytest.param(kind, id=name, marks=pytest.mark.long) for name, kind in LONG.items()),
]


class Heard:
    """Remembers every list that it is told."""

    def __init__(self) -> None:
        self.lists: list[tuple[Url, ...]] = []
        self._changed = Condition()

    def __call__(self, urls: tuple[Url, ...]) -> None:
        with self._changed:
            self.lists.append(urls)
            self._changed.notify_all()

    def wait_for(self, *urls: str) -> None:
        wanted = tuple(map(Url.parse, urls))
        with self._changed:
            assert self._changed.wait_for(lambda: self.lists[-1:] == [wanted], WAIT_S), self.lists


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    one: Source = request.param()
    yield one
    one.close()


@pytest.fixture
def lists(source: Source) -> Iterator[UrlLists]:
    registry = source.open()
    assert isinstance(registry, UrlLists)
    yield registry
    registry.close()


def test_the_list_is_told_before_watch_urls_returns(source: Source, lists: UrlLists) -> None:
    """So that no call is made without the rules that stand there."""
    source.put(INTERFACE, CATEGORY, ONE, TWO)
    heard = Heard()
    lists.watch_urls(INTERFACE, CATEGORY, heard)
    assert heard.lists == [(Url.parse(ONE), Url.parse(TWO))]


def test_nothing_listed_is_told_as_such(lists: UrlLists) -> None:
    """Even where there is no such folder."""
    heard = Heard()
    lists.watch_urls(INTERFACE, CATEGORY, heard)
    assert heard.lists == [()]


def test_each_change_is_told(source: Source, lists: UrlLists) -> None:
    """A URL that comes, another beside it, and their going."""
    heard = Heard()
    lists.watch_urls(INTERFACE, CATEGORY, heard)
    for urls in ((ONE,), (ONE, TWO), (TWO,), ()):
        source.put(INTERFACE, CATEGORY, *urls)
        heard.wait_for(*urls)


def test_another_category_is_another_list(source: Source, lists: UrlLists) -> None:
    """As another interface is."""
    source.put(INTERFACE, CATEGORY, ONE)
    routers, other = Heard(), Heard()
    lists.watch_urls(INTERFACE, "routers", routers)
    lists.watch_urls("demo.Other", CATEGORY, other)
    assert (routers.lists, other.lists) == ([()], [()])


def test_nothing_is_told_once_close_has_returned(source: Source, lists: UrlLists) -> None:
    """Another listener shows that the change went out."""
    closed, heard = Heard(), Heard()
    lists.watch_urls(INTERFACE, CATEGORY, closed).close()
    lists.watch_urls(INTERFACE, CATEGORY, heard)
    source.put(INTERFACE, CATEGORY, ONE)
    heard.wait_for(ONE)
    assert closed.lists == [()]


def test_a_closed_registry_watches_nothing(source: Source) -> None:
    """Its error is that of a closed registry."""
    registry = source.open()
    assert isinstance(registry, UrlLists)
    registry.close()
    with pytest.raises(RegistryError, match=r"closed$"):
        registry.watch_urls(INTERFACE, CATEGORY, Heard())
