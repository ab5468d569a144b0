"""The zookeeper registry beside a real server: outages, lost data, permissions, and what else may stand there."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import pytest
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl
from support.registries import Open, heard_from, opening
from support.zookeeper_server import ZookeeperServer, change, require

from callahead.consumer import Consumer, NoProviderAvailable
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry import ServiceKey
from callahead.registry.api import ApplicationRegistry, ConfigurationCentre
from callahead.registry.instance import Instances

pytestmark = pytest.mark.long

FOLDER = "/dubbo/a.B/providers"
FOO = "com.alibaba.foo.FooService"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZookeeperServer]:
    require()
    with ZookeeperServer(tmp_path_factory.mktemp("zookeeper")) as one:
        yield one


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ZookeeperServer]:
    """One that a test may end."""
    require()
    with ZookeeperServer(tmp_path) as one:
        yield one


@pytest.fixture
def opened() -> Iterator[Open]:
    """Make a registry of an address; closed at the end of the test."""
    with opening("zookeeper", timeout="1s") as make:
        yield make


def add(server: ZookeeperServer, *urls: str, folder: str = FOLDER) -> None:
    change(server, lambda zk: [zk.create(f"{folder}/{quote_plus(url)}", makepath=True) for url in urls])


def remove(server: ZookeeperServer, url: str) -> None:
    change(server, lambda zk: zk.delete(f"{FOLDER}/{quote_plus(url)}"))


def test_an_outage_keeps_the_list_and_misses_no_change(own_server: ZookeeperServer, opened: Open) -> None:
    """What changed as the session was away is there once it is back, and what changes later, too."""
    add(own_server, "tri://h:1")
    heard = heard_from(opened(own_server.address))
    own_server.kill()
    lost = heard.wait(lambda one: "not renewed: " in one.reason)
    assert [each.address for each in lost.endpoints] == ["h:1"]
    own_server.start()
    add(own_server, "tri://h:2")
    heard.wait_for("h:1", "h:2", timeout_s=20)
    remove(own_server, "tri://h:1")
    heard.wait_for("h:2")
    assert all(each.endpoints for each in heard.snapshots)


def test_lost_data_empty_no_list(own_server: ZookeeperServer, opened: Open) -> None:
    """A server that comes back with nothing is joined again, and believed once a provider is there again."""
    add(own_server, "tri://h:1")
    heard = heard_from(opened(own_server.address))
    own_server.kill()
    own_server.wipe()
    own_server.start()
    kept = heard.wait(lambda one: "none is listed since the session was lost" in one.reason, 20)
    assert [each.address for each in kept.endpoints] == ["h:1"]
    add(own_server, "tri://h:2")
    heard.wait_for("h:2")
    remove(own_server, "tri://h:2")
    heard.wait_for()


def test_a_text_survives_an_outage_and_a_change_in_it_is_told(own_server: ZookeeperServer, opened: Open) -> None:
    """It was changed by a session that came before the watcher's own was up again."""
    registry = opened(own_server.address)
    assert isinstance(registry, ConfigurationCentre)
    heard: list[str | None] = []
    write = "/dubbo/config/dubbo/shop.tag-router"
    change(own_server, lambda zk: zk.create(write, b"old", makepath=True))
    registry.watch("dubbo", "shop.tag-router", heard.append)
    own_server.kill()
    own_server.start()
    change(own_server, lambda zk: zk.set(write, b"new"))
    assert until(lambda: heard == ["old", "new"])


