"""The last good lists on disk: when they are told, and what may stand in the file."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.applications import Applications
from support.forked import WARNING

from callahead.config.policy import RegistryPolicy
from callahead.registry import (
    Endpoint,
    MemoryRegistry,
    RecordingListener,
    Registry,
    RegistryUnavailable,
    ServiceKey,
    Snapshot,
    Url,
    UrlLists,
)
from callahead.registry.api import ConfigurationCentre, NotifyListener, Subscription
from callahead.registry.cached.lists import MAX_BYTES, Kept, ListFile
from callahead.registry.cached.registry import cached
from callahead.registry.cached.store import ListStore
from callahead.registry.memory import MemorySpace

KEY = ServiceKey("a.B", "g", "1.0")
ONE = Endpoint(protocol="tri", host="::1", port=1, path="a.B", weight=7, parameters={"token": "s3same", "group": "g"})


class Told:
    """A registry that tells what a test says; its subscriptions cannot be closed enough."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self.snapshots = list(snapshots)
        self.listeners: list[NotifyListener] = []

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        del key
        self.listeners.append(listener)
        for each in self.snapshots:
            listener(each)
        return self

    def tell(self, snapshot: Snapshot) -> None:
        for listener in self.listeners:
            listener(snapshot)

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "lists.json"


@pytest.fixture
def space() -> Iterator[MemorySpace]:
    with MemoryRegistry.named("unit-cached") as one:
        yield one


def keep(file: Path, *endpoints: Endpoint, key: ServiceKey = KEY) -> None:
    """Let a process have been told of *endpoints*, and have ended."""
    store = ListStore("main", str(file))
    registry = cached(Told(Snapshot(1, endpoints)), store)
    registry.subscribe(key, RecordingListener())
    registry.close()
    store.close()


def heard_of(registry: Registry, file: Path, key: ServiceKey = KEY) -> Snapshot:
    """What a process that starts now is told first."""
    store, heard = ListStore("main", str(file)), RecordingListener()
    wrapped = cached(registry, store)
    wrapped.subscribe(key, heard)
    wrapped.close()
    store.close()
    return heard.snapshots[0]


UNKNOWN = Snapshot(1, (), "zookeeper://h:1: it cannot be reached", is_known=False)


def test_the_list_is_told_while_the_registry_has_not_answered(file: Path) -> None:
    """With all that was known of each provider; the reason says of what time it is, and in place of what."""
    keep(file, ONE)
    snapshot = heard_of(Told(UNKNOWN), file)
    (endpoint,) = snapshot.endpoints
    assert (str(endpoint), endpoint.weight, endpoint.parameters["token"]) == ("tri://[::1]:1", 7, "s3same")
    assert snapshot.reason.startswith(f"{file}: 1 provider of g/a.B:1.0 as of 20")
    assert snapshot.reason.endswith(", in place of zookeeper://h:1: it cannot be reached")
    assert not snapshot.is_known


def test_what_the_registry_says_goes_before_the_file(file: Path) -> None:
    """Though it be an empty list, once the registry has answered."""
    keep(file, ONE)
    assert heard_of(Told(Snapshot(1, (), "none")), file).endpoints == ()


def test_the_file_gives_way_when_the_registry_answers(file: Path) -> None:
    """And nothing is told twice."""
    keep(file, ONE)
    store, heard, registry = ListStore("main", str(file)), RecordingListener(), Told(UNKNOWN)
    wrapped = cached(registry, store)
    wrapped.subscribe(KEY, heard)
    registry.tell(UNKNOWN)
    registry.tell(Snapshot(2, (Endpoint(protocol="tri", host="h", port=2),), "one"))
    assert [[each.port for each in one.endpoints] for one in heard.snapshots] == [[1], [2]]
    wrapped.close()
    store.close()


