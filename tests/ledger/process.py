"""The provider's process, as the experiments see it: to be killed, stopped and drained."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ledger.carriers import Carrier

_END_S = 20.0


def environment() -> dict[str, str]:
    """Let a program import what this one can."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


class Place(Protocol):
    """Where calls are run."""

    @property
    def url(self) -> str:
        """For a configuration."""

    def drain(self) -> None:
        """Let it take no more calls, finish those that run, and end."""


@dataclass(frozen=True, slots=True)
class Inside:
    """A provider in the client's own process, which ends with its consumer; a `Place`.

    Attributes:
        protocol: Of its address.
        ledger: The file that it writes.
        threads: How many calls of a reference it runs at once.
    """

    protocol: str
    ledger: Path
    threads: int

    @property
    def url(self) -> str:
        """Where its ledger is: that is all there is to be told apart."""
        return f"{self.protocol}://{self.ledger}?threads={self.threads}"

    def drain(self) -> None:
        """Leave it to its consumer."""


class ProviderAt:
    """A provider on a port that it keeps over `kill` and `start`; a `Place`.

    Args:
        carrier: By which it is asked.
        ledger: The file that it writes.
        threads: How many calls it runs at once.
    """

    def __init__(self, carrier: Carrier, ledger: Path, threads: int = 64) -> None:
        self._arguments = (carrier.name, str(ledger))
        self._threads = threads
        self.port = 0
        self._protocol = carrier.protocol
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        """For a configuration."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """For a configuration that asks at *port*, where something stands between."""
        return f"{self._protocol}://127.0.0.1:{port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        process = subprocess.Popen(
            [sys.executable, "-m", "ledger.provider", *self._arguments, str(self.port), str(self._threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
            start_new_session=True,  # a group that nobody leads ends, when one of it is stopped
        )
        self._process = process
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._forget()

    def freeze(self) -> None:
        """Stop it where it stands."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def turn(self) -> None:
        """Let it refuse every call from now on, or no longer."""
        self._signal(signal.SIGUSR1)

    def drain(self) -> None:
        """Let it take no more calls, finish those that run, and end."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._signal(signal.SIGCONT)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._forget()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _forget(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
