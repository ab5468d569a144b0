"""A real Apache ZooKeeper server in a JVM of its own, started, stopped, frozen and wiped from here.

Its jars come from Maven Central by ``zookeeper/pom.xml`` beside this file, once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest
from kazoo.client import KazooClient

from .for_the_run import started
from .sockets import free_port

_PROJECT: Final = Path(__file__).parent / "zookeeper"
_TARGET: Final = _PROJECT / "target"
_QUICK_START: Final = ("-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_SETTINGS: Final[Mapping[str, object]] = {
    "clientPortAddress": "127.0.0.1",
    "tickTime": 500,
    "minSessionTimeout": 1000,
    "maxSessionTimeout": 60_000,
    "admin.enableServer": "false",
}
_START_S: Final = 30.0


def missing() -> str | None:
    """What a server needs and this machine lacks, as a text for ``pytest.skip``; None when one can be started."""
    needed = ("java",) if _is_built() else ("java", "mvn")
    lacking = [program for program in needed if shutil.which(program) is None]
    install = "on Debian and Ubuntu: apt-get install maven default-jdk-headless"
    return f"a ZooKeeper server needs {', '.join(lacking)} on PATH ({install})" if lacking else None


def require() -> None:
    """Skip what needs a server where none can be started, and say how to get it; in CI that is a failure."""
    why_not = missing()
    if why_not is not None and os.environ.get("CALLAHEAD_CI"):
        pytest.fail(f"CALLAHEAD_CI is set, so nothing may be skipped, but {why_not}")
    if why_not is not None:
        pytest.skip(why_not)


def _digest() -> str:
    return hashlib.sha256((_PROJECT / "pom.xml").read_bytes()).hexdigest()


def _is_built() -> bool:
    stamp = _TARGET / "built.sha256"
    return stamp.is_file() and stamp.read_text() == _digest()


def _build() -> None:
    _TARGET.mkdir(exist_ok=True)
    with (_TARGET / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_built():
            subprocess.run(["mvn", "-q", "-B", "-ntp", "process-classes"], cwd=_PROJECT, check=True)
            (_TARGET / "built.sha256").write_text(_digest())


class ZookeeperServer:
    """One server with a port and a folder of data that stay over restarts.

    Args:
        folder: For its data and its log.
        certificates: A folder of `make_certificates`, for TLS on a port of its own; None for no such port.
        settings: Further lines of its configuration.
        options: Options of the JVM.
    """

    def __init__(
        self,
        folder: Path,
        certificates: Path | None = None,
        settings: Mapping[str, object] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.port = free_port()
        self.secure_port = free_port()
        self._folder = folder
        self._settings = {**_SETTINGS, **(settings or {})}
        self._options = tuple(options)
        if certificates is not None:
            self._settings |= self._secured(certificates)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def secure_address(self) -> str:
        """``host:port`` where TLS is spoken."""
        return f"127.0.0.1:{self.secure_port}"

    def _secured(self, certificates: Path) -> dict[str, object]:
        """What makes it speak TLS and ask its clients for certificates; it wants key and certificate in one file."""
        both = self._folder / "server-with-key.pem"
        both.write_text((certificates / "server.key").read_text() + (certificates / "server.pem").read_text())
        return {
            "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
            "secureClientPort": self.secure_port,
            "secureClientPortAddress": "127.0.0.1",
            "ssl.keyStore.location": both,
            "ssl.trustStore.location": certificates / "ca.pem",
            "ssl.hostnameVerification": "false",
        }

    def start(self) -> Self:
        """Start it and return once it answers a client: its port is open before that, even where it never will."""
        _build()
        config = self._folder / "zoo.cfg"
        lines = {**self._settings, "clientPort": self.port, "dataDir": self._folder / "data"}
        config.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        main = "org.apache.zookeeper.server.ZooKeeperServerMain"
        command = ["java", *_QUICK_START, *self._options, "-cp", str(_TARGET / "lib" / "*"), main, str(config)]
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def kill(self) -> None:
        """End it as a crash does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def wipe(self) -> None:
        """Throw away its data, while it is down."""
        shutil.rmtree(self._folder / "data")

    def pause(self) -> None:
        """Freeze it, until `resume`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> KazooClient:
        """Make a client that has a session already; the caller closes it."""
        client = KazooClient(self.address, timeout=10.0)
        client.start()
        return client

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _await_ready(self) -> None:
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            if self._answers():
                return
            time.sleep(0.05)
        raise TimeoutError(f"no ZooKeeper after {_START_S} s: {(self._folder / 'log').read_text()[-2000:]}")

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as asked:
                asked.sendall(b"srvr")
                return b"Zookeeper version" in asked.recv(1000)
        except OSError:
            return False


def change(server: ZookeeperServer, act: Callable[[KazooClient], Any]) -> Any:
    """Do something by a client that is gone afterwards."""
    client = server.client()
    try:
        return act(client)
    finally:
        client.stop()
        client.close()


@cache
def shared() -> ZookeeperServer:
    """The one server of this run for tests that neither end nor freeze it; it is killed at the end of the run."""
    require()
    return started(ZookeeperServer)
