"""The zookeeper registry and its servers: TLS, several of them, expired sessions, folders of any size."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from kazoo.client import KazooClient
from kazoo.security import OPEN_ACL_UNSAFE, make_digest_acl
from support.proxy import UP, Cut, Plain, Proxy
from support.registries import Open, heard_from, opening
from support.zookeeper_server import ZookeeperServer, change, require, shared

from callahead.config.policy import SslPolicy

pytestmark = pytest.mark.long

FOLDER = "/dubbo/a.B/providers"


@pytest.fixture
def opened() -> Iterator[Open]:
    """Make a registry of an address; closed at the end of the test."""
    with opening("zookeeper", timeout="2s", session="2s") as make:
        yield make


def add(server: ZookeeperServer, *urls: str, folder: str = FOLDER) -> None:
    change(server, lambda zk: [zk.create(f"{folder}/{quote_plus(url)}", makepath=True) for url in urls])


@pytest.fixture(scope="module")
def secure_server(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[ZookeeperServer]:
    require()
    with ZookeeperServer(tmp_path_factory.mktemp("zookeeper"), certificates) as server:
        add(server, *(f"tri://h:{port}" for port in range(1, 501)))
        yield server


def test_a_server_is_asked_over_tls(secure_server: ZookeeperServer, certificates: Path, opened: Open) -> None:
    """With a certificate of our own, which it asks for, and a list of more than one record; changes are heard."""
    ssl = SslPolicy(
        ca=str(certificates / "ca.pem"), cert=str(certificates / "client.pem"), key=str(certificates / "client.key")
    )
    heard = heard_from(opened(secure_server.secure_address, ssl))
    heard.wait(lambda one: len(one.endpoints) == 500)
    add(secure_server, "tri://new:1")
    heard.wait(lambda one: len(one.endpoints) == 501)


@pytest.mark.parametrize(
    ("ssl", "why"),
    [
        ({"ca": "other_ca"}, "certificate verify failed"),
        ({"ca": "ca", "server_name": "elsewhere.internal"}, "Hostname mismatch"),
        ({"ca": "ca"}, "it was reached, but does not answer as a ZooKeeper server does"),
        ({"ca": "ca", "cert": "stranger"}, "it was reached, but does not answer as a ZooKeeper server does"),
        (None, "it was reached, but does not answer as a ZooKeeper server does"),
    ],
    ids=["another CA", "another name", "no certificate", "a stranger's certificate", "no TLS"],
)
def test_tls_that_fails_says_why(
    secure_server: ZookeeperServer,
    certificates: Path,
    opened: Open,
    ssl: dict[str, str] | None,
    why: str,
) -> None:
    """And goes on trying."""
    policy = None
    if ssl is not None:
        files = {name: str(certificates / f"{value}.pem") for name, value in ssl.items() if name != "server_name"}
        key = str(certificates / f"{ssl['cert']}.key") if "cert" in ssl else None
        policy = SslPolicy(**files, key=key, server_name=ssl.get("server_name"))
    heard = heard_from(opened(secure_server.secure_address, policy))
    assert why in heard.snapshots[-1].reason


def test_another_server_takes_over(tmp_path: Path, opened: Open) -> None:
    """What it says is taken, since it knows providers; when it is gone too, its list stays."""
    require()
    servers: list[ZookeeperServer] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        servers.append(ZookeeperServer(tmp_path / name))
    one, two = servers
    with one, two:
        add(one, "tri://h:1")
        add(two, "tri://h:2")
        heard = heard_from(opened(one.address, backup=two.address))
        first, other = (one, two) if heard.addresses == ["h:1"] else (two, one)
        first.kill()
        heard.wait_for("h:2" if other is two else "h:1", timeout_s=20)
        other.kill()
        heard.wait(lambda snapshot: "not renewed: it cannot be reached" in snapshot.reason, 20)
        assert len(heard.addresses) == 1


def test_an_expired_session_is_followed_by_another(tmp_path: Path, opened: Open) -> None:
    """A server that was frozen for longer than the session has forgotten it; no change is missed, nobody is lost."""
    require()
    with ZookeeperServer(tmp_path, settings={"minSessionTimeout": 1000}) as server:
        add(server, "tri://h:1")
        registry = opened(server.address, session="1s")
        heard = heard_from(registry)
        session = registry._keeper.session  # type: ignore[attr-defined]
        before = session.id
        change(server, lambda zk: expire(zk, server, session))
        heard.wait(lambda _one: session.is_up and session.id != before, 20)
        add(server, "tri://h:2")
        heard.wait_for("h:1", "h:2", timeout_s=20)
        assert all(one.endpoints for one in heard.snapshots)
        assert len(change(server, lambda zk: zk.get_children("/dubbo/a.B/consumers"))) == 1


def expire(_client: KazooClient, server: ZookeeperServer, session: Any) -> None:
    """End the session of another, by its number and password, as the servers do when it is silent for too long."""
    number, password = session._client.client_id
    thief = KazooClient(server.address, client_id=(number, password))
    thief.start()
    thief.stop()
    thief.close()


def test_a_folder_of_many_providers_is_read_as_a_whole(tmp_path: Path, opened: Open) -> None:
    """Ten thousand nodes are some megabytes in one answer, which a server gives whatever its ``jute.maxbuffer``."""
    require()
    with ZookeeperServer(tmp_path) as server:
        pad = "x" * 900
        names = [f"{FOLDER}/{quote_plus(f'tri://h:{port}/a.B?pad={pad}')}" for port in range(1, 10_001)]

        def fill(client: KazooClient) -> None:
            client.ensure_path(FOLDER)
            for answer in [client.create_async(name) for name in names]:
                answer.get(timeout=60)

        change(server, fill)
        heard = heard_from(opened(server.address, timeout="30s", session="30s"))
        assert len(heard.snapshots[-1].endpoints) == 10_000
        change(server, lambda zk: zk.delete(names[0]))
        heard.wait(lambda one: len(one.endpoints) == 9_999, 30)


def test_two_registries_of_a_process_enrol_apart(tmp_path: Path, opened: Open) -> None:
    """The first that is closed takes nothing from the other."""
    require()
    with ZookeeperServer(tmp_path) as server:
        one, two = opened(server.address), opened(server.address)
        for registry in (one, two):
            heard_from(registry)
        enrolled = count_of(server, "/dubbo/a.B/consumers", 2)
        one.close()
        assert (enrolled, count_of(server, "/dubbo/a.B/consumers", 1)) == (2, 1)


def count_of(server: ZookeeperServer, path: str, wanted: int) -> int:
    """How many children *path* has, once they are so many as are wanted."""

    def look(client: KazooClient) -> int:
        found = 0
        for _ in range(200):
            found = len(client.get_children(path)) if client.exists(path) else 0
            if found == wanted:
                break
            client.handler.sleep_func(0.05)
        return found

    found: int = change(server, look)
    return found


def test_an_application_without_permission_says_so(
    tmp_path: Path, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is told of anything, and the log has the reason; once it may be read, it is."""
    require()
    with ZookeeperServer(tmp_path) as server, caplog.at_level(logging.WARNING, "callahead.registry"):
        path = "/services/guarded"
        change(server, lambda zk: zk.ensure_path("/services"))
        change(server, lambda zk: zk.create(path, acl=[make_digest_acl("me", "s3same", all=True)]))
        heard: list[Any] = []
        opened(server.address).watch_application("guarded", heard.append)
        assert heard == []
        assert "application guarded: there is no permission to read it" in caplog.text

        def allow(client: KazooClient) -> None:
            client.add_auth("digest", "me:s3same")
            client.set_acls(path, OPEN_ACL_UNSAFE)

        change(server, allow)
        for _ in range(400):
            if heard:
                break
            time.sleep(0.05)
        assert len(heard) == 1