def test_a_registry_that_is_down_at_the_start_is_asked_again(file: Path, space: MemorySpace) -> None:
    """By a thread, until it is up; the file is told meanwhile."""
    space.publish(KEY, [ONE])
    keep(file, ONE)
    store, heard = ListStore("main", str(file), Random(1)), RecordingListener()
    below = MemoryRegistry(RegistryPolicy(id="main", address="memory://unit-cached"))
    wrapped = cached(below, store)
    with space.outage("it is down"):
        wrapped.subscribe(KEY, heard)
        assert "in place of memory://unit-cached: it is down" in heard.snapshots[0].reason
    space.publish(KEY, ["tri://h:2"])
    heard.wait_for("h:2")
    for closing in (wrapped, store, below):
        closing.close()  # type: ignore[attr-defined]


def test_without_a_list_the_error_of_the_registry_is_raised(file: Path, space: MemorySpace) -> None:
    """It is the only thing that is known."""
    with space.outage("it is down"), pytest.raises(RegistryUnavailable, match="it is down"):
        heard_of(MemoryRegistry(RegistryPolicy(id="main", address="memory://unit-cached")), file)


def test_an_empty_list_is_never_kept(file: Path) -> None:
    """A registry that has lost its data shows the same as one without providers."""
    keep(file, ONE)
    keep(file)
    assert len(heard_of(Told(UNKNOWN), file).endpoints) == 1


def test_only_the_owner_may_read_the_file(file: Path) -> None:
    """It holds tokens; nothing else is left beside it."""
    keep(file, ONE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert os.listdir(file.parent) == ["lists.json"]


def test_processes_may_share_a_file(file: Path) -> None:
    """Each writes its own services alone."""
    keep(file, ONE)
    keep(file, Endpoint(protocol="tri", host="h", port=2), key=ServiceKey("a.C"))
    assert len(heard_of(Told(UNKNOWN), file).endpoints) == 1
    assert len(heard_of(Told(UNKNOWN), file, ServiceKey("a.C")).endpoints) == 1


GOOD = {"callahead": 1, "services": {"g/a.B:1.0": {"at": 1, "providers": ["tri://h:1"]}}}


def but(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "Expecting value"),
        (b'{"\xff"}', "codec can't decode"),
        (b"[" * 100_000, "recursion"),
        (b"[]", ""),
        (but(callahead=2), "it is of another kind: 2"),
        (but(services=[]), ""),
        (but(services={"x": {"at": "then", "providers": []}}), "could not convert"),
        (but(services={"x": {"at": 1e300, "providers": []}}), "out of range"),
        (but(services={"x": {"at": 1, "providers": ["no url?token=s3same"]}}), "it has no protocol"),
        (json.dumps(GOOD).encode()[:-9], ""),
        (b" " * (MAX_BYTES + 1), f"it has more than {MAX_BYTES} bytes"),
    ],
    ids=["empty", "no text", "deep", "list", "version", "services", "at", "time", "url", "half", "large"],
)
def test_a_file_that_makes_no_sense_is_ignored(
    file: Path, caplog: pytest.LogCaptureFixture, data: bytes, why: str
) -> None:
    """For a warning, which shows no secret; the next good list is written over it."""
    file.parent.mkdir()
    file.write_bytes(data)
    assert heard_of(Told(UNKNOWN), file).endpoints == ()
    assert f"{file}: the lists that it keeps are ignored, for they make no sense: " in caplog.text
    assert why in caplog.text
    assert "s3same" not in caplog.text
    keep(file, ONE)
    assert len(heard_of(Told(UNKNOWN), file).endpoints) == 1


