"""The nacos registry beside a real server: outages, restarts, log-ins, and what else may stand there."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.nacos_server import PASSWORD, USER, NacosServer, Publisher, require, shared
from support.registries import KEY, Open, heard_from, opening

from callahead.consumer import Consumer, NoProviderAvailable
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry import ServiceKey
from callahead.registry.nacos import NacosRegistry
from callahead.registry.nacos.names import name_of

pytestmark = pytest.mark.long

NAME = name_of(KEY)
TRI = {"protocol": "tri", "path": "a.B"}
FOO = "com.alibaba.foo.FooService"
WAIT_S = 20.0


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[NacosServer]:
    """One that a test may end."""
    require()
    with NacosServer(tmp_path) as one:
        yield one


@pytest.fixture
def guarded_server(tmp_path: Path) -> Iterator[NacosServer]:
    """One that asks for a log-in."""
    require()
    with NacosServer(tmp_path, auth=True) as one:
        yield one


@pytest.fixture
def publisher(request: pytest.FixtureRequest) -> Iterator[Publisher]:
    """Registers in a group of the test's own."""
    with shared().publisher() as one:
        yield one


@pytest.fixture
def opened() -> Iterator[Open]:
    """Make a registry of an address; closed at the end of the test."""
    with opening("nacos", timeout="2s", settle="500ms") as make:
        yield make


class Texts:
    """Remembers every text that it is told."""

    def __init__(self) -> None:
        self.told: list[str | None] = []
        self._changed = threading.Condition()

    def __call__(self, text: str | None) -> None:
        with self._changed:
            self.told.append(text)
            self._changed.notify_all()

    def wait_for(self, text: str | None) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.told[-1:] == [text], WAIT_S), self.told


@pytest.mark.parametrize("end", [NacosServer.kill, NacosServer.stop], ids=["killed", "stopped"])
def test_a_server_that_starts_again_empties_no_list(
    own_server: NacosServer, opened: Open, end: Callable[[NacosServer], None]
) -> None:
    """It knows no instance before providers come back, and is believed from then on."""
    with own_server.publisher() as before:
        before.register(NAME, "h", 1, TRI)
        heard = heard_from(opened(own_server.address))
        end(own_server)
        lost = heard.wait(lambda one: "cannot be reached" in one.reason, WAIT_S)
        assert [each.address for each in lost.endpoints] == ["h:1"]
        own_server.start()
    kept = heard.wait(lambda one: "none is listed since the connection was lost" in one.reason, WAIT_S)
    assert [each.address for each in kept.endpoints] == ["h:1"]
    with own_server.publisher() as after:
        after.register(NAME, "h", 2, TRI)
        heard.wait_for("h:2", timeout_s=WAIT_S)
        after.deregister(NAME, "h", 2)
        heard.wait_for(timeout_s=WAIT_S)
    assert all(each.endpoints for each in heard.snapshots[:-1])


def test_a_service_that_loses_its_provider_for_a_moment_is_not_emptied(publisher: Publisher, opened: Open) -> None:
    """A server of several that ends lets its providers go to another, which takes them some seconds."""
    heard = heard_from(opened(shared().address, group="moment", settle="1m"))
    watcher = heard_from(opened(shared().address, group="moment", settle="1ms"))
    for port in (1, 2):
        publisher.register(NAME, "h", port, TRI, group="moment")
        watcher.wait_for(f"h:{port}")
        publisher.deregister(NAME, "h", port, group="moment")
        watcher.wait_for()
    heard.wait_for("h:2")
    assert [len(each.endpoints) for each in heard.snapshots] == [0, 1, 1]


def test_texts_outlive_an_outage_and_a_change_in_it_is_told(own_server: NacosServer, opened: Open) -> None:
    """What changed while the connection was away is there once it is back; what is gone goes after a while."""
    for key in ("stays", "changes", "goes"):
        own_server.publish("dubbo", key, "old")
    registry = opened(own_server.address)
    texts = {key: Texts() for key in ("stays", "changes", "goes")}
    for key, listener in texts.items():
        registry.watch("dubbo", key, listener)
    own_server.pause()
    changing = threading.Thread(target=change_texts, args=(own_server,))
    changing.start()
    own_server.resume()
    changing.join()
    texts["changes"].wait_for("new")
    texts["goes"].wait_for(None)
    own_server.kill()
    wait_until(lambda: registry.problem is not None)
    own_server.start()
    wait_until(lambda: registry.problem is None)
    own_server.publish("dubbo", "stays", "newest")
    texts["stays"].wait_for("newest")
    assert [one.told for one in texts.values()] == [["old", "newest"], ["old", "new"], ["old", None]]