class _Mute:
    """A way on which nothing comes to the server."""

    def carry(self, direction: str, data: bytes) -> bytes:
        """Swallow what the client says."""
        return b"" if direction == UP else data


def test_a_connection_that_is_never_greeted_is_soon_left_for_another(opened: Open) -> None:
    """A server that is just starting takes some that it never answers; a session would wait for a minute."""
    server = shared()
    add(server, "tri://h:1", folder="/mute/a.B/providers")
    ways = iter((_Mute(), _Mute()))
    with Proxy(server.port, lambda: next(ways, Plain())) as proxy:
        heard = heard_from(opened(f"127.0.0.1:{proxy.port}", group="mute", session="60s", timeout="1s"))
        heard.wait_for("h:1", timeout_s=20)


class _CutAtCreate:
    """A way that ends when the client makes a node, once that has gone on or in its place."""

    def carry(self, direction: str, data: bytes) -> bytes:
        """End it there."""
        if direction == UP and b"/consumers/" in data:
            raise Cut
        return data


def test_a_consumer_is_registered_though_the_connection_was_lost_meanwhile(opened: Open) -> None:
    """Its session goes on, and so nothing else would make the node."""
    server = shared()
    add(server, "tri://h:1", folder="/cut/a.B/providers")
    ways = iter((_CutAtCreate(), _CutAtCreate()))
    with Proxy(server.port, lambda: next(ways, Plain())) as proxy:
        heard_from(opened(f"127.0.0.1:{proxy.port}", group="cut", session="10s"))
        assert count_of(server, "/cut/a.B/consumers", 1) == 1


def test_ten_megabytes_of_nonsense_cost_a_provider_nothing(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    """It is told, and later changes as well; the log has a few lines of a bounded size, and the reason one."""
    server, folder = shared(), "/nonsense/a.B/providers"
    kinds = ("tri://h:1?weight={}", "tri://h:{}/a.B?weight=nan&pad=", "no url {}", "tri://[::{}?token=s3same", "%ff{}")
    pad = "x" * 1000
    names = [quote_plus(f"{kind.format(-1 - number)}{pad}") for number in range(2000) for kind in kinds]

    def fill(client: KazooClient) -> None:
        client.ensure_path(folder)
        for answer in [client.create_async(f"{folder}/{name}") for name in names]:
            answer.get(timeout=60)

    change(server, fill)
    add(server, "tri://good:1", "tri://good:1?weight=100", folder=folder)
    with caplog.at_level(logging.WARNING, "callahead.registry"):
        heard = heard_from(opened(server.address, group="nonsense", timeout="30s", session="30s"))
        assert heard.addresses == ["good:1"]
        add(server, "tri://good:2", folder=folder)
        heard.wait_for("good:1", "good:2", timeout_s=30)
    assert len(caplog.messages) == 11
    assert max(map(len, caplog.messages)) < 2000
    assert len(heard.snapshots[-1].reason) < 1000
    assert "s3same" not in caplog.text + heard.snapshots[-1].reason