def until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait for something that another thread will bring about; False where it does not."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_server_that_is_down_at_the_start_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    """With check, the default."""
    file = tmp_path / "x.yml"
    file.write_text(
        "registry: {id: main, address: 'zookeeper://me:pw@127.0.0.1:1?timeout=2s'}\n"
        f"references: {{foo: {{interface: {FOO}, module: callahead.conf.foo_pb2}}}}\n"
    )
    with Consumer.from_file(file) as consumer, pytest.raises(NoProviderAvailable) as caught:
        consumer.reference("foo")
    assert "zookeeper://127.0.0.1:1/dubbo: it cannot be reached: connection refused" in str(caught.value)
    assert f"(registries.main.address, {file}:1)" in str(caught.value)


def test_without_check_the_server_may_come_later(tmp_path: Path) -> None:
    """The list is there soon after the server, and calls go where it says."""
    require()
    server = ZookeeperServer(tmp_path)
    settings = {
        "registry": {"id": "main", "address": f"zookeeper://{server.address}?timeout=100ms"},
        "references": {"foo": {"interface": FOO, "module": "callahead.conf.foo_pb2", "check": False}},
    }
    try:
        with EmbeddedProvider() as provider, Consumer(settings) as consumer:
            provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=lambda request: {"name": "found"})
            foo = consumer.reference("foo")
            add(server.start(), provider.url, folder=f"/dubbo/{FOO}/providers")
            assert answer_of(foo) == "found"
            server.kill()
            assert foo.find_foo(foo_id=1).name == "found"
    finally:
        server.kill()


def test_rules_of_dubbo_2_6_change_a_running_consumer(own_server: ZookeeperServer) -> None:
    """Written as its consoles do, beside the providers; they outlive the session, and end with their nodes."""
    rules = {
        f"/dubbo/{FOO}/configurators": f"override://0.0.0.0/{FOO}?category=configurators&dynamic=false&timeout=3000",
        f"/dubbo/{FOO}/routers": f"route://0.0.0.0/{FOO}?category=routers&router=condition&force=true&rule="
        + quote_plus("method = find* => port != 1"),
    }
    settings = {
        "application": {"name": "shop"},
        "registry": {"id": "main", "address": f"zookeeper://{own_server.address}"},
        "references": {"foo": {"interface": FOO, "module": "callahead.conf.foo_pb2"}},
    }
    with EmbeddedProvider() as provider, Consumer(settings) as consumer:
        provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=lambda request: {"name": "found"})
        add(own_server, provider.url, "tri://127.0.0.1:1", folder=f"/dubbo/{FOO}/providers")
        foo = consumer.reference("foo")
        for folder, url in rules.items():
            add(own_server, url, folder=folder)
        assert until(lambda: (foo.find_foo.policy.timeout_ms, usable(consumer)) == (3000, 1))
        own_server.kill()
        assert foo.find_foo(foo_id=1).name == "found"
        own_server.start()
        for folder, url in rules.items():
            change(own_server, partial(KazooClient.delete, path=f"{folder}/{quote_plus(url)}"))
        assert until(lambda: (foo.find_foo.policy.timeout_ms, usable(consumer)) == (1000, 2))


def usable(consumer: Consumer) -> int:
    """How many providers the rules leave for a call."""
    return sum(not one.dropped_by for one in consumer.providers("foo", "findFoo").providers)


def answer_of(foo: Any) -> str:
    for _ in range(200):
        try:
            name: str = foo.find_foo(foo_id=1).name
            return name
        except NoProviderAvailable:
            threading.Event().wait(0.1)
    raise AssertionError("no provider came")


def test_nodes_that_make_no_sense_are_passed_over(
    server: ZookeeperServer, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is logged, without its secrets; the rest goes on."""
    folder = "/odd/a.B/providers"
    add(server, "tri://h:1", "no url", "tri://h:2?weight=heavy&token=s3same", "empty://0.0.0.0/a.B", folder=folder)
    change(server, lambda zk: zk.create(f"{folder}/%ff"))
    with caplog.at_level(logging.WARNING, "callahead.registry"):
        heard = heard_from(opened(server.address, group="odd"))
    assert heard.addresses == ["h:1"]
    assert caplog.text.count("a node is passed over") == 3
    assert "s3same" not in caplog.text


