"""What every configuration centre promises, run over every registry that keeps texts.

A new one joins by adding a `Source` to SOURCES.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Condition
from typing import Protocol

import pytest

from callahead.config.policy import RegistryPolicy
from callahead.registry import FileRegistry, MemoryRegistry, MergedRegistry, RegistryError
from callahead.registry.api import ConfigurationCentre

KEY = "a.B::.condition-router"
WAIT_S = 20.0

names = map("centre-{}".format, itertools.count())


class Heard:
    """Keeps the texts that it is told, and waits for one."""

    def __init__(self) -> None:
        self._changed = Condition()
        self.texts: list[str | None] = []

    def __call__(self, text: str | None, /) -> None:
        with self._changed:
            self.texts.append(text)
            self._changed.notify_all()

    def wait_for(self, text: str | None) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.texts[-1:] == [text], WAIT_S), self.texts


class Source(Protocol):
    """A centre together with the hand that writes in it."""

    def open(self) -> ConfigurationCentre:
        """Make a centre that sees what `put` puts."""

    def put(self, key: str, text: str | None) -> None:
        """Keep *text*, or nothing, under *key* of the group ``dubbo``."""


class MemorySource:
    def __init__(self, _: Path) -> None:
        self.space = MemoryRegistry.named(next(names))

    def open(self) -> ConfigurationCentre:
        return MemoryRegistry(RegistryPolicy(id="memory", address=f"memory://{self.space.name}"))

    def put(self, key: str, text: str | None) -> None:
        self.space.write(key, text)


class FileSource:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "providers.yml"
        self.rules: dict[str, str] = {}
        self.put("other", "x: 1")

    def open(self) -> ConfigurationCentre:
        return FileRegistry(RegistryPolicy(id="file", address=f"{self.path.as_uri()}?interval=10"))

    def put(self, key: str, text: str | None) -> None:
        self.rules = {name: one for name, one in {**self.rules, key: text}.items() if one is not None}
        new = self.path.with_suffix(".new")
        new.write_text("rules:\n" + "".join(f'  "{name}": "{one}"\n' for name, one in self.rules.items()))
        os.replace(new, self.path)


class MergedSource(MemorySource):
    """Of three registries the first keeps no text and the last another one, which is never told."""

    def open(self) -> ConfigurationCentre:
        other = MemoryRegistry.named(next(names))
        policies = [RegistryPolicy(id=one.name, address=f"memory://{one.name}") for one in (other, self.space)]
        return MergedRegistry([MemoryRegistry(policy) for policy in policies])


SOURCES: dict[str, Callable[[Path], Source]] = {"memory": MemorySource, "file": FileSource, "merged": MergedSource}


@pytest.fixture(params=SOURCES.values(), ids=SOURCES.keys())
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    kind: Callable[[Path], Source] = request.param
    return kind(tmp_path)


@pytest.fixture
def centre(source: Source) -> Iterator[ConfigurationCentre]:
    one = source.open()
    yield one
    one.close()


def test_the_text_is_told_before_watch_returns(source: Source) -> None:
    """A consumer obeys the rules that stand there from its first call on."""
    source.put(KEY, "x: 1")
    centre, heard = source.open(), Heard()
    centre.watch("dubbo", KEY, heard)
    assert heard.texts == ["x: 1"]
    centre.close()


def test_no_text_is_told_as_none(centre: ConfigurationCentre) -> None:
    """Where nothing stands is an answer."""
    heard = Heard()
    centre.watch("dubbo", KEY, heard)
    assert heard.texts == [None]


def test_changes_and_the_end_are_told_in_their_order(source: Source, centre: ConfigurationCentre) -> None:
    """Written, written anew, taken away, written again."""
    heard = Heard()
    centre.watch("dubbo", KEY, heard)
    for text in ("x: 1", "x: 2", None, "x: 1"):
        source.put(KEY, text)
        heard.wait_for(text)
    assert heard.texts == [None, "x: 1", "x: 2", None, "x: 1"]


def test_other_keys_and_groups_are_not_told(source: Source, centre: ConfigurationCentre) -> None:
    """Who watches one text hears of that alone."""
    other_group, other_key, mine = Heard(), Heard(), Heard()
    centre.watch("other", KEY, other_group)
    centre.watch("dubbo", "a.C::.condition-router", other_key)
    centre.watch("dubbo", KEY, mine)
    source.put(KEY, "x: 1")
    mine.wait_for("x: 1")
    assert other_group.texts == other_key.texts == [None]


def test_nothing_is_told_once_close_has_returned(source: Source, centre: ConfigurationCentre) -> None:
    """A subscription that was closed, twice, is silent; the others go on."""
    closed, heard = Heard(), Heard()
    subscription = centre.watch("dubbo", KEY, closed)
    centre.watch("dubbo", KEY, heard)
    subscription.close()
    subscription.close()
    source.put(KEY, "x: 1")
    heard.wait_for("x: 1")
    assert closed.texts == [None]


def test_a_closed_registry_refuses(source: Source) -> None:
    """It answers with an error of its own."""
    centre = source.open()
    centre.watch("dubbo", KEY, Heard())
    centre.close()
    with pytest.raises(RegistryError, match=r"closed$"):
        centre.watch("dubbo", KEY, Heard())
