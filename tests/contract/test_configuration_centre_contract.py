"""What every configuration centre promises, run over every implementation.

A new one joins by adding a `Source` to SOURCES, or to LONG where it needs a server.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Condition
from typing import Protocol, cast

import pytest
from support.nacos_server import shared as shared_nacos
from support.threads import none_left
from support.zookeeper_server import shared

from callahead.config.policy import RegistryPolicy
from callahead.registry import (
    FileRegistry,
    MemoryRegistry,
    MergedRegistry,
    Registry,
    RegistryError,
    ServiceKey,
    open_registry,
)
from callahead.registry.api import ConfigurationCentre
from callahead.registry.nacos.text import MAX_CHARACTERS

WAIT_S = 20.0
GROUP, KEY = "dubbo", "demo.Greeting::.condition-router"

names = map("centre-{}".format, itertools.count())


class Source(Protocol):
    """A configuration centre together with the hand that changes what is in it."""

    def open(self) -> Registry:
        """Make a registry that sees what `put` puts."""

    def put(self, group: str, key: str, text: bytes | None) -> None:
        """Make *text* what stands under *group* and *key*; None takes it out."""

    def close(self) -> None:
        """Take everything down again."""


class ZookeeperSource:
    """A root of its own in a server that all tests share."""

    def __init__(self, _: Path) -> None:
        self.root = next(names)
        self.server = shared()
        self.client = self.server.client()

    def open(self) -> Registry:
        return open_registry(RegistryPolicy(id="zk", address=f"zookeeper://{self.server.address}?group={self.root}"))

    def put(self, group: str, key: str, text: bytes | None) -> None:
        path = f"/{self.root}/mapping/{key}" if group == "mapping" else f"/{self.root}/config/{group}/{key}"
        if text is None:
            self.client.delete(path)
        elif self.client.exists(path):
            self.client.set(path, text)
        else:
            self.client.create(path, text, makepath=True)

    def close(self) -> None:
        self.client.stop()
        self.client.close()


class MemorySource:
    """A space of its own; what is no text cannot be written there."""

    def __init__(self, _: Path) -> None:
        self.space = MemoryRegistry.named(next(names))

    def open(self) -> Registry:
        return MemoryRegistry(RegistryPolicy(id="memory", address=f"memory://{self.space.name}"))

    def put(self, group: str, key: str, text: bytes | None) -> None:
        with suppress(UnicodeDecodeError):
            self.space.write(key, None if text is None else text.decode(), group=group)

    def close(self) -> None:
        self.space.clear()


class FileSource:
    """A file of nothing but rules."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "providers.yml"
        self.texts: dict[str, bytes] = {}
        self.put(GROUP, "first", b"")

    def open(self) -> Registry:
        return FileRegistry(RegistryPolicy(id="file", address=f"{self.path.as_uri()}?interval=10"))

    def put(self, group: str, key: str, text: bytes | None) -> None:
        changed = {**self.texts, f"{group}/{key}": text}
        self.texts = {name: one for name, one in changed.items() if one is not None}
        new = self.path.with_suffix(".new")
        lines = (b'  "%s": "%s"\n' % (name.encode(), one) for name, one in self.texts.items())
        new.write_bytes(b"rules:\n" + b"".join(lines))
        os.replace(new, self.path)

    def close(self) -> None:
        pass


class NacosSource:
    """A namespace of its own in a server that all tests share, which keeps no bytes that are no text."""

    def __init__(self, _: Path) -> None:
        self.namespace = next(names)
        self.server = shared_nacos()

    def open(self) -> Registry:
        return open_registry(
            RegistryPolicy(id="nacos", address=f"nacos://{self.server.address}?namespace={self.namespace}")
        )

    def put(self, group: str, key: str, text: bytes | None) -> None:
        try:
            said = None if text is None else text.decode()
        except UnicodeDecodeError:
            said = "x" * (MAX_CHARACTERS + 1)
        self.server.publish(group, key, said, self.namespace)

    def close(self) -> None:
        pass


class MergedSource(MemorySource):
    """Of two registries the first keeps no text."""

    def open(self) -> Registry:
        spaces = (MemoryRegistry.named(next(names)), self.space)
        parts = [MemoryRegistry(RegistryPolicy(id=one.name, address=f"memory://{one.name}")) for one in spaces]
        return MergedRegistry(parts)


SOURCES: dict[str, Callable[[Path], Source]] = {"memory": MemorySource, "file": FileSource, "merged": MergedSource}
LONG: dict[str, Callable[[Path], Source]] = {"nacos": NacosSource, "zookeeper": ZookeeperSource}
# What keeps no text without a character.
NO_EMPTY = ("nacos",)

KINDS = [
    *(pytest.param(kind, id=name) for name, kind in SOURCES.items()),
    *(pytest.param(kind, id=name, marks=pytest.mark.long) for name, kind in LONG.items()),
]