def change_texts(server: NacosServer) -> None:
    server.publish("dubbo", "changes", "new")
    server.publish("dubbo", "goes", None)


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(int(WAIT_S / 0.05)):
        if is_so():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it never came")


def test_a_server_that_has_lost_its_data_takes_a_text_away_after_a_while(own_server: NacosServer, opened: Open) -> None:
    """Not at once, for a server that has just started may not know yet what it keeps."""
    own_server.publish("dubbo", "key", "old")
    registry, heard = opened(own_server.address), Texts()
    registry.watch("dubbo", "key", heard)
    own_server.kill()
    own_server.wipe()
    wait_until(lambda: registry.problem is not None)
    own_server.start()
    heard.wait_for(None)


def test_another_server_takes_over(tmp_path: Path, opened: Open) -> None:
    """Of several servers one that cannot be reached is passed over, at the start and later."""
    require()
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with NacosServer(folders[0]) as first, NacosServer(folders[1]) as second:
        with first.publisher() as one, second.publisher() as other:
            one.register(NAME, "h", 1, TRI)
            other.register(NAME, "h", 2, TRI)
            heard = heard_from(opened(f"127.0.0.1:1?backup={first.address},{second.address}"))
            (address,) = heard.addresses
            (first if address == "h:1" else second).kill()
            heard.wait_for("h:2" if address == "h:1" else "h:1", timeout_s=WAIT_S)


def test_a_frozen_server_is_noticed_and_close_does_not_wait_for_it(own_server: NacosServer, opened: Open) -> None:
    """It answers no beat; its list stays, and is right again when it goes on."""
    with own_server.publisher() as publisher:
        publisher.register(NAME, "h", 1, TRI)
        registry = opened(own_server.address)
        heard = heard_from(registry)
        own_server.pause()
        why = "was reached, but does not answer as a Nacos server does: no answer within 3 s"
        kept = heard.wait(lambda one: why in one.reason, WAIT_S)
        assert [each.address for each in kept.endpoints] == ["h:1"]
        closing = threading.Thread(target=opened(own_server.address, timeout="100ms").close)
        closing.start()
        closing.join(8)
        assert not closing.is_alive()
        own_server.resume()
        heard.wait(lambda one: "not renewed" not in one.reason, WAIT_S)


def test_a_server_that_is_down_at_the_start_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    """With check, the default."""
    file = tmp_path / "x.yml"
    file.write_text(
        "registry: {id: main, address: 'nacos://me:pw@127.0.0.1:1?timeout=1s'}\n"
        f"references: {{foo: {{interface: {FOO}, module: callahead.conf.foo_pb2}}}}\n"
    )
    with Consumer.from_file(file) as consumer, pytest.raises(NoProviderAvailable) as caught:
        consumer.reference("foo")
    why = "127.0.0.1 cannot be reached at port 1001, which is 1000 above 1 and Nacos' for gRPC: connection refused"
    assert f"nacos://127.0.0.1:1/public/DEFAULT_GROUP: {why}" in str(caught.value)
    assert f"(registries.main.address, {file}:1)" in str(caught.value)


def test_a_host_that_does_not_resolve_is_named(opened: Open) -> None:
    """With what the system says of it."""
    heard = heard_from(opened("nobody.invalid:8848"))
    assert "nobody.invalid cannot be reached at port 9848" in heard.snapshots[0].reason


def test_no_call_fails_while_the_server_is_away(tmp_path: Path) -> None:
    """Without check it may come after the program, and go."""
    require()
    server = NacosServer(tmp_path)
    settings = {
        "registry": {"id": "main", "address": f"nacos://{server.address}?timeout=100ms"},
        "references": {"foo": {"interface": FOO, "module": "callahead.conf.foo_pb2", "check": False}},
    }
    try:
        with EmbeddedProvider() as provider, Consumer(settings) as consumer:
            provider.serve(FOO, module="callahead.conf.foo_pb2", findFoo=lambda request: {"name": "found"})
            foo = consumer.reference("foo")
            with server.start().publisher() as publisher:
                host, port = provider.url.removeprefix("tri://").split(":")
                publisher.register(name_of(ServiceKey(FOO)), host, int(port), {**TRI, "path": FOO})
                assert answer_of(foo) == "found"
                server.kill()
            for _ in range(20):
                assert foo.find_foo(foo_id=1).name == "found"
                threading.Event().wait(0.05)
            server.start()
            for _ in range(20):
                assert foo.find_foo(foo_id=1).name == "found"
                threading.Event().wait(0.05)
    finally:
        server.kill()


