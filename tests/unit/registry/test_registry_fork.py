"""What a forked child hears of the file that its parent watches."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.forked import WARNING, in_child

from callahead.config.policy import RegistryPolicy
from callahead.registry import FileRegistry, RecordingListener, RegistryError, ServiceKey, Snapshot
from callahead.registry.catalogue import Providers
from callahead.registry.notify import NotifyQueue

KEY = ServiceKey("a.B")
pytestmark = pytest.mark.filterwarnings(WARNING)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "providers.yml"
    put(file, 1)
    return file


@pytest.fixture
def registry(path: Path) -> Iterator[FileRegistry]:
    one = FileRegistry(RegistryPolicy(id="main", address=path.as_uri(), parameters={"interval": "10"}))
    yield one
    one.close()


def put(path: Path, *ports: int) -> None:
    new = path.with_suffix(".new")
    new.write_text("".join(f"- tri://h:{port}/a.B\n" for port in ports) or "[]")
    os.replace(new, path)


def watchers() -> int:
    return sum(thread.name == "callahead-registry-main" for thread in threading.enumerate())


def test_a_child_sees_changes_of_the_file(path: Path, registry: FileRegistry) -> None:
    """By a thread of its own, which ends when the child closes the registry; the parent's goes on."""
    heard = RecordingListener()
    registry.subscribe(KEY, heard)

    def work() -> None:
        put(path, 1, 2)
        heard.wait_for("h:1", "h:2")
        assert watchers() == 1
        registry.close()
        assert watchers() == 0

    assert in_child(work) == 0
    heard.wait_for("h:1", "h:2")
    put(path, 3)
    heard.wait_for("h:3")


def test_a_child_of_a_child_sees_them_too(path: Path, registry: FileRegistry) -> None:
    """As a pre-forking server has them that forks again for a job."""
    heard = RecordingListener()
    registry.subscribe(KEY, heard)

    def work() -> None:
        put(path, 2)
        heard.wait_for("h:2")

    assert in_child(lambda: os._exit(in_child(work))) == 0


def test_a_fork_while_the_watcher_tells_a_listener(path: Path, registry: FileRegistry) -> None:
    """The child waits for no thread that it does not have, and tells again what was being told."""
    heard = RecordingListener()
    inside, leave = threading.Event(), threading.Event()

    def slow(snapshot: Snapshot) -> None:
        if snapshot.version == 2:
            inside.set()
            leave.wait(10)
        heard(snapshot)

    subscription = registry.subscribe(KEY, slow)
    put(path, 2)
    assert inside.wait(10)

    def work() -> None:
        heard.wait_for("h:2")
        put(path, 3)
        heard.wait_for("h:3")
        subscription.close()
        registry.close()

    try:
        assert in_child(work) == 0
    finally:
        leave.set()


def test_a_registry_that_nobody_watches_starts_no_thread_in_a_child(path: Path, registry: FileRegistry) -> None:
    """Neither one without subscriptions, nor one that is closed; the first can be subscribed to there."""
    closed = FileRegistry(RegistryPolicy(id="main", address=path.as_uri()))
    closed.subscribe(KEY, RecordingListener())
    closed.close()

    def work() -> None:
        assert watchers() == 0
        with pytest.raises(RegistryError, match="is closed"):
            closed.subscribe(KEY, RecordingListener())
        heard = RecordingListener()
        registry.subscribe(KEY, heard)
        put(path, 2)
        heard.wait_for("h:2")

    assert in_child(work) == 0


def test_a_listener_that_forks_ends_its_own_notification_in_the_child() -> None:
    """The child's copy of the queue is served by the thread that it came from, and goes on being served."""
    ports = [1]
    queue = NotifyQueue("q", lambda key: Providers((), f"{key} {ports}"))
    heard: list[str] = []
    statuses: list[int] = []

    def forking(snapshot: Snapshot) -> None:
        heard.append(snapshot.reason)
        if snapshot.version == 2:
            statuses.append(in_child(tell_more))

    def tell_more() -> None:
        ports[0] = 3
        queue.announce()  # from a listener: told when it returns, which the child does not wait for
        assert heard == ["a.B [1]", "a.B [2]"]
        assert len(queue) == 1

    queue.subscribe(KEY, forking)
    ports[0] = 2
    queue.announce()
    assert (statuses, heard) == ([0], ["a.B [1]", "a.B [2]"])


def test_a_subscription_that_was_being_ended_at_the_fork_can_be_ended_in_the_child() -> None:
    """Where one of the parent's threads waits until its listener has returned, the child has no such listener."""
    inside, leave = threading.Event(), threading.Event()
    ports = [1]
    queue = NotifyQueue("q", lambda key: Providers((), f"{key} {ports}"))

    def slow(snapshot: Snapshot) -> None:
        if snapshot.version == 2:
            inside.set()
            leave.wait(10)

    subscription = queue.subscribe(KEY, slow)
    ports[0] = 2
    telling = threading.Thread(target=queue.announce)
    ending = threading.Thread(target=subscription.close)
    try:
        telling.start()
        assert inside.wait(10)
        ending.start()
        while len(queue):  # it is taken out before it is waited for
            time.sleep(0.001)
        assert in_child(subscription.close) == 0
    finally:
        leave.set()
        telling.join()
        ending.join()
