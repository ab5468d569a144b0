"""The serial queue: what happens between threads, and in listeners that call back."""

import logging
from threading import Event, Thread, get_ident

import pytest

from callahead.registry import Endpoint, RecordingListener, RegistryError, ServiceKey, Snapshot, Subscription
from callahead.registry.catalogue import Providers
from callahead.registry.notify import NotifyQueue

KEY = ServiceKey("a.B")
WAIT_S = 10.0


class Board:
    """A list of providers that a test sets, with a queue that tells of it."""

    def __init__(self) -> None:
        self.ports: tuple[int, ...] = ()
        self.queue = NotifyQueue("board", self.find)

    def find(self, key: ServiceKey) -> Providers:
        return Providers(tuple(Endpoint(protocol="tri", host="h", port=port) for port in self.ports), str(key))

    def put(self, *ports: int) -> None:
        self.ports = ports
        self.queue.announce()


def ports(snapshot: Snapshot) -> tuple[int, ...]:
    return tuple(endpoint.port for endpoint in snapshot.endpoints)


@pytest.fixture
def board() -> Board:
    return Board()


def test_each_announced_state_is_told_in_order(board: Board) -> None:
    """One thread's changes are told one by one, each with a higher version."""
    heard = RecordingListener()
    board.queue.subscribe(KEY, heard)
    for port in (1, 2, 3):
        board.put(port)
    assert [ports(one) for one in heard.snapshots] == [(), (1,), (2,), (3,)]
    assert [one.version for one in heard.snapshots] == [1, 2, 3, 4]


def test_an_equal_state_is_not_told_again(board: Board) -> None:
    """An announcement without news calls nobody."""
    heard = RecordingListener()
    board.queue.subscribe(KEY, heard)
    board.put()
    assert len(heard.snapshots) == 1


def test_only_subscriptions_to_what_has_changed_are_looked_at(board: Board) -> None:
    """Of thousands of interfaces the others cost nothing; who asks for any interface is told of each."""
    asked: list[str] = []
    queue = NotifyQueue("board", lambda key: (asked.append(key.interface), board.find(key))[1])
    heard = {name: RecordingListener() for name in ("a.B", "a.C", "*")}
    for name, listener in heard.items():
        queue.subscribe(ServiceKey(name), listener)
    queue.subscribe(ServiceKey("a.B", "group"), RecordingListener())
    asked.clear()
    board.ports = (1,)
    queue.announce({"a.B"})
    assert sorted(asked) == ["*", "a.B", "a.B"]
    assert [ports(listener.snapshots[-1]) for listener in heard.values()] == [(1,), (), (1,)]


def test_a_change_of_nothing_is_told_nobody(board: Board) -> None:
    """A registry announces what it has read, and that may be no providers."""
    heard = RecordingListener()
    board.queue.subscribe(KEY, heard)
    board.ports = (1,)
    board.queue.announce(())
    assert len(heard.snapshots) == 1


def test_a_subscription_that_was_closed_leaves_nothing_behind(board: Board) -> None:
    """Not even the name of what it was to."""
    subscriptions = [board.queue.subscribe(KEY, RecordingListener()) for _ in range(2)]
    for subscription in subscriptions:
        subscription.close()
    assert (len(board.queue), board.queue._queue._subscriptions) == (0, {})


def test_a_listener_that_announces_is_told_after_it_returns(board: Board) -> None:
    """A change made inside a notification never overlaps it, and is not lost."""
    events: list[str] = []

    def listener(snapshot: Snapshot, /) -> None:
        events.append(f"begin {ports(snapshot)}")
        if not snapshot.endpoints:
            board.put(1)
        events.append(f"end {ports(snapshot)}")

    board.queue.subscribe(KEY, listener)
    assert events == ["begin ()", "end ()", "begin (1,)", "end (1,)"]


def test_a_listener_may_subscribe(board: Board) -> None:
    """The new listener has heard its first snapshot when subscribe returns, inside a notification too."""
    inner = RecordingListener()
    counts: list[int] = []

    def listener(_: Snapshot, /) -> None:
        board.queue.subscribe(KEY, inner)
        counts.append(len(inner.snapshots))

    board.queue.subscribe(KEY, listener)
    assert counts == [1]


def test_a_listener_may_close_its_own_subscription(board: Board) -> None:
    """Close returns at once there, and nothing follows."""
    subscriptions: list[Subscription] = []
    heard: list[Snapshot] = []

    def listener(snapshot: Snapshot, /) -> None:
        heard.append(snapshot)
        if snapshot.endpoints:
            subscriptions[0].close()

    subscriptions.append(board.queue.subscribe(KEY, listener))
    board.put(1)
    board.put(2)
    assert [ports(one) for one in heard] == [(), (1,)]
    assert len(board.queue) == 0


