"""What every registry of applications promises, run over every implementation.

A new one joins by adding a `Source` to SOURCES, or to LONG where it needs a server.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from threading import Condition
from typing import Protocol

import pytest
from support.applications import Applications, metadata_of
from support.nacos_server import shared as shared_nacos
from support.threads import none_left
from support.zookeeper_server import shared

from callahead.config.policy import RegistryPolicy
from callahead.registry import RegistryError, open_registry
from callahead.registry.api import ApplicationRegistry
from callahead.registry.instance import Instances

WAIT_S = 20.0
names = map("application-{}".format, itertools.count())


class Source(Protocol):
    """A registry of applications together with the hand that changes what is in it.

    Attributes:
        application: The one that it is about.
    """

    application: str

    def open(self) -> ApplicationRegistry:
        """Make a registry that sees what is put."""

    def put(self, instances: Mapping[str, Mapping[str, str]]) -> None:
        """Make *instances*, from ``host:port`` to what each says of itself, all that there are."""

    def put_metadata(self, revision: str, text: str) -> None:
        """Keep what *revision* provides."""

    def close(self) -> None:
        """Take everything down again."""


class FakeSource:
    """What the unit tests of the discovery stand on keeps the same promises."""

    application = "shop"

    def __init__(self, _: Path) -> None:
        self.registry = Applications()

    def open(self) -> ApplicationRegistry:
        return self.registry

    def put(self, instances: Mapping[str, Mapping[str, str]]) -> None:
        self.registry.put_instances(self.application, *((address, dict(said)) for address, said in instances.items()))

    def put_metadata(self, revision: str, text: str) -> None:
        self.registry.put_metadata(self.application, revision, text)

    def close(self) -> None:
        self.registry.close()


class ZookeeperSource:
    """An application of its own in a server that all tests share; instances are replaced as Dubbo does it."""

    def __init__(self, _: Path) -> None:
        self.application = next(names)
        self.server = shared()
        self.client = self.server.client()
        self.known: dict[str, bytes] = {}

    def open(self) -> ApplicationRegistry:
        found = open_registry(RegistryPolicy(id="zk", address=f"zookeeper://{self.server.address}"))
        assert isinstance(found, ApplicationRegistry)
        return found

    def put(self, instances: Mapping[str, Mapping[str, str]]) -> None:
        wanted = {address: self._node(address, said) for address, said in instances.items()}
        self.client.ensure_path(f"/services/{self.application}")
        change = self.client.transaction()
        for address, _ in self.known.items() - wanted.items():
            change.delete(f"/services/{self.application}/{address}")
        for address, data in wanted.items() - self.known.items():
            change.create(f"/services/{self.application}/{address}", data)
        change.commit()
        self.known = wanted

    def _node(self, address: str, said: Mapping[str, str]) -> bytes:
        host, _, port = address.rpartition(":")
        payload = {"@class": "org.apache.dubbo.registry.zookeeper.ZookeeperInstance", "metadata": said}
        return json.dumps({"address": host, "port": int(port), "payload": payload}).encode()

    def put_metadata(self, revision: str, text: str) -> None:
        self.client.create(f"/dubbo/metadata/{self.application}/{revision}", text.encode(), makepath=True)

    def close(self) -> None:
        self.client.stop()
        self.client.close()


class NacosSource:
    """An application of its own in a server that all tests share."""

    def __init__(self, _: Path) -> None:
        self.application = next(names)
        self.server = shared_nacos()
        self.publisher = self.server.publisher()
        self.known: dict[str, Mapping[str, str]] = {}

    def open(self) -> ApplicationRegistry:
        found = open_registry(RegistryPolicy(id="nacos", address=f"nacos://{self.server.address}?settle=500ms"))
        assert isinstance(found, ApplicationRegistry)
        return found

    def put(self, instances: Mapping[str, Mapping[str, str]]) -> None:
        for address in self.known.keys() - instances.keys():
            self.publisher.deregister(self.application, *self._place(address))
        for address, said in instances.items():
            if address not in self.known:
                self.publisher.register(self.application, *self._place(address), said)
            elif said != self.known[address]:
                self.server.change(self.application, *self._place(address), said)
        self.known = dict(instances)

    def _place(self, address: str) -> tuple[str, int]:
        host, _, port = address.rpartition(":")
        return host, int(port)

    def put_metadata(self, revision: str, text: str) -> None:
        self.server.publish(revision, self.application, text)

    def close(self) -> None:
        self.publisher.close()


SOURCES: dict[str, Callable[[Path], Source]] = {"fake": FakeSource}
LONG: dict[str, Callable[[Path], Source]] = {"nacos": NacosSource, "zookeeper": ZookeeperSource}

KINDS = [
    *(pytest.param(kind, id=name) for name, kind in SOURCES.items()),
    *(pytest.param(kind, id=name, marks=pytest.mark.long) for name, kind in LONG.items()),
]


class Heard:
    """Remembers every list that it is told, as a mapping from address to revision."""

    def __init__(self) -> None:
        self.lists: list[dict[str, str]] = []
        self.newest = Instances((), "")
        self._changed = Condition()

    def __call__(self, told: Instances) -> None:
        with self._changed:
            self.newest = told
            self.lists.append({each.address: each.revision for each in told.instances})
            self._changed.notify_all()

    def wait_for(self, **revisions: str) -> None:
        wanted = {f"h:{port.removeprefix('_')}": revision for port, revision in revisions.items()}
        with self._changed:
            assert self._changed.wait_for(lambda: self.lists[-1:] == [wanted], WAIT_S), self.lists


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    with none_left(WAIT_S), closing(request.param(tmp_path)) as one:
        yield one


@pytest.fixture
def registry(source: Source) -> Iterator[ApplicationRegistry]:
    one = source.open()
    yield one
    one.close()  # type: ignore[attr-defined]


@pytest.fixture
def heard(source: Source, registry: ApplicationRegistry) -> Heard:
    found = Heard()
    registry.watch_application(source.application, found)
    return found


def test_the_instances_are_told_before_watch_returns(source: Source, registry: ApplicationRegistry) -> None:
    """With all that each says of itself."""
    said = metadata_of("26ca", asked_over="dubbo", dubbo=1, tri=2, timestamp=7)
    source.put({"h:1": said})
    heard = Heard()
    registry.watch_application(source.application, heard)
    (found,) = heard.newest.instances
    assert (found.application, found.host, found.port) == (source.application, "h", 1)
    assert (found.revision, found.is_remote) == ("26ca", False)
    assert dict(found.endpoints) == {"dubbo": 1, "tri": 2}
    assert dict(found.metadata_service) == {"protocol": "dubbo", "port": "1", "version": "1.0.0"}
    assert dict(found.metadata) == said


def test_an_application_without_instances_is_told_as_an_empty_list(heard: Heard) -> None:
    """Whether it ever had one or not."""
    assert heard.lists == [{}]
    assert "no instance of" in heard.newest.reason


def test_each_change_is_told_as_a_full_list(source: Source, heard: Heard) -> None:
    """Instances that come and go."""
    one, two = metadata_of("aa", dubbo=1), metadata_of("bb", dubbo=2)
    source.put({"h:1": one})
    heard.wait_for(_1="aa")
    source.put({"h:1": one, "h:2": two})
    heard.wait_for(_1="aa", _2="bb")
    source.put({"h:2": two})
    heard.wait_for(_2="bb")
    source.put({})
    heard.wait_for()


def test_an_instance_that_is_replaced_in_place_is_told(source: Source, heard: Heard) -> None:
    """A process that was started again has another revision, or at least another time, at the same address."""
    source.put({"h:1": metadata_of("aa", dubbo=1)})
    heard.wait_for(_1="aa")
    source.put({"h:1": metadata_of("bb", dubbo=1)})
    heard.wait_for(_1="bb")


def test_nothing_is_told_once_close_has_returned(source: Source, registry: ApplicationRegistry) -> None:
    """Another listener shows that the change went out."""
    closed, heard = Heard(), Heard()
    registry.watch_application(source.application, closed).close()
    registry.watch_application(source.application, heard)
    source.put({"h:1": metadata_of("aa", dubbo=1)})
    heard.wait_for(_1="aa")
    assert closed.lists == [{}]


def test_metadata_are_read_by_revision(source: Source, registry: ApplicationRegistry, heard: Heard) -> None:
    """None where there are none."""
    del heard  # has made a session
    source.put_metadata("26ca", '{"revision": "26ca"}')
    assert registry.read_metadata(source.application, "26ca") == '{"revision": "26ca"}'
    assert registry.read_metadata(source.application, "0000") is None


def test_a_closed_registry_is_asked_for_nothing(source: Source, registry: ApplicationRegistry) -> None:
    """Its errors are those of a closed registry."""
    registry.close()  # type: ignore[attr-defined]
    with pytest.raises(RegistryError, match=r"closed$"):
        registry.watch_application(source.application, Heard())
    with pytest.raises(RegistryError):
        registry.read_metadata(source.application, "26ca")