def test_instances_that_make_no_sense_are_passed_over(
    server: ZookeeperServer, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Each fault is logged with the name of its node, and the others are told."""
    good = b'{"address":"h","port":1,"payload":{"metadata":{}}}'
    bad = [b"", b"[]", b"\xff", b"[" * 100_000, b"x" * 300_000, good.replace(b"1", b"0"), good.replace(b"{}", b"[]")]
    bad.append(good.replace(b"{}", b'{"dubbo.metadata.revision":"../x"}'))
    registry = opened(server.address)
    assert isinstance(registry, ApplicationRegistry)
    for number, data in enumerate([good, *bad]):
        create = partial(KazooClient.create, path=f"/services/odd/h:{number}", value=data, makepath=True)
        change(server, create)
    heard: list[Instances] = []
    registry.watch_application("odd", heard.append)
    assert [each.address for each in heard[0].instances] == ["h:1"]
    assert caplog.text.count("application odd: a node is passed over: h:") == len(bad)


def test_of_one_address_the_newest_is_told(server: ZookeeperServer, opened: Open) -> None:
    """A provider that was killed and started again stands there twice for a while."""
    old, new = "tri://h:1/a.B?timestamp=900&v=old", "tri://h:1/a.B?timestamp=1000&v=new"
    add(server, old, new, folder="/twice/a.B/providers")
    heard = heard_from(opened(server.address, group="twice"))
    (endpoint,) = heard.snapshots[0].endpoints
    assert endpoint.parameters["v"] == "new"


def test_a_consumer_is_registered_while_its_session_lasts(server: ZookeeperServer, opened: Open) -> None:
    """As Dubbo does it; the node goes with the registry."""
    registry = opened(server.address, group="reg")
    heard_from(registry, ServiceKey("a.B", "g", "1.0"))
    (node,) = nodes(server, "/reg/a.B/consumers", 1)
    url = unquote_plus(node)
    assert url.startswith("consumer://127.0.0.1/a.B?application=shop&category=consumers&check=false&group=g&")
    assert f"&interface=a.B&pid={os.getpid()}&side=consumer&timestamp=" in url
    assert url.endswith("&version=1.0")
    registry.close()
    assert nodes(server, "/reg/a.B/consumers", 0) == []


def nodes(server: ZookeeperServer, folder: str, count: int) -> list[str]:
    """The children of a folder, once there are so many."""

    def look(client: KazooClient) -> list[str]:
        found: list[str] = []
        for _ in range(100):
            found = client.get_children(folder) if client.exists(folder) else []
            if len(found) == count:
                break
            threading.Event().wait(0.05)
        return found

    found: list[str] = change(server, look)
    return found


def test_register_false_writes_nothing(server: ZookeeperServer, opened: Open) -> None:
    """A consumer may be one that only reads."""
    registry = opened(server.address, group="reads", register="false")
    heard_from(registry)
    registry.close()
    assert not change(server, lambda zk: zk.exists("/reads"))


def test_a_folder_without_permission_says_so(
    server: ZookeeperServer, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """With the right name and password it is read, and neither is ever logged."""
    add(server, "tri://h:1", folder="/guarded/a.B/providers")
    acl = [make_digest_acl("me", "s3same", all=True)]
    change(server, lambda zk: zk.set_acls("/guarded/a.B/providers", acl))
    with caplog.at_level(1):
        assert "there is no permission" in heard_from(opened(server.address, group="guarded")).snapshots[0].reason
        logging.getLogger("callahead.registry.kazoo").setLevel(1)
        heard = heard_from(opened(f"me:s3same@{server.address}", group="guarded"))
        logging.getLogger("callahead.registry.kazoo").setLevel(logging.CRITICAL)
    assert heard.addresses == ["h:1"]
    assert "s3same" not in caplog.text


@pytest.mark.parametrize(
    "says",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\3\3\0\2\2\x46",  # an alert of TLS
        b"\xda\xbb\x22\x14\0\0\0\0\0\0\0\1\0\0\0\2N\x90",  # an answer of Dubbo
        b"\0\0\0\4oops",
        b"\xff" * 64,
        b"",
    ],
)
def test_an_address_that_speaks_something_else(opened: Open, says: bytes) -> None:
    """It is told from one that cannot be reached, and ends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        talker = threading.Thread(target=talk, args=(listening, says))
        talker.start()
        registry = opened(f"127.0.0.1:{listening.getsockname()[1]}")
        heard = heard_from(registry)
        registry.close()
        listening.shutdown(socket.SHUT_RDWR)
        talker.join()
    assert "it was reached, but does not answer as a ZooKeeper server does" in heard.snapshots[0].reason


def test_an_address_that_greets_and_stays_is_soon_told(opened: Open) -> None:
    """As SSH does: its first bytes, read as a size, are of a message that nobody waits for, nor has room for."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        greeter = threading.Thread(target=greet, args=(listening,))
        greeter.start()
        registry = opened(f"127.0.0.1:{listening.getsockname()[1]}")  # which waits a second, and kazoo would wait ten
        heard = heard_from(registry)
        registry.close()
        listening.shutdown(socket.SHUT_RDWR)
        greeter.join()
    assert "it was reached, but does not answer as a ZooKeeper server does" in heard.snapshots[0].reason


def greet(listening: socket.socket) -> None:
    kept = []
    while True:
        try:
            kept.append(listening.accept()[0])
        except OSError:
            break
        kept[-1].sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
    for each in kept:
        each.close()


def test_an_address_that_says_nothing_is_waited_for_no_longer_than_timeout(opened: Open) -> None:
    """The reason names the line, and closing waits for nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        registry = opened(f"127.0.0.1:{listening.getsockname()[1]}", timeout="300ms")
        began = time.monotonic()
        heard = heard_from(registry)
        registry.close()
        assert time.monotonic() - began < 8  # the session would have ten
    assert "there is no answer yet (registries.main.address, conf/x.yml:3)" in heard.snapshots[0].reason


def talk(listening: socket.socket, says: bytes) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            connection.recv(1000)
            connection.sendall(says)


def test_close_does_not_wait_for_a_server_that_is_frozen(own_server: ZookeeperServer, opened: Open) -> None:
    """Neither where there is a session nor where one is being made."""
    first, second = opened(own_server.address), opened(own_server.address, timeout="100ms")
    heard_from(first)
    own_server.pause()
    heard_from(second)
    closing = threading.Thread(target=lambda: (first.close(), second.close()))
    closing.start()
    closing.join(8)
    assert not closing.is_alive()
    own_server.resume()


def test_a_forked_child_has_a_session_of_its_own(own_server: ZookeeperServer, opened: Open) -> None:
    """It hears of changes, and the parent goes on hearing of them."""
    registry = opened(own_server.address)
    heard = heard_from(registry)
    child = os.fork()
    if child == 0:
        try:
            heard.wait_for("h:1")
            registry.close()
        except BaseException:
            os._exit(1)
        os._exit(0)
    nodes(own_server, "/dubbo/a.B/consumers", 2)
    add(own_server, "tri://h:1")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    add(own_server, "tri://h:2")
    heard.wait_for("h:1", "h:2")