def test_a_fifo_in_place_of_the_file_holds_up_nothing(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Opening one waits for whoever writes to it."""
    file.parent.mkdir()
    os.mkfifo(file)
    assert ListFile(str(file)).read() == {}
    assert "it is not a regular file" in caplog.text


def test_what_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The lists in memory go on."""
    (tmp_path / "file").write_text("")
    store = ListStore("main", str(tmp_path / "file" / "lists.json"))
    with caplog.at_level(logging.WARNING):
        store.put(KEY, (ONE,))
        store.close()
    assert store.get(KEY) is not None
    assert caplog.text.count("is not written: ") == 1


def test_what_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    """With what has come since."""
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "lists.json"
    store = ListStore("main", str(path))
    store.put(KEY, (ONE,))
    store._write()
    (tmp_path / "file").unlink()
    store.put(ServiceKey("a.C"), (ONE,))
    store.close()
    assert sorted(ListFile(str(path)).read()) == ["a.C", "g/a.B:1.0"]


def test_a_provider_that_no_url_can_tell_of_is_left_out(file: Path) -> None:
    """The others are kept."""
    odd = Endpoint(protocol="tri", host="h", port=2, parameters={"x": "\0"})
    keep(file, odd, ONE)
    assert [each.port for each in heard_of(Told(UNKNOWN), file).endpoints] == [1]


def test_a_file_that_would_be_too_large_is_not_written(file: Path) -> None:
    """The one before it stays."""
    keep(file, ONE)
    huge = [Endpoint(protocol="tri", host="h", port=1, parameters={"x": "y" * MAX_BYTES})]
    with pytest.raises(ValueError, match=f"bytes, and may have {MAX_BYTES}"):
        ListFile(str(file)).write({"x": Kept(tuple(huge), 1.0)})
    assert list(ListFile(str(file)).read()) == ["g/a.B:1.0"]
    assert os.listdir(file.parent) == ["lists.json"]


def test_a_forked_child_leaves_the_file_to_its_parent(file: Path) -> None:
    """Two that write what they know of the past would only disagree."""
    store = ListStore("main", str(file))
    store.put(KEY, (ONE,))
    child = os.fork()
    if child == 0:
        store.put(ServiceKey("a.C"), (ONE,))
        store.close()
        os._exit(0 if store.get(KEY) is not None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.close()
    assert list(ListFile(str(file)).read()) == ["g/a.B:1.0"]


class _Forking(Mapping[str, Kept]):
    """The lists of nobody, asked for which a child is forked that lives until it is told."""

    def __init__(self) -> None:
        self._end, self.told = os.pipe()
        self.child = 0

    def __getitem__(self, name: str) -> Kept:
        raise KeyError(name)

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[str]:
        self.child = os.fork()
        if not self.child:
            os.close(self.told)
            os.read(self._end, 1)
            os._exit(0)
        os.close(self._end)
        return iter(())


@pytest.mark.filterwarnings(WARNING)
def test_a_child_that_was_forked_under_the_lock_holds_up_nobody(tmp_path: Path) -> None:
    """It has the open folder by which processes take turns, for as long as it lives."""
    forking = _Forking()
    try:
        ListFile(str(tmp_path / "lists.json")).write(forking)
        folder = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)
    finally:
        os.close(forking.told)
        os.waitpid(forking.child, 0)


def test_a_configuration_centre_stays_one(file: Path) -> None:
    """Its texts are passed on; a registry without any does not become one."""
    registry, store = Applications(), ListStore("main", str(file))
    registry.put_text("dubbo", "k", "a rule")
    centre, heard = cached(registry, store), []
    assert isinstance(centre, ConfigurationCentre)
    centre.watch("dubbo", "k", heard.append)
    assert heard == ["a rule"]
    assert not isinstance(cached(Told(), store), ConfigurationCentre)


def test_lists_of_rules_are_passed_on(file: Path) -> None:
    """Where the registry has none nothing is told."""
    store, heard = ListStore("main", str(file)), []
    with MemoryRegistry.named("cached-rules") as space:
        space.list_urls("a.B", "routers", ["condition://0.0.0.0/a.B"])
        for registry in (MemoryRegistry(RegistryPolicy(id="main", address="memory://cached-rules")), Applications()):
            lists = cached(registry, store)
            assert isinstance(lists, UrlLists)
            lists.watch_urls("a.B", "routers", heard.append)
            registry.close()
    assert heard == [(Url.parse("condition://0.0.0.0/a.B"),)]
    store.close()
