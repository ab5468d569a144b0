"""A network of the run's own, where the system gives one: its cable can be pulled, and nobody else is disturbed.

It takes the superuser, and ``unshare``, ``ip`` and ``tc``. Where there is none, experiments do what comes nearest in a
proxy, and say why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final

_MARK: Final = "CALLAHEAD_LEDGER_NETWORK"
_TOOLS: Final = ("unshare", "ip", "tc")
_NOWHERE: Final = "192.0.2.1"


def is_own() -> bool:
    """Tell whether this process runs in one."""
    return _MARK in os.environ


@cache
def missing() -> str:
    """Tell what is missing for one; "" where nothing is."""
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if absent:
        return f"{', '.join(absent)} cannot be found (on Debian and Ubuntu: apt-get install iproute2 util-linux)"
    if os.geteuid() != 0:
        return "the superuser is needed"
    done = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "the system gives no network namespace"


def enter(module: str, arguments: Sequence[str]) -> None:
    """Begin *module* anew in a network of its own; go on where there is none, or where it is entered already."""
    if is_own():
        plug()
    elif not missing():
        command = ["unshare", "--net", sys.executable, "-m", module, *arguments]
        os.execvpe(command[0], command, {**os.environ, _MARK: "own"})


def pull() -> None:
    """Let no packet through."""
    _run("ip", "link", "set", "lo", "down")


def plug() -> None:
    """Let packets through again."""
    _run("ip", "link", "set", "lo", "up")


@contextmanager
def slow_link(bytes_per_s: int) -> Iterator[None]:
    """Let so many bytes a second through."""
    _run("ip", "link", "set", "lo", "mtu", "1500")
    _run(
        "tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", f"{bytes_per_s * 8}", "burst", "8kb", "latency", "1s"
    )
    try:
        yield
    finally:
        _run("tc", "qdisc", "del", "dev", "lo", "root")
        _run("ip", "link", "set", "lo", "mtu", "65536")


@contextmanager
def black_route() -> Iterator[str]:
    """Give an address to which every packet vanishes; "" where the network is not our own."""
    if not is_own():
        yield ""
        return
    _run("ip", "route", "add", "blackhole", _NOWHERE)
    try:
        yield _NOWHERE
    finally:
        _run("ip", "route", "del", "blackhole", _NOWHERE)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
