"""Several registries as one."""

from collections.abc import Iterator
from threading import Thread
from threading import enumerate as enumerate_threads

import pytest

from callahead.config.policy import RegistryPolicy
from callahead.registry import (
    MemoryRegistry,
    MergedRegistry,
    RecordingListener,
    RegistryError,
    RegistryUnavailable,
    ServiceKey,
    Snapshot,
    Url,
)
from callahead.registry.memory import MemorySpace

KEY = ServiceKey("a.B")


@pytest.fixture
def one() -> Iterator[MemorySpace]:
    with MemoryRegistry.named("merge-one") as space:
        yield space


@pytest.fixture
def two() -> Iterator[MemorySpace]:
    with MemoryRegistry.named("merge-two") as space:
        yield space


@pytest.fixture
def merged(one: MemorySpace, two: MemorySpace) -> Iterator[MergedRegistry]:
    parts = [MemoryRegistry(RegistryPolicy(id=s.name, address=f"memory://{s.name}")) for s in (one, two)]
    registry = MergedRegistry(parts)
    yield registry
    registry.close()
    for part in parts:
        part.close()
    assert one.subscriptions == two.subscriptions == 0


def test_the_first_snapshot_is_the_union(merged: MergedRegistry, one: MemorySpace, two: MemorySpace) -> None:
    """Nobody hears of a part before all have answered; of one address the first registry's endpoint is kept."""
    one.publish("a.B", ["tri://h:1?weight=1", "tri://h:2"])
    two.publish("a.B", ["tri://h:1?weight=9", "tri://h:3"])
    heard = RecordingListener()
    merged.subscribe(KEY, heard)
    (snapshot,) = heard.snapshots
    assert [(each.port, each.weight) for each in snapshot.endpoints] == [(1, 1), (2, 100), (3, 100)]
    assert snapshot.reason == "memory://merge-one: 2 providers of a.B; memory://merge-two: 2 providers of a.B"


def test_the_representation_names_the_parts(merged: MergedRegistry) -> None:
    """Which registries a reference asks can be seen."""
    assert repr(merged) == (
        "<MergedRegistry <MemoryRegistry <MemorySpace merge-one: 0 providers, 0 subscriptions>>, "
        "<MemoryRegistry <MemorySpace merge-two: 0 providers, 0 subscriptions>>>"
    )


def test_a_change_in_any_registry_is_a_new_union(merged: MergedRegistry, one: MemorySpace, two: MemorySpace) -> None:
    """Versions grow over the changes of all, and the order is that of the registries."""
    heard = RecordingListener()
    merged.subscribe(KEY, heard)
    two.publish("a.B", ["tri://h:2"])
    one.publish("a.B", ["tri://h:1"])
    two.publish("a.B", [])
    assert [[each.port for each in snapshot.endpoints] for snapshot in heard.snapshots] == [[], [2], [1, 2], [1]]
    assert [snapshot.version for snapshot in heard.snapshots] == [1, 2, 3, 4]


def test_one_that_cannot_be_read_costs_nothing_and_joins_later(
    merged: MergedRegistry, one: MemorySpace, two: MemorySpace, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log names it, and so does the reason; what it lists is told once it can be read."""
    one.publish("a.B", ["tri://h:1"])
    two.publish("a.B", ["tri://h:2"])
    heard = RecordingListener()
    with two.outage("down"):
        merged.subscribe(KEY, heard)
        (snapshot,) = heard.snapshots
        assert (heard.addresses, snapshot.is_known) == (["h:1"], False)
        assert snapshot.reason == "memory://merge-one: 1 provider of a.B; memory://merge-two: down"
        (line,) = caplog.messages
        assert line == "a.B is not had from one of its registries, and the others are asked: memory://merge-two: down"
    assert heard.wait_for("h:1", "h:2").is_known


def test_a_subscription_that_is_closed_meanwhile_is_not_joined(
    merged: MergedRegistry, one: MemorySpace, two: MemorySpace
) -> None:
    """Nor does the thread that would do it stay; the fixture looks for what is subscribed."""
    with two.outage("down"):
        merged.subscribe(KEY, RecordingListener()).close()
    merged.close()
    assert not [thread for thread in enumerate_threads() if thread.name == "callahead-registry-merged-again"]
    assert one.subscriptions == two.subscriptions == 0


def test_where_none_can_be_read_the_subscription_fails(
    merged: MergedRegistry, one: MemorySpace, two: MemorySpace
) -> None:
    """As one registry alone does, and nothing stays subscribed."""
    with (
        one.outage("down"),
        two.outage("down"),
        pytest.raises(RegistryUnavailable, match=r"^memory://merge-one: down$"),
    ):
        merged.subscribe(KEY, RecordingListener())
    assert one.subscriptions == two.subscriptions == 0


def test_close_ends_its_own_subscriptions_only(merged: MergedRegistry, one: MemorySpace) -> None:
    """The registries below belong to somebody else."""
    heard, direct = RecordingListener(), RecordingListener()
    merged.subscribe(KEY, heard)
    other = MemoryRegistry(RegistryPolicy(id="other", address="memory://merge-one"))
    other.subscribe(KEY, direct)
    merged.close()
    one.publish("a.B", ["tri://h:1"])
    assert (heard.addresses, direct.addresses) == ([], ["h:1"])
    with pytest.raises(RegistryError, match=r"^the merged registries are closed$"):
        merged.subscribe(KEY, heard)
    other.close()


def test_listeners_that_publish_to_the_other_registry_do_not_lock_up(
    merged: MergedRegistry, one: MemorySpace, two: MemorySpace
) -> None:
    """Two threads that change both registries crosswise come to an end, and to the same end."""
    heard = RecordingListener()

    def listener(snapshot: Snapshot, /) -> None:
        heard(snapshot)
        if 1000 <= min((each.port for each in snapshot.endpoints), default=0) < 1100:
            one.publish("a.C", [f"tri://h:{snapshot.version}"])
            two.publish("a.C", [f"tri://h:{snapshot.version}"])

    def change(space: MemorySpace, start: int) -> None:
        for port in range(start, start + 100):
            space.publish("a.B", [f"tri://h:{port}"])

    merged.subscribe(KEY, listener)
    threads = [Thread(target=change, args=args, daemon=True) for args in ((one, 1000), (two, 2000))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    heard.wait_for("h:1099", "h:2099")
    versions = [snapshot.version for snapshot in heard.snapshots]
    assert versions == sorted(set(versions))


def test_the_urls_of_rules_are_those_of_all(merged: MergedRegistry, one: MemorySpace, two: MemorySpace) -> None:
    """In the order of the registries; a change in any is told."""
    first, second = (f"override://0.0.0.0/a.B?timeout={number}" for number in (1, 2))
    two.list_urls("a.B", "configurators", [second])
    heard: list[tuple[Url, ...]] = []
    merged.watch_urls("a.B", "configurators", heard.append)
    one.list_urls("a.B", "configurators", [first])
    assert heard == [(Url.parse(second),), (Url.parse(first), Url.parse(second))]
