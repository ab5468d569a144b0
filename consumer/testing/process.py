"""Embedded providers in a process of their own."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, BinaryIO, Self

from callahead.config.extension import load_object

from ..errors import CallaheadError
from .mistake import wrong

ONLY = "provider"


class ProviderProcess:
    """Runs what a function builds, one `EmbeddedProvider` or several by name, in a new Python process.

    ::

        # shop_providers.py
        def shop(delay):
            provider = EmbeddedProvider()
            provider.serve("com.alibaba.foo.FooService", module="callahead.conf.foo_pb2", findFoo={"name": "foo"})
            provider.script("findFoo", delay=delay)
            return provider

        with ProviderProcess("shop_providers:shop", "500ms") as process:
            ... process.url ...

    The process ends with the ``with``, and by itself when this process is gone, however that came about: it reads a
    pipe which then closes. It imports from the same places as this process.

    Args:
        builder: ``module:function``; the function returns a provider, or a mapping of them by name, not started.
        args: For the function; what JSON can carry.
        path: Folders to import from before all others.
        start_timeout: Longest time until the providers listen, in seconds.
        stop_timeout: Longest time until the process has ended by itself, in seconds; then it is killed.
        kwargs: For the function likewise.
    """

    def __init__(
        self,
        builder: str,
        *args: Any,
        path: Iterable[str] = (),
        start_timeout: float = 30.0,
        stop_timeout: float = 15.0,
        **kwargs: Any,
    ) -> None:
        self._command = [
            sys.executable,
            "-m",
            "callahead.consumer.testing.process",
            builder,
            json.dumps([args, kwargs]),
        ]
        self._path = tuple(path)
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: BinaryIO | None = None
        self._urls: dict[str, str] = {}

    def start(self) -> Self:
        """Start the process and wait until its providers listen.

        Raises:
            CallaheadError: It failed, with what it said; or it took longer than ``start_timeout``.
        """
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by stop; a pipe would fill up unread
        self._process = subprocess.Popen(  # noqa: S603  # our own arguments, no shell
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*self._path, *filter(None, sys.path)])},
        )
        try:
            self._urls = json.loads(self._first_line(self._process))
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def url(self) -> str:
        """Of the only provider.

        Raises:
            CallaheadError: There are several, or none: the process was not started.
        """
        if len(self._urls) != 1:
            raise CallaheadError(f"this process has {len(self._urls)} providers; urls has each by its name")
        return next(iter(self._urls.values()))

    @property
    def urls(self) -> Mapping[str, str]:
        """Of each provider by its name."""
        return dict(self._urls)

    @property
    def pid(self) -> int:
        """Of the process.

        Raises:
            CallaheadError: It does not run.
        """
        if self._process is None:
            raise CallaheadError("the process does not run")
        return self._process.pid

    def pause(self) -> None:
        """Stop the process where it stands: connections stay, and nothing is answered from now on until `resume`."""
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        if hasattr(os, "waitid"):  # threads that run on other cores go on for a while
            os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End the process in order, or by force after *stop_timeout*. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.close()
            process.send_signal(signal.SIGCONT)
            process.wait(self._stop_timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            process.stdout.close()
            if self._errors is not None:
                self._errors.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _first_line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        deadline = time.monotonic() + self._start_timeout
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise CallaheadError(f"{self._command[3]} did not start within {self._start_timeout} s")
                piece = os.read(process.stdout.fileno(), 65536)
                if not piece:
                    raise CallaheadError(f"{self._command[3]} did not start:\n{self._said(process)}")
                line += piece
        return line

    def _said(self, process: subprocess.Popen[bytes]) -> str:
        assert self._errors is not None
        process.wait()
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip()


def main(builder: str, arguments: str) -> None:
    """Be the process: build, listen, print the addresses as one line of JSON, and end with the standard input."""
    from .provider import EmbeddedProvider

    args, kwargs = json.loads(arguments)
    built = load_object(builder)(*args, **kwargs)
    providers = dict(built) if isinstance(built, Mapping) else {ONLY: built}
    for name, provider in providers.items():
        if not isinstance(provider, EmbeddedProvider):
            raise wrong(f"{builder} gave a {type(provider).__name__} for {name}, not an EmbeddedProvider")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    with ExitStack() as running:
        urls = {name: running.enter_context(provider).url for name, provider in providers.items()}
        sys.stdout.write(json.dumps(urls) + "\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