def answer_of(foo: Any) -> str:
    for _ in range(200):
        try:
            name: str = foo.find_foo(foo_id=1).name
            return name
        except NoProviderAvailable:
            threading.Event().wait(0.1)
    raise AssertionError("no provider came")


def test_a_rule_in_nacos_holds_in_a_program_that_runs(publisher: Publisher) -> None:
    """And no longer than it stands there."""
    namespace = "ruled"
    settings = {
        "registry": {"id": "main", "address": f"nacos://{shared().address}?namespace={namespace}"},
        "references": {
            "foo": {"interface": FOO, "protocol": "dubbo", "methods": {"findFoo": {"parameter_types": ["int"]}}}
        },
    }
    with EmbeddedProvider(protocol="dubbo") as one, EmbeddedProvider(protocol="dubbo") as other:
        for provider in (one, other):
            provider.serve(FOO, findFoo=lambda _foo_id, url=provider.url: url)
            host, port = provider.url.removeprefix("dubbo://").split(":")
            told = {"protocol": "dubbo", "path": FOO}
            publisher.register(name_of(ServiceKey(FOO)), host, int(port), told, namespace=namespace)
        with Consumer(settings) as consumer:
            foo = consumer.reference("foo")
            wait_until(lambda: answered_by(foo) == {one.url, other.url})
            key = f"{FOO}::.condition-router"
            port = one.url.rpartition(":")[2]
            shared().publish("dubbo", key, f"{{force: true, conditions: ['method=findFoo => port={port}']}}", namespace)
            wait_until(lambda: answered_by(foo) == {one.url})
            shared().publish("dubbo", key, None, namespace)
            wait_until(lambda: answered_by(foo) == {one.url, other.url})


def answered_by(foo: Any) -> set[str]:
    """Who answers some calls."""
    return {foo.findFoo(1) for _ in range(30)}