def test_a_listener_may_close_another_subscription_that_is_still_to_be_told(board: Board) -> None:
    """Once close has returned the other hears nothing, though its notification was queued already."""
    others: list[Subscription] = []

    def closer(snapshot: Snapshot, /) -> None:
        if snapshot.endpoints:
            others[0].close()

    other = RecordingListener()
    board.queue.subscribe(KEY, closer)
    others.append(board.queue.subscribe(KEY, other))
    board.put(1)
    assert len(other.snapshots) == 1


class Blocking:
    """A listener that, from its second snapshot on, stays inside until it is released."""

    def __init__(self) -> None:
        self.entered = Event()
        self.release = Event()
        self.events: list[str] = []

    def __call__(self, snapshot: Snapshot, /) -> None:
        if snapshot.version > 1:
            self.entered.set()
            assert self.release.wait(WAIT_S)
            self.events.append("notified")


def test_close_waits_for_a_notification_on_another_thread(board: Board) -> None:
    """After close has returned the listener's owner may take its state down."""
    listener = Blocking()
    subscription = board.queue.subscribe(KEY, listener)

    def close() -> None:
        subscription.close()
        listener.events.append("closed")

    announcer = Thread(target=board.put, args=(1,))
    announcer.start()
    assert listener.entered.wait(WAIT_S)
    closer = Thread(target=close)
    closer.start()
    closer.join(0.05)
    listener.release.set()
    closer.join(WAIT_S)
    announcer.join(WAIT_S)
    assert listener.events == ["notified", "closed"]


def test_changes_behind_a_slow_listener_are_told_as_the_newest(board: Board) -> None:
    """What queues up is that there is news, not the news: memory does not grow with a slow listener."""
    listener = Blocking()
    heard = RecordingListener()
    board.queue.subscribe(KEY, listener)
    board.queue.subscribe(KEY, heard)
    announcer = Thread(target=board.put, args=(1,))
    announcer.start()
    assert listener.entered.wait(WAIT_S)
    for port in range(2, 1000):
        board.ports = (port,)
        board.queue.announce(wait=False)
    listener.release.set()
    announcer.join(WAIT_S)
    assert [ports(one) for one in heard.snapshots] == [(), (999,)]


def test_announce_waits_for_the_thread_that_is_telling(board: Board) -> None:
    """When it returns its change has been told, whoever did it."""
    listener = Blocking()
    heard = RecordingListener()
    board.queue.subscribe(KEY, listener)
    board.queue.subscribe(KEY, heard)
    first = Thread(target=board.put, args=(1,))
    first.start()
    assert listener.entered.wait(WAIT_S)
    seen: list[tuple[int, ...]] = []

    def second() -> None:
        board.put(2)
        seen.append(ports(heard.snapshots[-1]))

    other = Thread(target=second)
    other.start()
    other.join(0.05)
    listener.release.set()
    other.join(WAIT_S)
    first.join(WAIT_S)
    assert seen == [(2,)]


def test_listeners_of_many_threads_never_overlap(board: Board) -> None:
    """Eight threads announce, and at most one listener runs at any time."""
    running: list[int] = []
    most: list[int] = []

    def listener(_: Snapshot, /) -> None:
        running.append(get_ident())
        most.append(len(running))
        running.pop()

    def announce(start: int) -> None:
        for port in range(start, start + 200):
            board.put(port)

    for _ in range(4):
        board.queue.subscribe(KEY, listener)
    threads = [Thread(target=announce, args=(1000 * n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert max(most) == 1


def test_a_failing_listener_is_logged_and_hears_on(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    """Its exception reaches neither the announcer nor the others."""
    heard = RecordingListener()

    def listener(snapshot: Snapshot, /) -> None:
        heard(snapshot)
        raise OSError("full")

    with caplog.at_level(logging.ERROR, "callahead.registry"):
        board.queue.subscribe(KEY, listener)
        board.put(1)
    assert len(heard.snapshots) == 2
    assert [record.getMessage() for record in caplog.records] == ["registry board: the listener of a.B failed"] * 2


def test_an_interrupted_listener_leaves_a_working_queue(board: Board) -> None:
    """Ctrl-C inside a notification goes through; the next announcement serves what was left."""
    heard = RecordingListener()

    def listener(snapshot: Snapshot, /) -> None:
        if ports(snapshot) == (1,):
            raise KeyboardInterrupt

    board.queue.subscribe(KEY, listener)
    board.queue.subscribe(KEY, heard)
    with pytest.raises(KeyboardInterrupt):
        board.put(1)
    board.put(2)
    assert ports(heard.snapshots[-1]) == (2,)


def test_a_closed_queue_refuses_subscriptions(board: Board) -> None:
    """The error names the registry."""
    board.queue.close()
    board.queue.close()
    with pytest.raises(RegistryError, match=r"^registry board is closed$"):
        board.queue.subscribe(KEY, RecordingListener())
