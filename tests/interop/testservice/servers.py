"""Servers of gRPC's interop service by several libraries, each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from . import build

__all__ = ["KINDS", "Server", "grpc_go", "grpc_node", "missing"]

_ROOT: Final = build.HERE.parents[2]
_LONGEST_S: Final = 30.0


class Server:
    """A process that prints its port, and ends with its input.

    Args:
        command: Starts it.
        folder: In which; None for that of the tests.

    Attributes:
        port: Where it listens on 127.0.0.1.
    """

    def __init__(self, command: Sequence[str | Path], folder: Path | None = None) -> None:
        self._command = list(map(str, command))
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """For a configuration."""
        return f"tri://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        path = os.pathsep.join([str(_ROOT), str(build.generated())])
        self._process = process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        assert process.stdout is not None
        self.port = int(process.stdout.readline())
        return self

    def stop(self) -> str:
        """Let it end gracefully, by SIGTERM, and return what it has said last; its input stays open until then."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        said = process.stdout.read()
        self.end()
        return said.strip()

    def kill(self) -> None:
        """End it as a crash does, by SIGKILL; no error where it has ended."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Freeze it meanwhile: its connections stay open, and nothing is read or answered."""
        pid = self._running().pid
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def end(self) -> None:
        """Let it end with its input, or kill it where it does not."""
        process, self._process = self._running(), None
        try:
            process.communicate(timeout=_LONGEST_S)
        finally:
            process.kill()

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, where it has not ended."""
        if self._process is not None:
            self.end()


def grpc_go(*options: str) -> Server:
    """Make a server by grpc-go; the options are in ``go/main.go``."""
    return Server([build.go_server() / "server", *options])


def grpc_node(age_ms: int) -> Server:
    """Make a server by grpc-node, whose connections are ended at the age of so many ms."""
    command = [build.node_program() or "node", build.HERE / "node" / "server.js", build.PROTO, str(age_ms)]
    return Server(command, build.node_libraries())


def _grpc_java() -> Server:
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m"]
    return Server(["java", *quick, "-cp", build.java_libraries() / "*", build.HERE / "java" / "Server.java"])


def _python(library: str) -> Callable[[], Server]:
    return lambda: Server([sys.executable, "-m", f"tests.interop.testservice.{library}_server"])


KINDS: Final[Mapping[str, Callable[[], Server]]] = MappingProxyType(
    {"grpc-go": grpc_go, "grpc-java": _grpc_java, "grpcio": _python("grpcio"), "grpclib": _python("grpclib")}
)
"""What makes a server, by the library that serves."""


def missing(kind: str) -> str | None:
    """What a server of that *kind* needs and this machine lacks, as a text for ``pytest.skip``."""
    needs = {
        "grpc-go": build.missing_go,
        "grpc-java": build.missing_java,
        "grpc-node": build.missing_node,
        "grpclib": _missing_grpclib,
    }
    return needs[kind]() if kind in needs else None


def _missing_grpclib() -> str | None:
    return None if find_spec("grpclib") else "grpclib's server needs that library (pip install '.[full]')"