def test_a_log_in_is_needed_where_the_server_asks_for_one(
    guarded_server: NacosServer, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Without it, with a wrong one, and with the right one, which is never logged."""
    with guarded_server.publisher() as publisher, caplog.at_level(1):
        publisher.register(NAME, "h", 1, TRI)
        assert "the server refuses SubscribeServiceRequest: unknown user! (error 403)" in reason(
            opened(guarded_server.address)
        )
        assert f"{guarded_server.address} refuses user name and password (HTTP 403)" in reason(
            opened(f"{USER}:wrong@{guarded_server.address}")
        )
        heard = heard_from(opened(f"{USER}:{PASSWORD}@{guarded_server.address}"))
    heard.wait_for("h:1")
    assert PASSWORD not in caplog.text


def reason(registry: NacosRegistry) -> str:
    return heard_from(registry).snapshots[0].reason


def test_a_token_that_the_server_forgot_is_got_anew(guarded_server: NacosServer, opened: Open) -> None:
    """Servers that start again know none of those that they gave."""
    registry = opened(guarded_server.address, username=USER, password=PASSWORD)
    heard = heard_from(registry)
    guarded_server.kill()
    wait_until(lambda: registry.problem is not None)
    guarded_server.start()
    with guarded_server.publisher() as publisher:
        publisher.register(NAME, "h", 1, TRI)
        heard.wait_for("h:1", timeout_s=WAIT_S)


@pytest.mark.parametrize(
    "says",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\3\3\0\2\2\x46",  # an alert of TLS
        b"\xda\xbb\x22\x14\0\0\0\0\0\0\0\1\0\0\0\2N\x90",  # an answer of Dubbo
        b"\xff" * 64,
        b"",
        b"\0\0\6\4\0\0\0\0\0\0\0\0\0\0\0" * 50,
    ],
)
def test_an_address_that_speaks_something_else(opened: Open, says: bytes) -> None:
    """It is told from one that cannot be reached, and ends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        talker = threading.Thread(target=talk, args=(listening, says))
        talker.start()
        registry = opened(f"127.0.0.1:{listening.getsockname()[1] - 1000}")
        heard = heard_from(registry)
        told = heard.wait(lambda one: "was reached" in one.reason, WAIT_S)
        registry.close()
        listening.shutdown(socket.SHUT_RDWR)
        talker.join()
    assert "was reached, but does not answer as a Nacos server does: " in told.reason


def test_an_address_that_says_nothing_is_waited_for_no_longer_than_timeout(opened: Open) -> None:
    """The reason names the line, and then what is the matter."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        registry = opened(f"127.0.0.1:{listening.getsockname()[1] - 1000}", timeout="300ms")
        heard = heard_from(registry)
        told = heard.wait(lambda one: "no answer within 3 s" in one.reason, WAIT_S)
        registry.close()
    assert "there is no answer yet (registries.main.address, conf/x.yml:3)" in heard.snapshots[0].reason
    assert "was reached, but does not answer as a Nacos server does" in told.reason


def talk(listening: socket.socket, says: bytes) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            connection.recv(1000)
            connection.sendall(says)


def test_namespaces_and_groups_are_kept_apart(publisher: Publisher, opened: Open) -> None:
    """For services and for texts."""
    places = [("public", "apart"), ("live", "apart"), ("live", "DEFAULT_GROUP")]
    for port, (namespace, group) in enumerate(places, 1):
        publisher.register(NAME, "h", port, TRI, group=group, namespace=namespace)
    shared().publish("dubbo", "apart", "live", "live")
    for port, (namespace, group) in enumerate(places, 1):
        registry = opened(shared().address, namespace=namespace, group=group)
        heard_from(registry).wait_for(f"h:{port}")
        texts = Texts()
        registry.watch("dubbo", "apart", texts)
        assert texts.told == ["live" if namespace == "live" else None]


def test_a_thousand_instances_are_one_list(publisher: Publisher, opened: Open) -> None:
    """Those that come and those that were there."""
    heard = heard_from(opened(shared().address, group="many"))
    for port in range(1, 1001):
        publisher.register(NAME, "h", port, {**TRI, "methods": "find," * 30}, group="many")
    heard.wait(lambda one: len(one.endpoints) == 1000, 60)
    assert len(heard_from(opened(shared().address, group="many")).addresses) == 1000


def test_instances_that_make_no_sense_are_passed_over(
    publisher: Publisher, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is logged, without its secrets; the rest goes on."""
    publisher.register(NAME, "h", 1, TRI, group="odd")
    publisher.register(NAME, "h", 2, {"path": "a.B"}, group="odd")
    publisher.register(NAME, "no host", 3, TRI, group="odd")
    publisher.register(NAME, "h", 4, {**TRI, "weight": "heavy", "token": "s3same"}, group="odd")
    publisher.register(NAME, "h", 5, {**TRI, "category": "consumers"}, group="odd")
    publisher.register(NAME, "h", 0, TRI, group="odd")
    with caplog.at_level(logging.WARNING, "callahead.registry"):
        heard = heard_from(opened(shared().address, group="odd"))
    assert heard.addresses == ["h:1"]
    assert caplog.text.count("an instance is passed over") == 4
    assert "s3same" not in caplog.text


def test_weights_of_nacos_count_and_what_is_switched_off_does_not(publisher: Publisher, opened: Open) -> None:
    """A weight of 1 is one of 100 here, times what the provider says itself."""
    publisher.register(NAME, "h", 1, TRI, group="weights")
    publisher.register(NAME, "h", 2, TRI, group="weights", weight=0.5)
    publisher.register(NAME, "h", 3, {**TRI, "weight": "200"}, group="weights", weight=2.0)
    publisher.register(NAME, "h", 4, TRI, group="weights", enabled=False)
    heard = heard_from(opened(shared().address, group="weights"))
    told = heard.wait_for("h:1", "h:2", "h:3")
    assert sorted(each.weight for each in told.endpoints) == [50, 100, 400]


def test_a_forked_child_has_a_connection_of_its_own(publisher: Publisher, opened: Open) -> None:
    """It hears of changes, and the parent goes on hearing of them."""
    registry = opened(shared().address, group="forked")
    heard = heard_from(registry)
    child = os.fork()
    if child == 0:
        try:
            heard.wait_for("h:1")
            registry.close()
        except BaseException:
            os._exit(1)
        os._exit(0)
    publisher.register(NAME, "h", 1, TRI, group="forked")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    publisher.register(NAME, "h", 2, TRI, group="forked")
    heard.wait_for("h:1", "h:2")
