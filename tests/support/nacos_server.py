"""A real server of Nacos' API, rnacos, in a process of its own, started, stopped, frozen and wiped from here.

It is what the variable ``CALLAHEAD_RNACOS`` names, or ``rnacos`` on PATH, or what stands packed beside the checkout.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import lzma
import os
import platform
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from callahead.registry.nacos.connection import Connection
from callahead.registry.nacos.payload import Message
from callahead.registry.nacos.settings import Server

from .for_the_run import started

VERSION: Final = "0.8.8"
USER: Final = "me"
PASSWORD: Final = "s3same"

_ROOT: Final = Path(__file__).parents[2]
_PACKED: Final = _ROOT.parent / "shared" / "servers" / f"rnacos-{VERSION}-linux-{platform.machine()}.xz"
_UNPACKED: Final = Path(__file__).parent / "target" / f"rnacos-{VERSION}"
_START_S: Final = 30.0
# An empty folder of data is used for a start that comes up broken once in four times.
_MOST_STARTS: Final = 20
_FORBIDDEN: Final = 403
_NOT_READY: Final = 500
_MOST_REFUSALS: Final = 6
_PROBE: Final = {"dataId": "probe", "group": "probe"}


def program() -> str | None:
    """Find rnacos; None where there is none."""
    named = os.environ.get("CALLAHEAD_RNACOS") or shutil.which("rnacos")
    return named or (str(_unpack()) if _PACKED.is_file() else None)


def require() -> None:
    """Skip what needs a server where there is none, and say how to get it; in CI a failure, where it can be had."""
    if program() is not None:
        return
    how = f"cargo install rnacos --version {VERSION}, or let CALLAHEAD_RNACOS name a release of it"
    why_not = f"a Nacos server needs rnacos on PATH ({how})"
    if os.environ.get("CALLAHEAD_CI") and not os.environ.get("CALLAHEAD_NO_RNACOS"):
        pytest.fail(f"CALLAHEAD_CI is set, so nothing may be skipped, but {why_not}")
    pytest.skip(why_not)


def _unpack() -> Path:
    _UNPACKED.parent.mkdir(exist_ok=True)
    with (_UNPACKED.parent / "rnacos.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _UNPACKED.exists():
            new = _UNPACKED.with_suffix(".new")
            with lzma.open(_PACKED) as packed, new.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
            new.chmod(0o755)
            new.replace(_UNPACKED)
    return _UNPACKED


def _free_ports() -> tuple[int, int]:
    """One for HTTP, with room for gRPC 1000 above it, and one for the console.

    They are below the range that Linux uses for outgoing connections, so that none is taken while the server is down.
    """
    while True:
        port = random.randrange(20_000, 31_000)
        if all(_is_free(each) for each in (port, port + 1, port + 1000)):
            return port, port + 1


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class NacosServer:
    """One server with ports and a folder of data that stay over restarts.

    Args:
        folder: For its data and its log.
        auth: Nobody is served without logging in as `USER`.
    """

    def __init__(self, folder: Path, *, auth: bool = False) -> None:
        self.port, self._console_port = _free_ports()
        self._folder = folder
        self._auth = auth
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it and return once it gives back what it is given, which some servers with new data never do."""
        has_data = self._data.exists()
        for _ in range(_MOST_STARTS):
            self._launch()
            try:
                if self._works(has_data=has_data):
                    return self
            except BaseException:
                self.kill()
                raise
            self.kill()
            assert not has_data, f"the data were good, but not any more: {self._log()}"
            self.wipe()
        raise TimeoutError(f"no Nacos that works after {_MOST_STARTS} starts: {self._log()}")

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def wipe(self) -> None:
        """Throw away its data, while it is down."""
        shutil.rmtree(self._data)

    def pause(self) -> None:
        """Freeze it, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def publish(self, group: str, key: str, text: str | None, namespace: str = "") -> None:
        """Keep *text* under *group* and *key*; None takes it away."""
        place = {"dataId": key, "group": group, "tenant": namespace}
        if text is None:
            self._http("DELETE", "cs/configs", place)
        else:
            self._http("POST", "cs/configs", {**place, "content": text})

    def change(self, service: str, host: str, port: int, metadata: Mapping[str, str]) -> None:
        """Let an instance of *service* say something else; rnacos keeps what it first said at any other attempt."""
        place = {"serviceName": service, "ip": host, "port": str(port), "weight": "1.0", "ephemeral": "true"}
        self._http("PUT", "ns/instance", {**place, "metadata": json.dumps(metadata)})

    def publisher(self) -> Publisher:
        """Make a client that registers instances, which are there as long as it is open; the caller closes it."""
        return Publisher(self)

    def token(self) -> Mapping[str, str]:
        """Log in, where that is asked for."""
        if not self._auth:
            return {}
        answer = self._http("POST", "auth/login", {"username": USER, "password": PASSWORD}, {})
        return {"accessToken": json.loads(answer)["accessToken"]}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _log(self) -> str:
        return (self._folder / "log").read_text()[-2000:]

    def _launch(self) -> None:
        found = program()
        assert found is not None
        self._data.mkdir(exist_ok=True)
        settings = {
            "SDK_HOST": "127.0.0.1",
            "CONSOLE_HOST": "127.0.0.1",
            "HTTP_PORT": str(self.port),
            "HTTP_CONSOLE_PORT": str(self._console_port),
            "DATA_DIR": str(self._data),
            "ENABLE_OPEN_API_AUTH": str(self._auth).lower(),
            "INIT_ADMIN_USERNAME": USER,
            "INIT_ADMIN_PASSWORD": PASSWORD,
        }
        environment = {**os.environ, **{f"RNACOS_{name}": value for name, value in settings.items()}}
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [found], cwd=self._folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _works(self, *, has_data: bool) -> bool:
        """Wait until it answers, write something, and look whether it can be read.

        One that has data refuses for a moment, until it has read them.
        """
        until, refusals = time.monotonic() + _START_S, 0
        while time.monotonic() < until:
            try:
                text = f"{random.random()}"
                self._http("POST", "cs/configs", {**_PROBE, "content": text})
                return self._http("GET", "cs/configs", _PROBE) == text
            except HTTPError as error:
                if has_data and error.code == _NOT_READY:
                    time.sleep(0.1)
                    continue
                refusals += 1
                if error.code != _FORBIDDEN or refusals == _MOST_REFUSALS:
                    return False
                time.sleep(0.5)  # the user is there some time after the server, which counts who tries too often
            except (URLError, OSError):
                time.sleep(0.02)
        raise TimeoutError(f"no Nacos after {_START_S} s: {self._log()}")

    def _http(self, method: str, path: str, what: Mapping[str, str], token: Mapping[str, str] | None = None) -> str:
        query = urlencode({**what, **(self.token() if token is None else token)})
        url = f"http://{self.address}/nacos/v1/{path}"
        form = query.encode() if method == "POST" else None
        request = Request(url if form else f"{url}?{query}", form, method=method)
        with urlopen(request, timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait()


class Publisher:
    """A client that registers instances of services."""

    _names: Final = map("nacos-publisher-{}".format, itertools.count())

    def __init__(self, server: NacosServer) -> None:
        host, _, port = server.address.partition(":")
        self._headers = server.token()
        place, name = Server(host, int(port)), next(self._names)
        self._connection = Connection(place, None, host, name, lambda _: None, lambda: None)
        self._connection.open("")

    def register(self, service: str, host: str, port: int, metadata: Mapping[str, Any], **also: Any) -> None:
        """Add an instance of *service*; *also* are its other properties, and ``group`` and ``namespace``."""
        self._ask("registerInstance", service, host, port, metadata=metadata, **also)

    def deregister(self, service: str, host: str, port: int, **where: Any) -> None:
        """Take it out."""
        self._ask("deregisterInstance", service, host, port, **where)

    def close(self) -> None:
        """Go, and so do the instances."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(
        self, kind: str, service: str, host: str, port: int, *, group: str = "DEFAULT_GROUP", namespace: str = "public",
        **also: Any,
    ) -> None:  # fmt: skip
        instance = {"ip": host, "port": port, "weight": 1.0, "healthy": True, "enabled": True, "ephemeral": True}
        instance |= {"clusterName": "DEFAULT", "serviceName": service, **also}
        where = {"namespace": namespace, "groupName": group, "serviceName": service}
        self._connection.ask(Message("InstanceRequest", {**where, "type": kind, "instance": instance}), self._headers)


@cache
def shared() -> NacosServer:
    """The one server of this run for tests that neither end nor freeze it; it is killed at the end of the run."""
    require()
    return started(NacosServer)