class Heard:
    """Remembers every text that it is told."""

    def __init__(self) -> None:
        self.texts: list[str | None] = []
        self._changed = Condition()

    def __call__(self, text: str | None) -> None:
        with self._changed:
            self.texts.append(text)
            self._changed.notify_all()

    def wait_for(self, text: str | None) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.texts[-1:] == [text], WAIT_S), self.texts


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    with none_left(WAIT_S), closing(request.param(tmp_path)) as one:
        yield one


@pytest.fixture
def registry(source: Source) -> Iterator[Registry]:
    one = source.open()
    yield one
    one.close()


@pytest.fixture
def centre(registry: Registry) -> ConfigurationCentre:
    assert isinstance(registry, ConfigurationCentre)
    return registry


def test_the_text_is_told_before_watch_returns(source: Source, centre: ConfigurationCentre) -> None:
    """So that no call is made without the rules that stand there."""
    source.put(GROUP, KEY, b"enabled: true")
    heard = Heard()
    centre.watch(GROUP, KEY, heard)
    assert heard.texts == ["enabled: true"]


def test_no_text_is_told_as_none(centre: ConfigurationCentre) -> None:
    """Not an error, and not the empty text."""
    heard = Heard()
    centre.watch(GROUP, KEY, heard)
    assert heard.texts == [None]


def test_each_change_is_told(source: Source, centre: ConfigurationCentre) -> None:
    """A text that comes, that changes, that goes and comes again."""
    heard = Heard()
    centre.watch(GROUP, KEY, heard)
    for text in (b"one", b"two \xc3\xa9", None, b"three"):
        source.put(GROUP, KEY, text)
        heard.wait_for(None if text is None else text.decode())
    assert heard.texts == [None, "one", "two é", None, "three"]


@pytest.mark.parametrize("source", [one for one in KINDS if one.id not in NO_EMPTY], indirect=True)
def test_an_empty_text_is_told_as_such(source: Source, centre: ConfigurationCentre) -> None:
    """It is one, and is not missing."""
    source.put(GROUP, KEY, b"")
    heard = Heard()
    centre.watch(GROUP, KEY, heard)
    assert heard.texts == [""]


def test_a_key_has_another_text_in_another_group(source: Source, centre: ConfigurationCentre) -> None:
    """``mapping``, the applications of an interface, is one of the groups."""
    source.put("mapping", "demo.Greeting", b"shop,store")
    source.put(GROUP, "demo.Greeting", b"a rule")
    mapping, rule = Heard(), Heard()
    centre.watch("mapping", "demo.Greeting", mapping)
    centre.watch(GROUP, "demo.Greeting", rule)
    assert (mapping.texts, rule.texts) == (["shop,store"], ["a rule"])


def test_several_may_watch_one_text(source: Source, centre: ConfigurationCentre) -> None:
    """Each hears all of it."""
    listeners = [Heard(), Heard()]
    for each in listeners:
        centre.watch(GROUP, KEY, each)
    source.put(GROUP, KEY, b"a rule")
    for each in listeners:
        each.wait_for("a rule")


def test_nothing_is_told_once_close_has_returned(source: Source, centre: ConfigurationCentre) -> None:
    """Another listener shows that the change went out."""
    closed, heard = Heard(), Heard()
    centre.watch(GROUP, KEY, closed).close()
    centre.watch(GROUP, KEY, heard)
    source.put(GROUP, KEY, b"a rule")
    heard.wait_for("a rule")
    assert closed.texts == [None]


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"x" * (1024 * 1024 - 100) + b"\xff"])
def test_a_text_that_makes_no_sense_is_not_taken(source: Source, centre: ConfigurationCentre, bad: bytes) -> None:
    """The last one stays, until there is a good one again."""
    heard = Heard()
    source.put(GROUP, KEY, b"good")
    centre.watch(GROUP, KEY, heard)
    source.put(GROUP, KEY, bad)
    source.put(GROUP, KEY, b"better")
    heard.wait_for("better")
    assert heard.texts == ["good", "better"]


def test_a_closed_registry_watches_nothing(registry: Registry, centre: ConfigurationCentre) -> None:
    """Its error is that of a closed registry."""
    registry.close()
    with pytest.raises(RegistryError, match=r"closed$"):
        centre.watch(GROUP, KEY, Heard())


def test_a_listener_may_watch_and_subscribe(source: Source, centre: ConfigurationCentre) -> None:
    """Whoever is told of a rule may ask for what else it needs."""
    inner, snapshots = Heard(), []

    def listener(text: str | None) -> None:
        if text is not None:
            centre.watch(GROUP, "other", inner)
            cast("Registry", centre).subscribe(ServiceKey("a.B"), snapshots.append)

    centre.watch(GROUP, KEY, listener)
    source.put(GROUP, KEY, b"a rule")
    inner.wait_for(None)
    source.put(GROUP, "other", b"another")
    inner.wait_for("another")
    assert len(snapshots) == 1
