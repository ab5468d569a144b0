"""The servers that the clients are measured against, each in its own process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def running(command: list[str]) -> Iterator[int]:
    """Run *command*, which prints its port and ends with its input; yield the port."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.communicate()


@contextmanager
def grpc_echo() -> Iterator[int]:
    """A grpcio server that echoes bytes."""
    with running([sys.executable, "-m", "benchmarks.echo_server"]) as port:
        yield port


@contextmanager
def ice_echo() -> Iterator[int]:
    """An Ice server in Python that echoes text."""
    with running([sys.executable, "-m", "benchmarks.ice_server"]) as port:
        yield port


@contextmanager
def dubbo_echo() -> Iterator[int]:
    """A dubbo provider in C that echoes the first argument; built by the system's compiler."""
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "dubbo_echo")
        subprocess.run(["cc", "-O2", "-o", program, str(HERE / "dubbo_echo.c")], check=True)
        with running([program]) as port:
            yield port
