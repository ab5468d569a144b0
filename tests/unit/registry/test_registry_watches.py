"""What is watched by key: made once, read once, and told of when it was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from callahead.registry.errors import RegistryError
from callahead.registry.keeping import KeeperThread
from callahead.registry.serial import UNKNOWN
from callahead.registry.watches import Watches


class Word:
    """Something watched: a text, which a test sets."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.text: str | None = None


class AtOnce:
    """A reader that reads what it is asked for before `wait_for` returns.

    Attributes:
        added: All that is to be watched.
        values: What is read of each key; of one that is missing nothing is known.
    """

    def __init__(self) -> None:
        self.thread = KeeperThread("main", "test://", 1.0, self, self, lambda: None)
        self.added: list[Word] = []
        self.values: dict[str, str] = {}
        self.is_up, self.trouble = True, ""

    def add(self, watched: Word) -> None:
        self.added.append(watched)

    def wait_for(self, watched: Iterable[Word]) -> None:
        for each in watched:
            each.text = self.values.get(each.key)

    def revive(self) -> None: ...
    def cut(self) -> None: ...
    def close(self) -> None: ...
    def work(self) -> None: ...

    def has_work(self) -> bool:
        return False

    def pause(self) -> float | None:
        return None


@pytest.fixture
def reader() -> Iterator[AtOnce]:
    one = AtOnce()
    yield one
    one.thread.close()


@pytest.fixture
def watches(reader: AtOnce) -> Watches[str, Word, str]:
    return Watches("main", reader, Word, lambda word: UNKNOWN if word.text is None else word.text)


def test_the_first_value_is_told_before_watch_returns(reader: AtOnce, watches: Watches[str, Word, str]) -> None:
    """Once the reader has it."""
    reader.values["a"] = "one"
    heard: list[str] = []
    watches.watch("a", heard.append)
    assert heard == ["one"]


def test_what_is_not_known_is_told_when_it_is_read(reader: AtOnce, watches: Watches[str, Word, str]) -> None:
    """Until then nobody is told of anything."""
    heard: list[str] = []
    watches.watch("a", heard.append)
    assert heard == []
    (word,) = reader.added
    word.text = "one"
    watches.announce([word, object()])
    assert heard == ["one"]


def test_a_key_is_watched_once_for_all_who_ask(reader: AtOnce, watches: Watches[str, Word, str]) -> None:
    """A hundred references of one program read one rule."""
    for _ in range(3):
        watches.watch("a", lambda _text: None)
    assert [word.key for word in reader.added] == ["a"]
    assert watches.get("a") is reader.added[0]
    assert watches.get("b") is None


def test_only_what_was_read_is_told(reader: AtOnce, watches: Watches[str, Word, str]) -> None:
    """Though another has changed, too, of which the reader has not spoken yet."""
    reader.values |= {"a": "one", "b": "one"}
    heard: list[str] = []
    for key in ("a", "b"):
        watches.watch(key, heard.append)
    for word in reader.added:
        word.text = "two"
    watches.announce(reader.added[:1])
    assert heard == ["one", "one", "two"]
    watches.announce_all()
    assert heard == ["one", "one", "two", "two"]


def test_nothing_is_watched_once_closed(reader: AtOnce, watches: Watches[str, Word, str]) -> None:
    """Whoever asks is told so."""
    watches.close()
    with pytest.raises(RegistryError, match="registry main is closed"):
        watches.watch("a", lambda _text: None)
