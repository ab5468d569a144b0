"""One of two registries is bad: the other's providers are called, one warning names the bad one, and it may heal.

Of every kind of registry, and of whatever may be wrong with it at the start. A new one joins by a `Fault` in FAULTS.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from kazoo.client import KazooClient
from kazoo.security import OPEN_ACL_UNSAFE, make_digest_acl
from support.dns_server import DnsServer
from support.nacos_server import PASSWORD, USER, NacosServer
from support.nacos_server import require as require_nacos
from support.zookeeper_server import ZookeeperServer, change, shared
from support.zookeeper_server import require as require_zookeeper

from callahead.consumer import Consumer
from callahead.consumer.testing import EmbeddedProvider
from callahead.registry import MemoryRegistry

FOO = "com.alibaba.foo.FooService"
WAIT_S = 20.0
FOLDER = f"{FOO}/providers"

names = map("bad-{}".format, itertools.count())


class Fault(contextlib.ExitStack):
    """A registry that is bad; whatever it needs is ended with it.

    Attributes:
        address: Of the registry, with settings that let it be left soon.
        warns: What the one warning says.
    """

    address: str
    warns: str

    def begin(self, folder: Path) -> None:
        """Make it."""

    def heal(self, url: str) -> None:
        """Mend it, and have it list the provider *url*."""
        raise NotImplementedError


class MissingFile(Fault):
    warns = "the file does not exist"

    def begin(self, folder: Path) -> None:
        self.path = folder / "providers.yml"
        self.address = f"{self.path.as_uri()}?interval=10ms"

    def heal(self, url: str) -> None:
        self.path.write_text(f"{FOO}: ['{url}']")


class MeaninglessFile(MissingFile):
    warns = "providers.yml:1: it is empty"

    def begin(self, folder: Path) -> None:
        super().begin(folder)
        self.path.write_text("")


class FolderForAFile(MissingFile):
    warns = "it is not a regular file"

    def begin(self, folder: Path) -> None:
        super().begin(folder)
        self.path.mkdir()

    def heal(self, url: str) -> None:
        self.path.rmdir()
        super().heal(url)


class NameServerThatIsDown(Fault):
    warns = "it cannot be looked up"

    def begin(self, _folder: Path) -> None:
        self.server = self.enter_context(contextlib.closing(DnsServer()))
        self.server.mode = "mute"
        query = f"server={self.server.address}&refresh=50ms&timeout=100ms"
        self.address = f"dns://_tri._tcp.shop.test?{query}"

    def heal(self, url: str) -> None:
        host, _, port = url.removeprefix("tri://").partition(":")
        self.server.put("_tri._tcp.shop.test", "SRV", f"0 0 {port} {host}.")
        self.server.mode = "up"


class Peer(Fault):
    """Something that is no registry, on a port.

    Args:
        scheme: Of the registry that is expected there.
        says: What it says to whoever connects, before it ends that; None for nothing, and no end.
    """

    def __init__(self, scheme: str, says: bytes | None, warns: str) -> None:
        super().__init__()
        self.scheme, self.says, self.warns = scheme, says, warns

    def begin(self, _folder: Path) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        kept: list[socket.socket] = []
        talker = threading.Thread(target=self._talk, args=(listening, kept))
        talker.start()
        self.callback(talker.join)
        self.callback(listening.shutdown, socket.SHUT_RDWR)
        self.address = _at(self.scheme, listening.getsockname()[1])

    def _talk(self, listening: socket.socket, kept: list[socket.socket]) -> None:
        with listening, contextlib.suppress(OSError):
            while True:
                kept.append(listening.accept()[0])
                if self.says is not None:
                    kept[-1].sendall(self.says)
                    kept.pop().close()
        for each in kept:
            each.close()


def _at(scheme: str, port: int, host: str = "127.0.0.1") -> str:
    """The address of a registry that is spoken to at *port*."""
    return f"{scheme}://{host}:{port - 1000 if scheme == 'nacos' else port}?timeout=200ms"


class Nobody(Fault):
    """A port at which nobody listens, or a host that is none."""

    def __init__(self, scheme: str, host: str, warns: str) -> None:
        super().__init__()
        self.address, self.warns = _at(scheme, 10_001, host), warns


class ZookeeperThatIsDown(Fault):
    warns = "it cannot be reached: connection refused"

    def begin(self, folder: Path) -> None:
        require_zookeeper()
        self.server = ZookeeperServer(folder)
        self.address = f"zookeeper://{self.server.address}?timeout=200ms"

    def heal(self, url: str) -> None:
        self.callback(self.server.kill)
        self.server.start()
        change(self.server, lambda zk: zk.create(f"/dubbo/{FOLDER}/{quote_plus(url)}", makepath=True))


class ZookeeperThatForbids(Fault):
    """The password is not the one that the folder asks for."""

    warns = "there is no permission to read it"

    def begin(self, _folder: Path) -> None:
        self.server, self.root = shared(), next(names)
        acl = [make_digest_acl("me", "s3same", all=True)]
        change(self.server, lambda zk: zk.ensure_path(f"/{self.root}/{FOO}"))
        change(self.server, lambda zk: zk.create(f"/{self.root}/{FOLDER}", acl=acl))
        self.address = f"zookeeper://me:wrong@{self.server.address}?group={self.root}"

    def heal(self, url: str) -> None:
        change(self.server, lambda zk: self._allow(zk, url))

    def _allow(self, client: KazooClient, url: str) -> None:
        client.add_auth("digest", "me:s3same")
        client.create(f"/{self.root}/{FOLDER}/{quote_plus(url)}")
        client.set_acls(f"/{self.root}/{FOLDER}", OPEN_ACL_UNSAFE)


class NacosThatIsDown(Fault):
    warns = "cannot be reached at port"

    def begin(self, folder: Path) -> None:
        require_nacos()
        self.server = NacosServer(folder)
        self.address = f"nacos://{self.server.address}?timeout=200ms"

    def heal(self, url: str) -> None:
        self.callback(self.server.kill)
        self.server.start()
        publisher = self.enter_context(self.server.publisher())
        host, _, port = url.removeprefix("tri://").partition(":")
        told = {"protocol": "tri", "path": FOO, "interface": FOO}
        publisher.register(f"providers:{FOO}::", host, int(port), told)


class NacosThatForbids(Fault):
    """It knows no such password."""

    warns = "refuses user name and password"

    def begin(self, folder: Path) -> None:
        require_nacos()
        server = NacosServer(folder, auth=True)
        self.callback(server.kill)
        server.start()
        self.address = f"nacos://{USER}:not-{PASSWORD}@{server.address}?timeout=3s"


HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
SSH = b"SSH-2.0-OpenSSH_9.6\r\n"
TLS = b"\x15\3\3\0\2\2\x46"
STRANGE = "was reached, but does not answer as a"

FAULTS: dict[str, Callable[[], Fault]] = {
    "file: missing": MissingFile,
    "file: empty": MeaninglessFile,
    "file: a folder": FolderForAFile,
    "dns: no name server": NameServerThatIsDown,
    "zookeeper: refuses": lambda: Nobody("zookeeper", "127.0.0.1", "it cannot be reached: connection refused"),
    "zookeeper: no host": lambda: Nobody("zookeeper", "nobody.invalid", "none of its names resolves"),
    "zookeeper: HTTP": lambda: Peer("zookeeper", HTTP, STRANGE),
    "zookeeper: SSH": lambda: Peer("zookeeper", SSH, STRANGE),
    "zookeeper: TLS": lambda: Peer("zookeeper", TLS, STRANGE),
    "zookeeper: silent": lambda: Peer("zookeeper", None, STRANGE),
    "nacos: refuses": lambda: Nobody("nacos", "127.0.0.1", "cannot be reached at port"),
    "nacos: no host": lambda: Nobody("nacos", "nobody.invalid", "cannot be reached at port"),
    "nacos: HTTP": lambda: Peer("nacos", HTTP, STRANGE),
    "nacos: SSH": lambda: Peer("nacos", SSH, STRANGE),
    "nacos: TLS": lambda: Peer("nacos", TLS, STRANGE),
    "nacos: silent": lambda: Peer("nacos", None, STRANGE),
}
LONG: dict[str, Callable[[], Fault]] = {
    "zookeeper: down": ZookeeperThatIsDown,
    "zookeeper: forbids": ZookeeperThatForbids,
    "nacos: down": NacosThatIsDown,
    "nacos: forbids": NacosThatForbids,
}
SILENT = [name for name in FAULTS if name.endswith("silent")]


def params() -> Iterator[Any]:
    for name, fault in FAULTS.items():
        yield pytest.param(fault, id=name, marks=[pytest.mark.slow] if name in SILENT else [])
    for name, fault in LONG.items():
        yield pytest.param(fault, id=name, marks=pytest.mark.long)


@pytest.fixture(params=params())
def fault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fault]:
    before = set(threading.enumerate())
    with request.param() as one:
        one.begin(tmp_path)
        yield one
    assert until(lambda: set(threading.enumerate()) <= before)


@pytest.fixture
def providers() -> Iterator[tuple[EmbeddedProvider, EmbeddedProvider]]:
    """What the good registry lists, and what the bad one will."""
    with EmbeddedProvider() as good, EmbeddedProvider() as other:
        for each, name in ((good, "good"), (other, "other")):
            each.serve(FOO, module="callahead.conf.foo_pb2", findFoo=lambda _request, name=name: {"name": name})
        yield good, other


def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + WAIT_S
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def test_the_others_providers_are_called_and_those_of_a_healed_one_join(
    fault: Fault, providers: tuple[EmbeddedProvider, EmbeddedProvider], caplog: pytest.LogCaptureFixture
) -> None:
    """Though ``check`` is true, since one provider is known; the log says each reason once, and where."""
    good, other = providers
    settings = {
        "registries": {"bad": {"address": fault.address}, "good": {"address": f"memory://{next(names)}"}},
        "references": {"foo": {"interface": FOO, "module": "callahead.conf.foo_pb2", "registry": ["bad", "good"]}},
    }
    with (
        MemoryRegistry.named(settings["registries"]["good"]["address"].removeprefix("memory://")) as space,
        Consumer(settings) as consumer,
    ):
        space.publish(FOO, [good.url])
        foo = consumer.reference("foo")
        assert foo.find_foo(foo_id=1).name == "good"
        assert until(lambda: any(fault.warns in line for line in caplog.messages)), caplog.text
        lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert len(lines) == len(set(lines)) <= 2  # a peer that ends connections may be seen to do so in two ways
        place = fault.address.rpartition("@")[2].partition("?")[0]
        assert all("registry bad" in line or place in line for line in lines)
        assert not any("wrong" in line for line in lines)
        with contextlib.suppress(NotImplementedError):
            fault.heal(other.url)
            assert until(lambda: {foo.find_foo(foo_id=1).name for _ in range(20)} == {"good", "other"}), caplog.text
