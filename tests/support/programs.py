"""Programs of a test, each in a Python process of its own: for what befalls a whole process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

# What each program begins with, before the head that is given.
_BEGIN: Final = """
import os, signal, sys, threading, time, warnings
from callahead.consumer import Consumer, ConsumerClosed, RpcContext, RpcError
from support.forked import in_child
warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)

def say(*words):
    print(*words, flush=True)
"""
_MOST_S: Final = 60


class Programs:
    """Starts programs, for which any warning is an error.

    Args:
        folder: Where their files are written.
        head: Python that each of them begins with.
        environment: More of it, for all of them.
    """

    def __init__(self, folder: Path, head: str, **environment: str) -> None:
        self._folder = folder
        self._environment = environment
        self._head = _BEGIN + head
        self._started: list[subprocess.Popen[str]] = []

    def start(self, program: str, *args: str, **environment: str) -> subprocess.Popen[str]:
        """Start *program*, with what this process can import, in a session of its own."""
        file = self._folder / f"program{len(self._started)}.py"
        file.write_text(self._head + dedent(program))
        more = {**self._environment, **environment}
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(file), *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**_inherited(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more},
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def run(self, program: str, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run *program* to its end, which must come in time."""
        process = self.start(program, *args, **environment)
        try:
            out, err = process.communicate(timeout=_MOST_S)
        except subprocess.TimeoutExpired:
            out, err = _kill(process)
            pytest.fail(f"it hangs; it said {out!r} and {err!r}")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def close(self) -> None:
        """Kill those that still run."""
        for process in self._started:
            if process.poll() is None:
                _kill(process)


def _inherited() -> dict[str, str]:
    """Give the environment without what importing callahead put into that of the tests."""
    return {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}


def _kill(process: subprocess.Popen[str]) -> tuple[str, str]:
    os.killpg(process.pid, signal.SIGKILL)  # its children too: they hold the pipes
    return process.communicate()
