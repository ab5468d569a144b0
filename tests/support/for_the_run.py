"""What is started once for a whole run of tests."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar


class Server(Protocol):
    """A server in a process of its own."""

    def start(self) -> Self:
        """Start it, and wait until it serves."""

    def kill(self) -> Any:
        """End it at once."""


ServerT = TypeVar("ServerT", bound=Server)


def started(kind: Callable[[Path], ServerT]) -> ServerT:
    """Start a server over a folder of its own; both are gone at the end of the run."""
    folder = Path(tempfile.mkdtemp())
    server = kind(folder).start()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.kill)
    return server
