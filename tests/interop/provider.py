"""Real Apache Dubbo providers for the interop tests: each in a JVM of its own, started, stopped and killed from here.

The Java side is the Maven project in ``java/``; what it serves is told in ``README.rst`` beside this file.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

__all__ = ["QUICK_START", "TOKEN", "VERSIONS", "JavaProvider", "ProviderFailed", "build", "java_command", "missing"]

VERSIONS: Final = ("2.7", "3.3")
"""The Dubbo versions that can be served: 2.7 speaks ``dubbo``, 3.3 speaks ``dubbo`` and ``tri``."""

TOKEN: Final = "s3same"
"""The attachment ``token`` that ``TokenService`` asks for."""

QUICK_START: Final = ("-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:+UseSerialGC", "-Xmx512m")
"""JVM options for the shortest start; a benchmark passes its own, since these switch the optimising compiler off."""

_PROJECT: Final = Path(__file__).parent / "java"
_TARGET: Final = _PROJECT / "target"
_INSTALL: Final = "on Debian and Ubuntu: apt-get install maven default-jdk-headless"
# Reflection on classes of the JDK: javassist of 2.7 defines classes, hessian reads and writes their fields.
_OPENED: Final = (
    "java.lang", "java.lang.reflect", "java.math", "java.net", "java.text", "java.time", "java.util",
    "java.util.concurrent", "java.util.concurrent.atomic",
)  # fmt: skip


class ProviderFailed(RuntimeError):
    """A build or a start that did not succeed; the message ends with what Maven or the JVM said last."""


def missing(search_path: str | None = None) -> str | None:
    """What the providers need and this machine lacks, as a text for ``pytest.skip``; None when they can be started.

    Maven is only needed while the built classes are absent or older than their sources. ``search_path`` stands for
    ``PATH``.
    """
    needed = ("java",) if _is_built() else ("java", "javac", "mvn")
    lacking = [program for program in needed if shutil.which(program, path=search_path) is None]
    if not lacking:
        return None
    return f"real Dubbo providers need {', '.join(lacking)} on PATH ({_INSTALL}; Maven loads Dubbo from Maven Central)"


def build() -> None:
    """Compile the Java side if a source changed since the last time; safe to call from several processes at once.

    Raises:
        ProviderFailed: Maven failed, with the end of its output.
    """
    with _locked(_TARGET / "build.lock"):
        if _is_built():
            return
        command = ["mvn", "-q", "-B", "-ntp", "process-classes"]
        done = subprocess.run(
            command, cwd=_PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            msg = f"{' '.join(command)} in {_PROJECT} ended with {done.returncode}:\n{_tail(done.stdout + done.stderr)}"
            raise ProviderFailed(msg)
        _stamp().write_text(_digest())


def java_command(
    version: str, main: str, properties: Mapping[str, str | int], options: Sequence[str] = QUICK_START
) -> list[str]:
    """The command line of a Java class of the project, on the Dubbo ``version``; ``properties`` become ``-Dkey=value``.

    Its home is inside the build folder, so that Dubbo leaves no cache file with the user.
    """
    module = f"dubbo{version.replace('.', '')}"
    folders = [_PROJECT / name / "target" / "classes" for name in ("api", "services", module)]
    settings = {
        "user.home": _TARGET / "home",
        "java.util.logging.config.file": _PROJECT / "logging.properties",
        **properties,
    }
    return [
        "java",
        *options,
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
        *(f"-D{key}={value}" for key, value in settings.items()),
        "-cp",
        os.pathsep.join([*map(str, folders), str(_PROJECT / module / "target" / "lib" / "*")]),
        f"org.callahead.interop.dubbo.{main}",
    ]


class JavaProvider:
    """One provider JVM, from :meth:`start` to :meth:`stop` or :meth:`kill`; after either it can be started again.

    A port that is not given is chosen free at construction and kept over restarts, so that a consumer finds the
    provider again where it was. The JVM ends when this process does, however that happens: it reads its standard input
    and exits at the end of it. Not for use by several threads at once.

    Args:
        version: ``"2.7"`` or ``"3.3"``.
        dubbo_port: Where ``dubbo`` is served; 0 chooses.
        tri_port: Where ``tri`` is served (3.3 only); 0 chooses.
        properties: System properties: ``interop.threads`` (200) and ``interop.queues`` (0) of the provider's pool,
            ``interop.payload`` (8 MiB), ``interop.heartbeat`` (60000 ms), ``interop.registry`` (none),
            ``interop.application`` (callahead-interop), ``interop.metadataType`` (local), ``interop.protocols``
            ("dubbo,tri", 3.3 only), and Dubbo's own, such as ``dubbo.service.shutdown.wait``.
        options: Options of the JVM.
        start_timeout: Seconds from the start to the READY line.

    Attributes:
        release: The full version, as "2.7.23", that the running provider says it is; "" before the first start.
        log: What the JVM wrote to standard error, warnings and worse.
    """

    def __init__(
        self,
        version: str,
        *,
        dubbo_port: int = 0,
        tri_port: int = 0,
        properties: Mapping[str, str | int] | None = None,
        options: Sequence[str] = QUICK_START,
        start_timeout: float = 60.0,
    ) -> None:
        if version not in VERSIONS:
            msg = f"Dubbo version {version!r} is not one of {', '.join(VERSIONS)}"
            raise ValueError(msg)
        self.version = version
        free = _free_ports()
        self.dubbo_port = next(free) if dubbo_port == 0 else dubbo_port
        self.tri_port: int | None = None
        if version == "3.3":
            self.tri_port = next(free) if tri_port == 0 else tri_port
        self.log = _TARGET / "logs" / f"provider-{version}-{self.dubbo_port}.log"
        self.release = ""
        self._properties = {"dubbo.service.shutdown.wait": 2000, **({} if properties is None else properties)}
        self._options = tuple(options)
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Build what changed, start the JVM and return once it serves.

        Raises:
            ProviderFailed: The JVM ended, or was not ready in time; the message ends with its log.
        """
        if self._process is not None:
            msg = f"the provider {self.version} on port {self.dubbo_port} runs already, as process {self.pid}"
            raise ProviderFailed(msg)
        build()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            self._await_ready(self._process)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self, timeout: float = 20.0) -> int:
        """End it as an operator does, by SIGTERM, and return its exit status.

        Dubbo then tells its consumers with a read-only event, waits for calls under way and closes. Even an idle one
        takes seconds: 2.4 on 3.3 (``dubbo.service.shutdown.wait``, 2000 ms here), 4.4 on 2.7 (netty's quiet periods).

        Raises:
            ProviderFailed: It still ran after ``timeout`` seconds; it has been killed.
        """
        return self._end(signal.SIGTERM, timeout)

    def end_input(self, timeout: float = 20.0) -> int:
        """Close its standard input, as the death of this process would, and return its exit status as :meth:`stop`."""
        return self._end(None, timeout)

    def kill(self) -> None:
        """End it as a crash does, by SIGKILL: no event, no goodbye on its connections; no error if it is down."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        _close_pipes(process)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open, nothing is read or answered, until :meth:`resume`."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        # The signal is not obeyed at once; WNOWAIT leaves the end of the process, if that is what came, to Popen.
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on after :meth:`pause`."""
        self._running().send_signal(signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        """Whether the JVM was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The JVM's process id, for measuring it."""
        return self._running().pid

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill it: there is nothing to save, and the graceful end costs seconds."""
        self.kill()

    def _command(self) -> list[str]:
        ports = {"interop.dubboPort": self.dubbo_port}
        if self.tri_port is not None:
            ports["interop.triPort"] = self.tri_port
        main = f"Provider{self.version.replace('.', '')}"
        return java_command(self.version, main, {**self._properties, **ports}, self._options)

    def _await_ready(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], self._start_timeout)
        line = process.stdout.readline() if readable else ""
        if not line.startswith("READY "):
            why = f"not ready within {self._start_timeout} s" if not readable else f"ended or said {line!r}"
            msg = f"the Dubbo {self.version} provider on port {self.dubbo_port}: {why}\n{_tail(self.log.read_text())}"
            raise ProviderFailed(msg)
        ready = json.loads(line.removeprefix("READY "))
        self.release = ready["version"]
        assert (ready["dubbo"], ready.get("tri")) == (self.dubbo_port, self.tri_port), line

    def _end(self, by_signal: signal.Signals | None, timeout: float) -> int:
        process = self._running()
        assert process.stdin is not None
        if by_signal is None:
            process.stdin.close()
        else:
            process.send_signal(by_signal)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            msg = f"the Dubbo {self.version} provider ran on for {timeout} s after it was told to end\n"
            raise ProviderFailed(msg + _tail(self.log.read_text())) from None
        self._process = None
        _close_pipes(process)
        return status

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            msg = f"the provider {self.version} on port {self.dubbo_port} is not running"
            raise ProviderFailed(msg)
        return self._process


def _close_pipes(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _free_ports() -> Iterator[int]:
    """Below the range that Linux uses for outgoing connections, so that none is taken while the JVM starts."""
    for port in random.sample(range(20_000, 32_000), 200):
        with socket.socket() as probe:
            nobody_listens = probe.connect_ex(("127.0.0.1", port)) != 0
        if nobody_listens:
            yield port


def _tail(text: str, lines: int = 40) -> str:
    return "\n".join(text.splitlines()[-lines:])


def _stamp() -> Path:
    return _TARGET / "built.sha256"


def _is_built() -> bool:
    stamp = _stamp()
    return stamp.is_file() and stamp.read_text() == _digest()


def _digest() -> str:
    """Names and contents, not times: a checkout, a copy or a cache of CI changes times only."""
    digest = hashlib.sha256()
    for source in sorted([*_PROJECT.glob("pom.xml"), *_PROJECT.glob("*/pom.xml"), *_PROJECT.glob("*/src/**/*.*")]):
        digest.update(str(source.relative_to(_PROJECT)).encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


_in_process = threading.Lock()


@contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    """A lock among processes (flock) and among the threads of this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _in_process, path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
